"""Running text for language models that read characters: one function for two public texts and a reader's own file."""

from dataclasses import dataclass
from pathlib import Path

from llmcourse.data.own_file import find_own_file
from llmcourse.data.sentences import read_lines
from llmcourse.data.store import DataError

NAMES = ("shakespeare", "tang")
REMEDY = "give a text file (or .gz) in UTF-8"
TRAIN_SHARE = 0.9
SHORTEST = 1_000  # characters of a reader's own file, so that validation and test have 50 each


@dataclass(frozen=True, repr=False)
class RunningText:
    """Hold a text to learn from, one to choose by and one to report, each a single string.

    Args:
        name: which text: "shakespeare", "tang-traditional", "tang-simplified", or the name of a file.
        train: text to learn from.
        validation: text to watch the training by and to choose settings with.
        test: text for the figures that are reported; None for shakespeare, which has none.
    """

    name: str
    train: str
    validation: str
    test: str | None = None

    def __repr__(self) -> str:
        test = "no" if self.test is None else f"{len(self.test):,}"
        counts = f"{len(self.train):,} training, {len(self.validation):,} validation and {test} test characters"
        return f"RunningText({self.name}: {counts})"


def load_text(name: str | Path = "shakespeare", *, simplified: bool = False, headings: bool = False) -> RunningText:
    r"""Load a text for a language model, divided into training, validation and test.

    A language model is trained on windows cut anywhere out of one long string; therefore poems are one string too. Each
    couplet is a line and an empty line ends each poem, so a model that has read "\n\n" is at the beginning of a poem
    and one that writes "\n\n" has finished it, and `text.split("\n\n")` gives the poems back.

    Args:
        name: "shakespeare" (tiny Shakespeare of Karpathy's char-rnn, 2015), "tang" (poems of the Tang dynasty out of
            the collection chinese-poetry), or the path of a text file in UTF-8. A file named like a data set is loaded
            with `Path("tang")`. Public texts come from the folder LLMCOURSE_DATA or are downloaded once.
        simplified: tang only: simplified characters; needs OpenCC: `pip install 'llmcourse[chinese]'`.
        headings: tang only: each poem begins with its title and its author, a line each.

    Returns:
        A `RunningText`. Of Shakespeare the first 90 % are for training and the last 10 % for validation, and there is
        no test: char-rnn and nanoGPT choose by the validation part and report it too, so their figures flatter a
        little. Of tang 500 poems are for validation and 500 for test; no seven characters in a row stand in two splits,
        and about 100 rare characters of validation and test do not occur in training. Of a file the first 90 % are for
        training, the next 5 % for validation and the last 5 % for test.

    Raises:
        DataError: the name is unknown, or the text is missing, damaged, too short or not what it should be.

    Example:
        >>> load_text("shakespeare").validation[:13]                        # doctest: +SKIP
        '?\n\nGREMIO:\nGo'
    """
    if name == "tang":
        from llmcourse.data.tang import load_tang  # here and below: only the chosen text is imported

        return RunningText(f"tang-{'simplified' if simplified else 'traditional'}", *load_tang(simplified, headings))
    for argument, value in {"simplified": simplified, "headings": headings}.items():
        if value:
            remedy = f"leave {argument} out, or load tang"
            raise DataError(argument, "False, since only tang has it", f"{value!r} for {str(name)!r}", remedy)
    if name == "shakespeare":
        from llmcourse.data.shakespeare import read_shakespeare

        text = read_shakespeare()
        cut = int(TRAIN_SHARE * len(text))
        return RunningText("shakespeare", text[:cut], text[cut:])
    return _load_file(find_own_file(name, NAMES, REMEDY))


def _load_file(path: Path) -> RunningText:
    text = "\n".join(read_lines(path, str(path), REMEDY)) + "\n"
    if len(text) < SHORTEST:
        required = f"at least {SHORTEST:,} characters, so that validation and test mean something"
        raise DataError(str(path), required, f"{len(text):,}", "give a longer text")
    first, second = int(TRAIN_SHARE * len(text)), int((1 + TRAIN_SHARE) / 2 * len(text))
    return RunningText(path.name, text[:first], text[first:second], text[second:])
