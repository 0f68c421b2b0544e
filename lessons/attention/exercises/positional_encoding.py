"""Exercise `positional_encoding`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_close, expect_raises, expect_shape, mutants

from ..oracles import TOLERANCE


def positions(length, d_model):
    pair = np.arange(d_model) // 2
    angles = np.arange(length)[:, None] / 10000 ** (2 * pair / d_model)
    return np.where(np.arange(d_model) % 2 == 0, np.sin(angles), np.cos(angles))


def draw_length_and_width(rng):
    return int(rng.integers(5, 40)), 2 * int(rng.integers(3, 12))


@criterion(
    hints=[
        "How many rows for T positions, and how many columns?",
        "One row for each position, one column for each sine or cosine: (T, D).",
        "`ops.reshape(pairs, (length, d_model))`",
    ],
)
def one_row_for_each_position(student, rng):
    """The result has the shape (T, D), also for a single position and for the width 2."""
    length, width = draw_length_and_width(rng)
    for size in ((length, width), (1, width), (length, 2)):
        expect_shape(student.positional_encoding(*size), size, what=f"positional_encoding{size}")


@criterion(
    hints=[
        "At position 0 all angles are 0. What are sin(0) and cos(0), and in which columns?",
        "Positions count from 0. Even columns are sines, odd columns cosines: row 0 is 0, 1, 0, 1, ...",
        "`ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)` puts each sine beside its cosine; then reshape.",
    ],
)
def the_first_position_is_zeros_and_ones_in_turn(student, rng):
    """Row 0 is 0, 1, 0, 1, ...: sines in even columns, cosines in odd ones."""
    length, width = draw_length_and_width(rng)
    received = expect_shape(student.positional_encoding(length, width), (length, width), what="positional_encoding")
    expected = np.arange(width) % 2
    expect_close(received[0], expected, what=f"row 0 of positional_encoding({length}, {width})", tolerance=TOLERANCE)


@criterion(
    points=2,
    hints=[
        "Compare your row 1 with the formula for a small width, such as 4: sin 1, cos 1, sin 0.01, cos 0.01.",
        "Pair i has the speed 10000 to the power of -2i/D. `ops.arange(0, d_model, 2)` counts 0, 2, 4, ...: 2i.",
        '`angles = positions[:, None] * speeds[None, :]`, with `speeds = 10000 ** (-ops.arange(0, d_model, 2, dtype="float32") / d_model)`.',
    ],
)
def every_value_follows_the_formula(student, rng):
    """Columns 2i and 2i+1 of row p are sine and cosine of p / 10000^(2i/D) in float32, also for long texts."""
    for _ in range(3):
        length, width = draw_length_and_width(rng)
        received = student.positional_encoding(length, width)
        what = f"positional_encoding({length}, {width})"
        expect_close(received, positions(length, width), what=what, tolerance=TOLERANCE)
        dtype = received.dtype.name
        expect(dtype == "float32", required=f"{what} is float32, as Keras computes", received=dtype)
    length, width = int(rng.integers(1000, 1500)), 2 * int(rng.integers(64, 128))  # a long text and a wide model
    what = f"positional_encoding({length}, {width})"
    # float32 knows an angle of 1,000 to a ten-thousandth
    expect_close(student.positional_encoding(length, width), positions(length, width), what=what, tolerance=2e-3)


@criterion(
    hints=[
        "Do the two columns of a pair turn at the same speed?",
        "Sine and cosine of one pair share their angle. The exponent counts pairs, not columns.",
        "Compute the angles once, (T, D/2), and take both the sine and the cosine of them.",
    ],
)
def a_shift_turns_each_pair_by_one_angle(student, rng):
    """Going n positions further turns each pair of columns by the angle n / 10000^(2i/D), wherever one stands."""
    length, width = draw_length_and_width(rng)
    received = expect_shape(student.positional_encoding(length, width), (length, width), what="positional_encoding")
    codes, shift = received.astype(np.float64), int(rng.integers(1, 4))
    angles = shift / 10000 ** (np.arange(0, width, 2) / width)
    sine, cosine = codes[:-shift, 0::2], codes[:-shift, 1::2]
    turned = np.empty_like(codes[:-shift])
    turned[:, 0::2] = np.cos(angles) * sine + np.sin(angles) * cosine
    turned[:, 1::2] = np.cos(angles) * cosine - np.sin(angles) * sine
    expect_close(codes[shift:], turned, what=f"the code {shift} positions further", tolerance=10 * TOLERANCE)


@criterion(
    hints=[
        "What does your code do with a width of 7?",
        "Ask for the remainder, `d_model % 2`, and raise a ValueError where it is not 0.",
    ],
)
def an_odd_width_is_an_error(student, rng):
    """An odd d_model raises a ValueError."""
    length, width = draw_length_and_width(rng)
    for odd in (width + 1, 1):
        with expect_raises("ValueError", what=f"positional_encoding({length}, {odd})"):
            student.positional_encoding(length, odd)


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

POSITIONS = """
def positional_encoding(length, d_model):
    if d_model % 2 != 0:
        raise ValueError(f"d_model must be even. Received: {d_model}.")
    positions = ops.arange(length, dtype="float32")
    speeds = 10000 ** (-ops.arange(0, d_model, 2, dtype="float32") / d_model)
    angles = positions[:, None] * speeds[None, :]
    pairs = ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)
    return ops.reshape(pairs, (length, d_model))
