"""Plain data between a criterion and the learner's code: JSON for the structure, `.npy` bytes for the arrays.

Both sides of a check use these two functions, in the notebook as in the grader, so a criterion cannot tell where the
learner's code runs. Nothing is ever pickled, so reading a message runs no code of the sender.
"""

import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

MAX_BYTES = 256 * 2**20
MAX_HEADER = 16 * 2**20  # JSON takes many times its size in memory once it is read
MAX_DEPTH = 24
MAX_ITEMS = 500_000
PLAIN_KINDS = "biufcU"  # bool, integers, floats, complex, text: the array types that need no pickle


class NotPlainError(TypeError):
    """Says that a value cannot cross between the learner's code and a criterion."""


@dataclass(frozen=True)
class Reference:
    """Stands for an object that stays on the other side: a learner's `handle`, or a criterion's `callback`."""

    kind: str
    id: int
    about: str = ""


def encode(value: Any, refer: Callable[[Any], Reference | None] = lambda value: None) -> bytes:
    """Turn a value into bytes.

    Args:
        value: None, bool, int, float, str, list, tuple, dict with str keys, NumPy arrays and scalars of plain dtypes,
            tensors (anything with `__array__`; bfloat16 becomes float32), nested at will.
        refer: called with any other object; returns the `Reference` to send in its place, or None to refuse it.

    Returns:
        The message: eight bytes of header length, a JSON header, the arrays' `.npy` bytes.

    Raises:
        NotPlainError: a value of another kind, an object array, too deep, too many items or too large.
    """
    writer = _Writer(refer)
    tree = writer.write(value, 0)
    header = json.dumps({"tree": tree, "sizes": [len(blob) for blob in writer.blobs]}).encode()
    if len(header) > MAX_HEADER:
        raise NotPlainError(
            f"Text and lists must be smaller than {MAX_HEADER >> 20} MB. Received: {len(header) >> 20} MB."
        )
    if len(header) + writer.bytes > MAX_BYTES:
        raise _too_large(writer.bytes)
    return b"".join([len(header).to_bytes(8, "little"), header, *writer.blobs])


def decode(message: bytes, resolve: Callable[[Reference], Any] = lambda reference: reference) -> Any:
    """Turn bytes from `encode` back into the value; arrays are fresh and writable.

    Args:
        message: what `encode` returned, perhaps tampered with on the way.
        resolve: turns each `Reference` into the object to put in its place.

    Raises:
        NotPlainError: bytes that `encode` cannot have written.
    """
    try:
        if len(message) > MAX_BYTES + 8:
            raise NotPlainError(f"A message must be smaller than {MAX_BYTES >> 20} MB.")
        start = 8 + int.from_bytes(message[:8], "little")
        if start > MAX_HEADER + 8:
            raise NotPlainError(f"A message must have less than {MAX_HEADER >> 20} MB of JSON.")
        header = json.loads(message[8:start])
        blobs, view = [], memoryview(message)
        for size in header["sizes"]:
            if type(size) is not int or size < 0 or start + size > len(message):
                raise NotPlainError("A message must hold the arrays it announces.")
            blobs.append(view[start : start + size])
            start += size
        return _Reader(blobs, resolve).read(header["tree"], 0)
    except NotPlainError:
        raise
    except Exception as error:  # NumPy's header reader alone has half a dozen kinds
        raise NotPlainError(f"A message must be written by `encode`. Received: {len(message)} other bytes.") from error


def _too_large(size: int) -> NotPlainError:
    return NotPlainError(f"A value must be smaller than {MAX_BYTES >> 20} MB. Received: {size >> 20} MB.")


