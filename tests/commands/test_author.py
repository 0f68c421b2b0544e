"""What authors type: build, new, bench."""

import shlex
import shutil

import pytest

from llmcourse.commands import bench


def test_build_check_reports_an_edited_notebook(tmp_path, root, call):
    shutil.copytree(root / "notebooks", tmp_path / "notebooks")
    assert call("build", "--check", "--out", tmp_path / "notebooks").exit_code == 0
    (student,) = tmp_path.glob("notebooks/student/01_*.ipynb")
    student.write_text(student.read_text().replace("NotImplementedError", "NotImplemented", 1))
    result = call("build", "--check", "--out", tmp_path / "notebooks")
    assert result.exit_code == 1
    assert "differ" in result.output


def test_new_gives_a_command_that_can_be_copied(tmp_path, call):
    folder = tmp_path / "my lessons"
    folder.mkdir()
    line = call("new", "rnn", "--lessons", folder).output.splitlines()[-1]
    command = shlex.split(line[line.index("llmcourse build") :])
    assert command == ["llmcourse", "build", "--lesson", "rnn", "--lessons", str(folder)]


def test_bench_lists_each_benchmark_with_a_line(root, call):
    result = call("bench")
    names = {path.stem for path in (root / "benchmarks").glob("[!_]*.py")}
    lines = dict(line.split(maxsplit=1) for line in result.output.splitlines())
    assert set(lines) == names >= {"engine", "imports", "mnist"}
    assert all(line.endswith(".") for line in lines.values())
    assert "Usage:" in call("bench", "--help").output


def test_bench_runs_a_benchmark_with_its_own_arguments(tmp_path, monkeypatch, program, call):
    status, output, _ = program("bench", "imports", "--help")
    assert status == 0 and b"--rounds" in output
    assert program("bench", "imports", "--no-such-option")[0] == 2
    with pytest.raises(ValueError, match="must be one of .*imports.* Received: 'nothing'"):
        call("bench", "nothing")


def test_bench_without_the_sources_is_one_clear_error(tmp_path, monkeypatch, call):
    monkeypatch.setattr(bench.llmcourse, "__file__", str(tmp_path / "site-packages" / "llmcourse" / "__init__.py"))
    for words in (["bench"], ["bench", "imports"]):
        with pytest.raises(FileNotFoundError, match="needs a checkout of the sources"):
            call(*words)
