"""Two convolutional networks for digits: one built to be quick to train, and the classic that tutorials start with.

Shapes, for images of 28 x 28 pixels with one channel:

    small     (B, 28, 28, 1) -> (B, 14, 14, 16) -> (B, 7, 7, 32) -> (B, 4, 4, 64) -> (B, 1024) -> (B, C)
    classic   (B, 28, 28, 1) -> (B, 13, 13, 32) -> (B, 5, 5, 64) -> (B, 1600) -> (B, 128) -> (B, C)
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

IMAGE_SHAPE = (28, 28, 1)
FIRST_KERNEL = 5  # pixels: wide enough that a stride of 2 misses no stroke
NORM_MOMENTUM = 0.9  # Keras' 0.99 needs hundreds of steps to forget the first ones; a run here has about a thousand


def build_small_cnn(
    filters: Sequence[int] = (16, 32, 64),
    dropout: float = 0.0,
    *,
    strides: Sequence[int] = (2, 2, 2),
    input_shape: tuple[int, int, int] = IMAGE_SHAPE,
    classes: int = 10,
) -> "keras.Model":
    """Build a network whose convolutions do the halving themselves, each with batch normalisation.

    A convolution with stride 1 at full size, followed by pooling, computes four values and throws three away. With
    stride 2 in the first layer everything after it works on a quarter of the positions, which is why this network
    trains several times as fast as the classic one. Batch normalisation allows the large learning rates that a short
    training needs.

    Args:
        filters: how many filters each block has.
        dropout: share of the last features that are set to zero in training, from 0 to just below 1.
        strides: of each block; 2 halves height and width, 1 keeps them.
        input_shape: height, width and channels.
        classes: number of outputs.

    Returns:
        A model from float (B, height, width, channels) with entries in [0, 1] to logits (B, C); 34,138 parameters for
        the default values.

    Raises:
        ValueError: no filters, not one stride for each, or a dropout outside of [0, 1).

    Source: Springenberg et al. (2015), Striving for Simplicity: The All Convolutional Net; Ioffe & Szegedy (2015),
    Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift.
    """
    if not filters or len(filters) != len(strides) or min(*filters, *strides) < 1 or not 0 <= dropout < 1:
        raise ValueError(
            "filters and strides must be equally many numbers of at least 1, and dropout must be in [0, 1). "
            f"Received: filters={tuple(filters)}, strides={tuple(strides)}, dropout={dropout}."
        )
    import keras

    stack: list[Any] = [keras.Input(input_shape)]
    for block, (count, stride) in enumerate(zip(filters, strides, strict=True)):
        stack += [
            # No bias: the normalisation that follows subtracts the mean and adds a shift of its own.
            keras.layers.Conv2D(count, 3 if block else FIRST_KERNEL, strides=stride, padding="same", use_bias=False),
            keras.layers.BatchNormalization(momentum=NORM_MOMENTUM),
            keras.layers.ReLU(),
        ]
    stack.append(keras.layers.Flatten())
    if dropout:
        stack.append(keras.layers.Dropout(dropout))
    stack.append(keras.layers.Dense(classes))
    return keras.Sequential(stack, name="small_cnn")


def build_classic_cnn(
    dropout: float = 0.0, *, input_shape: tuple[int, int, int] = IMAGE_SHAPE, classes: int = 10
) -> "keras.Model":
    """Build the two-block network that most tutorials start with: convolution, pooling, twice, and two dense layers.

    It is the yardstick: simple, well known, and accurate after a few epochs.

    Args:
        dropout: share of the dense features that are set to zero in training, from 0 to just below 1.
        input_shape: height, width and channels.
        classes: number of outputs.

    Returns:
        A model from float (B, height, width, channels) with entries in [0, 1] to logits (B, C); 225,034 parameters
        for the default values.

    Raises:
        ValueError: a dropout outside of [0, 1).

    Source: LeCun, Bottou, Bengio & Haffner (1998), Gradient-based learning applied to document recognition.
    """
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be in [0, 1). Received: dropout={dropout}.")
    import keras

    stack: list[Any] = [keras.Input(input_shape)]
    for count in (32, 64):
        stack += [keras.layers.Conv2D(count, 3, activation="relu"), keras.layers.MaxPooling2D()]
    stack += [keras.layers.Flatten(), keras.layers.Dense(128, activation="relu")]
    if dropout:
        stack.append(keras.layers.Dropout(dropout))
    stack.append(keras.layers.Dense(classes))
    return keras.Sequential(stack, name="classic_cnn")
