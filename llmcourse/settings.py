"""Settings of the libraries that change what the same code computes, and the values that the course needs.

Nothing is imported here: a library that is not loaded has no settings yet.
"""

import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Setting:
    """One setting: the module that has it, how it is read and written there, and the course's value."""

    name: str
    module: str
    read: Callable[[Any], Any]
    write: Callable[[Any, Any], object]
    value: Any


def _keras(name: str, value: Any) -> Setting:
    return Setting(
        name,
        "keras",
        lambda keras: getattr(keras.config, name)(),
        lambda keras, new: getattr(keras.config, f"set_{name}")(new),
        value,
    )


# What keras.json and variables such as KERAS_MAX_EPOCHS decide when Keras is imported.
OF_KERAS = (
    _keras("floatx", "float32"),
    _keras("image_data_format", "channels_last"),
    _keras("epsilon", 1e-7),
    _keras("max_epochs", None),
    _keras("max_steps_per_epoch", None),
)
ALL = (
    *OF_KERAS,
    _keras("dtype_policy", "float32"),
    Setting(
        "eager functions",
        "tensorflow",
        lambda tf: tf.config.functions_run_eagerly(),
        lambda tf, new: tf.config.run_functions_eagerly(new),
        False,
    ),
    Setting(
        "floating-point errors",
        "numpy",
        lambda numpy: numpy.geterr(),
        lambda numpy, new: numpy.seterr(**new),
        {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"},
    ),
    Setting(
        "printing of arrays",
        "numpy",
        lambda numpy: numpy.get_printoptions(),
        lambda numpy, new: numpy.set_printoptions(**new),
        {"precision": 8, "threshold": 1000, "edgeitems": 3, "linewidth": 75, "suppress": False, "nanstr": "nan"}
        | {"infstr": "inf", "sign": "-", "floatmode": "maxprec", "formatter": None, "legacy": False},
    ),
    # The value of notebooks. Much less stops the libraries, much more lets endless recursion end the process.
    Setting("recursion", "sys", lambda sys: sys.getrecursionlimit(), lambda sys, new: sys.setrecursionlimit(new), 3000),
)
COURSE = tuple((setting, setting.value) for setting in ALL)


def read(settings: Iterable[Setting] = ALL) -> list[tuple[Setting, Any]]:
    """Read the settings of the libraries that are loaded, each with the value it has now."""
    found = []
    for setting in settings:
        with suppress(Exception):  # a library that is not loaded, loaded in part, or taken apart by someone
            found.append((setting, setting.read(sys.modules[setting.module])))
    return found


def write(values: Iterable[tuple[Setting, Any]] = COURSE) -> None:
    """Set the settings of the libraries that are loaded, by default as the course needs them."""
    for setting, value in values:
        with suppress(Exception):
            module = sys.modules[setting.module]
            if not _is(setting.read(module), value):
                setting.write(module, value)


def _is(now: Any, value: Any) -> bool:
    """Tell whether a setting has a value already; of several options in a dict, those that are named count."""
    if isinstance(value, dict):
        return all(now.get(name) == wanted for name, wanted in value.items())
    return bool(getattr(now, "name", now) == getattr(value, "name", value))  # a policy of Keras is known by its name
