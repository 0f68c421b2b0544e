"""Running texts: Shakespeare is cut as papers cut it, and a reader's own file is cut or refused with a reason."""

import gzip
import os
import re
from pathlib import Path

import pytest

from llmcourse.data import DataError, load_text

DATA = Path(os.environ.get("LLMCOURSE_DATA") or Path(__file__).parents[3] / "shared" / "data")
needs_shakespeare = pytest.mark.skipif(
    not (DATA / "shakespeare").is_dir(), reason="needs shakespeare in LLMCOURSE_DATA"
)
TEXT = "".join(f"Line {number} of a long story: it was a dark night.\r\n" for number in range(101))


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "story.txt"
    path.write_bytes(TEXT.encode())
    return path


@needs_shakespeare
def test_shakespeare_is_cut_as_usual_and_has_no_test(monkeypatch):
    monkeypatch.setenv("LLMCOURSE_DATA", str(DATA))
    text = load_text()
    assert text == load_text("shakespeare")
    assert repr(text) == "RunningText(shakespeare: 1,003,854 training, 111,540 validation and no test characters)"
    assert text.test is None
    assert text.train.startswith("First Citizen:\nBefore we proceed")
    assert text.validation.startswith("?\n\nGREMIO:\nGood morrow")
    assert len(text.train + text.validation) == 1_115_394
    assert len(set(text.train)) == len(set(text.train + text.validation)) == 65


def test_own_file_is_cut_in_its_order(own):
    text = load_text(own)
    assert text.name == "story.txt"
    assert text.train + text.validation + text.test == TEXT.replace("\r\n", "\n")
    total = len(TEXT) - 101
    assert (len(text.train), len(text.validation)) == (int(0.9 * total), int(0.95 * total) - int(0.9 * total))
    assert repr(text).startswith("RunningText(story.txt: ")
    assert load_text(str(own)) == text


@pytest.mark.parametrize("pack", [gzip.compress, lambda content: b"\xef\xbb\xbf" + content, bytes.rstrip])
def test_own_file_may_be_packed_or_marked(own, pack):
    expected = load_text(own)
    own.write_bytes(pack(own.read_bytes()))
    assert load_text(own) == expected


def test_a_text_of_just_enough_characters_is_taken(own):
    own.write_text("好" * 999 + "\n", encoding="utf-8")
    text = load_text(own)
    assert tuple(map(len, (text.train, text.validation, text.test))) == (900, 50, 50)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Received: an empty file (0 bytes)"),
        (b" \r\n\n", "Received: an empty file (4 bytes)"),
        (b"x" * 998, "at least 1,000 characters, so that validation and test mean something. Received: 999."),
        ("好\n".encode() * 499, "Received: 998."),
        (TEXT.encode("utf-16"), "a text in UTF-8. Received: byte 0xff in line 1"),
        (TEXT.encode() + "schön".encode("latin-1"), "a text in UTF-8. Received: byte 0xf6 in line 102"),
        (TEXT.encode() + b"\0", "a zero byte in line 102"),
        (gzip.compress(TEXT.encode())[:-9], "a whole gzip file"),
    ],
)
def test_mistakes_in_an_own_file_are_named(own, content, message):
    own.write_bytes(content)
    with pytest.raises(DataError, match=rf"^{re.escape(str(own))}: required ") as caught:
        load_text(own)
    assert message in str(caught.value)


def test_a_file_named_like_a_data_set_is_given_as_a_path(own, monkeypatch):
    own.rename(own.with_name("tang"))
    monkeypatch.chdir(own.parent)
    assert load_text(Path("tang")).name == "tang"


@pytest.mark.parametrize(
    ("name", "received"),
    [
        ("shakespear", "'shakespear', which does not exist"),
        (".", r"'\.', which is a folder"),
        ("", "''"),
        (None, "None"),
        (7, "7"),
        (["tang"], r"\['tang'\]"),
    ],
)
def test_unknown_names_are_refused(tmp_path, monkeypatch, name, received):
    monkeypatch.chdir(tmp_path)
    required = "name: required 'shakespeare', 'tang' or the path of a file"
    with pytest.raises(DataError, match=rf"^{required}\. Received: {received}\.\n"):
        load_text(name)


@pytest.mark.parametrize("argument", ["simplified", "headings"])
@pytest.mark.parametrize("name", ["shakespeare", "story.txt"])
def test_only_tang_has_characters_and_headings_to_choose(name, argument):
    with pytest.raises(DataError, match=rf"^{argument}: required False, since only tang has it\. Received: True for"):
        load_text(name, **{argument: True})
