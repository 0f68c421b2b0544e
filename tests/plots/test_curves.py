from collections.abc import Callable

import numpy as np
import pytest

from llmcourse.plots import Picture, learning_curves, learning_rates

NAN, INF = float("nan"), float("inf")


def test_curves_are_described_with_start_end_and_lowest_value(expect_readable: Callable[[Picture], None]) -> None:
    picture = learning_curves(
        {"training": [2.31, 0.9, 0.4, 0.2, 0.101], "validation": [1.9, 0.8, 0.55, 0.61, 0.7]}, mark_lowest=True
    )
    assert picture.alt == (
        "Loss against epoch. training: from 2.3 at epoch 1 to 0.1 at epoch 5. "
        "validation: from 1.9 at epoch 1 to 0.7 at epoch 5, lowest 0.55 at epoch 3."
    )
    assert [text.get_text() for text in picture.figure.axes[0].texts] == ["lowest: 0.55", "training", "validation"]
    expect_readable(picture)


def test_labels_of_lines_that_end_together_are_pushed_apart(expect_readable: Callable[[Picture], None]) -> None:
    expect_readable(learning_curves({f"run {index}": [2.0, 1.0 + index / 1000] for index in range(6)}))


def test_more_than_six_curves_get_a_legend(expect_readable: Callable[[Picture], None]) -> None:
    picture = learning_curves({f"run {index}": [2.0, index] for index in range(7)})
    assert [text.get_text() for text in picture.figure.axes[0].get_legend().get_texts()][-1] == "run 6"
    expect_readable(picture)


@pytest.mark.parametrize("logy", [False, True])
@pytest.mark.parametrize("tail", [[NAN, NAN], [1e300, INF], [INF, NAN]])
def test_a_diverged_run_is_cut_and_marked(
    tail: list[float], logy: bool, expect_readable: Callable[[Picture], None]
) -> None:
    picture = learning_curves({"right": [2.0, 0.5, 0.3, 0.2], "too large": [2.1, 3.0, *tail]}, logy=logy)
    step = 3 + (tail[0] == 1e300)
    assert picture.alt.endswith(f"too large: diverged at epoch {step}.")
    axes = picture.figure.axes[0]
    assert "too large (diverged)" in [text.get_text() for text in axes.texts]
    assert axes.get_ylim()[1] < 10
    assert all(np.max(line.get_ydata()) <= axes.get_ylim()[1] for line in axes.lines)
    expect_readable(picture)


def test_a_run_above_the_ceiling_has_diverged_but_a_rising_measure_has_not() -> None:
    assert learning_curves({"run": [2.0, 50.0, 2.3]}, ceiling=10).alt.endswith("run: diverged at epoch 2.")
    assert learning_curves({"run": [0.01, 0.98]}, ylabel="accuracy").alt == (
        "Accuracy against epoch. run: from 0.01 at epoch 1 to 0.98 at epoch 2."
    )


def test_the_crossing_lies_on_the_line_also_with_a_logarithmic_axis() -> None:
    axes = learning_curves({"right": [1.0, 0.5], "lost": [1.0, 1e4, NAN]}, logy=True).figure.axes[0]
    line = next(line for line in axes.lines if line.get_label() == "lost")
    x, high = line.get_xdata()[-1], axes.get_ylim()[1]
    assert x == pytest.approx(1 + np.log(high) / np.log(1e4))


def test_curves_of_nothing_but_nan_do_not_fail() -> None:
    assert learning_curves({"lost": [NAN, NAN]}, first=0).alt.endswith("lost: diverged at epoch 0.")


def test_a_constant_curve_and_a_single_value_have_room() -> None:
    low, high = learning_curves({"flat": [3.0, 3.0], "one": [3.0]}).figure.axes[0].get_ylim()
    assert low < 3 < high


def test_first_and_labels_are_used() -> None:
    picture = learning_curves({"run": [5, 3, 2]}, "step", "error", first=0, title="Look")
    axes = picture.figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title(loc="left")) == ("step", "error", "Look")
    assert picture.alt == "Error against step. run: from 5 at step 0 to 2 at step 2."


def test_learning_rates_have_a_panel_each_on_the_same_scale(expect_readable: Callable[[Picture], None]) -> None:
    runs = {"too small: 0.001": [2.3, 2.2, 2.1], "right: 0.1": [1.1, 0.5, 0.3], "too large: 10": [4.0, 90.0, NAN]}
    picture = learning_rates(runs)
    panels = picture.figure.axes
    assert [axes.get_title(loc="left") for axes in panels] == list(runs)
    assert len({axes.get_ylim() for axes in panels}) == 1
    assert "diverged" in [text.get_text() for text in panels[2].texts]
    assert picture.alt.endswith("too large: 10: diverged at epoch 3.")
    expect_readable(picture)


@pytest.mark.parametrize("draw", [learning_curves, learning_rates])
@pytest.mark.parametrize(
    ("curves", "logy"), [({}, False), ({"run": []}, False), ({"run": [[1.0, 2.0]]}, False), ({"run": [1.0, 0.0]}, True)]
)
def test_what_cannot_be_drawn_is_refused(draw: Callable[..., Picture], curves: dict, logy: bool) -> None:
    with pytest.raises(ValueError, match="Received: "):
        draw(curves, logy=logy)


@pytest.mark.parametrize("draw", [learning_curves, learning_rates])
def test_curve_bytes_are_the_same_twice(draw: Callable[..., Picture]) -> None:
    curves = {"one": [2.0, 1.0, 0.9], "two": [2.0, NAN]}
    assert draw(curves).to_png() == draw(curves).to_png()
