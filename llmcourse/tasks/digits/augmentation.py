"""Small changes to digits that keep their meaning, made for a whole epoch at once in NumPy."""

from dataclasses import dataclass

import numpy as np

BLOCK = 2_000  # images deformed at a time: their coordinates stay in the processor's cache
KNOTS = 5  # the wobble is drawn at 5 x 5 places and is smooth between them


@dataclass(frozen=True)
class Deformation:
    """State how far digits may be bent; each image draws its own values, evenly between minus and plus these.

    Args:
        rotation: degrees.
        stretch: natural logarithm of the factors of height and width; 0.1 is about 10 %.
        slant: pixels to the side for each pixel down.
        shift: pixels in both directions.
        wobble: pixels, by how much (standard deviation) the knots of a smooth displacement move, as in a shaky hand.
    """

    rotation: float = 10.0
    stretch: float = 0.1
    slant: float = 0.1
    shift: float = 1.5
    wobble: float = 1.0


def shift_images(images: np.ndarray, rng: np.random.Generator, reach: int = 1) -> np.ndarray:
    """Move each image by a random whole number of pixels in both directions; what enters is background.

    A digit stays the same digit wherever it stands. A network that sees it in nine places instead of one learns that
    from the data, and the cost is a copy.

    Args:
        images: (N, height, width) of any dtype.
        rng: decides how far each image moves.
        reach: the farthest move in pixels; 0 copies the images.

    Returns:
        Array of the same shape and dtype; the given one stays as it is.

    Raises:
        ValueError: images of another rank, or a negative reach.

    Source: Simard, Steinkraus & Platt (2003), Best Practices for Convolutional Neural Networks Applied to Visual
    Document Analysis.

    Example:
        >>> shift_images(np.ones((5, 3, 2)), np.random.default_rng(0)).shape
        (5, 3, 2)
    """
    if images.ndim != 3 or reach < 0:
        raise ValueError(
            "images must have the shape (N, height, width) and reach must be 0 or more. "
            f"Received: images.shape={images.shape}, reach={reach}."
        )
    _, height, width = images.shape
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach)))
    tops, lefts = rng.integers(0, 2 * reach + 1, size=(2, len(images)))
    moved = np.empty_like(images)
    for top in range(2 * reach + 1):
        for left in range(2 * reach + 1):  # all images with the same move in one copy
            group = (tops == top) & (lefts == left)
            moved[group] = padded[group, top : top + height, left : left + width]
    return moved


def deform_images(images: np.ndarray, rng: np.random.Generator, deformation: Deformation) -> np.ndarray:
    """Rotate, stretch, slant, move and bend each image a little, every one differently.

    Few digits then stand for many: with 4,000 of them, this is worth more than any change of the network.

    Args:
        images: uint8 (N, height, width), background 0.
        rng: decides how each image changes.
        deformation: how far.

    Returns:
        Uint8 (N, height, width); the given images stay as they are.

    Raises:
        ValueError: images of another rank or dtype.

    Source: Simard, Steinkraus & Platt (2003), Best Practices for Convolutional Neural Networks Applied to Visual
    Document Analysis. The smooth displacement is made from a few random knots here instead of a filter.
    """
    if images.ndim != 3 or images.dtype != np.uint8:
        raise ValueError(f"images must be uint8 (N, height, width). Received: {images.dtype} of shape {images.shape}.")
    deformed = np.empty_like(images)
    for start in range(0, len(images), BLOCK):
        block = images[start : start + BLOCK]
        places = _affine_places(len(block), images.shape[1:], rng, deformation)
        places += _smooth_noise(len(block), images.shape[1:], rng, deformation.wobble)
        deformed[start : start + BLOCK] = _read_between_pixels(block, places)
    return deformed


def _affine_places(count: int, size: tuple[int, ...], rng: np.random.Generator, deformation: Deformation) -> np.ndarray:
    """Draw for each image where each of its new pixels is read from: float32 (count, 2, height * width)."""

    def draw(reach: float) -> np.ndarray:
        return rng.uniform(-reach, reach, count).astype(np.float32)

    centre = (np.array(size, dtype=np.float32)[:, None] - 1) / 2
    grid = np.indices(size, dtype=np.float32).reshape(2, -1) - centre  # (2, height * width), rows and columns
    angle, slant = np.deg2rad(draw(deformation.rotation)), draw(deformation.slant)
    tall, wide = np.exp(draw(deformation.stretch)), np.exp(draw(deformation.stretch))
    # (count, 2, 2): a row for the old row, a row for the old column
    matrix = np.array([[np.cos(angle) * tall, -np.sin(angle) * wide], [np.sin(angle) * tall, np.cos(angle) * wide]])
    matrix[1, 0] += slant
    move = np.stack([draw(deformation.shift), draw(deformation.shift)], axis=1)  # (count, 2)
    return matrix.transpose(2, 0, 1) @ grid + centre + move[:, :, None]


def _smooth_noise(count: int, size: tuple[int, ...], rng: np.random.Generator, strength: float) -> np.ndarray:
    """Draw a displacement for each pixel that changes slowly over the image: float32 (count, 2, height * width)."""
    blends = []
    for length in size:  # how much each knot counts at each pixel: a bell curve around the knot, (length, KNOTS)
        knots = np.linspace(0, length - 1, KNOTS)
        bells = np.exp(-0.5 * ((np.arange(length)[:, None] - knots) / (length / (KNOTS + 1))) ** 2)
        blends.append(bells / bells.sum(axis=1, keepdims=True))
    blend = np.kron(*blends).astype(np.float32)  # (height * width, KNOTS * KNOTS)
    noise = rng.normal(0, strength, (count * 2, KNOTS * KNOTS)).astype(np.float32)
    return (noise @ blend.T).reshape(count, 2, -1)


def _read_between_pixels(images: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Read images (N, height, width) at places (N, 2, height * width), blending the four nearest pixels."""
    count, height, width = images.shape
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2))).astype(np.float32)  # a place outside reads background
    corner = np.floor(places)
    down, right = (places - corner).transpose(1, 0, 2)  # each (N, height * width), from 0 to 1
    row, column = np.clip(corner.transpose(1, 0, 2).astype(np.int32) + 1, 0, [[[height + 1]], [[width + 1]]])
    line = width + 3
    start = np.arange(count, dtype=np.int32)[:, None] * (padded[0].size)
    index, flat = start + row * line + column, padded.ravel()
    upper = flat[index] * (1 - right) + flat[index + 1] * right
    lower = flat[index + line] * (1 - right) + flat[index + line + 1] * right
    return (upper * (1 - down) + lower * down + 0.5).astype(np.uint8).reshape(images.shape)
