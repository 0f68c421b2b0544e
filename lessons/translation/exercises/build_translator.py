"""Exercise `build_translator`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import (
    accepted,
    criterion,
    expect,
    expect_close,
    expect_equal,
    expect_learning,
    expect_shape,
    mutant,
    mutants,
)

from ..oracles import END, IMPORT, PAD, START, UNK, distinct_sizes

WEIGHTS = """
def weights_of(model):
    parts = ("source_embedding", "target_embedding", "encoder", "decoder", "to_logits")
    missing = [name for name in parts if not hasattr(model, name)]
    return {"missing": missing} if missing else {name: getattr(model, name).get_weights() for name in parts}


def logits_of(model, source_ids, target_ids, training=False):
    return model((source_ids, target_ids), training=training)


def logits_without_training(model, source_ids, target_ids):
    return model((source_ids, target_ids))


def make_open_model(model):
    import keras

    ids = [keras.Input((None,), dtype="int32") for _ in range(2)]
    return keras.Model(ids, model(tuple(ids)))


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
"""


class DrawnModel:
    """A small model of the learner with drawn weights, and ids that all its tests use."""

    def __init__(self, student, rng, dropout=0.0, num_layers=1, redraw=True):
        student.define(WEIGHTS)
        sentences, target, source = distinct_sizes(rng, 3, low=2, high=7)
        heads, key_dim = int(rng.integers(2, 4)), 2 * int(rng.integers(2, 4))
        source_vocab, target_vocab = (int(size) for size in rng.choice(np.arange(11, 24), size=2, replace=False))
        self.student, self.heads, self.width = student, heads, heads * key_dim
        self.num_layers = num_layers
        self.vocabularies, self.hidden = (source_vocab, target_vocab), self.width + int(rng.integers(3, 9))
        self.sizes = {
            "source_vocab_size": source_vocab,
            "target_vocab_size": target_vocab,
            "num_layers": self.num_layers,
            "d_model": self.width,
            "num_heads": heads,
            "d_ff": self.hidden,
            "dropout": dropout,
        }
        self.model = student.build_translator(**self.sizes)
        self.source = rng.integers(4, source_vocab, size=(sentences, source + 2)).astype(np.int32)
        self.target = rng.integers(4, target_vocab, size=(sentences, target + 2)).astype(np.int32)
        self.target[:, 0] = START
        if redraw:  # all weights at random, biases and norms too
            values = [np.asarray(value) for value in self.model.get_weights()]
            moved = [value + rng.normal(scale=0.3, size=value.shape).astype(np.float32) for value in values]
            self.model.set_weights(moved)

    def logits(self, source=None, target=None, training=False):
        """Ask the model; require (B, T, V)."""
        source = self.source if source is None else source
        target = self.target if target is None else target
        result = self.student.logits_of(self.model, source, target, training)
        shape = (*target.shape, self.vocabularies[1])
        what = f"model((source_ids {source.shape}, target_ids {target.shape}))"
        return np.asarray(expect_shape(result, shape, what=what), dtype=np.float64)

    def weights(self):
        """Return the weights of each part; require that the model has the parts."""
        weights = self.student.weights_of(self.model)
        if "missing" in weights:
            required = "the model has the attributes that the text names"
            expect(False, required=required, received=f"no {' and no '.join(weights['missing'])}")
        return weights

    def count(self):
        """Count the parameters that such a model has."""
        return count_parameters(self.vocabularies, self.num_layers, self.width, self.hidden)


def count_parameters(vocabularies, num_layers, width, hidden):
    attention, norm = 4 * (width * width + width), 2 * width
    feed_forward = width * hidden + hidden + hidden * width + width
    encoder = num_layers * (attention + feed_forward + 2 * norm) + norm
    decoder = num_layers * (2 * attention + feed_forward + 3 * norm) + norm
    return sum(vocabularies) * width + encoder + decoder + (width + 1) * vocabularies[1]


def other_token(ids, place, vocabulary, rng):
    """Return ids with another word at one place of each row."""
    changed = ids.copy()
    changed[:, place] = 4 + (ids[:, place] - 4 + int(rng.integers(1, vocabulary - 4))) % (vocabulary - 4)
    return changed


def moved_by(before, after):
    """Measure how far each position's logits moved, in the sentence where they moved least and most: (T,) each."""
    moves = np.abs(after - before).max(axis=-1)
    return moves.min(axis=0), moves.max(axis=0)


def normalise(x, gamma, beta):
    return gamma * (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5) + beta


