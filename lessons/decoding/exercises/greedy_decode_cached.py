"""Exercise `greedy_decode_cached`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_equal, expect_shape, expect_unchanged, mutants

from ..oracles import distinct_sizes

PAD, UNK, START, END = range(4)


class CachedModel:
    """A trusted model that remembers what it was given in its caches only; it notes what it is asked.

    The next token depends on the source and on all earlier tokens, so whoever loses some of them hears something else.
    Behind its END a sentence goes on with chatter, as a real model does.

    Args:
        rng: decides what the model says.
        lengths: for each sentence the number of its tokens, END included; the model says END nowhere else.
        words: V without the special tokens.
        low: the smallest word.
    """

    def __init__(self, rng, lengths, words=19, low=4):
        self.secret, self.first, self.size = int(rng.integers(2**31)), low, low + words
        self.shift = float(rng.uniform(-40, -20))  # logits need not be positive
        self.source = rng.permutation(np.arange(4, 4 + 3 * len(lengths))).reshape(len(lengths), 3).astype(np.int32)
        self.lengths = {tuple(row): int(length) for row, length in zip(self.source.tolist(), lengths, strict=True)}
        self.sources, self.calls = [], []

    def read_source(self, source):
        """Answer as `read_source`: the caches of a new batch."""
        self.sources.append(np.array(source))
        self.calls.append([])
        return {"source": np.array(source), "written": np.zeros((len(source), 0), dtype=np.int32)}

    def score_next(self, tokens, position, caches):
        """Answer as `score_next`: tokens (B, 1) and caches to logits (B, V) and caches."""
        given, place = np.array(tokens), np.array(position)
        if not isinstance(caches, dict) or {*caches} != {"source", "written"}:
            raise ValueError(
                "The caches must be those that read_source or the last score_next returned. "
                f"Received: {type(caches).__name__}"
            )
        source, written = caches["source"], caches["written"]
        self.calls[-1].append((given, place, written.shape[1]))
        if given.dtype.kind not in "iu" or given.shape != (len(source), 1):
            raise ValueError(
                f"tokens must be integers of shape {(len(source), 1)}: one new token for each sentence. "
                f"Received: {given.dtype}, shape {given.shape}"
            )
        if place.shape != () or place.dtype.kind not in "iu":
            raise ValueError(f"position must be one integer. Received: {place.dtype}, shape {place.shape}")
        written = np.concatenate([written, given], axis=1)
        logits = np.stack([self.logits(*rows, int(place)) for rows in zip(source, written, strict=True)])
        return logits, {"source": source, "written": written}

    def logits(self, source, written, place):
        """Compute the logits (V,) after one beginning; a wrong position spoils them as a wrong token does."""
        noise = np.random.default_rng([self.secret, place, *source.tolist(), *written.tolist()])
        logits = noise.normal(size=self.size)
        said = self.lengths.get(tuple(source.tolist()), 0)
        best = END if len(written) == said else int(noise.integers(self.first, self.size))
        if best != END and noise.uniform() < 0.15:
            best = UNK  # a word like any other
        logits[best] += 12
        return (logits + self.shift).astype(np.float32)

    def expected(self, max_length):
        """Return what greedy decoding without any cache writes: (B, max_length)."""
        rows = np.full((len(self.source), max_length), PAD)
        for source, row in zip(self.source, rows, strict=True):
            ids = [START]
            while len(ids) <= max_length and ids[-1] != END:
                ids.append(int(self.logits(source, np.array(ids), len(ids) - 1).argmax()))
            row[: len(ids) - 1] = ids[1:]
        return rows


def decode(student, model, max_length):
    """Decode with the learner's function."""
    return student.greedy_decode_cached(model.read_source, model.score_next, model.source, max_length)


