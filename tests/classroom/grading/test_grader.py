"""Grading whole notebooks: whatever a notebook holds, the answer is a row, and the next one is graded as ever."""

import _thread
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from llmcourse.checking import time_limit
from llmcourse.checking.criteria import Criterion
from llmcourse.checking.run import PUBLIC_SEED
from llmcourse.classroom.authoring.answers import AnswerChecker, caught, known_answers
from llmcourse.classroom.grading import grader as graders
from llmcourse.classroom.grading import lessons as lesson_stores
from llmcourse.classroom.grading.attempts import grade_script
from llmcourse.classroom.grading.grader import grade_class
from llmcourse.classroom.grading.lessons import Lessons
from llmcourse.classroom.grading.script import reference_script
from llmcourse.classroom.sandbox import channel
from llmcourse.classroom.sandbox import limits as limit_module
from llmcourse.classroom.sandbox.limits import Limits

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
DOUBLE = "def double(x):\n    "


def errors(row, exercise):
    (item,) = [item for item in row.exercises if item.id == exercise]
    return " | ".join(outcome.received for outcome in item.outcomes if not outcome.passed)


# --- right answers ----------------------------------------------------------------------------------------------------


def test_the_reference_earns_everything_hidden_criteria_too(classroom):
    row = classroom.grade()
    assert (row.score, row.max_score, row.status, row.message, row.remarks) == (9.5, 9.5, "ok", "", ())
    assert (row.student, row.lesson, row.isolation) == ("ada", "toy", "basic")
    assert 0 < row.cpu_seconds < 30 > row.seconds > 0


def test_the_untouched_copy_earns_nothing(classroom):
    row = classroom.grade(classroom.empty)
    assert (row.score, row.max_score, row.status) == (0, 9.5, "ok")
    assert "not written yet" in errors(row, "double")


@pytest.mark.parametrize("number", range(7))
def test_each_known_answer_earns_what_the_notebooks_own_check_gives(number, toy, sandbox, short, monkeypatch):
    monkeypatch.setenv("LLMCOURSE_LESSONS", str(toy.folder.parent))
    checker, answers = AnswerChecker(toy), known_answers(toy)
    for answer in answers[number::7]:
        script = reference_script(toy, answer.exercise, answer.source)
        graded = grade_script(toy, script, sandbox, PUBLIC_SEED, Limits(), only=[answer.exercise]).results()
        outcomes, own = list(graded[0].outcomes), checker.check(answer)
        assert [(o.name, o.points, o.received) for o in outcomes] == [(o.name, o.points, o.received) for o in own]
        assert caught(answer, outcomes)


def test_another_seed_asks_other_questions_and_the_same_seed_the_same(classroom):
    wrong = {"shift": "def shift(x): return x"}
    first, again, other = (classroom.grade(seed=seed, **wrong) for seed in ("a" * 64, "a" * 64, "b" * 64))
    assert errors(first, "shift") == errors(again, "shift") != errors(other, "shift")


# --- wrong answers, each with its own message -------------------------------------------------------------------------

