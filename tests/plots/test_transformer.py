from collections.abc import Callable

import pytest

from llmcourse.plots import Picture, target_shift, transformer_graph

SENTENCE = ["START", "the", "cat", "sleeps", "END"]


@pytest.mark.parametrize("draw", [transformer_graph, lambda: target_shift(SENTENCE), lambda: target_shift(["a", "b"])])
def test_diagrams_are_readable_and_the_same_twice(
    draw: Callable[[], Picture], expect_readable: Callable[[Picture], None]
) -> None:
    picture = draw()
    expect_readable(picture)
    assert picture.to_png() == draw().to_png()


def test_the_graph_writes_the_shape_at_every_arrow() -> None:
    words = [text.get_text() for text in transformer_graph().figure.axes[0].texts]
    # ids; embedding; sum with the positions; in each sub-layer: norm, sum and short cut; memory, keys and values
    assert sum("(B, S, D)" in word for word in words) == 2 + 2 * 3 + 2
    assert sum("(B, T, D)" in word for word in words) == 2 + 3 * 3 + 1
    for shape, times in (("(B, S)", 1), ("(B, T)", 1), ("(B, T, V)", 1), ("(S, D)", 1), ("(T, D)", 1)):
        assert words.count(shape) == times, shape


def test_the_graph_says_which_attention_gets_which_mask() -> None:
    alt = transformer_graph().alt
    assert "masked self-attention with mask (B, 1, T, T)" in alt
    assert "cross-attention with mask (B, 1, 1, S), whose queries come from the decoder" in alt
    words = [text.get_text() for text in transformer_graph().figure.axes[0].texts]
    assert words.count("mask  (B, 1, 1, S)") == 2 and words.count("mask  (B, 1, T, T)") == 1
    assert words.count("+") == 7  # two entrances, two sums in the encoder layer and three in the decoder layer


def test_inputs_and_targets_are_one_place_apart() -> None:
    picture = target_shift(SENTENCE)
    words = [text.get_text() for text in picture.figure.axes[0].texts if text.get_text() in SENTENCE]
    assert words == [*SENTENCE[:-1], *SENTENCE[1:]]
    assert "START is answered by the; the is answered by cat; cat is answered by sleeps" in picture.alt


def test_one_token_cannot_be_shifted() -> None:
    with pytest.raises(ValueError, match=r"at least two tokens. Received: \['START'\]"):
        target_shift(["START"])