"""
PAIRS, EVEN = "ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)", 'ops.arange(0, d_model, 2, dtype="float32")'
mutants(
    POSITIONS,
    "*",
    [
        ("imports the answer", POSITIONS, "from llmcourse.layers import positional_encoding"),
        (
            "calls the finished layer",
            "    return ops.reshape(pairs, (length, d_model))",
            "    return layers.PositionalEncoding()(ops.zeros((1, length, d_model)))[0]",
        ),
    ],
)
mutants(
    POSITIONS,
    "one_row_for_each_position",
    [
        (
            "one column for each position",
            "ops.reshape(pairs, (length, d_model))",
            "ops.transpose(ops.reshape(pairs, (length, d_model)))",
        ),
        ("does not reshape", "ops.reshape(pairs, (length, d_model))", "pairs"),
        ("sines only, half the width", "ops.reshape(pairs, (length, d_model))", "ops.sin(angles)"),
        ("an axis for the batch", "ops.reshape(pairs, (length, d_model))", "ops.reshape(pairs, (1, length, d_model))"),
        ("one position too many", "    positions =", "    length = length + 1\n    positions ="),
        (
            "drops the axis of a single position",
            "ops.reshape(pairs, (length, d_model))",
            "ops.squeeze(ops.reshape(pairs, (length, d_model)))",
        ),
    ],
)
mutants(
    POSITIONS,
    "the_first_position_is_zeros_and_ones_in_turn",
    [
        ("cosines first", "[ops.sin(angles), ops.cos(angles)]", "[ops.cos(angles), ops.sin(angles)]"),
        ("all sines first and then all cosines", PAIRS, "ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)"),
        ("stacks on the wrong axis", "ops.cos(angles)], axis=-1)", "ops.cos(angles)], axis=1)"),
        ("sines everywhere", "ops.cos(angles)]", "ops.sin(angles)]"),
        ("positions from 1", 'ops.arange(length, dtype="float32")', 'ops.arange(1, length + 1, dtype="float32")'),
        ("the angles themselves", PAIRS, "ops.stack([angles, angles], axis=-1)"),
        ("shifts the waves up", PAIRS, f"0.5 + 0.5 * {PAIRS}"),
    ],
)
mutants(
    POSITIONS,
    "every_value_follows_the_formula",
    [
        ("1000 instead of 10000", "10000 **", "1000 **"),
        ("a plus in the exponent", "(-ops.arange", "(ops.arange"),
        ("i instead of 2i in the exponent", f"(-{EVEN} / d_model)", f"(-{EVEN} / (2 * d_model))"),
        ("divides by D/2", f"(-{EVEN} / d_model)", f"(-{EVEN} / (d_model / 2))"),
        (
            "divides by D - 2, so that the last pair reaches 10000",
            f"(-{EVEN} / d_model)",
            f"(-{EVEN} / max(1, d_model - 2))",
        ),
        ("turns by whole revolutions", "positions[:, None] * speeds", "2 * math.pi * positions[:, None] * speeds"),
        ("in degrees", "positions[:, None] * speeds", "math.pi / 180 * positions[:, None] * speeds"),
        (
            "positions between 0 and 1",
            'ops.arange(length, dtype="float32")',
            'ops.arange(length, dtype="float32") / length',
        ),
        ("the same speed for all pairs", "speeds[None, :]", "(0 * speeds + 1)[None, :]"),
        ("speeds that fall evenly", f"10000 ** (-{EVEN} / d_model)", f"1 - {EVEN} / d_model"),
    ],
)
mutants(
    POSITIONS,
    "a_shift_turns_each_pair_by_one_angle",
    [
        (
            "a speed for each column instead of each pair",
            f"    pairs = {PAIRS}",
            '    slower = 10000 ** (-(ops.arange(0, d_model, 2, dtype="float32") + 1) / d_model)\n'
            "    pairs = ops.stack([ops.sin(angles), ops.cos(positions[:, None] * slower[None, :])], axis=-1)",
        ),
        ("random numbers", f"pairs = {PAIRS}", "pairs = keras.random.normal((length, d_model // 2, 2))"),
        ("sine and minus cosine", "ops.cos(angles)]", "1 - ops.cos(angles)]"),
    ],
)
mutants(
    POSITIONS,
    "an_odd_width_is_an_error",
    [
        (
            "does not ask",
            '    if d_model % 2 != 0:\n        raise ValueError(f"d_model must be even. Received: {d_model}.")\n',
            "",
        ),
        ("an assertion instead of a ValueError", "raise ValueError(f", "raise AssertionError(f"),
        ("asks about the length", "d_model % 2", "(d_model - 1) * length * 2 % 2"),
        ("makes it even", 'raise ValueError(f"d_model must be even. Received: {d_model}.")', "d_model = d_model + 1"),
        ("refuses the even ones", "d_model % 2 != 0", "d_model % 2 == 0"),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "NumPy in float64, a table filled by slices",
    """
