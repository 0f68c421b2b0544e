"""What learners type: start, progress, demo, doctor."""

import json
import shlex

import pytest

from llmcourse.checking.syllabus import load_syllabus


def test_start_copies_the_notebooks_and_keeps_existing_work(tmp_path, call):
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


def test_start_gives_a_command_that_can_be_copied(tmp_path, call):
    folder = tmp_path / "it's [my] course"
    line = call("start", folder, "--no-browser").output.splitlines()[-1]
    assert shlex.split(line.partition(": ")[2]) == ["jupyter", "lab", "--notebook-dir", str(folder)]


def test_start_names_files_that_hide_modules(tmp_path, call):
    for name in ("random.py", "numpy.py", "mine.py", "01_mlp.py"):
        (tmp_path / name).write_text("")
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "__init__.py").write_text("")
    said = call("start", tmp_path, "--no-browser").stderr.splitlines()
    assert [line.split(":")[0] for line in said] == [
        f"Rename {tmp_path / name}" for name in ("keras", "numpy.py", "random.py")
    ]
    assert all("would import it in place of the module" in line for line in said)


def test_start_into_a_file_is_one_clear_error(tmp_path, call):
    (tmp_path / "taken").write_text("")
    with pytest.raises(FileExistsError, match="A folder is required"):
        call("start", tmp_path / "taken", "--no-browser")


def test_progress_shows_the_points_of_the_folder(tmp_path, monkeypatch, call):
    path = tmp_path / "progress.json"
    path.write_text(json.dumps({"mlp": {"relu": {"best": 1, "max_points": 3, "date": "2026-01-02"}}}))
    monkeypatch.setenv("LLMCOURSE_PROGRESS", str(path))
    output = call("progress").output
    assert "2026-01-02" in output
    assert "not yet" in output
    assert "1 / " in output.splitlines()[-2]


def test_progress_is_found_from_inside_the_learners_folder(tmp_path, monkeypatch, call):
    from llmcourse.checking.progress import progress_file

    monkeypatch.delenv("LLMCOURSE_PROGRESS")
    call("start", tmp_path, "--no-browser")
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir(tmp_path / "deeper")
    assert progress_file() == tmp_path / ".llmcourse" / "progress.json"


def test_progress_without_a_home_folder_says_so(tmp_path, monkeypatch, call):
    def nobody(kind):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("LLMCOURSE_PROGRESS")
    monkeypatch.setattr("pathlib.Path.home", classmethod(nobody))
    monkeypatch.chdir(tmp_path)
    result = call("progress")
    assert result.exit_code == 0
    assert "there is no home folder" in " ".join(result.output.split())


@pytest.mark.slow
def test_the_demonstration_writes_a_report(tmp_path, call):
    result = call("demo", "--out", tmp_path / "demo")
    assert result.exit_code == 0
    page = (tmp_path / "demo" / "index.html").read_text()
    assert page.count("<img alt=") == 4
    assert "judged as they must be" in result.output
    assert str(tmp_path) not in page
