from collections.abc import Callable

import numpy as np
import pytest

from llmcourse.plots import Picture, digits, weight_images


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, size=(7, 28, 28), dtype=np.uint8)


def test_digits_names_the_wrong_predictions(images: np.ndarray, expect_readable: Callable[[Picture], None]) -> None:
    picture = digits(images, labels=[1, 2, 3, 5, 6, 7, 8], predictions=[1, 2, 3, 3, 6, 1, 8], columns=5)
    assert picture.alt == (
        "7 images in 2 rows of up to 5. Predictions, row by row: 1, 2, 3, 3, 6, 1, 8. "
        "Wrong: image 4 taken for 3, not 5; image 6 taken for 1, not 7."
    )
    captions = [text.get_text() for text in picture.figure.axes[0].texts]
    assert captions == ["1", "2", "3", "3, not 5", "6", "1, not 7", "8"]
    assert picture.figure.get_suptitle() == "5 of 7 predictions right, wrong ones framed"
    expect_readable(picture)


def test_digits_frames_only_wrong_predictions(images: np.ndarray) -> None:
    def thick_frames(predictions: list[int]) -> int:
        axes = digits(images[:3], [1, 2, 3], predictions).figure.axes[0]
        return sum(line.get_linewidth() > 2 for line in axes.lines)

    assert thick_frames([1, 2, 3]) == 0
    assert thick_frames([1, 7, 3]) == 1


def test_digits_with_right_predictions_says_so(images: np.ndarray) -> None:
    assert digits(images, range(7), range(7)).alt.endswith("All predictions are right.")


def test_digits_alone_and_with_labels_or_predictions_only(images: np.ndarray) -> None:
    assert digits(images, columns=11).alt == "7 images in 1 row of up to 7."
    assert digits(images[:2], labels=[5, 3]).alt.endswith("Labels, row by row: 5, 3.")
    assert digits(images[:2], predictions=[5, 3]).alt.endswith("Predictions, row by row: 5, 3.")


def test_digits_shows_the_pixels_it_was_given(images: np.ndarray) -> None:
    shown = digits(images).figure.axes[0].images
    np.testing.assert_array_equal(np.stack([image.get_array() for image in shown]), images)


def test_digits_summarises_many_mistakes(images: np.ndarray) -> None:
    alt = digits(images.repeat(7, axis=0), np.zeros(49, dtype=int), np.ones(49, dtype=int)).alt
    assert alt.startswith("49 images in 5 rows")
    assert "row by row" not in alt
    assert alt.endswith("image 6 taken for 1, not 0; and 43 more.")


@pytest.mark.parametrize(
    "arguments",
    [
        {"images": np.zeros((28, 28))},
        {"images": np.zeros((0, 28, 28))},
        {"images": np.zeros((3, 28, 28)), "labels": np.zeros(2)},
        {"images": np.zeros((3, 28, 28)), "predictions": np.zeros((3, 10))},
        {"images": np.zeros((3, 28, 28)), "columns": 0},
    ],
)
def test_digits_refuses_wrong_shapes(arguments: dict) -> None:
    with pytest.raises(ValueError, match="Received: "):
        digits(**arguments)


def test_weight_images_shows_each_column_centred_at_zero(expect_readable: Callable[[Picture], None]) -> None:
    weights = np.random.default_rng(0).normal(size=(35, 11))
    picture = weight_images(weights, shape=(7, 5), columns=3)
    shown = picture.figure.axes[0].images
    np.testing.assert_array_equal(np.stack([image.get_array().ravel() for image in shown], axis=1), weights)
    low, high = shown[0].get_clim()
    assert low == -high < 0
    assert picture.alt == "Weights as 11 images of 7 by 5 pixels, from -3.8 to 3.1."
    expect_readable(picture)


def test_weight_images_compares_middle_and_rim() -> None:
    weights = np.full((28, 28, 2), 0.01)
    weights[7:21, 7:21] = -0.5
    alt = weight_images(weights.reshape(784, 2)).alt
    assert "from -0.5 to 0.01" in alt
    assert alt.endswith("is 0.5 in the middle and 0.01 in the outermost two pixels.")


def test_weight_images_of_zeros_are_white() -> None:
    assert "from 0 to 0" in weight_images(np.zeros((784, 2))).alt


def test_weight_images_refuses_a_transposed_matrix() -> None:
    with pytest.raises(ValueError, match=r"shape \(784, U\)\. Received: weights\.shape=\(5, 784\)"):
        weight_images(np.zeros((5, 784)))


def test_image_bytes_are_the_same_twice(images: np.ndarray) -> None:
    assert digits(images, range(7)).to_png() == digits(images, range(7)).to_png()
    weights = images.reshape(7, 784).T / 255.0
    assert weight_images(weights).to_png() == weight_images(weights).to_png()