WRONG = {
    "a syntax error": (DOUBLE + "return (x", "ok", "the cell failed: SyntaxError: '(' was never closed"),
    "a wrong signature": ("def double(): return 1", "ok", "TypeError: double() takes 0 positional arguments but 1"),
    "not a function": ("double = 3", "ok", "double must be a function or a class. Received: int"),
    "a wrong type": (DOUBLE + "return {'twice': x}", "ok", "dict of length 1"),
    "a type that cannot cross": (DOUBLE + "return {1, 2}", "ok", "A value must be None, a number"),
    "no return": (DOUBLE + "2 * x", "ok", "Is the `return` missing?"),
    "NaN": (DOUBLE + "return x * np.nan", "ok", "15 of 15 values are NaN"),
    "a wrong shape": (DOUBLE + "return np.ones((2, 7))", "ok", "shape (2, 7)"),
    "an object array": (DOUBLE + "return np.array([x, None], dtype=object)", "ok", "Received: dtype object"),
    "too much": (DOUBLE + "return np.zeros(2**28, dtype='?')", "ok", "A value must be smaller than 256 MB"),
    "a text without end": (DOUBLE + "return 'x' * 2**25", "ok", "Text and lists must be smaller than 16 MB"),
    "a number without end": (DOUBLE + "return 1 << 10**6", "ok", "Exceeds the limit"),
    "characters that do not exist": (
        DOUBLE + "a = np.array(['x']); a.view('u4')[:] = 2**31 - 1; return [a]",
        "ok",
        "a list that cannot be shown",
    ),
    "lone surrogates": (
        DOUBLE + "raise ValueError('\\ud800 \\x1b[2J\\x1b[1;31m\\x1b[0m \\u202e')",
        "ok",
        r"\ud800  \u202e",
    ),
    "a deep list": (DOUBLE + "y = []\n    for _ in range(99): y = [y]\n    return y", "ok", "at most 24 deep"),
    "another's words": (DOUBLE + "raise Exception('x' * 10**8)", "ok", "Exception: xxx"),
    "an endless loop": (
        DOUBLE + "while True: pass",
        "timeout",
        "TimeLimitError: not finished after 1 seconds of computing",
    ),
    "an endless cell": ("while True: pass", "timeout", "the cell failed: TimeLimitError"),
    "swallowed interrupts": (
        DOUBLE + "for _ in iter(int, 1):\n        try: spin()\n        except BaseException: pass\n"
        "def spin():\n    for _ in iter(int, 1): pass",
        "timeout",
        "this exercise did not stop after 1 seconds of computing and was ended",
    ),
    "sys.exit": ("import sys\n" + DOUBLE + "sys.exit(5)", "ok", "SystemExit: 5"),
    "os._exit": ("import os\n" + DOUBLE + "os._exit(5)", "crashed", "ended its process (exit status 5)"),
    "os._exit in the cell": ("import os\nos._exit(5)", "crashed", "ended its process (exit status 5)"),
    "a crash": ("import ctypes\n" + DOUBLE + "ctypes.string_at(0)", "crashed", "signal SIGSEGV"),
    "memory": (DOUBLE + "return bytearray(10**11)", "memory", "MemoryError"),
    "recursion": (DOUBLE + "return double(x)", "ok", "RecursionError"),
    "a demonstration's name": (
        DOUBLE + "return 2 * x + from_the_demonstration",
        "ok",
        "Only a demonstration cell defines from_the_demonstration, and the grader does not run those.",
    ),
    "a forbidden function": (
        "import operator\n" + DOUBLE + "return operator.mul(2, x)",
        "ok",
        "your code calls operator.mul",
    ),
    "nothing": ("", "ok", "double is not defined anywhere in this notebook"),
}


@pytest.fixture
def patient(monkeypatch, classroom):
    """Give code that ends by itself the time it needs on a busy machine."""
    monkeypatch.setattr(Criterion, "seconds_allowed", 30.0)
    classroom.limits = replace(classroom.limits, cell_seconds=30.0, seconds=120.0)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_costs_its_own_points_and_says_why(name, classroom, request):
    source, status, said = WRONG[name]
    if status != "timeout":
        request.getfixturevalue("patient")
    row = classroom.grade(double=source)
    assert said in errors(row, "double")
    assert classroom.points(row) == {"double": 0, "shift": 2, "slope": 4.5}
    assert row.status == status
    assert len(json.dumps(row.as_json())) < 20_000
    assert classroom.grade().score == 9.5


