"""Exercise `masks`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_equal, expect_shape, expect_unchanged, mutants

from ..oracles import distinct_sizes


def expect_mask(received, expected, what):
    """Require a mask: booleans of the expected shape and values."""
    array = expect_shape(received, expected.shape, what=what)
    expect(array.dtype == np.bool_, required=f"{what} holds booleans", received=f"dtype {array.dtype}")
    wrong = np.argwhere(array != expected)
    if len(wrong):
        place = tuple(wrong[0])
        where = f"{what}[{', '.join(map(str, place))}]"
        more = f"; {len(wrong)} of {expected.size} entries differ"
        expect(False, required=f"{where} is {expected[place]}", received=f"{array[place]}{more}")


def draw_ids(rng):
    """Draw token ids (B, S): the real ones from 1 on, with 1, 2 and 3 among them, then padding."""
    batch, source = distinct_sizes(rng, 2, low=4)
    ids = rng.integers(1, 50, size=(batch, source)).astype(np.int32)
    ids[:, 0], ids[0, 1], ids[1, 1] = 2, 1, 3
    lengths = rng.integers(2, source, size=(batch, 1))
    lengths[-1] = source  # one sentence is not padded
    return np.where(np.arange(source) < lengths, ids, 0).astype(np.int32)


def draw_many_ids(rng):
    """Draw ids of every size, among them multiples of 256 and 65,536, and zeros that stand in the middle, too."""
    ids = rng.integers(1, 50_000, size=(3, 8))
    ids[0, :4], ids[:, 5] = (256, 40_000, 65_536, 131_072), 0
    return ids


@criterion(
    hints=[
        "Is your mask True for real tokens, or for padding?",
        "True means 'may attend', so it is True where the id is not 0. Only 0 is padding; 1, 2 and 3 are not.",
        "`ops.not_equal(ids, 0)`",
    ],
)
def real_tokens_may_be_attended_to(student, rng):
    """padding_mask is True exactly where the id is not 0, wherever it stands and however large, and holds booleans."""
    for ids in (draw_many_ids(rng), draw_ids(rng).astype(np.uint8), draw_ids(rng)):
        expect_real_tokens(student, ids)


def expect_real_tokens(student, ids):
    received = student.padding_mask(ids)
    expect_unchanged(student)
    array = np.asarray(received)
    fits = isinstance(received, np.ndarray) and array.size == ids.size
    expect(fits, required=f"padding_mask(ids) is an array with {ids.size} entries", received=received)
    expect(array.dtype == np.bool_, required="padding_mask(ids) holds booleans", received=f"dtype {array.dtype}")
    expect_mask(array.reshape(ids.shape), ids != 0, "padding_mask(ids), without the axes of length 1,")


@criterion(
    hints=[
        "The mask must broadcast to (B, H, T, S). Where do B and S stand in it?",
        "It is about keys, which are the last axis: (B, 1, 1, S).",
        "`[:, None, None, :]` puts two axes of length 1 in the middle.",
    ],
)
def the_padding_mask_has_one_row_for_all_heads_and_queries(student, rng):
    """padding_mask(ids) has the shape (B, 1, 1, S)."""
    ids = draw_ids(rng)
    for these in (ids, ids[:1], ids[:, :1]):
        expect_mask(student.padding_mask(these), (these != 0)[:, None, None, :], "padding_mask(ids)")


@criterion(
    points=2,
    hints=[
        "Row t is the query, column s the key. May position 0 see position 1? And the other way round?",
        "True where the key's place is at most the query's: on and below the diagonal.",
        "`positions[:, None] >= positions[None, :]` with `positions = ops.arange(length)`",
    ],
)
def each_position_sees_itself_and_the_past(student, rng):
    """Row t, column s of causal_mask is True exactly if s is at most t; the shape is (1, 1, T, T)."""
    for length in (*distinct_sizes(rng, 2, low=3), 1, int(rng.integers(260, 300))):  # more than a byte can count
        expect_mask(student.causal_mask(length), np.tri(length, dtype=bool)[None, None], f"causal_mask({length})")


@criterion(
    points=2,
    hints=[
        "If one mask says yes and another says no, what must come out?",
        "A query may attend only where all masks allow it. Shapes that broadcast need no care.",
        "Go through the masks and apply ops.logical_and to the result so far and the next one.",
    ],
)
def a_key_is_allowed_where_all_masks_allow_it(student, rng):
    """combine_masks gives True exactly where all its masks, from one to four, are True, and changes none of them."""
    batch, heads, length, source = distinct_sizes(rng, 4, low=3)
    shapes = [(batch, 1, 1, source), (1, 1, length, source), (batch, heads, length, source)]
    masks = [rng.uniform(size=shape) < 0.7 for shape in shapes]
    masks.append(rng.uniform(size=(length, source)) < 0.7)
    for order in ((0, 1), (0, 1, 2), (0,), (2, 1, 0), (1, 0, 3, 2)):
        chosen = [masks[place] for place in order]
        expected = chosen[0]
        for mask in chosen[1:]:
            expected = expected & mask
        received = student.combine_masks(*chosen)
        expect_unchanged(student)
        shapes = " and ".join(str(mask.shape) for mask in chosen)
        expect_mask(received, expected, f"combine_masks of masks {shapes}")


@criterion(
    hints=[
        "What does your code do with a mask that is None?",
        "None stands for 'no restriction': leave it out. If nothing is left, return None.",
    ],
)
def none_stands_for_no_restriction(student, rng):
    """Masks that are None drop out, wherever they stand; without any mask, or if all are None, the result is None."""
    batch, source = distinct_sizes(rng, 2)
    mask, other = rng.uniform(size=(batch, 1, 1, source)) < 0.5, rng.uniform(size=(1, 1, 1, source)) < 0.5
    for masks, expected, words in (
        ((None, mask), mask, "(None, mask)"),
        ((mask, None), mask, "(mask, None)"),
        ((mask, None, other), mask & other, "(mask, None, other)"),
    ):
        expect_mask(student.combine_masks(*masks), expected, f"combine_masks{words}")
    expect_equal(student.combine_masks(None, None), None, what="combine_masks(None, None)")
    expect_equal(student.combine_masks(None), None, what="combine_masks(None)")
    expect_equal(student.combine_masks(), None, what="combine_masks()")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

MASKS = """
def padding_mask(ids):
    return ops.not_equal(ids, 0)[:, None, None, :]


