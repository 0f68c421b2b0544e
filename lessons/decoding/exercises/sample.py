"""Exercise `sample`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_equal, expect_unchanged, mutants

DRAWS = 2500  # for each of two kinds of rows


def softmax(logits):
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


def draw_logits(rng):
    """Draw two different rows of logits (2, V): none is the likeliest twice, and no two logits of a row are close."""
    size = int(rng.integers(5, 8))
    steps = np.cumsum(rng.uniform(0.25, 0.7, size=(2, size)), axis=1)
    first = rng.permutation(size)
    second = (first + int(rng.integers(1, size))) % size
    return np.stack([steps[0, first], steps[1, second]]) - rng.uniform(0, 3)


def seed_from(rng):
    return int(rng.integers(2**31))


def call_sample(student, logits, temperature, top_k, seed):
    """Sample with the learner's function and require one token for each row."""
    result = student.sample(logits, temperature, top_k, seed)
    tokens = np.asarray(result)
    rows, size = logits.shape
    fits = tokens.shape == (rows,) and tokens.dtype.kind in "iu"
    shown = f"dtype {tokens.dtype}, shape {tokens.shape}" if isinstance(result, np.ndarray) else result
    expect(fits, required=f"an array of {rows} integers, one token for each row", received=shown)
    in_range = bool((tokens >= 0).all() and (tokens < size).all())
    expect(in_range, required=f"tokens from 0 to {size - 1}", received=f"{tokens.min()} to {tokens.max()}")
    return tokens


def expect_frequencies(student, rng, logits, temperature, top_k, chances, what):
    """Draw thousands of tokens from rows of two kinds, which alternate, and compare how often each one comes."""
    tokens = call_sample(student, np.tile(logits, (DRAWS, 1)), temperature, top_k, seed_from(rng))
    for kind in (0, 1):
        shares = np.bincount(tokens[kind::2], minlength=logits.shape[1]) / DRAWS
        expected = chances[kind]
        allowed = 5.5 * np.sqrt(expected * (1 - expected) / DRAWS) + 8 / DRAWS * (expected > 0)
        worst = int(np.argmax(np.abs(shares - expected) - allowed))
        expect(
            abs(shares[worst] - expected[worst]) <= allowed[worst],
            required=f"{what}: token {worst} in about {expected[worst]:.1%} of {DRAWS:,} draws from the same logits",
            received=f"{shares[worst]:.1%}",
        )


@criterion(
    hints=[
        "How many tokens should come out for logits of shape (B, V)?",
        "B integers, one for each row: its place among the V columns.",
        "`np.array([rng.choice(len(row), p=row) for row in probabilities])`",
    ],
)
def there_is_one_token_for_each_row(student, rng):
    """The result is an integer array (B,) with entries from 0 to V-1, for one row as well; logits stay as they were."""
    for batch in (int(rng.integers(11, 17)), 1):
        logits = rng.normal(size=(batch, int(rng.integers(5, 9))))
        call_sample(student, logits, 1.0, 3, seed_from(rng))
        expect_unchanged(student)
        call_sample(student, logits, 0.7, None, seed_from(rng))
        expect_unchanged(student)
        call_sample(student, logits, 0, None, seed_from(rng))
        expect_unchanged(student)


@criterion(
    points=2,
    hints=[
        "With temperature 1 and no top_k: with which probabilities should tokens be drawn?",
        "With the softmax of their row of logits. Each row has probabilities of its own, and luck of its own.",
        "One generator for all rows, made before the loop: `rng = np.random.default_rng(seed)`.",
    ],
)
def tokens_come_as_often_as_the_softmax_says(student, rng):
    """With temperature 1 each row's token is drawn with the probabilities softmax(logits), independently."""
    logits = draw_logits(rng)
    expect_frequencies(student, rng, logits, 1.0, None, softmax(logits), "temperature 1")
    tokens = call_sample(student, np.tile(logits[:1], (DRAWS, 1)), 1.0, None, seed_from(rng))
    share = float((softmax(logits[0]) ** 2).sum())  # of two rows that draw by themselves
    for apart in (1, 2, 3, 4, 8, 16):
        equal = float(np.mean(tokens[apart:] == tokens[:-apart]))
        required = f"rows {apart} apart with the same logits draw the same token in about {share:.0%} of all cases"
        expect(abs(equal - share) < 0.1, required=required, received=f"{equal:.0%}")


