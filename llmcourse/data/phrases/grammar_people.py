"""Templates about the family: moods, ages, comparisons, calls and visits, brothers and sisters."""

from llmcourse.data.phrases import numbers
from llmcourse.data.phrases.adjectives import CHARACTERS, MOODS, Quality
from llmcourse.data.phrases.german import AFTER_EIN, HABEN, SEIN, WAR, WERDEN, ein_word, words
from llmcourse.data.phrases.grammar_activities import do_does, has_have, is_are
from llmcourse.data.phrases.moments import FUTURE, PAST, TODAY, Moment
from llmcourse.data.phrases.people import (
    ASKED,
    CHILDREN,
    GENERATIONS,
    KIN,
    PEOPLE,
    SIBLINGS,
    SINGULAR,
    Person,
    Relative,
    related,
    same_person,
)
from llmcourse.data.phrases.template import Lines, question, statement, template
from llmcourse.data.phrases.things import Thing, tagged
from llmcourse.data.phrases.verbs import CONTACTS, Contact

_OWNED = tagged("vehicle", "pet", "own")
# Some are there twice: their plurals are rare elsewhere.
_COUNTED = _OWNED + tagged("pet", "vehicle", "machine", "clothes") + tagged("women", "vehicle")
_AGES = {
    "father": (35, 40, 50, 60, 70, 80),
    "mother": (35, 40, 50, 60, 70, 80),
    "husband": (25, 30, 35, 40, 50, 60),
    "wife": (25, 30, 35, 40, 50, 60),
    "son": (2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 20),
    "daughter": (2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 20),
    "older brother": (12, 14, 15, 16, 18, 20, 25, 30, 35, 40),
    "older sister": (12, 14, 15, 16, 18, 20, 25, 30, 35, 40),
    "younger brother": (2, 3, 5, 6, 8, 10, 11, 12, 14, 15, 16, 18, 20, 25),
    "younger sister": (2, 3, 5, 6, 8, 10, 11, 12, 14, 15, 16, 18, 20, 25),
    "pronoun": (6, 8, 10, 11, 12, 14, 15, 16, 18, 20, 25, 30, 35, 40, 50, 60),
    "name": (6, 8, 10, 11, 12, 14, 15, 16, 18, 20, 25, 30, 35, 40, 50, 60),
}


def was_were(person: Person) -> str:
    """Return was or were."""
    return "was" if person.third or person.en == "I" else "were"


@template(PEOPLE, MOODS, (TODAY, *PAST[:4]), bond=(0, 1))
def mood(person: Person, quality: Quality, when: Moment) -> Lines:
    """My mother was very tired yesterday."""
    verb, finite = (is_are(person), SEIN) if when is TODAY else (was_were(person), WAR)
    return statement(
        f"{person.en} {verb} very {quality.en} {when.en}",
        f"{person.zh}{when.zh}很{quality.zh}",
        words(person.nominative, finite[person.form], when.de, "sehr", quality.de),
    )


@template(PEOPLE, MOODS, (TODAY, *PAST[:4]), bond=(0, 1))
def mood_negative(person: Person, quality: Quality, when: Moment) -> Lines:
    """My mother is not tired today."""
    verb, finite = (is_are(person), SEIN) if when is TODAY else (was_were(person), WAR)
    return statement(
        f"{person.en} {verb} not {quality.en} {when.en}",
        f"{person.zh}{when.zh}不{quality.zh}",
        words(person.nominative, finite[person.form], when.de, "nicht", quality.de),
    )


@template(ASKED, MOODS, (TODAY, *PAST[:4]), bond=(0, 1))
def mood_question(person: Person, quality: Quality, when: Moment) -> Lines:
    """Were you tired yesterday?"""
    verb, finite = (is_are(person), SEIN) if when is TODAY else (was_were(person), WAR)
    return question(
        f"{verb} {person.en} {quality.en} {when.en}",
        f"{person.zh}{when.zh}{quality.zh}吗",
        words(finite[person.form], person.nominative, when.de, quality.de),
    )