def causal_mask(length):
    positions = ops.arange(length)
    return (positions[:, None] >= positions[None, :])[None, None, :, :]


def combine_masks(*masks):
    combined = None
    for mask in masks:
        if mask is not None:
            combined = mask if combined is None else ops.logical_and(combined, mask)
    return combined
"""
REAL, PAST = "ops.not_equal(ids, 0)", "(positions[:, None] >= positions[None, :])"
AND = "ops.logical_and(combined, mask)"
mutants(
    MASKS,
    "*",
    [("imports the answer", MASKS, "from llmcourse.layers import causal_mask, combine_masks, padding_mask")],
)
mutants(
    MASKS,
    "real_tokens_may_be_attended_to",
    [
        ("True for padding", "ops.not_equal(ids", "ops.equal(ids"),
        ("takes UNK, START and END for padding, too", REAL, "ops.greater(ids, 3)"),
        ("takes 1 for padding, too", REAL, "ops.greater(ids, 1)"),
        ("numbers instead of booleans", REAL, "ops.cast(ops.not_equal(ids, 0), 'float32')"),
        ("a mask to be added to the scores", REAL, "(-1e9 * ops.cast(ops.equal(ids, 0), 'float32'))"),
        ("the ids themselves", REAL, "ops.convert_to_tensor(ids)"),
        (
            "forgets to return",
            "return ops.not_equal(ids, 0)[:, None, None, :]",
            "ops.not_equal(ids, 0)[:, None, None, :]",
        ),
    ],
)
mutants(
    MASKS,
    "the_padding_mask_has_one_row_for_all_heads_and_queries",
    [
        ("without the axes of length 1", "[:, None, None, :]\n\n\ndef causal", "\n\n\ndef causal"),
        ("silences queries instead of keys", f"{REAL}[:, None, None, :]", f"{REAL}[:, None, :, None]"),
        ("one axis only, as Keras' own layer takes it", f"{REAL}[:, None, None, :]", f"{REAL}[:, None, :]"),
        ("sentences on the wrong axis", f"{REAL}[:, None, None, :]", f"{REAL}[None, None, :, :]"),
        ("axes at the end", f"{REAL}[:, None, None, :]", f"{REAL}[:, :, None, None]"),
    ],
)
mutants(
    MASKS,
    "each_position_sees_itself_and_the_past",
    [
        ("without the diagonal", ">=", ">"),
        ("the future instead of the past", ">=", "<="),
        ("the wrong half, without the diagonal", ">=", "<"),
        ("everything but the position itself", ">=", "!="),
        ("numbers instead of booleans", PAST, "ops.tril(ops.ones((length, length)))"),
        ("the shape (T, T)", f"{PAST}[None, None, :, :]", PAST),
        ("the shape (1, T, T)", f"{PAST}[None, None, :, :]", f"{PAST}[None, :, :]"),
        ("one position too many", "ops.arange(length)", "ops.arange(length + 1)"),
        ("only the position before and itself", PAST, f"({PAST} & (positions[:, None] <= positions[None, :] + 1))"),
    ],
)
mutants(
    MASKS,
    "a_key_is_allowed_where_all_masks_allow_it",
    [
        ("or instead of and", "ops.logical_and", "ops.logical_or"),
        ("exactly one of them", "ops.logical_and", "ops.logical_xor"),
        ("adds the masks", AND, "ops.cast(combined, 'int32') + ops.cast(mask, 'int32')"),
        ("multiplies them to numbers", AND, "ops.cast(combined, 'float32') * ops.cast(mask, 'float32')"),
        ("the last mask wins", AND, "mask"),
        ("the first mask wins", AND, "combined"),
        ("two masks only", "for mask in masks:", "for mask in masks[:2]:"),
        ("returns in the loop", "    return combined", "            return combined"),
    ],
)
mutants(
    MASKS,
    "none_stands_for_no_restriction",
    [
        (
            "stops at the first None",
            "        if mask is not None:\n            combined",
            "        if mask is None:\n            break\n        else:\n            combined",
        ),
        (
            "None makes the whole None",
            "        if mask is not None:\n            combined",
            "        if mask is None:\n            return None\n        else:\n            combined",
        ),
        (
            "does not think of None",
            "        if mask is not None:\n            combined",
            "        if True:\n            combined",
        ),
        ("True if all are None", "    return combined", "    return True if combined is None else combined"),
        (
            "None means that nothing is allowed",
            "        if mask is not None:\n            combined",
            "        if mask is None:\n            mask = False\n        if True:\n            combined",
        ),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "NumPy, since masks have no gradients",
    """