def attend(query, value, weights, mask):
    """Compute multi-head attention of query (B, T, D) over value (B, S, D); the mask broadcasts to (B, H, T, S)."""
    wq, bq, wk, bk, wv, bv, wo, bo = weights
    q = np.einsum("btd,dhk->bhtk", query, wq) + bq[:, None, :]
    k = np.einsum("bsd,dhk->bhsk", value, wk) + bk[:, None, :]
    v = np.einsum("bsd,dhk->bhsk", value, wv) + bv[:, None, :]
    scores = np.where(mask, np.einsum("bhtk,bhsk->bhts", q, k) / np.sqrt(wq.shape[-1]), -np.inf)
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return np.einsum("bhts,bhsk,hkd->btd", shares, v, wo) + bo


def embed(ids, table):
    """Look up, scale and add the positions."""
    width = table.shape[1]
    angles = np.arange(ids.shape[1])[:, None] / 10000 ** (np.arange(0, width, 2) / width)
    positions = np.zeros((ids.shape[1], width))
    positions[:, ::2], positions[:, 1::2] = np.sin(angles), np.cos(angles)
    return table[ids] * np.sqrt(width) + positions


class Reader:
    """Hand out the weights of a stack one after the other."""

    def __init__(self, values):
        self.values = [np.asarray(value, dtype=np.float64) for value in values]

    def take(self, count):
        taken, self.values = self.values[:count], self.values[count:]
        return taken


def sub_layers(kind, weights):
    """Sort the weights of one layer, each sub-layer with its norm, as the package's layers list them."""
    names = ("self",) if kind == "encoder" else ("self", "cross")
    attentions = [(name, weights.take(8), weights.take(2)) for name in names]
    return attentions, weights.take(4), weights.take(2)


def run_stack(kind, x, weights, num_layers, mask, memory=None, memory_mask=None):
    weights = Reader(weights)
    for _ in range(num_layers):
        attentions, (first, first_bias, second, second_bias), norm = sub_layers(kind, weights)
        for name, attention, attention_norm in attentions:
            y = normalise(x, *attention_norm)
            x = x + (attend(y, y, attention, mask) if name == "self" else attend(y, memory, attention, memory_mask))
        x = x + np.maximum(normalise(x, *norm) @ first + first_bias, 0) @ second + second_bias
    return normalise(x, *weights.take(2))


def oracle(weights, source, target, num_layers):
    """Compute the logits (B, T, V) of the whole model in float64."""
    tables = {name: np.asarray(weights[name][0], dtype=np.float64) for name in ("source_embedding", "target_embedding")}
    source_mask = (source != PAD)[:, None, None, :]
    length = target.shape[1]
    mask = (target != PAD)[:, None, None, :] & np.tril(np.ones((length, length), dtype=bool))
    memory = run_stack(
        "encoder", embed(source, tables["source_embedding"]), weights["encoder"], num_layers, source_mask
    )
    x = embed(target, tables["target_embedding"])
    x = run_stack("decoder", x, weights["decoder"], num_layers, mask, memory, source_mask)
    kernel, bias = (np.asarray(value, dtype=np.float64) for value in weights["to_logits"])
    return x @ kernel + bias


@criterion(
    hints=[
        "With which two numbers of tokens do the two embeddings and the last layer work?",
        "The source has its own vocabulary. The logits are for the words of the target: target_vocab_size of them.",
        "`return self.to_logits(y)` with `self.to_logits = keras.layers.Dense(target_vocab_size)`",
    ],
)
def the_logits_have_a_place_for_each_target_word(student, rng):
    """model((source_ids (B, S), target_ids (B, T))) has the shape (B, T, target_vocab_size), for any B, S and T."""
    drawn = DrawnModel(student, rng, redraw=False)
    drawn.logits()
    source_vocab, target_vocab = drawn.vocabularies
    highest = np.full((1, 2), source_vocab - 1, dtype=np.int32), np.full((1, 3), target_vocab - 1, dtype=np.int32)
    logits = drawn.logits(*highest)
    expect(np.isfinite(logits).all(), required="finite logits for the last ids of both vocabularies", received=logits)


@criterion(
    points=2,
    hints=[
        "How many weights has the model as soon as it is built, and which part of it is missing or too large?",
        "Two embeddings, an Encoder and a Decoder of num_layers layers each, and one Dense layer with a bias.",
        "`layers.Encoder(num_layers, d_model, num_heads, d_ff, dropout)`, and the same for the decoder.",
    ],
)
def it_has_the_parameters_of_its_parts(student, rng):
    """Right after it is built the model has exactly the parameters of its five parts, whatever the sizes."""
    drawn = DrawnModel(student, rng, num_layers=2, redraw=False)
    words = ", ".join(f"{name} {value}" for name, value in drawn.sizes.items() if name != "dropout")
    expect_equal(drawn.model.count_params(), drawn.count(), what=f"parameters for {words}")


