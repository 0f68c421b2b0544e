"""rt-polarity: 10,662 sentences of film reviews that praise or blame, read out of their archive.

The reviews are from Rotten Tomatoes; a sentence is positive where its review was "fresh" and negative where it was
"rotten". Most of SST and of Subj's subjective sentences are sentences of this set too: never train on those first.

Pang and Lee (2005), Seeing Stars: Exploiting Class Relationships for Sentiment Categorization with Respect to Rating
Scales. CC BY 4.0.
"""

import zipfile

from llmcourse.data.store import DataFile, fetch

FILE = DataFile(
    name="polarity/sentence_polarity.zip",
    url="https://raw.githubusercontent.com/nltk/nltk_data/"
    "5db857e6f7df11eabb5e5665836db9ec8df07e28/packages/corpora/sentence_polarity.zip",
    sha256="6e1ed4405b65c7eabf1d199a7f7c437091ac21da0ea7467b410a74062574566b",
)
MEMBERS = {"negative": "sentence_polarity/rt-polarity.neg", "positive": "sentence_polarity/rt-polarity.pos"}
# The original is Latin-1; NLTK turned it into UTF-8, and left what were quotation marks and dashes of Windows.
MENDED = str.maketrans({"\x91": "‘", "\x96": "–", "\x97": "—"})


def read_polarity() -> list[tuple[str, str]]:
    """Read 5,331 negative and 5,331 positive sentences, without unpacking the archive to the disk.

    Returns:
        (sentence, class) rows in the order of the archive: lower case, with spaces around punctuation, as published.

    Raises:
        DataError: the archive is missing, damaged or not the expected one.
    """
    rows: list[tuple[str, str]] = []
    with zipfile.ZipFile(fetch(FILE)) as archive:
        for label, member in MEMBERS.items():
            text = archive.read(member).decode("utf-8").translate(MENDED)
            rows.extend((line.strip(), label) for line in text.removesuffix("\n").split("\n"))
    return rows
