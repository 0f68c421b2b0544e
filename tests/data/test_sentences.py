"""Files of sentence pairs are read or refused with one clear message, and splits never leak."""

import gzip
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcourse.data import DataError, SentencePairs, Split
from llmcourse.data.sentences import MAX_CHARACTERS, divide, make_split, read_lines, read_table, sentence_key

GOOD = b"Hello.\tHallo.\nThank you.\tDanke.\n"
PAIRS = [(f"I have {number} cats.", f"Ich habe {number} Katzen.") for number in range(97)]


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a file and reads it as a table."""

    def read(content: bytes) -> list[tuple[str, str]]:
        path = tmp_path / "own.tsv"
        path.write_bytes(content)
        return read_table(path, "own.tsv", "mend the file")

    return read


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD[:-1],
        GOOD.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + GOOD,
        gzip.compress(GOOD, mtime=0),
        GOOD.replace(b"Hello.", b" Hello. "),
    ],
    ids=["plain", "no last line end", "CR LF", "byte order mark", "gzipped", "spaces around"],
)
def test_usual_ways_to_write_a_table_mean_the_same(table, content):
    assert table(content) == [("Hello.", "Hallo."), ("Thank you.", "Danke.")]


def test_only_line_feeds_end_a_line(table):
    assert table("one\u2028two\x0bthree\teins\u0085zwei\n".encode()) == [("one\u2028two\x0bthree", "eins\u0085zwei")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a file of sentences\. Received: an empty file \(0 bytes\)"),
        (b"\n \n", "an empty file"),
        (gzip.compress(b"", mtime=0), "an empty file"),
        (GOOD + b"\n" + GOOD, r"one tab and its translation\. Received: line 3, which is empty"),
        (GOOD + b" \t \n", "line 3, which is empty"),
        (GOOD + b"\n", "line 3, which is empty"),
        (GOOD + b"Good morning. Guten Morgen.\n", "line 3 without a tab: 'Good morning. Guten Morgen.'"),
        (GOOD + b"Yes.\tJa.\tCC-BY 2.0\n", "line 3 with 2 tabs: 'Yes.* \\n?"),
        (b"Yes.\t\n" + GOOD, "line 1 with nothing after the tab"),
        (GOOD + b"\tJa.\n", "line 3 with nothing before the tab"),
        (GOOD + b"word " * 10_000 + b"\tviele\n", r"line 3 with 10,000 words \(49,999 characters\)"),
        (b"viele\t" + b"word " * 10_000 + b"\n", r"line 1 with 10,000 words"),
        (GOOD + "Nice.\tSchön.\n".encode("latin-1"), r"a text in UTF-8\. Received: byte 0xf6 in line 3"),
        (GOOD.decode().encode("utf-16"), "byte 0xff in line 1"),
        (GOOD.decode().encode("utf-16-le"), "a zero byte in line 1"),
        (gzip.compress(GOOD, mtime=0)[:-9], r"a whole gzip file\. Received: EOFError"),
        (gzip.compress(GOOD, mtime=0)[:11] + b"damage" + gzip.compress(GOOD, mtime=0)[17:], "a whole gzip file"),
    ],
)
def test_bad_tables_are_one_clear_error(table, content, message):
    with pytest.raises(DataError, match=rf"own\.tsv: required .*{message}") as caught:
        table(content)
    assert caught.value.remedy
    assert len(str(caught.value)) < 300  # a long line is not shown whole


def test_longest_sentence_allowed_is_read(table):
    assert table(b"x" * MAX_CHARACTERS + b"\ty\n") == [("x" * MAX_CHARACTERS, "y")]


def test_file_that_cannot_be_opened_is_a_clear_error(tmp_path):
    with pytest.raises(DataError, match=r"own: required a file that can be read\. Received: Is a directory"):
        read_lines(tmp_path, "own", "give a file")


def test_split_needs_as_many_targets_as_sources():
    assert len(Split(("a", "b"), ("c", "d"))) == 2
    assert repr(Split(("a",), ("b",))) == "Split(1 pairs)"
    with pytest.raises(ValueError, match=r"equally many\. Received: 2 sources and 1 targets"):
        Split(("a", "b"), ("c",))


def test_a_data_set_is_shown_by_its_counts():
    splits = [make_split(PAIRS[:count]) for count in (11, 2, 3, 5)]
    assert repr(SentencePairs("mine", "en", "de", *splits[:3])) == (
        "SentencePairs(mine: 11 training, 2 validation and 3 test pairs)"
    )
    assert repr(SentencePairs("mine", "en", "de", *splits)).endswith("3 test and 5 held-out combination pairs)")


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Are you Tom?", "are you, TOM"),
        ("It's  here.", "It\u2019s here!"),  # the other apostrophe
        ("你好！", "你 好\u200b"),
        ("１０ Uhr", "10 uhr"),
        ("Straße", "STRASSE"),
    ],
)
def test_key_folds_case_punctuation_and_spacing(text, same):
    assert sentence_key(text) == sentence_key(same)


@pytest.mark.parametrize(
    ("text", "other"), [("का", "की"), ("3 + 4", "3 4"), ("$5", "5"), ("?", "!"), ("schon", "schön")]
)
def test_key_keeps_what_makes_another_sentence(text, other):
    assert sentence_key(text) != sentence_key(other)


def pairs_of(splits: tuple[Split, ...]) -> list[tuple[str, str]]:
    return [pair for split in splits for pair in zip(split.sources, split.targets, strict=True)]


def test_division_has_the_sizes_and_loses_nothing():
    splits = divide(PAIRS, validation=7, test=11)
    assert [len(split) for split in splits] == [79, 7, 11]
    assert sorted(pairs_of(splits)) == sorted(PAIRS)


def test_division_is_the_same_for_ever_and_in_any_order():
    _, validation, test = divide(PAIRS, validation=2, test=3)
    assert test.sources == ("I have 12 cats.", "I have 80 cats.", "I have 10 cats.")
    assert validation.sources == ("I have 45 cats.", "I have 71 cats.")
    shuffled = random.Random(5).sample(PAIRS, len(PAIRS))
    assert divide(shuffled, validation=2, test=3)[1:] == (validation, test)


sentences = st.sampled_from(["a", "A", "a.", "b", "b?", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"])


@given(st.lists(st.tuples(sentences, sentences), min_size=40, max_size=90, unique=True), st.booleans())
def test_no_sentence_is_on_two_sides(pairs, by_target):
    try:
        train, validation, test = splits = divide(pairs, validation=1, test=2, by_target=by_target)
    except ValueError:  # all pairs hang together, so that no group of them is small enough
        assert by_target or len({sentence_key(source) for source, _ in pairs}) < 4
        return
    assert set(pairs_of(splits)) <= set(pairs)
    for side in ("sources", "targets") if by_target else ("sources",):
        keys = [{sentence_key(text) for text in getattr(split, side)} for split in splits]
        assert not keys[0] & keys[1]
        assert not keys[0] & keys[2]
        assert not keys[1] & keys[2]
    for split, size in ((validation, 1), (test, 2)):
        assert len({sentence_key(source) for source in split.sources}) == len(split) == size
    assert len(train) > 0


def test_pairs_that_hang_together_in_a_chain_stay_together():
    chain = [("a one", "x"), ("a two", "x"), ("a two", "y"), ("a three", "y")]  # by x, by "a two", by y
    for split in divide([*PAIRS, *chain], validation=40, test=40, by_target=True):
        assert len({"aone", "atwo", "athree"} & {sentence_key(source) for source in split.sources}) in (0, 3)


def test_held_out_source_stands_once_and_its_other_translations_nowhere():
    doubled = [pair for source, target in PAIRS for pair in ((source, target), (source.upper(), f"{target}!"))]
    train, validation, test = divide(doubled, validation=7, test=11)
    assert (len(train), len(validation), len(test)) == (2 * 79, 7, 11)
    assert set(pairs_of((validation, test))) <= set(PAIRS)  # the first translation of each


def test_too_few_pairs_for_the_splits_are_refused():
    with pytest.raises(ValueError, match=r"90 test, 7 validation and some training pairs\. Received: 97"):
        divide(PAIRS, validation=7, test=90)
