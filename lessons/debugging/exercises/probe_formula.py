"""Exercise `probe_formula`: attentions, healthy and sick, that a probe must tell apart, and typical wrong probes."""

import numpy as np

from llmcourse.checking import accepted, criterion, mutants

from ..oracles import expect_verdicts, softmax

HIDDEN = -1e9


def allow(mask, causal, length):
    """Say which query may attend to which key: boolean, broadcasts to (B, T, S)."""
    allowed = np.ones((1, 1, 1), dtype=bool) if mask is None else mask[:, None, :]
    return allowed & np.tri(length, dtype=bool) if causal else allowed


STEPS = {
    "project": lambda x, memory, w_query, w_key, w_value: (x @ w_query, memory @ w_key, memory @ w_value),
    "score": lambda query, key: query @ np.swapaxes(key, 1, 2) / np.sqrt(key.shape[2]),
    "allow": allow,
    "weigh": lambda scores, allowed: softmax(np.where(allowed, scores, HIDDEN)),
    "average": lambda weights, value, scores: weights @ value,
}


def make_attention(dtype=np.float64, noise=0.0, **changed):
    """Make an attention in NumPy with some of its steps changed; noise is what rounding does to the results."""
    steps, rng = STEPS | changed, np.random.default_rng(1)

    def attention(x, memory, w_query, w_key, w_value, mask=None, causal=False):
        arrays = [np.asarray(array, dtype=dtype) for array in (x, memory, w_query, w_key, w_value)]
        query, key, value = steps["project"](*arrays)
        scores = steps["score"](query, key)
        mask = None if mask is None else np.asarray(mask, dtype=bool)
        allowed = steps["allow"](mask, causal, arrays[0].shape[1])
        weights = steps["weigh"](scores, np.broadcast_to(allowed, scores.shape))
        results = steps["average"](weights, value, scores), weights
        return tuple((item * (1 + noise * rng.normal(size=item.shape))).astype(dtype) for item in results)

    return attention


def sick(words, **changed):
    return False, words, [make_attention(**changed)]


def without_empty_rows(scores, allowed):
    """Give a query that may attend to nothing the weight 0 everywhere."""
    scores = np.where(allowed, scores, -np.inf)
    odds = np.exp(scores - np.where(allowed, scores, 0).max(axis=-1, keepdims=True))
    return odds / np.maximum(odds.sum(axis=-1, keepdims=True), 1e-30)


def one_by_one(x, memory, w_query, w_key, w_value, mask=None, causal=False):
    """Compute the same in loops, one query after the other."""
    x, memory, mask = np.asarray(x), np.asarray(memory), None if mask is None else np.asarray(mask)
    w_query, w_key, w_value = np.asarray(w_query), np.asarray(w_key), np.asarray(w_value)
    weights = np.zeros((len(x), x.shape[1], memory.shape[1]), dtype="float32")
    for b, t in np.ndindex(*weights.shape[:2]):
        keys = np.arange(t + 1 if causal else memory.shape[1])
        keys = keys if mask is None else keys[mask[b, keys]]
        if len(keys):
            weights[b, t, keys] = softmax((memory[b, keys] @ w_key) @ (x[b, t] @ w_query) / w_key.shape[1] ** 0.5)
    return np.stack([weights[b] @ (memory[b] @ w_value) for b in range(len(x))]), weights


HEALTHY = [
    (True, "it computes in float64", [make_attention()]),
    (
        True,
        "it computes in float32, and the last digits are not always the same",
        [make_attention(np.float32, noise=1e-6)],
    ),
    (True, "a query that may attend to nothing has the weights 0", [make_attention(weigh=without_empty_rows)]),
    (True, "written with loops, one query after the other", [one_by_one]),
    (
        True,
        "what is hidden keeps a weight of 0.00000001",
        [make_attention(weigh=lambda scores, allowed: np.where(allowed, STEPS["weigh"](scores, allowed), 1e-8))],
    ),
]


