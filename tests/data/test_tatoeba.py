"""The English-Chinese pairs are simplified, different from each other and divided without a leak."""

import hashlib
import os
import sys
from pathlib import Path

import pytest

from llmcourse.data import DataError, load_pairs
from llmcourse.data.sentences import sentence_key
from llmcourse.data.tatoeba import clean_pairs, make_converter

DATA = Path(os.environ.get("LLMCOURSE_DATA") or Path(__file__).parents[3] / "shared" / "data")
needs_data = pytest.mark.skipif(
    not (DATA / "tatoeba" / "cmn.txt").is_file(), reason="needs tatoeba/cmn.txt in LLMCOURSE_DATA or in ../shared/data"
)
# The packaged model was trained and measured on these splits: they change only if somebody changes them.
SHA256 = {
    "train": "2d7687ae580b40d52b69cee78288d758a4a5e1e683875139ae92f908848ddcea",
    "validation": "80b677f4ec62a582ce6cc5f48ebfe0db5ffad677c401adde89d94ebd553b79a7",
    "test": "6f4e1d54ea0fb72f3e7ffb8e954702d791b2e4a23a798b203518f297a9efcbf4",
}


@pytest.fixture(scope="module")
def pairs():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMCOURSE_DATA", str(DATA))
        return load_pairs("tatoeba-cmn")


@pytest.fixture(scope="module")
def convert():
    return make_converter()


@pytest.mark.parametrize(
    ("text", "simplified"),
    [
        ("我沒事。", "我没事。"),
        ("如果一個人在這裡", "如果一个人在这里"),
        ("她穿著舞鞋。", "她穿着舞鞋。"),
        ("他是一位著名的作曲家，有很多著作。", "他是一位著名的作曲家，有很多著作。"),
        ("這意味著作一個醫生。", "这意味着作一个医生。"),
        ("有了显著的进步", "有了显著的进步"),
        ("真奇怪，不是么？", "真奇怪，不是么？"),
        ("這是甚麼？", "这是什么？"),
        ("乾杯!", "干杯！"),
        ("看過了, 但是沒看到.", "看过了，但是没看到。"),
        ("你愿意等吗 ?", "你愿意等吗？"),
        ("我会注意听。 说吧。", "我会注意听。说吧。"),
        ("我要搭10:30的火车, 10,000日元。", "我要搭10:30的火车，10,000日元。"),
        ("他是一个 DJ 。", "他是一个 DJ。"),
        ("「你幾歲？」", "“你几岁？”"),
        ("請\u200b\u200b借我。", "请借我。"),
        ("Wi-Fi, OK?", "Wi-Fi, OK?"),
        ("好...", "好..."),
    ],
)
def test_chinese_becomes_simplified(convert, text, simplified):
    assert convert(text) == simplified
    assert convert(simplified) == simplified


def test_broken_and_repeated_pairs_are_dropped(convert):
    received = clean_pairs(
        [("Hi.", "你們好"), ("Hi.", "你们好"), ("Hi.", "嗨"), (" ", "嗨"), ("Yes.", "\u200b ")], convert
    )
    assert received == [("Hi.", "你们好"), ("Hi.", "嗨")]


def test_missing_opencc_is_a_clear_error_that_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "opencc", None)
    with pytest.raises(DataError, match=r"required the package OpenCC.*\n.*pip install 'llmcourse\[chinese\]'"):
        load_pairs("tatoeba-cmn")


@needs_data
def test_real_pairs_have_the_promised_sizes(pairs):
    assert (pairs.name, pairs.source_language, pairs.target_language) == ("tatoeba-cmn", "en", "zh")
    assert (len(pairs.train), len(pairs.validation), len(pairs.test)) == (19_516, 500, 1_000)
    assert pairs.combinations is None


@needs_data
def test_real_splits_share_no_sentence_in_either_language(pairs):
    for side in ("sources", "targets"):
        keys = [{sentence_key(text) for text in getattr(split, side)} for split in (pairs.train, pairs.validation)]
        held_out = {sentence_key(text) for text in getattr(pairs.test, side)}
        assert not held_out & (keys[0] | keys[1])
        assert not keys[0] & keys[1]
    assert len({sentence_key(source) for source in pairs.test.sources}) == 1_000


@needs_data
def test_real_splits_are_the_same_for_ever(pairs):
    for name, expected in SHA256.items():
        split = getattr(pairs, name)
        lines = "".join(f"{source}\t{target}\n" for source, target in zip(split.sources, split.targets, strict=True))
        assert hashlib.sha256(lines.encode("utf-8")).hexdigest() == expected, name


@needs_data
def test_real_targets_hold_hardly_any_traditional_character(pairs):
    import opencc

    targets = [*pairs.train.targets, *pairs.validation.targets, *pairs.test.targets]
    simplify = opencc.OpenCC("t2s").convert
    assert [text for text in targets if simplify(text) != text] == []
    foreign = [text for text in targets if any(not _is_in_gb2312(letter) for letter in text)]
    assert len(foreign) <= 30  # typing mistakes in the source, such as Japanese forms
    assert all(source and target for source, target in zip(pairs.train.sources, pairs.train.targets, strict=True))


def _is_in_gb2312(letter: str) -> bool:
    try:
        letter.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
