"""The numbers in the text of the lesson `transformer` are those of its outputs."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def notebook(executed):
    return executed("transformer")


def test_the_first_loss_is_a_little_above_the_logarithm_of_the_vocabulary(notebook):
    assert notebook.said(r"\\ln 17 \\approx (\S+)\$") == pytest.approx(np.log(17), abs=0.005)
    first = notebook.shown(r"first loss (\S+), ln")
    assert np.log(17) < first < np.log(17) + 1.5
    assert notebook.shown(r"after 250 steps (\S+)") < 0.05
    assert notebook.shown(r"written exactly right: (\S+)") == 1.0


def test_a_copier_scores_by_tokens_what_it_does_not_score_by_sentences(notebook):
    sentences = notebook.shown(r"reverse .*copier (\S+)% of sentences")
    tokens = notebook.shown(r"reverse .*copier \S+% of sentences, (\S+)% of tokens")
    assert sentences < 5 < 20 < tokens
    assert notebook.said(r"0\.99\^9 \\approx (\d+)\$") == pytest.approx(100 * 0.99**9, abs=0.5)


def test_short_cuts_keep_the_gradient_alive(notebook):
    assert notebook.shown(r"without: from (\S+) at layer") < 1e-3
