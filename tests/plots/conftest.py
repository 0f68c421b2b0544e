"""What the tests of the figures share."""

from collections.abc import Callable, Iterator
from itertools import combinations

import pytest
from matplotlib.axes import Axes
from matplotlib.text import Text

from llmcourse.plots import Picture


def _drawn_texts(axes: Axes) -> Iterator[Text]:
    yield from (*axes.texts, axes.title, axes._left_title, axes._right_title)  # a title at the left has no public name
    if axes.get_legend() is not None:
        yield from axes.get_legend().get_texts()
    if axes.axison:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = (*axis.get_major_ticks(), *axis.get_minor_ticks())
            yield axis.label
            yield from (
                label for tick in ticks if low <= tick.get_loc() <= high for label in (tick.label1, tick.label2)
            )


@pytest.fixture
def expect_readable() -> Callable[[Picture], None]:
    """Give a check that all words of a picture lie inside it and none lies on another."""

    def check(picture: Picture) -> None:
        figure = picture.figure
        figure.draw_without_rendering()
        texts = [*figure.findobj(lambda artist: isinstance(artist, Text) and artist in figure.texts)]
        texts += [text for legend in figure.legends for text in legend.get_texts()]
        texts += [text for axes in figure.axes for text in _drawn_texts(axes)]
        boxes = [
            (text.get_text(), text.get_window_extent()) for text in texts if text.get_visible() and text.get_text()
        ]
        assert boxes, "there are no words at all"
        width, height = figure.get_size_inches() * figure.dpi
        for words, box in boxes:
            assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, f"cut off: {words!r}"
        for (words, box), (others, other) in combinations(boxes, 2):
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            down = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert across <= 1 or down <= 1, f"{words!r} lies on {others!r}"

    return check
