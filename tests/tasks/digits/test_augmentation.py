import doctest

import numpy as np
import pytest

from llmcourse.tasks.digits import augmentation
from llmcourse.tasks.digits.augmentation import Deformation, deform_images, shift_images

STILL = Deformation(rotation=0, stretch=0, slant=0, shift=0, wobble=0)
HEIGHT, WIDTH = 11, 13


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def dot(row, column, count=1):
    image = np.zeros((count, HEIGHT, WIDTH), np.uint8)
    image[:, row, column] = 200
    return image


def centres(images):
    """The mean row and column of the ink, (N, 2)."""
    ink = images.astype(float)
    weight = ink.sum(axis=(1, 2))
    rows = (ink.sum(axis=2) * np.arange(images.shape[1])).sum(axis=1) / weight
    columns = (ink.sum(axis=1) * np.arange(images.shape[2])).sum(axis=1) / weight
    return np.stack([rows, columns], axis=1)


def test_examples_in_the_docstrings():
    assert doctest.testmod(augmentation).failed == 0


def test_a_shift_reaches_every_place_within_reach_and_no_other(rng):
    moved = shift_images(dot(5, 7, count=997), rng, reach=2)
    places = set(map(tuple, np.argwhere(moved)[:, 1:]))
    assert places == {(row, column) for row in range(3, 8) for column in range(5, 10)}
    assert (moved.sum(axis=(1, 2)) == 200).all()


def test_ink_that_leaves_does_not_come_in_on_the_other_side(rng):
    moved = shift_images(dot(0, 0, count=101), rng)
    assert not moved[:, 2:].any()
    assert not moved[:, :, 2:].any()


def test_reach_zero_copies(rng):
    images = rng.integers(0, 256, (7, HEIGHT, WIDTH), dtype=np.uint8)
    moved = shift_images(images, rng, reach=0)
    assert (moved == images).all()
    assert not np.shares_memory(moved, images)


@pytest.mark.parametrize("change", [shift_images, lambda images, rng: deform_images(images, rng, Deformation())])
def test_the_input_is_untouched_and_the_generator_decides(change):
    images = np.random.default_rng(0).integers(0, 256, (7, HEIGHT, WIDTH), dtype=np.uint8)
    images.setflags(write=False)
    first, again, other = (change(images, np.random.default_rng(seed)) for seed in (3, 3, 5))
    assert (first == again).all()
    assert (first != other).any()
    assert first.shape == images.shape
    assert first.dtype == images.dtype


def test_no_deformation_gives_the_image_back(rng):
    images = rng.integers(0, 256, (7, HEIGHT, WIDTH), dtype=np.uint8)
    assert (deform_images(images, rng, STILL) == images).all()


def test_blocks_leave_no_seam(rng, monkeypatch):
    monkeypatch.setattr(augmentation, "BLOCK", 3)
    images = rng.integers(0, 256, (7, HEIGHT, WIDTH), dtype=np.uint8)
    assert (deform_images(images, rng, STILL) == images).all()


def test_a_rotation_keeps_the_distance_to_the_centre(rng):
    images = np.zeros((53, 21, 21), np.uint8)
    images[:, 4, 10] = images[:, 5, 10] = 255
    turned = centres(deform_images(images, rng, Deformation(90, 0, 0, 0, 0))) - 10
    np.testing.assert_allclose(np.hypot(*turned.T), 5.5, atol=0.2)
    assert np.ptp(np.arctan2(*turned.T)) > 1


def test_a_shift_between_pixels_moves_the_centre_of_the_ink(rng):
    moved = centres(deform_images(dot(5, 6, count=211), rng, Deformation(0, 0, 0, 1.5, 0))) - (5, 6)
    assert np.abs(moved).max() <= 1.51
    assert np.abs(moved).max(axis=0).min() > 1.3
    assert np.abs(moved.mean(axis=0)).max() < 0.3


def test_a_stretch_changes_height_and_width_independently(rng):
    images = np.zeros((211, 31, 31), np.uint8)
    images[:, 10:21, 10:21] = 255
    stretched = deform_images(images, rng, Deformation(0, 0.3, 0, 0, 0)) > 127
    heights, widths = stretched.any(axis=2).sum(axis=1), stretched.any(axis=1).sum(axis=1)
    for sizes in (heights, widths):
        assert sizes.min() < 10
        assert 12 < sizes.max() <= 11 * np.exp(0.3) + 1
    assert abs(np.corrcoef(heights, widths)[0, 1]) < 0.3


def test_a_slant_moves_rows_sideways_only(rng):
    images = np.zeros((53, 21, 21), np.uint8)
    images[:, 2:19, 10] = 255
    slanted = deform_images(images, rng, Deformation(0, 0, 0.2, 0, 0)).astype(float)
    top, bottom = centres(slanted[:, 2:4])[:, 1], centres(slanted[:, 17:19])[:, 1]
    np.testing.assert_allclose(top + bottom, 20, atol=0.2)
    assert (bottom - top).max() > 2
    assert (bottom - top).min() < -2


def test_a_wobble_bends_neighbours_alike(rng):
    images = np.zeros((53, 31, 31), np.uint8)
    images[:, :, 15] = 255
    bent = deform_images(images, rng, Deformation(0, 0, 0, 0, 1.5)).astype(float)[:, 7:24]
    path = (bent * np.arange(31)).sum(axis=2) / bent.sum(axis=2)  # (N, rows): where the line passes
    assert np.ptp(path, axis=1).mean() > 0.5
    assert np.abs(np.diff(path, axis=1)).max() < 1


@pytest.mark.parametrize("images", [np.zeros((5, 7), np.uint8), np.zeros((2, 5, 7, 1), np.uint8)])
def test_a_wrong_rank_is_refused(images, rng):
    with pytest.raises(ValueError, match=r"Received: .*\("):
        shift_images(images, rng)
    with pytest.raises(ValueError, match=r"Received: .*\("):
        deform_images(images, rng, STILL)


def test_floats_cannot_be_deformed_and_a_reach_cannot_be_negative(rng):
    with pytest.raises(ValueError, match="Received: float64"):
        deform_images(np.zeros((2, 5, 7)), rng, STILL)
    with pytest.raises(ValueError, match="reach=-1"):
        shift_images(dot(1, 1), rng, reach=-1)
