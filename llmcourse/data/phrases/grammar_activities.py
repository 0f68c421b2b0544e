"""Templates about what people do, did, will do, can do and like to do. Each docstring is an example."""

from llmcourse.data.phrases.activities import ACTIVITIES, SKILLS, Activity, with_tag
from llmcourse.data.phrases.german import MODALS, WERDEN, in_the, words
from llmcourse.data.phrases.moments import FUTURE, PAST, Moment
from llmcourse.data.phrases.numbers import DURATIONS, Duration
from llmcourse.data.phrases.people import ASKED, PEOPLE, PRONOUNS, Person
from llmcourse.data.phrases.places import CAFE, LIBRARY, PARK, SCHOOL, Place
from llmcourse.data.phrases.template import Lines, question, statement, template

_BE = {"I": "am"}
_LONG = with_tag("long")
_NOW = with_tag("now")
# German verbs have forms of their own for ich and du, which would be rare without this.
_SPEAKERS = (*PEOPLE, *PRONOUNS[:2] * 10)
_LIKED = tuple(activity for activity in ACTIVITIES if "walk" not in activity.tags)
_PLANS = (*(("want", activity) for activity in ACTIVITIES), *(("have", activity) for activity in with_tag("duty")))
# Where each activity belongs; at home goes without an article.
_SCENES = tuple(
    (place, activity)
    for tag, place in (("park", PARK), ("library", LIBRARY), ("café", CAFE), ("school", SCHOOL))
    for activity in with_tag(tag)
)


def is_are(person: Person) -> str:
    """Return am, is or are."""
    return "is" if person.third else _BE.get(person.en, "are")


def do_does(person: Person) -> str:
    """Return do or does."""
    return "does" if person.third else "do"


def has_have(person: Person) -> str:
    """Return has or have."""
    return "has" if person.third else "have"


@template(PEOPLE, ACTIVITIES, PAST, bond=(0, 1))
def past(person: Person, activity: Activity, when: Moment) -> Lines:
    """My father watched television yesterday."""
    verb = activity.verb
    return statement(
        f"{person.en} {activity.past} {when.en}",
        f"{person.zh}{when.zh}{activity.zh}了",
        words(person.nominative, verb.perfect(person.form), when.de, activity.object, verb.participle),
    )


@template(PEOPLE, ACTIVITIES, PAST, bond=(0, 1))
def past_negative(person: Person, activity: Activity, when: Moment) -> Lines:
    """My father did not watch television yesterday."""
    verb = activity.verb
    return statement(
        f"{person.en} did not {activity.en} {when.en}",
        f"{person.zh}{when.zh}没{activity.zh}",
        words(person.nominative, verb.perfect(person.form), when.de, activity.negated, verb.participle),
    )


@template(ASKED, ACTIVITIES, PAST, bond=(0, 1))
def past_question(person: Person, activity: Activity, when: Moment) -> Lines:
    """Did your father watch television yesterday?"""
    verb = activity.verb
    return question(
        f"did {person.en} {activity.en} {when.en}",
        f"{person.zh}{when.zh}{activity.zh}了吗",
        words(verb.perfect(person.form), person.nominative, when.de, activity.object, verb.participle),
    )


@template(PEOPLE, ACTIVITIES, FUTURE, bond=(0, 1))
def future(person: Person, activity: Activity, when: Moment) -> Lines:
    """My father will watch television tomorrow."""
    return statement(
        f"{person.en} will {activity.en} {when.en}",
        f"{person.zh}{when.zh}会{activity.zh}",
        words(person.nominative, WERDEN[person.form], when.de, activity.object, activity.verb.infinitive),
    )


@template(PEOPLE, ACTIVITIES, FUTURE, bond=(0, 1))
def future_negative(person: Person, activity: Activity, when: Moment) -> Lines:
    """My father will not watch television tomorrow."""
    return statement(
        f"{person.en} will not {activity.en} {when.en}",
        f"{person.zh}{when.zh}不会{activity.zh}",
        words(person.nominative, WERDEN[person.form], when.de, activity.negated, activity.verb.infinitive),
    )


