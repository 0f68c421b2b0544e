"""Answers to the course's own lessons are graded in the sandbox as the notebook's check judges them."""

from dataclasses import replace
from itertools import zip_longest

import pytest

from llmcourse.checking.criteria import Criterion
from llmcourse.checking.lessons import load_lesson
from llmcourse.checking.run import PUBLIC_SEED
from llmcourse.checking.syllabus import load_syllabus
from llmcourse.classroom.authoring.answers import AnswerChecker, caught, known_answers
from llmcourse.classroom.grading.attempts import grade_script
from llmcourse.classroom.grading.script import reference_script
from llmcourse.classroom.sandbox.limits import Limits

pytestmark = pytest.mark.slow
LIMITS = Limits(cell_seconds=600.0, seconds=3000.0)  # a busy machine must not decide


@pytest.mark.parametrize("lesson_id", [entry.id for entry in load_syllabus()])
def test_right_answers_earn_all_points_under_a_secret_seed(lesson_id, sandbox, monkeypatch):
    """The reference comes first, then notebooks that hold another right answer to each exercise, without trainings."""
    monkeypatch.setattr(Criterion, "seconds_allowed", 600.0)
    lesson = load_lesson(lesson_id)
    quick = {id: tuple(item for item in criteria if not item.slow) for id, criteria in lesson.criteria.items()}
    right = [[answer for answer in answers if answer.kind == "accepted"] for answers in lesson.answers.values()]
    for turn, answers in enumerate([(), *zip_longest(*right)]):
        exercises = dict(lesson.exercises)
        for answer in filter(None, answers):
            task = exercises[answer.exercise]
            exercises[task.id] = replace(task, solution=f"{task.solution}\n\n\n{answer.source}")
        notebook = replace(lesson, exercises=exercises, criteria=quick if turn else lesson.criteria)
        first = next(iter(exercises))
        script = reference_script(notebook, first, exercises[first].solution)
        results = grade_script(notebook, script, sandbox, f"{turn:064x}", LIMITS).results()
        assert [result.id for result in results] == list(exercises)
        titles = {answer.exercise: answer.title for answer in filter(None, answers)}
        lost = [
            f"{titles.get(result.id, 'the reference')}: {item.name}: {item.required}, {item.received}"
            for result in results
            for item in result.outcomes
            if not item.passed
        ]
        assert not lost, "\n".join(lost)


def test_wrong_answers_earn_in_the_sandbox_what_they_earn_in_the_notebook(sandbox, monkeypatch):
    monkeypatch.setattr(Criterion, "seconds_allowed", 600.0)
    lesson = load_lesson("mlp")
    checker = AnswerChecker(lesson)
    wrong = {answer.exercise: answer for answer in known_answers(lesson) if answer.kind == "mutant"}
    for id, answer in wrong.items():
        script = reference_script(lesson, id, answer.source)
        (graded,) = grade_script(lesson, script, sandbox, PUBLIC_SEED, LIMITS, only=[id]).results()
        own = checker.check(answer)
        assert [(item.name, item.points) for item in graded.outcomes] == [(item.name, item.points) for item in own]
        assert caught(answer, list(graded.outcomes)), answer.title