def padding_mask(ids):
    return (np.asarray(ids) != 0)[:, np.newaxis, np.newaxis, :]


def causal_mask(length):
    return np.tri(length, dtype=bool)[None, None]


def combine_masks(*masks):
    masks = [mask for mask in masks if mask is not None]
    if not masks:
        return None
    result = np.asarray(masks[0])
    for mask in masks[1:]:
        result = result & np.asarray(mask)
    return result
""",
)
accepted(
    "expand_dims, tril, and functools.reduce",
    """
from functools import reduce


def padding_mask(ids):
    real = ops.cast(ids, "bool")
    return ops.expand_dims(real, axis=(1, 2))


def causal_mask(length):
    return ops.cast(ops.tril(ops.ones((1, 1, length, length))), "bool")


def combine_masks(*masks):
    given = [ops.convert_to_tensor(mask, dtype="bool") for mask in masks if mask is not None]
    return reduce(ops.logical_and, given) if given else None
""",
)
accepted(
    "not equal to zero told by the absolute value, and a mask that is turned round",
    """
def padding_mask(ids):
    ids = ops.convert_to_tensor(ids)
    return ops.reshape(ops.greater(ops.abs(ids), 0), (ops.shape(ids)[0], 1, 1, ops.shape(ids)[1]))


def causal_mask(length):
    row = ops.reshape(ops.arange(length), (1, 1, 1, length))
    future = ops.greater(row, ops.swapaxes(row, -1, -2))
    return ops.logical_not(future)


