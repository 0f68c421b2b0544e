"""A reader's own labelled sentences are read from any usual table, and each mistake is named with its line."""

import gzip
import re
from pathlib import Path

import pytest

from llmcourse.data import DataError, load_labelled
from llmcourse.data.labelled_table import read_labelled_table
from llmcourse.data.sentences import sentence_key

ROWS = [(f"Dish {number}, with rice", "good" if number % 3 else "bad") for number in range(37)]
CSV = "".join(f'"{text}",{label}\n' for text, label in ROWS)


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "dishes.csv"
    path.write_bytes(CSV.encode())
    return path


def test_own_file_is_divided_by_class_always_alike(own):
    data = load_labelled(own)
    assert (data.name, data.classes) == ("dishes.csv", ("bad", "good"))
    assert (len(data.train), len(data.validation), len(data.test)) == (27, 5, 5)
    truth = dict(ROWS)
    parts = [data.train, data.validation, data.test]
    for split in parts:
        assert {truth[text] for text in split.texts} == {"bad", "good"}
        assert [truth[text] for text in split.texts] == [data.classes[label] for label in split.labels]
    assert sorted(text for split in parts for text in split.texts) == sorted(truth)
    own.write_text("".join(reversed(CSV.splitlines(keepends=True))))
    again = load_labelled(str(own))
    assert [split.texts for split in (again.train, again.validation, again.test)] == [split.texts for split in parts]


def test_equal_sentences_stay_in_one_split(own):
    own.write_text(CSV + "".join(f'"DISH {number} with rice!",good\n' for number in range(37)))
    data = load_labelled(own)
    train, validation, test = (
        {sentence_key(text) for text in s.texts} for s in (data.train, data.validation, data.test)
    )
    assert len(train) + len(validation) + len(test) == len(train | validation | test) == 37
    assert sum(map(len, (data.train, data.validation, data.test))) == 74


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("own.csv", CSV.encode()),
        ("own.csv", CSV.removesuffix("\n").encode()),
        ("own.csv", f"sentence,label\n{CSV}".encode()),
        ("own.csv", CSV.replace("\n", "\r\n").encode()),
        ("own.csv", b"\xef\xbb\xbf" + f"text,class\n{CSV}".encode()),
        ("own.csv", f"{CSV}{CSV}".encode()),
        ("own.csv.gz", gzip.compress(CSV.encode())),
        ("own.CSV", CSV.encode()),
        ("own.tsv", "".join(f"{text}\t{label}\n" for text, label in ROWS).encode()),
        ("own.TSV.gz", gzip.compress("".join(f"{text}\t{label}\n" for text, label in ROWS).encode())),
        ("own.txt", "".join(f"{text}\t {label} \r\n" for text, label in ROWS).encode()),
        ("own", "".join(f'"{text}",{label}\n' for text, label in ROWS).encode()),
    ],
)
def test_usual_tables_are_read_alike(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert read_labelled_table(path) == ROWS


def test_quoted_sentences_hold_quotation_marks_line_ends_and_tabs(own):
    own.write_bytes(b'"x\ty",a\r\n"He said ""no"",\r\nand left",a\r\nz,b\r\nw,b\r\n')
    assert read_labelled_table(own) == [("x\ty", "a"), ('He said "no",\nand left', "a"), ("z", "b"), ("w", "b")]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["10", "2", "-1"], ("-1", "2", "10")),
        (["10", "2", "x"], ("10", "2", "x")),
        (["好", "坏"], ("坏", "好")),
        (["²", "1"], ("1", "²")),
    ],
)
def test_classes_are_sorted(own, labels, classes):
    own.write_text("".join(f"s{i},{label}\n" for i, label in enumerate(labels * 3)), encoding="utf-8")
    data = load_labelled(own)
    assert data.classes == classes
    for split in (data.train, data.validation, data.test):
        assert sorted(split.labels) == list(range(len(labels)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "required a file of sentences. Received: an empty file"),
        (CSV.encode() + "schön,good\n".encode("latin-1"), "a text in UTF-8. Received: byte 0xf6 in line 38"),
        (CSV.encode("utf-16"), "a text in UTF-8. Received: byte 0xff in line 1"),
        (CSV.encode() + b"no label\n", "line 38 with one column: 'no label'"),
        (CSV.encode() + b"no label,\n", "line 38 without a label"),
        (CSV.encode() + b"no label, \n", "line 38 without a label"),
        (CSV.encode() + b",good\n", "line 38 without a sentence"),
        (CSV.encode() + b'" ",good\n', "line 38 without a sentence"),
        (CSV.encode() + b"\n\n", "line 38, which is empty"),
        (CSV.encode() + b",\n", "line 38, which is empty"),
        (CSV.encode() + b"one, two, good\n", "line 38 with 3 columns: 'one'"),
        (CSV.encode() + b'"never closed,good\n', "line 38, where Python's csv says: unexpected end of data"),
        (CSV.encode() + b'"no" and "no",good\n', "line 38, where Python's csv says: ',' expected after"),
        (CSV.encode() + b"a\rb,good\n", "line 38, where Python's csv says: new-line character"),
        (CSV.encode() + b"x" * 140_000 + b",good\n", "line 38, where Python's csv says: field larger than"),
        (b"text,label\n", "at least two classes. Received: a heading and no rows"),
        (b"a,x\nb,x\nc,x\n", "at least two classes. Received: one class, 'x'"),
        (b"text,label\na,x\nb,x\nc,x\n", "at least two classes. Received: one class, 'x'"),
        (CSV.encode() + b"a,new\nb,new\n", "at least 3 different sentences of each class"),
        (CSV.encode() + b"a,new\nA!,new\na.,new\n", "Received: 1 of class 'new'"),
        (b"\x1f\x8b\x08", "a whole gzip file"),
    ],
)
def test_mistakes_are_named(own, content, message):
    own.write_bytes(content)
    with pytest.raises(DataError, match=rf"^{re.escape(str(own))}: required ") as caught:
        load_labelled(own)
    assert message in str(caught.value)
    assert caught.value.remedy


def test_folders_and_missing_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="which is a folder"):
        load_labelled(tmp_path)
    with pytest.raises(DataError, match=r"'missing\.csv', which does not exist"):
        load_labelled("missing.csv")


def test_a_file_named_like_a_data_set_is_given_as_a_path(own, monkeypatch):
    own.rename(own.with_name("trec"))
    monkeypatch.chdir(own.parent)
    assert load_labelled(Path("trec")).classes == ("bad", "good")
