"""Write an nbgrader course: source notebooks with nbgrader's own markers, and its configuration."""

from collections.abc import Sequence
from pathlib import Path

from llmcourse.checking.lessons import STUB, Lesson
from llmcourse.classroom.authoring.notebooks import notebook_name, notebook_text, source_notebook
from llmcourse.files import write_atomically

CONFIG = f'''\
"""Configuration of nbgrader for llmcourse. Edit what you need: the file is written once and never overwritten."""

c = get_config()
c.CourseDirectory.course_id = "llmcourse"
# What stands between the solution markers becomes the stub of llmcourse's own student notebooks.
c.ClearSolutions.code_stub = {{"python": "{STUB}"}}
# A cell may train a network: nbgrader's own limit of 30 seconds is too short for that.
c.ExecutePreprocessor.timeout = 600
# IPython's history is a database in your home folder, which notebooks that run side by side would wait for.
c.Execute.extra_arguments = ["--HistoryManager.enabled=False"]
'''


def write_course(lessons: Sequence[Lesson], folder: Path) -> list[Path]:
    """Write source/<lesson>/<notebook> for each lesson, and nbgrader_config.py where there is none.

    Either all notebooks are written or, where one was edited, none.

    Returns:
        The files written.

    Raises:
        FileExistsError: a notebook is there already with other content.
    """
    texts = {}
    for lesson in lessons:
        path = folder / "source" / lesson.id / notebook_name(lesson.id, lesson.number)
        texts[path] = notebook_text(source_notebook(lesson))
        if path.exists() and path.read_text(encoding="utf-8", errors="replace") != texts[path]:
            raise FileExistsError(
                f"A place for a new notebook is required. Received: {path}, which is there with other content. "
                "Move it away to release the lesson anew."
            )
    written = [write_atomically(path, text) for path, text in texts.items()]
    config = folder / "nbgrader_config.py"
    if not config.exists():
        written.append(write_atomically(config, CONFIG))
    return written