def combine_masks(*masks):
    result = None
    for mask in masks:
        if mask is None:
            continue
        result = mask if result is None else ops.logical_not(ops.logical_or(ops.logical_not(result), ops.logical_not(mask)))
    return result
""",
)
accepted(
    "comparisons in int64, a cumulative sum, and the smallest of all masks",
    """
def padding_mask(ids):
    batch, source = ids.shape
    return ops.expand_dims(ops.expand_dims(ops.cast(ids, "int64") != 0, 1), 1)


def causal_mask(length):
    later = ops.cumsum(ops.eye(length, dtype="int32"), axis=0)
    return ops.reshape(later == 1, (1, 1, length, length))


def combine_masks(*masks):
    given = list(filter(lambda mask: mask is not None, masks))
    if len(given) == 0:
        return None
    product = ops.cast(given.pop(), "int32")
    while given:
        product = product * ops.cast(given.pop(), "int32")
    return ops.cast(product, "bool")
""",
)
mutants(
    MASKS,
    "real_tokens_may_be_attended_to",
    [
        ("ids in one byte", REAL, "ops.not_equal(np.asarray(ids).astype(np.uint8), 0)"),
        ("ids in two bytes", REAL, "ops.not_equal(np.asarray(ids).astype(np.int16), 0)"),
        ("takes negative ids in two bytes for padding", REAL, "ops.greater(np.asarray(ids).astype(np.int16), 0)"),
        (
            "everything after the first 0 is padding",
            REAL,
            "(ops.cumsum(ops.cast(ops.equal(ids, 0), 'int32'), axis=1) == 0)",
        ),
        ("knows ids below 40,000 only", REAL, "ops.logical_and(ops.not_equal(ids, 0), ops.less(ids, 40000))"),
        ("writes into the ids", REAL, "ops.not_equal(np.minimum(ids, 1, out=ids), 0)"),
    ],
)
mutants(
    MASKS,
    "the_padding_mask_has_one_row_for_all_heads_and_queries",
    [
        (
            "one mask for all sentences",
            f"{REAL}[:, None, None, :]",
            "ops.any(ops.not_equal(ids, 0), axis=0)[None, None, None, :]",
        ),
        (
            "drops the axis of a single sentence",
            f"{REAL}[:, None, None, :]",
            "ops.not_equal(np.squeeze(ids), 0)[..., None, None, :]",
        ),
    ],
)
mutants(
    MASKS,
    "each_position_sees_itself_and_the_past",
    [
        ("positions in one byte", "ops.arange(length)", 'ops.arange(length, dtype="int8")'),
        ("looks back 100 positions at most", PAST, f"({PAST} & (positions[:, None] - positions[None, :] < 100))"),
        (
            "nothing for a single position",
            "    return (positions",
            "    if length == 1:\n        return None\n    return (positions",
        ),
    ],
)
mutants(
    MASKS,
    "a_key_is_allowed_where_all_masks_allow_it",
    [
        (
            "changes the first mask in place, where it fits",
            AND,
            "np.logical_and(combined, mask, out=combined) if np.broadcast_shapes(combined.shape, mask.shape)"
            " == combined.shape else ops.logical_and(combined, mask)",
        ),
        ("three masks only", "for mask in masks:", "for mask in masks[:3]:"),
        (
            "allows where most masks allow",
            "    return combined",
            "    return sum(ops.cast(m, 'int32') for m in masks if m is not None) * 2 > len(masks) if len(masks) > 2 else combined",
        ),
    ],
)
mutants(
    MASKS,
    "none_stands_for_no_restriction",
    [
        ("needs one mask at least", "    combined = None\n", "    combined, masks = masks[0], masks[1:]\n"),
        (
            "True without any mask",
            "    combined = None\n",
            "    if not masks:\n        return True\n    combined = None\n",
        ),
    ],
)
