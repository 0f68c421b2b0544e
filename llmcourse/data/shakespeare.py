"""Tiny Shakespeare: 1,115,394 characters of his plays, 65 different ones, as char-rnn and nanoGPT learn them.

Karpathy (2015), The Unreasonable Effectiveness of Recurrent Neural Networks, and its code char-rnn. The text is in the
public domain.
"""

from llmcourse.data.store import DataFile, fetch

FILE = DataFile(
    name="shakespeare/input.txt",
    url="https://raw.githubusercontent.com/karpathy/char-rnn/"
    "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt",
    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
)


def read_shakespeare() -> str:
    """Read the whole text as published.

    Raises:
        DataError: the file is missing, damaged or not the expected one.
    """
    return fetch(FILE).read_bytes().decode("utf-8")
