import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcourse.training import schedules
from llmcourse.training.schedules import one_cycle


def test_examples_in_the_docstrings():
    assert doctest.testmod(schedules).failed == 0


@given(st.integers(1, 200), st.floats(1e-4, 10), st.floats(0.05, 0.95))
def test_the_rate_rises_to_the_peak_once_and_falls(steps, peak, warmup):
    rates = one_cycle(steps, peak, warmup)
    assert rates.shape == (steps,)
    assert rates.dtype == np.float32
    assert (rates > 0).all()
    assert rates.max() <= np.float32(peak) * 1.0001
    top = int(rates.argmax())
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) < 0).all()
    assert abs(top + 1 - warmup * steps) <= 1


def test_the_area_under_the_triangle_is_half_the_peak_per_step():
    np.testing.assert_allclose(one_cycle(1000, 0.02).mean(), 0.01, rtol=0.01)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"peak": 0}, {"peak": float("nan")}, {"warmup": 0}, {"warmup": 1}])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match="Received: "):
        one_cycle(**{"steps": 5, "peak": 1.0, "warmup": 0.3} | wrong)