@template(PEOPLE, _PLANS, FUTURE, bond=(0, 2))
def modal(person: Person, plan: tuple[str, Activity], when: Moment) -> Lines:
    """My father wants to watch television tomorrow. We have to work on Monday."""
    verb, activity = plan
    en = f"want{'s' if person.third else ''}" if verb == "want" else has_have(person)
    zh, de = ("想", "wollen") if verb == "want" else ("得", "müssen")
    return statement(
        f"{person.en} {en} to {activity.en} {when.en}",
        f"{person.zh}{when.zh}{zh}{activity.zh}",
        words(person.nominative, MODALS[de][person.form], when.de, activity.object, activity.verb.infinitive),
    )


@template(PEOPLE, _PLANS, FUTURE, bond=(0, 2))
def modal_negative(person: Person, plan: tuple[str, Activity], when: Moment) -> Lines:
    """My father does not have to work tomorrow."""
    verb, activity = plan
    zh, de = ("不想", "wollen") if verb == "want" else ("不用", "müssen")
    return statement(
        f"{person.en} {do_does(person)} not {verb} to {activity.en} {when.en}",
        f"{person.zh}{when.zh}{zh}{activity.zh}",
        words(person.nominative, MODALS[de][person.form], when.de, activity.negated, activity.verb.infinitive),
    )


@template(ASKED, _PLANS, FUTURE, bond=(0, 2))
def modal_question(person: Person, plan: tuple[str, Activity], when: Moment) -> Lines:
    """Do you have to work tomorrow?"""
    verb, activity = plan
    zh, de = ("想", "wollen") if verb == "want" else ("得", "müssen")
    return question(
        f"{do_does(person)} {person.en} {verb} to {activity.en} {when.en}",
        f"{person.zh}{when.zh}{zh}{activity.zh}吗",
        words(MODALS[de][person.form], person.nominative, when.de, activity.object, activity.verb.infinitive),
    )


@template(PEOPLE, SKILLS, SKILLS, bond=(1, 2))
def skill(person: Person, known: Activity, unknown: Activity) -> Lines | None:
    """My son can swim but cannot dance."""
    if known.verb is unknown.verb:
        return None  # nobody says "nicht Schach spielen" after "Tennis spielen"
    return statement(
        f"{person.en} can {known.en} but cannot {unknown.en}",
        f"{person.zh}会{known.zh}，但是不会{unknown.zh}",
        words(person.nominative, MODALS["können"][person.form], known.object, known.verb.infinitive + ",")
        + " "
        + words("aber", unknown.negated, unknown.verb.infinitive),
    )


@template(_SPEAKERS, _LIKED, _LIKED, bond=(0, 2))
def liking(person: Person, liked: Activity, disliked: Activity) -> Lines | None:
    """My son likes swimming but not dancing."""
    if liked is disliked:
        return None
    return statement(
        f"{person.en} like{'s' if person.third else ''} {liked.ing} but not {disliked.ing}",
        f"{person.zh}喜欢{liked.zh}，但是不喜欢{disliked.zh}",
        f"{person.nominative} {present(person, liked, 'gern')}, "
        f"aber {person.pronoun} {present(person, disliked, 'nicht gern', before_object=False)}",
    )


def present(person: Person, activity: Activity, adverb: str, *, before_object: bool = True) -> str:
    """Return the German present tense with an adverb: sieht gern fern, spielt nicht gern Klavier.

    A definite object stands before a negative adverb (`before_object=False`): spült das Geschirr nicht gern.
    """
    definite = activity.negated.endswith(" nicht")
    order = (adverb, activity.object) if before_object or not definite else (activity.object, adverb)
    return words(activity.verb.present[person.form], *order, activity.verb.prefix)


@template(PEOPLE, _LONG, DURATIONS[:6], PAST[:4], bond=(1, 2))
def lasting(person: Person, activity: Activity, time: Duration, when: Moment) -> Lines:
    """My father watched television for two hours yesterday."""
    return statement(
        f"{person.en} {activity.past} for {time.en} {when.en}",
        f"{person.zh}{when.zh}{activity.verb_zh}了{time.zh}{activity.object_zh}",
        words(
            person.nominative,
            activity.verb.perfect(person.form),
            when.de,
            time.de,
            "lang",
            activity.object,
            activity.verb.participle,
        ),
    )