@criterion(
    points=2,
    hints=[
        "Change the last target token: which logits may move?",
        "Only those of the last position. Which mask hides the future from the self-attention of the decoder?",
        "`layers.combine_masks(layers.causal_mask(ops.shape(target_ids)[1]), layers.padding_mask(target_ids))`",
    ],
)
def no_position_sees_the_future(student, rng):
    """The leak test: when a target token changes, the logits before it stay, and those at and after it move."""
    drawn = DrawnModel(student, rng)
    before, length = drawn.logits(), drawn.target.shape[1]
    place = int(rng.integers(1, length - 1))
    least, most = moved_by(before, drawn.logits(target=other_token(drawn.target, place, drawn.vocabularies[1], rng)))
    required = f"logits before position {place} that stay when the token at {place} changes"
    expect(most[:place].max() < 1e-4, required=required, received=f"they move by {most[:place].max():.2g}")
    required = f"logits from position {place} on that move when the token at {place} changes"
    expect(least[place:].min() > 1e-4, required=required, received="some stay as they are")


@criterion(
    points=2,
    hints=[
        "Append two columns of PAD to the source: which attention may now see them?",
        "None. The encoder's self-attention and the cross-attention both need the padding mask of the source.",
        "`self.encoder(x, mask=source_mask)` and `self.decoder(..., memory_mask=source_mask)`",
    ],
)
def padding_changes_nothing(student, rng):
    """The padding test: with more PAD at the end of source and target the logits of the real positions stay."""
    drawn = DrawnModel(student, rng)
    before, length = drawn.logits(), drawn.target.shape[1]
    extra = int(rng.integers(1, 4))
    source, target = (np.pad(ids, ((0, 0), (0, extra))) for ids in (drawn.source, drawn.target))
    after = drawn.logits(source, target)[:, :length]
    expect_close(after, before, what=f"the logits after {extra} PAD were appended to both sides", tolerance=1e-4)


@criterion(
    points=2,
    hints=[
        "Change one word of the source: which logits should move?",
        "All of them: the decoder attends to the memory, which the encoder makes of the source.",
        "`memory = self.encoder(...)`, then `self.decoder(y, memory, mask=mask, memory_mask=source_mask)`.",
    ],
)
def every_source_word_and_its_place_matter(student, rng):
    """All logits depend on each word of the source, on the words' order, and on nothing in other sentences."""
    drawn = DrawnModel(student, rng)
    before, length = drawn.logits(), drawn.source.shape[1]
    place = int(rng.integers(2, length))
    least, _ = moved_by(before, drawn.logits(other_token(drawn.source, place, drawn.vocabularies[0], rng)))
    required = f"logits that move at every position when source token {place} changes"
    expect(least.min() > 1e-4, required=required, received="some stay as they are")
    _, most = moved_by(before[:1], drawn.logits(drawn.source[:, ::-1].copy())[:1])
    expect(most.min() > 1e-4, required="other logits for the source in another order", received="the same ones")
    alone = drawn.logits(drawn.source[:1], drawn.target[:1])
    expect_close(alone, before[:1], what="the logits of the first sentence alone", tolerance=1e-4)


@criterion(
    points=2,
    hints=[
        "Is there a softmax at the end, or a relu? Are both embeddings scaled and given their positions?",
        "Embedding times sqrt(d_model), plus positions, encoder; the same for the decoder; then Dense alone.",
        "`self.positions(self.source_embedding(source_ids) * self.scale)`, and the same with the target's.",
    ],
)
def the_logits_are_those_of_the_formula(student, rng):
    """With any weights the logits are those of embedding, positions, encoder, decoder and Dense, without a softmax."""
    drawn = DrawnModel(student, rng)
    weights = drawn.weights()
    drawn.source[0, -3:] = END, PAD, PAD
    drawn.source[-1, :2] = UNK, END  # tokens like others, wherever they stand
    drawn.target[-1, -1:] = PAD
    drawn.target[0, 1:3] = UNK, END
    expected = oracle(weights, drawn.source, drawn.target, drawn.num_layers)
    real = drawn.target != PAD
    expect_close(drawn.logits()[real], expected[real], what="the logits of the real positions", tolerance=1e-3)


@criterion(
    hints=[
        "What should training=True change with dropout=0.4, and what with dropout=0?",
        "`training` reaches inner layers by itself, unless you write another value. The rate is `dropout`.",
        "`self.dropout = keras.layers.Dropout(dropout)`, and `x = self.dropout(x, training=training)`.",
    ],
)
def dropout_is_on_in_training_only(student, rng):
    """With dropout, training=True gives other logits at each call; training=False and dropout=0 always the same."""
    drawn = DrawnModel(student, rng, dropout=0.4)
    expect_close(drawn.logits(), drawn.logits(), what="the logits of a second call, training=False", tolerance=1e-6)
    apart = np.abs(drawn.logits(training=True) - drawn.logits(training=True)).max()
    expect(apart > 1e-3, required="other logits in each call with training=True", received="the same ones")
    plain = student.logits_without_training(drawn.model, drawn.source, drawn.target)
    expect_close(plain, drawn.logits(), what="the logits where nothing is said about training", tolerance=1e-6)
    drawn = DrawnModel(student, rng, dropout=0.0)
    expect_close(drawn.logits(training=True), drawn.logits(), what="the logits with dropout=0 and training=True")