RIGHT = {
    "200 MB on one line": DOUBLE + "print('x' * 200_000_000)\n    return 2 * x",
    "a thread left running": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\n"
    + DOUBLE
    + "return 2 * x",
    "magic": "%matplotlib inline\n!echo x\n" + DOUBLE + "return 2 * x\ndouble?",
    "timed": "%%time\n" + DOUBLE + "return 2 * x",
    "handlers": "import atexit, signal, os\natexit.register(os.abort)\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    + DOUBLE
    + "return 2 * x",
    "garbage": "import gc\ngc.disable()\ngc.unfreeze()\n" + DOUBLE + "return 2 * x",
    "a plot": "import matplotlib.pyplot as plt\n" + DOUBLE + "plt.plot([1, 2]); plt.show(); display(1); return 2 * x",
    "a tracer": "import sys\nsys.settrace(lambda *rest: None)\n" + DOUBLE + "return 2 * x",
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.usefixtures("patient")
def test_what_disturbs_nothing_costs_nothing(name, classroom):
    row = classroom.grade(double=RIGHT[name])
    assert (row.score, row.status) == (9.5, "ok")


SABOTAGE = {
    "closed files": "import os\nos.closerange(0, 999)",
    "broken built-ins": "import builtins\nbuiltins.len = builtins.isinstance = builtins.type = None",
    "broken NumPy": "np.asarray = np.frombuffer = np.lib.format.write_array = None",
    "broken JSON": "import json\njson.dumps = json.loads = lambda *a, **k: 'null'",
    "broken course": "import llmcourse.checking.host as h\nh.Host.answer = lambda *a: b'garbage'",
    "a stopped process": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "a tracer that raises": "import sys\nsys.setprofile(lambda *rest: 1 / 0)\nsys.settrace(lambda *rest: 1 / 0)",
    "no recursion": "import sys\nsys.setrecursionlimit(50)",
    "frames": "import os\nfor n in range(3, 99):\n    try: os.write(n, b'R' + bytes(8))\n    except OSError: pass",
    "a killed supervisor": "import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(9)",
    "a killed group": "import os, time\nos.killpg(0, 9)",
}


@pytest.mark.parametrize("name", SABOTAGE)
def test_sabotage_harms_nobody_else(name, classroom):
    row = classroom.grade(double=f"{SABOTAGE[name]}\ndef double(x): return 2 * x")
    assert 0 <= row.score <= 9.5
    assert "the grader itself failed" not in row.message
    json.dumps(row.as_json(), allow_nan=False)
    assert classroom.grade().score == 9.5


def test_a_crash_costs_one_exercise_and_the_rest_is_run_again(classroom):
    row = classroom.grade(double="import os\ndef double(x): os._exit(3)", shift="import os\nos._exit(4)")
    assert classroom.points(row) == {"double": 0, "shift": 0, "slope": 4.5}
    assert row.message == "cell 6 ended its process (exit status 4); double ended its process (exit status 3)"
    assert row.status == "crashed"


def test_a_cell_of_the_learners_own_that_crashes_is_left_out_too(classroom):
    row = classroom.grade(before="import os\nos._exit(3)", after="undefined_name")
    assert (row.score, row.status) == (9.5, "crashed")
    (remark,) = row.remarks
    assert remark.startswith("cell 10 failed: NameError: name 'undefined_name' is not defined (line 1")


def test_the_worst_that_happened_is_the_status(classroom):
    leave, eat = "import os\ndef double(x): os._exit(3)", "def shift(x): return bytearray(10**11)"
    assert classroom.grade(double=leave, shift=eat).status == "memory"


def test_an_exercise_that_an_endless_callback_calls_is_stopped(classroom, monkeypatch):
    monkeypatch.setattr("llmcourse.checking.student.MAX_CALLBACKS", 10**9)  # the time ends it, however fast the machine
    row = classroom.grade(slope="def slope(f, x):\n    while True: f(x)")
    assert classroom.points(row) == {"double": 3, "shift": 2, "slope": 0}
    assert row.status == "timeout"


def test_a_worker_that_dies_while_callbacks_run_is_lost(classroom):
    source = (
        "import os, threading\ndef slope(f, x):\n    threading.Timer(0.1, os._exit, (7,)).start()\n    while True: f(x)"
    )
    row = classroom.grade(slope=source)
    assert classroom.points(row) == {"double": 3, "shift": 2, "slope": 0}
    assert row.message == "slope ended its process (exit status 7)"


def test_more_calls_than_allowed_are_refused(classroom, monkeypatch):
    monkeypatch.setattr("llmcourse.checking.student.MAX_CALLBACKS", 5)
    row = classroom.grade(slope="def slope(f, x):\n    return sum(f(x) for _ in range(6))")
    assert "at most 5 times in one check" in errors(row, "slope")


@pytest.mark.usefixtures("patient")
def test_the_time_of_a_whole_submission_ends_it_with_what_it_has(classroom):
    """The third exercise is reached with no time left; so would be any that the machine's load made slow."""
    limits = Limits(cell_seconds=30.0, seconds=3.0)
    row = classroom.grade(limits=limits, shift="def shift(x):\n    while True: pass")
    assert classroom.points(row) == {"double": 3, "shift": 0, "slope": 0}
    assert row.status == "timeout"
    assert "the whole submission took more than 3 seconds of computing" in errors(row, "slope")
    assert classroom.grade().score == 9.5


@pytest.mark.usefixtures("patient")
def test_a_submission_that_only_sleeps_has_an_end_too(classroom, monkeypatch):
    for module in (time_limit, channel, limit_module):
        monkeypatch.setattr(module, "PATIENCE", 2.0)
    limits = Limits(cell_seconds=30.0, seconds=3.0)
    row = classroom.grade(limits=limits, slope="import time\ndef slope(f, x): time.sleep(600)")
    assert classroom.points(row)["slope"] == 0
    assert row.status == "timeout"
    assert "seconds by the clock" in errors(row, "slope")


def test_an_answer_that_only_a_demonstration_holds_is_told_so(classroom):
    notebook = classroom.notebook(double="", after=classroom.toy.exercises["double"].solution)
    notebook["cells"][-1]["metadata"] = {"tags": ["explore"]}
    assert "Only a demonstration cell defines double" in errors(classroom.grade(notebook), "double")


def test_all_metadata_stripped_cells_moved_and_doubled_cost_nothing(classroom):
    notebook = classroom.notebook()
    cells = [cell | {"metadata": {}, "id": f"x{number}"} for number, cell in enumerate(notebook["cells"])]
    assert classroom.grade(notebook | {"cells": cells, "metadata": {}}).score == 9.5
    cells = notebook["cells"][::-1] + notebook["cells"]
    assert classroom.grade(notebook | {"cells": cells}).score == 9.5


def test_a_deleted_exercise_costs_its_own_points(classroom):
    notebook = classroom.notebook()
    notebook["cells"] = [cell for cell in notebook["cells"] if cell.get("id") not in ("toy-double", "toy-double-check")]
    row = classroom.grade(notebook)
    assert classroom.points(row) == {"double": 0, "shift": 2, "slope": 4.5}
    assert row.remarks == ("double was not found",)


def test_several_answers_in_one_cell_are_found_there(classroom):
    notebook = classroom.notebook(shift="", slope="")
    both = "\n".join(classroom.toy.exercises[id].solution for id in ("shift", "slope"))
    notebook["cells"] = [cell for cell in notebook["cells"] if cell.get("id") not in ("toy-shift", "toy-slope")]
    for cell in notebook["cells"]:
        if cell.get("id") == "toy-double":
            cell["source"] += "\n" + both
    row = classroom.grade(notebook)
    assert (row.score, row.status) == (9.5, "ok")
    assert row.remarks == (
        "shift was found by the names that its cell defines",
        "slope was found by the names that its cell defines",
    )


HIDDEN = {
    "in a condition": "if True:\n    def double(x): return 2 * x",
    "by assignment to several": "double, other = (lambda x: 2 * x), None",
    "by a loop": "for double in [lambda x: 2 * x]: pass",
    "in a file of its own": "%%writefile own.py\ndef double(x): return 2 * x",
    "in a file that a shell writes": "%%bash\ncat > own.py << END\ndef double(x): return 2 * x\nEND",
    "as a name of the module": "globals()['double'] = lambda x: 2 * x",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_an_answer_that_no_cell_seems_to_hold_is_not_called_missing_beside_its_points(classroom, name):
    notebook = classroom.notebook(before=HIDDEN[name])
    notebook["cells"] = [cell for cell in notebook["cells"] if cell.get("id") != "toy-double"]
    if "file" in name:
        notebook["cells"].insert(1, {"cell_type": "code", "source": "from own import double", "metadata": {}})
    row = classroom.grade(notebook)
    assert (row.score, row.remarks) == (9.5, ())


def test_an_exercise_that_is_there_and_wrong_is_not_called_missing(classroom):
    notebook = classroom.notebook(before="globals()['double'] = lambda x: 3 * x")
    notebook["cells"] = [cell for cell in notebook["cells"] if cell.get("id") != "toy-double"]
    row = classroom.grade(notebook)
    assert (classroom.points(row)["double"], row.remarks) == (1, ())


@pytest.mark.parametrize(
    "own", ["NotImplementedError", "MissingNameError", "TimeLimitError", "MemoryError", "Undefined"]
)
def test_an_error_is_known_by_what_it_is_and_not_by_its_name(classroom, own):
    source = f"class {own}(NameError): pass\ndef double(x): raise {own}('double is not defined')"
    row = classroom.grade(double=source)
    assert row.status == "ok"
    assert f"{own}: double is not defined (line 2 of double: def double(x): raise {own}(" in errors(row, "double")
    assert "anywhere" not in errors(row, "double")


def test_memory_that_numpy_does_not_get_is_memory(classroom):
    row = classroom.grade(double="def double(x): return np.zeros(10**12)")
    assert row.status == "memory"


def test_an_answer_that_calls_one_that_is_not_written_says_which(classroom):
    stub = "def halve(x):\n    raise NotImplementedError  # your code here"
    row = classroom.grade(before=stub, double="def double(x): return 4 * halve(x)")
    assert "halve is not written yet" in errors(row, "double")
    row = classroom.grade(double="def double(x): raise NotImplementedError('no negative numbers')")
    assert "NotImplementedError: no negative numbers (line 1 of double" in errors(row, "double")


def test_hints_are_for_answers_that_were_tried(classroom):
    def hints(row):
        return {item["hint"] for item in row.as_json()["exercises"][0]["criteria"]}

    assert hints(classroom.grade(double="def double(x): return 3 * x")) == {"", "What is twice 3?"}
    assert hints(classroom.grade(double="def double(x): raise NotImplementedError")) == {""}
    assert hints(classroom.grade(double="import os\nos._exit(3)")) == {""}


# --- what cannot be graded --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "a notebook is a JSON file"),
        ("[" * 100_000, "nested too deeply"),
        ('{"nbformat": 3}', "notebook format 4 is required"),
    ],
)
def test_an_invalid_notebook_has_a_row_with_no_points(content, said, classroom):
    row = classroom.grade(content)
    assert (row.status, row.score, row.max_score) == ("invalid", 0, 9.5)
    assert said in row.message
    assert classroom.grade().score == 9.5


