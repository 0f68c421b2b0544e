from collections.abc import Callable

import numpy as np
import pytest

from llmcourse.plots import (
    Picture,
    attention_lookup,
    attention_maps,
    mask_grids,
    multi_head_graph,
    positional_codes,
    relative_cost,
    softmax_widths,
)

WEIGHTS = np.array([[0.7, 0.1, 0.2], [0.25, 0.25, 0.5]])
WIDTHS = np.array([[0.9, 0.07, 0.03], [0.99, 0.01, 0.0]]), np.array([[0.5, 0.3, 0.2], [0.52, 0.28, 0.2]])


def codes(length: int, width: int) -> np.ndarray:
    angles = np.arange(length)[:, None] / 10000 ** (np.arange(0, width, 2) / width)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, width)


def lookup() -> Picture:
    return attention_lookup(["a", "b"], np.array([2.0, -1.0]), np.array([0.75, 0.25]), np.array([8.0, -4.0]), 5.0)


PICTURES = {
    "lookup": lookup,
    "heads": multi_head_graph,
    "widths": lambda: softmax_widths([4, 64], *WIDTHS),
    "maps": lambda: attention_maps(
        {"one": WEIGHTS, "two": WEIGHTS}, ["a?", "b?"], ["cherry", "banana", "c"], title="Two"
    ),
    "masks": lambda: mask_grids({"causal": np.tri(3, dtype=bool)}, ["the", "cat", "sat"], ["the", "cat", "sat"]),
    "codes": lambda: positional_codes(codes(24, 6), title="Codes"),
    "cost": lambda: relative_cost([128, 256, 512], np.array([1.0, 3.0, 11.0])),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_readable_and_the_same_twice(name: str, expect_readable: Callable[[Picture], None]) -> None:
    picture = PICTURES[name]()
    expect_readable(picture)
    assert picture.to_png() == PICTURES[name]().to_png()


def test_the_lookup_says_what_each_entry_contributes() -> None:
    alt = lookup().alt
    assert "a with score 2, weight 0.75 and value 8, b with score −1, weight 0.25 and value −4." in alt
    assert alt.endswith("The output is 5.")


def test_the_graph_of_the_heads_writes_every_shape() -> None:
    words = [text.get_text() for text in multi_head_graph().figure.axes[0].texts]
    for shape, times in (
        *(("(B, T, D)", 2), ("(B, S, D)", 2), ("(D, H, K)", 3), ("(B, T, H·K)", 2), ("(B, S, H·K)", 2)),
        *(("(B, H, T, K)", 2), ("(B, H, S, K)", 2), ("(H, K, D)", 1), ("weights   (B, H, T, S)", 1)),
    ):
        assert words.count(shape) == times, shape


def test_softmax_widths_name_the_largest_weights() -> None:
    assert "K = 4: 0.90 without, 0.50 with; K = 64: 0.99 without, 0.52 with." in PICTURES["widths"]().alt


def test_maps_say_where_each_query_looks_most() -> None:
    picture = attention_maps({"first": WEIGHTS, "second": WEIGHTS[:, ::-1]}, ["a?", "b?"], ["a", "b", "c"])
    assert "first: the largest weight of a? is on a; b? on c." in picture.alt
    assert "second: the largest weight of a? is on c; b? on a." in picture.alt


def test_masks_are_filled_where_they_allow() -> None:
    picture = mask_grids({"both": np.array([[1, 0], [1, 1]], dtype=bool)}, ["a", "b"], ["a", "b"])
    assert picture.alt.endswith("both: the rows allow 1, 2 keys.")
    crosses = [text.get_position() for text in picture.figure.axes[0].texts]
    assert crosses == [(1, 0)]  # column 1 of row 0


def test_the_curves_of_three_positions_lie_on_one_another() -> None:
    picture = positional_codes(codes(24, 6))
    assert "The dot product of two codes is 3 at distance 0" in picture.alt
    found: dict[int, float] = {}
    for line in picture.figure.axes[1].lines:
        for distance, product in zip(*line.get_data(), strict=True):
            assert found.setdefault(int(distance), float(product)) == pytest.approx(product)


def test_the_words_about_cost_do_not_depend_on_the_machine() -> None:
    assert relative_cost([128, 256], np.array([1.0, 3.0])).alt == relative_cost([128, 256], np.array([2.0, 5.0])).alt


@pytest.mark.parametrize(
    "draw",
    [
        lambda: attention_lookup(["a"], np.zeros(2), np.zeros(2), np.zeros(2), 0.0),
        lambda: softmax_widths([4], *WIDTHS),
        lambda: attention_maps({}, ["a"], ["a"]),
        lambda: attention_maps({"transposed": WEIGHTS.T}, ["a", "b"], ["a", "b", "c"]),
        lambda: mask_grids({}, ["a"], ["a"]),
        lambda: mask_grids({"wide": np.ones((2, 3), bool)}, ["a"], ["a", "b", "c"]),
        lambda: positional_codes(np.zeros(5)),
        lambda: relative_cost([128, 256], np.array([1.0])),
        lambda: relative_cost([128, 256], np.array([1.0, 0.0])),
    ],
)
def test_wrong_shapes_are_refused(draw: Callable[[], Picture]) -> None:
    with pytest.raises(ValueError, match="Received: "):
        draw()