@criterion(
    points=2,
    hints=[
        "Which tokens does score_next get in step t, and in which column of the result does its answer go?",
        "At position 0 it gets START, at position t the token that was written last; its argmax is the next token.",
        "`newest = target[:, position, None]` has the shape (B, 1); write to `target[:, position + 1]`.",
    ],
)
def the_tokens_are_those_without_a_cache(student, rng):
    """Token for token, the result is that of greedy decoding without a cache: integers (B, max_length)."""
    for _ in range(2):
        count, max_length = distinct_sizes(rng, 2, low=3)
        model = CachedModel(rng, [99] * count)  # nobody comes to an end
        result = expect_shape(decode(student, model, max_length), (count, max_length), what="the result")
        expect(result.dtype.kind in "iu", required="an array of integers", received=f"dtype {result.dtype}")
        expect_equal(result, model.expected(max_length), what="greedy_decode_cached(...)")


@criterion(
    points=2,
    hints=[
        "How many tokens of each sentence does score_next get in step 5? Why does it not need the others?",
        "One, whatever has been written: the others are in the caches. The first one is START, at position 0.",
        "Count the steps from 0: `for position in range(max_length)`, and hand over `target[:, position : position + 1]`.",
    ],
)
def the_model_gets_one_new_token_in_each_step(student, rng):
    """Step by step, score_next gets the newest token of each sentence, (B, 1), and its position: 0, 1, 2, ..."""
    count, max_length = distinct_sizes(rng, 2, low=4)
    model = CachedModel(rng, [99] * count)
    decode(student, model, max_length)
    given = np.concatenate([np.full((count, 1), START), model.expected(max_length)], axis=1)
    asked = [call for batch in model.calls for call in batch]
    expect(asked, required="score_next is called", received="no call")
    for number, (tokens, position, _) in enumerate(asked[:max_length]):
        expect(position == number, required=f"call {number + 1} names position {number}", received=position)
        expect_equal(tokens, given[:, number : number + 1], what=f"the tokens of call {number + 1}")
    count = len(asked)
    expect(count == max_length, required=f"{max_length} calls for {max_length} tokens", received=f"{count} calls")


@criterion(
    points=2,
    hints=[
        "What do the caches hold in step 5 if you always hand over the same ones?",
        "score_next returns two things. The second one is the caches for the next step.",
        "`logits, caches = score_next(newest, position, caches)`",
    ],
)
def each_step_goes_on_with_the_caches_of_the_last(student, rng):
    """Each call gets the caches that the last one returned; the source is read once, before the first token."""
    count, max_length = distinct_sizes(rng, 2, low=4)
    model = CachedModel(rng, [99] * count)
    decode(student, model, max_length)
    reads = len(model.sources)
    expect(reads == 1, required="read_source is called once", received=f"{reads} calls")
    expect_equal(model.sources[0], model.source, what="the source that read_source gets")
    for number, (_, _, known) in enumerate(model.calls[0]):
        words = f"the caches of call {number + 1} know {number} tokens of each sentence"
        expect(known == number, required=words, received=f"they know {known}")


@criterion(
    points=2,
    hints=[
        "What does the model say for a sentence that has ended, and who listens to it?",
        "As in greedy_decode: remember who is finished, write PAD for them, and go on for the others.",
        "`np.where(finished, 0, best)`, and after each step `finished |= target[:, position + 1] == 3`.",
    ],
)
def each_sentence_ends_at_its_own_end(student, rng):
    """Each sentence keeps its tokens up to and with END, and only PAD follows, while the others go on."""
    for place in (0, -1):  # of the sentence that ends last
        max_length = int(rng.integers(7, 11))
        lengths = rng.permutation(np.arange(1, max_length + 1))[: int(rng.integers(4, 7))]
        longest = lengths.argmax()
        lengths[[place, longest]] = lengths[[longest, place]]
        model = CachedModel(rng, lengths)
        expect_equal(decode(student, model, max_length), model.expected(max_length), what="greedy_decode_cached(...)")


