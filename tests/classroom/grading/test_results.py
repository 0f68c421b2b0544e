"""The rows of a class as JSON and as a table, and the command that makes them."""

import _thread
import json
import os
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from llmcourse.checking.run import Outcome, readable
from llmcourse.classroom.grading import results
from llmcourse.classroom.grading.results import ExerciseResult, ResultsFile, Row, table
from llmcourse.commands.app import app, run

PASSED = Outcome("first", "first", 2, 2)
FAILED = Outcome("second", "second", 0, 1.5, "", "a sum", "3", ("Which axis?", "axis=0"), status="failed")


def a_row(path="a/ada__toy.ipynb", **changes):
    row = {"student": "ada", "lesson": "toy", "path": path, "exercises": (ExerciseResult("double", (PASSED, FAILED)),)}
    return Row(**row | changes)


def shown(rows):
    text = StringIO()
    Console(file=text, width=160).print(table(rows))
    return text.getvalue()


# --- rows -------------------------------------------------------------------------------------------------------------


def test_a_row_says_everything_of_a_submission():
    plain = json.loads(json.dumps(a_row(seconds=1.23456, remarks=("moved",)).as_json()))
    assert plain["isolation_says"].startswith("basic: own process")
    del plain["isolation_says"]
    assert plain == {
        "student": "ada",
        "lesson": "toy",
        "score": 2,
        "max_score": 3.5,
        "status": "ok",
        "message": "",
        "remarks": ["moved"],
        "seconds": 1.235,
        "cpu_seconds": 0.0,
        "isolation": "basic",
        "path": "a/ada__toy.ipynb",
        "exercises": [
            {
                "id": "double",
                "points": 2,
                "max_points": 3.5,
                "criteria": [
                    {
                        "name": "first",
                        "title": "first",
                        "points": 2,
                        "max_points": 2,
                        "status": "passed",
                        "hint": "",
                        "error": "",
                    },
                    {
                        "name": "second",
                        "title": "second",
                        "points": 0,
                        "max_points": 1.5,
                        "status": "failed",
                        "hint": "Which axis?",
                        "error": "required: a sum; received: 3",
                    },
                ],
            }
        ],
    }


STRANGE = "\x1b[2Jred\x1b]0;title\x07 \u202etxt.exe \udcff [bold]x[/bold] \x9b2J"


def test_names_that_would_steer_a_terminal_are_escaped():
    row = a_row(student=STRANGE, message=STRANGE, status="crashed", path=STRANGE, remarks=(STRANGE,))
    for text in (shown([row]), json.dumps(row.as_json(), ensure_ascii=False)):
        assert not {letter for letter in "\x1b\x07\x9b\u202e\udcff" if letter in text}
        text.encode()
    assert "[bold]x[/bold]" in shown([row])


def test_long_texts_are_cut():
    assert readable("x" * 5000) == "x" * 1999 + "…"
    assert len(shown([a_row(message="y" * 5000)])) < 8000
    assert readable("two\nlines\tand 中文 é") == "two\nlines\\tand 中文 é"
    coloured = r"\x1b[1mbold\x1b[0m and \x1b[38;5;45mblue\x1b[m"
    assert readable("\x1b[1mbold\x1b[0m and \x1b[38;5;45mblue\x1b[m") == coloured


def test_line_breaks_make_no_rows():
    forged = "x\nmallory | mlp | 9.5 / 9.5"
    row = a_row(student=forged, message=forged, remarks=(forged,), path=forged)
    plain = row.as_json()
    for text in (plain["student"], plain["message"], plain["path"], *plain["remarks"]):
        assert text == "x\\nmallory | mlp | 9.5 / 9.5"
    assert not [line for line in shown([row]).splitlines() if line.strip(" │|").startswith("mallory")]


def test_the_table_shows_a_row_for_each_submission():
    text = shown([a_row(), a_row(student="grace", status="invalid", exercises=(), message="no JSON")])
    assert "2 submissions" in text
    assert "2 / 3.5" in text
    assert "no JSON" in text
    assert "1 submission " in shown([a_row()])


# --- the file ---------------------------------------------------------------------------------------------------------


def test_the_file_is_whole_after_every_write_and_keeps_the_order(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "WRITE_SECONDS", 0)
    path = tmp_path / "deep" / "out.json"
    sheet = ResultsFile(path, [Path("a"), Path("b"), Path("c")])
    assert not path.exists()
    for name, complete in (("c", False), ("a", False), ("b", True)):
        sheet.add(a_row(name))
        content = json.loads(path.read_text())
        assert content["complete"] is complete
    assert [row["path"] for row in content["results"]] == ["a", "b", "c"]
    assert [row.path for row in sheet.rows] == ["a", "b", "c"]
    assert [item.name for item in path.parent.iterdir()] == ["out.json"]


