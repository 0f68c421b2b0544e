"""The checks of every lesson are tested too: right answers pass, empty ones earn nothing, faults are caught."""

from functools import lru_cache

import pytest

from llmcourse.checking.lessons import load_lesson
from llmcourse.checking.run import PUBLIC_SEED
from llmcourse.checking.syllabus import load_syllabus
from llmcourse.classroom.answers import Answer, AnswerChecker, caught, known_answers

LESSONS = [entry.id for entry in load_syllabus()]
ANSWERS = [(name, answer) for name in LESSONS for answer in known_answers(load_lesson(name))]
EXERCISES = [(name, exercise) for name in LESSONS for exercise in load_lesson(name).exercises]
SEEDS, SLOW_SEEDS = 20, 2


@lru_cache(maxsize=2)
def checker(lesson_id):
    return AnswerChecker(load_lesson(lesson_id))


def judge(lesson_id, answer, seed=PUBLIC_SEED, slow=True):
    tool = checker(lesson_id)
    chosen = tool if slow else _without_slow(lesson_id)
    return chosen.check(answer, seed)


@lru_cache(maxsize=2)
def _without_slow(lesson_id):
    """Make a checker of the quick criteria only, sharing the reference's names."""
    import copy
    from dataclasses import replace

    tool = copy.copy(checker(lesson_id))
    quick = {id: tuple(item for item in group if not item.slow) for id, group in tool.lesson.criteria.items()}
    tool.lesson = replace(tool.lesson, criteria=quick)
    return tool


def complain(outcomes):
    return "; ".join(
        f"{item.name}: required {item.required}, received {item.received}" for item in outcomes if not item.passed
    )


def params(rows, label):
    return [pytest.param(*row, id=f"{row[0]}-{label(row)}") for row in rows]


@pytest.mark.parametrize(("lesson_id", "exercise"), params(EXERCISES, lambda row: row[1]))
def test_the_reference_passes_under_every_seed(lesson_id, exercise):
    lesson = load_lesson(lesson_id)
    reference = Answer("reference", exercise, lesson.exercises[exercise].solution)
    for seed in range(SEEDS):
        outcomes = judge(lesson_id, reference, f"test {seed}", slow=seed < SLOW_SEEDS)
        assert caught(reference, outcomes), f"seed {seed}: {complain(outcomes)}"


@pytest.mark.parametrize(
    ("lesson_id", "answer"),
    params([row for row in ANSWERS if row[1].kind == "empty"], lambda row: row[1].exercise),
)
def test_the_empty_copy_earns_nothing(lesson_id, answer):
    outcomes = judge(lesson_id, answer)
    assert caught(answer, outcomes)
    assert {item.status for item in outcomes} <= {"todo", "failed", "error"}


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
def test_every_exercise_has_a_mutant_that_imports_the_answer_and_earns_nothing(lesson_id, exercise):
    mine = [answer for name, answer in ANSWERS if (name, answer.exercise, answer.fails) == (lesson_id, exercise, "*")]
    assert any("import" in answer.why for answer in mine)


@pytest.mark.parametrize(("lesson_id", "exercise"), params(EXERCISES, lambda row: row[1]))
def test_every_criterion_has_hints_and_says_what_it_requires(lesson_id, exercise):
    for item in load_lesson(lesson_id).criteria[exercise]:
        assert item.requirement, f"{item.name} needs a docstring"
        assert len(item.hints) >= 2, f"{item.name} needs two hints or more"
