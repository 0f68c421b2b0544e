"""What a criterion may expect of a value; each failure says what was required and what was received."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Number
from typing import Any

import numpy as np

from llmcourse.checking.raised import StudentError
from llmcourse.checking.student import Handle, Student
from llmcourse.checking.values import describe_type

TOLERANCES = {"float64": 1e-7, "complex128": 1e-7}  # float32 and below: 1e-4
_SHOWN_WHOLE = 8  # entries of an array


class Failed(AssertionError):  # noqa: N818  (read as a word in a report)
    """Says that a value is not what a criterion requires; `hints` stand in place of the criterion's own."""

    def __init__(self, required: str, received: str, hints: Sequence[str] = ()):
        super().__init__(f"Required: {required} Received: {received}")
        self.required, self.received, self.hints = required, received, tuple(hints)


def expect(condition: Any, *, required: str, received: Any, hints: Sequence[str] = ()) -> None:
    """Require that a condition holds; say what was required and what was received where it does not.

    Args:
        condition: true or false, as `bool` has it.
        required: in words.
        received: in words, or the value itself.
        hints: for this very failure, where the hints of the criterion would mislead.
    """
    if not condition:
        raise Failed(required, received if isinstance(received, str) else show(received), hints)


def expect_shape(received: Any, shape: Sequence[int], *, what: str = "the result") -> np.ndarray:
    """Require an array of numbers with a given shape, and return it as an array."""
    wanted = tuple(shape)
    words = f"{what} is a number" if wanted == () else f"{what} has shape {wanted}"
    if received is None:
        raise Failed(words, "None. Is the `return` missing?")
    if not isinstance(received, np.ndarray | np.generic | Number):
        raise Failed(f"{words} and is an array" if wanted else words, show(received))
    array = np.asarray(received)
    if array.shape != wanted:
        raise Failed(words, f"shape {array.shape}" if array.shape else show(received))
    return array


def expect_close(received: Any, expected: Any, *, what: str = "the result", tolerance: float | None = None) -> None:
    """Require an array (or number) close to the expected one: its kind, its shape, no NaN, then its values.

    Args:
        received: what the learner's code returned.
        expected: the oracle's float64 result.
        what: names the value in the message, best as code: "softmax(scores)".
        tolerance: largest |received - expected|, measured against max(1, |expected|); by default 1e-7 where the
            result is float64 and 1e-4 otherwise.
    """
    expected = np.asarray(expected)
    array = expect_shape(received, expected.shape, what=what)
    if array.dtype.kind not in "biufc":
        raise Failed(f"{what} holds numbers", f"dtype {array.dtype}")
    if np.isnan(array).any() and not np.isnan(expected).any():
        raise Failed(f"{what} has no NaN", _count(np.isnan(array), "NaN"))
    allowed = TOLERANCES.get(array.dtype.name, 1e-4) if tolerance is None else tolerance
    with np.errstate(all="ignore"):
        error = np.abs(array.astype(np.result_type(array, np.float64)) - expected) / np.maximum(1, np.abs(expected))
    same = (array == expected) | (error <= allowed) | (np.isnan(array) & np.isnan(expected))
    if not same.all():
        place = np.unravel_index(np.argmax(np.where(same, -1, np.nan_to_num(error, nan=np.inf))), error.shape)
        wrong = int((~same).sum())
        where = f"[{', '.join(map(str, place))}]" if place else ""
        extent = f"; {wrong} of {error.size} values differ" if error.size > 1 else ""
        raise Failed(f"{what}{where} = {_number(expected[place])}", f"{_number(array[place])}{extent}")


def expect_equal(received: Any, expected: Any, *, what: str = "the result") -> None:
    """Require exactly the expected value: same type for plain values, same shape and entries for arrays."""
    if isinstance(expected, np.ndarray):
        array = expect_shape(received, expected.shape, what=what)
        if not np.array_equal(array, expected):
            raise _first_difference(array, expected, what)
    elif isinstance(received, np.ndarray) or not bool(received == expected):
        raise Failed(f"{what} = {show(expected)}", show(received))


def _first_difference(array: np.ndarray, expected: np.ndarray, what: str) -> Failed:
    """Show both arrays where they are short; of longer ones, which would look alike, the first entry that differs."""
    if array.size <= _SHOWN_WHOLE or array.dtype.kind not in "biuf":
        return Failed(f"{what} = {show(expected)}", show(array))
    wrong = np.argwhere(array != expected)
    place = tuple(int(index) for index in wrong[0])
    return Failed(
        f"{what}[{', '.join(map(str, place))}] = {_number(expected[place])}",
        f"{_number(array[place])}; {len(wrong)} of {array.size} values differ",
    )


@contextmanager
def expect_raises(type_name: str, *, what: str = "this call") -> Iterator[None]:
    """Require that the block's call to the learner's code raises an error of the named class or of one below it.

    Args:
        type_name: of a built-in class; another one with its module before it.
        what: names the call in the message.
    """
    try:
        yield
    except StudentError as error:
        if error.cause in ("stub", "missing"):
            raise
        if not error.is_a(type_name):
            raise Failed(f"{what} raises {type_name}", str(error)) from None
        return
    raise Failed(f"{what} raises {type_name}", "no error")


def expect_unchanged(student: Student) -> None:
    """Require that the last call to the learner's code changed none of its arguments in place."""
    changed = student._changed
    if changed:
        names = " and ".join(f"`{name}`" for name in changed)
        raise Failed("the arguments stay as they were; build new arrays instead", f"{names} changed in place")


def show(value: Any, limit: int = 160) -> str:
    """Show a value in one short line, arrays with their shape."""
    if isinstance(value, np.ndarray):
        text = np.array2string(value, precision=4, threshold=_SHOWN_WHOLE, edgeitems=2, separator=", ")
        text = f"array of shape {value.shape}: {' '.join(text.split())}"
    elif isinstance(value, np.generic | float) and not isinstance(value, np.str_):
        text = _number(value)
    elif isinstance(value, Handle):
        text = repr(value)
    elif isinstance(value, list | tuple | dict):
        text = f"{describe_type(value)} of length {len(value)}: {value!r}"
    else:
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _number(value: Any) -> str:
    return str(value) if np.asarray(value).dtype.kind in "biuU" else f"{value:.6g}"


def _count(mask: np.ndarray, name: str) -> str:
    return f"{int(mask.sum())} of {mask.size} values are {name}" if mask.size > 1 else name
