"""Exercise `greedy_decode`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_equal, expect_shape, expect_unchanged, mutants

from ..oracles import END, PAD, START, distinct_sizes


class Speaker:
    """A trusted model that says a fixed sentence for each source; it notes what it is asked.

    The next token depends on the whole target so far: whoever feeds it something else hears something else.
    """

    def __init__(self, rng, lengths, vocabulary=23, lead=8.0, offset=0.0):
        self.vocabulary, self.calls, self.lead, self.offset = vocabulary, [], lead, offset
        self.rng = np.random.default_rng(int(rng.integers(2**31)))
        self.source = rng.permutation(np.arange(4, 4 + 3 * len(lengths)).reshape(len(lengths), 3)).astype(np.int32)
        self.sentences = {}
        for row, length in zip(self.source, lengths, strict=True):  # END is the token number `length`
            words = rng.integers(4, vocabulary, size=40)
            words[length - 1 :] = np.where(np.arange(len(words[length - 1 :])) == 0, END, words[length - 1 :])
            self.sentences[tuple(row.tolist())] = words

    def __call__(self, source, target):
        source, target = np.asarray(source), np.asarray(target)
        self.calls.append((source.copy(), target.copy()))
        logits = self.rng.normal(size=(*target.shape, self.vocabulary))
        for row, ids in enumerate(source):
            words = self.sentences.get(tuple(ids.tolist()))
            for place in range(target.shape[1]):
                started = target[row, 0] == START
                wanted = words[place] if words is not None and started else 1
                logits[row, place, wanted] = logits[row, place].max() + self.lead
        return (logits + self.offset).astype(np.float32)

    def expected(self, max_length):
        """Return what greedy decoding writes: (B, max_length)."""
        rows = np.array([self.sentences[tuple(ids.tolist())][:max_length] for ids in self.source])
        after = np.cumsum(rows == END, axis=1) - (rows == END) > 0
        return np.where(after, PAD, rows)


def call_decode(student, speaker, max_length):
    return student.greedy_decode(speaker, speaker.source, max_length)


@criterion(
    hints=[
        "How many columns should the result have? Does START belong to it?",
        "As many as max_length; START is what you begin with and is cut off at the end.",
        "Make an array of zeros (B, max_length + 1) with START in its first column; return `target[:, 1:]`.",
    ],
)
def the_result_has_max_length_columns(student, rng):
    """The result has the shape (B, max_length) and holds integers, also when all sentences end early."""
    count, max_length = distinct_sizes(rng, 2, low=3)
    speaker = Speaker(rng, rng.integers(2, max_length, size=count))
    result = expect_shape(call_decode(student, speaker, max_length), (count, max_length), what="greedy_decode(...)")
    expect(result.dtype.kind in "iu", required="an array of integers", received=f"dtype {result.dtype}")


@criterion(
    points=2,
    hints=[
        "Which position of the logits speaks about the next token?",
        "The last one: `logits[:, -1]`, shape (B, V). The largest entry of each row is the next token.",
        "`target[:, length] = logits[:, -1].argmax(axis=-1)`, for length = 1, 2, ..., max_length.",
    ],
)
def each_token_is_the_best_of_the_last_position(student, rng):
    """Each new token is the one with the highest score at the last position, for each sentence by itself."""
    max_length = int(rng.integers(22, 29))
    speaker = Speaker(rng, [30] * 3, lead=0.1, offset=-1000.0)  # nobody comes to an end; no score is above 0
    expect_equal(call_decode(student, speaker, max_length), speaker.expected(max_length), what="greedy_decode(...)")


@criterion(
    points=2,
    hints=[
        "What does the model say for a sentence that is already finished, and who listens to it?",
        "Remember for each sentence whether it is finished, and write PAD for it from then on.",
        "`np.where(finished, 0, best)`, and after each step `finished |= target[:, length] == 3`.",
    ],
)
def each_sentence_stops_at_its_own_end(student, rng):
    """Each sentence keeps its tokens up to and with END, whatever they are; behind it there is only PAD."""
    max_length = int(rng.integers(7, 11))
    lengths = rng.choice(np.arange(1, max_length + 1), size=5, replace=False)
    speaker = Speaker(rng, lengths)
    for words in speaker.sentences.values():  # only END ends a sentence: not UNK, not another START
        words[(words > END) & (rng.random(len(words)) < 0.3)] = rng.integers(1, END)
    expect_equal(call_decode(student, speaker, max_length), speaker.expected(max_length), what="greedy_decode(...)")


@criterion(
    hints=[
        "With which target do you call the model first, and how does it grow?",
        "First with START alone, (B, 1); then with one column more in each call: START and all that was written.",
        "`model(source, target[:, :length])`",
    ],
)
def the_model_sees_start_and_all_that_was_written(student, rng):
    """Call number t gives the model the whole source, and START followed by the t - 1 tokens written so far."""
    count, max_length = distinct_sizes(rng, 2, low=4)
    speaker = Speaker(rng, [30] * count)
    call_decode(student, speaker, max_length)
    written = np.concatenate([np.full((count, 1), START), speaker.expected(max_length)], axis=1)
    expect(speaker.calls, required="the model is called", received="no call")
    for number, (source, target) in enumerate(speaker.calls, start=1):
        expect_equal(source, speaker.source, what=f"the source of call {number}")
        expect_equal(target, written[:, :number], what=f"the target of call {number}")


@criterion(
    hints=[
        "How often is the model called if all sentences have three tokens and max_length is 50?",
        "As soon as all are finished, leave the loop: `if finished.all(): break`.",
    ],
)
def it_stops_when_all_are_finished(student, rng):
    """The model is called as often as the longest sentence has tokens, END included, and not once more."""
    lengths = rng.choice(np.arange(2, 8), size=4, replace=False)
    for max_length in (int(max(lengths)) + 9, int(max(lengths)) - 1):
        speaker = Speaker(rng, lengths)
        call_decode(student, speaker, max_length)
        calls = min(int(max(lengths)), max_length)
        words = f"{calls} calls for sentences of up to {max(lengths)} tokens and max_length {max_length}"
        expect(len(speaker.calls) == calls, required=words, received=f"{len(speaker.calls)} calls")


@criterion(
    hints=[
        "What if END is the very last token that fits, or one too late?",
        "max_length counts the tokens after START, END included. A sentence that is cut off has no END.",
    ],
)
def end_may_be_the_last_token_that_fits(student, rng):
    """A sentence with exactly max_length tokens keeps its END; a longer one is cut off without END; one is enough."""
    for max_length in (int(rng.integers(4, 9)), 1):
        speaker = Speaker(rng, [max_length, max_length + 1, max(1, max_length - 1)])
        expect_equal(
            call_decode(student, speaker, max_length),
            speaker.expected(max_length),
            what=f"greedy_decode(..., max_length={max_length})",
        )


@criterion(
    hints=[
        "Which integers do you keep the tokens in? And does everybody get the same source and the same call?",
        "int32 counts to two thousand millions; a vocabulary may have 50,000 tokens.",
    ],
)
def large_vocabularies_are_welcome(student, rng):
    """Ids above 40,000 are written as they are."""
    speaker = Speaker(rng, [5, 3, 4], vocabulary=50_000)
    for words in speaker.sentences.values():
        words[words > END] = rng.integers(40_000, 50_000, size=int((words > END).sum()))
    expect_equal(call_decode(student, speaker, 6), speaker.expected(6), what="sentences with ids above 40,000")


TENSORS = """
def decode_with_tensors(model, source, max_length):
    return greedy_decode(lambda source, target: ops.convert_to_tensor(model(source, target)), source, max_length)