@template(PEOPLE, ("did", "did not"), CONTACTS, PEOPLE, PAST, bond=(2, 3), count=1100)
def contact(person: Person, mode: str, contact: Contact, other: Person, when: Moment) -> Lines | None:
    """I called your mother yesterday. She did not invite us last weekend."""
    if same_person(person, other):
        return None
    negative = mode == "did not"
    verb, zh = contact.verb, contact.zh.format(other.zh)
    return statement(
        f"{person.en} {(f'did not {contact.base}' if negative else contact.past).format(other.en_object)} {when.en}",
        f"{person.zh}{when.zh}没{zh}" if negative else f"{person.zh}{when.zh}{zh}了",
        words(
            person.nominative,
            verb.perfect(person.form),
            contact.object(other),
            when.de,
            "nicht" if negative else "",
            verb.participle,
        ),
    )


@template(PEOPLE, ("will", "will not"), CONTACTS, PEOPLE, FUTURE, bond=(2, 3), count=1100)
def contact_future(person: Person, mode: str, contact: Contact, other: Person, when: Moment) -> Lines | None:
    """I will call your mother tomorrow. He will not help me on Monday."""
    if same_person(person, other):
        return None
    negative = mode == "will not"
    return statement(
        f"{person.en} {mode} {contact.base.format(other.en_object)} {when.en}",
        f"{person.zh}{when.zh}{'不' if negative else ''}会{contact.zh.format(other.zh)}",
        words(
            person.nominative,
            WERDEN[person.form],
            contact.object(other),
            when.de,
            "nicht" if negative else "",
            contact.verb.infinitive,
        ),
    )


@template(tuple((person, age) for person in SINGULAR for age in _AGES[person.kind]), bond=(0, 1))
def age(aged: tuple[Person, int]) -> Lines:
    """My older brother is twenty-five years old."""
    person, years = aged
    return statement(
        f"{person.en} {is_are(person)} {numbers.english(years)} years old",
        f"{person.zh}{numbers.chinese_count(years)}岁",
        words(person.nominative, SEIN[person.form], numbers.german(years), "Jahre alt"),
    )


@template(SINGULAR, (1, 2, 3, 4, 5, 6, 7, 8, 10), ("older", "younger"), SINGULAR, bond=(0, 3), count=1050)
def years_older(person: Person, years: int, direction: str, other: Person) -> Lines | None:
    """I am three years older than your younger sister."""
    if related(person, other) or GENERATIONS.get(person.kind, 0) != GENERATIONS.get(other.kind, 0):
        return None
    en = f"{numbers.english(years)} year{'s' if years > 1 else ''}"
    de = "ein Jahr" if years == 1 else f"{numbers.german(years)} Jahre"
    zh, comparative = ("大", "älter") if direction == "older" else ("小", "jünger")
    return statement(
        f"{person.en} {is_are(person)} {en} {direction} than {other.en_object}",
        f"{person.zh}比{other.zh}{zh}{numbers.chinese_count(years)}岁",
        words(person.nominative, SEIN[person.form], de, comparative, "als", other.nominative),
    )


@template(SINGULAR, ("", "much", "a little"), CHARACTERS, SINGULAR, bond=(0, 2), count=1050)
def comparison(person: Person, degree: str, quality: Quality, other: Person) -> Lines | None:
    """My older brother is much taller than your son."""
    if same_person(person, other):
        return None
    zh, de = {"": ("", ""), "much": ("得多", "viel"), "a little": ("一点儿", "ein bisschen")}[degree]
    return statement(
        f"{person.en} {is_are(person)} {degree + ' ' if degree else ''}{quality.comparative} than {other.en_object}",
        f"{person.zh}比{other.zh}{quality.zh}{zh}",
        words(person.nominative, SEIN[person.form], de, quality.de_comparative, "als", other.nominative),
    )


