"""Give a learner their own copy of the notebooks and open JupyterLab on it."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from llmcourse.checking.progress import FOLDER
from llmcourse.resources import student_notebooks_folder


def copy_notebooks(folder: Path) -> tuple[list[Path], list[Path]]:
    """Copy every student notebook that is not there yet; a file that exists is never touched.

    Args:
        folder: made where it is missing; also gets a folder for the progress file.

    Returns:
        The new notebooks and the ones kept as they were.

    Raises:
        OSError: the folder cannot be written, or a file has its name.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"A folder is required for your notebooks. Received: {folder}, which is a file.")
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    new, kept = [], []
    for source in sorted(student_notebooks_folder().glob("*.ipynb")):
        target = folder / source.name
        if target.exists():
            kept.append(target)
            continue
        temporary = folder / f".{source.name}.tmp"
        shutil.copyfile(source, temporary)
        try:
            os.link(temporary, target)  # unlike a rename this fails where the name was taken meanwhile
            new.append(target)
        except FileExistsError:
            kept.append(target)
        except OSError:  # a file system without hard links
            temporary.replace(target)
            new.append(target)
        finally:
            temporary.unlink(missing_ok=True)
    return new, kept


def lab_command(folder: Path) -> list[str]:
    """Give the command that opens JupyterLab on the folder, for people to copy."""
    return ["jupyter", "lab", "--notebook-dir", str(folder)]


def open_lab(folder: Path) -> int:
    """Run JupyterLab on the folder until it is closed, and return its exit status.

    Neither JupyterLab nor the kernels that it starts look for their own modules in the folder where they are started:
    a learner's random.py there would stop them.
    """
    command = [sys.executable, "-P", "-m", "jupyterlab", *lab_command(folder.resolve())[2:]]
    return subprocess.call(command, env=os.environ | {"PYTHONSAFEPATH": "1"})


def shadows(folder: Path) -> list[tuple[Path, str]]:
    """Find files of the folder that notebooks there would import in place of a module of Python or of the course.

    Args:
        folder: where the notebooks lie.

    Returns:
        Each file or package with the name of the module that it hides.
    """
    names = set(sys.stdlib_module_names) | set(packages_distributions())
    found = {path: path.stem for path in folder.glob("*.py")}
    found |= {path.parent: path.parent.name for path in folder.glob("*/__init__.py")}
    return sorted((path, name) for path, name in found.items() if name in names)