def positional_encoding(length, d_model):
    if d_model % 2:
        raise ValueError(f"an even width is required, not {d_model}")
    table = np.zeros((length, d_model))
    angles = np.arange(length)[:, None] / 10000 ** (np.arange(0, d_model, 2) / d_model)
    table[:, 0::2], table[:, 1::2] = np.sin(angles), np.cos(angles)
    return ops.convert_to_tensor(table.astype("float32"))
""",
)
accepted(
    "cosine as a sine that is a quarter turn ahead",
    """
def positional_encoding(length, d_model):
    if d_model % 2 == 1:
        raise ValueError(f"d_model must be even, not {d_model}")
    columns = ops.arange(d_model)
    speeds = ops.exp(-math.log(10000.0) * ops.cast(columns // 2 * 2, "float32") / d_model)
    quarter = ops.cast(columns % 2, "float32") * (math.pi / 2)
    return ops.sin(ops.cast(ops.arange(length), "float32")[:, None] * speeds + quarter)
""",
)
accepted(
    "row by row in plain Python",
    """
def positional_encoding(length, d_model):
    if d_model / 2 != d_model // 2:
        raise ValueError("no partner for the last sine: d_model = " + str(d_model))
    rows = []
    for p in range(length):
        row = []
        for i in range(d_model // 2):
            angle = p / 10000 ** (2 * i / d_model)
            row += [math.sin(angle), math.cos(angle)]
        rows.append(row)
    return ops.array(rows, dtype="float32")
""",
)
accepted(
    "sines and cosines as two halves that are shuffled together, the speeds as quotients",
    """
def positional_encoding(length, d_model):
    if int(d_model) & 1:
        raise ValueError(f"Every sine needs its cosine. Received: d_model = {d_model}.")
    speeds = 1.0 / np.power(10000.0, np.arange(0, d_model, 2) / d_model)
    angles = ops.convert_to_tensor(np.outer(np.arange(length), speeds).astype("float32"))
    halves = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=1)
    order = np.arange(d_model).reshape(2, -1).T.ravel()
    return ops.take(halves, order, axis=1)
""",
)
mutants(
    POSITIONS,
    "every_value_follows_the_formula",
    [
        (
            "float64",
            "ops.reshape(pairs, (length, d_model))",
            'ops.cast(ops.reshape(pairs, (length, d_model)), "float64")',
        ),
        (
            "positions in one byte",
            'ops.arange(length, dtype="float32")',
            'ops.cast(np.arange(length).astype("uint8"), "float32")',
        ),
        (
            "angles in half precision",
            "positions[:, None] * speeds[None, :]",
            'ops.cast(ops.cast(positions[:, None] * speeds[None, :], "float16"), "float32")',
        ),
        (
            "512 positions at most",
            'ops.arange(length, dtype="float32")',
            'ops.minimum(ops.arange(length, dtype="float32"), 511)',
        ),
        (
            "begins anew after 1,000",
            'ops.arange(length, dtype="float32")',
            'ops.arange(length, dtype="float32") % 1000',
        ),
    ],
)
mutants(
    POSITIONS,
    "an_odd_width_is_an_error",
    [("only for widths above 1", "d_model % 2 != 0", "d_model % 2 != 0 and d_model > 1")],
)
