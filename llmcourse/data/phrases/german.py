"""German agreement: articles, adjective endings and the finite forms of the helping verbs, by rule and not by list.

Genders are "m", "f" and "n"; "p" is the plural of any gender. Cases are "nom", "acc", "dat" and "gen".
"""

DEFINITE = {
    "nom": {"m": "der", "f": "die", "n": "das", "p": "die"},
    "acc": {"m": "den", "f": "die", "n": "das", "p": "die"},
    "dat": {"m": "dem", "f": "der", "n": "dem", "p": "den"},
    "gen": {"m": "des", "f": "der", "n": "des", "p": "der"},
}
# The endings of ein, kein, mein, dein and the like.
EIN_ENDINGS = {
    "nom": {"m": "", "f": "e", "n": "", "p": "e"},
    "acc": {"m": "en", "f": "e", "n": "", "p": "e"},
    "dat": {"m": "em", "f": "er", "n": "em", "p": "en"},
}
# The endings of dieser and welcher.
DER_ENDINGS = {
    "nom": {"m": "er", "f": "e", "n": "es", "p": "e"},
    "acc": {"m": "en", "f": "e", "n": "es", "p": "e"},
}
# Endings of an adjective, by what stands before it.
AFTER_DER = {
    "nom": {"m": "e", "f": "e", "n": "e", "p": "en"},
    "acc": {"m": "en", "f": "e", "n": "e", "p": "en"},
}
AFTER_EIN = {
    "nom": {"m": "er", "f": "e", "n": "es", "p": "en"},
    "acc": {"m": "en", "f": "e", "n": "es", "p": "en"},
    "dat": {"m": "en", "f": "en", "n": "en", "p": "en"},
}

# Four forms each: ich, du, er/sie/es, wir/sie.
HABEN = ("habe", "hast", "hat", "haben")
SEIN = ("bin", "bist", "ist", "sind")
WAR = ("war", "warst", "war", "waren")
WERDEN = ("werde", "wirst", "wird", "werden")
MODALS = {
    "können": ("kann", "kannst", "kann", "können"),
    "müssen": ("muss", "musst", "muss", "müssen"),
    "wollen": ("will", "willst", "will", "wollen"),
    "brauchen": ("brauche", "brauchst", "braucht", "brauchen"),
    "tragen": ("trage", "trägst", "trägt", "tragen"),
}


def ein_word(stem: str, gender: str, case: str) -> str:
    """Return an article like ein with its ending: `ein_word("kein", "m", "acc")` is keinen."""
    return stem + EIN_ENDINGS[case][gender]


def der_word(stem: str, gender: str, case: str) -> str:
    """Return an article like dieser with its ending: `der_word("dies", "n", "nom")` is dieses."""
    return stem + DER_ENDINGS[case][gender]


def in_the(gender: str) -> str:
    """Return "in the" before a place with the dative: im Park, in der Schule."""
    return "in der" if gender == "f" else "im"


def words(*parts: str) -> str:
    """Join the parts with one space each; an empty part leaves no double space behind."""
    return " ".join([part for part in parts if part])