def test_a_notebook_without_cells_earns_nothing(classroom):
    row = classroom.grade({"nbformat": 4, "cells": []})
    assert (row.score, row.max_score, row.status) == (0, 9.5, "invalid")
    assert row.message == "it holds no exercise of lesson toy, nor of another one."
    row = classroom.grade({"nbformat": 4, "cells": [], "metadata": {"llmcourse": {"lesson": "toy"}}})
    assert (row.score, row.max_score, row.status) == (0, 9.5, "ok")
    assert row.remarks[-1] == "no exercise of lesson toy was found"
    assert not [remark for remark in row.remarks if "double" in remark]


def test_a_missing_file_and_an_unknown_lesson_have_rows(classroom):
    row = classroom.grade(classroom.folder / "nowhere.ipynb")
    assert (row.status, row.message) == ("invalid", "the file cannot be read: No such file or directory.")
    (classroom.folder / "closed").mkdir()
    row = classroom.grade(classroom.folder / "closed")
    assert (row.status, row.message) == ("invalid", "the folder cannot be read: Is a directory.")
    row = classroom.grade(lesson="rnn")
    assert (row.status, row.exercises) == ("invalid", ())
    assert "the lesson must be one of toy" in row.message
    assert "Received: 'rnn'" in row.message


def test_a_fault_of_the_grader_itself_is_a_row(classroom, monkeypatch):
    monkeypatch.setattr(graders, "read_script", lambda *rest: 1 / 0)
    row = classroom.grade()
    assert (row.status, row.score, row.max_score) == ("crashed", 0, 9.5)
    assert row.message == "the grader itself failed: ZeroDivisionError: division by zero"


