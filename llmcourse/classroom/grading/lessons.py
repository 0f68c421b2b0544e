"""The lessons that a class is graded by, and which of them a notebook belongs to."""

import threading
from collections import Counter
from pathlib import Path

from llmcourse.checking.lessons import Lesson, load_lesson
from llmcourse.checking.syllabus import load_syllabus
from llmcourse.classroom.grading.notebook_file import NotebookFile
from llmcourse.classroom.grading.script import count_exercises


class Lessons:
    """Keeps the lessons as they were when first read: a learner's code that changes their files changes nothing.

    Args:
        folder: a folder of lessons in place of the built-in one.
    """

    def __init__(self, folder: Path | None = None):
        self.known = [entry.id for entry in load_syllabus(folder)]
        self._folder, self._lock = folder, threading.Lock()
        self._lessons: dict[str, Lesson] = {}

    def __getitem__(self, id: str) -> Lesson:
        with self._lock:
            if id not in self._lessons:
                self._lessons[id] = load_lesson(id, self._folder)
            return self._lessons[id]

    def named_in(self, notebook: NotebookFile) -> str:
        """Give the lesson that a notebook's metadata name; "" where they name none that there is."""
        return next((id for id in notebook.lessons if id in self.known), "")

    def recognised_in(self, notebook: NotebookFile) -> Counter[str]:
        """Count for each lesson the exercises that a notebook answers, known by ids and by the names they define."""
        return +Counter({id: count_exercises(self[id], notebook.cells) for id in self.known})