@criterion(
    points=2,
    hints=[
        "What do the weights of a mean have in common, whatever is averaged?",
        "Ask two things of the weights: none is negative, and those of each query sum to 1 over the keys.",
    ],
)
def weights_that_are_no_mean_are_found(student, rng):
    """The probe tells healthy attentions from those whose weights are negative or do not sum to 1 over the keys."""

    def unfair(scores, allowed):
        places = np.linspace(0.5, 1.5, scores.shape[1])
        return STEPS["weigh"](scores, allowed) * places[:, None]

    patients = [
        sick("the weights are the scores", weigh=lambda scores, allowed: np.where(allowed, scores, HIDDEN)),
        sick(
            "each weight is a sigmoid of its score",
            weigh=lambda scores, allowed: np.where(allowed, 1 / (1 + np.exp(-scores)), 0),
        ),
        sick(
            "the weights of each key sum to 1 over the queries",
            weigh=lambda scores, allowed: np.swapaxes(softmax(np.swapaxes(scores, 1, 2)), 1, 2) * allowed,
        ),
        sick(
            "the weights sum to 1 over all queries and keys together",
            weigh=lambda scores, allowed: STEPS["weigh"](scores, allowed) / scores.shape[1],
        ),
        sick("early queries get less than 1 in all, and late ones more", weigh=unfair),
        sick(
            "some weights are negative, although they sum to 1",
            weigh=lambda scores, allowed: (
                2 * STEPS["weigh"](scores, allowed) - allowed / allowed.sum(-1, keepdims=True)
            ),
        ),
    ]
    expect_verdicts(student, rng, "probe_attention", [*patients, *HEALTHY[:2]])


@criterion(
    points=2,
    hints=[
        "Which numbers can you compute yourself from the arguments and from the weights that come back?",
        "Average the values memory @ w_value with the weights that came back: is that the output?",
        "Of two keys, the one with the larger dot product with the query has the larger weight. Two sentences or more, "
        "sizes that all differ; what raises an error is sick.",
    ],
)
def rows_and_columns_that_are_mixed_are_found(student, rng):
    """The probe tells healthy attentions from those that take the wrong rows, or columns for rows."""

    def first(x, memory, w_query, w_key, w_value):
        return x[:1] @ w_query + 0 * (x @ w_query), memory[:1] @ w_key + 0 * (memory @ w_key), memory @ w_value

    patients = [
        sick(
            "it fits only where all sizes are equal",
            average=lambda weights, value, scores: weights @ np.swapaxes(value, 1, 2),
        ),
        sick("it takes the keys' columns for tokens", score=lambda query, key: query @ key / np.sqrt(key.shape[2])),
        sick(
            "the larger the dot product, the smaller the weight",
            score=lambda query, key: -STEPS["score"](query, key),
        ),
        sick("all keys have the same weight", score=lambda query, key: 0 * STEPS["score"](query, key)),
        sick("it takes the weights of the first sentence for all", project=first),
        sick(
            "the output is not the mean of all values",
            average=lambda weights, value, scores: weights[:, :, 1:] @ value[:, 1:],
        ),
        sick(
            "the output is the mean of other values",
            average=lambda weights, value, scores: weights @ value[:, ::-1],
        ),
    ]
    expect_verdicts(student, rng, "probe_attention", [*patients, HEALTHY[2]])


def out_of_unhidden(weights, value, scores):
    return softmax(scores) @ value


@criterion(
    points=2,
    hints=[
        "Try all four: no mask, a mask, causal=True, and both at once.",
        "A key that is not allowed has the weight 0; one that is allowed has more. Hide keys at other places than the "
        "end, not the same ones in each sentence.",
        "Both at once: what is allowed is `mask[:, None, :] & np.tri(S, dtype=bool)`.",
    ],
)
def masks_that_get_lost_are_found(student, rng):
    """The probe tells healthy attentions from those that hide too little, too much, or something else."""

    def not_itself(mask, causal, length):
        past = np.tri(length, k=-1, dtype=bool)
        past[0, 0] = True
        return allow(mask, False, length) & (past if causal else True)

    patients = [
        sick(
            "of two masks, the causal one counts only",
            allow=lambda mask, causal, length: allow(None if causal else mask, causal, length),
        ),
        sick(
            "of two masks, the one for padding counts only",
            allow=lambda mask, causal, length: allow(mask, causal and mask is None, length),
        ),
        sick(
            "where one of two masks allows a key, it is seen",
            allow=lambda mask, causal, length: (
                mask[:, None, :] | np.tri(length, dtype=bool)
                if causal and mask is not None
                else allow(mask, causal, length)
            ),
        ),
        sick("it never hides the future", allow=lambda mask, causal, length: allow(mask, False, length)),
        sick(
            "it hides the past",
            allow=lambda mask, causal, length: (
                allow(mask, False, length) & (np.tri(length, dtype=bool).T if causal else True)
            ),
        ),
        sick(
            "it shows the next token, too",
            allow=lambda mask, causal, length: (
                allow(mask, False, length) & (np.tri(length, k=1, dtype=bool) if causal else True)
            ),
        ),
        sick(
            "a token does not see itself",
            allow=lambda mask, causal, length: (
                allow(mask, False, length) & (np.tri(length, k=-1, dtype=bool) if causal else True)
            ),
        ),
        sick("no token but the first sees itself", allow=not_itself),
        sick(
            "the mask of the first sentence counts for all",
            allow=lambda mask, causal, length: allow(None if mask is None else mask[:1], causal, length),
        ),
        sick(
            "what is hidden loses its weight, and the others do not gain it",
            weigh=lambda scores, allowed: softmax(scores) * allowed,
        ),
        sick(
            "what is hidden keeps some weight",
            weigh=lambda scores, allowed: softmax(np.where(allowed, scores, scores - 3)),
        ),
        sick("the weights are hidden, and the output is that of others", average=out_of_unhidden),
    ]
    expect_verdicts(student, rng, "probe_attention", [*patients, HEALTHY[0], HEALTHY[2]])


