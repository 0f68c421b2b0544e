import base64
import doctest
import html
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from nbconvert import HTMLExporter

from llmcourse import plots
from llmcourse.plots import Picture, learning_curves
from llmcourse.plots.picture import new_figure, require_shape, rounded

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def picture() -> Picture:
    return learning_curves({'the "best" <run>': [2.3, 0.7, 0.11]})


def test_a_notebook_gets_the_image_and_the_words(picture: Picture) -> None:
    data, metadata = DisplayFormatter().format(picture)
    assert base64.b64decode(data["image/png"]).startswith(PNG_SIGNATURE)
    assert data["text/plain"] == picture.alt
    assert metadata["image/png"] == {"alt": picture.alt, "width": 840}


def test_an_exported_page_has_the_text_alternative(picture: Picture) -> None:
    data, metadata = picture._repr_mimebundle_()
    output = nbformat.v4.new_output("display_data", data=data, metadata=metadata)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output])])
    page, _ = HTMLExporter(template_name="classic").from_notebook_node(notebook)
    assert picture.alt in html.unescape(page)
    assert "No description has been provided" not in page


def test_the_bytes_do_not_change_with_the_settings_of_the_learner(picture: Picture) -> None:
    with matplotlib.rc_context({"font.size": 31, "axes.grid": False, "savefig.dpi": 37, "lines.linewidth": 7}):
        other = learning_curves({'the "best" <run>': [2.3, 0.7, 0.11]})
        assert other.to_png() == picture.to_png()
        assert matplotlib.rcParams["font.size"] == 31


def test_png_names_neither_program_nor_date(picture: Picture) -> None:
    assert b"Software" not in picture.to_png()
    assert b"matplotlib" not in picture.to_png()


def test_html_escapes_the_text_alternative(picture: Picture) -> None:
    element = picture.to_html()
    assert element.count("<") == 1
    assert "the &quot;best&quot; &lt;run&gt;" in element
    assert f"data:image/png;base64,{picture.to_base64()}" in element


def test_save_writes_png_and_svg_the_same_every_time(picture: Picture, tmp_path: Path) -> None:
    assert picture.save(tmp_path / "curve.png").read_bytes() == picture.to_png()
    first, second = (picture.save(tmp_path / name).read_bytes() for name in ("one.svg", "two.svg"))
    assert first == second
    assert b'the "best" &lt;run&gt;' in first, "the words go into the title of the SVG"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curve.png", "one.svg", "two.svg"]


def test_save_makes_missing_folders(picture: Picture, tmp_path: Path) -> None:
    assert picture.save(tmp_path / "figures" / "today" / "curve.png").read_bytes() == picture.to_png()


def test_a_failed_save_keeps_the_old_file(picture: Picture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "curve.png"
    target.write_bytes(b"old")

    def fail(self: Path, target: Path) -> Path:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        picture.save(target)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_save_refuses_other_formats(picture: Picture, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.png or \.svg\. Received: .*curve\.jpg"):
        picture.save(tmp_path / "curve.jpg")


def test_a_picture_without_words_is_refused() -> None:
    with pytest.raises(ValueError, match="Received: alt=' '"):
        Picture(new_figure(1, 1), " ")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0.93456, "0.93"),
        (2, "2"),
        (123.4, "120"),
        (0.0996, "0.1"),
        (-0.00012345, "-0.00012"),
        (3.14e-7, "3.1e-07"),
        (2e9, "2e+09"),
        (0, "0"),
        (float("nan"), "not a number"),
        (-np.inf, "infinity"),
    ],
)
def test_rounded_keeps_two_digits(number: float, words: str) -> None:
    assert rounded(number) == words


def test_require_shape_accepts_any_size_but_zero() -> None:
    assert require_shape("x", [[1, 2, 3]], "N", 3).shape == (1, 3)
    with pytest.raises(ValueError, match=r"x must have the shape \(N, 3\)\. Received: x\.shape=\(0, 3\)"):
        require_shape("x", np.zeros((0, 3)), "N", 3)
    with pytest.raises(ValueError, match=r"labels must have the shape \(7,\)\. Received: labels\.shape=\(5,\)"):
        require_shape("labels", np.zeros(5), 7)


def test_neither_pyplot_nor_keras_is_imported() -> None:
    code = """
import sys
import llmcourse.plots
assert "matplotlib" not in sys.modules, "matplotlib comes with the first picture only"
llmcourse.plots.neuron().to_png()
for name in ("matplotlib.pyplot", "keras", "tensorflow"):
    assert name not in sys.modules, name
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("module", ["charts", "classes", "curves", "images"])
def test_the_examples_of_the_docstrings_hold(module: str) -> None:
    result = doctest.testmod(import_module(f"llmcourse.plots.{module}"))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    "draw",
    [
        lambda title: plots.digits(np.zeros((2, 28, 28)), title=title),
        lambda title: plots.weight_images(np.zeros((784, 3)), title=title),
        lambda title: plots.learning_curves({"run": [2.0, 1.0]}, title=title),
        lambda title: plots.learning_rates({"run": [2.0, 1.0]}, title=title),
        lambda title: plots.activations({"tanh": (np.tanh, np.cos)}, title=title),
        lambda title: plots.softmax_bars(np.zeros(3), title=title),
        lambda title: plots.descent_path(lambda x: x[:, 0] ** 2, {"path": np.eye(2)}, title=title),
        lambda title: plots.confusion_matrix(np.eye(2), title=title),
        lambda title: plots.decision_regions(lambda x: x[:, 0] > 0, np.eye(2), np.arange(2), title=title),
    ],
)
def test_a_long_title_is_broken_into_lines(
    draw: Callable[[str], Picture], expect_readable: Callable[[Picture], None]
) -> None:
    expect_readable(draw("A title that says in one long sentence what there is to see in the figure, and then goes on"))


def test_every_exported_name_exists() -> None:
    assert all(callable(getattr(plots, name)) for name in plots.__all__)