@criterion(
    points=2,
    hints=[
        "Does a low temperature make the favourite likelier or less likely? And in your code?",
        "Likelier. The logits are divided by the temperature, before the softmax.",
        "`odds = np.exp(shifted / temperature)`, then divide by the sum of each row.",
    ],
)
def the_temperature_divides_the_logits(student, rng):
    """With temperature t, tokens are drawn with the probabilities softmax(logits / t)."""
    for low, high in ((0.3, 0.5), (2.0, 4.0), (0.01, 0.05), (30.0, 60.0)):
        logits, temperature = draw_logits(rng), round(float(rng.uniform(low, high)), 3)
        if not 0.1 < temperature < 10:
            logits = logits * temperature  # such that chance still has a say
        chances = softmax(logits / temperature)
        expect_frequencies(student, rng, logits, temperature, None, chances, f"temperature {temperature}")


@criterion(
    hints=[
        "What happens in your code when temperature is 0?",
        "Dividing by 0 is no good; with temperature 0 the largest logit of each row is taken, without chance.",
        "`if temperature == 0: return logits.argmax(axis=1)`",
    ],
)
def temperature_zero_takes_the_likeliest(student, rng):
    """With temperature 0 the result is the place of the largest logit of each row, whatever the seed."""
    for top_k in (None, int(rng.integers(2, 5))):
        logits = rng.normal(size=(int(rng.integers(20, 30)), int(rng.integers(5, 9))))
        tokens = call_sample(student, logits, 0, top_k, seed_from(rng))
        expect_equal(tokens, logits.argmax(axis=1), what="sample(logits, temperature=0, ...)")
        tokens = call_sample(student, logits * 1e-6, 0, top_k, seed_from(rng))
        what = "sample(logits, temperature=0, ...) for logits that differ by millionths"
        expect_equal(tokens, logits.argmax(axis=1), what=what)


@criterion(
    points=2,
    hints=[
        "Which tokens of a row may be drawn with top_k = 3? Are they the same in all rows?",
        "Find the top_k largest logits of each row; the others get the logit -inf before the softmax.",
        "`least = np.sort(logits, axis=1)[:, -top_k][:, None]`, then `np.where(logits >= least, logits, -np.inf)`. "
        "No other number will do: logits may be larger or smaller than any you think of.",
    ],
)
def only_the_top_k_of_each_row_are_drawn(student, rng):
    """Only the top_k largest logits of a row are drawn, whatever their size; the probabilities sum to 1 again."""
    far = -1000 * int(rng.integers(10, 15))
    for top_k, temperature, shift in ((2, 1.0, 0), (3, 2.0, 0), (2, 1.0, far), (3, 2.0, -far)):
        logits = draw_logits(rng) + shift
        least = np.sort(logits, axis=1)[:, -top_k][:, None]
        chances = softmax(np.where(logits >= least, logits, -np.inf) / temperature)
        words = f"top_k {top_k}, logits around {shift:,}" if shift else f"top_k {top_k}"
        expect_frequencies(student, rng, logits, temperature, top_k, chances, words)
    many = rng.normal(size=(int(rng.integers(20, 30)), 7))
    tokens = call_sample(student, many, 3.0, 1, seed_from(rng))
    expect_equal(tokens, many.argmax(axis=1), what="sample(logits, 3.0, top_k=1, ...)")


@criterion(
    hints=[
        "What does your code do if top_k is as large as V, or larger?",
        "Then all tokens may be drawn, as with None. `np.sort(...)[:, -top_k]` may find no such column.",
        "`if top_k is not None and top_k < logits.shape[1]:`",
    ],
)
def a_large_top_k_allows_all(student, rng):
    """With top_k equal to V or larger, all tokens may be drawn."""
    logits = draw_logits(rng)
    for more in (0, int(rng.integers(1, 20))):
        top_k = logits.shape[1] + more
        expect_frequencies(
            student, rng, logits, 1.5, top_k, softmax(logits / 1.5), f"V = {logits.shape[1]}, top_k {top_k}"
        )


