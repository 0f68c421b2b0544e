"""What right answers of the lesson `decoding` must do. The oracles are plain Python and NumPy, written here."""

import math
from itertools import pairwise, product

import numpy as np

from llmcourse.checking import criterion, expect, expect_close, expect_equal, expect_raises, expect_unchanged

START, END = 2, 3

# --- what several exercises share -------------------------------------------------------------------------------------


def distinct_sizes(rng, count, low=2, high=9):
    """Draw sizes that all differ, so that a swapped axis cannot go unnoticed."""
    return [int(size) for size in rng.choice(np.arange(low, high), size=count, replace=False)]


def is_sequence(value):
    return isinstance(value, tuple | list)


# --- exercise 1: beam_search ------------------------------------------------------------------------------------------


class LanguageModel:
    """A model whose next token depends on the whole prefix; it notes what it is asked.

    Args:
        rng: decides what the model says.
        vocabulary: V; PAD, UNK and START are impossible.
        end: the probability of END at each step; 0 makes it impossible.
        scale: how sure the model is of its words.
        certain: after so many tokens only END is possible; None: never.
        sure: after so many tokens one word is nearly certain; None: never.
    """

    def __init__(self, rng, vocabulary, end, scale=1.0, certain=None, sure=None):
        self.secret, self.vocabulary, self.end, self.scale = int(rng.integers(2**31)), vocabulary, end, scale
        self.certain, self.sure, self.calls = certain, sure, []

    def log_probs(self, prefix):
        """Compute the log-probabilities (V,) after one prefix."""
        noise = np.random.default_rng([self.secret, *(int(token) for token in prefix)])
        odds = np.exp(noise.normal(scale=self.scale, size=self.vocabulary - 4))
        chances = np.zeros(self.vocabulary)
        end = 1.0 if len(prefix) - 1 == self.certain else self.end * noise.uniform(0.6, 1.4)
        if self.sure is not None and len(prefix) > self.sure:
            odds[odds.argmax()] *= 1e4
            end /= 1e3
        chances[4:], chances[END] = (1 - end) * odds / odds.sum(), end
        with np.errstate(divide="ignore"):
            return np.log(chances)

    def __call__(self, prefixes):
        """Answer as `step_fn`: prefixes (P, L) to log-probabilities (P, V)."""
        asked = np.asarray(prefixes)
        if asked.ndim != 2 or asked.dtype.kind not in "iu" or asked.size == 0:
            raise ValueError(
                f"step_fn takes integers of shape (P, L), P and L at least 1. Received: {asked.dtype}, {asked.shape}"
            )
        self.calls.append(asked.copy())
        return np.stack([self.log_probs(row) for row in asked])


def search(model, beam_size, alpha, max_length):
    """Search with a beam, in plain lists: (ids, score), best first."""
    beam, finished = [([], 0.0)], []
    for length in range(1, max_length + 1):
        candidates = [
            ([*ids, token], total + value)
            for ids, total in beam
            for token, value in enumerate(model.log_probs([START, *ids]))
            if value > -math.inf
        ]
        best, beam = sorted(candidates, key=lambda pair: -pair[1])[:beam_size], []
        for ids, total in best:
            if ids[-1] == END or length == max_length:
                finished.append((ids, total / length**alpha))
            else:
                beam.append((ids, total))
    return sorted(finished, key=lambda pair: -pair[1])[:beam_size]


def total_of(model, ids):
    """Add up the log-probabilities of a sentence."""
    return sum(float(model.log_probs([START, *ids[:place]])[token]) for place, token in enumerate(ids))


def every_sentence(model, alpha, max_length):
    """List all possible sentences with their scores, best first."""
    words = range(4, model.vocabulary)
    found = [[*ids, END] for length in range(max_length) for ids in product(words, repeat=length)]
    found += [list(ids) for ids in product(words, repeat=max_length)]
    scored = [(ids, total_of(model, ids) / len(ids) ** alpha) for ids in found]
    return sorted(scored, key=lambda pair: -pair[1])


def call_search(student, model, beam_size, alpha, max_length):
    """Search with the learner's function and bring the result into the form of the oracle."""
    received = student.beam_search(model, beam_size, alpha, max_length)
    expect(is_sequence(received), required="a list of pairs (ids, score)", received=received)
    result = []
    for pair in received:
        expect(is_sequence(pair) and len(pair) == 2, required="each entry is a pair (ids, score)", received=pair)
        ids, score = np.asarray(pair[0]), np.asarray(pair[1])
        fits = ids.ndim == 1 and ids.dtype.kind in "iu" and len(ids) > 0
        expect(fits, required="ids is a list of integers, at least one", received=pair[0])
        expect(score.shape == () and score.dtype.kind == "f", required="score is one number", received=pair[1])
        result.append((ids.tolist(), float(score)))
    expect(result, required="at least one pair (ids, score)", received="an empty list")
    return result


def expect_sentences(received, expected, what):
    """Require the same sentences in the same order, with the same scores."""
    words = [ids for ids, _ in received]
    expect_equal(words, [ids for ids, _ in expected], what=f"the ids of {what}")
    scores = np.array([score for _, score in received])
    expect_close(scores, [score for _, score in expected], what=f"the scores of {what}")


@criterion(
    "beam_search",
    hints=[
        "What exactly should the function return? Does START belong to it?",
        "A list of pairs, the best score first. Each pair is the list of ids after START, and its score.",
        "`sorted(finished, key=lambda pair: pair[1], reverse=True)[:beam_size]`",
    ],
)
def the_result_is_a_list_of_ids_and_score(student, rng):
    """The result holds at most beam_size pairs (ids, score), the best score first, all different, without START."""
    for _ in range(4):
        beam_size, max_length, vocabulary = distinct_sizes(rng, 3, low=4, high=9)
        model = LanguageModel(rng, vocabulary + 4, end=0.3)
        found = call_search(student, model, beam_size, 1.0, max_length)
        expect(len(found) <= beam_size, required=f"at most {beam_size} sentences", received=f"{len(found)}")
        scores = [score for _, score in found]
        expect(scores == sorted(scores, reverse=True), required="the best score first", received=scores)
        expect(all(START not in ids for ids, _ in found), required="ids without START", received=found[0][0])
        count = len({tuple(ids) for ids, _ in found})
        expect(count == len(found), required="sentences that all differ", received=f"{count} of {len(found)} differ")


