"""Numbers and times of day in English, Chinese and German."""

from dataclasses import dataclass

# fmt: off
_EN = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)
_DE = (
    "null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf",
    "dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn",
)
# fmt: on
_EN_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_DE_TENS = ("", "", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig")
_ZH = "零一二三四五六七八九十"


def english(n: int) -> str:
    """Write 1 to 9,999 in English words; above 99 only full hundreds and full thousands."""
    if n < 20:
        return _EN[n]
    if n < 100:
        return _EN_TENS[n // 10] + (f"-{_EN[n % 10]}" if n % 10 else "")
    return f"{_EN[n // 100]} hundred" if n < 1000 else f"{_EN[n // 1000]} thousand"


def german(n: int) -> str:
    """Write 1 to 9,999 in German words; units stand before tens, and one is eins."""
    if n < 20:
        return _DE[n]
    if n < 100:
        unit = "ein" if n % 10 == 1 else _DE[n % 10]
        return (f"{unit}und" if n % 10 else "") + _DE_TENS[n // 10]
    count = n // 100 if n < 1000 else n // 1000
    return ("ein" if count == 1 else _DE[count]) + ("hundert" if n < 1000 else "tausend")


def chinese(n: int) -> str:
    """Write 1 to 9,999 in Chinese characters as one counts: 二, 十二, 二十; but 两百 and 两千."""
    if n <= 10:
        return _ZH[n]
    if n < 100:
        tens = "" if n < 20 else _ZH[n // 10]
        return f"{tens}十{_ZH[n % 10] if n % 10 else ''}"
    return chinese_count(n // 100) + "百" if n < 1000 else chinese_count(n // 1000) + "千"


def chinese_count(n: int) -> str:
    """Write a number as it stands before a measure word: a two alone is 两."""
    return "两" if n == 2 else chinese(n)


@dataclass(frozen=True, slots=True)
class Clock:
    """Name a time of day; `hours` tells how late it is, as on a clock face: 2.5 is half past two."""

    en: str
    zh: str
    de: str
    hours: float


@dataclass(frozen=True, slots=True)
class Duration:
    """Name a length of time."""

    en: str
    zh: str
    de: str
    hours: float


def _clocks() -> list[Clock]:
    clocks = []
    for hour in range(1, 13):
        following = hour % 12 + 1
        zh, zh_next = chinese_count(hour), chinese_count(following)
        uhr = "ein" if hour == 1 else german(hour)
        clocks.append(Clock(f"{english(hour)} o'clock", f"{zh}点", f"{uhr} Uhr", hour))
        half = f"halb {german(following)}"
        clocks.append(Clock(f"half past {english(hour)}", f"{zh}点半", half, hour + 0.5))
        for minutes, en, zh_past, zh_to, de in (
            (5, "five", "零五分", "五分", "fünf"),
            (10, "ten", "十分", "十分", "zehn"),
            (15, "quarter", "一刻", "一刻", "Viertel"),
            (20, "twenty", "二十分", "二十分", "zwanzig"),
        ):
            past = f"{en} past {english(hour)}", f"{zh}点{zh_past}", f"{de} nach {german(hour)}"
            to = f"{en} to {english(following)}", f"差{zh_to}{zh_next}点", f"{de} vor {german(following)}"
            clocks.append(Clock(*past, hour + minutes / 60))
            clocks.append(Clock(*to, hour + 1 - minutes / 60))
    return clocks


def between(first: float, last: float) -> list[Clock]:
    """Return the times of day from `first` to `last` o'clock, in the order of the clock."""
    return sorted((clock for clock in CLOCKS if first <= clock.hours <= last), key=lambda clock: clock.hours)


def _durations() -> list[Duration]:
    full = [
        Duration(f"{english(n)} hours", f"{chinese_count(n)}个小时", f"{german(n)} Stunden", n) for n in range(2, 13)
    ]
    short = Duration("half an hour", "半个小时", "eine halbe Stunde", 0.5)
    one = Duration("an hour", "一个小时", "eine Stunde", 1)
    longer = Duration("one and a half hours", "一个半小时", "anderthalb Stunden", 1.5)
    return [short, one, longer, *full]


CLOCKS = _clocks()
DURATIONS = _durations()
