import numpy as np
import pytest

from llmcourse.training.averaging import EVERY, Averaging, mix


def test_the_average_over_steps_forgets_the_beginning_and_then_reaches_over_so_many_steps():
    shares = [Averaging(steps=200).share_after_steps(steps, EVERY) for steps in range(0, 2000, EVERY)]
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert shares[-1] == 1 - EVERY / 200


def test_an_average_over_fewer_steps_than_lie_between_two_moves_is_the_last_weights():
    assert Averaging(steps=3).share_after_steps(1000, EVERY) == 0


@pytest.mark.parametrize(("count", "epochs"), [(1, 5), (3, 5), (5, 5), (7, 5)])
def test_the_average_over_epochs_is_the_mean_over_the_last_ones(count, epochs):
    values = np.array([2.0, 3.0, 5.0, 7.0, 11.0])
    average = np.array(99.0)
    for epoch, value in enumerate(values, start=1):
        [average] = mix([average], [value], Averaging(epochs=count).share_after_epoch(epoch, epochs))
    assert average == pytest.approx(values[-min(count, epochs) :].mean())


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"epochs": 0}, {"steps": 2, "epochs": 3}])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match="Received: "):
        Averaging(**wrong)
