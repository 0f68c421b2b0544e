"""Exercise `shift_targets`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_equal, expect_shape, expect_unchanged, mutants

from ..oracles import END, START, distinct_sizes, draw_sentences


def call_shift(student, ids):
    result = student.shift_targets(ids)
    fits = isinstance(result, tuple | list) and len(result) == 2
    expect(fits, required="shift_targets returns a pair: inputs and targets", received=result)
    return result


@criterion(
    hints=[
        "How many tokens does each of the two have, if a sentence has T + 1?",
        "One column less, in both; every sentence stays.",
    ],
)
def both_lose_one_column_and_no_sentence(student, rng):
    """For ids (B, T+1) both results are integers of the shape (B, T), in this order: inputs, targets."""
    sentences, length = distinct_sizes(rng, 2, low=4)
    inputs, targets = call_shift(student, draw_sentences(rng, sentences, length))
    for array, what in ((inputs, "the inputs"), (targets, "the targets")):
        dtype = expect_shape(array, (sentences, length - 1), what=what).dtype
        expect(dtype.kind in "iu", required=f"{what} are integers", received=f"dtype {dtype}")


@criterion(
    hints=[
        "What is the decoder given first of all?",
        "The inputs are all columns but the last: `ids[:, :-1]`.",
    ],
)
def the_inputs_begin_with_start(student, rng):
    """The inputs are all columns but the last one."""
    ids = draw_sentences(rng, *distinct_sizes(rng, 2, low=5), vocabulary=50_000)
    expect_equal(call_shift(student, ids)[0], ids[:, :-1], what="the inputs")


@criterion(
    points=2,
    hints=[
        "At the position of START, what should the decoder answer?",
        "The targets are all columns but the first: each is the token that comes next.",
    ],
)
def the_targets_are_one_place_ahead(student, rng):
    """The targets are all columns but the first one, so that each is what follows the input at its place."""
    ids = draw_sentences(rng, *distinct_sizes(rng, 2, low=5), vocabulary=50_000)
    expect_equal(call_shift(student, ids)[1], ids[:, 1:], what="the targets")


@criterion(
    hints=[
        "Does your code write into ids, or expect a certain length?",
        "Two slices are enough. A slice copies nothing and changes nothing.",
    ],
)
def any_length_works_and_the_ids_stay(student, rng):
    """A single empty sentence (START, END) works as well, so do columns of padding only, and ids is not changed."""
    drawn = draw_sentences(rng, *distinct_sizes(rng, 2, low=4))
    for ids in (np.array([[START, END]], dtype=np.int32), drawn, np.pad(drawn, ((0, 0), (0, 2)))):
        inputs, targets = call_shift(student, ids)
        expect_unchanged(student)
        expect_equal(inputs, ids[:, :-1], what="the inputs")
        expect_equal(targets, ids[:, 1:], what="the targets")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

SHIFT = """
def shift_targets(ids):
    return ids[:, :-1], ids[:, 1:]
"""
GIVEN, WANTED = "ids[:, :-1]", "ids[:, 1:]"
mutants(
    SHIFT,
    "both_lose_one_column_and_no_sentence",
    [
        ("shifts the sentences instead of the columns", GIVEN, "ids[:-1]", WANTED, "ids[1:]"),
        ("does not shift at all", GIVEN, "ids", WANTED, "ids"),
        ("keeps all columns of the inputs", GIVEN, "ids"),
        ("keeps all columns of the targets", WANTED, "ids"),
        ("rolls the targets round", GIVEN, "ids", WANTED, "np.roll(ids, -1, axis=1)"),
        ("cuts off both ends", GIVEN, "ids[:, 1:-1]", WANTED, "ids[:, 1:-1]"),
        ("returns a single array", f"{GIVEN}, {WANTED}", "ids[:, 1:]"),
        ("floats", GIVEN, "ids[:, :-1] * 1.0"),
    ],
)
mutants(
    SHIFT,
    "the_inputs_begin_with_start",
    [
        ("returns the pair in the other order", f"{GIVEN}, {WANTED}", f"{WANTED}, {GIVEN}"),
        ("the inputs lose START", GIVEN, "ids[:, 1:]"),
        ("replaces END among the inputs by PAD", GIVEN, "np.where(ids == 3, 0, ids)[:, :-1]"),
        ("puts another START in front", GIVEN, "np.pad(ids, ((0, 0), (1, 0)), constant_values=2)[:, :-2]"),
    ],
)
mutants(
    SHIFT,
    "the_targets_are_one_place_ahead",
    [
        ("the targets are the inputs", WANTED, "ids[:, :-1]"),
        ("the targets lie behind the inputs", WANTED, "np.roll(ids, 1, axis=1)[:, :-1]"),
        ("two places ahead", WANTED, "np.pad(ids, ((0, 0), (0, 1)))[:, 2:]"),
        ("leaves END out", WANTED, "np.where(ids == 3, 0, ids)[:, 1:]"),
        ("turns the targets round", WANTED, "ids[:, :0:-1]"),
        ("ids of 16 bits", WANTED, "ids[:, 1:].astype('int16')"),
    ],
)
mutants(
    SHIFT,
    "any_length_works_and_the_ids_stay",
    [
        ("writes into ids", "    return", "    ids = np.asarray(ids)\n    ids[:, -1] = 0\n    return"),
        ("squeezes a batch of one", GIVEN, "np.squeeze(ids[:, :-1])"),
        ("drops columns of padding", "    return", "    ids = ids[:, (ids != 0).any(axis=0)]\n    return"),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "np.split at the ends",
    """
def shift_targets(ids):
    inputs = np.delete(ids, -1, axis=1)
    return inputs, np.delete(ids, 0, axis=1)
""",
)
accepted(
    "keras.ops, and a list as the pair",
    """
def shift_targets(ids):
    length = ops.shape(ids)[1]
    return [ops.slice(ids, (0, 0), (ops.shape(ids)[0], length - 1)), ids[:, 1:length]]
""",
)
accepted(
    "indices of columns",
    """
def shift_targets(ids):
    places = np.arange(ids.shape[1] - 1)
    return np.take(ids, places, axis=1), np.take(ids, places + 1, axis=1)
""",
)
