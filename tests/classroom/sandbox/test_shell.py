"""Cells run as IPython runs them."""

import sys

import pytest

from llmcourse.checking.raised import StudentError

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


NOTATION = {
    "%matplotlib inline\nx = 2": 2,
    "!ls\nx = 3": 3,
    "x = 5\nx?": 5,
    "?help\nx = 5": 5,
    "%%time\nx = 7": 7,
    "%time x = 11": 11,
    "x = %time 6 * 7": 42,
    "%%bash\nif [ 1 ]; then echo; fi\nx=1": None,
    "%%html\n<b>no Python</b>": None,
    "%%nobody_knows_this\nno Python either": None,
    "%nobody_knows_this\nx = 13": 13,
    "display(1)\nget_ipython().run_line_magic('matplotlib', 'inline')\nx = 13": 13,
    "get_ipython().magic('time x = 17')": 17,
    "get_ipython().run_cell('%time x = 19')": 19,
    "get_ipython().events.register('post_execute', print)\nx = 23": 23,
    'x = """\n% no magic\n! neither\nwhy?\n"""': "\n% no magic\n! neither\nwhy?\n",
    "x = (17\n     % 10)": 7,
    ">>> x = 29": 29,
    "    x = 31\n    y = 1": 31,
    "%%time\n%matplotlib inline\nx = 2": 2,
    "%%time\n!echo hello\nx = 3": 3,
    "%%capture\n%pip install tqdm\nx = 5": 5,
    "%%capture\n%%time\nx = 7": 7,
    "%%time\n%%capture\n!ls\nx = 11": 11,
    "%%capture shown\nprint('hello')\nx = 13": 13,
    "import asyncio\nawait asyncio.sleep(0)\nx = 17": 17,
    "import asyncio\nx = await asyncio.sleep(0, 19)": 19,
    "%%time\nimport asyncio\nx = await asyncio.sleep(0, 23)": 23,
    "%time x = await __import__('asyncio').sleep(0, 29)": 29,
    "async def f():\n    for i in (3, 5): yield i\nx = [i async for i in f()]": [3, 5],
    "x = !echo hello; echo you": ["hello", "you"],
    "word = 'hello'\nx = !echo {word} $word": ["hello hello"],
    "names = !ls\nx = names[0]": "toy.ipynb",
    "x = !pip install tqdm": [],
    "!exit 3\nx = _exit_code": 3,
    "%%bash --out x\necho hello": "hello\n",
    "%%writefile own.py\nx = 31\n": None,
    "%%timeit\nx = 1": None,
    "t = %timeit -o 1 + 1\nx = t.loops": 1,
    "%env COLOUR=red\nimport os\nx = os.environ['COLOUR']": "red",
    "%env COLOUR=red\nx = %env COLOUR": "red",
    "%mkdir inner\nx = !ls -d inner": ["inner"],
    "import matplotlib.pyplot as plt\nplt.plot([1]); plt.show()\nx = 37": 37,
    "from IPython import get_ipython\nget_ipython().run_line_magic('load_ext', 'autoreload')\nx = 41": 41,
    "from IPython.display import HTML, display\ndisplay(HTML(''), display_id=True).update(1)\nx = 43": 43,
}


@pytest.mark.parametrize("source", NOTATION)
def test_what_a_notebook_defines_is_defined(sandbox, start, source):
    with start(sandbox, files={"toy.ipynb": "{}"}) as worker:
        worker.run("x = None\ndef what(): return [*x] if isinstance(x, list) else x")
        assert worker.run(source) is None
        assert worker.student.what() == NOTATION[source]


@pytest.mark.parametrize(
    "line", ("pwd", "ls -l /", "matplotlib inline", "time y = 3", "cd ..", "pip install x", "whos")
)
def test_a_line_may_begin_with_a_magic_without_its_sign(worker, line):
    assert worker.run(line) is None


@pytest.mark.parametrize("line", ["ls = 3", "time.time()", "run(5)", "cat[0]", "env + 1", "who"])
def test_a_line_that_only_looks_like_a_magic_is_python(worker, line):
    worker.run("import time\nrun = len\nrun = abs\ncat = [1]\nenv = 2\nwho = 7\nls = 0\ndef what(): return [ls, _]")
    assert worker.run(line) is None
    expected = {"ls = 3": [3, ""], "run(5)": [0, 5], "cat[0]": [0, 1], "env + 1": [0, 3], "who": [0, 7]}
    assert line not in expected or worker.student.what() == expected[line]


def test_the_last_values_are_kept_as_a_notebook_keeps_them(worker):
    for source in ("2 + 3", "_ * 7", "None", "11;", "x = 1"):
        assert worker.run(source) is None
    worker.run("def seen(): return [_, __, Out[1], Out[2], len(Out), In[1], In[-1]]")
    assert worker.student.seen()[:6] == [35, 5, 5, 35, 2, "2 + 3"]
    worker.run("_, y = 17, 19")
    worker.run("23")
    worker.run("def seen(): return _")
    assert worker.student.seen() == 17  # the learner's own


def test_future_imports_hold_for_later_cells(worker):
    assert worker.run("from __future__ import annotations") is None
    assert worker.run("def f(x: not_there) -> neither: return x") is None


def test_files_that_a_cell_writes_can_be_imported_and_run(worker):
    assert worker.run("%%writefile own.py\ny = 5") is None
    assert worker.run("%%file -a own.py\nz = 7") is None
    assert worker.run("from own import y\n%run own.py\ndef what(): return y * z") is None
    assert worker.student.what() == 35


def test_errors_under_magics_are_errors_with_their_line(worker):
    assert "ZeroDivisionError: division by zero (line 2 of <module>: 1 / 0)" in worker.run("%%time\nx = 1\n1 / 0")
    assert "ZeroDivisionError" in worker.run("%%capture\n%time 1 / 0")
    assert "TimeLimitError" in worker.run("%%time\nwhile True: pass", 0.3)
    worker.run("%%time\ndef f(x):\n    return x / 0")
    worker.run("%%time\ndef g(x):\n    return x")
    worker.run("def h(): return f(1)")
    with pytest.raises(StudentError, match="division by zero") as caught:
        worker.student.h()
    assert caught.value.line == "line 2 of f: return x / 0"


def test_a_syntax_error_is_pythons_own(worker):
    assert worker.run("%matplotlib inline\ndef f(:\n    pass").startswith("SyntaxError: ")
    assert "<cell 1>, line 1" in worker.run("def f(:\n    pass")
