import doctest
from collections.abc import Callable

import numpy as np
import pytest

from llmcourse.plots import (
    Picture,
    confident_errors,
    convolution_steps,
    feature_maps,
    features,
    padding_and_stride,
    receptive_field,
)
from llmcourse.plots import convolution as module

LAYERS = [("convolution", 5, 2), ("convolution", 3, 2), ("pooling", 2, 2)]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_doctests_pass() -> None:
    assert doctest.testmod(module).failed == doctest.testmod(features).failed == 0


def words(picture: Picture) -> list[str]:
    return [text.get_text() for axes in picture.figure.axes for text in axes.texts]


def test_the_steps_show_the_numbers_of_each_window(
    rng: np.random.Generator, expect_readable: Callable[[Picture], None]
) -> None:
    image, kernel = rng.uniform(size=(11, 13)), np.array([[1.0, -2.0, 0.0], [0.5, 0.0, 3.0]])
    picture = convolution_steps(image, kernel, [(0, 0), (9, 10)])
    expect_readable(picture)
    sums = [(image[r : r + 2, c : c + 3] * kernel).sum() for r, c in ((0, 0), (9, 10))]
    assert [word for word in words(picture) if word.startswith("sum")] == [f"sum: {value:.2f}" for value in sums]
    assert f"{image[9, 12]:.2f}".rstrip("0") in words(picture)
    assert "11 by 13 pixels with a kernel of 2 by 3" in picture.alt


def test_the_map_is_filled_only_up_to_the_window(rng: np.random.Generator) -> None:
    picture = convolution_steps(rng.uniform(size=(5, 7)), np.ones((2, 2)), [(1, 3)])
    shown = picture.figure.axes[3].images[0].get_array()
    assert np.isfinite(np.ma.filled(shown.astype(float), np.nan)).sum() == 6 + 4


@pytest.mark.parametrize("places", [[], [(4, 0)], [(0, 6)], [(-1, 0)]])
def test_the_steps_refuse_a_window_outside_the_image(places: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="Each window must lie inside the image"):
        convolution_steps(np.ones((5, 7)), np.ones((2, 2)), places)


@pytest.mark.parametrize(("size", "kernel"), [(6, 3), (7, 4), (5, 5), (3, 1)])
def test_padding_says_what_the_package_computes(
    size: int, kernel: int, expect_readable: Callable[[Picture], None]
) -> None:
    from llmcourse.steps.cnn import conv2d

    picture = padding_and_stride(size, kernel)
    expect_readable(picture)
    for padding in ("valid", "same"):
        for stride in (1, 2):
            x, weights = np.ones((1, 1, size, 1)), np.ones((1, kernel, 1, 1))
            count = conv2d(x, weights, stride, padding).shape[2]
            assert f"{padding}, stride {stride}: {count} result" in picture.alt


def test_padding_puts_the_odd_zero_at_the_end() -> None:
    assert "same, stride 1: 7 results, 1 zero before and 2 after" in padding_and_stride(7, 4).alt


def test_padding_refuses_a_window_larger_than_the_row() -> None:
    with pytest.raises(ValueError, match="Received: size=3, kernel=5"):
        padding_and_stride(3, 5)


def test_the_receptive_field_is_what_a_value_depends_on(expect_readable: Callable[[Picture], None]) -> None:
    picture = receptive_field(LAYERS, size=28)
    expect_readable(picture)
    assert "5 by 5, 9 by 9, 13 by 13 pixels" in picture.alt
    lit = [int(axes.collections[0].get_array().sum()) for axes in picture.figure.axes]
    assert lit == [13 * 13, 5 * 5, 2 * 2, 1]


@pytest.mark.parametrize("layers", [[], [("convolution", 29, 1)]])
def test_the_receptive_field_needs_layers_that_fit(layers: list[tuple[str, int, int]]) -> None:
    with pytest.raises(ValueError, match="There must be a layer, and room for each"):
        receptive_field(layers, size=28)


def test_feature_maps_count_where_each_kernel_answers(
    rng: np.random.Generator, expect_readable: Callable[[Picture], None]
) -> None:
    maps = np.zeros((5, 4, 3))
    maps[:2, :, 0], maps[..., 1] = 1.0, -1.0
    picture = feature_maps(rng.uniform(size=(11, 7)), maps, rng.normal(size=(2, 3, 3)), names=["a", "b", "c"])
    expect_readable(picture)
    assert picture.alt.endswith("Share of places where each answers: a 0.4, b 0, c 0.")
    with pytest.raises(ValueError, match="names must have the shape"):
        feature_maps(np.ones((5, 5)), np.ones((5, 5, 2)), np.ones((3, 3, 2)), names=["one"])


def test_confident_errors_come_surest_first_and_right_answers_never(expect_readable: Callable[[Picture], None]) -> None:
    probabilities = np.array([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1], [0.02, 0.0, 0.98], [0.4, 0.3, 0.3]])
    picture = confident_errors(np.ones((4, 7, 5)), np.array([0, 2, 1, 1]), probabilities, count=2)
    expect_readable(picture)
    assert words(picture) == ["says 2: 98%", "is 1: 0%", "says 1: 70%", "is 2: 10%"]
    assert picture.alt.startswith("The 2 surest of 3 mistakes among 4 images. 2, not 1: probability 0.98; 1, not 2:")
    with pytest.raises(ValueError, match="There must be a wrong answer"):
        confident_errors(np.ones((1, 7, 5)), np.array([0]), probabilities[:1])


def test_pictures_are_the_same_twice() -> None:
    assert receptive_field(LAYERS, size=28).to_png() == receptive_field(LAYERS, size=28).to_png()
