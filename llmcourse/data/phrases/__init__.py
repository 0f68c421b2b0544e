"""Sentence pairs from a grammar and a lexicon of our own: English with Chinese or German.

The words are in `activities`, `adjectives`, `moments`, `people`, `places`, `things` and `verbs`, each entry once with
what the three languages need; `german` and `numbers` hold rules; the `grammar_*` files hold one function per kind of
sentence, which writes it in the three languages; `template` draws the words, `splits` divides the sentences.
"""

from functools import cache

from llmcourse.data.phrases.splits import split_sentences

__all__ = ["TARGETS", "phrase_splits"]

TARGETS = {"zh": "Chinese", "de": "German"}


def phrase_splits(target: str) -> dict[str, list[tuple[str, str]]]:
    """Return the sentence pairs of each split, the same ones on every machine.

    The data set is small enough to learn in minutes and still shows what makes translation hard: word order, agreement
    and words that one language has and the other has not. Its sentences are about times, prices, travel, family,
    weather, comparisons and numbers. No two share their English, and the English says all that the translation needs:
    brothers and sisters are older or younger, and you is one person, always du and 你. So exact match is a fair
    measure.

    `combinations` asks whether a model puts known words together in a new way. Each kind of sentence names two of its
    slots, such as subject and activity, adjective and noun, number and noun, or city and weather. Of the pairs that
    fill them about one in forty is held out: the two never meet in train, validation or test, in no kind of sentence,
    though each is there with other words. All sentences with such a pair are in `combinations`.

    Args:
        target: "zh" for Chinese, in simplified characters without spaces, or "de" for German.

    Returns:
        For each of "train", "validation", "test" and "combinations" a list of pairs (English, translation), in a
        mixed order that is always the same, so that the first N of a list are a fair sample. Both targets have the same
        English sentences in the same order. The lists are the caller's own.

    Raises:
        ValueError: the target is another one.

    Example:
        >>> from llmcourse.data.phrases import phrase_splits
        >>> sorted(phrase_splits("de"))
        ['combinations', 'test', 'train', 'validation']
    """
    if not isinstance(target, str) or target not in TARGETS:
        raise ValueError(f'target must be "zh" or "de". Received: {target!r}')
    return {name: list(pairs) for name, pairs in _pairs(target).items()}


@cache
def _pairs(target: str) -> dict[str, tuple[tuple[str, str], ...]]:
    return {
        name: tuple((sentence.en, sentence.zh if target == "zh" else sentence.de) for sentence in sentences)
        for name, sentences in split_sentences().items()
    }
