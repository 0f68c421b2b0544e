"""Typical wrong answers of the lesson `decoding`; each must fail the criterion that it names.

Most are a right answer with one piece changed, as people do it.
"""

from llmcourse.checking import mutants

# --- exercise 1: beam_search ------------------------------------------------------------------------------------------

BEAM = """
def beam_search(step_fn, beam_size, alpha, max_length):
    prefixes, totals, finished = np.array([[2]]), np.zeros(1), []
    for length in range(1, max_length + 1):
        candidates = totals[:, None] + step_fn(prefixes)
        best = np.argsort(-candidates, axis=None)[:beam_size]
        rows, tokens = np.unravel_index(best, candidates.shape)
        possible = np.isfinite(candidates[rows, tokens])
        rows, tokens = rows[possible], tokens[possible]
        prefixes, totals = np.column_stack([prefixes[rows], tokens]), candidates[rows, tokens]
        closed = (tokens == 3) | (length == max_length)
        for ids, total in zip(prefixes[closed], totals[closed]):
            finished.append((ids[1:].tolist(), float(total / length**alpha)))
        prefixes, totals = prefixes[~closed], totals[~closed]
        if len(prefixes) == 0:
            break
    return sorted(finished, key=lambda pair: pair[1], reverse=True)[:beam_size]
"""
BEST = "        best = np.argsort(-candidates, axis=None)[:beam_size]\n"
PLACES = "        rows, tokens = np.unravel_index(best, candidates.shape)\n"
CLOSED = "closed = (tokens == 3) | (length == max_length)"
STORE = "finished.append((ids[1:].tolist(), float(total / length**alpha)))"
RESULT = "return sorted(finished, key=lambda pair: pair[1], reverse=True)[:beam_size]"
OPEN = "        prefixes, totals = prefixes[~closed], totals[~closed]\n"
IMPORTED = "    return steps.beam_search(step_fn, beam_size, alpha, max_length)\n    prefixes, totals, finished"
mutants("beam_search", BEAM, "*", [("imports the answer", "    prefixes, totals, finished", IMPORTED)])
mutants(
    "beam_search",
    BEAM,
    "the_result_is_a_list_of_ids_and_score",
    [
        ("leaves START in the ids", "ids[1:].tolist()", "ids.tolist()"),
        (
            "returns the ids without scores",
            RESULT,
            f"{RESULT.replace('return', 'found =')}\n    return [i for i, _ in found]",
        ),
        ("returns score and ids the other way round", RESULT, f"return [(s, i) for i, s in {RESULT[7:]}]"),
        ("returns only the best sentence", RESULT, "return max(finished, key=lambda pair: pair[1])"),
        ("the worst first", ", reverse=True)", ")"),
        ("in the order in which they ended", RESULT, "return finished[:beam_size]"),
        ("all that were finished", RESULT, "return sorted(finished, key=lambda pair: pair[1], reverse=True)"),
        ("forgets the return", RESULT, "sorted(finished, key=lambda pair: pair[1], reverse=True)"),
        ("the same sentence several times", RESULT, "return [max(finished, key=lambda pair: pair[1])] * beam_size"),
    ],
)
mutants(
    "beam_search",
    BEAM,
    "a_beam_of_one_is_greedy",
    [
        ("takes the worst candidates", "np.argsort(-candidates", "np.argsort(candidates"),
        ("begins with END", "np.array([[2]])", "np.array([[3]])"),
        ("begins with padding", "np.array([[2]])", "np.array([[0]])"),
        ("begins with a total of 1, as for probabilities", "np.zeros(1)", "np.ones(1)"),
        ("gives step_fn the last token only", "step_fn(prefixes)", "step_fn(prefixes[:, -1:])"),
        (
            "gives step_fn the prefixes without START",
            "step_fn(prefixes)",
            "step_fn(prefixes[:, 1:] if length > 1 else prefixes)",
        ),
        ("takes log-probabilities for probabilities", "+ step_fn(prefixes)", "+ np.log1p(np.exp(step_fn(prefixes)))"),
        ("leaves END out", "ids[1:].tolist()", "[int(token) for token in ids[1:] if token != 3]"),
    ],
)
mutants(
    "beam_search",
    BEAM,
    "the_best_of_all_candidates_go_on",
    [
        ("forgets the total of the prefix", "totals[:, None] + step_fn", "0 * totals[:, None] + step_fn"),
        ("adds totals to the wrong axis by repeating the first", "totals[:, None] +", "totals[0] +"),
        (
            "multiplies the logarithms",
            "totals[:, None] + step_fn(prefixes)",
            "np.where(length == 1, 0, -totals[:, None]) * step_fn(prefixes) "
            "+ (length == 1) * np.maximum(step_fn(prefixes), -99)",
        ),
        (
            "the best one of each prefix: greedy searches side by side",
            BEST,
            "        first = np.argsort(-candidates, axis=None)[:beam_size]\n",
            PLACES,
            "        rows, tokens = np.arange(len(candidates)), candidates.argmax(axis=1)\n"
            "        if length == 1:\n"
            "            rows, tokens = np.unravel_index(first, candidates.shape)\n",
        ),
        (
            "the best ones of each prefix: the beam grows",
            BEST,
            "        best = np.argsort(-candidates, axis=1)[:, :beam_size]\n",
            PLACES,
            "        rows, tokens = np.arange(len(candidates)).repeat(best.shape[1]), best.ravel()\n",
        ),
        (
            "one candidate too few",
            ")[:beam_size]\n        rows, tokens = np.unravel_index",
            ")[: max(1, beam_size - 1)]\n        rows, tokens = np.unravel_index",
        ),
        (
            "counts columns first",
            "np.unravel_index(best, candidates.shape)",
            "np.unravel_index(best, candidates.shape, order='F')",
        ),
        (
            "every token at most once",
            PLACES,
            PLACES + "        once = np.sort(np.unique(tokens, return_index=True)[1])\n"
            "        rows, tokens = rows[once], tokens[once]\n",
        ),
    ],
)
mutants(
    "beam_search",
    BEAM,
    "finished_sentences_are_set_aside",
    [
        ("writes on behind END", CLOSED, "closed = np.full(len(tokens), length == max_length)"),
        ("remembers finished ones and still goes on from them", OPEN, ""),
        ("returns at the first END", OPEN, OPEN + "        if finished:\n            break\n"),
        (
            "throws away what ends before the last step",
            OPEN,
            OPEN + "        if length < max_length and len(prefixes):\n            finished = []\n",
        ),
        ("takes UNK for END", "tokens == 3", "tokens == 1"),
        ("takes START for END", "tokens == 3", "tokens == 2"),
        (
            "the beam gets smaller with each END",
            OPEN,
            OPEN + "        beam_size = max(1, beam_size - int(closed.sum()))\n",
        ),
        (
            "stops when beam_size sentences are finished",
            "if len(prefixes) == 0:",
            "if len(prefixes) == 0 or len(finished) >= beam_size:",
        ),
        (
            "keeps one finished sentence for each length",
            RESULT,
            "finished = list({len(ids): (ids, score) for ids, score in finished}.values())\n    " + RESULT,
        ),
        (
            "stops as if the open ones ended now",
            "if len(prefixes) == 0:",
            "if len(prefixes) == 0 or (\n"
            "            len(finished) >= beam_size\n"
            "            and totals.max() / length**alpha <= sorted(pair[1] for pair in finished)[-beam_size]\n"
            "        ):",
        ),
        (
            "stops when the best open one cannot beat the best finished one",
            "if len(prefixes) == 0:",
            "if len(prefixes) == 0 or (\n"
            "            finished and totals.max() / max_length**alpha <= max(pair[1] for pair in finished)\n"
            "        ):",
        ),
    ],
)
mutants(
    "beam_search",
    BEAM,
    "a_score_is_the_log_probability_over_length_to_the_alpha",
    [
        ("no length penalty", "float(total / length**alpha)", "float(total)"),
        ("always the mean", "length**alpha", "length"),
        ("times alpha instead of to the power of it", "length**alpha", "(length * alpha or 1)"),
        ("multiplies by the penalty", "total / length**alpha", "total * length**alpha"),
        ("START counts too", "length**alpha", "(length + 1) ** alpha"),
        ("END does not count", "length**alpha", "max(1, length - 1) ** alpha"),
        ("Google's formula", "length**alpha", "((5 + length) / 6) ** alpha"),
        ("returns probabilities", "float(total / length**alpha)", "float(np.exp(total / length**alpha))"),
        ("sorts by log-probability", "key=lambda pair: pair[1]", "key=lambda pair: pair[1] * len(pair[0]) ** alpha"),
        ("divides by max_length", "length**alpha", "max_length**alpha"),
        (
            "divides the totals again in each step",
            "candidates[rows, tokens]\n        closed",
            "candidates[rows, tokens] / length**alpha\n        closed",
        ),
    ],
)
mutants(
    "beam_search",
    BEAM,
    "long_sentences_are_no_trouble",
    [
        (
            "multiplies probabilities, and takes the logarithm at the end",
            "np.zeros(1)",
            "np.ones(1)",
            "totals[:, None] + step_fn(prefixes)",
            "totals[:, None] * np.exp(step_fn(prefixes))",
            "np.isfinite(candidates[rows, tokens])",
            "candidates[rows, tokens] > 0",
            "float(total / length**alpha)",
            "float(np.log(total) / length**alpha)",
        ),
        (
            "takes for impossible what a float cannot tell from 0",
            "np.isfinite(candidates[rows, tokens])",
            "np.exp(candidates[rows, tokens]) > 0",
        ),
        (
            "takes the logarithm of a tiny number in place of 0",
            "totals[:, None] + step_fn(prefixes)",
            "np.log(np.exp(totals[:, None] + step_fn(prefixes)) + 1e-300)",
            "np.isfinite(candidates[rows, tokens])",
            "np.isfinite(step_fn(prefixes)[rows, tokens])",
        ),
        ("takes -500 for minus infinity", "np.isfinite(candidates[rows, tokens])", "candidates[rows, tokens] > -500"),
    ],
)
mutants(
    "beam_search",
    BEAM,
    "a_full_beam_equals_brute_force",
    [
        (
            "at most ten prefixes",
            ")[:beam_size]\n        rows, tokens = np.unravel_index",
            ")[: min(10, beam_size)]\n        rows, tokens = np.unravel_index",
        ),
        (
            "at most V prefixes",
            ")[:beam_size]\n        rows, tokens = np.unravel_index",
            ")[: min(beam_size, candidates.shape[1])]\n        rows, tokens = np.unravel_index",
        ),
        ("the empty sentence is forbidden", CLOSED, "tokens[(tokens == 3) & (length == 1)] = 0\n        " + CLOSED),
        ("puts END behind what is cut", "ids[1:].tolist()", "ids[1:].tolist() + [3] * int(ids[-1] != 3)"),
    ],
)
mutants(
    "beam_search",
    BEAM,
    "the_model_is_asked_once_in_each_step",
    [
        (
            "asks about one prefix after the other",
            "step_fn(prefixes)",
            "np.concatenate([step_fn(prefix[None]) for prefix in prefixes])",
        ),
        ("asks twice", "        candidates = totals", "        step_fn(prefixes)\n        candidates = totals"),
        (
            "never stops early",
            "        if len(prefixes) == 0:\n            break\n",
            "        if len(prefixes) == 0:\n"
            "            prefixes, totals = np.array([[2] * (length + 1)]), np.array([-1e9])\n",
        ),
        (
            "fills the beam with copies",
            "step_fn(prefixes)",
            "step_fn(np.concatenate([prefixes] + [prefixes[:1]] * (beam_size - len(prefixes))))[: len(prefixes)]",
        ),
        ("asks once more at the end", RESULT, "step_fn(np.array([[2]]))\n    " + RESULT),
    ],
)
mutants(
    "beam_search",
    BEAM,
    "impossible_tokens_are_never_written",
    [
        ("keeps candidates with -inf", "np.isfinite(candidates[rows, tokens])", "np.ones(len(rows), dtype=bool)"),
        ("replaces -inf by a large number", "+ step_fn(prefixes)", "+ np.maximum(step_fn(prefixes), -1e9)"),
        (
            "gives impossible tokens a small probability",
            "+ step_fn(prefixes)",
            "+ np.log(np.exp(step_fn(prefixes)) + 1e-9)",
        ),
    ],
)
mutants(
    "beam_search",
    BEAM,
    "what_is_open_at_the_end_counts_too",
    [
        ("loses what has no END", CLOSED, "closed = tokens == 3"),
        ("one token too few", "range(1, max_length + 1)", "range(1, max_length)"),
        (
            "one token too many",
            CLOSED,
            "closed = (tokens == 3) | (length == max_length + 1)",
            "range(1, max_length + 1)",
            "range(1, max_length + 2)",
        ),
        (
            "what is open counts only if nothing has ended",
            RESULT,
            "finished = [pair for pair in finished if pair[0][-1] == 3] or finished\n    " + RESULT,
        ),
        ("counts START among the max_length tokens", "length == max_length)", "length == max(1, max_length - 1))"),
    ],
)

