"""Write an nbgrader course: source notebooks with nbgrader's own markers, and its configuration."""

from collections.abc import Sequence
from pathlib import Path

from llmcourse.checking.lessons import Lesson
from llmcourse.classroom.notebooks import notebook_name, notebook_text, source_notebook
from llmcourse.files import write_atomically

CONFIG = '''\
"""Configuration of nbgrader for llmcourse. Edit what you need: the file is written once and never overwritten."""

c = get_config()
c.CourseDirectory.course_id = "llmcourse"
# A cell may train a network: nbgrader's own limit of 30 seconds is too short for that.
c.ExecutePreprocessor.timeout = 600
# The exercises' stubs, as llmcourse writes them.
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError  # your code here"}
# Demonstration cells may fail while an exercise is open; a submission is graded to its end.
c.ExecutePreprocessor.allow_errors = True
'''


def write_course(lessons: Sequence[Lesson], folder: Path) -> list[Path]:
    """Write source/<lesson>/<notebook> for each lesson, and nbgrader_config.py where there is none.

    Returns:
        The files written.
    """
    written = []
    for lesson in lessons:
        name = notebook_name(lesson.id, lesson.number)
        written.append(write_atomically(folder / "source" / lesson.id / name, notebook_text(source_notebook(lesson))))
    config = folder / "nbgrader_config.py"
    if not config.exists():
        written.append(write_atomically(config, CONFIG))
    return written
