import doctest
from collections.abc import Callable

import numpy as np
import pytest

from llmcourse.decoding import END, START
from llmcourse.plots import Picture, decoding
from llmcourse.plots.decoding import beam_tree, bleu_by_beam_size, token_times

WORDS = ["PAD", "UNK", "START", "END", "the", "a", "dog", "barks"]


def search_steps(beam_size: int = 2, length: int = 4) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Three steps of a search in a model that is drawn by chance."""
    rng, steps = np.random.default_rng(7), []
    prefixes, totals = np.array([[START]]), np.zeros(1)
    for _ in range(length):
        logits = rng.normal(scale=2, size=(len(prefixes), len(WORDS)))
        logits[:, :3] = -np.inf
        candidates = totals[:, None] + logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        kept = candidates >= np.sort(candidates.ravel())[-beam_size]
        steps.append((prefixes, candidates, kept))
        rows, tokens = np.nonzero(kept)
        prefixes, totals = np.column_stack([prefixes[rows], tokens]), candidates[rows, tokens]
        prefixes, totals = prefixes[tokens != END], totals[tokens != END]
    return steps


def texts(picture: Picture) -> list[str]:
    return [text.get_text() for text in picture.figure.axes[0].texts]


def test_the_examples_of_the_docstrings_are_right() -> None:
    assert doctest.testmod(decoding, extraglobs={"np": np}).failed == 0


@pytest.mark.parametrize(
    "draw",
    [
        lambda: beam_tree(search_steps(), WORDS, best=[5, 4], title="Greedy search would have missed it"),
        lambda: beam_tree(search_steps(3, 5), WORDS, shown=4),
        lambda: beam_tree(search_steps(1, 1), WORDS, shown=0),
        lambda: token_times({"with cache": np.full(23, 2.0), "without cache": 2 + np.arange(23) / 3}),
        lambda: bleu_by_beam_size(
            [1, 2, 4, 8, 16], {"alpha 0": [30, 31, 31.5, 30, 28], "alpha 1": [30, 32, 33, 33, 32]}
        ),
    ],
)
def test_figures_are_readable_and_the_same_twice(
    draw: Callable[[], Picture], expect_readable: Callable[[Picture], None]
) -> None:
    picture = draw()
    expect_readable(picture)
    assert picture.to_png() == draw().to_png()


def test_the_tree_draws_what_was_kept_and_the_best_of_what_was_dropped() -> None:
    steps = search_steps()
    for shown in (0, 2):
        words = texts(beam_tree(steps, WORDS, shown=shown))
        boxes = [word for word in words if word in WORDS and word != "START"]
        assert len(boxes) == sum(int(kept.sum()) for _, _, kept in steps) + shown * len(steps)
    _, candidates, kept = steps[0]
    highest = np.exp(np.where(kept, -np.inf, candidates).max())
    assert f"{highest:.2g}" in beam_tree(steps, WORDS, shown=1).alt.split("Step 2")[0].split("drops")[1]


def test_the_tree_is_told_in_words() -> None:
    first = (np.array([[2]]), np.log([[0.01, 0.01, 0.01, 0.07, 0.5, 0.3, 0.05, 0.05]]), np.arange(8)[None] // 2 == 2)
    second = np.log(np.full((2, 8), 1e-3))
    second[0, 6], second[1, 7], second[1, 3] = np.log([0.2, 0.28, 0.1])
    kept = np.zeros((2, 8), dtype=bool)
    kept[0, 6] = kept[1, 7] = True
    picture = beam_tree([first, (np.array([[2, 4], [2, 5]]), second, kept)], WORDS, best=[5, 7], shown=1)
    assert picture.alt == (
        "Tree of a beam search. Step 1 keeps the (0.5), a (0.3); it drops END (0.07). "
        "Step 2 keeps a barks (0.28), the dog (0.2); it drops a END (0.1). Chosen: a barks."
    )


def test_a_tree_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        beam_tree([], WORDS)
    with pytest.raises(ValueError, match=r"candidates must have the shape \(1, 7\)"):
        beam_tree(search_steps(), WORDS[1:])


def test_measured_times_stay_out_of_the_words() -> None:
    alt = token_times({"with cache": [2.1, 2.2, 2.3], "without": [2.1, 4.2, 6.3]}).alt
    assert alt.endswith("token 1 to 3: with cache; without.") and "." not in alt[:-1]


@pytest.mark.parametrize(
    ("sizes", "scores", "message"),
    [
        ([1, 2], {}, "1 to 6 lines"),
        ([2, 1], {"a": [1, 2]}, "must rise from 1"),
        ([0, 1], {"a": [1, 2]}, "must rise from 1"),
        ([1, 2, 4], {"a": [1, 2]}, r"must have the shape \(3,\)"),
    ],
)
def test_scores_that_do_not_fit_are_refused(sizes: list[int], scores: dict[str, list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bleu_by_beam_size(sizes, scores)