@criterion(
    hints=[
        "What is exp(-inf)? And which probability does a token get whose logit is -inf?",
        "0, by itself: keep the -inf. Whatever replaces it, a large negative number too, may make the token possible.",
        "Subtract the maximum of each row: it is finite. (The mean is not, and -inf minus -inf is nan.)",
    ],
)
def impossible_tokens_are_never_drawn(student, rng):
    """A token with the logit -inf is never drawn, at any temperature, also if fewer than top_k tokens are possible."""
    size = int(rng.integers(7, 10))
    logits = rng.normal(size=(60, size))
    for row in logits:
        row[rng.choice(size, size=size - 3, replace=False)] = -np.inf  # three are possible
    logits[::2] -= 1000 * int(rng.integers(10, 15))
    for temperature, top_k in ((1.0, None), (5.0, None), (0, None), (5.0, 2), (5.0, 5), (0.01, 1)):
        tokens = call_sample(student, logits, temperature, top_k, seed_from(rng))
        drawn = logits[np.arange(len(tokens)), tokens]
        wrong = int((drawn == -np.inf).sum())
        what = f"no token with the logit -inf at temperature {temperature} and with top_k {top_k}"
        expect(wrong == 0, required=what, received=f"{wrong} of {len(tokens)} tokens")


@criterion(
    hints=[
        "Where do your random numbers come from?",
        "All of them from one generator that is made from the seed, for all rows.",
        "`rng = np.random.default_rng(seed)`, then `rng.choice(...)`; not `np.random.choice(...)`.",
    ],
)
def the_seed_decides(student, rng):
    """The same seed gives the same tokens again; the next seed gives others, and not the same ones a row further."""
    logits, seed = rng.normal(size=(101, 7)), int(rng.integers(2**30))
    first, again, other = (call_sample(student, logits, 1.0, 5, number) for number in (seed, seed, seed + 1))
    expect(np.array_equal(first, again), required="the same tokens from the same seed", received="different ones")
    expect(not np.array_equal(first, other), required="other tokens from another seed", received="the same ones")
    third = call_sample(student, logits, 1.0, 5, seed + 2)
    for one in first, other:
        expect(not np.array_equal(one, third), required="other tokens from the seed + 2", received="the same ones")
    for step in (65_536, 1_000_000):  # multiples of all smaller powers of 2 and of 10
        far = call_sample(student, logits, 1.0, 5, seed + step)
        required = f"other tokens from the seed + {step:,}"
        expect(not np.array_equal(first, far), required=required, received="the same ones")
    equal = np.tile(rng.normal(scale=0.3, size=7), (101, 1))
    first, other = (call_sample(student, equal, 1.0, None, number) for number in (seed, seed + 1))
    moved = np.array_equal(first[1:], other[:-1]) or np.array_equal(first[:-1], other[1:])
    required = "new luck from the seed + 1 (one generator for all rows, made from the seed)"
    expect(not moved, required=required, received="the tokens of the seed, moved by one row")


@criterion(
    hints=[
        "What is np.exp(10000)?",
        "Infinity, and infinity / infinity is nan. Subtract the largest logit of each row first.",
        "`shifted = logits - logits.max(axis=1, keepdims=True)`: of each row, not of the whole array.",
    ],
)
def huge_logits_are_no_trouble(student, rng):
    """Logits around 10,000 and around -10,000, in the same batch, give tokens with the right probabilities."""
    logits = draw_logits(rng)
    shift = np.array([[10_000.0], [-10_000.0]]) * float(rng.choice([-1.0, 1.0]))
    far, near = logits + shift, logits / 10 + shift
    expect_frequencies(student, rng, far, 1.0, None, softmax(logits), "logits around 10,000 and -10,000")
    wide = np.stack([rng.permutation(row) for row in rng.uniform(1200, 2400, size=(60, 6)).cumsum(axis=1)])
    for rows, temperature in ((rng.permutation(np.tile(near, (30, 1))), 0.001), (wide - wide.mean(), 1.0), (wide, 3.0)):
        tokens = call_sample(student, rows, temperature, None, seed_from(rng))
        for row, token in zip(rows, tokens, strict=True):  # one of them has all the probability that a float can show
            shown = f"the logits {np.round(row, 2).tolist()} at temperature {temperature} give token"
            expect(token == row.argmax(), required=f"{shown} {row.argmax()}", received=f"{token}")


