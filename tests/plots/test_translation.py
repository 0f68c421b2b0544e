from collections.abc import Callable

import numpy as np
import pytest

from llmcourse.plots import Picture, chinese_font, cross_attention, token_table

ROWS = [["we", "see", "it", "END"], ["you", "sleep", "END", "PAD"], ["who", "END", "PAD", "PAD"]]
WEIGHTS = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])

PICTURES = {
    "table": lambda: token_table(ROWS, title="A batch"),
    "plain table": lambda: token_table(ROWS),
    "long words": lambda: token_table([["Geburtstagskuchen", "END"], ["ja", "END"]], title="Two sentences of one word"),
    "attention": lambda: cross_attention({"": WEIGHTS}, ["ein", " Hund"], ["a", " dog", "END"], title="Two rows"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_readable_and_the_same_twice(name: str, expect_readable: Callable[[Picture], None]) -> None:
    picture = PICTURES[name]()
    expect_readable(picture)
    assert picture.to_png() == PICTURES[name]().to_png()


def test_a_table_counts_its_padding() -> None:
    assert PICTURES["table"]().alt.startswith("A batch of 3 sentences, 4 tokens wide: we see it END; you sleep END PAD")
    assert PICTURES["table"]().alt.endswith("Padding fills 3 of 12 places.")


@pytest.mark.parametrize("rows", [[], [[]], [["a", "END"], ["END"]]])
def test_a_table_needs_rows_of_one_length(rows: list[list[str]]) -> None:
    with pytest.raises(ValueError, match=r"rows of one length.*Received"):
        token_table(rows)


def test_tokens_lose_the_space_before_them_and_a_space_alone_is_shown() -> None:
    assert "ein is on dog; ␣ on a" in cross_attention({"": np.eye(2)[::-1]}, ["ein", " "], ["a", " dog"]).alt


def test_weights_must_fit_the_tokens() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 2\).*Received.*\(2, 3\)"):
        cross_attention({"": WEIGHTS}, ["ein", "Hund"], ["a", "dog"])


def test_no_font_is_found_where_none_has_the_characters() -> None:
    assert chinese_font(candidates=["DejaVu Sans"]) is None  # it is there, without Chinese
    assert chinese_font("abc", candidates=["no such font", "DejaVu Sans"]) == "DejaVu Sans"


def test_a_missing_font_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmcourse.plots.translation.CHINESE_FONTS", ())
    monkeypatch.setattr("llmcourse.plots.translation.chinese_font", lambda text: None)
    with pytest.raises(ValueError, match="font that has the characters.*Received: none with 我狗"):
        cross_attention({"": np.eye(2)}, ["我", "狗"], ["I", "dog"])


@pytest.mark.skipif(chinese_font() is None, reason="no font with Chinese characters is installed")
def test_chinese_tokens_are_drawn_without_a_warning(expect_readable: Callable[[Picture], None]) -> None:
    picture = cross_attention({"layer 1": WEIGHTS, "layer 2": WEIGHTS}, ["我妈妈", "没有"], ["My", " mother", "not"])
    expect_readable(picture)
    assert picture.to_png()  # warnings are errors in tests: a missing glyph would be one
    assert "我妈妈 is on My; 没有 on not" in picture.alt
