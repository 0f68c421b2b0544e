"""The list of tasks, and what each of them must say."""

import inspect
import subprocess
import sys
from dataclasses import fields
from typing import get_args, get_type_hints

import pytest

from llmcourse.tasks import TASKS, load_task

LIGHT = "any(name in sys.modules for name in ('keras', 'tensorflow', 'sklearn', 'matplotlib.pyplot'))"


@pytest.mark.parametrize("name", TASKS)
def test_a_task_says_what_the_engine_and_the_command_need(name):
    task = load_task(name)
    assert task.name == name
    parameters = inspect.signature(task.configure).parameters
    hints = get_type_hints(task.configure, include_extras=True)
    for parameter in parameters.values():
        _, text = get_args(hints[parameter.name])
        assert text.endswith("."), text
        assert parameter.default is not parameter.empty
    config = task.configure().config
    assert set(task.data_options) <= {field.name for field in fields(config)}
    assert set(task.data_options) <= set(parameters)


def test_another_name_is_refused():
    with pytest.raises(ValueError, match="must be one of digits, translation.* Received: 'chess'"):
        load_task("chess")


@pytest.mark.parametrize(
    "code",
    [
        "import llmcourse.tasks, llmcourse.training",
        "import llmcourse.training.task, llmcourse.training.loop, llmcourse.training.engine",
        "from llmcourse.tasks import TASKS, load_task; [load_task(name) for name in TASKS]",
    ],
)
def test_importing_loads_no_framework(code):
    done = subprocess.run([sys.executable, "-c", f"{code}; import sys; sys.exit({LIGHT})"], check=False)
    assert done.returncode == 0
