"""Exercise `train_translator`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect, expect_equal, expect_unchanged, mutant, mutants

from ..oracles import CONSONANTS, IMPORT, VOWELS, draw_words

NOUNS = ("cat", "dog", "fox", "horse", "child", "king", "queen", "bird")


ADJECTIVES = ("small", "old", "red", "happy", "quiet", "wise")


VERBS = ("sees", "likes", "helps", "follows", "hears", "calls")


TIMES = ("today", "yesterday", "often")


class SmallLanguage:
    """A language of the grader's: the order is another one, articles agree with nouns, and each word has a new name.

    "today the small cat sees a dog" becomes: object noun, adjective, article; subject noun, adjective, article; time;
    the verb at the end, and "never" in front of it.
    """

    def __init__(self, rng):
        self.rng = rng
        self.gender = dict(zip(NOUNS, rng.permutation(np.arange(len(NOUNS)) % 2).tolist(), strict=True))
        names = [*NOUNS, *ADJECTIVES, *VERBS, *TIMES, "never", "the 0", "the 1", "a 0", "a 1"]
        self.words = dict(zip(names, rng.permutation(self._syllables(len(names))).tolist(), strict=True))

    def _syllables(self, count):
        words = {}
        while len(words) < count:
            letters = [self.rng.choice(list(kind)) for _ in range(2) for kind in (CONSONANTS, VOWELS)]
            words["".join(letters)] = True
        return list(words)

    def draw(self, count, known=()):
        """Draw different pairs of sentences; none of them is in `known`."""
        pairs, known = {}, set(known)
        while len(pairs) < count:
            source, target = self.pair()
            if source not in known:
                pairs[source] = target
        return list(pairs), list(pairs.values())

    def pair(self):
        choose = self.rng.choice
        time, never = choose(["", *TIMES]), bool(self.rng.integers(3) == 0)
        verb = str(choose(VERBS))
        subject, asubject = self.phrase()
        thing, athing = self.phrase()
        source = [time, *subject, "never" if never else "", verb, *thing]
        target = [*athing, *asubject, time, "never" if never else "", verb]
        return " ".join(word for word in source if word), " ".join(self.words[word] for word in target if word)

    def phrase(self):
        """Draw article, adjective or none, and noun; return the source's words and the names of the target's."""
        article, noun = str(self.rng.choice(["the", "a"])), str(self.rng.choice(NOUNS))
        adjective = str(self.rng.choice(ADJECTIVES)) if self.rng.integers(2) else ""
        return (article, adjective, noun), (noun, adjective, f"{article} {self.gender[noun]}")


CHANGES = str.capitalize, "{}!".format  # words are what stands between white space, as they are

TRANSLATE = """
def translate_all(sources, targets, seed, questions):
    translate = train_translator(sources, targets, seed)
    if not callable(translate):
        return f"{type(translate).__name__}"
    return [translate(list(sentences)) for sentences in questions]
