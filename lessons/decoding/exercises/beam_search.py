"""Exercise `beam_search`: what a right answer must do, and typical wrong ones."""

import math
from itertools import product

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_close, expect_equal, mutants

from ..oracles import distinct_sizes, is_sequence

START, END = 2, 3
SINGLE = 1e-5  # scores may be added up in single precision


class LanguageModel:
    """A model whose next token depends on the whole prefix; it notes what it is asked.

    Args:
        rng: decides what the model says.
        vocabulary: V; PAD, UNK and START are impossible.
        end: the probability of END at each step; 0 makes it impossible.
        scale: how sure the model is of its words.
        certain: after so many tokens only END is possible; None: never.
        sure: after so many tokens one word is nearly certain; None: never.
        only: the only words that are possible; None: all.
        steep: whether a few words are well apart from the others, so that rounding hardly ever decides who is kept.
    """

    def __init__(self, rng, vocabulary, end, scale=1.0, certain=None, sure=None, only=None, steep=False):
        self.only, self.steep = only, steep
        self.secret, self.vocabulary, self.end, self.scale = int(rng.integers(2**31)), vocabulary, end, scale
        self.certain, self.sure, self.calls = certain, sure, []

    def log_probs(self, prefix):
        """Compute the log-probabilities (V,) after one prefix."""
        noise = np.random.default_rng([self.secret, *(int(token) for token in prefix)])
        odds = np.exp(noise.normal(scale=self.scale, size=self.vocabulary - 4))
        chances = np.zeros(self.vocabulary)
        end = 1.0 if len(prefix) - 1 == self.certain else self.end * noise.uniform(0.6, 1.4)
        if self.steep:
            odds[np.argsort(-odds)[:3]] *= (4, 2.2, 1.3)
        if self.only is not None:
            odds[np.isin(np.arange(4, self.vocabulary), self.only, invert=True)] = 0
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
    expect_close(scores, [score for _, score in expected], what=f"the scores of {what}", tolerance=SINGLE)


