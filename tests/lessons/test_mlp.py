"""The numbers in the text of the lesson `mlp` are those of its outputs."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def notebook(executed):
    return executed("mlp")


def test_ten_means_know_four_of_five_digits(notebook):
    assert "Four of five digits, without any learning" in notebook.prose
    assert notebook.shown(r"share of test digits recognised: (\S+)") == pytest.approx(4 / 5, abs=0.02)


def test_a_network_that_knows_nothing_loses_a_little_more_than_log_10(notebook):
    assert notebook.said(r"about \$\\log 10 \\approx (\S+)\$ if") == pytest.approx(np.log(10), abs=0.005)
    assert np.log(10) < notebook.shown(r"\nloss (\S+), and log\(10\)") < np.log(10) + 0.3
    assert notebook.shown(r"digits that it knows: (\S+)") == pytest.approx(0.1, abs=0.05)


@pytest.mark.parametrize("factor", [0.7, 1.5])
def test_ten_layers_shrink_or_grow_a_signal_by_the_power(notebook, factor):
    said = notebook.said(rf"\${factor}\^\{{10\}} \\approx (\d+\.?\d*)\$")
    assert said == pytest.approx(factor**10, rel=0.1)
    first = notebook.shown(rf"{factor} times: from (\S+) at layer 1")
    last = notebook.shown(rf"{factor} times: from \S+ at layer 1 to (\S+) at layer 10")
    assert first == pytest.approx(factor, rel=0.1)
    assert last == pytest.approx(said, rel=0.35)


def test_chance_has_a_hand_in_the_last_layer(notebook):
    shown = notebook.shown(r"1\.5 times: from \S+ at layer 1 to (\d+) at layer 10")
    assert notebook.said(r"The plot shows (\d+), since chance") == shown


def test_the_parameters_are_counted_rightly(notebook):
    assert notebook.said(r"\{,\}290 = (101)\{,\}770") * 1000 + 770 == 784 * 128 + 128 + 128 * 10 + 10
