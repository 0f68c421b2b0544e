"""What authors type: build, new."""

import shlex
import shutil


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
