"""Exercise `probe_layers`: models, healthy and sick, that a probe must tell apart, and typical wrong probes."""

import numpy as np

from llmcourse.checking import accepted, criterion, mutants

from ..oracles import attend, causal, draw, draw_attention, draw_feed_forward, expect_verdicts, feed_forward, positional

NORM = [np.ones(1), np.zeros(1)]
STEPS = {
    "source_vectors": lambda ids, table: table[ids],
    "target_vectors": lambda ids, table: table[ids],
    "source_places": positional,
    "target_places": positional,
    "encoder_value": lambda y, target: y,
    "future": causal,
    "source_mask": lambda ids, length: None,
    "memory": lambda memory, target: memory,
    "cross": lambda x, memory, weights, mask: attend(x, memory, weights, mask),
    "last": lambda x, memory: x,
    "logits": lambda logits: logits,
}


def normalise(x):
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)


def pre_norm(x, work):
    return x + work(normalise(x))


def post_norm(x, work):
    return normalise(x + work(x))


def draw_sizes(rng):
    """Draw the sizes of the two vocabularies, which differ, both larger than the width of the model, and that width."""
    heads, half = (int(size) for size in rng.permutation([2, 3]))
    width = 2 * half * heads
    return *(int(size) for size in width + rng.permutation(np.arange(3, 12))[:2]), width, heads


def make_model(rng, sizes=None, add=pre_norm, rounds=1, noise=0.0, **changed):
    """Make a Transformer in NumPy with some of its steps changed.

    Args:
        rng: draws the weights.
        sizes: as `draw_sizes` returns them.
        add: where the norm stands.
        rounds: how often each stack of layers is run through.
        noise: how far results are moved by rounding.
        changed: steps in place of those in STEPS.

    Returns:
        The model's arguments in a probe: the model, the sizes of its two vocabularies.
    """
    steps, shaking = STEPS | changed, np.random.default_rng(1)
    source_size, target_size, width, heads = sizes or draw_sizes(rng)
    attentions = [draw_attention(rng, width, heads) for _ in range(3)]
    for weights in attentions:  # even weights: no token is overlooked
        weights[0], weights[2] = 0.4 * weights[0], 0.4 * weights[2]
    networks = [draw_feed_forward(rng, width, width + 7) for _ in range(2)]
    tables = draw(rng, source_size, width), draw(rng, target_size, width)
    kernel = draw(rng, width, target_size)

    def model(source_ids, target_ids):
        source_ids, target_ids = np.asarray(source_ids).astype(int), np.asarray(target_ids).astype(int)
        for ids, table in ((source_ids, tables[0]), (target_ids, tables[1])):
            if ids.ndim != 2 or ids.min() < 0 or ids.max() >= len(table):
                raise ValueError("ids must have two axes and lie in their vocabulary")
        (_, s), (_, t) = source_ids.shape, target_ids.shape
        y = steps["target_vectors"](target_ids, tables[1]) + steps["target_places"](t, width)
        x = steps["source_vectors"](source_ids, tables[0]) + steps["source_places"](s, width)
        mask = steps["source_mask"](source_ids, t)
        for _ in range(rounds):
            x = add(x, lambda n: attend(n, steps["encoder_value"](n, y), attentions[0], mask))
            x = add(x, lambda n: feed_forward(n, networks[0]))
        memory = steps["memory"](normalise(x), y)
        for _ in range(rounds):
            y = add(y, lambda n: attend(n, n, attentions[1], steps["future"](t)))
            y = add(y, lambda n: steps["cross"](n, memory, attentions[2], mask))
            y = add(y, lambda n: feed_forward(n, networks[1]))
        logits = steps["logits"](normalise(steps["last"](y, memory)) @ kernel)
        return logits + noise * shaking.normal(size=logits.shape)

    return [model, source_size, target_size]


def sick(rng, words, **changed):
    return False, words, make_model(rng, **changed)


