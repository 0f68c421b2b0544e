"""Exercise `noam_schedule`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_close, expect_shape, expect_unchanged, mutants

from ..oracles import distinct_sizes


def rate(step, d_model, warmup_steps):
    step = np.asarray(step, dtype=np.float64)
    return d_model**-0.5 * np.minimum(step**-0.5, step * float(warmup_steps) ** -1.5)


def expect_rates(received, step, d_model, warmup_steps, what):
    """Compare rates by their ratio to the right ones, since they are small numbers."""
    expected = rate(step, d_model, warmup_steps)
    received = np.asarray(expect_shape(received, expected.shape, what=what), dtype=np.float64)
    expect_close(received / expected, np.ones_like(expected), what=f"{what}, divided by the right one", tolerance=1e-5)


def draw_schedule(rng):
    return int(rng.choice([16, 48, 64, 100, 512])), int(rng.integers(20, 4000))


@criterion(
    hints=[
        "During warm-up, which of the two terms is the smaller one?",
        "step * warmup_steps**-1.5, times d_model**-0.5: a straight line through 0.",
    ],
)
def the_rate_rises_in_a_straight_line(student, rng):
    """Before the warm-up ends, the rate is d_model**-0.5 * step * warmup_steps**-1.5."""
    d_model, warmup_steps = draw_schedule(rng)
    for step in (1, int(rng.integers(2, warmup_steps))):
        received = student.noam_schedule(step, d_model, warmup_steps)
        expect_rates(received, step, d_model, warmup_steps, f"the rate of step {step} of {warmup_steps} warm-up steps")


@criterion(
    hints=[
        "After warm-up, which of the two terms is the smaller one?",
        "step**-0.5, times d_model**-0.5. Take the minimum of both terms, not the maximum.",
    ],
)
def after_that_it_falls_with_the_root(student, rng):
    """After the warm-up the rate is (d_model * step)**-0.5."""
    d_model, warmup_steps = draw_schedule(rng)
    for factor in (2, 9):
        step = factor * warmup_steps + int(rng.integers(10))
        received = student.noam_schedule(step, d_model, warmup_steps)
        expect_rates(received, step, d_model, warmup_steps, f"the rate of step {step}, after {warmup_steps} of warm-up")


@criterion(
    hints=[
        "Where do the two terms meet, and how large are they there?",
        "At step = warmup_steps both are warmup_steps**-0.5.",
    ],
)
def the_peak_is_where_the_warm_up_ends(student, rng):
    """At step = warmup_steps the rate is (d_model * warmup_steps)**-0.5, and on both sides of it the rate is lower."""
    d_model, warmup_steps = draw_schedule(rng)
    steps = (warmup_steps - 1, warmup_steps, warmup_steps + 1)
    before, peak, after = (student.noam_schedule(step, d_model, warmup_steps) for step in steps)
    expect_rates(peak, warmup_steps, d_model, warmup_steps, "the rate at the peak")
    expect(
        before < peak > after,
        required="lower rates on both sides of the peak",
        received=f"{before:.6g}, {peak:.6g}, {after:.6g}",
    )


@criterion(
    hints=[
        "Does your code work for an array of steps?",
        "`min` compares single numbers; `np.minimum` compares entry by entry. An `if` cannot compare a whole array.",
    ],
)
def many_steps_at_once_are_welcome(student, rng):
    """For an array of steps, integers or floats, the result is an array of the same shape."""
    d_model, warmup_steps = draw_schedule(rng)
    for kind in (np.int64, np.float32, np.float64):
        steps = rng.integers(1, 3 * warmup_steps, size=distinct_sizes(rng, 2)).astype(kind)
        received = student.noam_schedule(steps, d_model, warmup_steps)
        expect_rates(received, steps, d_model, warmup_steps, "the rates of an array of steps")
        expect_unchanged(student)


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

NOAM = """
def noam_schedule(step, d_model, warmup_steps):
    step = np.asarray(step, dtype="float64")
    return d_model**-0.5 * np.minimum(step**-0.5, step * warmup_steps**-1.5)
