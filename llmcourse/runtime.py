"""The first call of every notebook: seeds, deterministic operations, precision, device, quiet logs."""

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from llmcourse import settings

BACKENDS = ("tensorflow", "jax", "torch")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
_ERROR_LINE = re.compile(r"^(\S+ \S+: )?[EF]\d* ")  # absl and TensorFlow mark errors with E and fatal ones with F
_NO_GPU = re.compile(r"cuInit|Could not find cuda|cuda drivers", re.IGNORECASE)


def setup(seed: int = 0, precision: str = "float32") -> None:
    """Prepare a notebook so that its results can be reproduced, and say in one line what was found.

    Python, NumPy and Keras are seeded, operations are deterministic, TensorFloat-32 is off (so that a GPU computes
    what a CPU computes), TensorFlow keeps quiet and takes GPU memory only as it needs it. Settings of your own, such as
    those in ~/.keras/keras.json, are replaced for this session where the course needs others, and NumPy's matrix
    products run on one thread: they are small here, and on a busy machine threads that wait for each other can take
    thirty times the time.

    Args:
        seed: from 0 to 2**32 - 1.
        precision: the dtype policy of Keras: "float32", "mixed_bfloat16" or "mixed_float16". Checks always run in
            float32.

    Raises:
        ValueError: a seed or precision of another kind.
        RuntimeError: Keras or its backend cannot be imported.

    Example:
        >>> setup(seed=0)  # doctest: +SKIP
        llmcourse 0.1.0 | Keras 3.15.1 with tensorflow 2.21.0 | CPU, 2 cores | float32 | seed 0
    """
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be an int from 0 to 2**32 - 1. Received: {seed!r}.")
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}. Received: {precision!r}.")
    from threadpoolctl import threadpool_limits

    changed = _load_keras()
    import keras

    settings.write((item, item.value) for item in settings.OF_KERAS)
    keras.config.set_dtype_policy(precision)
    make_reproducible(seed)
    # NumPy is loaded by now, so its variables come too late.
    threadpool_limits(1, user_api="blas")
    from llmcourse import __version__

    backend = keras.backend.backend()
    version = getattr(sys.modules.get(backend), "__version__", "")
    parts = [f"Keras {keras.__version__} with {backend} {version}".strip(), describe_device(), precision]
    print(" | ".join([f"llmcourse {__version__}", *parts, f"seed {seed}"]))
    if changed:
        print(changed)


def load_keras() -> Any:
    """Import Keras and its backend without their chatter; where that was done before, change nothing.

    Where this call is what imports Keras, settings of the user's keras.json that the course cannot work with are
    replaced for this process, and one line on standard error says so. The file stays as it is.

    Returns:
        The module `keras`.

    Raises:
        RuntimeError: Keras or its backend cannot be imported.
    """
    changed = _load_keras()
    if changed:
        print(changed, file=sys.stderr)
    return sys.modules["keras"]


def make_reproducible(seed: int) -> None:
    """Seed Python, NumPy and Keras, and make all operations deterministic, until the process ends.

    Only `setup` and training runs do this: without a seed, a deterministic TensorFlow refuses to draw random numbers.

    Args:
        seed: from 0 to 2**32 - 1.
    """
    # Matrix products of one size always in one order on NVIDIA GPUs (cuBLAS needs this set before it starts).
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    keras = load_keras()
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(False)
        tf.config.experimental.enable_op_determinism()


def _load_keras() -> str:
    """Import Keras and look for GPUs, whose memory TensorFlow takes as it needs it; say what `_import_keras` says."""
    if "keras" in sys.modules:
        return ""
    changed = _import_keras()
    if sys.modules["keras"].backend.backend() == "tensorflow":
        with only_errors_on_stderr():
            _share_gpus()
    return changed


def _share_gpus() -> None:
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:  # the GPU is in use already: its memory was taken in one piece, and everything still works
            break


def _import_keras() -> str:
    """Import Keras, and say which of the user's settings gave way to those of the course."""
    changed = _choose_backend()
    try:
        with only_errors_on_stderr(), _quiet_tensorflow():
            import keras  # noqa: F401
    except Exception as error:  # of many kinds: a half-installed backend, settings that Keras does not know
        raise RuntimeError(
            f"Keras and its backend must be installed, with settings that Keras knows. Received: "
            f"{type(error).__name__}: {error}. The settings come from {_keras_json()} and from variables KERAS_..."
        ) from None
    found = settings.read(settings.OF_KERAS)
    changed += [f"{item.name} {item.value} in place of {value}" for item, value in found if value != item.value]
    settings.write((item, item.value) for item in settings.OF_KERAS)
    return f"Keras is set to {', '.join(changed)} here, as the course needs it." if changed else ""