@template(SINGULAR, ("as", "not as"), CHARACTERS, SINGULAR, bond=(0, 2), count=1050)
def equality(person: Person, mode: str, quality: Quality, other: Person) -> Lines | None:
    """Anna is just as polite as my wife. Anna is not as polite as my wife."""
    if same_person(person, other):
        return None
    negative = mode == "not as"
    return statement(
        f"{person.en} {is_are(person)} {'not' if negative else 'just'} as {quality.en} as {other.en_object}",
        f"{person.zh}{'没有' if negative else '和'}{other.zh}{'' if negative else '一样'}{quality.zh}",
        words(
            person.nominative,
            SEIN[person.form],
            "nicht so" if negative else "genauso",
            quality.de,
            "wie",
            other.nominative,
        ),
    )


def relatives(relative: Relative, n: int) -> Lines:
    """Return "two older brothers" in the three languages, in German as an object."""
    if n == 1:
        article = ein_word("ein", relative.gender, "acc")
        adjective = relative.adjective and relative.adjective + AFTER_EIN["acc"][relative.gender]
        en = f"{'an' if relative.en.startswith('o') else 'a'} {relative.en}"
        return en, f"一个{relative.zh}", words(article, adjective, relative.de)
    adjective = relative.adjective and relative.adjective + "e"
    return (
        f"{numbers.english(n)} {relative.plural}",
        f"{numbers.chinese_count(n)}个{relative.zh}",
        words(numbers.german(n), adjective, relative.de_plural),
    )


_PARENTS = tuple(person for person in PEOPLE if person.kind in ("pronoun", "name", "husband", "wife"))
_COUNTS = (1, 2, 3)


@template(_PARENTS, _COUNTS, SIBLINGS + CHILDREN, _COUNTS, SIBLINGS + CHILDREN, bond=(0, 2))
def siblings(person: Person, n: int, first: Relative, m: int, second: Relative) -> Lines | None:
    """I have two older brothers and a younger sister."""
    if first is second or (first in SIBLINGS) != (second in SIBLINGS):
        return None
    en, zh, de = relatives(first, n)
    en_second, zh_second, de_second = relatives(second, m)
    return statement(
        f"{person.en} {has_have(person)} {en} and {en_second}",
        f"{person.zh}有{zh}和{zh_second}",
        words(person.nominative, HABEN[person.form], de, "und", de_second),
    )


def fits(person: Person, thing: Thing) -> bool:
    """Tell whether a person may own a thing: several people share no coat, and dresses are for women."""
    if "clothes" in thing.tags and person.form == 3:
        return False
    return person.female or "women" not in thing.tags


@template(ASKED, _OWNED, bond=(0, 1), count=700)
def having_question(person: Person, thing: Thing) -> Lines | None:
    """Does your mother have a camera?"""
    if not fits(person, thing):
        return None
    return question(
        f"{do_does(person)} {person.en} have {thing.counted_en(1)}",
        f"{person.zh}有{thing.zh}吗",
        words(HABEN[person.form], person.nominative, thing.counted_de(1, "acc")),
    )


@template(PEOPLE, _OWNED, bond=(0, 1), count=700)
def having_negative(person: Person, thing: Thing) -> Lines | None:
    """My mother does not have a camera."""
    if not fits(person, thing):
        return None
    return statement(
        f"{person.en} {do_does(person)} not have {thing.counted_en(1)}",
        f"{person.zh}没有{thing.zh}",
        words(person.nominative, HABEN[person.form], ein_word("kein", thing.gender, "acc"), thing.de),
    )


@template(KIN, (1, 2, 3, 4), _COUNTED, bond=(0, 2), count=900)
def having(person: Person, n: int, thing: Thing) -> Lines | None:
    """My older sister has two cats."""
    if not fits(person, thing) or (n > 2 and thing.en in ("map", "newspaper")):
        return None
    return statement(
        f"{person.en} {has_have(person)} {thing.counted_en(n)}",
        f"{person.zh}有{thing.counted_zh(n)}",
        words(person.nominative, HABEN[person.form], thing.counted_de(n, "acc")),
    )