"""
mutants(
    NOAM,
    "*",
    [
        (
            "imports the answer",
            "    step = ",
            "    return steps.noam_schedule(step, d_model, warmup_steps)\n    step = ",
        )
    ],
)
mutants(
    NOAM,
    "the_rate_rises_in_a_straight_line",
    [
        ("the larger of the two", "np.minimum", "np.maximum"),
        ("no warm-up", "np.minimum(step**-0.5, step * warmup_steps**-1.5)", "step**-0.5"),
        ("a wrong power of the warm-up", "warmup_steps**-1.5", "warmup_steps**-0.5"),
        ("forgets d_model", "d_model**-0.5 * ", ""),
        ("a wrong power of d_model", "d_model**-0.5", "d_model**0.5"),
        ("divides by d_model", "d_model**-0.5", "d_model**-1.0"),
        ("counts from 0", "step = np.asarray(step,", "step = np.asarray(step - 1 + 1e-9,"),
        (
            "adds both terms",
            "np.minimum(step**-0.5, step * warmup_steps**-1.5)",
            "(step**-0.5 + step * warmup_steps**-1.5)",
        ),
        ("always at the peak at first", "step * warmup_steps**-1.5", "warmup_steps**-0.5"),
    ],
)
mutants(
    NOAM,
    "after_that_it_falls_with_the_root",
    [
        ("rises for ever", "np.minimum(step**-0.5, step * warmup_steps**-1.5)", "step * warmup_steps**-1.5"),
        ("stays at the peak", "np.minimum(step**-0.5, step", "np.minimum(warmup_steps**-0.5, step"),
        ("falls with one over the step", "(step**-0.5", "(warmup_steps**0.5 / step"),
        ("falls from the end of the warm-up anew", "(step**-0.5", "(np.maximum(step - warmup_steps, 1.0)**-0.5"),
    ],
)
mutants(
    NOAM,
    "the_peak_is_where_the_warm_up_ends",
    [
        ("warms up for twice as long", "step * warmup_steps**-1.5", "step * (2 * warmup_steps)**-1.5"),
        ("0 at the end of the warm-up", "return d", "return 0.0 if np.ndim(step) == 0 and step == warmup_steps else d"),
    ],
)
mutants(
    NOAM,
    "many_steps_at_once_are_welcome",
    [
        ("min of single numbers", "np.minimum", "min"),
        (
            "an if for a single number",
            "    step = ",
            "    if step < warmup_steps:\n        return d_model**-0.5 * step * warmup_steps**-1.5\n    step = ",
        ),
        ("the rate of the first step only", 'dtype="float64")', 'dtype="float64").ravel()[0]'),
        (
            "writes into the steps",
            "    return ",
            "    falling = step**-0.5\n    step *= warmup_steps**-1.5\n    return d_model**-0.5 * np.minimum(falling, step)\n    return ",
        ),
        ("flattens", 'dtype="float64")', 'dtype="float64")\n    step = step.ravel() if step.ndim else step'),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "np.where at the end of the warm-up",
    """
def noam_schedule(step, d_model, warmup_steps):
    step = np.asarray(step, dtype=float)
    rising, falling = step / warmup_steps**1.5, 1 / np.sqrt(step)
    return np.where(step < warmup_steps, rising, falling) / np.sqrt(d_model)
""",
)
accepted(
    "keras.ops, so that it runs inside a compiled step",
    """
def noam_schedule(step, d_model, warmup_steps):
    step = ops.cast(step, "float32")
    return ops.rsqrt(float(d_model)) * ops.minimum(ops.rsqrt(step), step * warmup_steps ** (-1.5))
""",
)
accepted(
    "the peak, times how far one is from it",
    """
def noam_schedule(step, d_model, warmup_steps):
    peak = (d_model * warmup_steps) ** -0.5
    share = np.asarray(step, dtype="float64") / warmup_steps
    return peak * np.minimum(share, share**-0.5)
""",
)