@criterion(
    hints=[
        "How many tokens has the vocabulary of a language model, and which integers are large enough for them?",
        "Some 50,000 or more. int64, as NumPy gives it, is large enough; so is int32.",
    ],
)
def large_vocabularies_are_welcome(student, rng):
    """Tokens above 40,000 are drawn as they are; a top_k of 100 allows 100 tokens, and None allows all."""
    best = rng.integers(41_000, 49_999, size=5)
    logits = rng.normal(size=(5, 50_000))
    logits[np.arange(5), best] += 60
    for temperature, top_k in ((1.0, None), (0, None), (1.5, 60)):
        tokens = call_sample(student, logits, temperature, top_k, seed_from(rng))
        expect_equal(tokens, best, what=f"sample(logits, {temperature}, top_k={top_k}) where each row has a favourite")
    size = int(rng.integers(190, 230))
    row = rng.permutation(np.linspace(0, 0.2, size))
    for top_k, count in ((100, 100), (None, size)):
        drawn = set(call_sample(student, np.tile(row, (4000, 1)), 1.0, top_k, seed_from(rng)).tolist())
        allowed = set(np.argsort(-row)[:count].tolist())
        required = f"nearly all of the {count} most likely of {size} tokens, and no others, with top_k {top_k}"
        fits = drawn <= allowed and len(drawn) > 0.9 * count
        expect(fits, required=required, received=f"{len(drawn & allowed)} of them, {len(drawn - allowed)} others")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