"""


def call_train(student, sources, targets, rng, questions):
    """Train, ask several lists of sentences, and require a list of as many texts for each."""
    student.define(TRANSLATE)
    answers = student.translate_all(sources, targets, int(rng.integers(2**31)), questions)
    expect_unchanged(student)
    expect(not isinstance(answers, str), required="train_translator(...) returns a function", received=f"a {answers}")
    for sentences, received in zip(questions, answers, strict=True):
        fits = isinstance(received, list | tuple) and all(isinstance(text, str) for text in received)
        expect(fits, required="the function returns a list of sentences, each a str", received=received)
        required = f"{len(sentences)} translations of {len(sentences)} sentences"
        expect(len(received) == len(sentences), required=required, received=f"{len(received)}")
    return [list(received) for received in answers]


def share_equal(received, expected):
    return sum(a == b for a, b in zip(received, expected, strict=True)) / len(expected)


@criterion(
    points=2,
    slow=True,
    hints=[
        "An error about an index? Then an id is not smaller than V, the number of words plus 4. Otherwise print what your "
        "function gives for a training sentence. Does it end where it should? Is START in it?",
        "Inputs begin with START, labels end with END; when you write, stop at END and join the words before it.",
        "Each sentence is translated by itself: row i of the result belongs to sentence i.",
    ],
)
def a_tiny_language_is_learned_by_heart(student, rng):
    """Sentences of one or two words are translated right, alone and among others; no sentences give an empty list."""
    names = [str(word) for word in rng.permutation(draw_words(rng, 12, shortest=4))]
    for start, change in enumerate(CHANGES, start=1):
        names[start::4] = [change(name) for name in names[start::4]]
    words = dict(zip(names[:6], names[6:], strict=True))
    sentences = [[first] for first in words] + [[first, second] for first in words for second in words]
    pairs = [(" ".join(words_), " ".join(words[word] for word in reversed(words_))) for words_ in sentences]
    shuffled = [pairs[place] for place in rng.permutation(np.repeat(np.arange(len(pairs)), 30))]
    sources, targets = [source for source, _ in shuffled], [target for _, target in shuffled]
    asked = [pairs[place] for place in rng.permutation(len(pairs))]
    questions = [[source for source, _ in asked], [asked[0][0]], [], [f"{names[0]} unknown"]]
    questions += [[f"  {asked[0][0]} ".replace(" ", "  ")], [asked[1][0]]]
    answers = call_train(student, sources, targets, rng, questions)
    share = share_equal(answers[0], [target for _, target in asked])
    expect(share >= 0.9, required="at least 90 % of the tiny language right", received=f"{share:.0%}")
    expect_equal(answers[1], answers[0][:1], what="the translation of a sentence alone, after others")
    expect_equal(answers[5], answers[0][1:2], what="the translation of another sentence alone")
    expect_equal(
        answers[4], answers[0][:1], what="the translation of the same sentence with wide gaps between its words"
    )


@criterion(
    points=4,
    slow=True,
    hints=[
        "What share of the hidden sentences is right: none, half, or nearly all?",
        "None: look at what comes out. Half: more epochs. Are the labels one token ahead of the inputs?",
        "One layer of width 64, batches of 64, Adam with learning rate 0.003 and 7 epochs reach nearly all of them.",
    ],
)
def at_least_90_percent_of_hidden_sentences(student, rng):
    """After training on 2,000 pairs of an unknown language, at least 90 % of 200 new sentences are exactly right."""
    language = SmallLanguage(rng)
    sources, targets = language.draw(2_000)
    hidden, expected = language.draw(200, known=sources)
    [received] = call_train(student, sources, targets, rng, [hidden])
    share = share_equal(received, expected)
    expect(share >= 0.9, required="at least 90 % of 200 hidden sentences exactly right", received=f"{share:.1%}")


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

TRAIN = """
def train_translator(sources, targets, seed):
    keras.utils.set_random_seed(seed)
    source_words, target_words = steps.build_vocabulary(sources), steps.build_vocabulary(targets)
    longest = max(len(sentence.split()) for sentence in [*sources, *targets]) + 1
    source_ids, _ = steps.encode_batch(sources, source_words, longest)
    labels, _ = steps.encode_batch(targets, target_words, longest)
    inputs = np.pad(labels[:, :-1], ((0, 0), (1, 0)), constant_values=2)
    model = steps.build_translator(len(source_words) + 4, len(target_words) + 4, 1, 64, 4, 128, dropout=0.0)
    model.compile(optimizer=keras.optimizers.Adam(0.003), loss=losses.label_smoothed_loss)
    model.optimizer.build(model.trainable_variables)
    model.fit((source_ids, inputs), labels, batch_size=64, epochs=7, verbose=0)
    word_of = {index: word for word, index in target_words.items()}

    def translate(sentences):
        if not sentences:
            return []
        ids, _ = steps.encode_batch(sentences, source_words, longest)
        written = greedy_decode(lambda source, target: model((source, target)), ids, longest)
        return [" ".join(word_of[index] for index in row if index in word_of) for row in written.tolist()]

    return translate
"""
INPUTS = "inputs = np.pad(labels[:, :-1], ((0, 0), (1, 0)), constant_values=2)"
FIT = "    model.fit((source_ids, inputs), labels, batch_size=64, epochs=7, verbose=0)\n"
mutant(fails="*", why="imports the answer", source=f"{IMPORT}train_translator\n")
mutants(
    TRAIN,
    "a_tiny_language_is_learned_by_heart",
    [
        ("inputs are not shifted", INPUTS, "inputs = labels"),
        ("never trains", FIT, ""),
        ("returns the model", FIT, "", "    return translate\n", "    return model\n"),
        (
            "small letters without marks only",
            "    keras.utils.set_random_seed(seed)\n",
            "    keras.utils.set_random_seed(seed)\n"
            "    sources, targets = ([text.lower().replace('!', '') for text in group] for group in (sources, targets))\n",
        ),
        (
            "remembers the translations by their number",
            "        if not sentences:\n            return []\n",
            "        if not sentences:\n            return []\n        known = globals().setdefault('_known', {})\n"
            "        if len(sentences) in known:\n            return known[len(sentences)]\n",
            'return [" ".join',
            'known[len(sentences)] = [" ".join',
            "for row in written.tolist()]\n",
            "for row in written.tolist()]\n        return known[len(sentences)]\n",
        ),
        ("the letters instead of the words", '" ".join', '"".join'),
        ("fails without a sentence", FIT, "", "        if not sentences:\n            return []\n", ""),
        (
            "fails at unknown words",
            FIT,
            "",
            "ids, _ = steps.encode_batch(sentences, source_words, longest)",
            "[source_words[word] for sentence in sentences for word in sentence.split()]\n"
            "        ids, _ = steps.encode_batch(sentences, source_words, longest)",
        ),
    ],
)
mutant(
    fails="a_tiny_language_is_learned_by_heart",
    why="looks sentences up among those it has seen, and knows no other",
    source="""