RECORDED = """
def record(part):
    call, seen = part.call, {}

    def recording(x, *args, **kwargs):
        seen["given"] = x
        seen["returned"] = call(x, *args, **kwargs)
        return seen["returned"]

    part.call = recording
    return seen


def recorded(model, source_ids, target_ids):
    seen = {"encoder": record(model.encoder), "decoder": record(model.decoder)}
    model((source_ids, target_ids), training=True)
    return seen
"""


@criterion(
    points=2,
    hints=[
        "At which four places does dropout act: twice in `call`, and where else?",
        "On both sums of embedding and positions, and within Encoder and Decoder, which take it as an argument.",
        "`x = self.dropout(self.positions(...), training=training)`, twice; `layers.Encoder(..., d_ff, dropout)`, and "
        "`layers.Decoder` too.",
    ],
)
def dropout_acts_at_all_four_places(student, rng):
    """In training, dropout acts on both sums of embedding and positions, and within the encoder and the decoder."""
    rate = 0.9999  # nearly nothing passes a dropout, so that whatever passes has not met one
    drawn = DrawnModel(student, rng, dropout=rate)
    weights = drawn.weights()
    student.define(RECORDED)
    recorded = student.recorded(drawn.model, drawn.source, drawn.target)
    asked = f"with dropout={rate} and training=True"
    for part, language in (("encoder", "source"), ("decoder", "target")):
        expect(recorded[part], required=f"`call` uses self.{part}", received="it does not")
        passed = float(np.mean(np.asarray(recorded[part]["given"]) != 0))
        required = f"dropout on the {language}'s embedding plus positions: {asked} hardly an entry that is not 0"
        expect(passed < 0.2, required=required, received=f"{passed:.0%} are not 0")
    for part in recorded:
        # Where the short cuts carry 0 and nothing is added to them, the final norm returns its beta everywhere.
        moved = np.abs(np.asarray(recorded[part]["returned"]) - np.asarray(weights[part][-1]))  # (B, S or T, D)
        passed = float(np.mean(moved.max(axis=-1) > 1e-3))
        required = f"dropout within the {part}: {asked} its layers add nothing at nearly all positions"
        expect(passed < 0.4, required=required, received=f"they add something at {passed:.0%} of the positions")


@criterion(
    points=2,
    hints=[
        "Which weights does the optimiser not reach?",
        "`ops.stop_gradient`, `trainable=False` or NumPy inside cut the way back. The loss must reach both embeddings.",
    ],
)
def everything_can_learn(student, rng):
    """All weights are trainable, and a gradient flows from the logits back to each of them."""
    drawn = DrawnModel(student, rng)
    count = student.trainable(drawn.model)
    expect(count == drawn.count(), required=f"{drawn.count()} trainable parameters", received=f"{count}")
    expect_learning(student, drawn.model, (drawn.source, drawn.target), what="the model", training=True)


@criterion(
    points=2,
    hints=[
        "Does `call` need to know how long the sentences are while Keras compiles it? Is anything kept in self?",
        "`target_ids.shape[1]` is None where the length is open; `ops.shape(target_ids)[1]` works in both cases.",
        "`layers.causal_mask(ops.shape(target_ids)[1])`; and the masks belong to training as well.",
    ],
)
def lengths_may_be_open_and_change(student, rng):
    """In a model whose lengths are open, sentences of several lengths come out right, in training and in use."""
    drawn = DrawnModel(student, rng)
    weights, model = drawn.weights(), student.make_open_model(drawn.model)
    for training in (True, False):
        for source_length, target_length in rng.permutation(np.arange(3, 9))[:4].reshape(2, 2):
            source = rng.integers(4, drawn.vocabularies[0], size=(2, source_length)).astype(np.int32)
            target = rng.integers(4, drawn.vocabularies[1], size=(2, target_length)).astype(np.int32)
            source[0, -1:] = target[1, -1:] = PAD
            real, expected = target != PAD, oracle(weights, source, target, drawn.num_layers)
            what = f"the logits for {source_length} source and {target_length} target tokens, training={training},"
            logits = expect_shape(model([source, target], training=training), expected.shape, what=what)
            expect_close(logits[real], expected[real], what=what, tolerance=1e-3)


