"""Convolution, pooling and the measures of a classifier in plain NumPy, and a short way to train and save a network.

The functions of the lesson `cnn`. Images are float (N, height, width, channels), as Keras has them by default.
"""

import os
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras


def prepare(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn images of bytes and class numbers into what a convolutional network takes.

    Networks learn best from inputs of about size one; the channel axis tells a convolution that there is one colour.

    Args:
        images: uint8 (N, height, width), 0 is background and 255 is full ink.
        labels: integers (N,), from 0 to 9.

    Returns:
        Images as float32 (N, height, width, 1) from 0 to 1, and labels as one-hot float32 (N, 10).

    Raises:
        ValueError: the shapes do not fit together, the images are not uint8, or a label is outside 0 ... 9.

    Example:
        >>> x, y = prepare(np.full((2, 3, 5), 51, dtype=np.uint8), np.array([1, 0]))
        >>> x.shape, float(x[0, 0, 0, 0]), y.argmax(axis=1)
        ((2, 3, 5, 1), 0.20000000298023224, array([1, 0]))
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if images.ndim != 3 or images.dtype != np.uint8 or labels.shape != images.shape[:1]:
        raise ValueError(
            "images must be uint8 (N, height, width) and labels (N,). "
            f"Received: {images.dtype} {images.shape} and {labels.shape}."
        )
    if labels.size and (labels.min() < 0 or labels.max() > 9):
        raise ValueError(f"labels must be from 0 to 9. Received: {labels.min()} to {labels.max()}.")
    x = images[..., np.newaxis].astype(np.float32) / 255  # (N, height, width, 1)
    return x, np.eye(10, dtype=np.float32)[labels]


def conv2d(x: np.ndarray, kernel: np.ndarray, stride: int = 1, padding: str = "valid") -> np.ndarray:
    """Slide filters over images and compute at each place the sum of products.

    Like all deep-learning libraries, this does not flip the kernel; mathematicians call it a cross-correlation. The
    loop runs over the few places of the kernel, and one matrix product serves all images and positions.

    Args:
        x: float (N, height, width, channels).
        kernel: float (kh, kw, channels, F), the F filters.
        stride: how far the window moves each time, at least 1, the same in both directions.
        padding: "valid": the window stays inside the image; "same": zeros around the image, as many as make the result
            ceil(height / stride) by ceil(width / stride), an odd one at the bottom and at the right.

    Returns:
        Float (N, height', width', F).

    Raises:
        ValueError: shapes that do not fit, a stride below 1, an unknown padding, or a kernel larger than the image
            with padding "valid".

    Source: LeCun et al. (1989), Backpropagation Applied to Handwritten Zip Code Recognition.
    """
    if x.ndim != 4 or kernel.ndim != 4 or x.shape[3] != kernel.shape[2]:
        raise ValueError(
            "x and kernel must have shapes (N, height, width, channels) and (kh, kw, channels, F). "
            f"Received: {x.shape} and {kernel.shape}."
        )
    if stride < 1 or padding not in ("valid", "same"):
        raise ValueError(
            f'stride must be at least 1, padding "valid" or "same". Received: stride={stride}, padding={padding!r}.'
        )
    (kh, kw), sizes = kernel.shape[:2], x.shape[1:3]
    if padding == "same":
        rows, columns = (-(-size // stride) for size in sizes)
        missing = [
            max((count - 1) * stride + length - size, 0)
            for count, length, size in zip((rows, columns), (kh, kw), sizes, strict=True)
        ]
        before_and_after = [(total // 2, total - total // 2) for total in missing]
        x = np.pad(x, [(0, 0), *before_and_after, (0, 0)])
    elif kh > sizes[0] or kw > sizes[1]:
        raise ValueError(
            f'With padding "valid" the kernel must fit into the image. Received: {(kh, kw)} in {tuple(sizes)}.'
        )
    else:
        rows, columns = ((size - length) // stride + 1 for size, length in zip(sizes, (kh, kw), strict=True))
    result = np.zeros((len(x), rows, columns, kernel.shape[3]), dtype=np.result_type(x, kernel))
    for i in range(kh):
        for j in range(kw):
            # What lies under place (i, j) of the kernel, for all positions of the window at once.
            under = x[:, i : i + (rows - 1) * stride + 1 : stride, j : j + (columns - 1) * stride + 1 : stride]
            result += under @ kernel[i, j]  # (N, rows, columns, channels) @ (channels, F)
    return result


def conv2d_backward(upstream: np.ndarray, x: np.ndarray, kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Carry a gradient back through `conv2d` with stride 1 and padding "valid".

    Each pixel and each weight collects a share from every place of the result that it took part in.

    Args:
        upstream: float (N, height', width', F), the derivative of the loss by `conv2d(x, kernel)`.
        x: float (N, height, width, channels).
        kernel: float (kh, kw, channels, F).

    Returns:
        The derivatives of the loss by x and by kernel, with their shapes.

    Raises:
        ValueError: upstream has not the shape of the result.

    Source: LeCun et al. (1989), Backpropagation Applied to Handwritten Zip Code Recognition.
    """
    (kh, kw, _, filters), (count, height, width, _) = kernel.shape, x.shape
    rows, columns = height - kh + 1, width - kw + 1
    if upstream.shape != (count, rows, columns, filters):
        raise ValueError(f"upstream must have the shape {(count, rows, columns, filters)}. Received: {upstream.shape}.")
    grad_x, grad_kernel = np.zeros(x.shape), np.zeros(kernel.shape)
    for i in range(kh):
        for j in range(kw):
            window = x[:, i : i + rows, j : j + columns]  # (N, rows, columns, channels)
            grad_kernel[i, j] = np.einsum("nrcd,nrcf->df", window, upstream)
            grad_x[:, i : i + rows, j : j + columns] += upstream @ kernel[i, j].T
    return grad_x, grad_kernel


def max_pool2d(x: np.ndarray, size: int) -> np.ndarray:
    """Keep the largest value of each square of size by size pixels, in each channel.

    A feature that was found anywhere in the square counts, so that small shifts of the image change little.

    Args:
        x: float (N, height, width, channels).
        size: side of a square, at least 1 and at most height and width.

    Returns:
        Float (N, height // size, width // size, channels); rows and columns that fill no square are dropped.

    Raises:
        ValueError: another number of axes, or a size that no image holds.
    """
    if x.ndim != 4 or not 1 <= size <= min(x.shape[1:3]):
        raise ValueError(
            "x must have shape (N, height, width, channels) and size must be from 1 to the smaller side. "
            f"Received: {x.shape} and size={size}."
        )
    count, height, width, channels = x.shape
    rows, columns = height // size, width // size
    whole = x[:, : rows * size, : columns * size]
    # (N, height', width', channels) -> (N, rows, size, columns, size, channels)
    return whole.reshape(count, rows, size, columns, size, channels).max(axis=(2, 4))


def max_pool2d_backward(upstream: np.ndarray, x: np.ndarray, size: int) -> np.ndarray:
    """Carry a gradient back through `max_pool2d`: it goes to the largest value of each square, and nowhere else.

    Args:
        upstream: float (N, height // size, width // size, channels), the derivative of the loss by the result.
        x: float (N, height, width, channels); of equal largest values each gets the gradient.
        size: side of a square.

    Returns:
        The derivative of the loss by x, float (N, height, width, channels); 0 in rows and columns that fill no square.
    """
    largest, shares = (np.kron(each, np.ones((1, size, size, 1))) for each in (max_pool2d(x, size), upstream))
    rows, columns = largest.shape[1:3]
    grad = np.zeros(x.shape)
    grad[:, :rows, :columns] = shares * (x[:, :rows, :columns] == largest)
    return grad


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """Count for each pair of classes how often the first one was taken for the second.

    Args:
        labels: integers (N,), the true classes, from 0 to C-1.
        predictions: integers (N,), the predicted classes, from 0 to C-1.
        num_classes: C; classes that do not occur get rows and columns of zeros.

    Returns:
        Integers (C, C): row i, column j counts the samples of class i that were taken for j.

    Raises:
        ValueError: the shapes differ, or a class is outside 0 ... C-1.

    Example:
        >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
        array([[1, 1],
               [0, 1]])
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.ndim != 1 or labels.shape != predictions.shape:
        raise ValueError(
            f"labels and predictions must both have shape (N,). Received: {labels.shape} and {predictions.shape}."
        )
    both = np.concatenate([labels, predictions])
    if both.size and (both.min() < 0 or both.max() >= num_classes):
        raise ValueError(f"classes must be from 0 to {num_classes - 1}. Received: {both.min()} to {both.max()}.")
    matrix = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(matrix, (labels, predictions), 1)  # `matrix[labels, predictions] += 1` would count each pair only once
    return matrix


def precision_recall_f1(confusion: np.ndarray) -> np.ndarray:
    """Compute precision, recall and F1 of each class from a confusion matrix.

    Accuracy is one number for all classes and hides a rare class that is never found; these three do not.

    Args:
        confusion: counts (C, C); rows are true classes, columns predicted ones.

    Returns:
        Float (C, 3): precision, recall and F1 of each class; 0 where one of them would divide by zero.

    Raises:
        ValueError: the matrix is not square.

    Source: van Rijsbergen (1979), Information Retrieval, chapter 7.
    """
    confusion = np.asarray(confusion)
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ValueError(f"confusion must have shape (C, C). Received: {confusion.shape}.")
    right = np.diag(confusion).astype(np.float64)
    predicted, true = confusion.sum(axis=0), confusion.sum(axis=1)
    # 2 P R / (P + R), with P = right / predicted and R = right / true, is 2 right / (predicted + true).
    pairs = ((right, predicted), (right, true), (2 * right, predicted + true))
    columns = [np.divide(above, below, out=np.zeros_like(above), where=below > 0) for above, below in pairs]
    return np.stack(columns, axis=1)


def train_and_save(
    model: "keras.Model",
    x_train: np.ndarray,
    y_train: np.ndarray,
    x_val: np.ndarray,
    y_val: np.ndarray,
    path: str | os.PathLike[str],
    *,
    epochs: int = 12,
    batch_size: int = 64,
    learning_rate: float = 0.002,
    patience: int = 3,
) -> dict[str, list[float]]:
    """Train a model with Adam, go back to its best epoch, and save it.

    The best epoch is the one with the lowest validation loss; both the model and the file have its weights afterwards.

    Args:
        model: maps (N, height, width, channels) to logits (N, C).
        x_train: float32 images to learn from.
        y_train: their one-hot labels, float32 (N, C).
        x_val: float32 images that only choose the epoch.
        y_val: their one-hot labels.
        path: where to, with the suffix .keras.
        epochs: the most epochs.
        batch_size: samples in each step.
        learning_rate: of Adam.
        patience: epochs without a lower validation loss after which training ends.

    Returns:
        "loss", "accuracy", "val_loss" and "val_accuracy", one number for each epoch.

    Raises:
        ValueError: the path has another suffix, or the sets do not have a label for each image.

    Source: Kingma & Ba (2015), Adam; Prechelt (1998), Early Stopping: But When?
    """
    sizes = (len(x_train), len(y_train), len(x_val), len(y_val))
    if not os.fspath(path).endswith(".keras") or sizes[0] != sizes[1] or sizes[2] != sizes[3]:
        raise ValueError(
            "path must end with .keras, and each image must have a label. "
            f"Received: path={os.fspath(path)!r}, lengths {sizes}."
        )
    import keras

    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,  # XLA makes convolutions on a CPU three times slower
    )
    best = keras.callbacks.EarlyStopping(monitor="val_loss", patience=patience, restore_best_weights=True)
    history = model.fit(
        x_train,
        y_train,
        validation_data=(x_val, y_val),
        batch_size=batch_size,
        epochs=epochs,
        callbacks=[best],
        verbose=0,
    )
    model.save(path)
    return history.history
