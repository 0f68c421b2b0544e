"""The people who act in the sentences: pronouns, names and relatives.

English says brother where Chinese must choose 哥哥 or 弟弟, so siblings are always older or younger; uncles, aunts,
grandparents and cousins are left out for the same reason, and friends and teachers because German needs their sex.
`you` is one person, addressed as du and 你 throughout.
"""

from dataclasses import dataclass

from llmcourse.data.phrases.german import AFTER_EIN, ein_word


@dataclass(frozen=True, slots=True)
class Person:
    """Hold a subject or object with every form that a template needs.

    Args:
        en: as a subject in the middle of a sentence, such as "my father". It also names the person in combinations.
        en_object: as an object, such as "him".
        zh: in Chinese, where nothing is inflected.
        nominative, accusative, dative: in German.
        pronoun: the German pronoun that stands for the person in a second clause.
        form: which of four German verb forms agrees: 0 ich, 1 du, 2 er, 3 wir or sie.
        owner: whose relative it is ("my", "your", "his", "her"), the pronoun's own possessive, or "" for a name.
        kind: "pronoun", "name" or the relation, such as "father".
        female: True for women and girls.
    """

    en: str
    en_object: str
    zh: str
    nominative: str
    accusative: str
    dative: str
    pronoun: str
    form: int
    owner: str
    kind: str
    female: bool = False

    @property
    def third(self) -> bool:
        """Tell whether an English verb takes its -s."""
        return self.form == 2


@dataclass(frozen=True, slots=True)
class Relative:
    """Hold a word for a relative: German gender or "p", and the adjective of older and younger siblings."""

    en: str
    plural: str
    zh: str
    de: str
    de_plural: str
    gender: str
    adjective: str = ""
    generation: int = 0


PRONOUNS = (
    Person("I", "me", "我", "ich", "mich", "mir", "ich", 0, "my", "pronoun"),
    Person("you", "you", "你", "du", "dich", "dir", "du", 1, "your", "pronoun"),
    Person("he", "him", "他", "er", "ihn", "ihm", "er", 2, "his", "pronoun"),
    Person("she", "her", "她", "sie", "sie", "ihr", "sie", 2, "her", "pronoun", True),
    Person("we", "us", "我们", "wir", "uns", "uns", "wir", 3, "our", "pronoun"),
    Person("they", "them", "他们", "sie", "sie", "ihnen", "sie", 3, "their", "pronoun"),
)
NAMES = (
    Person("Anna", "Anna", "安娜", "Anna", "Anna", "Anna", "sie", 2, "", "name", True),
    Person("Maria", "Maria", "玛丽亚", "Maria", "Maria", "Maria", "sie", 2, "", "name", True),
    Person("Peter", "Peter", "彼得", "Peter", "Peter", "Peter", "er", 2, "", "name"),
    Person("Paul", "Paul", "保罗", "Paul", "Paul", "Paul", "er", 2, "", "name"),
)
SIBLINGS = (
    Relative("older brother", "older brothers", "哥哥", "Bruder", "Brüder", "m", "älter"),
    Relative("younger brother", "younger brothers", "弟弟", "Bruder", "Brüder", "m", "jünger"),
    Relative("older sister", "older sisters", "姐姐", "Schwester", "Schwestern", "f", "älter"),
    Relative("younger sister", "younger sisters", "妹妹", "Schwester", "Schwestern", "f", "jünger"),
)
CHILDREN = (
    Relative("son", "sons", "儿子", "Sohn", "Söhne", "m", generation=-1),
    Relative("daughter", "daughters", "女儿", "Tochter", "Töchter", "f", generation=-1),
)
RELATIVES = (
    Relative("father", "", "爸爸", "Vater", "", "m", generation=1),
    Relative("mother", "", "妈妈", "Mutter", "", "f", generation=1),
    *SIBLINGS,
    *CHILDREN,
    Relative("husband", "", "丈夫", "Mann", "", "m"),
    Relative("wife", "", "妻子", "Frau", "", "f"),
    Relative("parents", "", "父母", "Eltern", "", "p", generation=1),
    Relative("children", "", "的孩子们", "Kinder", "", "p", generation=-1),
)
OWNERS = (("my", "我", "mein"), ("your", "你", "dein"), ("his", "他", "sein"), ("her", "她", "ihr"))


def declined(article: str, relative: Relative, case: str) -> str:
    """Decline a relative after an article like mein: meinen älteren Bruder, deiner Mutter."""
    start = ein_word(article, relative.gender, case)
    adjective = relative.adjective and relative.adjective + AFTER_EIN[case][relative.gender] + " "
    noun = relative.de + ("n" if case == "dat" and relative.de == "Kinder" else "")
    return f"{start} {adjective}{noun}"


def _owned(owner: tuple[str, str, str], relative: Relative) -> Person:
    en = f"{owner[0]} {relative.en}"
    return Person(
        en=en,
        en_object=en,
        zh=owner[1] + relative.zh,
        nominative=declined(owner[2], relative, "nom"),
        accusative=declined(owner[2], relative, "acc"),
        dative=declined(owner[2], relative, "dat"),
        pronoun="er" if relative.gender == "m" else "sie",
        form=3 if relative.gender == "p" else 2,
        owner=owner[0],
        kind=relative.en,
        female=relative.gender == "f",
    )


KIN = tuple(
    _owned(owner, relative)
    for owner in OWNERS
    for relative in RELATIVES
    if (owner[0], relative.en) not in (("his", "husband"), ("her", "wife"))
)
# Pronouns and names are few, so each is there more than once: templates draw them more often.
PEOPLE = (*PRONOUNS * 3, *NAMES * 2, *KIN)
SINGULAR = tuple(person for person in PEOPLE if person.form != 3)
# Nobody asks what he himself did yesterday, so questions are about others.
ASKED = tuple(person for person in PEOPLE if person.owner not in ("my", "our"))
GENERATIONS = {relative.en: relative.generation for relative in RELATIVES}


def same_person(first: Person, second: Person) -> bool:
    """Tell whether two people may be the same one, as in "he" and "him" or "Anna" and "she"."""
    if first is second:
        return True
    if {first.en, second.en} in ({"I", "we"}, {"you", "we"}):
        return True
    kinds = {first.kind, second.kind}
    return kinds == {"pronoun", "name"} and first.form == second.form and first.female == second.female


def related(first: Person, second: Person) -> bool:
    """Tell whether both belong to one family, where older and younger could contradict the words for the relatives."""
    return first.owner == second.owner or "" in (first.owner, second.owner)