"""


@criterion(
    hints=[
        "What does a Keras model return: an array of NumPy, or something else?",
        "`logits = np.asarray(model(...))` makes an array of a tensor.",
    ],
)
def the_model_may_answer_with_tensors(student, rng):
    """A model of Keras, which returns tensors, is decoded as well."""
    student.define(TENSORS)
    speaker, max_length = Speaker(rng, [4, 2, 5]), int(rng.integers(6, 9))
    received = student.decode_with_tensors(speaker, speaker.source, max_length)
    expect_equal(received, speaker.expected(max_length), what="greedy_decode for a model that returns tensors")


@criterion(
    hints=["Do you write into source?", "Write into an array of your own; source belongs to the caller."],
)
def the_source_stays_and_one_sentence_is_enough(student, rng):
    """A batch of one sentence works as well, and source is not changed."""
    speaker = Speaker(rng, [int(rng.integers(2, 6))])
    max_length = int(rng.integers(6, 9))
    result = call_decode(student, speaker, max_length)
    expect_unchanged(student)
    expect_equal(result, speaker.expected(max_length), what="greedy_decode for one sentence")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

GREEDY = """
def greedy_decode(model, source, max_length):
    target = np.zeros((len(source), max_length + 1), dtype="int32")
    target[:, 0] = 2
    finished = np.zeros(len(source), dtype=bool)
    for length in range(1, max_length + 1):
        logits = np.asarray(model(source, target[:, :length]))
        target[:, length] = np.where(finished, 0, logits[:, -1].argmax(axis=-1))
        finished |= target[:, length] == 3
        if finished.all():
            break
    return target[:, 1:]