@criterion(
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
    for words, end in ((9, 0.3), (9, 0.3), (304, 0.5)):  # the mean log-probability of an open sentence may still rise
        model, max_length = LanguageModel(rng, words, end=end, scale=0.2, sure=2), int(rng.integers(11, 15))
        found, expected = call_search(student, model, 2, 1, max_length), search(model, 2, 1, max_length)
        expect_sentences(found, expected, "a beam of 2, alpha 1, where words get nearly certain after the first two")


@criterion(
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
            expected = total_of(model, ids) / len(ids) ** alpha
            expect_close(score, expected, what=f"the score of {ids} for alpha {alpha}", tolerance=SINGLE)
        expect_sentences(found, search(model, beam_size, alpha, max_length), f"the search with alpha {alpha}")


@criterion(
    hints=[
        "What is the product of two hundred probabilities of a hundredth, for a computer? And np.exp(-900)?",
        "0, although the sentence is possible. Add log-probabilities, and never turn a total into a probability.",
        "`candidates = totals[:, None] + step_fn(prefixes)`; impossible are those with `candidates == -np.inf`.",
    ],
)
def long_sentences_are_no_trouble(student, rng):
    """Sentences of about 250 tokens, far too unlikely for a float to hold their probability, are found and scored."""
    for beam_size in (1, int(rng.integers(2, 4))):
        words, max_length = int(rng.integers(200, 230)), int(rng.integers(240, 255))
        model = LanguageModel(rng, words, end=0.0, scale=0.3, steep=True)  # -3.3 and less for each token
        found = call_search(student, model, beam_size, 0, max_length)
        expected = search(model, beam_size, 0, max_length)
        shortest = min(len(ids) for ids, _ in found)
        expect(shortest == max_length, required=f"sentences of {max_length} tokens", received=f"one of {shortest}")
        expect_sentences(found, expected, f"a beam of {beam_size} and {max_length} tokens")


@criterion(
    points=2,
    hints=[
        "If nothing is ever thrown away, which sentences are in the list of finished ones at the end?",
        "All of them. Then the best of the list is the best of all; is one missing, or is one there that cannot be?",
        "Do not stop at the first END, and do not leave out what is still open after max_length tokens.",
    ],
)
def a_full_beam_equals_brute_force(student, rng):
    """A beam that is wide enough for everything finds the best of all possible sentences, in the right order."""
    for alpha, max_length in ((0.0, 4), (0.7, int(rng.integers(3, 5)))):
        model = LanguageModel(rng, 7, end=0.3)
        expected = every_sentence(model, alpha, max_length)
        found = call_search(student, model, len(expected), alpha, max_length)
        expect(len(found) == len(expected), required=f"all {len(expected)} sentences", received=f"{len(found)}")
        expect_sentences(found, expected, "a beam of full width")


@criterion(
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


@criterion(
    hints=[
        "Which integers do you keep the prefixes in? A vocabulary may have 100,000 tokens.",
        "int64, as NumPy gives it, is large enough; int16 ends at 32,767.",
    ],
)
def large_vocabularies_are_welcome(student, rng):
    """Ids above 70,000 are written, and given to step_fn again, as they are."""
    words = rng.choice(np.arange(70_000, 80_000), size=5, replace=False)
    model, beam_size, max_length = LanguageModel(rng, 80_000, end=0.2, only=words), 3, int(rng.integers(4, 6))
    found = call_search(student, model, beam_size, 1.0, max_length)
    expect_sentences(found, search(model, beam_size, 1.0, max_length), "a search among ids above 70,000")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

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
RESULT = "return sorted(finished, key=lambda pair: pair[1], reverse=True)[:beam_size]"
OPEN = "        prefixes, totals = prefixes[~closed], totals[~closed]\n"
IMPORTED = "    return steps.beam_search(step_fn, beam_size, alpha, max_length)\n    prefixes, totals, finished"
mutants(BEAM, "*", [("imports the answer", "    prefixes, totals, finished", IMPORTED)])
mutants(
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
            "stops as if the open ones ended with the next token",
            "if len(prefixes) == 0:",
            "if len(prefixes) == 0 or (\n"
            "            len(finished) >= beam_size\n"
            "            and totals.max() / (length + 1)**alpha <= sorted(pair[1] for pair in finished)[-beam_size]\n"
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
    BEAM,
    "a_full_beam_equals_brute_force",
    [
        (
            "at most ten prefixes",
            ")[:beam_size]\n        rows, tokens = np.unravel_index",
            ")[: min(10, beam_size)]\n        rows, tokens = np.unravel_index",
        ),
        (
            "at most fifty prefixes",
            ")[:beam_size]\n        rows, tokens = np.unravel_index",
            ")[: min(50, beam_size)]\n        rows, tokens = np.unravel_index",
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
PREFIXES = "np.column_stack([prefixes[rows], tokens])"
mutants(
    BEAM,
    "large_vocabularies_are_welcome",
    [
        ("ids of two bytes", PREFIXES, f"{PREFIXES}.astype('uint16')"),
        ("ids of one byte", PREFIXES, f"{PREFIXES}.astype('uint8')"),
        ("ids in half-precision floats", PREFIXES, f"{PREFIXES}.astype('float16').astype(int)"),
        ("looks at the first 50,000 tokens only", "step_fn(prefixes)\n", "step_fn(prefixes)[:, :50_000]\n"),
    ],
)
mutants(
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

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "lists and loops over the candidates, the totals as plain numbers",
    """
def beam_search(step_fn, beam_size, alpha, max_length):
    open_ones, done = [([2], 0.0)], []
    for length in range(1, max_length + 1):
        if not open_ones:
            break
        scores = np.asarray(step_fn(np.array([ids for ids, _ in open_ones])))
        candidates = []
        for (ids, total), row in zip(open_ones, scores):
            for token, value in enumerate(row):
                if value > -np.inf:
                    candidates.append((total + float(value), ids + [token]))
        candidates.sort(key=lambda pair: -pair[0])
        open_ones = []
        for total, ids in candidates[:beam_size]:
            if ids[-1] == 3 or length == max_length:
                done.append((ids[1:], total / length**alpha))
            else:
                open_ones.append((ids, total))
    return sorted(done, key=lambda pair: -pair[1])[:beam_size]
""",
)
accepted(
    "a heap for the best candidates",
    """
import heapq


def beam_search(step_fn, beam_size, alpha, max_length):
    beams, finished = [(0.0, (2,))], []
    while beams:
        table = step_fn(np.array([list(ids) for _, ids in beams]))
        options = (
            (total + table[row, token], ids + (token,))
            for row, (total, ids) in enumerate(beams)
            for token in range(table.shape[1])
            if np.isfinite(table[row, token])
        )
        beams, kept = [], heapq.nlargest(beam_size, options, key=lambda option: option[0])
        for total, ids in kept:
            words = [int(token) for token in ids[1:]]
            if words[-1] == 3 or len(words) >= max_length:
                finished.append((words, float(total) / len(words) ** alpha))
            else:
                beams.append((total, ids))
    finished.sort(key=lambda pair: pair[1], reverse=True)
    return finished[:beam_size]
""",
)
accepted(
    "tensors of single precision, and top_k",
    """
def beam_search(step_fn, beam_size, alpha, max_length):
    from keras import ops

    prefixes, totals, done = np.full((1, 1), 2), np.zeros(1, dtype="float32"), []
    for length in range(1, max_length + 1):
        table = totals[:, None] + ops.cast(ops.convert_to_tensor(step_fn(prefixes)), "float32")
        words = table.shape[1]
        best = ops.top_k(ops.reshape(table, (-1,)), min(beam_size, table.shape[0] * words))
        values, places = (ops.convert_to_numpy(part) for part in best)
        places, values = places[values > -np.inf], values[values > -np.inf]
        prefixes = np.hstack([prefixes[places // words], places[:, None] % words])
        ended = np.logical_or(prefixes[:, -1] == 3, length == max_length)
        done += [(ids[1:], total / length**alpha) for ids, total in zip(prefixes[ended], values[ended])]
        prefixes, totals = prefixes[~ended], values[~ended]
        if not totals.size:
            break
    return sorted(done, key=lambda pair: -pair[1])[:beam_size]
""",
)
accepted(
    "argpartition, then sorted",
    """
def beam_search(step_fn, beam_size, alpha, max_length):
    prefixes, totals, results = np.full((1, 1), 2), np.array([0.0]), []
    for length in range(1, max_length + 1):
        table = totals.reshape(-1, 1) + np.asarray(step_fn(prefixes), dtype=float)
        flat = table.ravel()
        if len(flat) > beam_size:
            places = np.argpartition(flat, len(flat) - beam_size)[-beam_size:]
        else:
            places = np.arange(len(flat))
        places = places[np.isfinite(flat[places])]
        places = places[np.argsort(flat[places])[::-1]]
        prefixes = np.hstack([prefixes[places // table.shape[1]], (places % table.shape[1])[:, None]])
        totals = flat[places]
        ends = prefixes[:, -1] == 3
        if length == max_length:
            ends[:] = True
        results += [[row[1:].tolist(), value / length**alpha] for row, value in zip(prefixes[ends], totals[ends])]
        prefixes, totals = prefixes[~ends], totals[~ends]
        if not len(totals):
            break
    return [tuple(pair) for pair in sorted(results, key=lambda pair: pair[1])[::-1][:beam_size]]
""",
)
