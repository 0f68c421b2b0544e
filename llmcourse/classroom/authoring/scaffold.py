"""Start a new lesson: a text and an exercise that already pass every test of a lesson, for the author to change."""

import json
import os
import shutil
from pathlib import Path

from llmcourse.checking.syllabus import is_lesson_id, parse_syllabus
from llmcourse.resources import lessons_folder

MINUTES = 30

LESSON = r'''# %% [markdown]
# # LESSON_TITLE
#
# After this lesson you can smooth a noisy curve, and you know what the smoothing costs.
#
# A loss that is measured on small batches jumps up and down. The mean over a window of neighbouring values shows where
# it is going:
#
# $$m_i = \frac{1}{w} \sum_{j=0}^{w-1} v_{i+j}$$
#
# With $N$ values and a window of $w$ there are $N - w + 1$ full windows, so that many means.

# %% tags=["nbval-ignore-output"]
import numpy as np

from llmcourse import lesson, setup

setup(seed=0)
check = lesson("LESSON_ID")

# %% [markdown]
# ## Exercise: the moving average
#
# For the values 2, 4, 9 and a window of 2 the means are 3 and 6.5.


# %% exercise="moving_average" forbid=["numpy.convolve"]
def moving_average(values, width):
    """Average every full window of neighbouring values.

    Args:
        values: float array (N,).
        width: how many values one window holds, from 1 to N.

    Returns:
        Array (N - width + 1,).
    """
    ### BEGIN SOLUTION
    starts = range(len(values) - width + 1)
    return np.array([np.mean(values[start : start + width]) for start in starts])
    ### END SOLUTION


# %% check="moving_average"
check("moving_average")

# %% [markdown]
# ## A look at what it did
#
# The smoothed curve is shorter, and its jumps are smaller.

# %% tags=["explore"]
losses = np.array([9.0, 5.0, 7.0, 3.0, 5.0, 1.0])
print("raw:     ", losses)
print("smoothed:", moving_average(losses, 2))

# %% [markdown]
# **Common mistakes.** Dividing by $N$ instead of $w$; leaving out the last window.
#
# **Summary.** A moving average trades detail for a clear direction: the wider the window, the smoother the curve and
# the later it shows a change.
'''

EXERCISE = '''\
"""Exercise `moving_average`: what a right answer must do, right answers written otherwise, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect_close, mutant


@criterion(
    points=2,
    hints=[
        "How many full windows are there for 5 values and a width of 2? Count them on paper.",
        "A window that begins at `start` holds the values `start` to `start + width - 1`.",
        "Take `values[start : start + width].mean()` for every start from 0 to `len(values) - width`.",
    ],
)
def each_entry_is_the_mean_of_its_window(student, rng):
    """Entry i is the mean of the `width` values that begin at i, for every full window."""
    count, width = int(rng.integers(11, 17)), int(rng.integers(2, 6))
    values = rng.normal(size=count)
    # Differences of running sums: another way than the solution's, so that both cannot share a mistake.
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means = (sums[width:] - sums[:-width]) / width
    expect_close(student.moving_average(values, width), means, what="moving_average(values, width)")


# --- right answers, written otherwise ---------------------------------------------------------------------------------

accepted(
    "a view of all windows",
    """
def moving_average(values, width):
    return np.lib.stride_tricks.sliding_window_view(values, width).mean(axis=1)
""",
)

# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

mutant(
    fails="each_entry_is_the_mean_of_its_window",
    why="divides by the number of values instead of the width of the window",
    source="""
def moving_average(values, width):
    starts = range(len(values) - width + 1)
    return np.array([values[start : start + width].sum() / len(values) for start in starts])
""",
)

mutant(
    fails="*",
    why="calls NumPy's own function instead of writing it",
    source="""
def moving_average(values, width):
    return np.convolve(values, np.ones(width) / width, mode="valid")
""",
)
'''

NEW_SYLLABUS = "# The one list of lessons. The order here gives the numbers in the notebooks' names.\n"


def new_lesson(id: str, folder: Path | str | None = None, title: str | None = None) -> Path:
    """Write a small complete lesson and enter it at the end of the syllabus, comments and all else untouched.

    An author changes something that works, so every mistake shows at once.

    Args:
        id: the new lesson's id: lower-case letters, digits and _, a letter first.
        folder: holds syllabus.toml and the lessons' folders; by default the course's own. Without a syllabus.toml one
            is begun.
        title: what learners read; by default made from the id.

    Returns:
        The new lesson's folder. On failure neither the folder nor the syllabus has changed.

    Raises:
        ValueError: the id or the title cannot be used, or the lesson exists.
        FileNotFoundError: `folder` is not there.
        LessonError: the syllabus has a mistake.
    """
    root = Path(folder) if folder is not None else lessons_folder()
    title = id.replace("_", " ").capitalize() if title is None else title
    _require_usable(id, title, root)
    syllabus, target = root / "syllabus.toml", root / id
    listed = _with_entry(syllabus, id, title)
    new_folder, new_syllabus = root / f".{id}.{os.getpid()}", root / f".syllabus.toml.{os.getpid()}"
    text = LESSON.replace("LESSON_ID", id).replace("LESSON_TITLE", title)
    texts = {"lesson.py": text, "exercises/moving_average.py": EXERCISE}
    try:
        (new_folder / "exercises").mkdir(parents=True)
        for name, text in texts.items():
            (new_folder / name).write_text(text, encoding="utf-8", newline="\n")
        new_syllabus.write_text(listed, encoding="utf-8", newline="\n")
        new_folder.rename(target)
        try:
            new_syllabus.replace(syllabus)
        except OSError:
            shutil.rmtree(target)
            raise
    finally:
        shutil.rmtree(new_folder, ignore_errors=True)
        new_syllabus.unlink(missing_ok=True)
    return target


def _require_usable(id: str, title: str, root: Path) -> None:
    if not is_lesson_id(id):
        raise ValueError(
            f"A lesson's id must be lower-case letters, digits and _, a letter first, 40 at most. Received: {id!r}."
        )
    if not title.strip() or not title.isprintable():
        raise ValueError(f"A lesson's title must be one line of text. Received: {title!r}.")
    if not root.is_dir():
        raise FileNotFoundError(f"The folder of the lessons must exist. Received: {root}.")
    if (root / id).exists():
        raise ValueError(f"A new lesson needs an id of its own. Received: {id!r}, and {root / id} exists.")


def _with_entry(syllabus: Path, id: str, title: str) -> str:
    """Return the syllabus's text with the new lesson at its end."""
    text = syllabus.read_text(encoding="utf-8") if syllabus.exists() else NEW_SYLLABUS
    if id in {entry.id for entry in parse_syllabus(text, syllabus)}:
        raise ValueError(f"A new lesson needs an id of its own. Received: {id!r}, which {syllabus} lists.")
    quoted = json.dumps(title, ensure_ascii=False)  # a JSON string of printable characters is a TOML string too
    entry = f'[[lesson]]\nid = "{id}"\ntitle = {quoted}\nminutes = {MINUTES}\nprerequisites = []\n'
    listed = f"{text.rstrip()}\n\n{entry}"
    parse_syllabus(listed, syllabus)
    return listed
