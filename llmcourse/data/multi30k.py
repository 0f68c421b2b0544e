"""Multi30k: English descriptions of photographs with German and French translations, downloaded and never passed on.

The repository states no licence, and limits the photographs to research and education; the sentences therefore stay out
of this package.

Elliott, Frank, Sima'an and Specia (2016), Multi30K: Multilingual English-German Image Descriptions; the French side:
Elliott, Frank, Barrault, Bougares and Specia (2017), Findings of the Second Shared Task on Multimodal Machine
Translation and Multilingual Image Description.
"""

from llmcourse.data.sentences import SentencePairs, Split, read_lines
from llmcourse.data.store import DataError, DataFile, fetch

TARGETS = ("de", "fr")
ADDRESS = "https://raw.githubusercontent.com/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1"
FILES = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
SHA256 = {
    "test_2016_flickr.de.gz": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    "test_2016_flickr.en.gz": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "test_2016_flickr.fr.gz": "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90",
    "train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "train.fr.gz": "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c",
    "val.de.gz": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "val.fr.gz": "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9",
    "test_2016_flickr.lc.norm.tok.de": "c6a33d39d48f9f510de147651316cd9d918e09ad0219df734a2f16b6baccacc4",
    "test_2016_flickr.lc.norm.tok.en": "5b7f32627cf99eced828311b955dae9800bb52bc8b91cf8b6526829e605b29d2",
    "test_2016_flickr.lc.norm.tok.fr": "1463bd5960f9bfe098ec3cd752d3df0c49c84dc646fb518964a29232658cd836",
    "train.lc.norm.tok.de": "cb5a23529b65ec2061f1dc446192a9c37382b63cc75f81a0be59d34894b3a505",
    "train.lc.norm.tok.en": "08925f8e0572bcd5a006702fc5fe20e2d77c6917d4eebd576fc20de6693c2119",
    "train.lc.norm.tok.fr": "8fa41bb718412bcb7c5dfa58603842810a01543eae86a51279f9886b901266e1",
    "val.lc.norm.tok.de": "97232bd273eceb7207f689527386a97e4be2616b18ada47576bdaf96c8ae1f00",
    "val.lc.norm.tok.en": "46573ce391ae227f1c72f873392436a20ef18e0a6d518098cfbd70b77c8572ec",
    "val.lc.norm.tok.fr": "b303e301aa21fe7822a846b2b3fb2d5a1121ec807cd5b1d006fb7b2b5507168a",
}


def describe_file(split: str, language: str, tokenized: bool) -> DataFile:
    """Name one file of the data set, its address at the pinned commit and its hash.

    Args:
        split: "train", "validation" or "test".
        language: "en", "de" or "fr".
        tokenized: whether the lower-cased, normalised and tokenised version is meant.

    Returns:
        The `DataFile`; the folders are those of LLMCOURSE_DATA, where "tok" lies inside "multi30k".
    """
    if tokenized:
        name = f"{FILES[split]}.lc.norm.tok.{language}"
        return DataFile(f"multi30k/tok/{name}", f"{ADDRESS}/tok/{name}", SHA256[name])
    name = f"{FILES[split]}.{language}.gz"
    return DataFile(f"multi30k/{name}", f"{ADDRESS}/raw/{name}", SHA256[name])


def load_multi30k(target: str, tokenized: bool = False) -> SentencePairs:
    """Load the 29,000 training, 1,014 validation and 1,000 test pairs (test_2016_flickr) in their published order.

    Args:
        target: "de" or "fr".
        tokenized: whether to load the lower-cased, normalised, tokenised sentences that papers report scores on.

    Returns:
        The `SentencePairs`, without spaces around the sentences and otherwise as published.

    Raises:
        DataError: a file is missing, damaged, or differs in its number of lines from its other language.
    """
    splits = {split: _load_split(split, target, tokenized) for split in FILES}
    name = f"multi30k-{target}{'-tokenized' if tokenized else ''}"
    return SentencePairs(name, "en", target, splits["train"], splits["validation"], splits["test"])


def _load_split(split: str, target: str, tokenized: bool) -> Split:
    files = [describe_file(split, language, tokenized) for language in ("en", target)]
    sources, targets = ([line.strip() for line in read_lines(fetch(f), f.name, f.remedy)] for f in files)
    if len(sources) != len(targets):
        received = f"{len(targets):,} lines"
        required = f"as many lines as {files[0].name}, {len(sources):,}"
        raise DataError(files[1].name, required, received, files[1].remedy)
    return Split(tuple(sources), tuple(targets))
