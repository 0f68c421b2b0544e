import json

import pytest
from typer.testing import CliRunner

from llmcourse.checking.syllabus import load_syllabus
from llmcourse.commands.app import app, run

runner = CliRunner()


def call(*arguments):
    result = runner.invoke(app, [str(item) for item in arguments], env={"COLUMNS": "200", "NO_COLOR": "1"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_every_command_has_a_help_text():
    for command in ("start", "progress", "demo", "doctor", "build", "new"):
        result = call(command, "--help")
        assert result.exit_code == 0
        assert "Usage:" in result.output


def test_version():
    import llmcourse

    assert call("--version").output.strip() == llmcourse.__version__


def test_start_copies_the_notebooks_and_keeps_existing_work(tmp_path):
    folder = tmp_path / "my work"
    assert f"{len(load_syllabus())} new" in call("start", folder, "--no-browser").output
    mine = folder / "01_mlp.ipynb"
    mine.write_text("my work")
    other = sorted(folder.glob("*.ipynb"))
    result = call("start", folder, "--no-browser")
    assert "0 new notebooks" in result.output
    assert mine.read_text() == "my work"
    assert sorted(folder.glob("*.ipynb")) == other
    assert not list(folder.glob("*.tmp"))


def test_start_into_a_file_is_one_clear_error(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(FileExistsError, match="A folder is required"):
        call("start", tmp_path / "taken", "--no-browser")


def test_progress_shows_the_points_of_the_folder(tmp_path, monkeypatch):
    path = tmp_path / "progress.json"
    path.write_text(json.dumps({"mlp": {"relu": {"best": 1, "max_points": 3, "date": "2026-01-02"}}}))
    monkeypatch.setenv("LLMCOURSE_PROGRESS", str(path))
    output = call("progress").output
    assert "2026-01-02" in output
    assert "not yet" in output


def test_progress_is_found_from_inside_the_learners_folder(tmp_path, monkeypatch):
    from llmcourse.checking.progress import progress_file

    monkeypatch.delenv("LLMCOURSE_PROGRESS")
    call("start", tmp_path, "--no-browser")
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir(tmp_path / "deeper")
    assert progress_file() == tmp_path / ".llmcourse" / "progress.json"


def test_doctor_names_a_missing_data_folder_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("LLMCOURSE_DATA", str(tmp_path / "nowhere"))
    output = call("doctor").output
    for word in ("tensorflow", "memory", "digits", "isolation", "unset LLMCOURSE_DATA"):
        assert word in output


def test_an_unknown_lesson_is_one_line_without_a_traceback(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["llmcourse", "demo", "--lesson", "rnn", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as caught:
        run()
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert "Received: 'rnn'" in error
    assert "Traceback" not in error


def test_build_check_reports_an_edited_notebook(tmp_path, root):
    import shutil

    shutil.copytree(root / "notebooks", tmp_path / "notebooks")
    assert call("build", "--check", "--out", tmp_path / "notebooks").exit_code == 0
    (student,) = tmp_path.glob("notebooks/student/01_*.ipynb")
    student.write_text(student.read_text().replace("NotImplementedError", "NotImplemented", 1))
    result = call("build", "--check", "--out", tmp_path / "notebooks")
    assert result.exit_code == 1
    assert "differ" in result.output


@pytest.mark.slow
def test_the_demonstration_writes_a_report(tmp_path):
    result = call("demo", "--out", tmp_path / "demo")
    assert result.exit_code == 0
    page = (tmp_path / "demo" / "index.html").read_text()
    assert page.count("<img alt=") == 4
    assert "judged as they must be" in result.output
    assert str(tmp_path) not in page