@criterion(
    hints=[
        "How often is score_next called if all sentences have three tokens and max_length is 50?",
        "As soon as all are finished, leave the loop: `if finished.all(): break`.",
    ],
)
def it_stops_when_all_have_ended(student, rng):
    """score_next is called as often as the longest sentence has tokens, END included; the result keeps its shape."""
    lengths = rng.permutation(np.arange(1, 8))[:4]
    for max_length in (int(max(lengths)) + 9, int(max(lengths)), int(max(lengths)) - 1):
        if max_length < 1:
            continue
        model = CachedModel(rng, lengths)
        result = decode(student, model, max_length)
        calls = min(int(max(lengths)), max_length)
        received = sum(len(asked) for asked in model.calls)
        words = f"{calls} calls for sentences of up to {max(lengths)} tokens and max_length {max_length}"
        expect(received == calls, required=words, received=f"{received} calls")
        expect_equal(result, model.expected(max_length), what=f"the result with max_length {max_length}")


@criterion(
    points=2,
    hints=[
        "What is left of the first batch when the second one begins?",
        "Nothing may be: other sources, another number of sentences. Make caches, target and finished in the function.",
        "What stands in a default argument or outside of the function lives on from call to call.",
    ],
)
def every_call_begins_anew(student, rng):
    """Calls one after the other, with other sources, batches and lengths, and the same again, share nothing."""
    models = [CachedModel(rng, rng.integers(2, 9, size=size)) for size in rng.permutation(np.arange(1, 6))[:3]]
    for number, model in enumerate([*models, models[0]], start=1):
        max_length, before = int(rng.integers(5, 11)), len(model.sources)
        result = decode(student, model, max_length)
        reads = len(model.sources) - before
        expect(reads == 1, required=f"read_source is called once in call {number} of your function", received=reads)
        expect(model.calls[-1], required=f"score_next is called in call {number} of your function", received="no call")
        known = model.calls[-1][0][2]
        expect(known == 0, required=f"call {number} begins with empty caches", received=f"they know {known} tokens")
        expect_equal(result, model.expected(max_length), what=f"the result of call {number} of your function")


@criterion(
    hints=[
        "What if a sentence never ends, or ends with the very last token that fits, or max_length is 1?",
        "max_length counts the tokens after START. What is cut off has no END; target needs max_length + 1 columns.",
        "`target = np.zeros((len(source), max_length + 1), dtype='int32')`, and return `target[:, 1:]`.",
    ],
)
def the_longest_sentences_are_complete(student, rng):
    """Sentences may fill all max_length places, with END as the last one or without END; from 1 to over 100 places."""
    for max_length in (1, int(rng.integers(4, 9)), int(rng.integers(140, 170))):
        lengths = {max_length, max_length + 1, max(1, max_length - 1), 999}
        model = CachedModel(rng, rng.permutation(sorted(lengths)))
        expect_equal(decode(student, model, max_length), model.expected(max_length), what=f"{max_length} tokens")


@criterion(
    hints=[
        "Which integers do you keep the tokens in? And what do you do with source?",
        "int32 counts to two thousand millions; a vocabulary may have 50,000 tokens. source belongs to the caller.",
    ],
)
def large_ids_are_written_and_the_source_stays(student, rng):
    """Ids above 40,000 are written as they are, a batch of one sentence works as well, and source is not changed."""
    for count in (1, 3):
        model = CachedModel(rng, rng.integers(3, 6, size=count), words=9_000, low=41_000)
        result = decode(student, model, 5)
        expect_unchanged(student)
        expect_equal(result, model.expected(5), what=f"ids above 40,000 in a batch of {count}")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

