"""The numbers in the text of the lesson `attention` are those of its outputs."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def notebook(executed):
    return executed("attention")


def test_the_price_of_something_sweet(notebook):
    scores = np.array([3.0, 1.0, -1.0, -3.0])
    weights = np.exp(scores) / np.exp(scores).sum()
    assert notebook.said(r"0.00 \\cdot 9 \\approx (\S+)\$") == pytest.approx(weights @ [8, 2, 4, 9], abs=0.05)
    assert notebook.said(r"The first answer is (\S+) and not") == notebook.shown(r"prices: \['(\S+)',")
    sure = np.exp(-20.0) + np.exp(-40.0) + np.exp(-60.0)
    assert notebook.said(r"gives the cherry (0.9\d+)") == pytest.approx(1 / (1 + sure), abs=1e-9)


def test_was_takes_most_from_cat(notebook):
    cat, mice = notebook.shown(r"'cat' the weight (\S+) and"), notebook.shown(r"and 'mice' (\S+)")
    assert "*was* takes most of what it gets from *cat*" in notebook.prose
    assert cat > 0.5 > 0.1 > mice


def test_one_head_answers_one_question_and_two_heads_both(notebook):
    assert "One head answers one of the two questions perfectly, and guesses the other" in notebook.prose
    assert "heads: 1   one question at least 99 %: True   the other by chance: True" in notebook.output
    assert "heads: 2   one question at least 99 %: True   the other by chance: False" in notebook.output


def test_a_layer_of_the_papers_size_has_a_million_parameters(notebook):
    d, h, k = 512, 8, 64
    assert notebook.said(r"= 1\{,\}050\{,\}(\d+)\$") == (4 * d * h * k + 3 * h * k + d) % 1000