SAMPLE = """
def sample(logits, temperature, top_k, seed):
    if temperature == 0:
        return logits.argmax(axis=1)
    shifted = logits - logits.max(axis=1, keepdims=True)
    if top_k is not None and top_k < logits.shape[1]:
        least = np.sort(shifted, axis=1)[:, -top_k][:, None]
        shifted = np.where(shifted >= least, shifted, -np.inf)
    odds = np.exp(shifted / temperature)
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    rng = np.random.default_rng(seed)
    return np.array([rng.choice(len(row), p=row) for row in probabilities])
"""
DRAW = "return np.array([rng.choice(len(row), p=row) for row in probabilities])"
COLD = "    if temperature == 0:\n        return logits.argmax(axis=1)\n"
LEAST = "least = np.sort(shifted, axis=1)[:, -top_k][:, None]"
ALLOWED = "if top_k is not None and top_k < logits.shape[1]:"
SHIFTED = "shifted = logits - logits.max(axis=1, keepdims=True)"
ODDS = "odds = np.exp(shifted / temperature)"
mutants(SAMPLE, "*", [("imports the answer", COLD, "    return steps.sample(logits, temperature, top_k, seed)\n")])
mutants(
    SAMPLE,
    "there_is_one_token_for_each_row",
    [
        ("one token for the whole batch", DRAW, "return rng.choice(logits.shape[1], p=probabilities[0])"),
        ("a list in a list", DRAW, "return np.array([[rng.choice(len(row), p=row)] for row in probabilities])"),
        ("the probabilities instead of a token", DRAW, "return probabilities"),
        ("floats", DRAW, "return np.array([float(rng.choice(len(row), p=row)) for row in probabilities])"),
        ("one-hot rows", DRAW, "return np.array([rng.multinomial(1, row) for row in probabilities])"),
        (
            "writes into logits at temperature 0",
            "return logits.argmax(axis=1)",
            "best = logits.argmax(axis=1)\n        logits[:] = 0\n        return best",
        ),
        ("writes into logits", SHIFTED, "logits -= logits.max(axis=1, keepdims=True)\n    shifted = logits"),
        (
            "writes -inf into logits",
            "shifted = np.where(shifted >= least, shifted, -np.inf)",
            "logits[shifted < least] = -np.inf\n        shifted = np.where(shifted >= least, shifted, -np.inf)",
        ),
        ("squeezes a batch of one", DRAW, "return np.squeeze([rng.choice(len(row), p=row) for row in probabilities])"),
        (
            "a number for one row",
            DRAW,
            f"tokens = {DRAW[7:]}\n    return tokens if len(tokens) > 1 else int(tokens[0])",
        ),
    ],
)
mutants(
    SAMPLE,
    "tokens_come_as_often_as_the_softmax_says",
    [
        ("always the likeliest", DRAW, "return probabilities.argmax(axis=1)"),
        ("all tokens equally likely", "p=row)", "p=None)"),
        (
            "the same luck for every row",
            DRAW,
            "luck = rng.random()\n"
            "    return np.minimum((probabilities.cumsum(axis=1) < luck).sum(axis=1), logits.shape[1] - 1)",
        ),
        ("a fresh generator for each row", "rng.choice(len(row)", "np.random.default_rng(seed).choice(len(row)"),
        ("the probabilities of the first row for all", "p=row)", "p=probabilities[0])"),
        ("squares the probabilities", "p=row)", "p=row**2 / (row**2).sum())"),
        ("logits in place of exponentials", ODDS, "odds = shifted - shifted.min(axis=1, keepdims=True) + 0.01"),
        (
            "the softmax over the batch",
            "odds.sum(axis=1, keepdims=True)",
            "odds.sum(axis=0, keepdims=True)",
            "p=row)",
            "p=row / row.sum())",
        ),
        (
            "never the last token",
            DRAW,
            "cut = probabilities[:, :-1] / probabilities[:, :-1].sum(axis=1, keepdims=True)\n"
            "    return np.array([rng.choice(len(row), p=row) for row in cut])",
        ),
        (
            "two rows share their luck",
            DRAW,
            "luck = rng.random(len(logits) // 2 + 1).repeat(2)[: len(logits), None]\n"
            "    return np.minimum((probabilities.cumsum(axis=1) < luck).sum(axis=1), logits.shape[1] - 1)",
        ),
        ("one token too far", "(len(row), p=row)", "(np.roll(np.arange(len(row)), 1), p=row)"),
    ],
)
mutants(
    SAMPLE,
    "the_temperature_divides_the_logits",
    [
        ("forgets the temperature", "shifted / temperature", "shifted"),
        ("multiplies by the temperature", "shifted / temperature", "shifted * temperature"),
        (
            "divides the probabilities",
            "shifted / temperature",
            "shifted",
            "odds / odds.sum",
            "(odds / temperature) / (odds / temperature).sum",
        ),
        ("divides by the root of it", "shifted / temperature", "shifted / temperature**0.5"),
        ("divides by the square of it", "shifted / temperature", "shifted / temperature**2"),
        ("rounds the temperature up", "shifted / temperature", "shifted / np.ceil(temperature)"),
        ("never colder than 1", "shifted / temperature", "shifted / max(temperature, 1.0)"),
        ("never hotter than 1", "shifted / temperature", "shifted / min(temperature, 1.0)"),
        ("never colder than a tenth", "shifted / temperature", "shifted / max(temperature, 0.1)"),
        ("never hotter than 10", "shifted / temperature", "shifted / min(temperature, 10.0)"),
    ],
)
mutants(
    SAMPLE,
    "temperature_zero_takes_the_likeliest",
    [
        ("divides by zero", COLD, ""),
        ("0 means 1", COLD, "    temperature = temperature or 1.0\n"),
        ("takes the least likely", "logits.argmax(axis=1)", "logits.argmin(axis=1)"),
        ("a little warm", COLD, "    temperature = max(temperature, 0.2)\n"),
        ("hardly warm", COLD, "    temperature = max(temperature, 0.001)\n"),
        ("the best column", "logits.argmax(axis=1)", "np.full(len(logits), logits.sum(axis=0).argmax())"),
        ("the largest logit itself", "logits.argmax(axis=1)", "logits.max(axis=1)"),
    ],
)
mutants(
    SAMPLE,
    "only_the_top_k_of_each_row_are_drawn",
    [
        ("forgets top_k", ALLOWED, "if False:"),
        ("one too many", "[:, -top_k]", "[:, -top_k - 1]"),
        ("the smallest ones", "shifted >= least", "shifted <= np.sort(shifted, axis=1)[:, top_k - 1][:, None]"),
        ("from the wrong end", "[:, -top_k]", "[:, top_k]"),
        ("one limit for the whole batch", LEAST, "least = np.sort(shifted[0])[-top_k]"),
        (
            "the same tokens for all rows",
            LEAST,
            "least = np.sort(shifted, axis=1)[:, -top_k][:, None]\n        keep = shifted[:1] >= least[:1]",
            "shifted >= least, shifted",
            "keep, shifted",
        ),
        ("the first k columns", "shifted >= least", "np.arange(shifted.shape[1])[None] < top_k"),
        ("0 instead of -inf", "shifted, -np.inf)", "shifted, 0.0)"),
        (
            "all of the top k equally likely",
            "np.where(shifted >= least, shifted, -np.inf)",
            "np.where(shifted >= least, 0.0, -np.inf)",
        ),
        ("excludes the k-th one", "shifted >= least", "(shifted > least) | (shifted == 0)"),
        (
            "draws, then pulls the others to the best",
            LEAST,
            "pass",
            "shifted = np.where(shifted >= least, shifted, -np.inf)",
            "pass",
            DRAW,
            f"tokens = {DRAW[7:]}\n"
            "    if top_k is None:\n        return tokens\n"
            "    places = (-logits).argsort(axis=1).argsort(axis=1)[np.arange(len(tokens)), tokens]\n"
            "    return np.where(places < top_k, tokens, logits.argmax(axis=1))",
        ),
        *(
            (
                f"{number} in place of minus infinity",
                SHIFTED,
                "shifted = logits",
                "shifted, -np.inf)",
                f"shifted, {number})",
                ODDS,
                "odds = np.exp((shifted - shifted.max(axis=1, keepdims=True)) / temperature)",
            )
            for number in ("-100.0", "-1e4")
        ),
    ],
)
mutants(
    SAMPLE,
    "a_large_top_k_allows_all",
    [
        ("looks for a column that is not there", ALLOWED, "if top_k is not None:"),
        (
            "V itself is too many",
            ALLOWED,
            "if top_k is not None and top_k <= logits.shape[1] + 30:",
            "[:, -top_k]",
            "[:, -(top_k % logits.shape[1]) or 1]",
        ),
        (
            "never the least likely one",
            ALLOWED,
            "if top_k is not None:",
            "[:, -top_k]",
            "[:, -min(top_k, logits.shape[1] - 1)]",
        ),
        (
            "too many means greedy",
            ALLOWED,
            "if top_k is not None and top_k >= logits.shape[1]:\n"
            "        return logits.argmax(axis=1)\n    if top_k is not None:",
        ),
    ],
)
mutants(
    SAMPLE,
    "impossible_tokens_are_never_drawn",
    [
        ("subtracts the mean", "logits.max(axis=1", "logits.mean(axis=1"),
        ("nothing is below -10", ODDS, ODDS.replace("shifted", "np.maximum(shifted, -10)")),
        ("0 in place of minus infinity", SHIFTED, "logits = np.nan_to_num(logits, neginf=0.0)\n    " + SHIFTED),
        (
            "-10,000 in place of minus infinity",
            SHIFTED,
            "logits = np.nan_to_num(logits, neginf=-1e4)\n    " + SHIFTED,
        ),
        (
            "fills the top k up with impossible ones",
            "np.where(shifted >= least, shifted, -np.inf)",
            "np.where(shifted >= least, np.maximum(shifted, -5), -np.inf)",
        ),
        (
            "adds a little to every probability",
            "probabilities = odds / odds.sum(axis=1, keepdims=True)",
            "odds += 0.02 * (shifted >= (least if top_k and top_k < logits.shape[1] else -np.inf))\n"
            "    probabilities = odds / odds.sum(axis=1, keepdims=True)",
        ),
    ],
)
mutants(
    SAMPLE,
    "the_seed_decides",
    [
        ("forgets the seed", "default_rng(seed)", "default_rng()"),
        ("always the same seed", "default_rng(seed)", "default_rng(0)"),
        ("the global generator", "rng.choice(", "np.random.choice("),
        ("only the last three digits of the seed", "default_rng(seed)", "default_rng(seed % 1000)"),
        ("only the last four digits of the seed", "default_rng(seed)", "default_rng(seed % 10_000)"),
        ("the same generator for two seeds", "default_rng(seed)", "default_rng(seed // 2)"),
        ("the same generator for two other seeds", "default_rng(seed)", "default_rng((seed + 1) // 2)"),
        ("a seed from the clock", "default_rng(seed)", "default_rng(__import__('time').perf_counter_ns())"),
        ("a seed from the logits", "default_rng(seed)", "default_rng(int(abs(logits.sum()) * 1000))"),
        *(
            (
                f"the seed {sign} b for row b: the luck of one row is that of the next for another seed",
                DRAW,
                f"return np.array([np.random.default_rng(seed {sign} b).choice(len(row), p=row) "
                "for b, row in enumerate(probabilities)])",
            )
            for sign in "+-"
        ),
    ],
)
mutants(
    SAMPLE,
    "large_vocabularies_are_welcome",
    [
        ("tokens of one byte", DRAW, DRAW.replace("])", "]).astype('uint8')")),
        ("tokens of two bytes", DRAW, DRAW.replace("])", "]).astype('int16')")),
        ("the likeliest token as two bytes", "logits.argmax(axis=1)", "logits.argmax(axis=1).astype('int16')"),
        ("a top_k of 50 where none is asked for", COLD, f"{COLD}    top_k = top_k or 50\n"),
        ("never more than 40 tokens", COLD, f"{COLD}    top_k = top_k and min(top_k, 40)\n"),
    ],
)
mutants(
    SAMPLE,
    "huge_logits_are_no_trouble",
    [
        ("no maximum subtracted", SHIFTED, "shifted = logits"),
        ("one maximum for the whole array", SHIFTED, "shifted = logits - logits.max()"),
        ("the mean subtracted", SHIFTED, "shifted = logits - logits.mean()"),
        ("clips the logits", SHIFTED, "shifted = np.clip(logits, -50, 50)"),
        (
            "a small number against division by zero",
            SHIFTED,
            "shifted = np.clip(logits, None, 700)",
            "odds / odds.sum(axis=1, keepdims=True)",
            "(odds + 1e-30) / (odds + 1e-30).sum(axis=1, keepdims=True)",
        ),
        (
            "rounds to single precision first",
            SHIFTED,
            "logits = np.float16(logits)\n    shifted = np.float64(logits) - logits.max(axis=1, keepdims=True)",
        ),
        (
            "the mean of each row subtracted, and clipped",
            SHIFTED,
            "shifted = logits - logits.mean(axis=1, keepdims=True)",
            ODDS,
            "odds = np.exp(np.clip(shifted / temperature, -500, 500))",
        ),
        ("never colder than a tenth", COLD, f"{COLD}    temperature = max(temperature, 0.1)\n"),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "the Gumbel trick: the largest of logits plus noise",
    """
def sample(logits, temperature, top_k, seed):
    if temperature == 0:
        return np.argmax(logits, axis=-1)
    rng = np.random.default_rng(seed)
    scores = np.array(logits, dtype=float) / temperature
    if top_k is not None:
        for row in scores:
            row[np.argsort(row)[: max(0, len(row) - top_k)]] = -np.inf
    return np.argmax(scores + rng.gumbel(size=scores.shape), axis=1)
""",
)
accepted(
    "one uniform number for each row, and the sums of probabilities",
    """
def sample(logits, temperature, top_k, seed):
    tokens, rng = [], np.random.RandomState(seed)
    for row in logits:
        order = np.argsort(-row)
        if top_k is not None:
            order = order[:top_k]
        if temperature == 0:
            tokens.append(order[0])
            continue
        odds = np.exp((row[order] - row[order[0]]) / temperature)
        sums = np.cumsum(odds) / odds.sum()
        tokens.append(order[min(np.searchsorted(sums, rng.uniform(), side="right"), len(order) - 1)])
    return np.array(tokens)
""",
)
accepted(
    "functions of Keras for the softmax, one uniform number for each row",
    """
def sample(logits, temperature, top_k, seed):
    from keras import ops

    x = ops.convert_to_tensor(logits - logits.max(axis=1, keepdims=True))
    if temperature == 0:
        return ops.argmax(x, axis=-1)
    if top_k is not None:
        x = ops.where(x >= ops.top_k(x, min(top_k, logits.shape[1]))[0][:, -1:], x, -float("inf"))
    sums = np.cumsum(ops.convert_to_numpy(ops.softmax(x / temperature)).astype(float), axis=1)
    return (sums / sums[:, -1:] <= np.random.default_rng(seed).random((len(logits), 1))).sum(axis=1)
""",
)
accepted(
    "Python's own generator",
    """
import random


def sample(logits, temperature, top_k, seed):
    if not temperature:
        return logits.argmax(-1)
    luck, result = random.Random(seed), []
    for row in logits.tolist():
        ranked = sorted(range(len(row)), key=row.__getitem__, reverse=True)[: top_k or len(row)]
        top = row[ranked[0]]
        weights = [math.exp((row[token] - top) / temperature) for token in ranked]
        result += luck.choices(ranked, weights=weights)
    return np.array(result, dtype="int32")
""".replace("math.exp", "np.exp"),
)