@template(_SPEAKERS, _NOW, ("is", "is not"), bond=(0, 1))
def now(person: Person, activity: Activity, mode: str) -> Lines:
    """My father is watching television right now. My father is not watching television right now."""
    if mode == "is":
        return statement(
            f"{person.en} {is_are(person)} {activity.ing} right now",
            f"{person.zh}现在正在{activity.zh}",
            f"{person.nominative} {present(person, activity, 'gerade')}",
        )
    verb = activity.verb
    before, after = ("gerade", activity.negated)
    if activity.negated.endswith(" nicht"):  # spült das Geschirr gerade nicht
        before, after = activity.object, "gerade nicht"
    return statement(
        f"{person.en} {is_are(person)} not {activity.ing} right now",
        f"{person.zh}现在没在{activity.zh}",
        words(person.nominative, verb.present[person.form], before, after, verb.prefix),
    )


@template((*ASKED, *PRONOUNS[1:2] * 5), _NOW, bond=(0, 1))
def now_question(person: Person, activity: Activity) -> Lines:
    """Is your father watching television right now?"""
    verb = activity.verb
    return question(
        f"{is_are(person)} {person.en} {activity.ing} right now",
        f"{person.zh}现在正在{activity.zh}吗",
        words(verb.present[person.form], person.nominative, "gerade", activity.object, verb.prefix),
    )


@template(PEOPLE, _SCENES, PAST, bond=(0, 2))
def scene(person: Person, setting: tuple[Place, Activity], when: Moment) -> Lines:
    """My father read in the park yesterday."""
    place, activity = setting
    verb = activity.verb
    return statement(
        f"{person.en} {activity.past} {_at(place)} {when.en}",
        f"{person.zh}{when.zh}在{place.zh}{activity.there_zh}了",
        words(
            person.nominative,
            verb.perfect(person.form),
            when.de,
            in_the(place.gender),
            place.de,
            activity.object,
            verb.participle,
        ),
    )


def _at(place: Place) -> str:
    return f"at {place.en}" if place is SCHOOL else f"in the {place.en}"


@template(("rain", "snow", "cold"), _SPEAKERS, with_tag("home"), FUTURE[:1], bond=(1, 2))
def indoors(weather: str, person: Person, activity: Activity, when: Moment) -> Lines:
    """If it rains tomorrow, my father will watch television at home."""
    en, zh, de = _CONDITIONS[weather]
    verb = activity.verb
    return statement(
        f"if it {en} {when.en}, {person.en} will {activity.en} at home",
        f"如果{when.zh}{zh}，{person.zh}就在家{activity.zh}",
        f"wenn es {when.de} {de}, "
        + words(verb.present[person.form], person.nominative, "zu Hause", activity.object, verb.prefix),
    )


@template(("warm", "dry"), _SPEAKERS, with_tag("park"), FUTURE, bond=(1, 2))
def outdoors(weather: str, person: Person, activity: Activity, when: Moment) -> Lines:
    """If it does not rain tomorrow, we will play football in the park."""
    en, zh, de = _CONDITIONS[weather]
    verb = activity.verb
    return statement(
        f"if it {en} {when.en}, {person.en} will {activity.en} in the park",
        f"如果{when.zh}{zh}，{person.zh}就去公园{activity.there_zh}",
        f"wenn es {when.de} {de}, "
        + words(verb.present[person.form], person.nominative, "im Park", activity.object, verb.prefix),
    )


_CONDITIONS = {
    "rain": ("rains", "下雨", "regnet"),
    "snow": ("snows", "下雪", "schneit"),
    "cold": ("is cold", "很冷", "kalt ist"),
    "warm": ("is warm", "很暖和", "warm ist"),
    "dry": ("does not rain", "不下雨", "nicht regnet"),
}