def test_not_every_row_writes_the_whole_file_but_the_last_and_closing_do(tmp_path, monkeypatch):
    path, written = tmp_path / "out.json", []
    real = results.write_atomically
    monkeypatch.setattr(results, "write_atomically", lambda *rest: written.append(1) or real(*rest))
    sheet = ResultsFile(path, [Path(str(number)) for number in range(50)])
    for number in range(49):
        sheet.add(a_row(str(number)))
    assert len(written) < 10
    sheet.close()
    assert len(json.loads(path.read_text())["results"]) == 49


def test_a_full_disk_leaves_the_last_whole_file_and_the_next_row_tries_again(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "WRITE_SECONDS", 0)
    path = tmp_path / "out.json"
    sheet = ResultsFile(path, [Path("a"), Path("b"), Path("c")])
    sheet.add(a_row("a"))
    before = path.read_bytes()
    real = Path.write_bytes

    def full(self, content):
        real(self, content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        sheet.add(a_row("b"))
    assert "No space left on device" in sheet.error
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["out.json"]
    sheet.add(a_row("c"))
    assert sheet.error == ""
    assert json.loads(path.read_text())["complete"] is True


def test_a_place_that_cannot_be_written_is_known_at_once_and_old_results_stay(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "out.json", Path("/proc/out.json")):
        with pytest.raises(OSError):
            ResultsFile(place, [])
    for place in (tmp_path, Path("/dev/null")):
        with pytest.raises(ValueError, match="--json must name a file"):
            ResultsFile(place, [])
    (tmp_path / "old.json").write_text("old")
    ResultsFile(tmp_path / "old.json", [Path("a")])
    assert (tmp_path / "old.json").read_text() == "old"


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(classroom, lessons, light, monkeypatch, tmp_path):
    """A class of two, in a folder to stand in."""
    classroom.folder = tmp_path / "class"
    classroom.folder.mkdir()
    classroom.write(classroom.notebook(), "ada__toy.ipynb")
    classroom.write(classroom.notebook(double="def double(x): return 3 * x"), "grace__toy.ipynb")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLMCOURSE_LESSONS", str(lessons))
    return classroom.folder


def grade(*arguments):
    result = CliRunner().invoke(
        app, ["grade", *map(str, arguments)], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    )
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_grade_shows_a_table_and_writes_the_file(folder, tmp_path):
    result = grade(folder, "--json", "out.json", "--jobs", 1)
    assert result.exit_code == 0
    for words in ("ada", "9.5 / 9.5", "grace", "7.5 / 9.5", "Isolation basic", "out.json"):
        assert words in result.output
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["complete"] is True
    assert [(row["student"], row["score"]) for row in content["results"]] == [("ada", 9.5), ("grace", 7.5)]
    criterion = content["results"][1]["exercises"][0]["criteria"][0]
    assert (criterion["points"], criterion["hint"]) == (0, "What is twice 3?")
    assert criterion["error"].startswith("required: double(x)[")


def test_the_seed_is_made_once_for_its_owner_and_decides_the_questions(folder, tmp_path):
    def asked(*arguments):
        grade(folder / "grace__toy.ipynb", "--json", "out.json", *arguments)
        return json.loads((tmp_path / "out.json").read_text())["results"][0]["exercises"][0]["criteria"][0]["error"]

    first = asked()
    seed = tmp_path / ".llmcourse" / "seed"
    assert seed.stat().st_mode & 0o777 == 0o600
    assert asked() == first != asked("--seed-file", "other")
    assert seed.read_text().strip() not in (tmp_path / "out.json").read_text()


def test_the_seed_is_nowhere_that_a_learners_process_shows(folder, classroom, tmp_path):
    found = tmp_path / "found"
    spy = f"""
import os
from pathlib import Path
pid, texts = os.getpid(), []
while pid > 1:
    for name in ("cmdline", "environ"):
        texts.append(Path(f"/proc/{{pid}}/{{name}}").read_bytes())
    pid = int(Path(f"/proc/{{pid}}/stat").read_text().rpartition(")")[2].split()[1])
Path({str(found)!r}).write_bytes(b" ".join(texts))
"""
    if sys.platform != "linux":
        pytest.skip("needs /proc")
    classroom.write(classroom.notebook(before=spy), "ada__toy.ipynb")
    assert grade(folder).exit_code == 0
    assert len(found.read_bytes()) > 1000
    assert (tmp_path / ".llmcourse" / "seed").read_bytes().strip() not in found.read_bytes()


def test_the_status_tells_when_some_failed(folder):
    (folder / "bad__toy.ipynb").write_text("{")
    result = grade(folder, "--jobs", 1)
    assert result.exit_code == 1
    assert "a notebook is a JSON file" in result.output
    assert "9.5 / 9.5" in result.output


def test_a_lesson_can_be_given_and_nbgraders_folders_are_read(folder, classroom, tmp_path):
    (tmp_path / "submitted" / "emmy" / "week1").mkdir(parents=True)
    classroom.write(classroom.notebook(), "../submitted/emmy/week1/anything.ipynb")
    result = grade("submitted", "--lesson", "toy", "--json", "out.json")
    (row,) = json.loads((tmp_path / "out.json").read_text())["results"]
    assert (result.exit_code, row["student"], row["score"]) == (0, "emmy", 9.5)


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")
def test_a_file_name_of_any_bytes_is_graded_and_shown_harmlessly(folder, classroom, tmp_path):
    path = classroom.write(classroom.notebook())
    path.rename(Path(os.fsdecode(os.fsencode(folder) + b"/\xff\x1b[2J\x07__toy.ipynb")))
    result = grade(folder, "--json", "out.json")
    rows = json.loads((tmp_path / "out.json").read_text())["results"]
    assert result.exit_code == 0
    assert [row["student"] for row in rows] == ["grace", "\\x1b[2J\\x07".join(["\\udcff", ""])]
    assert "\x1b[2J" not in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere, which does not exist"),
        (["class", "--lesson", "rnn"], "--lesson must be one of toy. Received: 'rnn'"),
        (["class", "--isolation", "strict"], "isolation must be one of basic. Received: 'strict'"),
        (["class", "--json", "class"], "--json must name a file"),
        (["class", "--json", "class/ada__toy.ipynb/out.json"], "Error: "),
        (["class", "--seed-file", "class"], "Error: "),
        (["empty [bold]"], "Notebooks are required. Received: no .ipynb file in empty [bold]"),
    ],
)
def test_nothing_done_ends_with_status_2_and_one_line(folder, arguments, said, monkeypatch, capsys, tmp_path):
    (tmp_path / "empty [bold]").mkdir()
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr("sys.argv", ["llmcourse", "grade", *arguments])
    with pytest.raises(SystemExit) as caught:
        run()
    captured = capsys.readouterr()
    assert caught.value.code == 2
    assert said in captured.err.replace("\n", "")
    assert "Traceback" not in captured.err
    assert "ada" not in captured.out  # nothing was graded before the error was seen