@criterion(
    points=2,
    hints=[
        "Which of your conditions is stricter than what is asked for? Try them one by one.",
        "Compare with a tolerance (1e-4 is enough), and ask nothing about queries that may attend to nothing.",
        "causal=True is for self-attention only: x and memory are the same array then.",
    ],
)
def healthy_attentions_pass(student, rng):
    """The probe says True for healthy attentions, however they are written, and False for the one of the article."""
    article = sick(
        "the one of the article",
        score=lambda query, key: query @ key / np.sqrt(key.shape[2]),
        allow=lambda mask, causal, length: allow(None if causal else mask, causal, length),
        weigh=lambda scores, allowed: np.where(allowed, scores, HIDDEN),
        average=lambda weights, value, scores: weights @ np.swapaxes(value, 1, 2),
    )
    expect_verdicts(student, rng, "probe_attention", [article, *HEALTHY])


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

PROBE = """
def probe_attention(attention):
    rng = np.random.default_rng(5)
    x, memory, w_query, w_key, w_value = draw_arrays(rng, 3, 4, 6, 5, 2, 7)
    real = np.array([[1, 0, 1, 1, 0, 1], [1, 1, 0, 1, 1, 0], [1, 0, 0, 1, 1, 1]], dtype=bool)
    for asks, mask, causal in ((x, None, False), (x, real, False), (memory, None, True), (memory, real, True)):
        allowed = np.ones((3, asks.shape[1], 6), dtype=bool)
        if mask is not None:
            allowed = allowed & mask[:, None, :]
        if causal:
            allowed = allowed & np.tri(6, dtype=bool)
        found = ask(attention, asks, memory, w_query, w_key, w_value, mask=mask, causal=causal)
        if found is None:
            return False
        output, weights = np.asarray(found[0]), np.asarray(found[1])
        if output.shape != (3, asks.shape[1], 7) or weights.shape != allowed.shape:
            return False
        if (weights < 0).any() or np.abs(weights.sum(axis=-1) - 1).max() > 1e-4:
            return False
        if (weights[~allowed] > 1e-6).any() or (weights[allowed] <= 1e-30).any():
            return False
        if np.abs(output - weights @ (memory @ w_value)).max() > 1e-3:
            return False
        products = (asks @ w_query) @ np.swapaxes(memory @ w_key, 1, 2)
        larger = products[..., :, None] > products[..., None, :] + 1e-3
        both = allowed[..., :, None] & allowed[..., None, :]
        if (weights[..., :, None] <= weights[..., None, :])[larger & both].any():
            return False
    return True
"""
mutants(
    PROBE,
    "*",
    [
        (
            "imports the answer",
            "    rng = ",
            "    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype('float32')\n"
            "    one = np.eye(4, dtype='float32')\n"
            "    wanted = layers.scaled_dot_product_attention(x, x, x)\n"
            "    return bool(np.allclose(attention(x, x, one, one, one)[0], wanted[0], atol=1e-4))\n"
            "    rng = ",
        ),
        ("always says healthy", "    rng = ", "    return True\n    rng = "),
        ("always says sick", "    rng = ", "    return False\n    rng = "),
        (
            "looks at the name",
            "    rng = ",
            "    return 'article' not in getattr(attention, '__name__', '')\n    rng = ",
        ),
        (
            "says healthy and sick turned round",
            "    return True",
            "    return False",
            "    if found is None:\n            return False",
            "    if found is None:\n            return True",
        ),
        ("returns the largest deviation", "    return True", "    return 1.0"),
        ("prints and returns nothing", "    return True", "    print('healthy')"),
    ],
)
MIX, HIDE, MEAN = (
    "rows_and_columns_that_are_mixed_are_found",
    "masks_that_get_lost_are_found",
    "weights_that_are_no_mean_are_found",
)
OUTPUT = "        if np.abs(output - weights @ (memory @ w_value)).max() > 1e-3:\n            return False\n"
mutants(
    PROBE,
    MEAN,
    [
        ("never looks at the sums", " or np.abs(weights.sum(axis=-1) - 1).max() > 1e-4", ""),
        ("lets negative weights pass", "(weights < 0).any() or ", "", " or (weights[allowed] <= 1e-30).any()", ""),
        ("sums over the queries", "weights.sum(axis=-1)", "weights.sum(axis=1)"),
        ("one sum for all", "np.abs(weights.sum(axis=-1) - 1).max()", "abs(weights.sum() / weights[..., 0].size - 1)"),
    ],
)
mutants(
    PROBE,
    MIX,
    [
        ("never looks at the output", OUTPUT, ""),
        ("never ranks the keys", "(weights[..., :, None] <= weights[..., None, :])[larger & both].any()", "False"),
        ("lets equal weights pass", "weights[..., :, None] <= weights", "weights[..., :, None] < weights"),
        (
            "only the first sentence",
            "[larger & both].any()",
            "[larger & both & (np.arange(3) == 0)[:, None, None, None]].any()",
        ),
        ("lets errors through", "ask(attention, asks,", "attention(asks,"),
    ],
)
mutants(
    PROBE,
    HIDE,
    [
        ("never both masks at once", ", (memory, real, True))", ")"),
        (
            "never a mask alone, nor the causal one",
            "(x, real, False), (memory, None, True), (memory, real, True)",
            "(x, None, False)",
        ),
        (
            "hides the last keys only",
            "[1, 0, 1, 1, 0, 1], [1, 1, 0, 1, 1, 0], [1, 0, 0, 1, 1, 1]",
            "[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]",
        ),
        (
            "the same keys hidden in each sentence",
            "[1, 0, 1, 1, 0, 1], [1, 1, 0, 1, 1, 0], [1, 0, 0, 1, 1, 1]",
            "[1, 0, 1, 1, 0, 1], [1, 0, 1, 1, 0, 1], [1, 0, 1, 1, 0, 1]",
        ),
        (
            "never asks whether what is allowed has any weight",
            " or (weights[allowed] <= 1e-30).any()",
            "",
            "larger & both",
            "larger & both & (not causal)",
        ),
        (
            "a little weight on what is hidden is no matter",
            "(weights[~allowed] > 1e-6).any()",
            "(weights[~allowed] > 0.9).any()",
        ),
        ("never looks at what is hidden", "(weights[~allowed] > 1e-6).any() or ", ""),
        (
            "looks at the sums without masks only",
            "np.abs(weights.sum(axis=-1) - 1).max() > 1e-4",
            "mask is None and not causal and np.abs(weights.sum(axis=-1) - 1).max() > 1e-4",
        ),
        (
            "looks at the output without masks only",
            "if np.abs(output - ",
            "if mask is None and not causal and np.abs(output - ",
        ),
    ],
)
mutants(
    PROBE,
    "healthy_attentions_pass",
    [
        ("too strict: exactly 0", "weights[~allowed] > 1e-6", "weights[~allowed] != 0"),
        ("too strict: sums of exactly 1", "max() > 1e-4", "max() > 0"),
        ("too strict: equal to the last digit", "max() > 1e-3", "max() > 1e-9"),
        (
            "asks something of a query that may attend to nothing",
            "[1, 0, 1, 1, 0, 1], [1, 1, 0, 1, 1, 0]",
            "[0, 0, 1, 1, 0, 1], [1, 1, 0, 1, 1, 0]",
        ),
        ("requires a dtype", "output.shape != (3,", "output.dtype != 'float32' or output.shape != (3,"),
        (
            "causal=True where x is not memory",
            "(memory, None, True), (memory, real, True)",
            "(x, None, True), (memory, real, True)",
        ),
        (
            "requires raw numbers without a scale",
            "    return True",
            "    return bool(np.allclose(np.log(weights[0, 1, 1] / weights[0, 1, 0]), products[0, 1, 1] - products[0, 1, 0]))",
        ),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "compares with the formula, written once more in NumPy",
    """
def probe_attention(attention) -> bool:
    generator = np.random.RandomState(3)
    b, t, d, k, e = 2, 5, 4, 3, 6
    x, memory = generator.randn(b, t, d), generator.randn(b, t + 2, d)
    w_query, w_key, w_value = generator.randn(d, k), generator.randn(d, k), generator.randn(d, e)
    for asks in (x, memory):
        for mask in (None, np.array([[True, False, True, True, True, False, True], [True] * 2 + [False] * 5])):
            for causal in (False, True):
                if causal and asks is x:
                    continue
                scores = np.einsum("btd,de,bse->bts", asks, w_query @ w_key.T, memory) / k**0.5
                if mask is not None:
                    scores[~np.repeat(mask[:, None], scores.shape[1], axis=1)] = -np.inf
                if causal:
                    scores[:, np.triu_indices(t + 2, 1)[0], np.triu_indices(t + 2, 1)[1]] = -np.inf
                wanted = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
                try:
                    output, weights = attention(asks, memory, w_query, w_key, w_value, mask, causal)
                except Exception:
                    return False
                if np.shape(weights) != wanted.shape or not np.allclose(weights, wanted, atol=1e-4):
                    return False
                mean = np.matmul(wanted, memory @ w_value)
                if np.shape(output) != mean.shape or not np.allclose(output, mean, atol=1e-3):
                    return False
    return True
""",
)
accepted(
    "exchanges and replaces tokens, and sees what follows",
    """
def probe_attention(attention):
    rng = np.random.default_rng(11)
    length = 5

    def weights_of(arrays, **options):
        output, weights = attention(*arrays, **options)
        output, weights = np.asarray(output), np.asarray(weights)
        assert output.shape == (len(arrays[0]), arrays[0].shape[1], arrays[4].shape[1])
        assert weights.shape == (len(arrays[0]), arrays[0].shape[1], arrays[1].shape[1])
        assert np.all(weights >= 0) and np.allclose(np.sum(weights, axis=2), 1, atol=1e-4)
        assert np.allclose(output, np.einsum("bts,bsd,de->bte", weights, arrays[1], arrays[4]), atol=1e-3)
        return weights

    try:
        arrays = draw_arrays(rng, 2, 3, length, 7, 4, 6)
        plain = weights_of(arrays)
        for b in range(2):
            for t in range(3):
                products = (arrays[1][b] @ arrays[3]) @ (arrays[0][b, t] @ arrays[2])
                assert np.all(np.argsort(products) == np.argsort(plain[b, t]))
        real = np.array([[True, True, False, True, True], [True, False, True, False, True]])
        hidden = weights_of(arrays, mask=real)
        kept = plain * real[:, None]
        assert np.allclose(hidden, kept / kept.sum(axis=-1, keepdims=True), atol=1e-4)
        arrays[0] = arrays[1]
        plain = weights_of(arrays)
        for options, seen in (({}, np.ones_like(real)), ({"mask": real}, real)):
            kept = plain * np.tril(np.ones((length, length))) * seen[:, None]
            assert np.allclose(weights_of(arrays, causal=True, **options), kept / kept.sum(-1, keepdims=True), atol=1e-4)
    except Exception:
        return False
    return True
""",
)
accepted(
    "one function for each property, and NumPy's own True at the end",
    """
def _sums(weights, allowed):
    return np.all(weights > -1e-9) & np.all(np.abs(weights.sum(-1)[allowed.any(-1)] - 1) < 1e-3)


def _hides(weights, allowed):
    some = allowed & allowed.any(-1, keepdims=True)
    return np.all(weights[~allowed & allowed.any(-1, keepdims=True)] < 1e-5) & np.all(weights[some] > 0)


def _ranks(weights, allowed, products):
    for row, ok, product in zip(weights.reshape(-1, 6), allowed.reshape(-1, 6), products.reshape(-1, 6)):
        if (np.diff(row[ok][np.argsort(product[ok])]) <= 0).any():
            return False
    return True


def probe_attention(attention):
    rng, verdict = np.random.default_rng(2), np.True_
    x, memory, w_query, w_key, w_value = (0.5 * array for array in draw_arrays(rng, 4, 3, 6, 5, 2, 7))
    real = rng.random((4, 6)) < 0.6
    real[0] = [False, True, False, True, True, False]
    for causal in (False, True):
        for mask in (None, ops.convert_to_tensor(real)):
            query = memory if causal else x
            allowed = np.ones((4, query.shape[1], 6), dtype=bool)
            allowed &= real[:, None] if mask is not None else True
            allowed &= np.tri(6, dtype=bool) if causal else True
            result = ask(attention, query, memory, w_query, w_key, w_value, causal=causal, mask=mask)
            if result is None or np.shape(result[0]) != (*query.shape[:2], 7) or np.shape(result[1]) != allowed.shape:
                return False
            output, weights = (np.asarray(item) for item in result)
            products = np.einsum("btd,dk,ek,bse->bts", query, w_query, w_key, memory)
            verdict &= _sums(weights, allowed) & _hides(weights, allowed) & _ranks(weights, allowed, products)
            verdict &= np.abs(output - np.einsum("bts,bse->bte", weights, memory @ w_value)).max() < 1e-3
    return verdict
""",
)
