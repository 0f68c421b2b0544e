"""Cells run as IPython runs them."""

import sys

import pytest

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("%matplotlib inline\nx = 2", 2),
        ("!ls\nx = 3", 3),
        ("x = 5\nx?", 5),
        ("%%time\nx = 7", 7),
        ("%time x = 11", 11),
        ("files = !ls\nx = len(files)", 0),
        ("%%bash\necho x\nx=1", None),
        ("display(1)\nget_ipython().run_line_magic('matplotlib', 'inline')\nx = 13", 13),
        ('x = """\n% no magic\n! neither\nwhy?\n"""', "\n% no magic\n! neither\nwhy?\n"),
        ("x = (17\n     % 10)", 7),
    ],
)
def test_what_only_ipython_understands_does_no_harm(worker, source, value):
    worker.run("x = None\ndef what(): return x")
    assert worker.run(source) is None
    assert worker.student.what() == value


def test_a_syntax_error_is_pythons_own(worker):
    assert worker.run("%matplotlib inline\ndef f(:\n    pass").startswith("SyntaxError: ")
    assert "<cell 1>, line 1" in worker.run("def f(:\n    pass")
