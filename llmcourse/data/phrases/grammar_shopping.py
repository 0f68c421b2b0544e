"""Templates about shopping and money: prices, amounts, colours and what is on the table."""

from dataclasses import dataclass

from llmcourse.data.phrases import numbers
from llmcourse.data.phrases.adjectives import COLOURS, JUDGEMENTS, KINDS, Quality
from llmcourse.data.phrases.german import AFTER_DER, AFTER_EIN, DEFINITE, HABEN, MODALS, SEIN, der_word, ein_word, words
from llmcourse.data.phrases.grammar_activities import is_are
from llmcourse.data.phrases.moments import FUTURE, PAST, Moment
from llmcourse.data.phrases.people import PEOPLE, PRONOUNS, SINGULAR, Person
from llmcourse.data.phrases.template import Lines, question, statement, template
from llmcourse.data.phrases.things import CURRENCIES, PORTIONS, THINGS, Currency, Portion, Thing, tagged

# Thousands are the prices of cars alone, so these are drawn more often.
_PRICED = tuple((thing, price) for thing in THINGS for price in thing.prices * (4 if thing.en == "car" else 1))
_FOR_SALE = tuple(thing for thing in THINGS if thing.prices)
_COLOURFUL = tagged("colour")
_CLOTHES = tagged("clothes")
_SMALL = tagged("small")
_NUMBERS = (2, 3, 4, 5, 6, 7, 8, 9, 10)
_AMOUNTS = (1, 1, 1, 2, 3, 4, 5, 6)  # one is drawn more often, so that singulars are not rare
_BAGS = ("bag", "suitcase", "cup", "plate", "car")
_FITTING = tuple((colour, thing) for thing in _COLOURFUL for colour in COLOURS) + tuple(
    (kind, thing)
    for thing in _FOR_SALE
    for kind in KINDS
    if set(kind.fits.split()) & set(thing.tags.split())
    or ("bags" in kind.fits and thing.en in _BAGS)
    or ("books" in kind.fits and thing.en in ("book", "map"))
)
# Goods that somebody may need or buy together.
_KINDS_OF_GOODS = ("clothes", "furniture", "food", "kitchen", "shop")
_TOGETHER = tuple(
    (first, second)
    for kind in _KINDS_OF_GOODS
    for first in tagged(kind)
    for second in tagged(kind)
    if first is not second
)


def usual_amount(thing: Thing) -> int:
    """Return how many of a thing somebody buys, carries or asks for, at most."""
    if {"food", "kitchen"} & set(thing.tags.split()) or thing.en in ("book", "pen", "key", "chair"):
        return 10
    return 4


def attributed(quality: Quality, thing: Thing) -> Lines:
    """Return "a red hat" in the three languages, in German as an object, in Chinese with its measure word."""
    article = "an" if quality.en[0] in "aeiou" else "a"
    adjective = quality.de + AFTER_EIN["acc"][thing.gender]
    return (
        f"{article} {quality.en} {thing.en}",
        f"一{thing.measure}{quality.attribute_zh}{thing.zh}",
        words(ein_word("ein", thing.gender, "acc"), adjective, thing.de),
    )


@template(_PRICED, ("costs", "costs only"), CURRENCIES, bond=(0, 1))
def price(priced: tuple[Thing, int], verb: str, currency: Currency) -> Lines | None:
    """This book costs fifteen euros."""
    thing, amount = priced
    if currency.en == "yuan" and thing.en in ("car", "computer", "camera"):
        return None  # no such thing is so cheap
    only = verb == "costs only"
    return statement(
        f"this {thing.en} {verb} {numbers.english(amount)} {currency.en}",
        f"这{thing.measure}{thing.zh}{'只' if only else ''}要{numbers.chinese_count(amount)}{currency.zh}",
        words(
            der_word("dies", thing.gender, "nom"),
            thing.de,
            "kostet nur" if only else "kostet",
            numbers.german(amount),
            currency.de,
        ),
    )


@template(_FOR_SALE, (1, *_NUMBERS), bond=(0, 1), count=300)
def price_question(thing: Thing, n: int) -> Lines | None:
    """How much do these two books cost?"""
    if n == 1:
        return question(
            f"how much does this {thing.en} cost",
            f"这{thing.measure}{thing.zh}多少钱",
            words("wie viel kostet", der_word("dies", thing.gender, "nom"), thing.de),
        )
    if n > usual_amount(thing):
        return None
    return question(
        f"how much do these {thing.counted_en(n)} cost",
        f"这{thing.counted_zh(n)}多少钱",
        words("wie viel kosten diese", thing.counted_de(n, "nom")),
    )


