"""The first call of every notebook: seeds, deterministic operations, precision, device, quiet logs."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
_ERROR_LINE = re.compile(r"^(\S+ \S+: )?[EF]\d* ")  # absl and TensorFlow mark errors with E and fatal ones with F
_NO_GPU = re.compile(r"cuInit|Could not find cuda|cuda drivers", re.IGNORECASE)


def setup(seed: int = 0, precision: str = "float32") -> None:
    """Prepare a notebook so that its results can be reproduced, and say in one line what was found.

    Python, NumPy and Keras are seeded, operations are deterministic, TensorFloat-32 is off (so that a GPU computes
    what a CPU computes), TensorFlow keeps quiet about everything but errors and takes GPU memory only as it needs it.

    Args:
        seed: from 0 to 2**32 - 1.
        precision: the dtype policy of Keras: "float32", "mixed_bfloat16" or "mixed_float16". Checks always run in
            float32.

    Raises:
        ValueError: a seed or precision of another kind.

    Example:
        >>> setup(seed=0)  # doctest: +SKIP
        llmcourse 0.1.0 | Keras 3.15.1 with tensorflow 2.21.0 | CPU, 2 cores | float32 | seed 0
    """
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be an int from 0 to 2**32 - 1. Received: {seed!r}.")
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}. Received: {precision!r}.")
    keras = load_keras()
    keras.utils.set_random_seed(seed)
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy(precision)
    from llmcourse import __version__

    backend = keras.backend.backend()
    version = getattr(sys.modules.get(backend), "__version__", "")
    parts = [f"Keras {keras.__version__} with {backend} {version}".strip(), describe_device(), precision]
    print(" | ".join([f"llmcourse {__version__}", *parts, f"seed {seed}"]))


def load_keras() -> Any:
    """Import Keras and its backend without their chatter, and make them deterministic; quick when done before.

    Returns:
        The module `keras`.
    """
    # What goes wrong in TensorFlow arrives as a Python exception. Its log lines beside that hold a false alarm in each
    # `fit` under deterministic operations ("NodeDef mentions attribute use_unbounded_threadpool"), so all are off.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Matrix products of one size always in one order on NVIDIA GPUs (cuBLAS needs this set before it starts).
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with only_errors_on_stderr():
        import keras

        if keras.backend.backend() == "tensorflow":
            _prepare_tensorflow()
    return keras


def _prepare_tensorflow() -> None:
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(False)
    tf.config.experimental.enable_op_determinism()
    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:  # the GPU is in use already: its memory was taken in one piece, and everything still works
            break


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
    with only_errors_on_stderr():
        import keras
        import matplotlib.figure
        import numpy as np
        import tensorflow as tf

    assert keras and matplotlib and np and tf


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
