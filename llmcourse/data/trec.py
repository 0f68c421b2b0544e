"""TREC: questions in six classes by what their answer is, 5,452 to learn from and 500 to test with.

The six coarse classes are kept and the fifty fine ones left out. No licence is stated: the files are downloaded and
never passed on.

Li and Roth (2002), Learning Question Classifiers.
"""

from llmcourse.data.store import DataFile, fetch

ADDRESS = (
    "https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/d61ded09c99c0199d8c5bca946cd65864de2b296/data/raw"
)
SHA256 = {
    "train": "9e4c8bdcaffb96ed61041bd64b564183d52793a8e91d84fc3a8646885f466ec3",
    "test": "033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e",
}
BROKEN = "ð"  # one character that is none: "sisterðcity"


def describe_file(part: str) -> DataFile:
    """Name one of the two files, its address at the pinned commit and its hash.

    Args:
        part: "train" or "test".
    """
    return DataFile(f"trec/TREC.{part}", f"{ADDRESS}/TREC.{part}", SHA256[part])


def read_trec(part: str) -> list[tuple[str, str]]:
    """Read the questions of one file, which is Latin-1 and has one on each line: "LOC:city What city ... ?".

    Args:
        part: "train" or "test".

    Returns:
        (question, class) rows in the order of the file, with spaces around punctuation, as published. The classes are
        ABBR (abbreviation), DESC (description), ENTY (thing), HUM (person), LOC (place) and NUM (number).

    Raises:
        DataError: the file is missing, damaged or not the expected one.
    """
    text = fetch(describe_file(part)).read_bytes().decode("latin-1").replace(BROKEN, " ")
    rows = []
    for line in text.removesuffix("\n").split("\n"):
        label, _, question = line.partition(" ")
        rows.append((question.strip(), label.partition(":")[0]))
    return rows