@criterion(
    "beam_search",
    hints=[
        "With a beam of 1: which candidate is kept in each step?",
        "Only the best one. When it ends with END, nothing is open any more and the search is over.",
        "Begin with the prefix [[START]] and the total 0; a candidate's total is the prefix's total + log-probability.",
    ],
)
def a_beam_of_one_is_greedy(student, rng):
    """With beam_size 1 the result is the one sentence that greedy decoding writes, with its log-probability."""
    for _ in range(5):
        model, max_length = LanguageModel(rng, int(rng.integers(7, 12)), end=0.25), int(rng.integers(5, 9))
        ids: list[int] = []
        while len(ids) < max_length and END not in ids:
            ids.append(int(model.log_probs([START, *ids]).argmax()))
        expect_sentences(call_search(student, model, 1, 0, max_length), [(ids, total_of(model, ids))], "a beam of 1")


@criterion(
    "beam_search",
    points=2,
    hints=[
        "Two prefixes, and the three best candidates all go on from the first one. Which are kept with a beam of 3?",
        "All three. Compare all P * V candidates with each other, not those of each prefix among themselves.",
        "`best = np.argsort(-candidates, axis=None)[:beam_size]` ranks the whole table at once.",
    ],
)
def the_best_of_all_candidates_go_on(student, rng):
    """In each step the beam_size best of all candidates are kept, whichever prefix they go on from."""
    for _ in range(4):
        beam_size, max_length = int(rng.integers(2, 6)), int(rng.integers(4, 7))
        model = LanguageModel(rng, int(rng.integers(9, 13)), end=0.0)
        expected = search(model, beam_size, 0.0, max_length)
        found = call_search(student, model, beam_size, 0, max_length)
        expect_sentences(found, expected, f"a beam of {beam_size} where nothing ends early")


@criterion(
    "beam_search",
    points=2,
    hints=[
        "What becomes of a candidate whose last token is END?",
        "It is finished: remember it with its score and take it out of the beam. Sentences from all steps compete.",
        "`closed = tokens == 3`: these go to the list of finished ones, `prefixes[~closed]` stay open.",
    ],
)
def finished_sentences_are_set_aside(student, rng):
    """A sentence that reaches END is remembered, is never continued, and competes with those that end later."""
    for alpha in (0, 1, 0, 1, 0, 1):
        beam_size, max_length = int(rng.integers(2, 6)), int(rng.integers(5, 9))
        model = LanguageModel(rng, int(rng.integers(7, 11)), end=0.3)
        found = call_search(student, model, beam_size, alpha, max_length)
        behind = any((prefixes == END).any() for prefixes in model.calls)
        expect(not behind, required="no prefix with END in it is ever given to step_fn", received="one was")
        expect_sentences(found, search(model, beam_size, alpha, max_length), f"a beam of {beam_size}, alpha {alpha}")
    for _ in range(2):  # the mean log-probability of an open sentence may still rise
        model, max_length = LanguageModel(rng, 9, end=0.3, scale=0.2, sure=2), int(rng.integers(11, 15))
        found, expected = call_search(student, model, 2, 1, max_length), search(model, 2, 1, max_length)
        expect_sentences(found, expected, "a beam of 2, alpha 1, where words get nearly certain after the first two")


@criterion(
    "beam_search",
    points=2,
    hints=[
        "A sentence of 4 tokens has the log-probability -2. What is its score for alpha = 0, and for alpha = 1?",
        "-2 and -0.5. Divide by length**alpha; the length counts the tokens after START, END included.",
        "`total / length**alpha`, where length is the number of the step, counted from 1.",
    ],
)
def a_score_is_the_log_probability_over_length_to_the_alpha(student, rng):
    """The score is the sum of the log-probabilities divided by length**alpha, and decides who is best."""
    for alpha in (0.5, 1.0, round(float(rng.uniform(1.2, 2)), 2)):
        beam_size, max_length = int(rng.integers(3, 6)), int(rng.integers(6, 9))
        model = LanguageModel(rng, 8, end=0.3, scale=2.0)
        found = call_search(student, model, beam_size, alpha, max_length)
        for ids, score in found:
            expect_close(score, total_of(model, ids) / len(ids) ** alpha, what=f"the score of {ids} for alpha {alpha}")
        expect_sentences(found, search(model, beam_size, alpha, max_length), f"the search with alpha {alpha}")


@criterion(
    "beam_search",
    hints=[
        "What is the product of two hundred probabilities of a hundredth, for a computer? And np.exp(-900)?",
        "0, although the sentence is possible. Add log-probabilities, and never turn a total into a probability.",
        "`candidates = totals[:, None] + step_fn(prefixes)`; impossible are those with `candidates == -np.inf`.",
    ],
)
def long_sentences_are_no_trouble(student, rng):
    """Sentences of about 200 tokens, far too unlikely for a float to hold their probability, are found and scored."""
    for beam_size in (1, int(rng.integers(2, 4))):
        words, max_length = int(rng.integers(200, 230)), int(rng.integers(195, 210))
        model = LanguageModel(rng, words, end=0.0, scale=0.3)  # about -4.5 for each token
        found = call_search(student, model, beam_size, 0, max_length)
        expected = search(model, beam_size, 0, max_length)
        shortest = min(len(ids) for ids, _ in found)
        expect(shortest == max_length, required=f"sentences of {max_length} tokens", received=f"one of {shortest}")
        expect_sentences(found, expected, f"a beam of {beam_size} and {max_length} tokens")


