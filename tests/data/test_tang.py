"""Poems are cleaned by stated rules, and none of their lines stands in two splits."""

import hashlib
import os
import sys
import unicodedata
from pathlib import Path

import pytest

from llmcourse.data import DataError, load_text
from llmcourse.data.tang import POEM_END, Poem, clean_poem, divide_poems, read_poems

DATA = Path(os.environ.get("LLMCOURSE_DATA") or Path(__file__).parents[3] / "shared" / "data")
needs_tang = pytest.mark.skipif(not (DATA / "tang").is_dir(), reason="needs tang in LLMCOURSE_DATA")
# Figures of lessons were measured on these splits: they change only if somebody changes them.
SHA256 = "8809b4f384f7c41f4ae2c3908b3aeb3eafc0b17042aea0e713654901e96e98ff"
WAR = Poem("出塞", "王昌齡", ("秦時明月漢時關，萬里長征人未還。", "但使龍城飛將在，不教胡馬度陰山。"))


@pytest.fixture
def data_folder(monkeypatch):
    monkeypatch.setenv("LLMCOURSE_DATA", str(DATA))


def splits(text):
    return text.train, text.validation, text.test


def make_poem(number, start=""):
    """Write a poem of 20 letters that shares no two in a row with that of another number."""
    letters = start + "".join(chr(0x4E00 + 40 * number + place) for place in range(20 - len(start)))
    return Poem(f"{number}", "某", (f"{letters[:5]}，{letters[5:10]}。", f"{letters[10:15]}，{letters[15:]}。"))


@pytest.mark.parametrize(
    ("line", "cleaned"),
    [
        ("秦時明月漢時關，萬里長征人未還。", "秦時明月漢時關，萬里長征人未還。"),
        ("三冬季月景[龍]年，萬乘觀風出灞川。", "三冬季月景龍年，萬乘觀風出灞川。"),
        ("水急客舟（一作「行」）疾，山花拂面香。", "水急客舟疾，山花拂面香。"),
        ("破顏看鵲喜，拭淚聽猿嗁/。", "破顏看鵲喜，拭淚聽猿嗁。"),
        ("悲夫！。", "悲夫！"),
        ("童子解吟《長恨曲》，胡兒能唱《琵琶篇》。", "童子解吟《長恨曲》，胡兒能唱《琵琶篇》。"),
    ],
)
def test_what_editors_added_is_removed(line, cleaned):
    assert clean_poem(Poem("靈隱寺”", "陸[澧]", (line,))) == Poem("靈隱寺", "陸澧", (cleaned,))


@pytest.mark.parametrize(
    "poem",
    [
        Poem("a", "b", ("綬吐芽猶嫩，冰□已鏤津。",)),
        Poem("a", "b", ("好。", "䬓{風兪}縈海若，霹靂耿天吳。")),
        Poem("寄龐{氵寉} 一", "b", ("好。",)),
    ],
)
def test_a_poem_with_a_missing_character_is_left_out(poem):
    assert clean_poem(poem) is None


def test_a_poem_without_a_title_is_called_untitled():
    assert clean_poem(Poem(" ", "b", ("好。",))).title == "無題"


def test_an_empty_line_ends_each_poem():
    assert WAR.write(headings=False) == "\n".join(WAR.lines) + "\n\n"
    assert WAR.write(headings=True) == "出塞\n王昌齡\n" + "\n".join(WAR.lines) + "\n\n"


def test_poems_that_share_seven_characters_stay_together_also_in_a_chain():
    chain = [make_poem(50)]  # each begins with the last seven characters of the one before
    for number in (60, 70, 80, 90):
        chain.append(make_poem(number, chain[-1].key[-7:]))
    # The middle one comes last, and joins two groups that are there already.
    poems = [*chain[:2], *[make_poem(number) for number in range(31)], *chain[3:], chain[2]]
    expected = divide_poems(poems, validation=5, test=5)
    assert tuple(map(len, expected)) == (26, 5, 5)
    homes = {poem.title: place for place, part in enumerate(expected) for poem in part}
    assert len(homes) == 36
    assert len({homes[poem.title] for poem in chain}) == 1
    for shift in range(36):
        assert divide_poems(poems[shift:] + poems[:shift], validation=5, test=5) == expected


def test_too_few_poems_are_refused():
    poems = [make_poem(number) for number in range(5)]
    with pytest.raises(ValueError, match=r"enough for 3 test, 2 validation and some training poems\. Received: 5\."):
        divide_poems(poems, validation=2, test=3)


def test_missing_opencc_is_a_clear_error_that_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "opencc", None)
    with pytest.raises(DataError, match=r"^tang, simplified: required the package OpenCC.*\n.*llmcourse\[chinese\]"):
        load_text("tang", simplified=True)


@needs_tang
def test_real_poems_are_whole_and_clean(data_folder):
    poems = read_poems()
    assert len(poems) == len({poem.key for poem in poems}) == 9_795
    letters = {letter for poem in poems for line in poem.lines for letter in line}
    assert {letter for letter in letters if unicodedata.category(letter) != "Lo"} == set("，。？！：《》")
    letters = {letter for poem in poems for letter in poem.title + poem.author}
    assert {letter for letter in letters if unicodedata.category(letter) != "Lo"} == set(" 、")
    assert all(poem.title and poem.author and all(poem.lines) for poem in poems)


@needs_tang
@pytest.mark.parametrize("simplified", [False, True])
def test_real_splits_share_no_line(data_folder, simplified):
    text = load_text("tang", simplified=simplified)
    assert text.name == ("tang-simplified" if simplified else "tang-traditional")
    assert tuple(map(len, splits(text))) == (643_929, 34_814, 35_984)
    parts = [part.removesuffix(POEM_END).split(POEM_END) for part in splits(text)]
    assert [len(part) for part in parts] == [8_795, 500, 500]
    windows = []
    for part in parts:
        poems = ["".join(letter for letter in poem if unicodedata.category(letter) == "Lo") for poem in part]
        windows.append({poem[i : i + 7] for poem in poems for i in range(len(poem) - 6)})
    assert not windows[2] & windows[0]
    assert not windows[2] & windows[1]
    assert not windows[1] & windows[0]


@needs_tang
def test_real_splits_are_the_same_for_ever(data_folder):
    text = load_text("tang")
    assert hashlib.sha256("\0".join(splits(text)).encode()).hexdigest() == SHA256


@needs_tang
def test_real_poems_are_the_same_in_both_kinds_of_characters(data_folder):
    traditional, simplified = (load_text("tang", simplified=choice, headings=True) for choice in (False, True))
    assert traditional.test.startswith("凝碧池侍宴應制得出水槎\n武三思\n彼木生何代，爲槎復幾年。\n")
    assert simplified.test.startswith("凝碧池侍宴应制得出水槎\n武三思\n彼木生何代，为槎复几年。\n")
    for before, after in zip(splits(traditional), splits(simplified), strict=True):
        assert len(before) == len(after)
        assert before.count("\n") == after.count("\n")