def train_translator(sources, targets, seed):
    known = dict(zip(sources, targets))
    return lambda sentences: [known[sentence] for sentence in sentences]
""",
)
mutant(
    fails="at_least_90_percent_of_hidden_sentences",
    why="answers with the translation of the most similar training sentence",
    source="""
def train_translator(sources, targets, seed):
    known = [set(source.split()) for source in sources]

    def translate(sentences):
        nearest = [max(range(len(known)), key=lambda i: len(known[i] & set(s.split()))) for s in sentences]
        return [targets[i] for i in nearest]

    return translate
""",
)
mutant(
    fails="at_least_90_percent_of_hidden_sentences",
    why="a dictionary from word to the word that stands beside it most often, in the source's order",
    source="""
def train_translator(sources, targets, seed):
    together, alone = {}, {}
    for source, target in zip(sources, targets):
        for b in set(target.split()):
            alone[b] = alone.get(b, 0) + 1
        for a in set(source.split()):
            for b in set(target.split()):
                together.setdefault(a, {}).setdefault(b, 0)
                together[a][b] += 1
    best = {a: max(row, key=lambda b: row[b] / alone[b] ** 0.5) for a, row in together.items()}
    return lambda sentences: [" ".join(best.get(w, w) for w in s.split()) for s in sentences]
""",
)
mutants(
    TRAIN,
    "at_least_90_percent_of_hidden_sentences",
    [
        ("one epoch", "epochs=7", "epochs=1"),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "a training loop of its own",
    TRAIN[: TRAIN.index("    model.compile(")]
    + """
    optimizer = keras.optimizers.Adam(0.003)
    optimizer.build(model.trainable_variables)
    import tensorflow as tf

    @tf.function(reduce_retracing=True)
    def step(batch, begun, wanted):
        with tf.GradientTape() as tape:
            loss = losses.label_smoothed_loss(wanted, model((batch, begun), training=True))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    rng = np.random.default_rng(seed)
    for _ in range(7):
        order = rng.permutation(len(source_ids))
        for start in range(0, len(order) - 63, 64):
            rows = order[start : start + 64]
            step(tf.constant(source_ids[rows]), tf.constant(inputs[rows]), tf.constant(labels[rows]))
"""
    + TRAIN[TRAIN.index("    word_of = ") :],
)
accepted(
    "two epochs more, Adam with weight decay, words looked up in a list",
    TRAIN.replace("keras.optimizers.Adam(0.003)", "keras.optimizers.AdamW(0.003, weight_decay=1e-4)")
    .replace("epochs=7", "epochs=8")
    .replace(
        "    word_of = {index: word for word, index in target_words.items()}",
        "    names = dict(zip(target_words.values(), target_words))",
    )
    .replace(
        '" ".join(word_of[index] for index in row if index in word_of)',
        '" ".join(names[index] for index in row if names.get(index))',
    ),
)
accepted(
    "sentences translated one by one",
    TRAIN[: TRAIN.index("    def translate(")]
    + """    def one(sentence):
        ids, _ = steps.encode_batch([sentence], source_words, longest)
        ids = np.pad(ids, ((0, 0), (0, longest - ids.shape[1])))
        target = [2]
        while len(target) <= longest and target[-1] != 3:
            begun = np.zeros((1, longest + 1), dtype="int32")
            begun[0, : len(target)] = target
            target.append(int(forward(ids, begun)[0, len(target) - 1].argmax()))
        return " ".join(word_of[index] for index in target if index in word_of)

    import tensorflow as tf

    compiled = tf.function(lambda source, begun: model((source, begun), training=False))

    def forward(source, begun):
        return compiled(tf.constant(source), tf.constant(begun)).numpy()

    return lambda sentences: [one(sentence) for sentence in sentences]
""",
)
