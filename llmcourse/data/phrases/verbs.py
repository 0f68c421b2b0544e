"""German verbs, and what people do to other people."""

from dataclasses import dataclass, field

from llmcourse.data.phrases.german import HABEN, SEIN
from llmcourse.data.phrases.people import Person


@dataclass(frozen=True, slots=True)
class Verb:
    """Hold a German verb: its forms for ich, du and er; the form for wir is the infinitive without the prefix.

    Args:
        base: infinitive without a separable prefix.
        forms: "sehe siehst sieht".
        participle: past participle with the prefix.
        auxiliary: "haben" or "sein", which makes the perfect.
        prefix: separable prefix, or an infinitive that stands in its place ("spazieren gehen"), or "".
    """

    base: str
    forms: str
    participle: str
    auxiliary: str = "haben"
    prefix: str = ""
    present: tuple[str, ...] = field(init=False)
    infinitive: str = field(init=False)

    def __post_init__(self) -> None:
        apart = " " if self.prefix.endswith("en") else ""  # spazieren gehen, einkaufen gehen
        object.__setattr__(self, "present", (*self.forms.split(), self.base))
        object.__setattr__(self, "infinitive", self.prefix + apart + self.base)

    def perfect(self, form: int) -> str:
        """Return the finite half of the perfect: habe, hast, ist and so on."""
        return (HABEN if self.auxiliary == "haben" else SEIN)[form]


@dataclass(frozen=True, slots=True)
class Contact:
    """Hold a verb whose object is a person; "{}" is the gap for it in English and Chinese.

    Args:
        en: name in combinations.
        base, past: English with the gap, such as "pick {} up".
        zh: Chinese with the gap.
        verb: German verb.
        case: which case of the person the German verb governs, "acc" or "dat".
    """

    en: str
    base: str
    past: str
    zh: str
    verb: Verb
    case: str = "acc"

    def object(self, person: Person) -> str:
        """Return the person in the case that the German verb governs."""
        return person.accusative if self.case == "acc" else person.dative


_ABHOLEN = Verb("holen", "hole holst holt", "abgeholt", prefix="ab")
_ANRUFEN = Verb("rufen", "rufe rufst ruft", "angerufen", prefix="an")
_BESUCHEN = Verb("besuchen", "besuche besuchst besucht", "besucht")
_EINLADEN = Verb("laden", "lade lädst lädt", "eingeladen", prefix="ein")
_HELFEN = Verb("helfen", "helfe hilfst hilft", "geholfen")
_SCHREIBEN = Verb("schreiben", "schreibe schreibst schreibt", "geschrieben")
CONTACTS = (
    Contact("call", "call {}", "called {}", "给{}打电话", _ANRUFEN),
    Contact("visit", "visit {}", "visited {}", "去看{}", _BESUCHEN),
    Contact("help", "help {}", "helped {}", "帮助{}", _HELFEN, "dat"),
    Contact("invite", "invite {}", "invited {}", "邀请{}", _EINLADEN),
    Contact("pick up", "pick {} up", "picked {} up", "去接{}", _ABHOLEN),
    Contact("write to", "write to {}", "wrote to {}", "给{}写信", _SCHREIBEN, "dat"),
)