def test_a_lesson_that_breaks_while_a_class_is_graded_is_a_row(classroom, monkeypatch):
    def broken(*arguments):
        raise ValueError("relu.py must run without an error")

    monkeypatch.setattr(lesson_stores, "load_lesson", broken)
    row = classroom.grade()
    assert (row.status, row.exercises) == ("crashed", ())
    assert "relu.py must run" in row.message


# --- a class ----------------------------------------------------------------------------------------------------------


def a_class(classroom, **answers):
    paths = [
        (name, classroom.write(classroom.notebook(**given), f"{name}__toy.ipynb")) for name, given in answers.items()
    ]
    return [classroom.submission(path, name) for name, path in paths]


def test_a_class_is_graded_in_order_several_at_a_time(classroom, lessons, light):
    wrong, crash = {"shift": "def shift(x): return x"}, {"double": "import os\nos.kill(os.getppid(), 9)\nos._exit(1)"}
    submissions = a_class(classroom, a={}, b=crash, c=wrong, d={}, e=crash, f={})
    done = []
    rows = grade_class(submissions, classroom.lessons, "a" * 64, jobs=3, limits=classroom.limits, done=done.append)
    assert [row.student for row in rows] == list("abcdef")
    assert [row.score for row in rows] == [9.5, 6.5, 7.5, 9.5, 6.5, 9.5]
    assert sorted(row.student for row in done) == list("abcdef")


