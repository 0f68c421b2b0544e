"""Examples in docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import llmcourse

NAMES = [
    module.name
    for module in pkgutil.walk_packages(llmcourse.__path__, "llmcourse.")
    if module.name != "llmcourse.classroom.worker"  # started, never imported
]


@pytest.mark.parametrize("name", ["llmcourse", *NAMES])
def test_examples_run(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).failed == 0
