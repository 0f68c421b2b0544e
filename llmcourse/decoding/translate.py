"""From text to text: a model and its tokenizer as one translator."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from llmcourse.decoding.beam import beam_search
from llmcourse.decoding.memory import LARGEST_BEAM, fitting
from llmcourse.decoding.search import greedy_decode

if TYPE_CHECKING:
    from llmcourse.data.tokenizer import Tokenizer

BUCKET = 8  # source lengths are rounded up to a multiple of this many tokens


class Translator:
    """Translate text with a trained model.

    Sentences of similar length are translated together, whatever their order, since a batch takes as long as its
    longest sentence. How long a translation may become depends on the length of its own source, so a sentence is
    translated the same alone and among others.

    Args:
        model: a `Transformer`.
        tokenizer: the `Tokenizer` that the model was trained with, or anything with its methods `tokens`,
            `encode_batch` and `decode`.
        max_length: int, at least 2: longer sources are cut to so many tokens, END included, and no translation becomes
            longer.

    Raises:
        ValueError: `max_length` is below 2.

    Example:
        >>> translator = Translator(model, tokenizer)  # doctest: +SKIP
        >>> translator.translate(["The train leaves at nine."])  # doctest: +SKIP
        ['火车九点开。']
    """

    def __init__(self, model: Any, tokenizer: "Tokenizer", max_length: int = 128):
        if max_length < 2:
            raise ValueError(f"max_length must be at least 2, a token and END. Received: {max_length}.")
        self.model = model
        self.tokenizer = tokenizer
        self.max_length = max_length

    def translate(
        self,
        texts: Sequence[str],
        *,
        beam_size: int = 4,
        alpha: float = 1.0,
        batch_size: int = 64,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> list[str]:
        """Translate several texts.

        Args:
            texts: one sentence each.
            beam_size: int from 1 to 64, the hypotheses that the search follows for each sentence; 1 is greedy search.
            alpha: float, the length penalty, see `beam_search`.
            batch_size: int, how many sentences are translated together, or fewer where that would take much memory.
            on_progress: called after each batch with the number of texts that are done, and that of all.

        Returns:
            The translations, in the order of the texts; a text without a word gives "".

        Raises:
            TypeError: `texts` is a single text.
            ValueError: a number is out of range, or the memory too small for a single sentence.
        """
        if isinstance(texts, str):
            raise TypeError(f"texts must be a list of texts. Received: one text, {texts[:40]!r}.")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1. Received: {batch_size}.")
        _require_beam(beam_size)
        translations = [""] * len(texts)
        done = sum(not text.strip() for text in texts)
        for rows, source in self._batches(texts, batch_size, beam_size):
            for row, ids in zip(rows, self._search(source, beam_size, alpha), strict=True):
                translations[row] = self.tokenizer.decode(ids)
            done += len(rows)
            if on_progress is not None:
                on_progress(done, len(texts))
        return translations

    def _batches(self, texts: Sequence[str], batch_size: int, beam_size: int) -> Iterable[tuple[list[int], np.ndarray]]:
        """Yield the numbers of the texts of each batch and their ids (B, S): S is a multiple of BUCKET for each."""
        rows = [row for row, text in enumerate(texts) if text.strip()]
        ids = self.tokenizer.encode_batch([texts[row] for row in rows], self.max_length) if rows else np.zeros((0, 1))
        buckets = -(-np.count_nonzero(ids, axis=1) // BUCKET) * BUCKET
        for length in sorted(set(buckets.tolist()), reverse=True):  # the slowest first: then the rest takes no longer
            same = np.flatnonzero(buckets == length)
            padded = np.zeros((len(same), length), dtype="int32")
            padded[:, : ids.shape[1]] = ids[same, :length]
            together = min(batch_size, fitting(self.model, length, beam_size, self._longest(length)))
            for start in range(0, len(same), together):
                part = slice(start, start + together)
                yield [rows[place] for place in same[part]], padded[part]

    def _search(self, source: np.ndarray, beam_size: int, alpha: float) -> Iterable[Iterable[int]]:
        longest = self._longest(source.shape[1])
        if beam_size == 1:
            return greedy_decode(self.model, source, longest).tolist()
        return [best[0].ids for best in beam_search(self.model, source, longest, beam_size=beam_size, alpha=alpha)]

    def _longest(self, source_length: int) -> int:
        # A translation twice as long as its source, and some tokens more, is one that repeats itself.
        return min(self.max_length, 2 * source_length + BUCKET)

    def n_best(self, text: str, n: int, *, beam_size: int | None = None, alpha: float = 1.0) -> list[tuple[str, float]]:
        """Translate one text in several ways.

        Args:
            text: one sentence.
            n: int, how many translations to return.
            beam_size: int, the hypotheses that the search follows, from n to 64; the larger of n and 4 by default.
            alpha: float, the length penalty, see `beam_search`.

        Returns:
            Different translations and their scores (log-probability / length**alpha), best first; fewer than n where
            several hypotheses are the same text in other tokens. A text without a word gives [("", 0.0)].

        Raises:
            ValueError: a number is out of range.
        """
        if not text.strip():
            return [("", 0.0)]
        beam_size = max(n, 4) if beam_size is None else beam_size
        _require_beam(beam_size)
        [(_, source)] = self._batches([text], 1, beam_size)
        options: dict[str, Any] = {"beam_size": beam_size, "alpha": alpha}
        [hypotheses] = beam_search(self.model, source, self._longest(source.shape[1]), n_best=n, **options)
        scores: dict[str, float] = {}
        for hypothesis in hypotheses:
            scores.setdefault(self.tokenizer.decode(hypothesis.ids), hypothesis.score)
        return list(scores.items())

    def attention(self, text: str, translation: str | None = None) -> tuple[list[str], list[str], np.ndarray]:
        """Look at what the decoder attended to in the source while it wrote the translation.

        Args:
            text: one sentence.
            translation: its translation; the model's own by default.

        Returns:
            The source tokens, S with END; the target tokens, T with END; and the weights of the cross-attention,
            float32 (layers, H, T, S). Row t holds the weights with which target token t was chosen.

        Raises:
            ValueError: the text is empty.
        """
        from keras import ops

        if not text.strip():
            raise ValueError(f"text must have at least one word. Received: {text!r}.")
        written = self.translate([text])[0] if translation is None else translation
        source = self.tokenizer.encode_batch([text], self.max_length)
        target = self.tokenizer.encode_batch([written], self.max_length + 1, start=True)
        _, scores = self.model(source, target[:, :-1], return_scores=True)
        weights = np.stack([ops.convert_to_numpy(ops.cast(layer, "float32"))[0] for layer in scores["cross"]])
        source_tokens = [*self.tokenizer.tokens(text)[: source.shape[1] - 1], "END"]
        target_tokens = [*self.tokenizer.tokens(written)[: target.shape[1] - 2], "END"]
        return source_tokens, target_tokens, weights


def _require_beam(beam_size: int) -> None:
    if not 1 <= beam_size <= LARGEST_BEAM:
        raise ValueError(f"beam_size must be from 1 to {LARGEST_BEAM}. Received: beam_size {beam_size}.")