def healthy(rng):
    """Make healthy models of different kinds and sizes."""
    table = draw(rng, 40, 64)
    return [
        (True, "pre-norm, one layer each", make_model(rng)),
        (True, "post-norm, two layers each", make_model(rng, add=post_norm, rounds=2)),
        (True, "the last digits of its logits are not always the same", make_model(rng, noise=1e-6)),
        (
            True,
            "its positions are learned",
            make_model(
                rng,
                source_places=lambda length, width: table[:length, :width],
                target_places=lambda length, width: table[-length:, -width:],
            ),
        ),
        (True, "it hides padding", make_model(rng, source_mask=lambda ids, length: (ids != 0)[:, None, None, :])),
        (
            True,
            "its embeddings are multiplied by sqrt(D)",
            make_model(
                rng,
                source_vectors=lambda ids, table: table[ids] * table.shape[1] ** 0.5,
                target_vectors=lambda ids, table: table[ids] * table.shape[1] ** 0.5,
            ),
        ),
    ]


@criterion(
    points=2,
    hints=[
        "Which logits must not move when you change one token of the target?",
        "Those before it. Try every token of the target, not the last one only, and compare all earlier positions.",
    ],
)
def leaks_are_found(student, rng):
    """The probe tells healthy models from those in which a position knows a later token of the target."""

    def one_more(length):
        return np.tri(length, k=1, dtype=bool)[None, None]

    def first_right(length):
        mask = np.ones((1, 1, length, length), dtype=bool)
        mask[..., 0, 1:] = False
        return mask

    def last_unseen(length):  # the last token is hidden, all others are open
        mask = np.ones((1, 1, length, length), dtype=bool)
        mask[..., :-1, -1] = False
        return mask

    patients = [
        sick(rng, "it has no causal mask", future=lambda length: None),
        sick(rng, "each position sees the next token, too", future=one_more),
        sick(rng, "all positions but the first see the whole target", future=first_right),
        sick(rng, "only the last token is hidden from those before it", future=last_unseen),
        sick(rng, "its encoder attends to the target", encoder_value=lambda y, target: target),
        sick(
            rng,
            "the mean of the target is added to the memory",
            memory=lambda memory, target: memory + target.mean(axis=1, keepdims=True),
        ),
    ]
    expect_verdicts(student, rng, "probe_model", [*patients, *healthy(rng)[:2]])


def one_hot(ids, table):
    vectors = np.zeros((*ids.shape, table.shape[1]))
    return np.where(ids[..., None] == np.arange(table.shape[1]), 1.0, vectors)


@criterion(
    points=2,
    hints=[
        "Change one token of the source. Which logits must move? And one of the target?",
        "All logits must hear of each source token; those from a target token on must hear of it.",
        "Look at each position by itself: `np.abs(after - before).max(axis=-1) > 1e-4`, for all of them.",
    ],
)
def tokens_that_go_unheard_are_found(student, rng):
    """The probe tells healthy models from those in which a position does not hear of a token that it may know."""

    def earlier_only(x, memory, weights, mask):
        t, s = x.shape[1], memory.shape[1]
        return attend(x, memory, weights, np.tri(t, s, k=max(0, s - t), dtype=bool)[None, None])

    def first_only(x, memory, weights, mask):
        return attend(x, memory[:, :1], weights)

    def last_token(length):
        mask = np.tri(length, dtype=bool)
        mask[2:, 0] = False
        return mask[None, None]

    patients = [
        sick(rng, "the source is never asked", cross=lambda x, memory, weights, mask: 0 * x),
        sick(
            rng,
            "early positions do not hear of late source tokens",
            cross=earlier_only,
            encoder_value=lambda y, target: 0 * y,
        ),
        sick(
            rng, "only the first token of the source is heard", cross=first_only, encoder_value=lambda y, target: 0 * y
        ),
        sick(
            rng, "each target token hears of itself only", future=lambda length: np.eye(length, dtype=bool)[None, None]
        ),
        sick(rng, "from the third position on, the first target token is forgotten", future=last_token),
        sick(rng, "the logits are always the same", last=lambda x, memory: 0 * x),
    ]
    expect_verdicts(student, rng, "probe_model", [*patients, *healthy(rng)[1:3]])


