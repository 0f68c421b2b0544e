from collections.abc import Callable

import numpy as np
import pytest

from llmcourse.plots import Picture, ngram_matches, token_distributions
from llmcourse.plots.picture import GREEN

HYPOTHESIS, REFERENCE = (
    "the train leaves the airport at half past six",
    "the train to the airport leaves at half past six",
)
SHARES = {"cold": np.array([0.9, 0.1, 0.0]), "warm": np.array([0.2, 0.3, 0.5])}

PICTURES = {
    "matches": lambda: ngram_matches(HYPOTHESIS, REFERENCE),
    "short": lambda: ngram_matches("a b", "b a", max_n=1),
    "distributions": lambda: token_distributions(["sorry", "sad", "late"], SHARES, title="Cold and warm"),
    "four": lambda: token_distributions(
        list("abcdefg"), {f"temperature {place}": np.full(7, 1 / 7) for place in range(4)}
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_readable_and_the_same_twice(name: str, expect_readable: Callable[[Picture], None]) -> None:
    picture = PICTURES[name]()
    expect_readable(picture)
    assert picture.to_png() == PICTURES[name]().to_png()


def test_matches_are_counted_for_each_length() -> None:
    picture = ngram_matches(HYPOTHESIS, REFERENCE)
    assert "Found are 9 of 9 tokens, 5 of 8 runs of 2, 2 of 7 runs of 3 and 1 of 6 runs of 4." in picture.alt
    from matplotlib.colors import to_rgba

    green = [patch for patch in picture.figure.axes[0].patches if patch.get_facecolor() == to_rgba(GREEN)]
    assert len(green) == 9 + 5 + 2 + 1


def test_a_repeated_word_counts_only_as_often_as_the_reference_has_it() -> None:
    assert "Found are 2 of 4 tokens." in ngram_matches("the the the the", "the train to the airport", max_n=1).alt


def test_distributions_name_the_most_likely_token() -> None:
    alt = PICTURES["distributions"]().alt
    assert "cold: the most likely is sorry with 0.9, and 2 of 3 are possible." in alt
    assert "warm: the most likely is late with 0.5, and 3 of 3 are possible." in alt


@pytest.mark.parametrize(
    "draw",
    [
        lambda: ngram_matches("a b", "a b", max_n=3),
        lambda: ngram_matches("a b", "a b", max_n=0),
        lambda: token_distributions(["a"], {}),
        lambda: token_distributions(["a"], SHARES),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw: Callable[[], Picture]) -> None:
    with pytest.raises(ValueError, match="Received: "):
        draw()
