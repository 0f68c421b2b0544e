"""What a worker is: a place where cells run, without secrets, with the libraries loaded."""

import sys

import numpy as np
import pytest

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def test_cells_share_their_names_and_errors_come_back_with_their_line(worker):
    assert worker.run("x = 5") is None
    error = worker.run("y = x\nz = y / 0")
    assert error == "ZeroDivisionError: division by zero (line 2 of <module>: z = y / 0)"
    assert worker.student.double is not None
    worker.run("def triple(values):\n    return 3 * values")
    np.testing.assert_array_equal(worker.student.triple(np.arange(5.0)), 3 * np.arange(5.0))


def test_a_worker_sees_no_secret_of_the_teacher(worker, monkeypatch):
    worker.run("import os, sys\ndef seen(): return [sorted(os.environ), sys.argv, open('/proc/self/cmdline').read()]")
    names, arguments, line = worker.student.seen()
    assert not {name for name in names if any(word in name for word in ("_SEED", "TOKEN", "PYTEST", "SECRET"))}
    assert "seed" not in " ".join(arguments) + line.lower()


def test_the_libraries_are_there_without_being_imported_again(worker):
    worker.run("import sys\nloaded = sorted({'keras', 'tensorflow', 'matplotlib'} & set(sys.modules))")
    worker.run("def loaded_before(): return loaded")
    assert worker.student.loaded_before() == ["keras", "matplotlib", "tensorflow"]


def test_the_notebooks_own_checks_are_idle_in_a_worker(worker):
    idle = "from llmcourse import lesson\ncheck = lesson('mlp')\nshown = check('relu')\ncheck.progress()"
    assert worker.run(idle) is None
    worker.run("def what(): return shown")
    assert worker.student.what() is None


def test_libraries_that_were_loaded_before_the_fork_compute_after_it(worker):
    worker.run("import numpy as np, keras\nones = np.ones((301, 301), 'float32')")
    worker.run("def products(): return [float((ones @ ones)[1, 2]), float(keras.ops.matmul(ones, ones)[1, 2])]", 10.0)
    assert worker.student.products() == [301.0, 301.0]


def test_sys_exit_and_keyboard_interrupt_are_errors_like_others(worker):
    assert worker.run("import sys\nsys.exit(3)") == "SystemExit: 3 (line 2 of <module>: sys.exit(3))"
    assert worker.run("raise KeyboardInterrupt").startswith("KeyboardInterrupt")
    assert worker.run("x = 1") is None


def test_an_error_that_cannot_be_shown_is_still_an_error(worker):
    source = "class E(Exception):\n    def __str__(self): raise ValueError\nraise E"
    assert worker.run(source).startswith("E: (its message cannot be shown: ValueError)")


def test_what_is_printed_goes_nowhere(worker, capfd):
    loud = "import sys, os\nprint('x' * 200_000_000)\nprint('y', file=sys.stderr)\nos.write(2, b'z')"
    assert worker.run(loud) is None
    assert worker.run("input()").startswith("EOFError")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_files_may_not_grow_without_end(worker):
    source = "f = open('big', 'wb')\nf.truncate(10**9)"
    assert "File too large" in worker.run(source)


def test_products_in_numpy_run_on_one_thread(worker):
    """More threads wait for work without sleeping and triple the CPU time of products as small as these."""
    source = """
import numpy as np, threadpoolctl
np.ones((300, 300)) @ np.ones((300, 300))
def pools(): return [[pool["user_api"], pool["num_threads"]] for pool in threadpoolctl.threadpool_info()]
"""
    assert worker.run(source) is None
    pools = worker.student.pools()
    assert ["blas", 1] in pools
    assert {threads for kind, threads in pools if kind in ("blas", "openmp")} == {1}