"""
NEXT = "np.where(finished, 0, logits[:, -1].argmax(axis=-1))"
RESULT = "return target[:, 1:]"
mutants(
    GREEDY,
    "*",
    [
        (
            "imports the answer",
            "    target = np",
            "    return tested_greedy_decode(model, source, max_length)\n    target = np",
        )
    ],
)
mutants(
    GREEDY,
    "the_result_has_max_length_columns",
    [
        ("leaves START in the result", RESULT, "return target"),
        ("cuts off what was not needed", RESULT, "return target[:, 1 : length + 1]"),
        ("returns a list for each sentence", RESULT, "return [row[row > 0].tolist() for row in target[:, 1:]]"),
        ("floats", RESULT, "return target[:, 1:].astype(float)"),
        ("drops the last token", RESULT, "return target[:, :-1][:, 1:]"),
    ],
)
mutants(
    GREEDY,
    "each_token_is_the_best_of_the_last_position",
    [
        ("the scores of the first position", "logits[:, -1]", "logits[:, 0]"),
        ("the worst token", "argmax", "argmin"),
        ("the largest of the odds, which are all 0", "logits[:, -1].argmax", "np.exp(logits[:, -1]).argmax"),
        ("scores below 0 do not count", "logits[:, -1].argmax", "np.maximum(logits[:, -1], 0).argmax"),
        ("half precision", "logits[:, -1].argmax", "logits[:, -1].astype('float16').argmax"),
        ("20 tokens at most", "range(1, max_length + 1)", "range(1, min(max_length, 20) + 1)"),
        ("one token for the whole batch", "logits[:, -1].argmax(axis=-1)", "logits[:, -1].sum(axis=0).argmax()"),
        ("the best over all positions", "logits[:, -1].argmax(axis=-1)", "logits.max(axis=1).argmax(axis=-1)"),
        ("never says token 4 or below", "logits[:, -1].argmax(axis=-1)", "logits[:, -1, 6:].argmax(axis=-1) + 6"),
        (
            "a random token",
            "logits[:, -1].argmax(axis=-1)",
            "np.random.randint(4, 9, size=len(source))",
        ),
        ("begins with END", "target[:, 0] = 2", "target[:, 0] = 3"),
        ("forgets START", "target[:, 0] = 2", "target[:, 0] = 0"),
    ],
)
mutants(
    GREEDY,
    "each_sentence_stops_at_its_own_end",
    [
        ("leaves the chatter behind END", NEXT, "logits[:, -1].argmax(axis=-1)"),
        ("stops all when one is finished", "finished.all()", "finished.any()"),
        ("fills up with END", "np.where(finished, 0,", "np.where(finished, 3,"),
        ("leaves END out", RESULT, "return np.where(target == 3, 0, target)[:, 1:]"),
        ("takes UNK for END", "== 3", "== 1"),
        ("takes every special token for END", "== 3", "<= 3"),
        ("forgets who was finished before", "finished |=", "finished ="),
    ],
)
mutants(
    GREEDY,
    "the_model_sees_start_and_all_that_was_written",
    [
        ("gives the model the padding too", "target[:, :length]))", "target))[:, :length]"),
        ("gives the model the last token only", "target[:, :length]))", "target[:, length - 1 : length]))"),
        ("exchanges source and target", "model(source, target[:, :length])", "model(target[:, :length], source)"),
        (
            "one sentence after the other sees the first source",
            "model(source,",
            "model(source[:1].repeat(len(source), 0),",
        ),
        ("does not begin with START", "target[:, :length]", "target[:, 1 : length + 1]"),
    ],
)
mutants(
    GREEDY,
    "it_stops_when_all_are_finished",
    [
        ("never stops early", "if finished.all():", "if False:"),
        (
            "one call too many",
            "if finished.all():",
            "if finished.all() and length > 1 and (target[:, length] == 0).all():",
        ),
        ("asks twice for each token", "logits = np", "model(source, target[:, :length])\n        logits = np"),
        ("asks once more at the end", RESULT, "model(source, target)\n    return target[:, 1:]"),
    ],
)
mutants(
    GREEDY,
    "end_may_be_the_last_token_that_fits",
    [
        ("one token too few", "range(1, max_length + 1)", "range(1, max_length)"),
        ("puts END at the end by force", RESULT, "target[~finished, -1] = 3\n    return target[:, 1:]"),
        ("deletes what did not come to its END", RESULT, "target[~finished] = 0\n    return target[:, 1:]"),
    ],
)
mutants(
    GREEDY,
    "the_source_stays_and_one_sentence_is_enough",
    [
        ("writes into source", RESULT, "source[:] = 0\n    return target[:, 1:]"),
        ("squeezes a batch of one", RESULT, "return np.squeeze(target[:, 1:])"),
    ],
)
mutants(
    GREEDY,
    "the_model_may_answer_with_tensors",
    [("only arrays of NumPy", "np.asarray(model(source, target[:, :length]))", "model(source, target[:, :length])")],
)
mutants(
    GREEDY,
    "large_vocabularies_are_welcome",
    [("ids of 16 bits", 'dtype="int32"', 'dtype="int16"'), ("ids of a byte", 'dtype="int32"', 'dtype="uint8"')],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "columns collected in a list, padded at the end",
    """