@template(COLOURS, _COLOURFUL, bond=(0, 1))
def price_of_colour(colour: Quality, thing: Thing) -> Lines:
    """How much does this red hat cost?"""
    adjective = colour.de + AFTER_DER["nom"][thing.gender]
    return question(
        f"how much does this {colour.en} {thing.en} cost",
        f"这{thing.measure}{colour.attribute_zh}{thing.zh}多少钱",
        words("wie viel kostet", der_word("dies", thing.gender, "nom"), adjective, thing.de),
    )


def served(portion: Portion, n: int) -> Lines:
    """Return "two cups of tea" in the three languages, in German as an object."""
    if n == 1:
        return (
            f"a {portion.en}",
            f"一{portion.measure}{portion.zh}",
            f"{ein_word('ein', portion.gender, 'acc')} {portion.de}",
        )
    zh = f"{numbers.chinese_count(n)}{portion.measure}{portion.zh}"
    return f"{numbers.english(n)} {portion.plural}", zh, f"{numbers.german(n)} {portion.de_plural}"


@template((PRONOUNS[0], PRONOUNS[4]), (1, 2, 3, 4, 5), PORTIONS, (1, 2, 3, 4, 5), PORTIONS, bond=(2, 4), count=950)
def order(person: Person, n: int, first: Portion, m: int, second: Portion) -> Lines | None:
    """I would like two cups of tea and a piece of cake."""
    if first.zh == second.zh:
        return None
    en, zh, de = served(first, n)
    en_second, zh_second, de_second = served(second, m)
    return statement(
        f"{person.en} would like {en} and {en_second}",
        f"{person.zh}想要{zh}和{zh_second}",
        words(person.nominative, "möchte" if person.en == "I" else "möchten", de, "und", de_second),
    )


@template(PEOPLE, _FITTING, PAST, bond=(1, 2), count=1050)
def bought(person: Person, described: tuple[Quality, Thing], when: Moment) -> Lines | None:
    """My mother bought a red hat yesterday."""
    if "women" in described[1].tags and not person.female:
        return None
    en, zh, de = attributed(*described)
    return statement(
        f"{person.en} bought {en} {when.en}",
        f"{person.zh}{when.zh}买了{zh}",
        words(person.nominative, HABEN[person.form], when.de, de, "gekauft"),
    )


@template(PEOPLE, _FITTING, FUTURE, bond=(1, 2), count=1050)
def wants_to_buy(person: Person, described: tuple[Quality, Thing], when: Moment) -> Lines | None:
    """We want to buy a new lamp on Saturday."""
    if "women" in described[1].tags and not person.female:
        return None
    en, zh, de = attributed(*described)
    return statement(
        f"{person.en} want{'s' if person.third else ''} to buy {en} {when.en}",
        f"{person.zh}{when.zh}想买{zh}",
        words(person.nominative, MODALS["wollen"][person.form], when.de, de, "kaufen"),
    )


@template(SINGULAR, COLOURS, _CLOTHES, bond=(1, 2), count=900)
def wearing(person: Person, colour: Quality, thing: Thing) -> Lines | None:
    """Anna is wearing a black coat today."""
    if "women" in thing.tags and not person.female:
        return None
    en, zh, de = attributed(colour, thing)
    wear = "戴" if thing.en == "hat" else "穿"
    return statement(
        f"{person.en} {is_are(person)} wearing {en} today",
        f"{person.zh}今天{wear}着{zh}",
        words(person.nominative, MODALS["tragen"][person.form], "heute", de),
    )


@template(PEOPLE, _AMOUNTS, _TOGETHER, _AMOUNTS, bond=(1, 2), count=1050)
def needing(person: Person, n: int, goods: tuple[Thing, Thing], m: int) -> Lines | None:
    """We need two chairs and a lamp."""
    first, second = goods
    if any("women" in thing.tags for thing in goods) and not person.female:
        return None
    if max(n, m) > 3 and not {"food", "kitchen"} & set(first.tags.split()):
        return None
    return statement(
        f"{person.en} need{'s' if person.third else ''} {first.counted_en(n)} and {second.counted_en(m)}",
        f"{person.zh}需要{first.counted_zh(n)}和{second.counted_zh(m)}",
        words(
            person.nominative,
            MODALS["brauchen"][person.form],
            first.counted_de(n, "acc"),
            "und",
            second.counted_de(m, "acc"),
        ),
    )


@template(PEOPLE, _NUMBERS, tagged("food", "kitchen", "furniture", "small"), PAST, bond=(1, 2), count=1050)
def bought_several(person: Person, n: int, thing: Thing, when: Moment) -> Lines | None:
    """My parents bought two lamps last week."""
    if thing.en == "key" or n > usual_amount(thing):
        return None
    return statement(
        f"{person.en} bought {thing.counted_en(n)} {when.en}",
        f"{person.zh}{when.zh}买了{thing.counted_zh(n)}",
        words(person.nominative, HABEN[person.form], when.de, thing.counted_de(n, "acc"), "gekauft"),
    )


