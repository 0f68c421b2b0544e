"""Templates about the weather in one city or in two."""

from llmcourse.data.phrases.adjectives import CLIMATES, PRECIPITATION, Precipitation, Quality
from llmcourse.data.phrases.german import words
from llmcourse.data.phrases.moments import FUTURE, PAST, TODAY, Moment
from llmcourse.data.phrases.places import CITIES, City
from llmcourse.data.phrases.template import Lines, question, statement, template

_WEATHER = (*PRECIPITATION, *CLIMATES)
_TIMES = (*PAST, *FUTURE)


@template(CITIES, _WEATHER, _TIMES, bond=(0, 1), count=900)
def weather(city: City, weather: Precipitation | Quality, when: Moment) -> Lines:
    """It rained in Berlin yesterday. It will be cold in Vienna tomorrow."""
    past = when in PAST
    if isinstance(weather, Precipitation):
        last = weather.participle if past else weather.infinitive
        return statement(
            f"it {weather.en + 'ed' if past else 'will ' + weather.en} in {city.en} {when.en}",
            f"{city.zh}{when.zh}{weather.zh}了" if past else f"{city.zh}{when.zh}会{weather.zh}",
            words("in", city.de, "hat es" if past else "wird es", when.de, last),
        )
    return statement(
        f"it {'was' if past else 'will be'} {weather.en} in {city.en} {when.en}",
        f"{city.zh}{when.zh}{'' if past else '会'}很{weather.zh}",
        words("in", city.de, "war es" if past else "wird es", when.de, weather.de, "" if past else "sein"),
    )


@template(CITIES, _WEATHER, _TIMES, bond=(0, 1), count=900)
def weather_negative(city: City, weather: Precipitation | Quality, when: Moment) -> Lines:
    """It did not rain in Berlin yesterday. It will not be cold in Vienna tomorrow."""
    past = when in PAST
    if isinstance(weather, Precipitation):
        last = weather.participle if past else weather.infinitive
        return statement(
            f"it {'did' if past else 'will'} not {weather.en} in {city.en} {when.en}",
            f"{city.zh}{when.zh}{'没' if past else '不会'}{weather.zh}",
            words(
                "in",
                city.de,
                "hat es" if past else "wird es",
                when.de,
                "nicht",
                last,
            ),
        )
    return statement(
        f"it {'was not' if past else 'will not be'} {weather.en} in {city.en} {when.en}",
        f"{city.zh}{when.zh}{'不' if past else '不会'}{weather.zh}",
        words("in", city.de, "war es" if past else "wird es", when.de, "nicht", weather.de, "" if past else "sein"),
    )


@template(CITIES, _WEATHER, _TIMES, bond=(0, 1), count=900)
def weather_question(city: City, weather: Precipitation | Quality, when: Moment) -> Lines:
    """Did it rain in Berlin yesterday? Will it be cold in Vienna tomorrow?"""
    past = when in PAST
    if isinstance(weather, Precipitation):
        last = weather.participle if past else weather.infinitive
        return question(
            f"{'did' if past else 'will'} it {weather.en} in {city.en} {when.en}",
            f"{city.zh}{when.zh}{weather.zh}了吗" if past else f"{city.zh}{when.zh}会{weather.zh}吗",
            words("hat es" if past else "wird es", when.de, "in", city.de, last),
        )
    return question(
        f"{'was it' if past else 'will it be'} {weather.en} in {city.en} {when.en}",
        f"{city.zh}{when.zh}{'' if past else '会'}{weather.zh}吗",
        words("war es" if past else "wird es", when.de, "in", city.de, weather.de, "" if past else "sein"),
    )


@template(CITIES, ("colder", "as cold", "not as cold"), CLIMATES, CITIES, (TODAY, *PAST), bond=(0, 3), count=1500)
def two_cities(city: City, mode: str, quality: Quality, other: City, when: Moment) -> Lines | None:
    """It was colder in Berlin than in Rome yesterday. It is not as warm in London as in Madrid today."""
    if city is other:
        return None
    verb, verb_de = ("is", "ist es in") if when is TODAY else ("was", "war es in")
    en, zh, de, than, als = {
        "colder": (quality.comparative, f"比{other.zh}", quality.de_comparative, "than", "als"),
        "as cold": (f"just as {quality.en}", f"和{other.zh}一样", f"genauso {quality.de}", "as", "wie"),
        "not as cold": (f"not as {quality.en}", f"没有{other.zh}", f"nicht so {quality.de}", "as", "wie"),
    }[mode]
    return statement(
        f"it {verb} {en} in {city.en} {than} in {other.en} {when.en}",
        f"{when.zh}{city.zh}{zh}{quality.zh}",
        words(when.de, verb_de, city.de, de, als, "in", other.de),
    )
