"""What runs beside the learner: criteria with hints, the calls to the learner's code, results and progress.

Nothing here imports Keras or TensorFlow, and nothing of the classroom side.
"""

from llmcourse.checking.check import Check, lesson
from llmcourse.checking.criteria import Answer, Criterion, accepted, criterion, mutant, mutants, replace_once
from llmcourse.checking.expectations import (
    expect,
    expect_close,
    expect_equal,
    expect_raises,
    expect_shape,
    expect_unchanged,
)
from llmcourse.checking.gradients import expect_gradients, expect_learning
from llmcourse.checking.report import Result

__all__ = [
    "Answer",
    "Check",
    "Criterion",
    "Result",
    "accepted",
    "criterion",
    "expect",
    "expect_close",
    "expect_equal",
    "expect_gradients",
    "expect_learning",
    "expect_raises",
    "expect_shape",
    "expect_unchanged",
    "lesson",
    "mutant",
    "mutants",
    "replace_once",
]