# --- exercise 2: KeyValueCache ----------------------------------------------------------------------------------------

CACHE = """
class KeyValueCache:
    def __init__(self):
        self.keys = None
        self.values = None

    def update(self, key, value):
        if self.keys is None:
            self.keys, self.values = np.array(key), np.array(value)
        else:
            self.keys = np.concatenate([self.keys, key], axis=2)
            self.values = np.concatenate([self.values, value], axis=2)
        return self.keys, self.values

    def reorder(self, rows):
        self.keys, self.values = self.keys[rows], self.values[rows]
"""
KEYS = "self.keys = np.concatenate([self.keys, key], axis=2)"
VALUES = "self.values = np.concatenate([self.values, value], axis=2)"
FIRST = "self.keys, self.values = np.array(key), np.array(value)"
BOTH = "return self.keys, self.values"
ORDER = "self.keys, self.values = self.keys[rows], self.values[rows]"
mutants("KeyValueCache", CACHE, "*", [("imports the answer", CACHE, "KeyValueCache = steps.KeyValueCache")])
mutants(
    "KeyValueCache",
    CACHE,
    "the_first_update_returns_what_it_was_given",
    [
        ("returns nothing", BOTH, "pass"),
        ("returns the keys only", BOTH, "return self.keys"),
        ("returns values and keys", BOTH, "return self.values, self.keys"),
        (
            "returns what was there before",
            "        if self.keys",
            "        before = self.keys, self.values\n        if self.keys",
            BOTH,
            "return before",
        ),
        ("drops the axis of the positions", BOTH, "return np.squeeze(self.keys, 2), np.squeeze(self.values, 2)"),
        (
            "the first position twice",
            FIRST,
            "self.keys, self.values = np.repeat(key, 2, axis=2), np.repeat(value, 2, axis=2)",
        ),
    ],
)
mutants(
    "KeyValueCache",
    CACHE,
    "new_positions_stand_behind_the_old_ones",
    [
        (
            "new positions in front",
            "[self.keys, key]",
            "[key, self.keys]",
            "[self.values, value]",
            "[value, self.values]",
        ),
        ("along the heads", KEYS, KEYS.replace("2", "1"), VALUES, VALUES.replace("2", "1")),
        ("along the batch", KEYS, KEYS.replace("2", "0"), VALUES, VALUES.replace("2", "0")),
        ("along the width", KEYS, KEYS.replace("2", "3"), VALUES, VALUES.replace("2", "3")),
        ("forgets what was there", KEYS, "self.keys = key", VALUES, "self.values = value"),
        (
            "remembers the first position only",
            f"            {KEYS}\n            {VALUES}",
            "            return np.concatenate([self.keys, key], axis=2), np.concatenate([self.values, value], axis=2)",
        ),
        ("new values in front", "[self.values, value]", "[value, self.values]"),
        ("returns the new position only", BOTH, "return key, value"),
        ("adds instead of appending", KEYS, "self.keys = self.keys + key", VALUES, "self.values = self.values + value"),
    ],
)
mutants(
    "KeyValueCache",
    CACHE,
    "attention_with_the_cache_equals_full_attention",
    [
        ("remembers the last eight positions", BOTH, "return self.keys[:, :, -8:], self.values[:, :, -8:]"),
        ("keys among the values", VALUES, "self.values = np.concatenate([self.values, key], axis=2)"),
        ("remembers only the values", KEYS, "self.keys = np.concatenate([key] * (self.values.shape[2] + 1), axis=2)"),
        (
            "the last position twice",
            KEYS,
            KEYS.replace("key]", "key, key]"),
            VALUES,
            VALUES.replace("value]", "value, value]"),
        ),
        ("sorts the keys", BOTH, "return np.sort(self.keys, axis=2), self.values"),
    ],
)
mutants(
    "KeyValueCache",
    CACHE,
    "several_positions_may_come_at_once",
    [
        (
            "takes the first of the new positions only",
            "        if self.keys",
            "        key, value = key[:, :, :1], value[:, :, :1]\n        if self.keys",
        ),
        (
            "takes the last of the new positions only",
            "        if self.keys",
            "        key, value = key[:, :, -1:], value[:, :, -1:]\n        if self.keys",
        ),
        (
            "only the beginning may be longer",
            KEYS,
            KEYS.replace("key]", "key[:, :, :1]]"),
            VALUES,
            VALUES.replace("value]", "value[:, :, :1]]"),
        ),
        ("forgets the beginning when more comes", "if self.keys is None:", "if self.keys is None or key.shape[2] > 1:"),
        (
            "room for 64 positions",
            CACHE,
            """
class KeyValueCache:
    def __init__(self):
        self.keys = None

    def update(self, key, value):
        if self.keys is None:
            self.keys, self.values = (np.zeros((*x.shape[:2], 64, x.shape[3])) for x in (key, value))
            self.length = 0
        here = slice(self.length, self.length + key.shape[2])
        self.keys[:, :, here], self.values[:, :, here] = key, value
        self.length = here.stop
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]

    def reorder(self, rows):
        self.keys, self.values = self.keys[rows], self.values[rows]
""",
        ),
    ],
)
mutants(
    "KeyValueCache",
    CACHE,
    "two_caches_share_nothing",
    [
        (
            "lists in the class, shared by all caches",
            CACHE,
            """
class KeyValueCache:
    keys, values = [], []

    def __init__(self):
        pass

    def update(self, key, value):
        self.keys.append(np.array(key))
        self.values.append(np.array(value))
        return np.concatenate(self.keys, axis=2), np.concatenate(self.values, axis=2)

    def reorder(self, rows):
        self.keys[:] = [key[rows] for key in self.keys]
        self.values[:] = [value[rows] for value in self.values]
""",
        ),
        (
            "lists as default arguments, shared by all caches",
            CACHE,
            """
class KeyValueCache:
    def __init__(self, keys=[], values=[]):
        self.keys, self.values = keys, values

    def update(self, key, value):
        self.keys.append(np.array(key))
        self.values.append(np.array(value))
        return np.concatenate(self.keys, axis=2), np.concatenate(self.values, axis=2)

    def reorder(self, rows):
        self.keys[:] = [key[rows] for key in self.keys]
        self.values[:] = [value[rows] for value in self.values]
""",
        ),
        (
            "writes into the class",
            KEYS,
            KEYS.replace("self.keys =", "KeyValueCache.keys ="),
            FIRST,
            "KeyValueCache.keys, KeyValueCache.values = np.array(key), np.array(value)",
            VALUES,
            VALUES.replace("self.values =", "KeyValueCache.values ="),
            "        self.keys = None\n        self.values = None\n",
            "        KeyValueCache.keys = KeyValueCache.values = None\n",
        ),
    ],
)
mutants(
    "KeyValueCache",
    CACHE,
    "what_is_remembered_stays",
    [
        ("keeps the caller's own arrays", FIRST, "self.keys, self.values = key, value"),
        ("keeps the caller's own keys", FIRST, "self.keys, self.values = key, np.array(value)"),
        ("keeps views", FIRST, "self.keys, self.values = key[:], value[:]"),
        (
            "a list of the caller's arrays",
            CACHE,
            """
class KeyValueCache:
    def __init__(self):
        self.keys, self.values = [], []

    def update(self, key, value):
        self.keys.append(key)
        self.values.append(value)
        return np.concatenate(self.keys, axis=2), np.concatenate(self.values, axis=2)

    def reorder(self, rows):
        self.keys = [key[rows] for key in self.keys]
        self.values = [value[rows] for value in self.values]
""",
        ),
    ],
)
mutants(
    "KeyValueCache",
    CACHE,
    "reorder_lets_rows_go_on_from_others",
    [
        ("does nothing", ORDER, "pass"),
        ("reorders the keys only", ORDER, "self.keys = self.keys[rows]"),
        ("reorders the values only", ORDER, "self.values = self.values[rows]"),
        ("reorders the heads", ORDER, "self.keys, self.values = self.keys[:, rows], self.values[:, rows]"),
        ("the inverse order", ORDER, "rows = np.argsort(rows, kind='stable')\n        " + ORDER),
        ("returns the rows instead of keeping them", ORDER, "return self.keys[rows], self.values[rows]"),
        ("each row once, sorted", ORDER, "rows = sorted(set(rows))\n        " + ORDER),
        (
            "writes into the rows one by one",
            ORDER,
            "for b, row in enumerate(rows):\n"
            "            self.keys[b], self.values[b] = self.keys[row], self.values[row]",
        ),
        ("begins anew", ORDER, "self.keys = self.values = None"),
        (
            "takes the first rows in their order for all rows",
            ORDER,
            "if list(rows) == list(range(len(rows))):\n            return\n        " + ORDER,
        ),
        (
            "writes fewer rows over the first ones and keeps the others",
            ORDER,
            "n = len(rows)\n"
            "        if n <= len(self.keys):\n"
            "            self.keys[:n], self.values[:n] = self.keys[rows], self.values[rows]\n"
            "        else:\n"
            f"            {ORDER}",
        ),
        (
            "fills up with the last rows where there are fewer",
            ORDER,
            "rows = list(rows) + list(range(len(rows), len(self.keys)))\n        " + ORDER,
        ),
        (
            "the second reorder starts from the first order",
            CACHE,
            """
class KeyValueCache:
    def __init__(self):
        self.keys, self.values, self.before = [], [], None

    def update(self, key, value):
        self.keys.append(np.array(key))
        self.values.append(np.array(value))
        return np.concatenate(self.keys, axis=2), np.concatenate(self.values, axis=2)

    def reorder(self, rows):
        if self.before is None:
            self.before = list(self.keys), list(self.values)
        count = len(self.before[0])
        self.keys[:count] = [key[rows] for key in self.before[0]]
        self.values[:count] = [value[rows] for value in self.before[1]]
""",
        ),
        (
            "reorders at the next update, and knows the last order only",
            CACHE,
            """
class KeyValueCache:
    def __init__(self):
        self.keys = self.values = self.rows = None

    def update(self, key, value):
        if self.keys is None:
            self.keys, self.values = np.array(key), np.array(value)
        else:
            rows = slice(None) if self.rows is None else self.rows
            self.keys = np.concatenate([self.keys[rows], key], axis=2)
            self.values = np.concatenate([self.values[rows], value], axis=2)
            self.rows = None
        return self.keys, self.values

    def reorder(self, rows):
        self.rows = rows
""",
        ),
        (
            "reorders once only",
            ORDER,
            f"if not getattr(self, 'done', False):\n            {ORDER}\n        self.done = True",
        ),
    ],
)

