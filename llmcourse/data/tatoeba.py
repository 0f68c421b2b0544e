"""English-Chinese pairs of Tatoeba (tatoeba.org, CC BY 2.0 FR), in simplified characters and with splits of our own."""

import re
from collections.abc import Callable

from llmcourse.data.chinese import load_simplifier
from llmcourse.data.sentences import Pair, SentencePairs, divide, read_table
from llmcourse.data.store import DataFile, fetch

FILE = DataFile(
    name="tatoeba/cmn.txt",
    url="https://raw.githubusercontent.com/YC-Coder-Chen/English-Chinese-Translator/"
    "9663dba4f2f52b4111b706b560023caaa73c72eb/data/cmn.txt",
    sha256="f81798986021a75cbbcdd7521e627d87031e1b74e5601cfb3604cf1637ac62dd",
)
VALIDATION = 500
TEST = 1_000

# What OpenCC leaves, because it is right in Taiwan: the mark of a lasting action, and two old spellings.
LASTING = re.compile(r"(?<=意味)著|(?<![显名原卓译专])著(?![名作称])")
SPELLINGS = (("甚么", "什么"), ("妳", "你"))
FULL_WIDTH = str.maketrans(",.?!;:", "，。？！；：")
HALF_WIDTH_MARK = re.compile(r"(?<=[\u4e00-\u9fff])\s*([,?!;:]|\.(?!\.))")
SPACE_AT_MARK = re.compile(r"\s+(?=[，。？！；：])|(?<=[，。？！；：])\s+")
QUOTES = str.maketrans("「」", "“”", "\u200b")  # and without the invisible space that some sentences hold


def load_tatoeba() -> SentencePairs:
    """Load about 21,000 English-Chinese pairs: 500 for validation, 1,000 for test, the rest for training.

    The source mixes simplified and traditional characters; here all are simplified, and punctuation after a Chinese
    character is the Chinese one. Pairs that become the same are kept once. No English sentence and no Chinese one
    stands in two splits, not even with other capital letters or punctuation.

    Returns:
        The `SentencePairs` "tatoeba-cmn", each split in a mixed order (the source is sorted by length).

    Raises:
        DataError: OpenCC is not installed, or the file is missing or damaged.
    """
    convert = make_converter()
    table = read_table(fetch(FILE), FILE.name, FILE.remedy)
    pairs = clean_pairs(table, convert)
    train, validation, test = divide(pairs, validation=VALIDATION, test=TEST, by_target=True)
    return SentencePairs("tatoeba-cmn", "en", "zh", train, validation, test)


def make_converter() -> Callable[[str], str]:
    """Make the function that turns Chinese into simplified characters with Chinese punctuation.

    OpenCC knows the characters and many words; three spellings that it takes for right everywhere are mended after it.

    Returns:
        A function from text to text.

    Raises:
        DataError: OpenCC is not installed.
    """
    simplify = load_simplifier("tatoeba-cmn")

    def convert(text: str) -> str:
        text = LASTING.sub("着", simplify(text.translate(QUOTES)))
        for old, new in SPELLINGS:
            text = text.replace(old, new)
        text = HALF_WIDTH_MARK.sub(lambda match: match[1].translate(FULL_WIDTH), text)
        return SPACE_AT_MARK.sub("", text).strip()

    return convert


def clean_pairs(pairs: list[Pair], convert: Callable[[str], str]) -> list[Pair]:
    """Simplify the Chinese side, and drop pairs with an empty side and pairs that are there already.

    Args:
        pairs: (English, Chinese) pairs.
        convert: from `make_converter`.

    Returns:
        Different pairs, in the same order.
    """
    converted = ((source.strip(), convert(target)) for source, target in pairs)
    return list(dict.fromkeys(pair for pair in converted if all(pair)))
