"""`llmcourse bench`: the benchmarks of a source checkout, found and started."""

import ast
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import llmcourse


def benchmarks_folder() -> Path:
    """Find the folder `benchmarks` beside the package.

    Raises:
        FileNotFoundError: the package is installed without its sources.
    """
    checkout = Path(llmcourse.__file__).resolve().parent.parent
    if not ((checkout / "pyproject.toml").is_file() and (checkout / "benchmarks").is_dir()):
        raise FileNotFoundError(
            "llmcourse bench needs a checkout of the sources, since an installed package has no benchmarks: clone the "
            f"repository and install it with pip install --editable. Received: no folder {checkout / 'benchmarks'}."
        )
    return checkout / "benchmarks"


def list_benchmarks() -> dict[str, str]:
    """Return the first line of the docstring of each benchmark, by name; none of them is imported."""
    return {
        path.stem: (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
        for path in sorted(benchmarks_folder().glob("*.py"))
        if not path.stem.startswith("_")
    }


def run_benchmark(name: str, arguments: Sequence[str]) -> int:
    """Run a benchmark as a program of its own; what it prints is printed.

    Args:
        name: one of `list_benchmarks`.
        arguments: its own words.

    Returns:
        Its exit status.

    Raises:
        ValueError: there is no such benchmark.
    """
    known = list_benchmarks()
    if name not in known:
        raise ValueError(f"The benchmark must be one of {', '.join(known)}. Received: {name!r}.")
    return subprocess.run([sys.executable, benchmarks_folder() / f"{name}.py", *arguments], check=False).returncode