@linux
def test_a_fork_server_that_dies_in_the_middle_is_replaced_and_the_class_goes_on(classroom, lessons, light):
    attack = """
import os, time
server = int(open(f"/proc/{os.getppid()}/stat").read().rpartition(")")[2].split()[1])
os.kill(server, 9)
os.kill(os.getppid(), 9)
time.sleep(9)
"""
    submissions = a_class(classroom, a={}, b={"double": attack}, c={}, d={})
    rows = grade_class(submissions, classroom.lessons, "a" * 64, jobs=1, limits=classroom.limits)
    assert [row.score for row in rows] == [9.5, 6.5, 9.5, 9.5]
    assert rows[1].status == "crashed"


def test_what_a_learner_does_to_the_lesson_or_to_others_files_changes_no_points(classroom, tmp_path, lessons, light):
    import shutil

    own = Path(shutil.copytree(lessons, tmp_path / "lessons"))
    checks, victim = str(own / "toy" / "exercises" / "double.py"), str(classroom.folder / "b__toy.ipynb")
    attack = f"open({checks!r}, 'w').write('raise SystemExit')\nopen({victim!r}, 'w').write('')"
    submissions = a_class(classroom, a={"before": attack}, b={})
    rows = grade_class(submissions, Lessons(own), "a" * 64, limits=classroom.limits)
    assert (Path(checks).read_text(), Path(victim).read_text()) == ("raise SystemExit", "")
    assert [row.score for row in rows] == [9.5, 9.5]


@linux
def test_ctrl_c_ends_everything_at_once_and_says_nothing_about_unfinished_work(classroom, lessons, light, tmp_path):
    pids = tmp_path / "pids"
    slow = {"before": f"import os, time\nopen({str(pids)!r}, 'a').write(f'{{os.getpid()}} ')\ntime.sleep(20)"}
    submissions = a_class(classroom, a={}, b=slow, c=slow, d={})
    done = []

    def stop_after_the_first(row):
        done.append(row.student)
        while not pids.exists() or len(pids.read_text().split()) < 2:
            time.sleep(0.02)
        _thread.interrupt_main()

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        limits = Limits(cell_seconds=30.0)
        grade_class(submissions, classroom.lessons, "a" * 64, jobs=3, limits=limits, done=stop_after_the_first)
    assert time.monotonic() - start < 9
    assert done == ["a"]
    assert not [pid for pid in pids.read_text().split() if Path(f"/proc/{pid}").exists()]


def test_a_broken_lesson_is_said_before_any_work(classroom, tmp_path, lessons, light):
    import shutil

    own = Path(shutil.copytree(lessons, tmp_path / "lessons"))
    (own / "toy" / "exercises" / "double.py").write_text("1 / 0")
    with pytest.raises(ValueError, match="ZeroDivisionError"):
        grade_class(a_class(classroom, a={}), Lessons(own), "a" * 64)
