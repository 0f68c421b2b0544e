"""A deep-learning course in graded notebooks, from an MLP in NumPy to a Transformer that translates.

Importing this package imports neither Keras nor TensorFlow; the public names below load what they need when first used.

The letters that stand for dimensions, in every docstring and comment of the package:

    N samples             T target or query length     D model width (or input features)
    B batch               S source or key length       H heads
    C classes             V vocabulary                 K width per head
    U hidden units        F filters

Height, width and channels are spelled out.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmcourse.checking import lesson
    from llmcourse.runtime import setup

__version__ = "0.1.0"
__all__ = ["__version__", "lesson", "setup"]

_HOMES = {"lesson": "llmcourse.checking", "setup": "llmcourse.runtime"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'llmcourse' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