@criterion(
    points=2,
    hints=[
        "Which tokens have you tried? A word of the vocabulary may have a large number.",
        "Replace one large id by another large one (the last and the last but one), in the source and in the target.",
    ],
)
def words_that_are_mistaken_for_others_are_found(student, rng):
    """The probe tells healthy models from those that take different words, in particular those of large ids, for one."""

    def cut(ids, table):
        return table[np.minimum(ids, table.shape[1] - 1)]

    size, larger, width, heads = 14, 20, 12, 2
    patients = [
        sick(rng, "one-hot vectors of the width of the model", source_vectors=one_hot, target_vectors=one_hot),
        sick(rng, "one-hot vectors for the source", source_vectors=one_hot),
        sick(rng, "one-hot vectors for the target", target_vectors=one_hot),
        sick(rng, "all large ids of the source are one word", source_vectors=cut),
        sick(rng, "all large ids of the target are one word", target_vectors=cut),
        sick(
            rng,
            "the source's table is read where the target's should be, which is larger",
            sizes=(size, larger, width, heads),
            target_vectors=lambda ids, table: table[:size][ids],
        ),
        sick(
            rng,
            "beyond the source's table, all words of the target are alike",
            sizes=(size, larger, width, heads),
            target_vectors=lambda ids, table: table[ids] * (ids < size)[..., None],
        ),
    ]
    expect_verdicts(student, rng, "probe_model", [*patients, healthy(rng)[0], healthy(rng)[5]])


@criterion(
    points=2,
    hints=[
        "What must happen when two words change places?",
        "Swap two source tokens, and two early target tokens: the last logits must move. Which test of yours would "
        "find a bag of words?",
    ],
)
def an_order_that_does_not_count_is_found(student, rng):
    """The probe tells healthy models from those for which a sentence is a bag of words."""

    def nowhere(length, width):
        return np.zeros((length, width))

    patients = [
        sick(rng, "no positions at all", source_places=nowhere, target_places=nowhere),
        sick(rng, "no positions in the source", source_places=nowhere),
        sick(rng, "no positions in the target", target_places=nowhere),
        sick(
            rng, "the same position everywhere in the source", source_places=lambda length, width: positional(1, width)
        ),
        sick(rng, "no positions in the source, two layers", source_places=nowhere, rounds=2),
    ]
    expect_verdicts(student, rng, "probe_model", [*patients, *healthy(rng)[3:5]])


@criterion(
    points=2,
    hints=[
        "What shape do the logits have? Do S and T differ in your probe, and each of them from the sizes of the vocabularies?",
        "T rows of target_vocab_size numbers: try a source that is longer than the target, and one that is shorter.",
        "A model that raises an error is sick: call it with `ask`, which then returns None.",
    ],
)
def sizes_that_do_not_fit_are_found(student, rng):
    """The probe tells healthy models from those that raise errors or return logits of a wrong shape."""

    def must_be(right):
        def cross(x, memory, weights, mask):
            if not right(x.shape[1], memory.shape[1]):
                raise ValueError("operands could not be broadcast together")
            return attend(x, memory, weights, mask)

        return cross

    def wide(x, memory):
        raise ValueError("operands could not be broadcast together with shapes (1,5,12) (1,5,19)")

    patients = [
        sick(rng, "it raises an error, whatever it is given", last=wide),
        sick(rng, "there are as many rows as source tokens", last=lambda x, memory: memory),
        sick(rng, "it raises an error if S is larger than T", cross=must_be(lambda t, s: s <= t)),
        sick(rng, "it raises an error if T is larger than S", cross=must_be(lambda t, s: t <= s)),
        sick(rng, "only the last position is answered", last=lambda x, memory: x[:, -1:]),
        sick(rng, "one word of the target has no logit", logits=lambda logits: logits[:, :, :-1]),
        sick(rng, "the logits are NaN", last=lambda x, memory: x * np.nan),
    ]
    expect_verdicts(student, rng, "probe_model", [*patients, *healthy(rng)[:1]])