@dataclass(frozen=True, slots=True)
class Spot:
    """Hold where things are: English and Chinese, and in German the place and its verb in singular and plural."""

    en: str
    zh: str
    de: str
    verbs: tuple[str, str] = ("liegt", "liegen")


_SPOTS = (
    Spot("on the table", "桌子上", "auf dem Tisch"),
    Spot("on the bed", "床上", "auf dem Bett"),
    Spot("on the chair", "椅子上", "auf dem Stuhl"),
    Spot("in the bag", "包里", "in der Tasche", ("ist", "sind")),
    Spot("in the suitcase", "行李箱里", "im Koffer", ("ist", "sind")),
)


@template(_SMALL, (0, 1, 1, *_NUMBERS), _SPOTS, bond=(0, 1), count=700)
def lying(thing: Thing, n: int, spot: Spot) -> Lines | None:
    """There are two keys on the table. There are no keys in the bag."""
    in_place = "food" not in thing.tags or spot.en in ("on the table", "in the bag")
    if "kitchen" in thing.tags or n > usual_amount(thing) or not in_place:
        return None
    one, several = spot.verbs
    if n == 0:
        return statement(
            f"there are no {thing.plural} {spot.en}",
            f"{spot.zh}没有{thing.zh}",
            f"{spot.de} {several} keine {thing.de_plural}",
        )
    return statement(
        f"there {'is' if n == 1 else 'are'} {thing.counted_en(n)} {spot.en}",
        f"{spot.zh}有{thing.counted_zh(n)}",
        words(spot.de, one if n == 1 else several, thing.counted_de(n, "nom")),
    )


@template(_COLOURFUL, COLOURS, ("very", "too", "not"), JUDGEMENTS, bond=(0, 1))
def judgement(thing: Thing, colour: Quality, degree: str, quality: Quality) -> Lines | None:
    """This blue coat is too expensive. That is said with 太 and 了."""
    if not judged(thing, quality) or (degree == "too" and quality.en in ("cheap", "beautiful")):
        return None
    zh = {"very": "很{}", "too": "太{}了", "not": "不{}"}[degree].format(quality.zh)
    adjective = colour.de + AFTER_DER["nom"][thing.gender]
    de = {"very": "sehr", "too": "zu", "not": "nicht"}[degree]
    return statement(
        f"this {colour.en} {thing.en} is {degree} {quality.en}",
        f"这{thing.measure}{colour.attribute_zh}{thing.zh}{zh}",
        words(der_word("dies", thing.gender, "nom"), adjective, thing.de, SEIN[2], de, quality.de),
    )


def judged(thing: Thing, quality: Quality) -> bool:
    """Tell whether a judgement fits a thing: nobody weighs a hat, and a car is not carried."""
    return quality.en != "heavy" or thing.en in ("suitcase", "bag", "coat", "bicycle")


@template(COLOURS, _COLOURFUL, JUDGEMENTS, COLOURS, bond=(0, 1), count=1050)
def cheaper(colour: Quality, thing: Thing, quality: Quality, other: Quality) -> Lines | None:
    """The blue hat is cheaper than the red one."""
    if colour is other or not judged(thing, quality):
        return None
    article, ending = DEFINITE["nom"][thing.gender], AFTER_DER["nom"][thing.gender]
    return statement(
        f"the {colour.en} {thing.en} is {quality.comparative} than the {other.en} one",
        f"{colour.attribute_zh}{thing.zh}比{other.attribute_zh}{quality.zh}",
        f"{article} {colour.de}{ending} {thing.de} ist {quality.de_comparative} als {article} {other.de}{ending}",
    )


@template(COLOURS, _COLOURFUL, JUDGEMENTS, COLOURS, bond=(1, 2), count=900)
def which(colour: Quality, thing: Thing, quality: Quality, other: Quality) -> Lines | None:
    """Which hat is cheaper, the red one or the blue one?"""
    if colour is other or not judged(thing, quality):
        return None
    article, ending = DEFINITE["nom"][thing.gender], AFTER_DER["nom"][thing.gender]
    return question(
        f"which {thing.en} is {quality.comparative}, the {colour.en} one or the {other.en} one",
        f"哪{thing.measure}{thing.zh}更{quality.zh}，{colour.attribute_zh}还是{other.attribute_zh}",
        f"{der_word('welch', thing.gender, 'nom')} {thing.de} ist {quality.de_comparative}, "
        f"{article} {colour.de}{ending} oder {article} {other.de}{ending}",
    )