# --- exercise 3: sample -----------------------------------------------------------------------------------------------

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
mutants(
    "sample", SAMPLE, "*", [("imports the answer", COLD, "    return steps.sample(logits, temperature, top_k, seed)\n")]
)
mutants(
    "sample",
    SAMPLE,
    "there_is_one_token_for_each_row",
    [
        ("one token for the whole batch", DRAW, "return rng.choice(logits.shape[1], p=probabilities[0])"),
        ("a list in a list", DRAW, "return np.array([[rng.choice(len(row), p=row)] for row in probabilities])"),
        ("the probabilities instead of a token", DRAW, "return probabilities"),
        ("floats", DRAW, "return np.array([float(rng.choice(len(row), p=row)) for row in probabilities])"),
        ("one-hot rows", DRAW, "return np.array([rng.multinomial(1, row) for row in probabilities])"),
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
    "sample",
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
        ("one token too far", "(len(row), p=row)", "(np.roll(np.arange(len(row)), 1), p=row)"),
    ],
)
mutants(
    "sample",
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
    "sample",
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
    "sample",
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
    "sample",
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
    "sample",
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
    "sample",
    SAMPLE,
    "the_seed_decides",
    [
        ("forgets the seed", "default_rng(seed)", "default_rng()"),
        ("always the same seed", "default_rng(seed)", "default_rng(0)"),
        ("the global generator", "rng.choice(", "np.random.choice("),
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
    "sample",
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

# --- exercise 4: ngram_precisions -------------------------------------------------------------------------------------

NGRAMS = """
def ngram_precisions(hypotheses, references, max_n):
    from collections import Counter

    def ngrams(sentence, n):
        tokens = sentence.split()
        return Counter(tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1))

    precisions = []
    for n in range(1, max_n + 1):
        matches = total = 0
        for hypothesis, reference in zip(hypotheses, references):
            found, wanted = ngrams(hypothesis, n), ngrams(reference, n)
            matches += (found & wanted).total()
            total += found.total()
        precisions.append(matches / total if total else 0.0)
    return precisions
"""
SHARE = "precisions.append(matches / total if total else 0.0)"
MATCH = "matches += (found & wanted).total()"
TOTAL = "            total += found.total()\n"
PAIR = "found, wanted = ngrams(hypothesis, n), ngrams(reference, n)"
mutants(
    "ngram_precisions",
    NGRAMS,
    "*",
    [
        (
            "imports the answer",
            "    from collections",
            "    return steps.ngram_precisions(hypotheses, references, max_n)\n    from collections",
        ),
        (
            "lets sacrebleu do it",
            "    from collections",
            "    import sacrebleu\n\n"
            "    metric = sacrebleu.BLEU(tokenize='none', smooth_method='none', max_ngram_order=max_n)\n"
            "    return [p / 100 for p in metric.corpus_score(hypotheses, [references]).precisions]\n"
            "    from collections",
        ),
    ],
)
mutants(
    "ngram_precisions",
    NGRAMS,
    "there_is_one_share_for_each_n",
    [
        ("one n too few", "range(1, max_n + 1)", "range(1, max_n)"),
        ("begins with n = 0", "range(1, max_n + 1)", "range(max_n + 1)"),
        ("always four", "range(1, max_n + 1)", "range(1, 5)"),
        ("percent", SHARE, "precisions.append(100 * matches / total if total else 0.0)"),
        ("the last one only", "return precisions", "return precisions[-1]"),
        ("the counts instead of the shares", SHARE, "precisions.append((matches, total))"),
        ("a dict", "return precisions", "return {str(n): p for n, p in enumerate(precisions, 1)}"),
        ("returns after the first n", "    return precisions", "        return precisions"),
    ],
)
mutants(
    "ngram_precisions",
    NGRAMS,
    "p_1_is_the_share_of_right_words",
    [
        ("recall: divides by the reference", TOTAL, "            total += wanted.total()\n"),
        ("divides by the longer one", TOTAL, "            total += max(found.total(), wanted.total())\n"),
        ("F1: the mean of precision and recall", TOTAL, "            total += (found.total() + wanted.total()) / 2\n"),
        ("divides by the words of both", TOTAL, "            total += (found | wanted).total()\n"),
        ("counts characters", "tokens = sentence.split()", "tokens = sentence"),
        (
            "words at the same place only",
            MATCH,
            "matches += sum(a == b for a, b in zip(hypothesis.split(), reference.split()))",
        ),
        ("the share of wrong words", MATCH, "matches += (found - wanted).total()"),
        ("adds one to everything", SHARE, "precisions.append((matches + 1) / (total + 1))"),
        ("small letters only", "sentence.split()", "sentence.lower().split()"),
        ("cuts off punctuation", "sentence.split()", "[word.rstrip('.,!?') for word in sentence.split()]"),
    ],
)
mutants(
    "ngram_precisions",
    NGRAMS,
    "runs_of_n_tokens_are_compared",
    [
        ("the last n-gram is missing", "range(len(tokens) - n + 1)", "range(len(tokens) - n)"),
        ("pieces that do not overlap", "range(len(tokens) - n + 1)", "range(0, len(tokens) - n + 1, n)"),
        ("n-grams without order", "tuple(tokens[start : start + n])", "tuple(sorted(tokens[start : start + n]))"),
        ("single tokens for every n", "tokens[start : start + n]", "tokens[start : start + 1]"),
        ("runs of two at most", "tokens[start : start + n]", "tokens[start : start + min(n, 2)]"),
        ("shorter runs at the end", "range(len(tokens) - n + 1)", "range(len(tokens))"),
        ("every n-th token", "tokens[start : start + n]", "tokens[start : start + 2 * n : 2]"),
        ("divides by the number of tokens", TOTAL, "            total += len(hypothesis.split())\n"),
        (
            "all runs up to n together",
            "for start in range(len(tokens) - n + 1))",
            "for start in range(len(tokens) - n + 1)) + (ngrams(sentence, n - 1) if n > 1 else Counter())",
        ),
        ("glues the tokens together", "tuple(tokens[start : start + n])", "''.join(tokens[start : start + n])"),
    ],
)
mutants(
    "ngram_precisions",
    NGRAMS,
    "repeated_ngrams_are_clipped",
    [
        ("no clipping", MATCH, "matches += sum(count for gram, count in found.items() if gram in wanted)"),
        ("sets instead of counts", MATCH, "matches += len(found & wanted)", TOTAL, "            total += len(found)\n"),
        ("different n-grams over all n-grams", MATCH, "matches += len(found & wanted)"),
        ("all n-grams over different ones", TOTAL, "            total += len(found)\n"),
        ("the count in the reference", MATCH, "matches += sum(wanted[gram] for gram in found)"),
        ("the larger count", MATCH, "matches += sum(max(found[gram], wanted[gram]) for gram in found & wanted)"),
        ("each n-gram once at most", MATCH, "matches += sum(1 for gram in found if gram in wanted)"),
        (
            "clips the total too",
            TOTAL,
            "            total += sum(min(count, max(1, wanted[gram])) for gram, count in found.items())\n",
        ),
    ],
)
mutants(
    "ngram_precisions",
    NGRAMS,
    "counts_are_added_up_over_the_corpus",
    [
        (
            "the mean over the sentences",
            "        matches = total = 0\n",
            "        matches, total = 0, len(hypotheses)\n",
            MATCH,
            "matches += (found & wanted).total() / max(1, found.total())",
            TOTAL,
            "",
        ),
        (
            "the last sentence only",
            "        for hypothesis,",
            "        for hypothesis, reference in zip(hypotheses[-1:], references[-1:]):\n"
            "            pass\n        for hypothesis,",
            "zip(hypotheses, references)",
            "[(hypothesis, reference)]",
        ),
        ("the first sentence only", "zip(hypotheses, references)", "[(hypotheses[0], references[0])]"),
        (
            "the best sentence",
            MATCH,
            "best = matches / total if total else 0\n"
            "            now = (found & wanted).total() / max(1, found.total())",
            TOTAL,
            "            if now >= best:\n                matches, total = (found & wanted).total(), found.total()\n",
        ),
        (
            "forgets to begin at 0 for each n",
            "        matches = total = 0\n",
            "",
            "    precisions = []",
            "    precisions, matches, total = [], 0, 0",
        ),
        ("skips perfect sentences", MATCH, "matches += (found & wanted).total() if hypothesis != reference else 0"),
    ],
)
mutants(
    "ngram_precisions",
    NGRAMS,
    "each_hypothesis_has_its_own_reference",
    [
        (
            "one pot for all references",
            PAIR,
            "found, wanted = ngrams(hypothesis, n), sum((ngrams(one, n) for one in references), Counter())",
        ),
        ("all references as one text", PAIR, "found, wanted = ngrams(hypothesis, n), ngrams(' '.join(references), n)"),
        ("both sides as one text", "zip(hypotheses, references)", "[(' '.join(hypotheses), ' '.join(references))]"),
        ("the best of all references", MATCH, "matches += max((found & ngrams(one, n)).total() for one in references)"),
        ("the first reference for all", PAIR, "found, wanted = ngrams(hypothesis, n), ngrams(references[0], n)"),
        ("sorts both lists", "zip(hypotheses, references)", "zip(sorted(hypotheses), sorted(references))"),
    ],
)
mutants(
    "ngram_precisions",
    NGRAMS,
    "short_and_empty_sentences_are_welcome",
    [
        ("divides by zero", SHARE, "precisions.append(matches / total)"),
        ("1 where there is nothing", "else 0.0", "else 1.0"),
        ("NaN where there is nothing", "else 0.0", "else float('nan')"),
        ("leaves n out where there is nothing", SHARE, "if total:\n            precisions.append(matches / total)"),
        ("counts at least one n-gram for each sentence", TOTAL, "            total += max(1, found.total())\n"),
        (
            "skips sentences with fewer than max_n tokens",
            PAIR,
            f"if len(hypothesis.split()) < max_n:\n                continue\n            {PAIR}",
        ),
        (
            "skips sentences with a short reference",
            PAIR,
            f"{PAIR}\n            if not wanted:\n                continue",
        ),
        (
            "skips sentences with an empty reference",
            PAIR,
            f"if not hypothesis or not reference:\n                continue\n            {PAIR}",
        ),
    ],
)
mutants(
    "ngram_precisions",
    NGRAMS,
    "any_white_space_separates_tokens",
    [
        ("splits at single spaces", "sentence.split()", "sentence.split(' ')"),
        ("strips, then splits at single spaces", "sentence.split()", "sentence.strip().split(' ')"),
        ("splits at spaces only", "sentence.split()", "[word for word in sentence.split(' ') if word]"),
        (
            "cleans the lists in place",
            "    from collections",
            "    hypotheses[:] = [' '.join(one.split()) for one in hypotheses]\n    from collections",
        ),
    ],
)

# --- exercise 5: corpus_bleu ------------------------------------------------------------------------------------------

BLEU = """
def corpus_bleu(hypotheses, references):
    if len(hypotheses) != len(references):
        raise ValueError("not as many references as hypotheses")
    precisions = np.array(steps.ngram_precisions(hypotheses, references, 4))
    if precisions.min() == 0:
        return 0.0
    written = sum(len(hypothesis.split()) for hypothesis in hypotheses)
    wanted = sum(len(reference.split()) for reference in references)
    brevity = 1.0 if written >= wanted else np.exp(1 - wanted / written)
    return float(100 * brevity * np.exp(np.log(precisions).mean()))
"""
SCORE = "float(100 * brevity * np.exp(np.log(precisions).mean()))"
BREVITY = "brevity = 1.0 if written >= wanted else np.exp(1 - wanted / written)"
ZERO = "    if precisions.min() == 0:\n        return 0.0\n"
PRECISIONS = "precisions = np.array(steps.ngram_precisions(hypotheses, references, 4))"
LENGTHS = (
    '    if len(hypotheses) != len(references):\n        raise ValueError("not as many references as hypotheses")\n'
)
mutants(
    "corpus_bleu",
    BLEU,
    "*",
    [
        ("imports the answer", LENGTHS, "    return steps.corpus_bleu(hypotheses, references)\n"),
        (
            "lets sacrebleu do it",
            LENGTHS,
            LENGTHS + "    import sacrebleu\n\n    metric = sacrebleu.BLEU(tokenize='none', smooth_method='none')\n"
            "    return metric.corpus_score(hypotheses, [references]).score\n",
        ),
    ],
)
mutants(
    "corpus_bleu",
    BLEU,
    "equal_sentences_score_100",
    [
        ("from 0 to 1", "100 * brevity", "brevity"),
        (
            "forgets the root of the sum of the logarithms: no exponential",
            "np.exp(np.log(precisions).mean())",
            "np.log(precisions).mean()",
        ),
        (
            "a penalty without the 1",
            "np.exp(1 - wanted / written)",
            "np.exp(-wanted / written)",
            "written >= wanted",
            "written > wanted",
        ),
        (
            "the share of equal sentences",
            f"return {SCORE}",
            "return float(np.mean([a == b for a, b in zip(hypotheses, references)]))",
        ),
        ("a tuple of score and penalty", SCORE, f"{SCORE}, brevity"),
        ("adds the four precisions", "np.exp(np.log(precisions).mean())", "precisions.sum()"),
        ("a percentage of a percentage", "100 * brevity", "100 * 100 * brevity"),
    ],
)
mutants(
    "corpus_bleu",
    BLEU,
    "the_four_precisions_are_joined_by_their_geometric_mean",
    [
        ("the arithmetic mean", "np.exp(np.log(precisions).mean())", "precisions.mean()"),
        ("the product without the root", "np.exp(np.log(precisions).mean())", "precisions.prod()"),
        ("the harmonic mean", "np.exp(np.log(precisions).mean())", "(4 / (1 / precisions).sum())"),
        ("logarithms to the base of 2", "np.log(precisions)", "np.log2(precisions)"),
        ("only 1-grams and 2-grams", "references, 4))", "references, 2))"),
        ("up to 5-grams", "references, 4))", "references, 5))"),
        ("only 4-grams", "np.log(precisions).mean()", "np.log(precisions[-1])"),
        ("the square root", "np.log(precisions).mean()", "np.log(precisions).sum() / 2"),
        ("the smallest of the four", "np.exp(np.log(precisions).mean())", "precisions.min()"),
        (
            "adds one to the counts of longer n-grams",
            PRECISIONS,
            PRECISIONS + "\n    precisions[1:] = (precisions[1:] * 50 + 1) / 51",
        ),
    ],
)
mutants(
    "corpus_bleu",
    BLEU,
    "who_writes_too_little_pays",
    [
        ("no brevity penalty", BREVITY, "brevity = 1.0"),
        ("the fraction the other way round", "1 - wanted / written", "1 - written / wanted"),
        ("the plain quotient of the lengths", "np.exp(1 - wanted / written)", "written / wanted"),
        ("punishes the long ones instead", "written >= wanted", "written <= wanted"),
        ("counts characters", "len(hypothesis.split())", "len(hypothesis)", "len(reference.split())", "len(reference)"),
        ("counts sentences", "len(hypothesis.split())", "1", "len(reference.split())", "1"),
        ("takes the root of the penalty too", "100 * brevity", "100 * brevity**0.25"),
        ("the penalty squared", "100 * brevity", "100 * brevity**2"),
        (
            "counts different words",
            "len(hypothesis.split())",
            "len(set(hypothesis.split()))",
            "len(reference.split())",
            "len(set(reference.split()))",
        ),
    ],
)
mutants(
    "corpus_bleu",
    BLEU,
    "who_writes_too_much_gets_no_reward",
    [
        ("a reward for long ones", BREVITY, "brevity = np.exp(1 - wanted / written)"),
        ("punishes long ones as well", BREVITY, "brevity = np.exp(-abs(1 - wanted / written))"),
        ("a quotient as penalty for long ones", "1.0 if", "wanted / written if"),
    ],
)
mutants(
    "corpus_bleu",
    BLEU,
    "the_corpus_counts_as_one",
    [
        (
            "the mean of the sentences",
            LENGTHS,
            LENGTHS + "    if len(hypotheses) > 1:\n"
            "        return float(np.mean([corpus_bleu([a], [b]) for a, b in zip(hypotheses, references)]))\n",
        ),
        (
            "the penalty of each sentence, averaged",
            BREVITY,
            "brevity = np.mean([min(1.0, np.exp(1 - len(b.split()) / "
            "len(a.split()))) for a, b in zip(hypotheses, references)])",
        ),
        (
            "missing words of each sentence add up",
            "wanted = sum(len(reference.split()) for reference in references)",
            "wanted = sum(max(len(a.split()), len(b.split())) for a, b in zip(hypotheses, references))",
        ),
        (
            "precisions of each sentence, averaged",
            PRECISIONS,
            "precisions = np.mean([steps.ngram_precisions([a], [b], 4) "
            "for a, b in zip(hypotheses, references)], axis=0)",
        ),
        (
            "the lengths of the last sentence",
            BREVITY,
            "written, wanted = len(hypotheses[-1].split()), len(references[-1].split())\n    " + BREVITY,
        ),
        (
            "the lengths of the first sentence",
            BREVITY,
            "written, wanted = len(hypotheses[0].split()), len(references[0].split())\n    " + BREVITY,
        ),
        (
            "all sentences as one text",
            PRECISIONS,
            PRECISIONS.replace("hypotheses, references", "[' '.join(hypotheses)], [' '.join(references)]"),
        ),
        (
            "leaves out the references of empty hypotheses",
            "for reference in references)",
            "for one, reference in zip(hypotheses, references) if one.strip())",
        ),
        (
            "leaves out the hypotheses with empty references",
            PRECISIONS,
            "hypotheses = [one for one, other in zip(hypotheses, references) if other]\n"
            "    references = [other for other in references if other]\n    " + PRECISIONS,
        ),
    ],
)
mutants(
    "corpus_bleu",
    BLEU,
    "tokens_are_taken_as_they_are",
    [
        ("splits hypotheses at single spaces", "hypothesis.split()", "hypothesis.split(' ')"),
        ("splits references at single spaces", "reference.split()", "reference.split(' ')"),
        (
            "counts spaces",
            "len(hypothesis.split())",
            "hypothesis.count(' ') + 1",
            "len(reference.split())",
            "reference.count(' ') + 1",
        ),
        (
            "small letters only",
            PRECISIONS,
            "hypotheses, references = [one.lower() for one in hypotheses], [one.lower() for one in references]\n    "
            + PRECISIONS,
        ),
        (
            "cuts off punctuation",
            PRECISIONS,
            "import re\n"
            "    hypotheses, references = ([re.sub('[^ \\t\\\\w]', '', one) for one in group] "
            "for group in (hypotheses, references))\n    " + PRECISIONS,
        ),
    ],
)
mutants(
    "corpus_bleu",
    BLEU,
    "without_a_right_4_gram_it_is_zero",
    [
        ("takes the logarithm of 0", ZERO, ""),
        ("a small number in place of 0", ZERO, "    precisions = np.maximum(precisions, 0.001)\n"),
        (
            "leaves the zeros out of the mean",
            ZERO,
            "    precisions = precisions[precisions > 0]\n    if len(precisions) == 0:\n        return 0.0\n",
        ),
        (
            "zero only if no word is right",
            "precisions.min() == 0",
            "precisions.max() == 0",
            "np.log(precisions)",
            "np.log(np.maximum(precisions, 1e-3))",
        ),
        (
            "fewer n-grams for short sentences",
            PRECISIONS,
            "longest = min(4, max(1, max(len(one.split()) for one in hypotheses)))\n    "
            + PRECISIONS.replace("4", "longest"),
        ),
        ("None instead of 0", "return 0.0", "return None"),
    ],
)
mutants(
    "corpus_bleu",
    BLEU,
    "a_lost_line_is_an_error",
    [
        (
            "stops silently at the shorter list",
            LENGTHS,
            "    shorter = min(len(hypotheses), len(references))\n"
            "    hypotheses, references = hypotheses[:shorter], references[:shorter]\n",
        ),
        ("0 instead of an error", 'raise ValueError("not as many references as hypotheses")', "return 0.0"),
        ("an assertion", LENGTHS, "    assert len(hypotheses) == len(references)\n"),
        (
            "notices missing references only",
            "!= len(references)",
            "> len(references)",
            PRECISIONS,
            PRECISIONS.replace("references,", "references[: len(hypotheses)],"),
        ),
    ],
)