def greedy_decode(model, source, max_length):
    count = source.shape[0]
    columns, alive = [np.full(count, 2, dtype=np.int64)], np.ones(count, dtype=bool)
    while len(columns) <= max_length and alive.any():
        scores = ops.convert_to_numpy(model(source, np.stack(columns, axis=1)))
        columns.append(np.where(alive, np.argmax(scores[:, -1, :], axis=1), 0))
        alive = alive & (columns[-1] != 3)
    out = np.zeros((count, max_length), dtype=np.int64)
    out[:, : len(columns) - 1] = np.stack(columns, axis=1)[:, 1:]
    return out
""",
)
accepted(
    "a set of rows that are done",
    """
def greedy_decode(model, source, max_length):
    target = [[2] for _ in source]
    done = set()
    for _ in range(max_length):
        logits = np.array(model(source, np.array(target, dtype="int32")))
        for row in range(len(target)):
            best = 0 if row in done else int(logits[row, -1].argmax())
            target[row].append(best)
            if best == 3:
                done.add(row)
        if len(done) == len(target):
            break
    return np.array([row[1:] + [0] * (max_length + 1 - len(row)) for row in target])
""",
)
accepted(
    "tensors from beginning to end",
    """
def greedy_decode(model, source, max_length):
    batch = ops.shape(source)[0]
    target = ops.full((batch, 1), 2, dtype="int32")
    open_rows = ops.ones((batch,), dtype="bool")
    for _ in range(max_length):
        best = ops.argmax(ops.convert_to_tensor(model(source, target))[:, -1], axis=-1)
        best = ops.where(open_rows, ops.cast(best, "int32"), 0)
        target = ops.concatenate([target, best[:, None]], axis=1)
        open_rows = ops.logical_and(open_rows, best != 3)
        if not bool(ops.any(open_rows)):
            break
    return ops.pad(target[:, 1:], [(0, 0), (0, max_length + 1 - target.shape[1])])
""",
)