def test_a_file_that_could_not_be_written_is_said_and_is_a_failure(folder, monkeypatch):
    real = results.write_atomically

    def full(path, content):
        if content:
            raise OSError(28, "No space left on device")
        return real(path, content)

    monkeypatch.setattr(results, "write_atomically", full)
    result = grade(folder, "--json", "out.json", "--jobs", 1)
    assert result.exit_code == 1
    assert "out.json could not be written: No space left on device" in result.output
    assert "9.5 / 9.5" in result.output


def test_ctrl_c_keeps_what_was_graded(folder, monkeypatch, tmp_path):
    real = ResultsFile.add

    def stop(self, row):
        real(self, row)
        _thread.interrupt_main()
        time.sleep(0.3)

    monkeypatch.setattr(ResultsFile, "add", stop)
    result = grade(folder, "--json", "out.json", "--jobs", 1)
    assert result.exit_code == 130
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["complete"] is False
    assert [row["student"] for row in content["results"]] == ["ada"]
    assert "Stopped after 1 of 2" in result.output


def test_grade_says_what_it_takes():
    output = CliRunner().invoke(app, ["grade", "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output
    for option in ("--lesson", "--seed-file", "--json", "--jobs", "--timeout", "--isolation", "--lessons"):
        assert option in output
    assert "STUDENT__LESSON.ipynb" in output


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_ctrl_c_at_a_terminal_ends_every_process(folder, classroom, tmp_path):
    pids = tmp_path / "pids"
    wait = f"import os, time\nopen({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{os.getppid()}}')\ntime.sleep(50)"
    classroom.write(classroom.notebook(before=wait), "zoe__toy.ipynb")
    command = [Path(sys.executable).parent / "llmcourse", "grade", folder, "--json", "out.json", "--jobs", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not (pids.exists() and len(pids.read_text().split()) == 2) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    content = json.loads((tmp_path / "out.json").read_text())
    assert [row["student"] for row in content["results"]] == ["ada", "grace"]
    assert not [pid for pid in pids.read_text().split() if Path(f"/proc/{pid}").exists()]
    assert b"Traceback" not in errors
