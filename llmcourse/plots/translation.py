"""Figures of translation: a batch of sentences as a table of tokens, and cross-attention with any script as labels."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from llmcourse.plots.attention import draw_attention_maps
from llmcourse.plots.drawing import VALUE, box, sheet
from llmcourse.plots.picture import BLUE, PALE, Picture, fitted, in_course_style, plural

__all__ = ["chinese_font", "cross_attention", "token_table"]

# The course's own font has no Chinese characters, and a font that has them is larger than the course. Most computers
# have one of these.
CHINESE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "PingFang SC",
    "PingFang HK",
    "Hiragino Sans GB",
    "Heiti SC",
    "STHeiti",
    "Songti SC",
    "Microsoft YaHei",
    "SimHei",
    "SimSun",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Noto Sans CJK JP",
    "Noto Serif CJK SC",
    "Noto Serif CJK JP",
    "Droid Sans Fallback",
    "Arial Unicode MS",
)


def chinese_font(text: str = "我们说汉语吗？", candidates: Iterable[str] = CHINESE_FONTS) -> str | None:
    """Find an installed font that can write a text in Chinese.

    Args:
        text: the characters that it must have.
        candidates: names of fonts, the best first.

    Returns:
        The name of the first font that has all the characters, or None: then a figure cannot show them.

    Example:
        >>> chinese_font(candidates=["no such font"]) is None
        True
    """
    from matplotlib import font_manager

    files = {entry.name: entry.fname for entry in font_manager.fontManager.ttflist}
    for name in candidates:
        if name in files and all(font_manager.get_font(files[name]).get_char_index(ord(letter)) for letter in text):
            return name
    return None


@in_course_style
def cross_attention(
    maps: Mapping[str, np.ndarray], target_tokens: Sequence[str], source_tokens: Sequence[str], *, title: str = ""
) -> Picture:
    """Show what each token of a translation attended to in the source; the tokens may be Chinese.

    Args:
        maps: from a panel's title to its weights, `(T, S)` each.
        target_tokens: the T tokens that were written, one row for each.
        source_tokens: the S tokens of the source, one column for each.
        title: what to see.

    Returns:
        The picture, one panel for each map. Spaces at the start of tokens are not shown.

    Raises:
        ValueError: if a shape does not fit, or no font of this computer has the characters.

    Example:
        >>> cross_attention({"": np.eye(2)}, ["ein", " Hund"], ["a", " dog"]).alt
        'Attention weights of 2 queries over 2 keys. The largest weight of ein is on a; Hund on dog.'
    """
    rows, columns = ([token.strip() or "␣" for token in tokens] for tokens in (target_tokens, source_tokens))
    others = "".join(sorted({letter for token in [*rows, *columns] for letter in token if ord(letter) > 0x2FFF}))
    font = chinese_font(others) if others else None
    if others and font is None:
        raise ValueError(f"A font that has the characters of the tokens is required. Received: none with {others}.")
    names = {"query_name": "written token", "key_name": "source token"}
    picture = draw_attention_maps(maps, rows, columns, **names, title=title)
    for axes in picture.figure.axes[: len(maps)]:
        axes.tick_params(axis="x", labelrotation=60)  # words are wider than cells where several maps stand side by side
    if font is not None:
        for axes in picture.figure.axes:
            for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
                label.set_fontfamily(["DejaVu Sans", font])
    return picture


@in_course_style
def token_table(rows: Sequence[Sequence[str]], *, title: str = "", padding: str = "PAD") -> Picture:
    """Draw a batch of sentences as the array that holds them: one row for each, padding in grey.

    Args:
        rows: B sentences of T tokens each.
        title: what to see.
        padding: which token is padding.

    Returns:
        The picture, without axes.

    Raises:
        ValueError: if there is no token or the rows differ in length.

    Example:
        >>> token_table([["we", "see", "END"], ["we", "END", "PAD"]]).alt
        'A batch of 2 sentences, 3 tokens wide: we see END; we END PAD. Padding fills 1 of 6 places.'
    """
    lengths = {len(row) for row in rows}
    if len(lengths) != 1 or not min(lengths):
        raise ValueError(f"There must be rows of one length, with a token. Received: lengths {sorted(lengths)}")
    width = max(0.75, 0.3 + 0.1 * max(len(token) for row in rows for token in row))  # of a cell, inches
    columns, above = lengths.pop(), 0.55 if title else 0.1
    figure, axes = sheet(max(4.5, columns * width + 0.4), len(rows) * 0.52 + above + 0.15)
    top = len(rows) * 0.52 + 0.1
    for number, row in enumerate(rows):
        for place, token in enumerate(row):
            fill, edge = ("#F4F4F4", PALE) if token == padding else (VALUE, BLUE)
            centre = (0.2 + width * (place + 0.5), top - 0.52 * (number + 0.5))
            box(axes, centre, width - 0.08, 0.42, token, fill=fill, edge=edge, size=10.5)
    if title:
        axes.text(0.2, top + 0.3, fitted(title, figure.get_figwidth() - 0.3), va="center", fontsize=12.5, weight="bold")
    filled = sum(token == padding for row in rows for token in row)
    sentences = "; ".join(" ".join(row) for row in rows)
    return Picture(
        figure,
        f"A batch of {plural(len(rows), 'sentence')}, {plural(columns, 'token')} wide: {sentences}. "
        f"Padding fills {filled} of {len(rows) * columns} places.",
    )