@criterion(
    hints=[
        "Which integers reach the embeddings? int32 and int64 hold all ids, int16 ends at 32,767.",
        "Do you use num_heads, d_ff and num_layers as they are given, in the encoder and in the decoder?",
    ],
)
def all_sizes_are_as_asked(student, rng):
    """Vocabularies of 70,000 tokens, three layers, another d_ff and a long sentence work; the heads are as many as asked."""
    student.define(WEIGHTS)
    width, num_layers, sizes = 12, 3, [70_000, 80] if rng.uniform() < 0.5 else [80, 70_000]
    for heads, hidden in zip(
        rng.permutation([2, 3, 4, 6])[:2].tolist(), rng.permutation([7, 10]).tolist(), strict=True
    ):
        model = student.build_translator(11, 13, 1, width, heads, hidden, 0.0)
        expect_equal(
            model.count_params(), count_parameters((11, 13), 1, width, hidden), what=f"parameters for d_ff {hidden}"
        )
        weights = student.weights_of(model)
        expect("missing" not in weights, required="all attributes that the text names", received="some are missing")
        for part, place in (("encoder", 0), ("decoder", 8 + 2)):
            shape, wanted = np.shape(weights[part][place]), (width, heads, width // heads)
            expect(shape == wanted, required=f"a query kernel of shape {wanted} in the {part}", received=f"{shape}")
    source, target = (rng.integers(4, 11, size=(1, int(rng.integers(*span)))) for span in ((3, 6), (130, 150)))
    source, target = source.astype(np.int32), target.astype(np.int32)
    expected, logits = oracle(weights, source, target, 1), student.logits_of(model, source, target)
    logits = expect_shape(logits, expected.shape, what="model((source_ids, target_ids))")
    expect_close(logits, expected, what=f"the logits of a target of {target.shape[1]} tokens", tolerance=1e-3)
    model = student.build_translator(*sizes, num_layers, width, heads, hidden, 0.0)
    weights = student.weights_of(model)
    source = rng.integers(4, sizes[0], size=(2, int(rng.integers(60, 80)))).astype(np.int32)
    target = rng.integers(4, sizes[1], size=(2, 3)).astype(np.int32)
    source[:, 0], target[:, 0] = sizes[0] - 1, START
    expected = oracle(weights, source, target, num_layers)
    logits = expect_shape(
        student.logits_of(model, source, target), expected.shape, what="model((source_ids, target_ids))"
    )
    what = f"the logits with vocabularies of {sizes[0]:,} and {sizes[1]:,} tokens"
    expect_close(logits, expected, what=what, tolerance=1e-3)


# --- typical wrong answers, each with the criterion that must catch it ------------------------------------------------

MODEL = """
class TranslationModel(keras.Model):
    def __init__(self, source_vocab_size, target_vocab_size, num_layers, d_model, num_heads, d_ff, dropout):
        super().__init__()
        self.d_model = d_model
        self.source_embedding = keras.layers.Embedding(source_vocab_size, d_model)
        self.target_embedding = keras.layers.Embedding(target_vocab_size, d_model)
        self.positions = layers.PositionalEncoding()
        self.scale = d_model**0.5
        self.dropout = keras.layers.Dropout(dropout)
        self.encoder = layers.Encoder(num_layers, d_model, num_heads, d_ff, dropout)
        self.decoder = layers.Decoder(num_layers, d_model, num_heads, d_ff, dropout)
        self.to_logits = keras.layers.Dense(target_vocab_size)

    def build(self, input_shape=None):
        width = (None, None, self.d_model)
        self.source_embedding.build((None, None))
        self.target_embedding.build((None, None))
        self.encoder.build(width)
        self.decoder.build(width, width)
        self.to_logits.build(width)

    def call(self, inputs, training=None):
        source_ids, target_ids = inputs
        source_mask = layers.padding_mask(source_ids)
        target_mask = layers.combine_masks(layers.causal_mask(ops.shape(target_ids)[1]), layers.padding_mask(target_ids))
        x = self.positions(self.source_embedding(source_ids) * self.scale)
        x = self.dropout(x, training=training)
        memory = self.encoder(x, mask=source_mask, training=training)
        y = self.positions(self.target_embedding(target_ids) * self.scale)
        y = self.dropout(y, training=training)
        y = self.decoder(y, memory, mask=target_mask, memory_mask=source_mask, training=training)
        return self.to_logits(y)


def build_translator(source_vocab_size, target_vocab_size, num_layers, d_model, num_heads, d_ff, dropout):
    model = TranslationModel(source_vocab_size, target_vocab_size, num_layers, d_model, num_heads, d_ff, dropout)
    model.build()
    return model
"""
ENCODER = "self.encoder = layers.Encoder(num_layers, d_model, num_heads, d_ff, dropout)"
DECODER = "self.decoder = layers.Decoder(num_layers, d_model, num_heads, d_ff, dropout)"
DENSE = "self.to_logits = keras.layers.Dense(target_vocab_size)"
SOURCE_TABLE = "self.source_embedding = keras.layers.Embedding(source_vocab_size, d_model)"
TARGET_TABLE = "self.target_embedding = keras.layers.Embedding(target_vocab_size, d_model)"
BOTH_MASKS = "layers.combine_masks(layers.causal_mask(ops.shape(target_ids)[1]), layers.padding_mask(target_ids))"
ENCODE_X = "self.encoder(x, mask=source_mask, training=training)"
DECODE_Y = "self.decoder(y, memory, mask=target_mask, memory_mask=source_mask, training=training)"
EMBED_X = "self.positions(self.source_embedding(source_ids) * self.scale)"
EMBED_Y = "self.positions(self.target_embedding(target_ids) * self.scale)"
CALL = "    model.build()\n"
ARGUMENTS = "source_vocab_size, target_vocab_size, num_layers, d_model, num_heads, d_ff, dropout"
mutant(fails="*", why="imports the answer", source=f"{IMPORT}TranslationModel, build_translator\n")
mutant(
    fails="*",
    why="imports the package's Transformer",
    source=f"""
class TranslationModel(Transformer):
    def call(self, inputs, training=None):
        return super().call(inputs[0], inputs[1], training=training)


def build_translator({ARGUMENTS}):
    return TranslationModel(source_vocab_size, target_vocab_size, num_layers=num_layers, d_model=d_model,
                            num_heads=num_heads, d_ff=d_ff, dropout=dropout)
""",
)
mutants(
    MODEL,
    "the_logits_have_a_place_for_each_target_word",
    [
        ("logits for the source vocabulary", DENSE, DENSE.replace("target", "source")),
        (
            "vocabularies exchanged",
            SOURCE_TABLE,
            SOURCE_TABLE.replace("source_vocab", "target_vocab"),
            TARGET_TABLE,
            TARGET_TABLE.replace("target_vocab", "source_vocab"),
        ),
        ("no last layer", "return self.to_logits(y)", "return y"),
        ("ids of the two languages exchanged", "source_ids, target_ids = inputs", "target_ids, source_ids = inputs"),
        ("returns the memory too", "return self.to_logits(y)", "return self.to_logits(y), memory"),
    ],
)
mutants(
    MODEL,
    "it_has_the_parameters_of_its_parts",
    [
        ("not built", CALL, ""),
    ],
)
mutants(
    MODEL,
    "no_position_sees_the_future",
    [
        ("no causal mask", BOTH_MASKS, "layers.padding_mask(target_ids)"),
        (
            "the encoder reads the target",
            ENCODE_X,
            "self.encoder(ops.concatenate([x, self.target_embedding(target_ids)], axis=1), training=training)",
            "memory_mask=source_mask, ",
            "",
        ),
        (
            "the causal mask turned round",
            "layers.causal_mask(ops.shape(target_ids)[1])",
            "ops.swapaxes(layers.causal_mask(ops.shape(target_ids)[1]), 2, 3)",
        ),
        (
            "the causal mask hides the token itself too",
            "layers.causal_mask(ops.shape(target_ids)[1])",
            "ops.roll(layers.causal_mask(ops.shape(target_ids)[1]), 1, axis=3)",
        ),
    ],
)
mutants(
    MODEL,
    "padding_changes_nothing",
    [
        ("no mask in the encoder", ENCODE_X, "self.encoder(x, training=training)"),
        ("no mask in the cross-attention", "memory_mask=source_mask, ", ""),
        (
            "the padding mask turned round",
            "source_mask = layers.padding_mask(source_ids)",
            "source_mask = ops.logical_not(layers.padding_mask(source_ids))",
        ),
        (
            "the mean over all positions is added",
            "return self.to_logits(y)",
            "return self.to_logits(y + ops.mean(x, axis=1, keepdims=True))",
        ),
    ],
)
mutants(
    MODEL,
    "every_source_word_and_its_place_matter",
    [
        (
            "the decoder attends to itself",
            "self.decoder(y, memory, mask",
            "self.decoder(y, y, mask",
            "memory_mask=source_mask, ",
            "memory_mask=target_mask, ",
        ),
        ("no positions in the source", EMBED_X, "self.source_embedding(source_ids) * self.scale"),
        (
            "the first sentence's source for all",
            ENCODE_X,
            ENCODE_X + "\n        memory = memory * 0 + ops.mean(memory, axis=0, keepdims=True)",
        ),
    ],
)
mutants(
    MODEL,
    "the_logits_are_those_of_the_formula",
    [
        (
            "a norm more than needed",
            DENSE,
            DENSE + "\n        self.extra = keras.layers.LayerNormalization()",
            "return self.to_logits(y)",
            "return self.to_logits(self.extra(y))",
        ),
        ("sees the first source token only", ENCODE_X, ENCODE_X + "[:, :1]", "memory_mask=source_mask, ", ""),
        (
            "only words may be attended to in the source",
            "source_mask = layers.padding_mask(source_ids)",
            "source_mask = (source_ids > 3)[:, None, None, :]",
        ),
        ("hides END in the target", "layers.padding_mask(target_ids)", "layers.padding_mask(target_ids - 3)"),
        ("softmax at the end", "return self.to_logits(y)", "return ops.softmax(self.to_logits(y))"),
        ("embeddings are not scaled", "self.scale = d_model**0.5", "self.scale = 1.0"),
        ("no positions in the target", EMBED_Y, "self.target_embedding(target_ids) * self.scale"),
        ("the encoder's input goes to the decoder", "self.decoder(y, memory, mask", "self.decoder(y, x, mask"),
        (
            "a causal mask in the encoder",
            ENCODE_X,
            "self.encoder(x, mask=layers.combine_masks(source_mask, layers.causal_mask(ops.shape(source_ids)[1])))",
        ),
        (
            "another name for the encoder",
            ENCODER,
            ENCODER.replace("self.encoder", "self.reader"),
            ENCODE_X,
            ENCODE_X.replace("self.encoder", "self.reader"),
        ),
        ("another activation", DECODER, DECODER.replace("dropout)", 'dropout, activation="gelu")')),
    ],
)
mutants(
    MODEL,
    "dropout_is_on_in_training_only",
    [
        (
            "training=False for every part",
            ENCODE_X,
            "self.encoder(x, mask=source_mask, training=False)",
            DECODE_Y,
            DECODE_Y.replace("training=training", "training=False"),
            "x = self.dropout(x, training=training)",
            "x = x + 0",
            "y = self.dropout(y, training=training)",
            "y = y + 0",
        ),
        ("training unless somebody says no", "inputs, training=None)", "inputs, training=True)"),
        ("dropout always on", "y = self.dropout(y, training=training)", "y = self.dropout(y, training=True)"),
        (
            "no dropout anywhere",
            ENCODER,
            ENCODER.replace("dropout)", "0.0)"),
            DECODER,
            DECODER.replace("dropout)", "0.0)"),
            "keras.layers.Dropout(dropout)",
            "keras.layers.Dropout(0.0)",
        ),
        ("a dropout of 0.1, whatever is asked", "keras.layers.Dropout(dropout)", "keras.layers.Dropout(0.1)"),
        ("the default dropout of the encoder", ENCODER, ENCODER.replace(", dropout)", ")")),
    ],
)
mutants(
    MODEL,
    "everything_can_learn",
    [
        (
            "no gradient for the encoder",
            "memory = self.encoder(x, mask=source_mask, training=training)",
            "memory = ops.stop_gradient(self.encoder(x, mask=source_mask, training=training))",
        ),
        ("no gradient for the source's embedding", EMBED_X, f"ops.stop_gradient({EMBED_X})"),
        ("no gradient for the target's embedding", EMBED_Y, f"ops.stop_gradient({EMBED_Y})"),
        ("only the last layer learns", "self.to_logits(y)\n", "self.to_logits(ops.stop_gradient(y))\n"),
        (
            "the source's embedding stays as it is",
            SOURCE_TABLE,
            SOURCE_TABLE.replace("d_model)", "d_model, trainable=False)"),
        ),
        ("the encoder stays as it is", ENCODER, f"{ENCODER}\n        self.encoder.trainable = False"),
    ],
)
LENGTH = "ops.shape(target_ids)[1]"
mutants(
    MODEL,
    "lengths_may_be_open_and_change",
    [
        ("needs to know the length", LENGTH, "target_ids.shape[1]"),
        (
            "no padding mask in training",
            "        x = self.positions(",
            "        source_mask = None if training else source_mask\n        x = self.positions(",
        ),
        (
            "no causal mask in training",
            "        x = self.positions(",
            "        target_mask = layers.padding_mask(target_ids) if training else target_mask\n"
            "        x = self.positions(",
        ),
        (
            "a softmax in training",
            "self.to_logits(y)\n",
            "ops.softmax(self.to_logits(y)) if training else self.to_logits(y)\n",
        ),
    ],
)
CAST = "source_ids, target_ids = inputs"
mutants(
    MODEL,
    "all_sizes_are_as_asked",
    [
        ("ids of two bytes", CAST, "source_ids, target_ids = (ops.cast(ids, 'int16') for ids in inputs)"),
        ("ids of one byte", CAST, "source_ids, target_ids = (ops.cast(ids, 'uint8') for ids in inputs)"),
        ("always one head", ENCODER, ENCODER.replace("num_heads", "1"), DECODER, DECODER.replace("num_heads", "1")),
        ("always three heads", ENCODER, ENCODER.replace("num_heads", "3"), DECODER, DECODER.replace("num_heads", "3")),
        (
            "a causal mask for at most 128 tokens",
            "layers.causal_mask(ops.shape(target_ids)[1])",
            "layers.causal_mask(128)[:, :, : ops.shape(target_ids)[1], : ops.shape(target_ids)[1]]",
        ),
        ("an even d_ff", ENCODER, ENCODER.replace("d_ff", "d_ff // 2 * 2")),
        ("one head in the decoder", DECODER, DECODER.replace("num_heads", "1")),
        (
            "at most two layers",
            ENCODER,
            ENCODER.replace("num_layers", "min(2, num_layers)"),
            DECODER,
            DECODER.replace("num_layers", "min(2, num_layers)"),
        ),
        ("reads fifty source tokens", CAST, "source_ids, target_ids = inputs[0][:, :50], inputs[1]"),
    ],
)
DROP_X, DROP_Y = "        x = self.dropout(x, training=training)\n", "        y = self.dropout(y, training=training)\n"
mutants(
    MODEL,
    "dropout_acts_at_all_four_places",
    [
        ("no dropout after the embeddings", DROP_X, "", DROP_Y, ""),
        ("dropout after the source's embedding only", DROP_Y, ""),
        ("dropout after the target's embedding only", DROP_X, ""),
        (
            "no dropout within encoder and decoder",
            ENCODER,
            ENCODER.replace("dropout)", "0.0)"),
            DECODER,
            DECODER.replace("dropout)", "0.0)"),
        ),
        ("no dropout within the encoder", ENCODER, ENCODER.replace("dropout)", "0.0)")),
        ("no dropout within the decoder", DECODER, DECODER.replace("dropout)", "0.0)")),
        ("training=False for the encoder", ENCODE_X, ENCODE_X.replace("=training", "=False")),
        ("training=False for the decoder", DECODE_Y, DECODE_Y.replace("=training", "=False")),
        (
            "dropout before the positions are added",
            EMBED_X,
            "self.positions(self.dropout(self.source_embedding(source_ids) * self.scale))",
            DROP_X,
            "",
            EMBED_Y,
            "self.positions(self.dropout(self.target_embedding(target_ids) * self.scale))",
            DROP_Y,
            "",
        ),
        ("dropout on the memory instead of the source", DROP_X, "", ENCODE_X, f"self.dropout({ENCODE_X})"),
    ],
)

# --- right answers written otherwise ----------------------------------------------------------------------------------

accepted(
    "other names for what happens between, masks made by hand",
    MODEL[: MODEL.index("    def call(")]
    + """
    def embed(self, ids, table, training):
        return self.dropout(self.positions(self.scale * table(ids)), training=training)

    def call(self, inputs, training=None):
        source_ids, target_ids = inputs[0], inputs[1]
        seen = ops.not_equal(source_ids, 0)[:, None, None, :]
        places = ops.cumsum(ops.ones_like(target_ids[0]))
        allowed = ops.logical_and(
            ops.not_equal(target_ids, 0)[:, None, None, :], (places[:, None] >= places[None, :])[None, None]
        )
        memory = self.encoder(self.embed(source_ids, self.source_embedding, training), mask=seen, training=training)
        found = self.decoder(
            self.embed(target_ids, self.target_embedding, training),
            memory,
            mask=allowed,
            memory_mask=seen,
            training=training,
        )
        return self.to_logits(found)
"""
    + MODEL[MODEL.index("\n\ndef build_translator(") :],
)
accepted(
    "two dropout layers, encode and decode as methods of their own",
    MODEL[: MODEL.index("    def call(")].replace(
        "self.dropout = keras.layers.Dropout(dropout)",
        "self.first, self.second = keras.layers.Dropout(dropout), keras.layers.Dropout(dropout)",
    )
    + """
    def encode(self, ids, training):
        x = self.first(self.positions(self.source_embedding(ids) * math.sqrt(self.d_model)), training=training)
        return self.encoder(x, mask=layers.padding_mask(ids), training=training)

    def decode(self, ids, memory, memory_mask, training):
        y = self.second(self.positions(self.target_embedding(ids) * math.sqrt(self.d_model)), training=training)
        mask = layers.combine_masks(layers.padding_mask(ids), layers.causal_mask(ops.shape(ids)[1]))
        return self.decoder(y, memory, mask=mask, memory_mask=memory_mask, training=training)

    def call(self, inputs, training=None):
        source_ids, target_ids = inputs
        memory = self.encode(source_ids, training)
        return self.to_logits(self.decode(target_ids, memory, layers.padding_mask(source_ids), training))
""".replace("math.sqrt(self.d_model)", "self.d_model**0.5")
    + MODEL[MODEL.index("\n\ndef build_translator(") :],
)
accepted(
    "the scale as a number computed once, build_translator with names",
    MODEL[: MODEL.index("\n\ndef build_translator(")].replace(
        "self.scale = d_model**0.5", "self.scale = np.sqrt(d_model).item()"
    )
    + """

def build_translator(source_vocab_size, target_vocab_size, num_layers, d_model, num_heads, d_ff, dropout):
    sizes = {"num_layers": num_layers, "d_model": d_model, "num_heads": num_heads, "d_ff": d_ff, "dropout": dropout}
    translator = TranslationModel(source_vocab_size, target_vocab_size, **sizes)
    translator.build(None)
    return translator
""",
)