class _Writer:
    def __init__(self, refer: Callable[[Any], Reference | None]):
        self.refer, self.blobs, self.bytes, self.items = refer, [], 0, 0  # type: ignore[var-annotated]

    def write(self, value: Any, depth: int) -> Any:
        self.items += 1
        if depth > MAX_DEPTH:
            raise NotPlainError(f"Lists and dicts must be nested at most {MAX_DEPTH} deep.")
        if self.items > MAX_ITEMS:
            raise NotPlainError(f"A value must have at most {MAX_ITEMS:,} items; use an array for more.")
        if value is None or type(value) in (bool, str):
            return value
        if type(value) is int:
            return value if abs(value) < 2**63 else {"int": hex(value)}
        if type(value) is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if type(value) is list:
            return [self.write(item, depth + 1) for item in value]
        if type(value) is tuple or (isinstance(value, tuple) and hasattr(value, "_fields")):
            return {"tuple": [self.write(item, depth + 1) for item in value]}
        if isinstance(value, Mapping):
            return {"dict": self._write_items(value, depth)}
        reference = self.refer(value)
        if reference is not None:
            return {reference.kind: [reference.id, reference.about]}
        return self._write_array(value)

    def _write_items(self, value: Mapping, depth: int) -> dict[str, Any]:
        for key in value:
            if type(key) is not str:
                raise NotPlainError(f"The keys of a dict must be strings. Received: {key!r:.80}.")
        return {key: self.write(item, depth + 1) for key, item in value.items()}

    def _write_array(self, value: Any) -> dict[str, int]:
        if not hasattr(value, "__array__"):
            raise NotPlainError(
                "A value must be None, a number, a string, a list, a tuple, a dict, an array or a tensor. "
                f"Received: {describe_type(value)}."
            )
        array = np.asarray(value)
        if array.dtype.name == "bfloat16":
            array = array.astype(np.float32)
        if array.dtype.kind not in PLAIN_KINDS:
            raise NotPlainError(f"An array must hold numbers, booleans or text. Received: dtype {array.dtype}.")
        if self.bytes + array.nbytes > MAX_BYTES:  # before it is copied
            raise _too_large(self.bytes + array.nbytes)
        stream = io.BytesIO()
        np.lib.format.write_array(stream, array, allow_pickle=False)
        self.blobs.append(stream.getvalue())
        self.bytes += len(self.blobs[-1])
        return {"array": len(self.blobs) - 1}


class _Reader:
    def __init__(self, blobs: list[memoryview], resolve: Callable[[Reference], Any]):
        self.blobs, self.resolve, self.items = blobs, resolve, 0

    def read(self, node: Any, depth: int) -> Any:
        self.items += 1
        if depth > MAX_DEPTH or self.items > MAX_ITEMS:
            raise NotPlainError("A message must keep to the limits on depth and number of items.")
        if isinstance(node, list):
            return [self.read(item, depth + 1) for item in node]
        if not isinstance(node, dict):
            return node
        ((kind, content),) = node.items()
        if kind == "tuple":
            return tuple(self.read(item, depth + 1) for item in content)
        if kind == "dict":
            return {key: self.read(item, depth + 1) for key, item in content.items()}
        if kind == "array":
            return _read_array(self.blobs[content])
        if kind == "float":
            return float(content)
        if kind == "int":
            return int(content, 16)
        if kind in ("handle", "callback"):
            number, about = content
            return self.resolve(Reference(kind, int(number), str(about)))
        raise NotPlainError(f"A message must hold known kinds of values. Received: {kind!r:.40}.")


def _read_array(blob: memoryview) -> Any:
    """Read `.npy` bytes; the sizes are compared before anything is allocated, since a header may claim any shape."""
    stream = io.BytesIO(blob)
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = read_header(stream)
    if dtype.kind not in PLAIN_KINDS:
        raise NotPlainError(f"An array must hold numbers, booleans or text. Received: dtype {dtype}.")
    if math.prod(shape) * dtype.itemsize != len(blob) - stream.tell() or min(shape, default=0) < 0:
        raise NotPlainError(f"An array of shape {shape} must come with all its bytes.")
    array = np.frombuffer(blob, dtype, offset=stream.tell()) if math.prod(shape) else np.empty(0, dtype)
    if dtype.kind == "b":
        array = array.view(np.uint8) != 0  # a byte other than 0 and 1 would be neither True nor False
    array = array.reshape(shape, order="F" if fortran_order else "C").copy()
    return array if shape else array[()]  # a zero-dimensional array comes back as a NumPy scalar


def describe_type(value: Any) -> str:
    """Name the type of a value as a learner knows it: `list`, `numpy.ndarray`, `keras.Sequential`."""
    kind = type(value)
    package = kind.__module__.split(".")[0]
    return kind.__qualname__ if package in ("builtins", "__main__") else f"{package}.{kind.__qualname__}"