CACHED = """
def greedy_decode_cached(read_source, score_next, source, max_length):
    target = np.zeros((len(source), max_length + 1), dtype="int32")
    target[:, 0] = 2
    finished = np.zeros(len(source), dtype=bool)
    caches = read_source(source)
    for position in range(max_length):
        newest = target[:, position, None]
        logits, caches = score_next(newest, position, caches)
        best = np.argmax(logits, axis=-1)
        target[:, position + 1] = np.where(finished, 0, best)
        finished |= target[:, position + 1] == 3
        if finished.all():
            break
    return target[:, 1:]
"""
STEP = "logits, caches = score_next(newest, position, caches)"
NEXT = "np.where(finished, 0, best)"
RESULT = "return target[:, 1:]"
READ = "    caches = read_source(source)\n"
ONE_BY_ONE = """
def greedy_decode_cached(read_source, score_next, source, max_length):
    rows = []
    for n in range(len(source)):
        caches, ids = read_source(source[n : n + 1]), [2]
        while len(ids) <= max_length and ids[-1] != 3:
            logits, caches = score_next(np.array([ids[-1:]]), len(ids) - 1, caches)
            ids.append(int(np.argmax(logits)))
        rows.append(ids[1:] + [0] * (max_length + 1 - len(ids)))
    return np.array(rows)
"""
mutants(
    CACHED,
    "*",
    [
        (
            "imports the answer",
            "    target = np",
            "    return steps.greedy_decode_cached(read_source, score_next, source, max_length)\n    target = np",
        )
    ],
)
mutants(
    CACHED,
    "the_tokens_are_those_without_a_cache",
    [
        ("leaves START in the result", RESULT, "return target"),
        ("floats", RESULT, "return target[:, 1:].astype(float)"),
        ("a list for each sentence", RESULT, "return [row[row > 0].tolist() for row in target[:, 1:]]"),
        ("begins with END", "target[:, 0] = 2", "target[:, 0] = 3"),
        ("forgets START", "    target[:, 0] = 2\n", ""),
        ("one token for the whole batch", "np.argmax(logits, axis=-1)", "np.argmax(np.sum(logits, axis=0))"),
        ("the best sentence for each token", "axis=-1", "axis=0)[0] + 0 * np.arange(len(source)"),
        ("never says UNK", "best = np.argmax(logits, axis=-1)", "best = np.argmax(logits[:, 2:], axis=-1) + 2"),
        (
            "multiplies by a mask of the special tokens",
            "np.argmax(logits",
            "np.argmax(logits * (np.arange(len(logits[0])) > 2)",
        ),
    ],
)
mutants(
    CACHED,
    "the_model_gets_one_new_token_in_each_step",
    [
        (
            "gives the model all that was written",
            "newest = target[:, position, None]",
            "newest = target[:, : position + 1]",
        ),
        ("without the axis of the positions", "newest = target[:, position, None]", "newest = target[:, position]"),
        ("positions counted from 1", STEP, "logits, caches = score_next(newest, position + 1, caches)"),
        ("every new token at position 0", STEP, "logits, caches = score_next(newest, 0, caches)"),
        (
            "a position for each sentence",
            STEP,
            "logits, caches = score_next(newest, np.full((len(source), 1), position), caches)",
        ),
        ("always START", "newest = target[:, position, None]", "newest = target[:, :1]"),
        (
            "the column that is still empty",
            "newest = target[:, position, None]",
            "newest = target[:, position + 1, None]",
        ),
        ("asks twice for each token", STEP, f"score_next(newest, position, caches)\n        {STEP}"),
        ("one call more at the end", RESULT, f"score_next(target[:, -1:], max_length, caches)\n    {RESULT}"),
        (
            "all again in each step, token by token",
            STEP,
            "caches = read_source(source)\n"
            "        for place in range(position + 1):\n"
            "            logits, caches = score_next(target[:, place, None], place, caches)",
        ),
    ],
)
mutants(
    CACHED,
    "each_step_goes_on_with_the_caches_of_the_last",
    [
        ("always the first caches", STEP, "logits, _ = score_next(newest, position, caches)"),
        ("fresh caches in each step", STEP, f"{READ.strip()}\n        {STEP}"),
        ("reads the source twice", READ, READ + READ),
        ("reads only the first source", "read_source(source)", "read_source(source[:1].repeat(len(source), axis=0))"),
        (
            "the first caches again after the second token",
            STEP,
            "logits, newer = score_next(newest, position, caches)\n        caches = newer if position < 2 else caches",
        ),
        ("one sentence after the other", CACHED, ONE_BY_ONE),
        (
            "the caches of the step before the last",
            READ,
            f"{READ}    late = caches\n",
            STEP,
            "logits, newer = score_next(newest, position, late)\n        late, caches = caches, newer",
        ),
    ],
)
mutants(
    CACHED,
    "each_sentence_ends_at_its_own_end",
    [
        ("leaves the chatter behind END", NEXT, "best"),
        ("stops all when one has ended", "finished.all()", "finished.any()"),
        ("stops when the first ones have ended", "finished.all()", "finished[: (len(finished) + 1) // 2].all()"),
        ("stops when the last one has ended", "finished.all()", "finished[-1]"),
        ("fills up with END", NEXT, "np.where(finished, 3, best)"),
        ("leaves END out", RESULT, "return np.where(target == 3, 0, target)[:, 1:]"),
        ("forgets who had ended before", "finished |=", "finished ="),
        ("takes UNK for END", "== 3", "== 1"),
        (
            "PAD already in the place of END",
            "        target[:, position + 1] =",
            "        finished |= best == 3\n        target[:, position + 1] =",
        ),
    ],
)
mutants(
    CACHED,
    "it_stops_when_all_have_ended",
    [
        ("never stops early", "if finished.all():", "if False:"),
        (
            "one call too many",
            "    for position in range(max_length):\n",
            "    for position in range(max_length):\n        if finished.all():\n            score_next(target[:, position, None], position, caches)\n            break\n",
            "        if finished.all():\n            break\n    return",
            "    return",
        ),
        ("cuts off what was not needed", RESULT, "return target[:, 1 : position + 2]"),
        ("stops when most have ended", "finished.all()", "finished.mean() > 0.7"),
    ],
)
mutants(
    CACHED,
    "every_call_begins_anew",
    [
        (
            "keeps the caches in a default argument",
            "source, max_length):",
            "source, max_length, kept=[]):",
            READ,
            "    if not kept:\n        kept.append(read_source(source))\n    caches = kept[0]\n",
        ),
        (
            "remembers the results by the number of sentences",
            "    target = np.zeros",
            "    known = globals().setdefault('_known', {})\n    if len(source) in known:\n        return known[len(source)]\n    target = np.zeros",
            RESULT,
            "known[len(source)] = target[:, 1:]\n    return target[:, 1:]",
        ),
        (
            "target in a default argument",
            "source, max_length):",
            "source, max_length, kept={}):",
            'target = np.zeros((len(source), max_length + 1), dtype="int32")',
            'target = kept.setdefault(len(source), np.zeros((len(source), max_length + 1), dtype="int32"))',
        ),
        (
            "who is finished in a default argument",
            "source, max_length):",
            "source, max_length, done={}):",
            "finished = np.zeros(len(source), dtype=bool)",
            "finished = done.setdefault(len(source), np.zeros(len(source), dtype=bool))",
        ),
        (
            "goes on with the last caches where the sources are known",
            READ,
            "    kept = globals().setdefault('_kept', {})\n"
            "    caches = kept.pop(source.tobytes(), None)\n"
            "    caches = read_source(source) if caches is None else caches\n",
            RESULT,
            "kept[source.tobytes()] = caches\n    return target[:, 1:]",
        ),
    ],
)
mutants(
    CACHED,
    "the_longest_sentences_are_complete",
    [
        ("one token too few", "range(max_length)", "range(max_length - 1)"),
        ("puts END at the end by force", RESULT, "target[~finished, -1] = 3\n    return target[:, 1:]"),
        ("deletes what did not come to its END", RESULT, "target[~finished] = 0\n    return target[:, 1:]"),
        ("at most 64 tokens", "range(max_length)", "range(min(max_length, 64))"),
        ("positions as a byte", STEP, "logits, caches = score_next(newest, np.int8(position % 128), caches)"),
        ("needs two places", "range(max_length)", "range(max(2, max_length))"),
    ],
)
mutants(
    CACHED,
    "large_ids_are_written_and_the_source_stays",
    [
        ("ids of 16 bits", 'dtype="int32"', 'dtype="int16"'),
        ("ids of a byte", 'dtype="int32"', 'dtype="uint8"'),
        ("squeezes a batch of one", RESULT, "return np.squeeze(target[:, 1:])"),
        ("writes into source", RESULT, "source[:] = 0\n    return target[:, 1:]"),
        (
            "ids as half-precision floats",
            "best = np.argmax(logits, axis=-1)",
            "best = np.argmax(logits, axis=-1).astype('float16')",
        ),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "columns collected in a list, the newest one kept by itself",
    """
def greedy_decode_cached(read_source, score_next, source, max_length):
    memory = read_source(source)
    newest, alive, columns = np.full((len(source), 1), 2), np.full(len(source), True), []
    while alive.any() and len(columns) < max_length:
        scores, memory = score_next(newest, len(columns), memory)
        newest = np.where(alive, np.asarray(scores).argmax(axis=1), 0)[:, None]
        alive &= newest[:, 0] != 3
        columns.append(newest)
    columns += [np.zeros((len(source), 1), dtype=int)] * (max_length - len(columns))
    return np.concatenate(columns, axis=1)
""",
)
accepted(
    "lists, and a set of those that have ended; the model goes on with its chatter",
    """
def greedy_decode_cached(read_source, score_next, source, max_length):
    caches, sentences, ended = read_source(source), [[] for _ in source], set()
    newest = [[2] for _ in source]
    for position in range(max_length):
        logits, caches = score_next(np.array(newest, dtype="int64"), position, caches)
        for n in range(len(source)):
            token = max(range(len(logits[n])), key=lambda v: logits[n][v])
            newest[n] = [token]
            if n not in ended:
                sentences[n].append(token)
            if token == 3:
                ended.add(n)
        if len(ended) == len(source):
            break
    return np.array([ids + [0] * (max_length - len(ids)) for ids in sentences])
""",
)
accepted(
    "tensors from beginning to end",
    """
def greedy_decode_cached(read_source, score_next, source, max_length):
    import keras
    from keras import ops

    batch = source.shape[0]
    caches, newest = read_source(source), ops.full((batch, 1), 2, dtype="int32")
    written, running = [], ops.ones((batch, 1), dtype="bool")
    for position in range(max_length):
        logits, caches = score_next(newest, position, caches)
        best = ops.cast(ops.argmax(ops.convert_to_tensor(logits), axis=-1, keepdims=True), "int32")
        newest = ops.where(running, best, ops.zeros_like(best))
        written.append(newest)
        running = ops.logical_and(running, ops.not_equal(newest, 3))
        if not ops.convert_to_numpy(running).any():
            break
    return ops.pad(ops.concatenate(written, axis=1), [(0, 0), (0, max_length - len(written))])
""",
)
accepted(
    "a recursive step, and what follows END removed at the end",
    """
def greedy_decode_cached(read_source, score_next, source, max_length):
    def go_on(written, caches):
        length = written.shape[1] - 1
        if length == max_length or (written == 3).any(axis=1).all():
            return written[:, 1:]
        logits, caches = score_next(written[:, -1:], np.int64(length), caches)
        return go_on(np.hstack([written, np.argmax(logits, axis=1)[:, np.newaxis]]), caches)

    written = go_on(np.full((source.shape[0], 1), 2), read_source(source))
    result = np.zeros((len(source), max_length), dtype=int)
    result[:, : written.shape[1]] = written
    behind = np.cumsum(result == 3, axis=1) - (result == 3) > 0
    result[behind] = 0
    return result
""",
)
