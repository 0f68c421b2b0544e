"""Reading notebook files, damaged ones too."""

import json
import os

import pytest

from llmcourse.classroom.grading import notebook_file
from llmcourse.classroom.grading.notebook_file import InvalidSubmissionError, read_notebook


def place(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "a notebook is a JSON file. Received: something else"),
        (b"{", "a notebook is a JSON file"),
        (b"\x89PNG\r\n\x1a\n\0\xff", "a notebook is a JSON file"),
        (b"[" * 200_000, "nested too deeply"),
        (b"[1, 2]", "Received: other JSON"),
        (b'{"cells": []}', "Received: other JSON"),
        (b'{"nbformat": 3, "worksheets": []}', "notebook format 4 is required. Received: format 3"),
        (b'{"nbformat": "' + b"9" * 999 + b'"}', "Received: format '999"),
        (b'{"nbformat": 4}', "a notebook has a list of cells"),
        (b'{"nbformat": 4, "cells": {"a": 1}}', "a notebook has a list of cells"),
    ],
)
def test_what_is_no_notebook_says_why(tmp_path, content, said):
    path = tmp_path / "ada__mlp.ipynb"
    path.write_bytes(content)
    with pytest.raises(InvalidSubmissionError) as caught:
        read_notebook(path)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 300


def test_cells_of_strange_types_count_as_empty(tmp_path):
    path = tmp_path / "ada__mlp.ipynb"
    cells = [
        5,
        {"cell_type": "code", "source": 3, "metadata": [], "id": 7},
        {"cell_type": "code", "source": ["x = 1\n", 2, "y = 2"], "metadata": {"tags": "explore", "nbgrader": 3}},
        {"cell_type": "markdown", "source": "text"},
        {"cell_type": "code"},
    ]
    path.write_text(json.dumps({"nbformat": 4, "cells": cells, "metadata": {"llmcourse": {"lesson": "mlp"}}}))
    notebook = read_notebook(path)
    assert [cell.source for cell in notebook.cells] == ["", "x = 1\ny = 2", ""]
    assert [cell.tags for cell in notebook.cells] == [(), (), ()]
    assert notebook.cells[1].about("nbgrader", "grade_id") == ""
    assert notebook.lessons == ("mlp",)


def test_a_byte_order_mark_does_no_harm(tmp_path):
    path = tmp_path / "ada__mlp.ipynb"
    path.write_bytes(b"\xef\xbb\xbf" + b'{"nbformat": 4, "cells": []}')
    assert read_notebook(path).cells == ()


def test_a_file_may_have_a_certain_size_and_so_many_entries(tmp_path, monkeypatch):
    path = tmp_path / "ada__mlp.ipynb"
    path.write_text('{"nbformat": 4, "cells": [' + "{}," * 500 + "{}]}")
    assert read_notebook(path).cells == ()
    monkeypatch.setattr(notebook_file, "MAX_CODE", 2**20)
    large = tmp_path / "large.ipynb"
    large.write_text(json.dumps({"nbformat": 4, "cells": [{"cell_type": "code", "source": "é" * 2**20}]}))
    with pytest.raises(InvalidSubmissionError, match="1 MB of code. Received: 2 MB"):
        read_notebook(large)
    large.write_text(json.dumps({"nbformat": 4, "cells": [{"cell_type": "code", "source": "x" * (2**20 + 1)}]}))
    with pytest.raises(InvalidSubmissionError, match=r"1 MB of code. Received: 1\.01 MB"):
        read_notebook(large)
    monkeypatch.setattr(notebook_file, "MAX_ITEMS", 1000)
    with pytest.raises(InvalidSubmissionError, match="^a notebook may have 1,000 entries; .* up to 1,004"):
        read_notebook(path)
    monkeypatch.setattr(notebook_file, "MAX_BYTES", 2**10)
    with pytest.raises(InvalidSubmissionError, match="clear its outputs"):
        read_notebook(path)


def test_links_pipes_and_folders_are_no_notebooks(tmp_path):
    place(tmp_path, "grace__mlp.ipynb")
    (tmp_path / "ada__mlp.ipynb").symlink_to(tmp_path / "grace__mlp.ipynb")
    os.mkfifo(tmp_path / "alan__mlp.ipynb")
    (tmp_path / "emmy__mlp.ipynb").mkdir()
    said = {"ada": "a symbolic link", "alan": "a pipe", "emmy": "cannot be read", "none": "cannot be read"}
    for student, words in said.items():
        with pytest.raises(InvalidSubmissionError, match=words) as caught:
            read_notebook(tmp_path / f"{student}__mlp.ipynb")
        assert "JSON" not in str(caught.value)
    with pytest.raises(InvalidSubmissionError, match="other JSON"):  # the teacher's own link is followed
        read_notebook(tmp_path / "ada__mlp.ipynb", follow_link=True)


def test_every_lesson_that_a_notebook_names_is_read_its_own_first(tmp_path):
    path = tmp_path / "ada.ipynb"
    cells = [{"cell_type": "code", "metadata": {"llmcourse": {"lesson": lesson}}} for lesson in ("cnn", "mlp", "cnn")]
    path.write_text(json.dumps({"nbformat": 4, "cells": cells, "metadata": {"llmcourse": {"lesson": "mlp"}}}))
    assert read_notebook(path).lessons == ("mlp", "cnn")
    path.write_text(json.dumps({"nbformat": 4, "cells": cells}))
    assert read_notebook(path).lessons == ("cnn", "mlp")
