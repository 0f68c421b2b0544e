"""The numbers in the text of the lesson `translation` are those of its outputs."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def notebook(executed):
    return executed("translation")


def test_the_floor_of_the_smoothed_loss(notebook):
    size = int(notebook.shown(r"epsilon 0\.1 and (\S+) tokens"))
    right = 0.9 + 0.1 / size
    floor = -(right * np.log(right) + (size - 1) * 0.1 / size * np.log(0.1 / size))
    assert notebook.shown(r"tokens: (\d\.\d+)\n") == pytest.approx(floor, abs=0.005)


def test_more_than_95_percent_of_the_combinations(notebook):
    assert "More than 95 % of the held-out combinations" in notebook.prose
    combinations = notebook.shown(r"held-out combinations: (\S+)% exactly right")
    assert combinations > 95
    assert "the combinations were no harder than sentences held out at random" in notebook.prose
    assert combinations > notebook.shown(r"held out at random: (\S+)% exactly right") - 1


@pytest.mark.parametrize(("share", "said"), [(0.99, "89"), (0.95, "54")])
def test_a_sentence_of_twelve_tokens(notebook, share, said):
    assert notebook.said(rf"{share}\^\{{12\}} \\approx (\d+)\$") == float(said) == round(100 * share**12)