def _choose_backend() -> list[str]:
    """Take TensorFlow where keras.json asks for a backend that cannot be had; refuse where KERAS_BACKEND does."""
    named = os.environ.get("KERAS_BACKEND")
    if named is not None:
        if not _has_backend(named):
            raise RuntimeError(
                f"KERAS_BACKEND must name a backend that is installed, of {', '.join(BACKENDS)}. Received: {named!r}. "
                "Unset it to use tensorflow."
            )
        return []
    try:
        named = json.loads(_keras_json().read_text(encoding="utf-8")).get("backend", BACKENDS[0])
    except (OSError, ValueError, AttributeError):  # none, or damaged: Keras takes TensorFlow then
        return []
    if _has_backend(named):
        return []
    os.environ["KERAS_BACKEND"] = BACKENDS[0]  # also for the processes that this one starts
    return [f"backend {BACKENDS[0]} in place of {named}"]


def _has_backend(name: Any) -> bool:
    return name in BACKENDS and find_spec(name) is not None


def _keras_json() -> Path:
    """Find Keras' settings as Keras does."""
    home = os.environ.get("KERAS_HOME")
    if home is None:
        user = os.path.expanduser("~")  # noqa: PTH111  (Path raises where there is no home)
        home = f"{user if os.access(user, os.W_OK) else '/tmp'}/.keras"
    return Path(os.path.expanduser(home), "keras.json")  # noqa: PTH111


@contextmanager
def _quiet_tensorflow() -> Iterator[None]:
    """Keep TensorFlow from logging for as long as this process lives, and leave the environment as it was.

    What goes wrong in TensorFlow arrives as a Python exception. Its log lines beside that hold a false alarm in each
    `fit` under deterministic operations ("NodeDef mentions attribute use_unbounded_threadpool"), so all are off. JAX
    sets the level 1 by itself; who wants to read the lines sets 0.
    """
    named = "TF_CPP_MIN_LOG_LEVEL"
    theirs = os.environ.get(named)
    if theirs != "0":
        os.environ[named] = "3"
    try:
        yield
    finally:
        os.environ.pop(named, None)
        if theirs is not None:
            os.environ[named] = theirs


def describe_device() -> str:
    """Say where Keras computes: the GPUs by name, or the CPU with the number of cores this process may use."""
    keras = sys.modules.get("keras")
    if keras is not None and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        names = [tf.config.experimental.get_device_details(gpu).get("device_name", "GPU") for gpu in gpus]
        if names:
            return f"GPU: {', '.join(names)}"
    elif keras is not None:
        kinds = {str(device).split(":")[0].upper() for device in keras.distribution.list_devices()} - {"CPU"}
        if kinds:
            return " and ".join(sorted(kinds))
    cores = available_cores()
    return f"CPU, {cores} {'core' if cores == 1 else 'cores'}"


def available_cores() -> int:
    """Count the cores that this process may use (a container may have fewer than the machine)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def import_libraries() -> None:
    """Import what notebooks use and nothing more: no device is touched and no thread started, so forking stays safe."""
    _import_keras()
    with only_errors_on_stderr():
        import matplotlib.figure
        import numpy as np
        import tensorflow as tf

    assert matplotlib and np and tf


@contextmanager
def only_errors_on_stderr() -> Iterator[None]:
    """Hold back what the block writes to file descriptor 2 and afterwards pass on the lines that report errors.

    TensorFlow writes its greetings there from C++ while it is imported, before any log level counts. The message that
    no CUDA driver was found is an error only where there is an NVIDIA device.
    """
    try:
        saved = os.dup(2)
    except OSError:
        yield
        return
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            held.seek(0)
            for line in held.read().decode(errors="replace").splitlines():
                expected = _NO_GPU.search(line) and not Path("/dev/nvidiactl").exists()
                if _ERROR_LINE.match(line) and not expected:
                    print(line, file=sys.stderr)
