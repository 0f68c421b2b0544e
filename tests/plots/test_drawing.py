import numpy as np
import pytest

from llmcourse.plots.drawing import VALUE, arrow, box, heading, sheet
from llmcourse.plots.picture import BLUE, PNG_DPI

WIDTH, HEIGHT = 5.0, 3.0


@pytest.fixture
def paper():
    return sheet(WIDTH, HEIGHT)


def inches(figure, artist):
    figure.draw_without_rendering()
    return artist.get_window_extent().get_points() / figure.dpi


def test_a_place_on_the_sheet_is_a_place_on_the_page_in_inches(paper):
    figure, axes = paper
    assert figure.get_size_inches().tolist() == [WIDTH, HEIGHT] and not axes.axison
    figure.set_dpi(PNG_DPI)
    np.testing.assert_allclose(axes.transData.transform((2.0, 0.7)) / PNG_DPI, (2.0, 0.7))


def test_a_box_has_its_size_around_its_centre_and_its_words_inside(paper):
    figure, axes = paper
    box(axes, (2.0, 1.1), 1.3, 0.7, "name", "(N, D)", fill=VALUE, edge=BLUE)
    [frame] = axes.patches
    np.testing.assert_allclose(inches(figure, frame), [(1.35, 0.75), (2.65, 1.45)], atol=0.02)  # the line's width, too
    upper, lower = (inches(figure, text) for text in axes.texts)
    assert upper[0, 1] >= lower[1, 1] and lower[0, 1] > 0.75 and upper[1, 1] < 1.45
    np.testing.assert_allclose((upper.mean(axis=0)[0], lower.mean(axis=0)[0]), 2.0, atol=0.01)


def test_a_box_without_a_second_line_has_its_name_in_the_middle(paper):
    _, axes = paper
    box(axes, (2.0, 1.1), 1.3, 0.7, "name", fill=VALUE, edge=BLUE)
    assert [text.get_position() for text in axes.texts] == [(2.0, 1.1)]


@pytest.mark.parametrize("bend", [False, True])
def test_an_arrow_begins_and_ends_where_it_is_told_to(paper, bend):
    figure, axes = paper
    arrow(axes, (0.5, 2.0), (3.0, 0.7), BLUE, bend=bend)
    [text] = axes.texts
    figure.draw_without_rendering()
    vertices = text.arrow_patch.get_path().vertices / figure.dpi
    np.testing.assert_allclose(vertices[0], (0.5, 2.0), atol=0.02)
    assert np.linalg.norm(vertices - (3.0, 0.7), axis=1).min() < 0.05  # the head's line has a width
    corner = (0.5, 0.7)
    assert (np.linalg.norm(vertices - corner, axis=1).min() < 0.1) == bend


def test_what_a_heading_adds_stands_beside_or_below_it(paper):
    figure, axes = paper
    heading(axes, (0.5, 2.5), "Words", "and more", BLUE)
    heading(axes, (0.5, 1.5), "Words", "and more", BLUE, stacked=True)
    bold, beside, over, under = (inches(figure, text) for text in axes.texts)
    assert bold[1, 0] < beside[0, 0] and beside[0, 1] < 2.5 < beside[1, 1]
    assert under[1, 1] <= over[0, 1] and under[0, 0] == pytest.approx(over[0, 0], abs=0.05)
