"""What every test shares: a quiet, repeatable surrounding and the options of the Makefile."""

import os
from pathlib import Path

import pytest

os.environ["LLMCOURSE_PROGRESS"] = "off"
os.environ["COLUMNS"] = "200"  # read once, when a console is made: no message is broken into lines
ROOT = Path(__file__).parent.parent


def pytest_addoption(parser):
    parser.addoption("--lesson", default=None, help="test one lesson only, the checking of lessons and nothing else")


def pytest_collection_modifyitems(config, items):
    lesson = config.getoption("--lesson")
    if lesson:
        own, shared = f"tests/lessons/test_{lesson}.py", ("tests/test_lessons.py", "tests/test_notebooks.py")
        items[:] = [
            item
            for item in items
            if item.nodeid.startswith(own) or (item.nodeid.startswith(shared) and f"[{lesson}" in item.nodeid)
        ]
    if not _has_gpu():
        for item in items:
            if "gpu" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="needs a GPU"))


def _has_gpu():
    return Path("/dev/nvidiactl").exists()


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def write_lesson():
    """Write the files of a lesson from their texts."""

    def write(folder, lesson, exercises):
        (folder / "exercises").mkdir(parents=True)
        (folder / "lesson.py").write_text(lesson.lstrip(), encoding="utf-8")
        for name, text in exercises.items():
            (folder / "exercises" / f"{name}.py").write_text(text.lstrip(), encoding="utf-8")

    return write
