"""One run of `llmcourse grade` from notebooks to what is said at the end."""

import pytest

from llmcourse.classroom.grading.session import Session

SLIPS = """import random, time
import numpy as np
np.random.seed = 42
random.seed = 1
time.time = 0
sum = max = 0
np.seterr(all="raise")
"""


def run(folder, tmp_path, session=None):
    session = session or Session([folder])
    steps = []
    session.run(
        tmp_path / "seed", jobs=1, threads=1, seconds=60, isolation="basic", step=lambda *step: steps.append(step)
    )
    return session, steps


@pytest.fixture
def folder(classroom, lessons, light, monkeypatch, tmp_path):
    classroom.folder = tmp_path / "class"
    classroom.folder.mkdir()
    monkeypatch.setenv("LLMCOURSE_LESSONS", str(lessons))
    return classroom.folder


def test_slips_beside_right_answers_cost_nothing_and_are_named(folder, classroom, tmp_path):
    classroom.write(classroom.notebook(), "ada__toy.ipynb")
    classroom.write(classroom.notebook(before=SLIPS), "grace__toy.ipynb")
    classroom.write(classroom.notebook(before=SLIPS, double="def double(x): return sum([x, x])"), "mary__toy.ipynb")
    session, steps = run(folder, tmp_path)
    ada, grace, mary = session.file.rows
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert (ada.score, ada.remarks) == (grace.score, ()) == (ada.max_score, ())
    assert [remark for remark in grace.remarks if "np.random.seed" in remark and "random.seed" in remark]
    assert mary.score < ada.score
    assert [remark for remark in mary.remarks if "sum is a value of its own" in remark]
    assert session.exit_status == 0
    assert list(session.complaints()) == []


def test_ctrl_c_keeps_what_is_there(folder, classroom, tmp_path, monkeypatch):
    classroom.write(classroom.notebook(), "ada__toy.ipynb")

    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("llmcourse.classroom.grading.session.grade_class", stop)
    session, _ = run(folder, tmp_path)
    assert session.exit_status == 130
    assert list(session.complaints()) == ["Stopped after 0 of 1."]
