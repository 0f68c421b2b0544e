"""The checks of every lesson are tested too: right answers pass, empty ones earn nothing, faults are caught."""

from dataclasses import replace
from functools import lru_cache

import pytest

from llmcourse.checking.lessons import load_lesson
from llmcourse.checking.run import PUBLIC_SEED
from llmcourse.checking.syllabus import load_syllabus
from llmcourse.classroom.authoring.answers import Answer, AnswerChecker, caught, known_answers

LESSONS = [entry.id for entry in load_syllabus()]
ANSWERS = [(name, answer) for name in LESSONS for answer in known_answers(load_lesson(name))]
EXERCISES = [(name, exercise) for name in LESSONS for exercise in load_lesson(name).exercises]
SEEDS, SLOW_SEEDS = 20, 2


@lru_cache(maxsize=1)
def checker(lesson_id):
    return AnswerChecker(load_lesson(lesson_id))


def judge(lesson_id, answer, seed=PUBLIC_SEED, slow=True):
    tool = checker(lesson_id)
    whole = tool.lesson
    if not slow:
        quick = {id: tuple(item for item in group if not item.slow) for id, group in whole.criteria.items()}
        tool.lesson = replace(whole, criteria=quick)
    try:
        return tool.check(answer, seed)
    finally:
        tool.lesson = whole


def reference(lesson_id, exercise):
    return Answer("reference", exercise, load_lesson(lesson_id).exercises[exercise].solution)


def require_passed(lesson_id, exercise, seed, slow):
    outcomes = judge(lesson_id, reference(lesson_id, exercise), f"test {seed}", slow)
    failed = [
        f"{item.name}: required {item.required}, received {item.received}" for item in outcomes if not item.passed
    ]
    assert not failed, f"seed {seed}: {'; '.join(failed)}"


def params(rows, label):
    """Name each case after its lesson."""
    return [pytest.param(*row, id=f"{row[0]}-{label(row)}") for row in rows]


@pytest.mark.parametrize(("lesson_id", "exercise"), params(EXERCISES, lambda row: row[1]))
def test_the_reference_passes(lesson_id, exercise):
    for seed in range(3):
        require_passed(lesson_id, exercise, seed, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize(("lesson_id", "exercise"), params(EXERCISES, lambda row: row[1]))
def test_the_reference_passes_under_every_seed(lesson_id, exercise):
    for seed in range(SEEDS):
        require_passed(lesson_id, exercise, seed, slow=seed < SLOW_SEEDS)


@pytest.mark.parametrize(
    ("lesson_id", "answer"),
    params([row for row in ANSWERS if row[1].kind == "empty"], lambda row: row[1].exercise),
)
def test_the_empty_copy_earns_nothing(lesson_id, answer):
    outcomes = judge(lesson_id, answer)
    assert caught(answer, outcomes)
    assert {item.status for item in outcomes} <= {"todo", "failed", "error"}


@pytest.mark.slow  # a thousand answers; `make quick LESSON=...` checks those of one lesson
@pytest.mark.parametrize(
    ("lesson_id", "answer"),
    params([row for row in ANSWERS if row[1].kind == "mutant"], lambda row: f"{row[1].exercise}-{row[1].why}"),
)
def test_each_mutant_fails_the_criterion_it_names(lesson_id, answer):
    outcomes = judge(lesson_id, answer)
    names = {item.name for item in outcomes}
    assert answer.fails in names | {"*"}, f"{answer.fails} is no criterion of {answer.exercise}: {sorted(names)}"
    assert caught(answer, outcomes), f"passed {[item.name for item in outcomes if item.passed]}"


@pytest.mark.parametrize(("lesson_id", "exercise"), params(EXERCISES, lambda row: row[1]))
def test_a_mutant_imports_the_answer_and_earns_nothing_where_there_is_one_to_import(lesson_id, exercise):
    if not load_lesson(lesson_id).exercises[exercise].forbid:
        pytest.skip("neither the package nor a library has this answer")
    mine = [answer for name, answer in ANSWERS if (name, answer.exercise, answer.fails) == (lesson_id, exercise, "*")]
    assert any("import" in answer.why for answer in mine)


@pytest.mark.parametrize(("lesson_id", "exercise"), params(EXERCISES, lambda row: row[1]))
def test_every_criterion_has_hints_and_says_what_it_requires(lesson_id, exercise):
    for item in load_lesson(lesson_id).criteria[exercise]:
        assert item.requirement, f"{item.name} needs a docstring"
        assert len(item.hints) >= 2, f"{item.name} needs two hints or more"
