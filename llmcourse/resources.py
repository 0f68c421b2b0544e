"""Where the lessons and the student notebooks are: inside an installed package, or beside it in a checkout.

The environment variable LLMCOURSE_LESSONS names another folder of lessons, such as a teacher's own; so a notebook finds
in its kernel the same lessons that it was built from.
"""

import os
from importlib.resources import files
from pathlib import Path


def lessons_folder() -> Path:
    """Find the folder that holds syllabus.toml and one folder for each lesson.

    A wheel carries the lessons inside the package; in an editable checkout they lie in the repository's root, where
    authors edit them. LLMCOURSE_LESSONS wins over both.

    Returns:
        The folder's path.

    Raises:
        FileNotFoundError: no place holds it.
    """
    named = os.environ.get("LLMCOURSE_LESSONS")
    if named:
        folder = Path(named).expanduser()
        if not (folder / "syllabus.toml").is_file():
            raise FileNotFoundError(
                f"The environment variable LLMCOURSE_LESSONS must name a folder with syllabus.toml. Received: {named}."
            )
        return folder
    return _find("lessons", holds="syllabus.toml")


def student_notebooks_folder() -> Path:
    """Find the folder with the notebooks that learners start from: solutions removed, no outputs.

    Returns:
        The folder's path.

    Raises:
        FileNotFoundError: neither the package nor the checkout holds it.
    """
    return _find("notebooks/student", holds="*.ipynb")


def _find(relative: str, holds: str) -> Path:
    """Return the first place that has the folder with a file matching `holds` in it."""
    package = Path(str(files("llmcourse")))
    places = [package / relative]
    # A folder named "lessons" in site-packages would be another project's; a checkout has pyproject.toml beside us.
    if (package.parent / "pyproject.toml").is_file():
        places.append(package.parent / relative)
    for place in places:
        if place.is_dir() and any(place.glob(holds)):
            return place
    looked = " and ".join(str(place) for place in places)
    raise FileNotFoundError(
        f"llmcourse needs its folder {relative} with {holds} in it; install it again, or run `llmcourse build` "
        f"in a checkout. Received: no such folder at {looked}."
    )
