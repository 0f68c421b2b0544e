"""When it happens: days and parts of days."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moment:
    """Hold an adverb of time."""

    en: str
    zh: str
    de: str


PAST = (
    Moment("yesterday", "昨天", "gestern"),
    Moment("yesterday evening", "昨天晚上", "gestern Abend"),
    Moment("the day before yesterday", "前天", "vorgestern"),
    Moment("this morning", "今天早上", "heute Morgen"),
    Moment("last week", "上个星期", "letzte Woche"),
    Moment("last weekend", "上个周末", "letztes Wochenende"),
)
_DAYS = (
    ("Monday", "一", "Montag"), ("Tuesday", "二", "Dienstag"), ("Wednesday", "三", "Mittwoch"),
    ("Thursday", "四", "Donnerstag"), ("Friday", "五", "Freitag"), ("Saturday", "六", "Samstag"),
    ("Sunday", "天", "Sonntag"),
)  # fmt: skip
WEEKDAYS = tuple(Moment(f"on {en}", f"星期{zh}", f"am {de}") for en, zh, de in _DAYS)
# A part of the day keeps the numerals apart: 星期三四点 might be read as three or four o'clock, 星期二十点 as twenty.
MORNINGS = (
    Moment("every morning", "每天早上", "jeden Morgen"),
    *(Moment(f"on {en} morning", f"星期{zh}早上", f"am {de}morgen") for en, zh, de in _DAYS),
)
EVENINGS = (
    Moment("every evening", "每天晚上", "jeden Abend"),
    *(Moment(f"on {en} evening", f"星期{zh}晚上", f"am {de}abend") for en, zh, de in _DAYS),
)
FUTURE = (
    Moment("tomorrow", "明天", "morgen"),
    Moment("tomorrow evening", "明天晚上", "morgen Abend"),
    Moment("the day after tomorrow", "后天", "übermorgen"),
    Moment("this evening", "今天晚上", "heute Abend"),
    Moment("next week", "下个星期", "nächste Woche"),
    Moment("next weekend", "下个周末", "nächstes Wochenende"),
    *WEEKDAYS,
)
EVERY_DAY = Moment("every day", "每天", "jeden Tag")
TODAY = Moment("today", "今天", "heute")
