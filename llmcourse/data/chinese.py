"""Simplified characters: OpenCC knows them and many words, and is an extra that only two data sets need."""

from collections.abc import Callable

from llmcourse.data.store import DataError


def load_simplifier(data_set: str) -> Callable[[str], str]:
    """Make the function that turns traditional characters into simplified ones.

    Args:
        data_set: what the error says that OpenCC is needed for.

    Returns:
        A function from text to text; simplified text stays as it is.

    Raises:
        DataError: OpenCC is not installed.
    """
    try:
        import opencc  # here: whoever loads another data set does not need it
    except ImportError:
        remedy = "install it: python -m pip install 'llmcourse[chinese]'"
        raise DataError(data_set, "the package OpenCC", "a Python without it", remedy) from None
    return opencc.OpenCC("t2s").convert