@criterion(
    "beam_search",
    points=2,
    hints=[
        "If nothing is ever thrown away, which sentences are in the list of finished ones at the end?",
        "All of them. Then the best of the list is the best of all; is one missing, or is one there that cannot be?",
        "Do not stop at the first END, and do not leave out what is still open after max_length tokens.",
    ],
)
def a_full_beam_equals_brute_force(student, rng):
    """A beam that is wide enough for everything finds the best of all possible sentences, in the right order."""
    for alpha in (0.0, 0.7):
        model, max_length = LanguageModel(rng, 7, end=0.3), int(rng.integers(3, 5))
        expected = every_sentence(model, alpha, max_length)
        found = call_search(student, model, len(expected), alpha, max_length)
        expect(len(found) == len(expected), required=f"all {len(expected)} sentences", received=f"{len(found)}")
        expect_sentences(found, expected, "a beam of full width")


@criterion(
    "beam_search",
    hints=[
        "How often do you call step_fn in one step?",
        "Once, with all open prefixes in one array (P, L): START and all tokens so far in each row.",
        "At the end of each step: `if len(prefixes) == 0: break`, so that nobody is asked about nothing.",
    ],
)
def the_model_is_asked_once_in_each_step(student, rng):
    """Call number t gives step_fn all open prefixes of t tokens, START first; when none is open, the search stops."""
    beam_size, max_length, certain = int(rng.integers(2, 5)), int(rng.integers(15, 20)), int(rng.integers(3, 6))
    for model, steps, may_stop in (
        (LanguageModel(rng, 9, end=0.0), certain + 2, False),  # nothing ends before the last step
        (LanguageModel(rng, 9, end=0.0, certain=certain), max_length, False),  # everything ends at the same step
        (LanguageModel(rng, 9, end=0.4), max_length, True),  # whoever knows that nothing better can come may stop
    ):
        call_search(student, model, beam_size, 1.0, steps)
        expected, calls = _calls_of_a_right_search(model, beam_size, steps), model.calls
        for number, (asked, wanted) in enumerate(zip(calls, expected, strict=False), start=1):
            rows, right = sorted(asked.tolist()), sorted(wanted)
            expect(rows == right, required=f"call {number} asks about the prefixes {right}", received=f"{rows}")
        count, words = len(calls), f"{'at most ' if may_stop else ''}{len(expected)} calls"
        expect(
            count == len(expected) or (may_stop and count < len(expected)), required=words, received=f"{count} calls"
        )


def _calls_of_a_right_search(model, beam_size, max_length):
    calls, beam = [], [([START], 0.0)]
    for _ in range(max_length):
        calls.append([ids for ids, _ in beam])
        candidates = [
            ([*ids, token], total + value)
            for ids, total in beam
            for token, value in enumerate(model.log_probs(ids))
            if value > -math.inf
        ]
        beam = [pair for pair in sorted(candidates, key=lambda pair: -pair[1])[:beam_size] if pair[0][-1] != END]
        if not beam:
            break
    return calls


@criterion(
    "beam_search",
    hints=[
        "What is kept if there are fewer possible candidates than beam_size?",
        "Then the beam is smaller. A candidate with the total -inf has the probability 0 and is never kept.",
        "`possible = np.isfinite(candidates[rows, tokens])`, and keep only those rows and tokens.",
    ],
)
def impossible_tokens_are_never_written(student, rng):
    """Candidates with the log-probability -inf are thrown away, also if the beam stays smaller than beam_size."""
    max_length = int(rng.integers(2, 4))
    model = LanguageModel(rng, int(rng.integers(5, 7)), end=0.4)
    expected = every_sentence(model, 1.0, max_length)
    found = call_search(student, model, len(expected) + 5, 1.0, max_length)
    expect(all(np.isfinite(score) for _, score in found), required="finite scores", received=found[-1])
    expect_sentences(found, expected, "a beam that is wider than everything possible")


@criterion(
    "beam_search",
    hints=[
        "After max_length tokens some prefixes have not come to an END. Are they lost?",
        "They count as finished, without END, with their total over max_length**alpha.",
        "`closed = (tokens == 3) | (length == max_length)`",
    ],
)
def what_is_open_at_the_end_counts_too(student, rng):
    """Sentences are cut after max_length tokens, END included, and then compete without END; max_length 1 works."""
    for max_length in (1, int(rng.integers(3, 6))):
        beam_size = int(rng.integers(3, 6))
        model = LanguageModel(rng, 10, end=0.12)
        found = call_search(student, model, beam_size, 0.5, max_length)
        longest = max(len(ids) for ids, _ in found)
        expect(longest <= max_length, required=f"at most {max_length} tokens", received=f"{longest} tokens")
        expect_sentences(found, search(model, beam_size, 0.5, max_length), f"the search with max_length {max_length}")


# --- exercise 2: KeyValueCache ----------------------------------------------------------------------------------------

# Helpers that run beside the learner's class. `drive` works on several caches, and copies what they return at once;
# `drive_until_it_breaks` ends with the words of a ValueError, so that the criterion can say after which call it came;
# `drive_with_one_buffer` hands over every position in the same two arrays, as fast programs do.
DRIVE = """
def _copied(result):
    import numpy as np

    if isinstance(result, (tuple, list)):
        return [part if part is None else np.array(part) for part in result]
    return result


def drive(script, count=1):
    caches = [KeyValueCache() for _ in range(count)]
    return [_copied(getattr(caches[which], word)(*arguments)) for which, word, *arguments in script]


def drive_until_it_breaks(script):
    cache, results = KeyValueCache(), []
    for word, *arguments in script:
        try:
            results.append(_copied(getattr(cache, word)(*arguments)))
        except ValueError as error:
            return [*results, f"ValueError: {error}"]
    return results


def drive_with_one_buffer(keys, values):
    import numpy as np

    cache, key, value, results = KeyValueCache(), np.empty_like(keys[:, :, :1]), np.empty_like(values[:, :, :1]), []
    for t in range(keys.shape[2]):
        key[...], value[...] = keys[:, :, t : t + 1], values[:, :, t : t + 1]
        results.append(_copied(cache.update(key, value)))
    return results
"""


