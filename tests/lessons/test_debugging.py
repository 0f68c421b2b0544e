"""What the text of the lesson `debugging` says is true of its outputs."""

import pytest


@pytest.fixture(scope="module")
def notebook(executed):
    return executed("debugging")


def test_only_the_healthy_model_writes_right_answers(notebook):
    assert notebook.shown(r"healthy +last loss \S+ +right answers +(\d+)%") > 90
    for name in ("no causal mask", "no shift"):
        assert notebook.shown(name + r" +last loss \S+ +right answers +(\d+)%") == 0


def test_the_curve_of_the_leak_is_like_the_healthy_one_and_without_a_shift_it_is_the_best(notebook):
    healthy, leak, no_shift = (
        notebook.shown(name + r" +last loss (\S+)") for name in ("healthy", "no causal mask", "no shift")
    )
    assert no_shift < min(healthy, leak)
    assert max(healthy, leak) < 0.2
