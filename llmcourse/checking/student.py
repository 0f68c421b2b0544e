"""The learner's functions as a criterion sees them: `student.relu(z)` sends a call and returns a value."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from llmcourse.checking.raised import is_list_of_text, read_error
from llmcourse.checking.values import NotPlainError, Reference, decode, encode

MAX_CALLBACKS = 20_000


class Connection(Protocol):
    """Carries one request to the learner's side and brings its reply back, in this process or from another."""

    def request(self, message: bytes, serve: Callable[[bytes], bytes], seconds: float) -> bytes:
        """Send a message; while it is worked on (so many seconds at most), answer callbacks with `serve`."""
        ...


class ConnectionLostError(Exception):
    """Says that the learner's side is gone for good: `reason` is "timeout", "memory" or "crashed"."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


class Student:
    """Stands for the learner's notebook: every attribute is a function of theirs, called through `connection`.

    Args:
        connection: where the requests go.
        watch: dotted names of functions that the learner's code must not enter; those that it did enter are
            collected in `_entered`.
        seconds: the time that one call may take.
    """

    def __init__(self, connection: Connection, watch: tuple[str, ...] = (), seconds: float = 10.0):
        self._connection, self._watch, self._seconds = connection, watch, seconds
        self._callbacks: list[Callable] = []
        self._callbacks_left = MAX_CALLBACKS
        self._entered: set[str] = set()
        self._changed: list[str] = []
        self._last_value: Any = None
        self._surroundings: Any = None  # what `surroundings.prepare` found

    def __getattr__(self, name: str) -> Callable:
        if name.startswith("__"):
            raise AttributeError(name)
        return partial(self._call, {"name": name})

    def _reseed(self, seed: int) -> None:
        self._surroundings = self._send({"do": "reseed", "seed": seed}).get("value")

    def define(self, source: str) -> None:
        """Define helpers beside the learner's code; they see the learner's names. Put nothing secret in them."""
        self._send({"do": "define", "source": source})

    def _call(self, target: dict, /, *args: Any, **kwargs: Any) -> Any:
        self._last_value = None
        reply = self._send({"do": "call", **target, "args": list(args), "kwargs": kwargs, "watch": list(self._watch)})
        self._changed = reply.get("changed", [])
        self._last_value = reply["value"]
        return self._last_value

    def _send(self, request: dict) -> dict:
        message = encode(request, self._refer)
        reply = read_reply(self._connection.request(message, self._serve, self._seconds), self._resolve)
        self._entered.update(name for name in self._watch if name in reply.get("entered", []))
        if "raised" in reply:
            raise reply["raised"]
        return reply

    def _refer(self, value: Any) -> Reference | None:
        if isinstance(value, Handle):
            return Reference("handle", value._id)
        if callable(value) and not isinstance(value, type):
            self._callbacks.append(value)
            return Reference("callback", len(self._callbacks) - 1)
        return None

    def _resolve(self, reference: Reference) -> Any:
        return Handle(self, reference.id, reference.about) if reference.kind == "handle" else reference

    def _serve(self, message: bytes) -> bytes:
        """Answer a call of the learner's code to one of the criterion's functions."""
        self._callbacks_left -= 1
        if self._callbacks_left < 0:
            return encode({"error": f"A function may be called at most {MAX_CALLBACKS:,} times in one check."})
        try:
            call = decode(message, self._resolve)
            function = self._callbacks[call["callback"]]
            return encode({"value": function(*call["args"], **call["kwargs"])}, self._refer)
        except Exception as error:
            return encode({"error": f"{type(error).__name__}: {error}"[:2000]})


def read_reply(message: bytes, resolve: Callable[[Reference], Any] = lambda reference: reference) -> dict[str, Any]:
    """Understand a reply of the learner's side, which may be anything.

    Args:
        message: the bytes.
        resolve: turns each `Reference` into the object to put in its place.

    Returns:
        A dict with "value", or with "raised", a `StudentError`; perhaps with "entered" and "changed", lists of names.

    Raises:
        NotPlainError: it is no such reply.
    """
    reply = decode(message, resolve)
    if not isinstance(reply, dict) or not ("value" in reply or "raised" in reply):
        raise NotPlainError("A reply must hold a value or an error.")
    if not all(is_list_of_text(reply.get(key, [])) for key in ("entered", "changed")):
        raise NotPlainError("A reply must hold lists of names.")
    return reply | {"raised": read_error(reply["raised"])} if "raised" in reply else reply


class Handle:
    """Stands for an object that stays on the learner's side, such as a model: call it, or call one of its methods."""

    def __init__(self, student: Student, number: int, about: str):
        self._student, self._id, self._about = student, number, about

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the object itself, as `model(x)`."""
        return self._student._call({"handle": self._id, "method": "__call__"}, *args, **kwargs)

    def __getattr__(self, name: str) -> Callable:
        if name.startswith("__"):
            raise AttributeError(name)
        return partial(self._student._call, {"handle": self._id, "method": name})

    def __repr__(self) -> str:
        return f"<{self._about}>"