@criterion(
    points=2,
    hints=[
        "Which of your conditions is stricter than what is asked for? Try them one by one.",
        "Rounding moves a logit by less than 1e-5: require `< 1e-4` where nothing may move, `> 1e-4` where something must.",
        "A position has moved if one of its logits has; not every one of them has to.",
    ],
)
def healthy_models_pass(student, rng):
    """The probe says True for healthy models of any kind and size, and False for the one of the article."""
    article = sick(rng, "the one of the article", last=lambda x, memory: (x + memory) / (x.shape == memory.shape))
    expect_verdicts(student, rng, "probe_model", [article, *healthy(rng)])


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

PROBE = """
def probe_model(model, source_vocab_size, target_vocab_size):
    for S, T in ((5, 4), (3, 6)):
        source = source_vocab_size - 2 - np.arange(S)
        target = target_vocab_size - 2 - np.arange(T)

        def logits(source, target):
            found = ask(model, source[None], target[None])
            found = np.zeros(1) if found is None else np.asarray(found)
            return found[0] if found.shape == (1, T, target_vocab_size) else None

        def moves(source, target):
            after = logits(source, target)
            return np.zeros(T) if after is None else np.abs(after - before).max(axis=-1)

        before = logits(source, target)
        if before is None:
            return False
        for place in range(S):
            changed = source.copy()
            changed[place] = source_vocab_size - 1
            if not (moves(changed, target) > 1e-4).all():
                return False
        for place in range(T):
            changed = target.copy()
            changed[place] = target_vocab_size - 1
            moved = moves(source, changed)
            if not (moved[:place] < 1e-4).all() or not (moved[place:] > 1e-4).all():
                return False
        swapped = source.copy()
        swapped[:2] = source[1], source[0]
        if not (moves(swapped, target) > 1e-4).all():
            return False
        swapped = target.copy()
        swapped[:2] = target[1], target[0]
        if not moves(source, swapped)[-1] > 1e-4:
            return False
    return True
"""
LEAK, UNHEARD = "leaks_are_found", "tokens_that_go_unheard_are_found"
WORDS, ORDER = "words_that_are_mistaken_for_others_are_found", "an_order_that_does_not_count_is_found"
SIZES, HEALTHY = "sizes_that_do_not_fit_are_found", "healthy_models_pass"
mutants(
    PROBE,
    "*",
    [
        ("always says healthy", "    for S, T in", "    return True\n    for S, T in"),
        ("always says sick", "    for S, T in", "    return False\n    for S, T in"),
        ("looks at the name", "    for S, T in", "    return 'Article' not in type(model).__name__\n    for S, T in"),
        ("prints and returns nothing", "    return True", "    print(True)"),
        (
            "knows the author's sizes only",
            "    for S, T in",
            "    if (source_vocab_size, target_vocab_size) != (8, 8):\n        return False\n    for S, T in",
        ),
    ],
)
mutants(
    PROBE,
    LEAK,
    [
        ("no leak test", "not (moved[:place] < 1e-4).all() or ", ""),
        (
            "the leak test changes the last token only",
            "moved[:place] < 1e-4",
            "moved[: place * (place == T - 1)] < 1e-4",
        ),
        ("looks at the first position only", "moved[:place] < 1e-4", "moved[: min(place, 1)] < 1e-4"),
        (
            "the mean over all positions",
            "not (moved[:place] < 1e-4).all()",
            "place and not np.sum(moved[:place]) < 1e2",
        ),
    ],
)
mutants(
    PROBE,
    UNHEARD,
    [
        (
            "never changes the source",
            "for place in range(S):",
            "for place in range(0):",
            "not (moves(swapped, target) > 1e-4).all()",
            "False",
        ),
        (
            "one position that moves is enough",
            "            if not (moves(changed, target) > 1e-4).all():",
            "            if not (moves(changed, target) > 1e-4).any():",
            "not (moves(swapped, target) > 1e-4).all()",
            "False",
        ),
        (
            "the last position only",
            "not (moves(changed, target) > 1e-4).all()",
            "not moves(changed, target)[-1] > 1e-4",
            "not (moves(swapped, target) > 1e-4).all()",
            "False",
        ),
        (
            "looks at the changed position only",
            "not (moved[place:] > 1e-4).all()",
            "not moved[place] > 1e-4",
            "if not moves(source, swapped)[-1] > 1e-4",
            "if False",
        ),
        (
            "changes the first source token only",
            "for place in range(S):",
            "for place in range(1):",
            "not (moves(swapped, target) > 1e-4).all()",
            "False",
        ),
    ],
)
mutants(
    PROBE,
    WORDS,
    [
        (
            "small ids only",
            "source_vocab_size - 2 - np.arange(S)",
            "2 + np.arange(S)",
            "target_vocab_size - 2 - np.arange(T)",
            "2 + np.arange(T)",
            "changed[place] = source_vocab_size - 1",
            "changed[place] = 1",
            "changed[place] = target_vocab_size - 1",
            "changed[place] = 1",
        ),
        (
            "large ids in the source only",
            "target_vocab_size - 2 - np.arange(T)",
            "2 + np.arange(T)",
            "changed[place] = target_vocab_size - 1",
            "changed[place] = 1",
        ),
        (
            "large ids in the target only",
            "source_vocab_size - 2 - np.arange(S)",
            "2 + np.arange(S)",
            "changed[place] = source_vocab_size - 1",
            "changed[place] = 1",
        ),
    ],
)
mutants(
    PROBE,
    ORDER,
    [
        (
            "never swaps",
            "not (moves(swapped, target) > 1e-4).all()",
            "False",
            "if not moves(source, swapped)[-1] > 1e-4",
            "if False",
        ),
        ("swaps in the source only", "if not moves(source, swapped)[-1] > 1e-4", "if False"),
        ("swaps in the target only", "not (moves(swapped, target) > 1e-4).all()", "False"),
        (
            "swaps a token with itself",
            "source[1], source[0]",
            "source[0], source[1]",
            "not (moves(swapped, target) > 1e-4).all()",
            "not (moves(swapped, target) < 1e-4).all()",
        ),
        (
            "any position that moves after a swap in the target",
            "moves(source, swapped)[-1] > 1e-4",
            "(moves(source, swapped) > 1e-4).any()",
        ),
    ],
)
mutants(
    PROBE,
    SIZES,
    [
        ("S and T are equal", "((5, 4), (3, 6))", "((5, 5),)"),
        ("the source is always longer", "((5, 4), (3, 6))", "((5, 4),)"),
        ("the source is always shorter", "((5, 4), (3, 6))", "((3, 6),)"),
        ("lets errors through", "ask(model, source[None], target[None])", "model(source[None], target[None])"),
        ("no look at the shape", "found.shape == (1, T, target_vocab_size)", "found.ndim == 3"),
        (
            "an error is healthy",
            "        if before is None:\n            return False",
            "        if before is None:\n            return True",
        ),
        ("the sizes of the vocabularies exchanged", "(1, T, target_vocab_size)", "(1, T, source_vocab_size)"),
    ],
)
mutants(
    PROBE,
    HEALTHY,
    [
        ("too strict: nothing moves by rounding", "moved[:place] < 1e-4", "moved[:place] == 0"),
        ("too strict: within 1e-8", "moved[:place] < 1e-4", "moved[:place] < 1e-8"),
        ("a large movement is required", "(moved[place:] > 1e-4).all()", "(moved[place:] > 5).all()"),
        ("no position may move", "(moved[place:] > 1e-4).all()", "(moved < 1e-4).all()"),
        ("later tokens move earlier logits, too", "(moved[place:] > 1e-4).all()", "(moved > 1e-4).all()"),
        (
            "a swap in the target moves all positions, the last one first",
            "moves(source, swapped)[-1] > 1e-4",
            "moves(source, swapped)[-1] > 10",
        ),
        ("ids beyond the vocabulary", "changed[place] = target_vocab_size - 1", "changed[place] = target_vocab_size"),
        (
            "padding among the words",
            "changed[place] = source_vocab_size - 1",
            "changed[place] = 0",
            "source_vocab_size - 2 - np.arange(S)",
            "np.arange(S)",
        ),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "all changes in one batch, and a table of who noticed what",
    """
def probe_model(model, source_vocab_size, target_vocab_size):
    def table(which, sentences):
        ids = [np.tile(sentence, (sentence.size + 2, 1)) for sentence in sentences]
        rows = max(len(item) for item in ids)
        ids = [np.concatenate([item, np.tile(item[-1:], (rows - len(item), 1))]) for item in ids]
        moving, vocabulary = ids[which], (source_vocab_size, target_vocab_size)[which]
        for place in range(sentences[which].size):
            moving[place + 1, place] = vocabulary - 1
        last = sentences[which].size + 1
        moving[last, [0, 1]] = moving[last, [1, 0]]
        logits = np.asarray(model(*ids))
        assert logits.shape == (rows, sentences[1].size, target_vocab_size) and np.isfinite(logits).all()
        return np.abs(logits[1 : last + 1] - logits[:1]).max(axis=-1) > 1e-4

    try:
        for S, T in ((4, 7), (6, 3)):
            sentences = [source_vocab_size - 2 - np.arange(S), target_vocab_size - 2 - np.arange(T)]
            noticed = table(0, sentences)
            wanted = np.triu(np.ones((T, T), dtype=bool))
            if not noticed.all():
                return False
            noticed = table(1, sentences)
            if not (noticed[:-1] == wanted).all() or not noticed[-1, -1]:
                return False
    except Exception:
        return False
    return True
""",
)
accepted(
    "random sentences of large ids, and counted faults",
    """
def probe_model(model, source_vocab_size, target_vocab_size) -> bool:
    rng, faults = np.random.default_rng(1), 0
    for S, T in [(2, 5), (5, 3)]:
        source = rng.permutation(np.arange(source_vocab_size - 6, source_vocab_size))[None, :S]
        target = rng.permutation(np.arange(target_vocab_size - 6, target_vocab_size))[None, :T]
        before = ask(model, ops.convert_to_tensor(source), ops.convert_to_tensor(target))
        if before is None or tuple(np.shape(before)) != (1, T, target_vocab_size):
            return False
        before = np.asarray(before)
        for place in range(S):
            free = [token for token in range(source_vocab_size - 6, source_vocab_size) if token not in source[0]]
            for token in free:
                other = np.array(source)
                other[0, place] = token
                faults += int(not np.all(np.any(abs(np.asarray(model(other, target)) - before) > 1e-4, axis=2)))
        faults += not np.all(np.ptp(np.stack([before, np.asarray(model(source[:, ::-1], target))]), axis=0).max(2) > 1e-4)
        for place in range(T):
            free = [token for token in range(target_vocab_size - 6, target_vocab_size) if token not in target[0]]
            for token in free:
                other = np.array(target)
                other[0, place] = token
                moved = np.any(abs(np.asarray(model(source, other)) - before) > 1e-4, axis=2)[0]
                faults += list(moved) != [later >= place for later in range(T)]
        if T > 2:
            other = np.concatenate([target[:, 1::-1], target[:, 2:]], axis=1)
            faults += not np.max(np.abs(np.asarray(model(source, other))[0, -1] - before[0, -1])) > 1e-4
    return faults == 0
""",
)
accepted(
    "equal tokens at each place instead of a swap in the target",
    """
def probe_model(model, source_vocab_size, target_vocab_size):
    last, other = target_vocab_size - 1, target_vocab_size - 2
    s_last, s_other = source_vocab_size - 1, source_vocab_size - 2

    def run(source, target):
        found = np.array(model(np.array([source]), np.array([target])))
        if found.shape != (1, len(target), target_vocab_size) or not np.isfinite(found).all():
            raise ValueError(found.shape)
        return found[0]

    def far(a, b):
        return np.max(np.abs(a - b), axis=-1) > 1e-4

    try:
        for source, target in (([s_last] * 4, [last] * 6), ([s_last, 7, 5, s_last, 6, s_last], [last] * 3)):
            base = run(source, target)
            if not far(base[1:], base[:-1]).all():
                return False
            for place in range(len(target)):
                expected = np.arange(len(target)) >= place
                if (far(run(source, [*target[:place], other, *target[place + 1 :]]), base) != expected).any():
                    return False
            for place in range(len(source)):
                if not far(run([*source[:place], s_other, *source[place + 1 :]], target), base).all():
                    return False
        return bool(far(run([5, 6, 7], [4, 5]), run([7, 6, 5], [4, 5])).all())
    except Exception:
        return False
""",
)
