"""Examples in docstrings are true."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import llmcourse

NAMES = [
    module.name
    for module in pkgutil.walk_packages(llmcourse.__path__, "llmcourse.")
    if module.name != "llmcourse.classroom.sandbox.worker"  # started, never imported
]


@pytest.mark.parametrize("name", ["llmcourse", *NAMES])
def test_examples_run(name):
    module = importlib.import_module(name)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.testmod(module, extraglobs={"np": np}, optionflags=flags).failed == 0
