"""What is trained: each task is one folder here, and one line in `TASKS`.

Importing this package imports neither Keras nor TensorFlow, nor any task.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmcourse.training.task import Task

TASKS = {  # the one list: module and class of each task by the name that is typed
    "digits": "llmcourse.tasks.digits.task:Digits",
    "translation": "llmcourse.tasks.translation.task:Translation",
}


def load_task(name: str) -> "type[Task]":
    """Import a task.

    Args:
        name: one of `TASKS`.

    Returns:
        The class, whose instances are runs.

    Raises:
        ValueError: another name.
    """
    if name not in TASKS:
        raise ValueError(f"The task must be one of {', '.join(TASKS)}. Received: {name!r}.")
    module, _, kind = TASKS[name].partition(":")
    return getattr(import_module(module), kind)
