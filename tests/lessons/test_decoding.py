"""The numbers in the text of the lesson `decoding` are those of its outputs."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def notebook(executed):
    return executed("decoding")


def test_the_likeliest_sentence_is_four_times_as_likely_as_greedys(notebook):
    greedy, best = notebook.said(r'"It hurts me", with probability (\S+)\. And'), 0.4 * 0.9 * 0.9 * 0.9
    assert notebook.shown(r"it hurts me\s+probability (0\.072)") == greedy
    assert notebook.said(r"together \*\*(\S+)\*\*, four times") == pytest.approx(best, abs=0.005)
    assert best / greedy == pytest.approx(4, abs=0.1)


def test_the_cache_saves_time_and_changes_no_token(notebook):
    passed = {
        way: notebook.shown(rf"go through the decoder: {way}") for way in (r"(\d+) with", r"\d+ with a cache, (\d+)")
    }
    length, again = passed.values()
    assert again == sum(range(1, int(length) + 1))
    half = int(length) // 2
    ratio = sum(range(half + 1, 2 * half + 1)) / sum(range(1, half + 1))
    assert notebook.said(r"second half would take (\S+) times as long") == pytest.approx(ratio, abs=0.05)
    assert notebook.shown(r"with a cache it is (\S+) times as fast") > 1.2
    assert "the same without a cache: True" in notebook.output
    assert "the same as the package writes: True" in notebook.output


def test_sentences_at_three_temperatures(notebook):
    assert notebook.shown(r"I am sorry\s+\S+\s+\S+\s+(0\.\d+)\s") == pytest.approx(0.29, abs=0.005)
    assert notebook.said(r"sorry\* in (\d+) % of all draws") == 29
    hot = r"\s+\S+\s+\S+\s+\S+\s+(\S+)"
    assert notebook.shown(r"\nsorry" + hot) > 5 * notebook.shown(r"\nit does me sorry" + hot)
    assert "comes seven times as often as" in notebook.prose
    cold = (
        notebook.shown(r"it hurts me\s+(\S+)\s+\S+\s+\S+\s+\S+\s+at temperature"),
        notebook.shown(r"I am sorry\s+(\S+)\s+\S+\s+\S+\s+\S+\s+at temperature"),
    )
    assert cold[0] / cold[1] == pytest.approx(7, abs=0.5)


def test_some_beginnings_have_no_end(notebook):
    total, ended = (
        notebook.shown(rf"beginnings of at most 6 tokens: {part}") for part in (r"(\d+),", r"\d+, of which (\d+)")
    )
    assert ended < total


def test_bleu_of_the_train(notebook):
    precisions = [1, 5 / 8, 2 / 7, 1 / 6]
    mean = float(np.prod(precisions)) ** 0.25
    assert notebook.said(r"\)\^\{1/4\} = (0\.\d+)\$; nine tokens") == pytest.approx(mean, abs=0.0005)
    assert notebook.said(r"BLEU is (\d+\.\d)\. \(") == pytest.approx(100 * np.exp(1 - 10 / 9) * mean, abs=0.05)


def test_a_difference_of_searches_on_150_sentences_may_be_luck(notebook):
    low = notebook.shown(r"differences lie between (\S+) and")
    high = notebook.shown(r"differences lie between \S+ and (\S+) points")
    assert low < high
    assert "differ by about a point of BLEU" in notebook.prose
    greedy, beam = (notebook.shown(rf"alpha = 1: {size}") for size in (r"(\S+),", r"\S+, \S+, (\S+),"))
    assert beam - greedy == pytest.approx(1, abs=0.5)
