import socket
import sys
import tempfile
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from llmcourse.classroom.authoring.execute import ExecutionError, merge_streams, private_traces, run_notebook

METADATA = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}


def notebook(*sources, tags=()):
    cells = [new_code_cell(source, id=f"cell-{number}") for number, source in enumerate(sources)]
    for cell in cells:
        cell.metadata["tags"] = list(tags)
    return new_notebook(cells=[new_markdown_cell("# Text", id="text"), *cells], metadata=METADATA)


@pytest.fixture(scope="module")
def executed():
    """One run for the tests that only look at what came out."""
    patch = pytest.MonkeyPatch()
    patch.setenv("MPLBACKEND", "agg")
    patch.setenv("LLMCOURSE_PROGRESS", "/somewhere")
    patch.setenv("PYTHONSTARTUP", "/no/such/file.py")
    original = notebook(
        "import os, sys\nfor part in 'abc':\n    print(part, flush=True)\nprint('error', file=sys.stderr)\nprint('d')",
        "os.environ['LLMCOURSE_PROGRESS'], os.environ['PYTHONHASHSEED'], os.environ['FURTHER']",
        "os.environ['MPLBACKEND'], 'PYTHONSTARTUP' in os.environ, os.listdir('.'), os.environ['IPYTHONDIR'] > ''",
        "get_ipython().history_manager.enabled, get_ipython().history_manager.hist_file",
        "sys.executable",
        "7 * 11",
    )
    try:
        yield original, run_notebook(original, environment={"FURTHER": "5"})
    finally:
        patch.undo()


def value(executed, number):
    return executed[1].cells[number + 1].outputs[0]["data"]["text/plain"]


def test_outputs_and_execution_counts_come_back_and_the_original_is_untouched(executed):
    original, run = executed
    assert [cell.execution_count for cell in run.cells[1:]] == [1, 2, 3, 4, 5, 6]
    assert value(executed, 5) == "77"
    assert all(cell.execution_count is None and not cell.outputs for cell in original.cells[1:])


def test_pieces_of_a_stream_are_one_output(executed):
    outputs = executed[1].cells[1].outputs
    texts = {name: "".join(output.text for output in outputs if output.name == name) for name in ("stdout", "stderr")}
    assert texts == {"stdout": "a\nb\nc\nd\n", "stderr": "error\n"}
    assert outputs[0].text.startswith("a\nb\nc\n")


def test_environment_is_fixed_and_can_be_extended(executed):
    assert value(executed, 1) == "('off', '0', '5')"
    assert value(executed, 2) == "('module://matplotlib_inline.backend_inline', False, [], True)"


def test_history_is_off(executed):
    assert value(executed, 3) == "(False, ':memory:')"


def test_kernel_is_this_python(executed):
    assert value(executed, 4) == repr(sys.executable)


def test_metadata_hold_no_times_and_no_python_version(executed):
    original, run = executed
    assert run.metadata == original.metadata
    assert [cell.metadata for cell in run.cells] == [cell.metadata for cell in original.cells]


def test_failing_cell_is_named_without_colours():
    source = "\n\nimport math\nraise ValueError('number 13')"
    with pytest.raises(ExecutionError) as caught:
        run_notebook(notebook("x = 2", source), name="03_tiny.ipynb")
    text = str(caught.value)
    assert text.startswith("03_tiny.ipynb, cell cell-1 ('import math'): ValueError: number 13\n")
    assert "raise ValueError('number 13')" in text and "\x1b" not in text


def test_tagged_cell_may_raise():
    run = run_notebook(notebook("raise ValueError", "raise KeyError", tags=["raises-exception"]))
    assert [cell.outputs[0].ename for cell in run.cells[1:]] == ["ValueError", "KeyError"]


def test_slow_cell_is_stopped_and_named():
    with pytest.raises(ExecutionError, match=r"notebook, cell cell-0 \('import time'\): took longer than 1 seconds"):
        run_notebook(notebook("import time\ntime.sleep(60)"), timeout=1)


def test_ended_kernel_is_named():
    with pytest.raises(ExecutionError, match=r"cell cell-0 .*: the kernel ended"):
        run_notebook(notebook("import os\nos._exit(3)"))


def test_merging_keeps_the_order_of_different_streams_and_the_input():
    out = [
        new_output("stream", name=name, text=text) for name, text in (("stdout", "a"), ("stdout", "b"), ("stderr", "c"))
    ]
    out += [new_output("stream", name="stdout", text="d"), new_output("display_data"), new_output("display_data")]
    merged = merge_streams(out)
    assert [output.get("text") for output in merged] == ["ab", "c", "d", None, None]
    assert out[0].text == "a"


def printed(text):
    found = notebook("print()")
    found.cells[1].outputs = [new_output("stream", name="stdout", text=text)]
    return found


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"saved to {Path.home()}/marks.csv", "folder"),
        ("/home/ada/notes", "a home folder: /home/ada"),
        ("'/Users/ada'", "a home folder: /Users/ada"),
        (f"{tempfile.gettempdir()}/llmcourse-5", "a temporary path"),
        ("/var/folders/x7/T", "a temporary path"),
        ("File /opt/lib/python3.11/site-packages/keras/x.py", "a path into an installation"),
        ("<object at 0x7f3a5b2c1d>", "a memory address: 0x7f3a5b2c1d"),
        ("listening on 192.168.3.7:8888", "a network address: 192.168.3.7"),
        ("at 13:05:59", "a date or a time of day"),
        ("on 2026-11-21", "a date or a time of day"),
        ("29/29 - 13ms/step", "a measured time: 13ms/step"),
        ("\x1b[31m/home\x1b[39m/ada", "a home folder"),
    ],
)
def test_private_trace_is_found(text, what):
    traces = private_traces(printed(text))
    assert traces and all(line.startswith("cell-0: ") for line in traces)
    assert any(what in line for line in traces)


@pytest.mark.parametrize(
    "text", ["shape (4, 28, 28)", "</root>", "loss 0.35 after 2 of 7 steps", "version 2.21.0", "0x1f"]
)
def test_ordinary_text_is_no_trace(text):
    assert private_traces(printed(text)) == []


def test_traces_are_found_in_html_and_errors_but_not_in_embedded_images():
    found = notebook("1")
    html = '<img src="data:image/png;base64,AAAA/home/ada/AAAA" alt="digits">'
    found.cells[1].outputs = [new_output("display_data", {"text/html": html, "image/png": "/home/ada"})]
    assert private_traces(found) == []
    found.cells[1].outputs = [new_output("display_data", {"text/html": "<p>/home/ada</p>"})]
    found.cells[1].outputs.append(new_output("error", ename="OSError", evalue="/home/bob", traceback=["/home/eve"]))
    assert [line.split()[-1] for line in private_traces(found)] == ["/home/ada", "/home/bob", "/home/eve"]


def test_name_of_the_machine_is_a_trace_unless_it_is_a_plain_word(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "ada-laptop")
    assert private_traces(printed("running on ada-laptop.")) == ["cell-0: this machine's name: ada-laptop"]
    monkeypatch.setattr(socket, "gethostname", lambda: "digits")
    assert private_traces(printed("5,000 digits")) == []


def test_times_of_execution_in_the_metadata_are_a_trace():
    found = notebook("1")
    found.cells[1].metadata["execution"] = {"iopub.execute_input": "2026-11-21T23:22:00Z"}
    assert private_traces(found) == ["cell-0: the times of its execution, in its metadata"]
