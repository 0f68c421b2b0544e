"""The learner's side of a check: finds their functions, calls them, and answers with plain data."""

import builtins
import inspect
import linecache
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

import numpy as np

from llmcourse.checking import surroundings
from llmcourse.checking.raised import MissingNameError, as_plain, describe_error
from llmcourse.checking.values import Reference, decode, describe_type, encode

MODEL_METHODS = ("__call__", "predict", "get_weights", "set_weights", "count_params", "get_config")


class Host:
    """Answers the requests of a `Student` proxy with the functions in `namespace`.

    Args:
        namespace: the names that the learner's cells defined.
    """

    def __init__(self, namespace: dict[str, Any]):
        self.namespace = namespace
        self._helpers: dict[str, Any] = {}
        self._objects: list[Any] = []

    def answer(self, message: bytes, ask: Callable[[bytes], bytes]) -> bytes:
        """Do what a request asks for.

        Args:
            message: an encoded request: `call` a function or a handle's method, `define` helpers, `execute` a cell, or
                `reseed`.
            ask: sends an encoded callback to the other side and returns its reply.

        Returns:
            The encoded reply: the value and which arguments changed in place, or what was raised.
        """
        request = decode(message, lambda reference: self._resolve(reference, ask))
        entered: set[str] = set()
        try:
            if request["do"] == "reseed":
                reply: dict[str, Any] = {"value": surroundings.prepare(self.namespace)}
                reseed(request["seed"])
                self._helpers, self._objects = {}, []
            elif request["do"] == "define":
                self._helpers = {**surroundings.without_hidden(self.namespace), **self._helpers}
                exec(compile(request["source"], "<check>", "exec"), self._helpers)
                reply = {"value": None}
            elif request["do"] == "execute":
                self.execute(request["source"], request["name"])
                reply = {"value": None}
            else:
                reply = self._call(request, entered)
            return encode({**reply, "entered": sorted(entered)}, self._refer)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # also SystemExit and GeneratorExit: nothing of the learner's gets past here
            raised = as_plain(describe_error(error, self.namespace))
            return encode({"raised": raised, "entered": sorted(entered)})

    def execute(self, source: str, name: str) -> None:
        """Run a cell."""
        execute(source, self.namespace, name)

    def _call(self, request: dict, entered: set[str]) -> dict[str, Any]:
        function = self._find(request)
        args, kwargs = request["args"], request["kwargs"]
        named = dict(zip(_parameter_names(function, len(args)), args, strict=True)) | kwargs
        before = {name: encode(value, _refer_anything) for name, value in named.items()}
        with watching(request["watch"], entered):
            value = function(*args, **kwargs)
        changed = [name for name, value in named.items() if encode(value, _refer_anything) != before[name]]
        return {"value": value, "changed": changed}

    def _find(self, request: dict) -> Callable:
        if "handle" in request:
            thing, method = self._objects[request["handle"]], request["method"]
            if not callable(getattr(thing, method, None)):
                raise AttributeError(f"{describe_type(thing)} has no method {method!r}")
            return getattr(thing, method)
        name = request["name"]
        home = self._helpers if name in self._helpers else self.namespace
        if name not in home:
            raise MissingNameError(f"{name} is not defined: run the cell of this exercise first", name=name)
        if not callable(home[name]):
            raise TypeError(f"{name} must be a function or a class. Received: {describe_type(home[name])}")
        return home[name]

    def _refer(self, value: Any) -> Reference | None:
        """Keep models and objects of the learner's own classes here and send a reference."""
        is_model = all(hasattr(value, name) for name in ("get_weights", "count_params"))
        if is_model or type(value).__module__ == self.namespace.get("__name__", "__main__"):
            self._objects.append(value)
            return Reference("handle", len(self._objects) - 1, describe_type(value))
        return None

    def _resolve(self, reference: Reference, ask: Callable[[bytes], bytes]) -> Any:
        if reference.kind == "handle":
            return self._objects[reference.id]

        def callback(*args: Any, **kwargs: Any) -> Any:
            message = encode({"callback": reference.id, "args": list(args), "kwargs": kwargs}, self._refer)
            reply = decode(ask(message), lambda inner: self._resolve(inner, ask))
            if "error" in reply:
                raise RuntimeError(reply["error"])
            return reply["value"]

        return callback


def execute(source: str, namespace: dict[str, Any], name: str) -> None:
    """Run a cell's source; `name` stands for its file, so that errors can quote the line."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), namespace)


def reseed(seed: int) -> None:
    """Seed Python, NumPy and, where it is loaded, Keras, so that a criterion always sees the same random numbers."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  (learners may use the old global generator)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(seed % 2**31)


@contextmanager
def watching(forbidden: Iterable[str], entered: set[str]) -> Iterator[None]:
    """Note in `entered` which of the forbidden functions run inside the block.

    Names are looked up afterwards and only among modules that are loaded by then: a module that is not loaded cannot
    have run. A learner who is determined to hide a call can do so; this catches the plain import of an answer.
    """
    forbidden = list(forbidden)
    if not forbidden:
        yield
        return
    seen: set[CodeType | int] = set()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            seen.add(frame.f_code)
        elif event == "c_call":
            seen.add(id(argument))

    previous = sys.getprofile()
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(previous)
        entered.update(name for name in forbidden if seen & _codes(_look_up(name)))


def _look_up(dotted: str) -> Any:
    """Find a loaded object by its dotted name; None where its module is not loaded."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        found = sys.modules.get(".".join(parts[:cut]))
        if found is not None:
            for part in parts[cut:]:
                found = getattr(found, part, None)
            return found
    return None


def _codes(thing: Any) -> set[CodeType | int]:
    """List what the profiler reports when `thing` runs: code of a function or of methods, a built-in's identity."""
    if inspect.isclass(thing):
        methods = [member for member in vars(thing).values() if inspect.isfunction(member)]
        return {code for method in methods for code in _codes(method)}
    thing = inspect.unwrap(thing) if callable(thing) else thing
    code = getattr(thing, "__code__", None)
    if code is not None:
        return {code}
    return {id(thing)} if isinstance(thing, type(builtins.len)) else set()


def _refer_anything(value: Any) -> Reference | None:
    return None if hasattr(value, "__array__") else Reference("handle", 0)


def _parameter_names(function: Callable, count: int) -> list[str]:
    """Name the positional arguments as the function's signature does; plain numbers where it says nothing."""
    try:
        names = [
            name for name, kind in inspect.signature(function).parameters.items() if kind.kind < kind.VAR_POSITIONAL
        ]
    except (TypeError, ValueError):
        names = []
    return names[:count] + [f"argument {index + 1}" for index in range(len(names), count)]
