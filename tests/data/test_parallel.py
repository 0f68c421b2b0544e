"""One function loads every data set of sentence pairs and refuses everything else with one clear message."""

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from llmcourse.data import DataError, load_pairs

DATA = Path(os.environ.get("LLMCOURSE_DATA") or Path(__file__).parents[3] / "shared" / "data")
needs_data = pytest.mark.skipif(
    not (DATA / "multi30k").is_dir(), reason="needs multi30k in LLMCOURSE_DATA or in ../shared/data"
)
LINES = [f"I have {number} cats.\tIch habe {number} Katzen.\n" for number in range(101)]


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "cats.tsv"
    path.write_text("".join(LINES), encoding="utf-8")
    return path


@pytest.mark.parametrize("target", ["zh", "de"])
def test_phrases_need_no_network_and_have_four_splits(monkeypatch, target):
    monkeypatch.setenv("LLMCOURSE_DATA", os.devnull)  # an error for whatever asks for a file
    pairs = load_pairs("phrases", target)
    assert (pairs.name, pairs.source_language, pairs.target_language) == (f"phrases-{target}", "en", target)
    for split in (pairs.train, pairs.validation, pairs.test, pairs.combinations):
        assert len(split) >= 1_000
    assert len(pairs.train) > 35_000


def test_phrases_to_chinese_are_the_default():
    assert load_pairs() == load_pairs("phrases", "zh")


@needs_data
@pytest.mark.parametrize(("target", "tokenized"), [("de", False), ("fr", False), ("de", True), ("fr", True)])
def test_multi30k_has_the_published_sizes(monkeypatch, target, tokenized):
    monkeypatch.setenv("LLMCOURSE_DATA", str(DATA))
    pairs = load_pairs("multi30k", target, tokenized=tokenized)
    assert (len(pairs.train), len(pairs.validation), len(pairs.test)) == (29_000, 1_014, 1_000)
    assert pairs.target_language == target
    for split in (pairs.train, pairs.validation, pairs.test):
        assert all(text and text == text.strip() for side in (split.sources, split.targets) for text in side)
    first = pairs.train.sources[0]
    assert first == (
        "two young , white males are outside near many bushes ."
        if tokenized
        else "Two young, White males are outside near many bushes."
    )


@needs_data
def test_multi30k_stands_side_by_side(monkeypatch):
    monkeypatch.setenv("LLMCOURSE_DATA", str(DATA))
    german, french = load_pairs("multi30k"), load_pairs("multi30k", "fr")
    assert german.train.sources == french.train.sources
    assert german.test.targets[0] == "Ein Mann mit einem orangefarbenen Hut, der etwas anstarrt."
    assert french.test.targets[0] == "Un homme avec un chapeau orange regardant quelque chose."


def test_own_file_is_divided_always_alike(own):
    pairs = load_pairs(own)
    assert (pairs.name, pairs.source_language, pairs.target_language) == ("cats.tsv", "", "")
    assert (len(pairs.train), len(pairs.validation), len(pairs.test)) == (91, 5, 5)
    for split in (pairs.train, pairs.validation, pairs.test):
        for source, target in zip(split.sources, split.targets, strict=True):
            assert target == source.replace("I have", "Ich habe").replace("cats", "Katzen")
    own.write_text("".join(reversed(LINES)), encoding="utf-8")
    assert load_pairs(str(own)) == pairs


def test_own_file_may_be_gzipped_and_name_its_language(own):
    packed = own.with_name("cats.tsv.gz")
    packed.write_bytes(gzip.compress(own.read_bytes()))
    pairs = load_pairs(packed, target="de")
    assert pairs.target_language == "de"
    assert pairs.test == load_pairs(own).test


def test_own_file_with_the_name_of_a_data_set_is_given_as_a_path(own, monkeypatch):
    own.rename(own.with_name("multi30k"))
    monkeypatch.chdir(own.parent)
    assert len(load_pairs(Path("multi30k")).test) == 5


def test_three_pairs_are_enough_and_repetitions_do_not_count(own):
    own.write_text("".join(LINES[:3] * 2), encoding="utf-8")
    pairs = load_pairs(own)
    assert (len(pairs.train), len(pairs.validation), len(pairs.test)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("lines", "received"),
    [
        (LINES[:1], "1 in 1 pair$"),
        (LINES[:2], "2 in 2 pairs$"),
        (["Hi.\tHallo.\n", "hi\tHey.\n", "HI!\tGuten Tag.\n"], "1 in 3 pairs$"),
    ],
)
def test_too_few_pairs_are_refused(own, lines, received):
    own.write_text("".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match=r"cats\.tsv: required at least 3 different source sentences") as caught:
        load_pairs(own)
    assert re.search(received, caught.value.received)


def test_mistake_in_an_own_file_names_file_and_line(own):
    own.write_text("".join([*LINES[:6], "no tab here\n", *LINES[6:]]), encoding="utf-8")
    with pytest.raises(DataError, match=r"cats\.tsv: required .* Received: line 7 without a tab: 'no tab here'"):
        load_pairs(own)


@pytest.mark.parametrize(
    ("name", "received"),
    [
        ("multi30", "'multi30', which does not exist"),
        ("Phrases", "'Phrases', which does not exist"),
        ("", "''"),
        ("Hello.\tHallo.\n" * 50, r"'Hello\.\\tHallo\.\\n.*\.\.\.': File name too long"),
        ("~nobody-of-that-name/cats.tsv", r"'~nobody-of-that-name/cats\.tsv': .*"),
        (None, "None"),
        (7, "7"),
        (["phrases"], r"\['phrases'\]"),
    ],
)
def test_unknown_names_are_refused(tmp_path, monkeypatch, name, received):
    monkeypatch.chdir(tmp_path)
    required = "name: required 'phrases', 'multi30k', 'tatoeba-cmn' or the path of a file"
    with pytest.raises(DataError, match=rf"{required}\. Received: {received}\.\n"):
        load_pairs(name)


def test_folder_in_place_of_a_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="which is a folder"):
        load_pairs(tmp_path)


@pytest.mark.parametrize(
    ("name", "target", "known"),
    [
        ("phrases", "fr", "'zh' or 'de'"),
        ("multi30k", "zh", "'de' or 'fr'"),
        ("tatoeba-cmn", "de", "'zh'"),
        ("phrases", "", "'zh' or 'de'"),
        ("multi30k", ["de"], "'de' or 'fr'"),
    ],
)
def test_unknown_targets_are_refused(name, target, known):
    with pytest.raises(DataError, match=rf"target: required one of the target languages of {name}, {known}") as caught:
        load_pairs(name, target)
    assert caught.value.received == repr(target)
    assert f'load_pairs("{name}", target="' in caught.value.remedy


@pytest.mark.parametrize("target", ["German", "", "d", 5])
def test_target_of_an_own_file_is_a_code(own, target):
    with pytest.raises(DataError, match="target: required the code of a language"):
        load_pairs(own, target)


def test_only_multi30k_is_tokenised(own):
    for name in ("phrases", "tatoeba-cmn", own):
        with pytest.raises(DataError, match="tokenized: required False, since only multi30k has a tokenised version"):
            load_pairs(name, tokenized=True)


def test_importing_is_cheap_and_names_are_complete():
    code = """
import sys
import llmcourse.data
heavy = ("keras", "tensorflow", "jax", "tokenizers", "opencc", "pooch", "requests", "rich", "sacrebleu")
print([name for name in heavy if name in sys.modules])
assert set(llmcourse.data.__all__) <= set(dir(llmcourse.data))
assert llmcourse.data.Tokenizer.__name__ == "Tokenizer"
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("[]\n", "")