def draw_positions(rng, count=None):
    """Draw queries and keys (B, H, T, K) and values (B, H, T, E) of T positions, all sizes different."""
    b, h, t, k, e = distinct_sizes(rng, 5, low=2, high=8)
    t = t if count is None else count
    return rng.normal(size=(b, h, t, k)), rng.normal(size=(b, h, t, k)), rng.normal(size=(b, h, t, e))


def updates(key, value, cuts, which=0):
    """Cut T positions into pieces and make the calls that hand them over one after the other."""
    edges = [0, *cuts, key.shape[2]]
    return [[which, "update", key[:, :, start:stop], value[:, :, start:stop]] for start, stop in pairwise(edges)]


def one_by_one(key, value, which=0):
    return updates(key, value, range(1, key.shape[2]), which)


def drive(student, script, count=1):
    """Run calls on fresh caches of the learner's and return what each call returned."""
    student.define(DRIVE)
    return student.drive(script, count)


def expect_cache(received, key, value, what):
    """Require the pair of all keys and all values."""
    fits = is_sequence(received) and len(received) == 2
    expect(fits, required="update returns a pair: the keys and the values", received=received)
    expect_close(received[0], key, what=f"the keys {what}")
    expect_close(received[1], value, what=f"the values {what}")


def attend(query, keys, values):
    """Attend from each query to its own and all earlier positions; the last query belongs to the last key."""
    scores = query @ keys.swapaxes(-1, -2) / np.sqrt(keys.shape[-1])
    queries, total = scores.shape[-2:]
    scores = np.where(np.tri(queries, total, total - queries, dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True) @ values


@criterion(
    "KeyValueCache",
    hints=[
        "What should the first call of update return?",
        "Nothing was there before, so the keys and values of all positions are just those that were given.",
        "`if self.keys is None: self.keys, self.values = np.array(key), np.array(value)`, and return both.",
    ],
)
def the_first_update_returns_what_it_was_given(student, rng):
    """After the first update, keys and values are those of the first position, (B, H, 1, K) and (B, H, 1, E)."""
    _, key, value = draw_positions(rng, 1)
    expect_cache(drive(student, one_by_one(key, value))[0], key, value, "after the first update")


@criterion(
    "KeyValueCache",
    points=2,
    hints=[
        "Which of the four axes (B, H, T, K) grows when a position is added?",
        "The third one, axis 2. New positions stand behind the old ones, and keys and values both grow.",
        "`self.keys = np.concatenate([self.keys, key], axis=2)`, and the same for the values.",
    ],
)
def new_positions_stand_behind_the_old_ones(student, rng):
    """After each update, keys and values hold all positions so far, in the order in which they came."""
    _, key, value = draw_positions(rng)
    for t, result in enumerate(drive(student, one_by_one(key, value)), start=1):
        expect_cache(result, key[:, :, :t], value[:, :, :t], f"after {t} updates")
    square = [rng.normal(size=(3, 3, 3, 3)) for _ in range(2)]  # here no shape gives a wrong axis away
    expect_cache(drive(student, one_by_one(*square))[-1], *square, "where all sizes are 3")


@criterion(
    "KeyValueCache",
    points=2,
    hints=[
        "Is anything lost, doubled or exchanged between keys and values?",
        "Attention for position t needs the keys and values of positions 0 to t, each exactly once.",
    ],
)
def attention_with_the_cache_equals_full_attention(student, rng):
    """One query at a time, with what update returns, gives the same output as causal attention over the whole text."""
    query, key, value = draw_positions(rng, int(rng.integers(9, 14)))
    full = attend(query, key, value)
    for t, result in enumerate(drive(student, one_by_one(key, value))):
        fits = is_sequence(result) and len(result) == 2 and all(isinstance(part, np.ndarray) for part in result)
        expect(fits, required="update returns a pair of arrays: the keys and the values", received=result)
        output = attend(query[:, :, t : t + 1], *result)
        expect_close(output, full[:, :, t : t + 1], what=f"the attention of position {t} with the cache")


@criterion(
    "KeyValueCache",
    hints=[
        "Does your code count on exactly one new position?",
        "np.concatenate takes pieces of any length. The beginning of a text may come in all at once.",
    ],
)
def several_positions_may_come_at_once(student, rng):
    """Several new positions in one update give the same as one by one, at the beginning and later on."""
    _, key, value = draw_positions(rng, 11)
    cuts = sorted(int(cut) for cut in rng.choice(np.arange(2, 11), size=3, replace=False))
    for stop, result in zip([*cuts, 11], drive(student, updates(key, value, cuts)), strict=True):
        expect_cache(result, key[:, :, :stop], value[:, :, :stop], f"after {stop} positions in a few pieces")
    _, key, value = draw_positions(rng, int(rng.integers(300, 400)))
    cuts = [int(rng.integers(200, 290))]
    expect_cache(drive(student, updates(key, value, cuts))[-1], key, value, "after a long text and more of it")


@criterion(
    "KeyValueCache",
    hints=[
        "Where are the arrays kept: in the object, or in the class?",
        "What stands in the class itself, or in a default argument, is shared by all objects.",
        "Make them in __init__: `self.keys = None`.",
    ],
)
def two_caches_share_nothing(student, rng):
    """Two caches that are used in turn do not see each other's positions."""
    first = draw_positions(rng, 4)[1:]
    second = [rng.normal(size=part.shape) for part in first]
    turns = [call for pair in zip(one_by_one(*first), one_by_one(*second, which=1), strict=True) for call in pair]
    results = drive(student, turns, 2)
    for t in range(4):
        for name, place, (key, value) in (("first", 0, first), ("second", 1, second)):
            expect_cache(
                results[2 * t + place], key[:, :, : t + 1], value[:, :, : t + 1], f"of the {name} of two caches"
            )


@criterion(
    "KeyValueCache",
    hints=[
        "What is in your cache if the caller writes the next key into the same array and hands it over again?",
        "`self.keys = key` keeps no copy but the caller's own array. np.concatenate makes a new one.",
        "In the first update: `np.array(key)` or `key.copy()`.",
    ],
)
def what_is_remembered_stays(student, rng):
    """The caller may use its arrays again for the next position: what has been remembered does not change."""
    _, key, value = draw_positions(rng, 5)
    student.define(DRIVE)
    for t, result in enumerate(student.drive_with_one_buffer(key, value), start=1):
        expect_cache(result, key[:, :, :t], value[:, :, :t], f"after {t} updates from the same two arrays")


@criterion(
    "KeyValueCache",
    points=2,
    hints=[
        "After reorder([1, 1, 0]): what should stand in row 0, and what in row 2?",
        "Row 0 becomes what was row 1, row 2 what was row 0: keys and values alike; later updates go on from there. "
        "The next reorder counts the rows as they are then.",
        "`self.keys = self.keys[rows]`: a list of integers takes rows of the first axis, as many as the list is long.",
    ],
)
def reorder_lets_rows_go_on_from_others(student, rng):
    """After reorder(rows), row b holds what was row rows[b]; rows may become more or fewer, and be reordered again."""
    for _ in range(2):
        batch = int(rng.integers(3, 7))
        any_rows = [int(row) for row in rng.integers(batch, size=batch + int(rng.integers(0, 3)))]
        any_rows[0], any_rows[-1] = batch - 1, batch - 1
        fewer = [int(row) for row in rng.permutation(batch)[: int(rng.integers(1, batch))]]
        shift = [*range(1, batch), 0]  # twice is not once
        stories = [[any_rows], [fewer], [list(range(int(rng.integers(1, batch))))], [shift, None, shift]]
        stories += [[shift, shift], [shift, None, [0] * (batch + 1), None, [batch, 1]]]
        for story in stories:
            expect_story(student, rng, batch, story)


def expect_story(student, rng, batch, story):
    """Update and reorder in turn, and compare after each update. The story lists rows; None is one more update."""
    h, k, e = distinct_sizes(rng, 3, low=2, high=6)
    key, value, script, expected, told = None, None, [], [], "after the first updates"
    for rows in [None, None, *story, None, None]:
        if rows is None:
            new = rng.normal(size=(batch, h, 1, k)), rng.normal(size=(batch, h, 1, e))
            key = new[0] if key is None else np.concatenate([key, new[0]], axis=2)
            value = new[1] if value is None else np.concatenate([value, new[1]], axis=2)
            script.append(["update", *new])
            expected.append((len(script), key, value, told))
        else:
            script.append(["reorder", rows])
            key, value, batch = key[rows], value[rows], len(rows)
            told = f"{told} and reorder({rows})" if "reorder" in told else f"after reorder({rows})"
    student.define(DRIVE)
    results = student.drive_until_it_breaks(script)
    for count, keys, values, words in expected:
        broken = len(results) < count or isinstance(results[count - 1], str)
        expect(not broken, required=f"{words}, update takes a position of {len(keys)} rows", received=results[-1])
        expect_cache(results[count - 1], keys, values, words)


# --- exercise 3: sample -----------------------------------------------------------------------------------------------

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
    "sample",
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


@criterion(
    "sample",
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


@criterion(
    "sample",
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
    "sample",
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
    "sample",
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
    "sample",
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
    "sample",
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
    "sample",
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
    equal = np.tile(rng.normal(scale=0.3, size=7), (101, 1))
    first, other = (call_sample(student, equal, 1.0, None, number) for number in (seed, seed + 1))
    moved = np.array_equal(first[1:], other[:-1]) or np.array_equal(first[:-1], other[1:])
    required = "new luck from the seed + 1 (one generator for all rows, made from the seed)"
    expect(not moved, required=required, received="the tokens of the seed, moved by one row")


@criterion(
    "sample",
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


# --- exercises 4 and 5: n-grams and BLEU ------------------------------------------------------------------------------

SYLLABLES = ["ka", "lo", "mi", "ne", "ru", "sa", "ti", "vo", "be", "du"]


def draw_words(rng, count):
    """Draw different words, so that no real sentence can be known by heart."""
    words: set[str] = set()
    while len(words) < count:
        words.add("".join(rng.choice(SYLLABLES, size=int(rng.integers(1, 4)))))
    return [str(word) for word in rng.permutation(sorted(words))]


def counts_of(hypothesis, reference, n):
    """Count in one sentence the clipped matches and the n-grams of the hypothesis, by crossing out what is found."""

    def grams(sentence):
        tokens = sentence.split()
        return [tokens[start : start + n] for start in range(len(tokens)) if start + n <= len(tokens)]

    left, matches = grams(reference), 0
    for gram in grams(hypothesis):
        if gram in left:
            left.remove(gram)
            matches += 1
    return matches, len(grams(hypothesis))


def alike_but_different(rng, count):
    """Draw a hypothesis and a reference that differ in capital letters and punctuation marks only."""
    words = draw_words(rng, count)
    hypothesis, reference = list(words), list(words)
    places = [int(place) for place in rng.choice(6, size=4, replace=False)]
    for number, (place, side) in enumerate(zip(places, (hypothesis, reference) * 2, strict=True)):
        side[place] = words[place].capitalize() if number < 2 else words[place] + str(rng.choice([*".,!?"]))
    return " ".join(hypothesis), " ".join(reference)


def widen(rng, lines):
    """Put tabs and several spaces between the tokens, and spaces at both ends."""
    return [f" {line} ".replace(" ", str(rng.choice(["  ", "\t", " \t "]))) for line in lines]


def precisions_of(hypotheses, references, max_n):
    result = []
    for n in range(1, max_n + 1):
        pairs = [counts_of(one, other, n) for one, other in zip(hypotheses, references, strict=True)]
        matches, total = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
        result.append(matches / total if total else 0.0)
    return result


def bleu_of(hypotheses, references):
    precisions = precisions_of(hypotheses, references, 4)
    if min(precisions) == 0:
        return 0.0
    written, wanted = (sum(len(sentence.split()) for sentence in group) for group in (hypotheses, references))
    return 100 * min(1.0, math.exp(1 - wanted / written)) * math.prod(precisions) ** 0.25


def spoil(rng, tokens, words, dropped=0.12, replaced=0.12, doubled=0.12):
    """Make a hypothesis of a reference: drop, replace and double some tokens."""
    result = []
    for token in tokens:
        luck = rng.uniform()
        if luck < dropped:
            continue
        result.append(str(rng.choice(words)) if luck < dropped + replaced else token)
        if luck > 1 - doubled:
            result.append(token)
    return result


def draw_corpus(rng, sentences=6, low=6, high=14, **faults):
    """Draw hypotheses and references that have many n-grams in common; few words, so that they repeat."""
    words = draw_words(rng, 12)
    while True:
        tokens = [list(rng.choice(words, size=int(rng.integers(low, high)))) for _ in range(sentences)]
        references = [" ".join(sentence) for sentence in tokens]
        hypotheses = [" ".join(spoil(rng, sentence, words, **faults)) for sentence in tokens]
        shares = precisions_of(hypotheses, references, 4)
        if min(shares) > 0.05 and max(shares) < 0.98:
            return hypotheses, references


def call_precisions(student, hypotheses, references, max_n):
    """Call the learner's function and require max_n numbers."""
    received = student.ngram_precisions(hypotheses, references, max_n)
    shares = np.asarray(received if is_sequence(received) or isinstance(received, np.ndarray) else [])
    fits = shares.shape == (max_n,) and shares.dtype.kind in "fiu"
    expect(fits, required=f"a list of {max_n} numbers", received=received)
    return shares.astype(np.float64)


def expect_precisions(student, hypotheses, references, max_n, what):
    shares = call_precisions(student, hypotheses, references, max_n)
    for n, (share, expected) in enumerate(zip(shares, precisions_of(hypotheses, references, max_n), strict=True), 1):
        expect_close(share, expected, what=f"p_{n} of {what}")


@criterion(
    "ngram_precisions",
    hints=[
        "How many numbers should come back for max_n = 3?",
        "A list of three: p_1, p_2, p_3. The result is a share between 0 and 1, not a percentage.",
        "Begin with an empty list and append one number for each n in `range(1, max_n + 1)`.",
    ],
)
def there_is_one_share_for_each_n(student, rng):
    """The result is a list of max_n shares from 0 to 1; they are all 1 where hypotheses and references are equal."""
    for max_n in (int(rng.integers(2, 4)), int(rng.integers(5, 7))):
        hypotheses, references = draw_corpus(rng, low=9)
        shares = call_precisions(student, hypotheses, references, max_n)
        expect(shares.min() >= 0 and shares.max() <= 1, required="shares from 0 to 1", received=shares)
        same = call_precisions(student, references, references, max_n)
        expect_close(same, np.ones(max_n), what="ngram_precisions(references, references, max_n)")


@criterion(
    "ngram_precisions",
    hints=[
        "By what do you divide: by the number of words of the hypothesis, or of the reference?",
        "Precision asks: of what was *written*, how much is right? Divide by the n-grams of the hypothesis.",
        "p_1 = (words of the hypothesis that occur in the reference) / (words of the hypothesis). Change no word.",
    ],
)
def p_1_is_the_share_of_right_words(student, rng):
    """p_1 is the share of the hypothesis's words that the reference has, in any order; May is not may, nor six six!"""
    words = draw_words(rng, 15)
    right, wrong = words[:7], words[7:10]
    for missing in (words[10 : 10 + int(rng.integers(1, 3))], words[10 : 14 + int(rng.integers(0, 2))]):
        hypothesis = " ".join(str(word) for word in rng.permutation(right + wrong))
        reference = " ".join(str(word) for word in rng.permutation(right + missing))
        shares = call_precisions(student, [hypothesis], [reference], 1)
        expect_close(shares[0], 0.7, what=f"p_1 of {hypothesis!r} with the reference {reference!r}")
    hypothesis, reference = alike_but_different(rng, 8)
    shares = call_precisions(student, [hypothesis], [reference], 1)
    expect_close(shares[0], 0.5, what=f"p_1 of {hypothesis!r} with the reference {reference!r}")


@criterion(
    "ngram_precisions",
    points=2,
    hints=[
        "How many runs of 3 tokens are there in a sentence of 5 tokens? Where does the last one begin?",
        "m - n + 1: here three, beginning at 0, 1 and 2. Is the last one among yours?",
        "`[tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1)]`; glued together, the runs "
        "*ab c* and *a bc* could not be told apart.",
    ],
)
def runs_of_n_tokens_are_compared(student, rng):
    """p_n is the share of the hypothesis's runs of n neighbouring tokens that the reference has as neighbours too."""
    for _ in range(3):
        words = draw_words(rng, int(rng.integers(9, 14)))  # no word occurs twice: nothing to clip
        cut, other = sorted(int(place) for place in rng.choice(np.arange(2, len(words) - 1), size=2, replace=False))
        moved = words[cut:other] + words[:cut] + words[other:]
        moved = moved if rng.uniform() < 0.5 else [*moved, *draw_words(rng, 40)[:1]]
        expect_precisions(student, [" ".join(moved)], [" ".join(words)], 4, "a sentence with its parts exchanged")
        place = int(rng.integers(1, len(words) - 2))
        turned = [*words[:place], words[place + 1], words[place], *words[place + 2 :]]
        expect_precisions(student, [" ".join(turned)], [" ".join(words)], 4, "a sentence with two neighbours exchanged")
        one, two, three = draw_words(rng, 3)
        hypothesis, reference = (" ".join([*pair, *words[:4]]) for pair in ((one + two, three), (one, two + three)))
        expect_precisions(student, [hypothesis], [reference], 4, f"{hypothesis!r} with the reference {reference!r}")


@criterion(
    "ngram_precisions",
    points=2,
    hints=[
        "The reference has a word twice, the hypothesis four times. How many of the four count as right?",
        "Two: the smaller one of the two counts. And if the hypothesis has it once and the reference twice: one.",
        "With two Counters, `(found & wanted).total()` adds up the smaller counts; the total is `found.total()`.",
    ],
)
def repeated_ngrams_are_clipped(student, rng):
    """An n-gram counts as often as the hypothesis has it, but at most as often as its reference has it."""
    for _ in range(3):
        words = draw_words(rng, 4)
        reference = [str(word) for word in rng.choice(words, size=12)]
        hypothesis = [words[0]] * int(rng.integers(5, 8)) + reference[:5] + words[:2] * 2 + reference[3:7]
        expect_precisions(student, [" ".join(hypothesis)], [" ".join(reference)], 3, "a sentence that repeats itself")


@criterion(
    "ngram_precisions",
    points=2,
    hints=[
        "One sentence has 2 of 2 right, the other 0 of 8. Is that 0.5, or 0.2?",
        "0.2: add up matches and n-grams over all sentences first, and divide once at the end.",
        "Two running sums, `matches` and `total`, that grow from sentence to sentence.",
    ],
)
def counts_are_added_up_over_the_corpus(student, rng):
    """The matches of all sentences are divided by the n-grams of all hypotheses; it is no mean over sentences."""
    for _ in range(3):
        words = draw_words(rng, 30)
        short, long = words[: int(rng.integers(4, 6))], words[6 : int(rng.integers(18, 22))]
        hypotheses = [" ".join(short), " ".join(spoil(rng, long, words, dropped=0.2, replaced=0.3))]
        references = [" ".join(short), " ".join(long)]
        expect_precisions(student, hypotheses, references, 4, "a short perfect sentence and a long bad one")


@criterion(
    "ngram_precisions",
    hints=[
        "In which reference may the n-grams of hypothesis 2 be found?",
        "In reference 2 alone. Clip sentence by sentence, then add up.",
    ],
)
def each_hypothesis_has_its_own_reference(student, rng):
    """N-grams are looked up in the reference of their own sentence only."""
    hypotheses, references = draw_corpus(rng)
    swapped = [*references[1:], references[0]]
    mixed = [one if rng.uniform() < 0.5 else other for one, other in zip(hypotheses, swapped, strict=True)]
    mixed[0], mixed[1] = swapped[0], hypotheses[1]
    expect_precisions(student, mixed, references, 3, "a corpus in which some lines are exchanged")


@criterion(
    "ngram_precisions",
    hints=[
        "How many 4-grams has a sentence of two tokens? And an empty one?",
        "None. `range(len(tokens) - n + 1)` is then empty. If the whole corpus has none, p_n is 0. Skip no sentence: "
        "the n-grams of a hypothesis count, also if its reference has none.",
        "`matches / total if total else 0.0`",
    ],
)
def short_and_empty_sentences_are_welcome(student, rng):
    """A hypothesis without n-grams adds none, one with a short or empty reference its own; without any, p_n is 0."""
    words = draw_words(rng, 8)
    long = " ".join(words[:6])
    cases = [([words[0], "", long], [" ".join(words[:2]), words[3], long]), (["", words[1]], [words[0], words[1]])]
    cases.append(([" ".join(words[:2])], [" ".join(words[:3])]))
    middle = " ".join(words[: int(rng.integers(4, 6))])
    cases += [([middle, long], [words[0], long]), ([middle, long], ["", long]), ([middle], [""])]
    for hypotheses, references in cases:
        what = f"{hypotheses} with the references {references}"
        expect_precisions(student, hypotheses, references, 4, what)


@criterion(
    "ngram_precisions",
    hints=[
        "What does your code take for a token if there are two spaces between two words?",
        "`sentence.split(' ')` makes an empty word of it; `sentence.split()` splits at any white space.",
    ],
)
def any_white_space_separates_tokens(student, rng):
    """Several spaces, tabs and spaces at the ends separate tokens like a single space; the lists stay unchanged."""
    hypotheses, references = draw_corpus(rng, sentences=3)
    expected = precisions_of(hypotheses, references, 3)
    shares = call_precisions(student, widen(rng, hypotheses), widen(rng, references), 3)
    expect_unchanged(student)
    expect_close(shares, np.array(expected), what="ngram_precisions with wide gaps between the tokens")


# --- exercise 5: corpus_bleu ------------------------------------------------------------------------------------------


def expect_bleu(student, hypotheses, references, what):
    received = student.corpus_bleu(hypotheses, references)
    expect_close(received, bleu_of(hypotheses, references), what=f"BLEU of {what}", tolerance=1e-7)


def lengths_of(group):
    return sum(len(sentence.split()) for sentence in group)


def equal_in_length(rng, hypotheses, references):
    """Append wrong words to the shorter side until both sides have the same number of tokens."""
    fill = draw_words(rng, 60)
    hypotheses, references = list(hypotheses), list(references)
    while (missing := lengths_of(references) - lengths_of(hypotheses)) != 0:
        group = hypotheses if missing > 0 else references
        group[int(rng.integers(len(group)))] += f" {fill.pop()}{'x' if missing > 0 else 'y'}"
    return hypotheses, references


@criterion(
    "corpus_bleu",
    hints=[
        "What are the four precisions if every hypothesis equals its reference, and their geometric mean?",
        "All are 1, and so is the brevity penalty: BLEU is 100, not 1.",
    ],
)
def equal_sentences_score_100(student, rng):
    """BLEU is 100 where every hypothesis equals its reference, if one of them at least has four tokens or more."""
    _, references = draw_corpus(rng, sentences=int(rng.integers(1, 5)))
    expect_close(student.corpus_bleu(references, references), 100.0, what="corpus_bleu(references, references)")


@criterion(
    "corpus_bleu",
    points=2,
    hints=[
        "Is your mean of the four precisions the geometric one?",
        "The fourth root of their product, or the exponential of the mean of their logarithms.",
        "`np.exp(np.log(precisions).mean())`, times 100; here the brevity penalty is 1.",
    ],
)
def the_four_precisions_are_joined_by_their_geometric_mean(student, rng):
    """With as many tokens in the hypotheses as in the references, BLEU is 100 (p_1 p_2 p_3 p_4)**(1/4)."""
    for _ in range(3):
        pair = equal_in_length(rng, *draw_corpus(rng))
        expect_bleu(student, *pair, "a corpus with as many tokens as its references")


@criterion(
    "corpus_bleu",
    points=2,
    hints=[
        "What is the penalty for 9 tokens with a reference of 10? Is it smaller than 1 in your code?",
        "exp(1 - r/c); r counts the tokens of all references and c those of all hypotheses: exp(1 - 10/9) = 0.895.",
        "`brevity = 1.0 if written >= wanted else np.exp(1 - wanted / written)`",
    ],
)
def who_writes_too_little_pays(student, rng):
    """With fewer tokens in the hypotheses than in the references, BLEU is multiplied by exp(1 - r/c)."""
    for _ in range(3):
        hypotheses, references = draw_corpus(rng, dropped=0.25, doubled=0.0)
        expect_bleu(student, hypotheses, references, "a corpus with fewer tokens than its references")


@criterion(
    "corpus_bleu",
    hints=[
        "What is exp(1 - r/c) if the hypotheses are longer than the references?",
        "Larger than 1: a reward, and there is none. The brevity penalty is never above 1.",
    ],
)
def who_writes_too_much_gets_no_reward(student, rng):
    """With more tokens in the hypotheses than in the references, the brevity penalty is exactly 1."""
    for _ in range(3):
        hypotheses, references = draw_corpus(rng, dropped=0.0, doubled=0.35)
        expect_bleu(student, hypotheses, references, "a corpus with more tokens than its references")


@criterion(
    "corpus_bleu",
    points=2,
    hints=[
        "Do you compute something for each sentence and take a mean?",
        "Counts and lengths are added up over all sentences, empty ones and their references too; only then come "
        "fractions, logarithms and the penalty.",
        "`written = sum(len(hypothesis.split()) for hypothesis in hypotheses)`, and `wanted` from the references.",
    ],
)
def the_corpus_counts_as_one(student, rng):
    """Lengths and precisions are those of the whole corpus: long hypotheses make up for short and for empty ones."""
    words = draw_words(rng, 40)
    long, short = words[:14], words[14 : 14 + int(rng.integers(6, 9))]
    extra = words[25 : 25 + int(rng.integers(2, 5))]
    corpora = [
        ([" ".join(long[:9]), " ".join(short + extra)], [" ".join(long), " ".join(short)]),
        ([" ".join(short[:2]), " ".join(long)], [" ".join(short[:3]), " ".join(long[:-1])]),
        (["", " ".join(long)], [" ".join(short), " ".join(long)]),
        ([" ".join(long), " ".join(extra)], [" ".join(long[:-1]), ""]),
    ]
    for hypotheses, references in corpora:
        numbers = [len(line.split()) for line in hypotheses]
        expect_bleu(student, hypotheses, references, f"a corpus whose hypotheses have {numbers} tokens")


@criterion(
    "corpus_bleu",
    hints=[
        "What is a token in your lengths: the same as in your precisions?",
        "What stands between white space of any kind, unchanged. `split(' ')` finds empty words between two spaces.",
        "`len(sentence.split())`, and no `lower()`: May and may are two different tokens.",
    ],
)
def tokens_are_taken_as_they_are(student, rng):
    """Tokens are what stands between white space of any kind, in capital and small letters, with or without a comma."""
    hypotheses, references = draw_corpus(rng, dropped=0.25, doubled=0.0)
    for wide in (widen(rng, hypotheses), references), (hypotheses, widen(rng, references)):
        expect_bleu(student, *wide, "a corpus with wide gaps between its tokens")
    for _ in range(2):
        pairs = [alike_but_different(rng, int(rng.integers(12, 17))) for _ in range(2)]
        hypotheses, references = ([pair[side] for pair in pairs] for side in (0, 1))
        expect_bleu(student, hypotheses, references, f"{hypotheses} with the references {references}")


@criterion(
    "corpus_bleu",
    hints=[
        "What is the geometric mean if no 4-gram is right? And np.log(0)?",
        "0. Ask for it before you take logarithms: if one of the precisions is 0, BLEU is 0. No smoothing.",
        "`if min(precisions) == 0: return 0.0`",
    ],
)
def without_a_right_4_gram_it_is_zero(student, rng):
    """BLEU is 0 if one of the four precisions is 0, also for empty and for very short hypotheses."""
    words = draw_words(rng, 9)
    no_4_gram = " ".join([*words[:3], words[8], *words[4:7]])
    cases = [([no_4_gram], [" ".join(words[:7])]), ([words[0], ""], [" ".join(words[:2]), words[3]])]
    cases += [([""], [" ".join(words[:5])]), ([" ".join(words[:3])], [" ".join(words[:3])])]
    for hypotheses, references in cases:
        expect_close(student.corpus_bleu(hypotheses, references), 0.0, what=f"corpus_bleu({hypotheses}, {references})")


@criterion(
    "corpus_bleu",
    hints=[
        "What happens if there are three hypotheses and two references?",
        "`zip` stops silently at the shorter list, so a lost line would go unnoticed. Compare the lengths first.",
        "`raise ValueError(...)`, with both numbers in the message. (`zip(..., strict=True)` raises one too.)",
    ],
)
def a_lost_line_is_an_error(student, rng):
    """If there are not as many references as hypotheses, a ValueError is raised."""
    hypotheses, references = draw_corpus(rng)
    with expect_raises("ValueError", what="corpus_bleu with a reference too few"):
        student.corpus_bleu(hypotheses, references[:-1])
    with expect_raises("ValueError", what="corpus_bleu with a hypothesis too few"):
        student.corpus_bleu(hypotheses[:-1], references)
