"""Run a notebook in a fixed environment, so that two runs differ only in what the notebook itself does."""

import copy
import os
import re
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nbformat import NotebookNode

# MPLBACKEND: without it the kernel draws figures into the notebook. PYTHONSTARTUP: a person's own file, run by IPython.
_UNSET = ("MPLBACKEND", "PYTHONSTARTUP")
_LONGEST_SOCKET_FOLDER = 85  # macOS allows 103 characters for a socket's whole path, Linux 107
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_EMBEDDED = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=\s]+")
_TRACES = (
    ("a home folder", re.compile(r"(?<![\w<.])(/home/[\w.-]+|/Users/[\w.-]+|/root\b|[A-Za-z]:\\Users\\\w+)")),
    ("a temporary path", re.compile(r"(?<![\w<.])(/tmp|/var/tmp|/var/folders|/private/var)/[\w.-]+")),
    ("a path into an installation", re.compile(r"/[\w./-]*/(site|dist)-packages\b")),
    ("a memory address", re.compile(r"\b0x[0-9a-fA-F]{6,}\b")),
    ("a network address", re.compile(r"(?<![\d.])(10|127|172|192)(\.\d{1,3}){3}(?![\d.])")),
    ("a date or a time of day", re.compile(r"\b20\d\d-[01]\d-[0-3]\d\b|\b[0-2]\d:[0-5]\d:[0-5]\d\b")),
    ("a measured time", re.compile(r"\b\d+(\.\d+)?\s?(ms|us|µs|s)/(step|epoch|it|batch)\b|\b\d+(\.\d+)?it/s\b")),
)


class ExecutionError(RuntimeError):
    """Says which cell of which notebook stopped the run, and why."""


def run_notebook(
    notebook: NotebookNode,
    *,
    name: str = "notebook",
    timeout: float = 600,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> NotebookNode:
    """Execute every code cell of a notebook with this Python, and return a copy with the outputs.

    The kernel starts in an empty temporary folder, with a fixed hash seed, without a person's IPython configuration,
    start-up files or history, and with progress files switched off. Metadata stay as they are: no times, no Python
    version. A cell with the tag `raises-exception` may raise.

    Args:
        notebook: the notebook; not changed.
        name: how error messages call it, such as "01_mlp.ipynb".
        timeout: seconds that one cell may take.
        environment: further environment variables for the kernel.

    Returns:
        The executed copy; consecutive pieces of one stream are one output.

    Raises:
        ExecutionError: a cell raised, took too long or ended the kernel.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    executed = copy.deepcopy(notebook)
    running: list[NotebookNode] = []
    with tempfile.TemporaryDirectory(prefix="llmcourse-", ignore_cleanup_errors=True) as folder:
        client = NotebookClient(
            executed,
            km=_kernel_manager(Path(folder)),
            timeout=timeout,
            record_timing=False,
            extra_arguments=["--HistoryManager.enabled=False"],
            on_cell_start=lambda cell, cell_index: running.append(cell),
        )
        try:
            variables = {**_environment(_made(folder, "ipython")), **environment}
            client.execute(cwd=_made(folder, "work"), env=variables, cleanup_kc=True)
        except CellExecutionError as error:
            raise _failure(name, running, f"{error.ename}: {error.evalue}", error.traceback) from None
        except CellTimeoutError:
            raise _failure(name, running, f"took longer than {timeout:g} seconds") from None
        except DeadKernelError:
            raise _failure(name, running, "the kernel ended: out of memory, or a crash below Python") from None
        except RuntimeError as error:  # the kernel did not even start
            raise _failure(name, running, str(error)) from error
    return _keep_outputs_only(notebook, executed)


def merge_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join consecutive pieces of one stream, since where a stream is cut depends on the machine's speed."""
    merged: list[NotebookNode] = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            merged.append(copy.deepcopy(output))
    return merged


def private_traces(notebook: NotebookNode) -> list[str]:
    """Find what outputs give away about the machine that made them, or what no second run could repeat.

    Looks for home, temporary and installation paths, this machine's name, memory and network addresses, dates and
    times.

    Returns:
        One line for each find, with the cell's id; empty where there is none.
    """
    patterns = [*_TRACES, *_this_machine()]
    found = []
    for cell in notebook.cells:
        if "execution" in cell.metadata:
            found.append(f"{cell.id}: the times of its execution, in its metadata")
        for text in (text for output in cell.get("outputs", []) for text in _texts(output)):
            for what, pattern in patterns:
                if match := pattern.search(text):
                    found.append(f"{cell.id}: {what}: {match[0]}")
    return list(dict.fromkeys(found))


def _kernel_manager(folder: Path) -> Any:
    """Make a manager that starts this very Python; the kernel "python3" of a home folder may belong to another one."""
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    class ThisPython(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=command, display_name="Python 3", language="python")

    # Socket files in our own folder: no ports for other users of the machine to listen to. Their paths may not be long.
    transport = "ipc" if len(str(folder)) <= _LONGEST_SOCKET_FOLDER else "tcp"
    return AsyncKernelManager(
        kernel_name="python3",
        kernel_spec_manager=ThisPython(),
        transport=transport,
        connection_file=str(folder / "kernel.json"),
    )


def _made(folder: str, name: str) -> str:
    path = Path(folder) / name
    path.mkdir()
    return str(path)


def _environment(ipython_folder: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in _UNSET}
    return kept | {
        "PYTHONHASHSEED": "0",
        "LLMCOURSE_PROGRESS": "off",
        "IPYTHONDIR": ipython_folder,
        # On small matrices a second thread brings nothing, and on a busy machine it costs ten times the time.
        "OPENBLAS_NUM_THREADS": "1",
    }


def _failure(name: str, running: list[NotebookNode], reason: str, traceback: str = "") -> ExecutionError:
    place = name
    if running:
        first_line = next((line.strip() for line in running[-1].source.splitlines() if line.strip()), "")
        place = f"{name}, cell {running[-1].get('id')} ({first_line!r})"
    return ExecutionError(_ANSI.sub("", f"{place}: {reason}\n{traceback}").strip())


def _keep_outputs_only(notebook: NotebookNode, executed: NotebookNode) -> NotebookNode:
    """Carry over outputs and execution counts only, since the run also writes versions and times into metadata."""
    result = copy.deepcopy(notebook)
    for cell, run in zip(result.cells, executed.cells, strict=True):
        if cell.cell_type == "code":
            cell.outputs = merge_streams(run.outputs)
            cell.execution_count = run.execution_count
    return result


def _this_machine() -> list[tuple[str, re.Pattern[str]]]:
    folders = {str(Path.home()), tempfile.gettempdir(), sys.prefix}
    found = [
        ("a private folder", re.compile(rf"(?<![\w<.]){re.escape(path)}\b"))
        for path in sorted(folders)
        if len(path) > 3
    ]
    host = socket.gethostname()
    if not host.isalpha():  # a plain word, such as "localhost", could be any word of a lesson
        found.append(("this machine's name", re.compile(rf"\b{re.escape(host)}\b")))
    return found


def _texts(output: NotebookNode) -> list[str]:
    """List the readable parts of an output; images and embedded files are left out."""
    data = output.get("data", {})
    parts = [value for kind, value in data.items() if not kind.startswith("image/") or kind == "image/svg+xml"]
    parts += [output.get("text", ""), output.get("evalue", ""), "\n".join(output.get("traceback", []))]
    return [_EMBEDDED.sub("", _ANSI.sub("", part if isinstance(part, str) else str(part))) for part in parts]
