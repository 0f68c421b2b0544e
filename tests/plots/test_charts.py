from collections.abc import Callable

import numpy as np
import pytest

from llmcourse.plots import Picture, activations, descent_path, loss_shapes, softmax_bars


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


FUNCTIONS = {
    "sigmoid": (_sigmoid, lambda z: _sigmoid(z) * (1 - _sigmoid(z))),
    "ReLU": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(z.dtype)),
}


def bowl(points: np.ndarray) -> np.ndarray:
    return 0.5 * points[:, 0] ** 2 + 10 * points[:, 1] ** 2


PATHS = {
    "plain": np.array([[-8.0, 2.0], [-7.0, -1.0], [-5.0, 0.5]]),
    "momentum": np.array([[-8.0, 2.0], [-4.0, 0.5], [-1.0, 0.0], [0.0, 0.0]]),
}


def test_activations_say_how_large_the_derivative_is(expect_readable: Callable[[Picture], None]) -> None:
    picture = activations(FUNCTIONS)
    assert "sigmoid: values from 0.0067 to 0.99, derivative at most 0.25 and 0.0066 at z = 5." in picture.alt
    assert "ReLU: values from 0 to 5, derivative at most 1 and 1 at z = 5." in picture.alt
    assert [axes.get_title(loc="left") for axes in picture.figure.axes] == ["sigmoid", "ReLU"]
    expect_readable(picture)


def test_the_step_of_the_relu_derivative_is_not_joined() -> None:
    def gaps(panel: int) -> int:
        lines = {line.get_label(): line.get_ydata() for line in activations(FUNCTIONS).figure.axes[panel].lines}
        return int(np.isnan(lines["derivative"]).sum())

    assert [gaps(0), gaps(1)] == [0, 1]


@pytest.mark.parametrize("functions", [{}, {"sum": (np.sum, np.square)}, {"square": (np.square, lambda z: z[:3])}])
def test_activations_refuse_functions_that_change_the_shape(functions: dict) -> None:
    with pytest.raises(ValueError, match="Received: "):
        activations(functions)


def test_loss_shapes_show_the_vanishing_gradient(expect_readable: Callable[[Picture], None]) -> None:
    picture = loss_shapes()
    p = _sigmoid(-6.0)
    assert f"squared error 1 with gradient {-2 * (1 - p) ** 2 * p:.4f}" in picture.alt
    assert "cross-entropy 6 with gradient -1." in picture.alt
    expect_readable(picture)


def test_the_gradients_of_loss_shapes_are_the_slopes_of_the_losses() -> None:
    losses, gradients = (
        {line.get_label(): line.get_data() for line in axes.lines} for axes in loss_shapes().figure.axes
    )
    assert set(losses) == {"cross-entropy", "squared error"}
    for name, (z, loss) in losses.items():
        np.testing.assert_allclose(np.gradient(loss, z)[1:-1], gradients[name][1][1:-1], atol=1e-4)


def test_softmax_bars_name_the_largest(expect_readable: Callable[[Picture], None]) -> None:
    logits = np.array([1.0, -2.0, 3.0, 0.5, 1e-3])
    picture = softmax_bars(logits, class_names=["ant", "bee", "cat", "dog", "eel"], title="Five animals")
    assert picture.alt.endswith("The largest logit is 3 for class cat, which gets the probability 0.78.")
    widths = [bar.get_width() for bar in picture.figure.axes[1].patches]
    np.testing.assert_allclose(widths, np.exp(logits) / np.exp(logits).sum())
    expect_readable(picture)


def test_softmax_bars_are_stable_for_huge_logits() -> None:
    assert softmax_bars(np.array([1e4, -1e4])).alt.endswith("gets the probability 1.")


def test_softmax_bars_refuse_a_batch_and_missing_names() -> None:
    with pytest.raises(ValueError, match=r"Received: logits\.shape=\(2, 3\)"):
        softmax_bars(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"Received: class_names\.shape=\(2,\)"):
        softmax_bars(np.zeros(3), class_names=["a", "b"])


def test_descent_path_says_where_each_path_ends(expect_readable: Callable[[Picture], None]) -> None:
    picture = descent_path(bowl, PATHS, minimum=(0.0, 0.0))
    assert "plain takes the loss from 72 to 15 in 2 steps." in picture.alt
    assert "momentum takes the loss from 72 to 0 in 3 steps." in picture.alt
    expect_readable(picture)


def test_descent_path_survives_a_path_that_diverges() -> None:
    lost = np.array([[-8.0, 2.0], [-7.0, -3.0], [np.inf, np.nan]])
    picture = descent_path(bowl, {"lost": lost})
    assert picture.alt.endswith("lost diverges from the loss 72.")
    left, right = picture.figure.axes[0].get_xlim()
    assert -9 < left < right < -6


def test_descent_path_takes_the_limits_it_is_given() -> None:
    axes = descent_path(bowl, PATHS, limits=(-11.0, 2.0, -3.0, 5.0)).figure.axes[0]
    assert (*axes.get_xlim(), *axes.get_ylim()) == (-11.0, 2.0, -3.0, 5.0)


@pytest.mark.parametrize(
    ("loss", "paths"),
    [
        (bowl, {}),
        (bowl, {"flat": np.zeros(5)}),
        (bowl, {"transposed": np.zeros((2, 7))}),
        (bowl, {"lost": np.full((3, 2), np.nan)}),
        (np.square, PATHS),
    ],
)
def test_descent_path_refuses_wrong_shapes(loss: Callable, paths: dict) -> None:
    with pytest.raises(ValueError, match="Received: "):
        descent_path(loss, paths)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: activations(FUNCTIONS),
        loss_shapes,
        lambda: softmax_bars(np.array([1.0, 2.0, 0.0])),
        lambda: descent_path(bowl, PATHS),
    ],
)
def test_chart_bytes_are_the_same_twice(draw: Callable[[], Picture]) -> None:
    assert draw().to_png() == draw().to_png()
