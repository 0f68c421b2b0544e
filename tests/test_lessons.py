"""The checks of every lesson are tested too: right answers pass, empty ones earn nothing, faults are caught."""

import ast
import os
import time
from functools import cache

import pytest

from llmcourse.checking.criteria import Answer
from llmcourse.checking.lessons import load_lesson
from llmcourse.checking.run import PUBLIC_SEED
from llmcourse.checking.syllabus import load_syllabus
from llmcourse.classroom.authoring.answers import AnswerChecker, caught, known_answers

LESSONS = [entry.id for entry in load_syllabus()]
ANSWERS = [(name, answer) for name in LESSONS for answer in known_answers(load_lesson(name))]
EXERCISES = [(name, exercise) for name in LESSONS for exercise in load_lesson(name).exercises]
SEEDS = int(os.environ.get("LLMCOURSE_SEEDS", "20"))
SLOW_SEEDS = max(1, SEEDS // 20)  # what trains is trained under the public seed, too, when the notebooks are run
ENOUGH = 3  # seeds at least for an answer
SECONDS = SEEDS / 5  # of computing, after which no further seed is tried


@cache
def checker(lesson_id):
    return AnswerChecker(load_lesson(lesson_id))


def quick_criteria(lesson_id, exercise):
    return [item for item in load_lesson(lesson_id).criteria[exercise] if not item.slow]


def require_passed(lesson_id, answer, seed, slow):
    criteria = None if slow else quick_criteria(lesson_id, answer.exercise)
    outcomes = checker(lesson_id).check(answer, f"test {seed}", criteria)
    failed = [
        f"{item.name}: required {item.required}, received {item.received}" for item in outcomes if not item.passed
    ]
    assert not failed, f"seed {seed}: {'; '.join(failed)}"


def params(rows, label):
    """Name each case after its lesson."""
    return [pytest.param(*row, id=f"{row[0]}-{label(row)}") for row in rows]


def answers(*kinds):
    rows = [row for row in ANSWERS if row[1].kind in kinds]
    return params(rows, lambda row: f"{row[1].exercise}-{row[1].title}")


@pytest.mark.parametrize(("lesson_id", "exercise"), params(EXERCISES, lambda row: row[1]))
def test_the_reference_passes(lesson_id, exercise):
    reference = Answer("reference", exercise, load_lesson(lesson_id).exercises[exercise].solution)
    for seed in range(3):
        require_passed(lesson_id, reference, seed, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize(("lesson_id", "answer"), answers("reference", "accepted"))
def test_right_answers_pass_under_every_seed(lesson_id, answer):
    started = time.process_time()
    for seed in range(SEEDS):
        if seed >= ENOUGH and time.process_time() - started > SECONDS:
            break
        require_passed(lesson_id, answer, seed, slow=seed < SLOW_SEEDS)


@pytest.mark.parametrize(("lesson_id", "answer"), answers("empty"))
def test_the_empty_copy_earns_nothing(lesson_id, answer):
    outcomes = checker(lesson_id).check(answer, PUBLIC_SEED)
    assert caught(answer, outcomes)
    assert {item.status for item in outcomes} <= {"todo", "failed", "error"}


@pytest.mark.slow  # a thousand answers; `make quick LESSON=...` checks those of one lesson
@pytest.mark.parametrize(("lesson_id", "answer"), answers("mutant"))
def test_each_mutant_fails_the_criterion_it_names(lesson_id, answer):
    criteria = load_lesson(lesson_id).criteria[answer.exercise]
    if answer.fails != "*":
        criteria = [item for item in criteria if item.name == answer.fails]  # the others do not matter here
    assert criteria, f"{answer.fails} is no criterion of {answer.exercise}"
    outcomes = checker(lesson_id).check(answer, PUBLIC_SEED, criteria)
    assert caught(answer, outcomes), f"passed {[item.name for item in outcomes if item.passed]}"


@pytest.mark.parametrize(("lesson_id", "exercise"), params(EXERCISES, lambda row: row[1]))
def test_a_mutant_imports_the_answer_and_earns_nothing_where_there_is_one_to_import(lesson_id, exercise):
    if not load_lesson(lesson_id).exercises[exercise].forbid:
        pytest.skip("neither the package nor a library has this answer")
    mine = [answer for name, answer in ANSWERS if (name, answer.exercise, answer.fails) == (lesson_id, exercise, "*")]
    assert any("import" in answer.why for answer in mine)


@pytest.mark.parametrize("lesson_id", LESSONS)
def test_no_library_is_imported_only_where_the_grader_does_not_look(lesson_id):
    """The grader skips cells that only show something: an answer that uses what they import would fail there alone."""
    imported = {"explore": set(), "": set()}
    for cell in load_lesson(lesson_id).cells:
        if cell.kind == "code":
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    names = {alias.asname or alias.name.partition(".")[0] for alias in node.names}
                    imported["explore" if "explore" in cell.tags else ""] |= names
    assert imported["explore"] <= imported[""]


@pytest.mark.parametrize(("lesson_id", "exercise"), params(EXERCISES, lambda row: row[1]))
def test_every_criterion_has_hints_and_says_what_it_requires(lesson_id, exercise):
    for item in load_lesson(lesson_id).criteria[exercise]:
        assert item.requirement, f"{item.name} needs a docstring"
        assert len(item.hints) >= 2, f"{item.name} needs two hints or more"
