"""What a learner's code raised, told as plain data: its class with all ancestors, its words, its line and its cause."""

import dis
import linecache
import re
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

from llmcourse.checking.time_limit import TimeLimitError
from llmcourse.checking.values import NotPlainError

MAX_TEXT, MAX_ANCESTORS = 2000, 50
_RAISE = dis.opmap["RAISE_VARARGS"]
_TENSORFLOWS_PREFIX = "tf__"  # of the name of a function that TensorFlow translated
_FRAMES = re.compile(r'\A.*^ +File "[^"]*", line \d+, in [^\n]*\n[^\n]*\n', re.DOTALL | re.MULTILINE)  # to the last
_CALLING = re.compile(r"Exception encountered when calling (.+?)\.\n\n(.*?)(\n\nArguments received by .*)?", re.DOTALL)
_INFERRING = re.compile(r"Could not automatically infer the output shape .*?Error encountered:\n\n", re.DOTALL)
_NAMES_OF_NODES = re.compile(r"\x1b\[\d+m|\{\{function_node [^}]*\}\} ?| ?\[Op:\w+\]( name:)? ?|\n\t \[\[\{\{node .*")
_OPERATION = re.compile(r"'\{\{node [^}]*\}\} = (\w+)\[[^']*'")


class MissingNameError(NameError):
    """Says that the notebook does not define a name that an exercise asks for."""


@dataclass
class StudentError(Exception):
    """Says that the learner's code raised an error.

    `ancestors` names the error's class and all that it inherits from: "ValueError" for a built-in one, otherwise with
    the module before it. `cause` is what is known beyond the class: "stub" (`subject`, a function, is not written
    yet), "missing" (the notebook does not define `subject`, which the exercise asks for), "undefined" (the code uses
    the undefined name `subject`), "time", "memory", or "".
    """

    type_name: str
    message: str
    line: str = ""
    ancestors: tuple[str, ...] = ()
    cause: str = ""
    subject: str = ""

    def __post_init__(self) -> None:
        self.ancestors = self.ancestors or (self.type_name,)

    def __str__(self) -> str:
        return f"{self.type_name}: {self.message}" if self.message else self.type_name

    @property
    def with_line(self) -> str:
        """Give the error's words and the line of the learner's code where it happened."""
        return f"{self} ({self.line})" if self.line else str(self)

    def is_a(self, name: str) -> bool:
        """Tell, as `isinstance` would, whether the error is of a class, named as in `ancestors`."""
        return name in self.ancestors


def describe_error(error: BaseException, namespace: dict[str, Any]) -> StudentError:
    """Describe an error; `namespace` holds the learner's names, and tells their code from that of libraries."""
    kind = type(error)
    cause, subject = _cause(error, namespace)
    ancestors = tuple(_full_name(ancestor) for ancestor in kind.__mro__)
    return StudentError(kind.__name__, _message(error), _line(error, namespace), ancestors, cause, subject)


def as_plain(error: StudentError) -> dict[str, Any]:
    """Give an error as plain data, which `read_error` understands."""
    return asdict(error) | {"ancestors": list(error.ancestors)}


def read_error(told: Any) -> StudentError:
    """Understand what the learner's side tells of an error.

    Raises:
        NotPlainError: `as_plain` cannot have written it.
    """
    texts = ("type_name", "message", "line", "cause", "subject")
    if not isinstance(told, dict) or told.keys() != {*texts, "ancestors"}:
        raise NotPlainError("An error must be told with its class, its message and its line.")
    if not is_list_of_text(told["ancestors"]) or not is_list_of_text([told[key] for key in texts]):
        raise NotPlainError("An error must be told in texts.")
    ancestors = tuple(name[:MAX_TEXT] for name in told["ancestors"][:MAX_ANCESTORS])
    return StudentError(**{key: told[key][:MAX_TEXT] for key in texts}, ancestors=ancestors)


def is_list_of_text(value: Any) -> bool:
    """Tell whether a value is a list that holds nothing but strings."""
    return type(value) is list and all(type(item) is str for item in value)


def _cause(error: BaseException, namespace: dict[str, Any]) -> tuple[str, str]:
    if isinstance(error, TimeLimitError):
        return "time", ""
    if isinstance(error, MemoryError):
        return "memory", ""
    for inner in _same_error(error):
        if type(inner) is NotImplementedError and not inner.args and (stub := _raised_by(inner, namespace)):
            return "stub", stub
        if isinstance(inner, MissingNameError):
            return "missing", str(inner.name)
        if type(inner) is NameError and isinstance(inner.name, str) and inner.name:
            return "undefined", inner.name
    return "", ""


def _same_error(error: BaseException) -> Iterator[BaseException]:
    """Give an error and those that a library wrapped into it: Keras and TensorFlow raise another of the same class."""
    seen: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and type(step) is type(error) and not any(step is known for known in seen):
        yield step
        seen.append(step)
        step = step.__cause__ or step.__context__


def _raised_by(error: BaseException, namespace: dict[str, Any]) -> str:
    """Name the function of the learner's whose own `raise` raised the error; "" where a library did."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    if step is None or step.tb_frame.f_globals is not namespace or not _is_raise(step):
        return ""
    name = step.tb_frame.f_code.co_qualname.rpartition("<locals>.")[2].removeprefix(_TENSORFLOWS_PREFIX)
    return "the cell" if name == "<module>" else name


def _is_raise(step: TracebackType) -> bool:
    return step.tb_frame.f_code.co_code[step.tb_lasti] == _RAISE


def _full_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _message(error: BaseException) -> str:
    """Give an error's own words; a learner's class may fail to say any."""
    try:
        return _unwrapped(str(error), type(error).__name__)[:MAX_TEXT]
    except Exception as second:
        return f"(its message cannot be shown: {type(second).__name__})"


def _unwrapped(message: str, kind: str) -> str:
    """Take out what Keras and TensorFlow wrap around an error's own words: frames, arguments, names of nodes."""
    text = _OPERATION.sub(r"\1", _NAMES_OF_NODES.sub("", _FRAMES.sub("", message)))
    text = textwrap.dedent(text).strip().removeprefix(f"{kind}: ")
    while called := _CALLING.fullmatch(text):
        text = f"{_INFERRING.sub('', called[2]).strip()} (in {called[1]})"
    return text


def _line(error: BaseException, namespace: dict[str, Any]) -> str:
    """Quote the innermost line of the learner's own code on the error's way."""
    found, step = "", error.__traceback__
    while step is not None:
        if step.tb_frame.f_globals is namespace:
            source = linecache.getline(step.tb_frame.f_code.co_filename, step.tb_lineno).strip()
            found = f"line {step.tb_lineno} of {step.tb_frame.f_code.co_name}: {source}"
        step = step.tb_next
    return found
