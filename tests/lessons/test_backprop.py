"""The numbers in the text of the lesson `backprop` are those of its outputs."""

import re

import pytest


@pytest.fixture(scope="module")
def notebook(executed):
    return executed("backprop")


def test_the_numeric_example_is_what_the_values_give(notebook):
    assert notebook.said(r"we found \$J = (\S+?)\$") == notebook.shown(r"J: (\S+)") == 0.25
    assert notebook.said(r"\\partial w_2 = (\d)\$, \$\\partial J/\\partial w_1") == notebook.shown(r"by w2: (\S+)")
    assert notebook.said(r"w_2 = \d\$, \$\\partial J/\\partial w_1 = (\d)\$") == notebook.shown(r"by w1: (\S+)")


def test_momentum_comes_ten_thousand_times_closer(notebook):
    assert "ten thousand times closer" in notebook.prose
    plain = notebook.shown(r"lr 0.095, momentum 0.0: after 40 steps (\S+)")
    heavy = notebook.shown(r"lr 0.095, momentum 0.5: after 40 steps (\S+)")
    assert plain / heavy == pytest.approx(1e4, rel=0.3)
    assert notebook.shown(r"lr 0.11, momentum 0.0: after 40 steps (\S+)") > 100


def test_the_best_rate_lies_before_the_edge(notebook):
    assert notebook.shown(r"the best of them: (\S+)") in (0.1, 0.3)


def test_too_large_a_rate_jumps_up_and_hardly_comes_down(notebook):
    highest = notebook.shown(r"rate   3\.0: at first \S+ at most +(\S+),")
    assert notebook.said(r"it first jumps up, at 3\.0 to above (\d+),") < highest < 100
    assert notebook.shown(r"rate   3\.0: at first (\S+), at most") == pytest.approx(2.4, abs=0.05)
    assert re.search(r"rate   3\.0: .* after forty steps above 1\.5\n", notebook.output)


def test_too_small_a_rate_falls_too_slowly(notebook):
    assert re.search(r"rate 0\.001: .* after forty steps above 1\.5\n", notebook.output)
    assert re.search(r"rate   0\.3: .* after forty steps below 1\n", notebook.output)


def test_nineteen_of_twenty_digits(notebook):
    assert "about nineteen of twenty" in notebook.prose
    assert notebook.shown(r"samples in 10 classes: accuracy (\S+)\.") == pytest.approx(0.95, abs=0.01)


def test_a_hundred_digits_are_learned_by_heart(notebook):
    assert "after a few epochs the test loss *rises*" in notebook.prose
    lowest = notebook.shown(r"1,000 test digits: .*lowest (\S+) at epoch")
    assert lowest < notebook.shown(r"1,000 test digits: from \S+ at epoch 1 to (\S+) at epoch 40")
    assert "all 100 training digits right: True" in notebook.output
