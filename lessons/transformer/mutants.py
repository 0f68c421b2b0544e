"""Typical wrong answers of the lesson `transformer`; each must fail the criterion that it names.

Most are a right answer with one piece changed, as people do it. For the three listings of part 9 there are more: the
broken listing as it stands, each fault left alone in a listing that is otherwise repaired, and each repaired alone.
"""

from llmcourse.checking import mutant, mutants, replace_once

# --- exercise 1: encoder_layer ----------------------------------------------------------------------------------------

ENCODER = """
class EncoderLayer(keras.layers.Layer):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0):
        super().__init__()
        self.self_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.self_attention = layers.MultiHeadAttention(num_heads, d_model // num_heads)
        self.feed_forward_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.feed_forward = layers.FeedForward(d_model, d_ff)
        self.dropout = keras.layers.Dropout(dropout)

    def build(self, x_shape):
        self.self_attention_norm.build(x_shape)
        self.self_attention.build(x_shape, x_shape)
        self.feed_forward_norm.build(x_shape)
        self.feed_forward.build(x_shape)

    def call(self, x, mask=None, training=None):
        y = self.self_attention_norm(x)
        y = self.self_attention(y, y, mask=mask)
        x = x + self.dropout(y, training=training)
        z = self.feed_forward(self.feed_forward_norm(x))
        return x + self.dropout(z, training=training)
"""
SUM_1, SUM_2 = "x = x + self.dropout(y, training=training)", "return x + self.dropout(z, training=training)"
ENTER_1, ENTER_2 = "y = self.self_attention_norm(x)", "self.feed_forward(self.feed_forward_norm(x))"
ATTEND = "self.self_attention(y, y, mask=mask)"
mutants("encoder_layer", ENCODER, "*", [("imports the answer", ENCODER, "EncoderLayer = layers.EncoderLayer")])
mutants(
    "encoder_layer",
    ENCODER,
    "silent_sub_layers_leave_x_alone",
    [
        ("no short cut around the attention", SUM_1, "x = self.dropout(y, training=training)"),
        ("no short cut around the feed-forward network", SUM_2, "return self.dropout(z, training=training)"),
        (
            "post-norm, as in 2017",
            ENTER_1,
            "y = x",
            SUM_1,
            "x = self.self_attention_norm(x + self.dropout(y, training=training))",
            ENTER_2,
            "self.feed_forward(x)",
            SUM_2,
            "return self.feed_forward_norm(x + self.dropout(z, training=training))",
        ),
        ("a norm after the last sum", SUM_2, "return self.feed_forward_norm(x + self.dropout(z, training=training))"),
        ("the short cut starts behind the norm", ENTER_1, "x = y = self.self_attention_norm(x)"),
        ("adds x twice", SUM_2, "return x + x + self.dropout(z, training=training)"),
        ("returns what the second half adds to y", SUM_2, "return y + self.dropout(z, training=training)"),
        ("multiplies instead of adding", SUM_1, "x = x * self.dropout(y, training=training)"),
    ],
)
mutants(
    "encoder_layer",
    ENCODER,
    "attention_of_the_normalised_x_is_added",
    [
        ("no norm before the attention", ENTER_1, "y = x"),
        ("normalises the query only", ATTEND, "self.self_attention(y, x, mask=mask)"),
        ("normalises the value only", ATTEND, "self.self_attention(x, y, mask=mask)"),
        ("takes the other norm", ENTER_1, "y = self.feed_forward_norm(x)"),
        ("subtracts", SUM_1, "x = x - self.dropout(y, training=training)"),
        ("forgets the attention", ATTEND, "0 * y"),
    ],
)
mutants(
    "encoder_layer",
    ENCODER,
    "feed_forward_of_the_normalised_x_is_added",
    [
        ("no norm before the feed-forward network", ENTER_2, "self.feed_forward(x)"),
        ("one norm for both halves", ENTER_2, "self.feed_forward(self.self_attention_norm(x))"),
        ("returns after the attention", SUM_2, "return x"),
        (
            "runs the feed-forward network twice",
            ENTER_2,
            "self.feed_forward(self.feed_forward(self.feed_forward_norm(x)))",
        ),
    ],
)
mutants(
    "encoder_layer",
    ENCODER,
    "the_second_half_works_on_the_first_sum",
    [
        (
            "the feed-forward network reads what the attention found, without x",
            ENTER_2,
            "self.feed_forward(self.feed_forward_norm(y))",
        ),
        (
            "both halves side by side",
            ENTER_1,
            "first = x\n        y = self.self_attention_norm(x)",
            ENTER_2,
            "self.feed_forward(self.feed_forward_norm(first))",
        ),
        (
            "feed-forward first",
            f"        {ENTER_1}\n        y = {ATTEND}\n        {SUM_1}\n        z = {ENTER_2}\n        {SUM_2}",
            f"        z = {ENTER_2}\n        x = x + z\n        {ENTER_1}\n        y = {ATTEND}\n        return x + y",
        ),
        (
            "the second short cut starts from the first x",
            ENTER_1,
            "first = x\n        y = self.self_attention_norm(x)",
            SUM_2,
            "return first + self.dropout(z, training=training)",
        ),
    ],
)
mutants(
    "encoder_layer",
    ENCODER,
    "padding_has_no_influence",
    [
        ("does not hand on the mask", ATTEND, "self.self_attention(y, y)"),
        (
            "turns the mask round",
            ATTEND,
            "self.self_attention(y, y, mask=None if mask is None else ops.logical_not(mask))",
        ),
        (
            "a causal mask in the encoder",
            ATTEND,
            "self.self_attention(y, y, mask=layers.combine_masks(mask, layers.causal_mask(x.shape[1])))",
        ),
    ],
)
mutants(
    "encoder_layer",
    ENCODER,
    "dropout_acts_on_what_is_added",
    [
        ("dropout on the sum", SUM_1, "x = self.dropout(x + y, training=training)"),
        ("no dropout on what the attention adds", SUM_1, "x = x + y"),
        ("no dropout on what the feed-forward network adds", SUM_2, "return x + z"),
        ("dropout always on", SUM_2, "return x + self.dropout(z, training=True)"),
        (
            "dropout at the entrance",
            ENTER_2,
            "self.feed_forward(self.dropout(self.feed_forward_norm(x), training=training))",
            SUM_2,
            "return x + z",
        ),
    ],
)

# --- exercise 2: decoder_layer ----------------------------------------------------------------------------------------

DECODER = """
class DecoderLayer(keras.layers.Layer):
    def __init__(self, d_model, num_heads, d_ff, dropout=0.0):
        super().__init__()
        self.self_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.self_attention = layers.MultiHeadAttention(num_heads, d_model // num_heads)
        self.cross_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.cross_attention = layers.MultiHeadAttention(num_heads, d_model // num_heads)
        self.feed_forward_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.feed_forward = layers.FeedForward(d_model, d_ff)
        self.dropout = keras.layers.Dropout(dropout)

    def build(self, x_shape, memory_shape):
        self.self_attention_norm.build(x_shape)
        self.self_attention.build(x_shape, x_shape)
        self.cross_attention_norm.build(x_shape)
        self.cross_attention.build(x_shape, memory_shape)
        self.feed_forward_norm.build(x_shape)
        self.feed_forward.build(x_shape)

    def call(self, x, memory, mask=None, memory_mask=None, training=None):
        first = x
        y = self.self_attention_norm(x)
        y = self.self_attention(y, y, mask=mask)
        x = x + self.dropout(y, training=training)
        second = x
        c = self.cross_attention(self.cross_attention_norm(x), memory, mask=memory_mask)
        x = x + self.dropout(c, training=training)
        z = self.feed_forward(self.feed_forward_norm(x))
        return x + self.dropout(z, training=training)
"""
CROSS = "self.cross_attention(self.cross_attention_norm(x), memory, mask=memory_mask)"
SUM_C = "x = x + self.dropout(c, training=training)"
mutants("decoder_layer", DECODER, "*", [("imports the answer", DECODER, "DecoderLayer = layers.DecoderLayer")])
mutants(
    "decoder_layer",
    DECODER,
    "three_silent_sub_layers_leave_x_alone",
    [
        ("no short cut around the cross-attention", SUM_C, "x = self.dropout(c, training=training)"),
        ("no short cut around the self-attention", SUM_1, "x = self.dropout(y, training=training)"),
        ("no short cut around the feed-forward network", SUM_2, "return self.dropout(z, training=training)"),
        ("a norm after the last sum", SUM_2, "return self.feed_forward_norm(x + self.dropout(z, training=training))"),
        ("the memory takes the place of the short cut", SUM_C, "x = memory + self.dropout(c, training=training)"),
        ("the short cut starts behind the norm", ENTER_1, "x = y = self.self_attention_norm(x)"),
    ],
)
mutants(
    "decoder_layer",
    DECODER,
    "the_target_attends_to_itself",
    [
        ("the self-attention asks the memory", ATTEND, "self.self_attention(y, memory)"),
        ("normalises the query only", ATTEND, "self.self_attention(y, x, mask=mask)"),
        ("no norm before the self-attention", ENTER_1, "y = x"),
        ("takes the norm of the cross-attention", ENTER_1, "y = self.cross_attention_norm(x)"),
    ],
)
mutants(
    "decoder_layer",
    DECODER,
    "the_decoder_asks_and_the_memory_answers",
    [
        ("the memory asks and the target answers", CROSS, "self.cross_attention(memory, self.cross_attention_norm(x))"),
        (
            "a second self-attention",
            CROSS,
            "self.cross_attention(self.cross_attention_norm(x), self.cross_attention_norm(x))",
        ),
        (
            "normalises the memory too",
            CROSS,
            "self.cross_attention(self.cross_attention_norm(x), self.cross_attention_norm(memory), mask=memory_mask)",
        ),
        ("no norm before the cross-attention", CROSS, "self.cross_attention(x, memory, mask=memory_mask)"),
        (
            "uses the weights of the self-attention again",
            CROSS,
            "self.self_attention(self.cross_attention_norm(x), memory, mask=memory_mask)",
        ),
        ("no cross-attention at all", SUM_C, ""),
        (
            "takes the memory as value and the target as key",
            CROSS,
            "self.cross_attention(self.cross_attention_norm(x), memory, ops.flip(memory, 1), mask=memory_mask)",
        ),
    ],
)
mutants(
    "decoder_layer",
    DECODER,
    "the_feed_forward_network_is_added_too",
    [
        ("returns after the cross-attention", SUM_2, "return x"),
        ("no norm before the feed-forward network", ENTER_2, "self.feed_forward(x)"),
        ("takes the norm of the cross-attention", ENTER_2, "self.feed_forward(self.cross_attention_norm(x))"),
    ],
)
mutants(
    "decoder_layer",
    DECODER,
    "each_sub_layer_works_on_the_last_sum",
    [
        ("the third short cut starts from x", SUM_2, "return first + self.dropout(z, training=training)"),
        ("the third short cut starts from the first sum", SUM_2, "return second + self.dropout(z, training=training)"),
        (
            "the cross-attention asks with x as it came in",
            "self.cross_attention_norm(x)",
            "self.cross_attention_norm(first)",
        ),
        ("the second short cut starts from x", SUM_C, "x = first + self.dropout(c, training=training)"),
        ("the feed-forward network reads the first sum", "self.feed_forward_norm(x)", "self.feed_forward_norm(second)"),
        (
            "cross-attention before self-attention",
            f"        {ENTER_1}\n        y = {ATTEND}\n        {SUM_1}\n"
            f"        second = x\n        c = {CROSS}\n        {SUM_C}\n",
            f"        c = {CROSS}\n        {SUM_C}\n        {ENTER_1}\n        y = {ATTEND}\n        {SUM_1}\n",
        ),
    ],
)
mutants(
    "decoder_layer",
    DECODER,
    "no_position_sees_a_later_token",
    [
        ("does not hand on the causal mask", ATTEND, "self.self_attention(y, y)"),
        ("no mask in training", ATTEND, "self.self_attention(y, y, mask=None if training else mask)"),
        (
            "turns the mask round",
            ATTEND,
            "self.self_attention(y, y, mask=None if mask is None else ops.logical_not(mask))",
        ),
        (
            "transposes the mask",
            ATTEND,
            "self.self_attention(y, y, mask=None if mask is None else ops.swapaxes(mask, 2, 3))",
        ),
    ],
)
mutants(
    "decoder_layer",
    DECODER,
    "each_attention_gets_its_own_mask",
    [
        ("the masks are exchanged", "mask=mask", "mask=memory_mask", "memory, mask=memory_mask", "memory, mask=mask"),
        ("does not hand on the memory mask", "memory, mask=memory_mask", "memory"),
        ("the causal mask rules the cross-attention", "memory, mask=memory_mask", "memory, mask=mask"),
        (
            "both masks in the cross-attention",
            "memory, mask=memory_mask",
            "memory, mask=layers.combine_masks(mask, memory_mask)",
        ),
        (
            "both masks in the self-attention",
            "(y, y, mask=mask)",
            "(y, y, mask=layers.combine_masks(mask, memory_mask))",
        ),
        (
            "always a causal mask of its own",
            "(y, y, mask=mask)",
            "(y, y, mask=layers.combine_masks(mask, layers.causal_mask(x.shape[1])))",
        ),
    ],
)
mutants(
    "decoder_layer",
    DECODER,
    "dropout_acts_on_all_that_is_added",
    [
        ("dropout on the second sum", SUM_C, "x = self.dropout(x + c, training=training)"),
        ("no dropout on what the cross-attention adds", SUM_C, "x = x + c"),
        ("no dropout on what the feed-forward network adds", SUM_2, "return x + z"),
        ("dropout always on", SUM_1, "x = x + self.dropout(y, training=True)"),
    ],
)

# --- exercise 3: shift_targets ----------------------------------------------------------------------------------------

SHIFT = """
def shift_targets(ids):
    return ids[:, :-1], ids[:, 1:]
"""
GIVEN, WANTED = "ids[:, :-1]", "ids[:, 1:]"
mutants(
    "shift_targets",
    SHIFT,
    "both_lose_one_column_and_no_sentence",
    [
        ("shifts the sentences instead of the columns", GIVEN, "ids[:-1]", WANTED, "ids[1:]"),
        ("does not shift at all", GIVEN, "ids", WANTED, "ids"),
        ("keeps all columns of the inputs", GIVEN, "ids"),
        ("keeps all columns of the targets", WANTED, "ids"),
        ("rolls the targets round", GIVEN, "ids", WANTED, "np.roll(ids, -1, axis=1)"),
        ("cuts off both ends", GIVEN, "ids[:, 1:-1]", WANTED, "ids[:, 1:-1]"),
        ("returns a single array", f"{GIVEN}, {WANTED}", "ids[:, 1:]"),
    ],
)
mutants(
    "shift_targets",
    SHIFT,
    "the_inputs_begin_with_start",
    [
        ("returns the pair in the other order", f"{GIVEN}, {WANTED}", f"{WANTED}, {GIVEN}"),
        ("the inputs lose START", GIVEN, "ids[:, 1:]"),
        ("replaces END among the inputs by PAD", GIVEN, "np.where(ids == 3, 0, ids)[:, :-1]"),
        ("puts another START in front", GIVEN, "np.pad(ids, ((0, 0), (1, 0)), constant_values=2)[:, :-2]"),
    ],
)
mutants(
    "shift_targets",
    SHIFT,
    "the_targets_are_one_place_ahead",
    [
        ("the targets are the inputs", WANTED, "ids[:, :-1]"),
        ("the targets lie behind the inputs", WANTED, "np.roll(ids, 1, axis=1)[:, :-1]"),
        ("two places ahead", WANTED, "np.pad(ids, ((0, 0), (0, 1)))[:, 2:]"),
        ("leaves END out", WANTED, "np.where(ids == 3, 0, ids)[:, 1:]"),
        ("turns the targets round", WANTED, "ids[:, :0:-1]"),
    ],
)
mutants(
    "shift_targets",
    SHIFT,
    "any_length_works_and_the_ids_stay",
    [
        ("writes into ids", "    return", "    ids = np.asarray(ids)\n    ids[:, -1] = 0\n    return"),
        ("squeezes a batch of one", GIVEN, "np.squeeze(ids[:, :-1])"),
    ],
)

# --- exercise 4: label_smoothed_loss ----------------------------------------------------------------------------------

LOSS = """
def label_smoothed_loss(targets, logits, epsilon):
    targets = ops.cast(targets, "int32")
    size = logits.shape[-1]
    log_probs = ops.log_softmax(logits)
    q = (1 - epsilon) * ops.one_hot(targets, size) + epsilon / size
    each = -ops.sum(q * log_probs, axis=-1)
    real = ops.cast(ops.not_equal(targets, 0), "float32")
    return ops.sum(each * real) / ops.maximum(ops.sum(real), 1.0)
"""
Q, MEAN = (
    "(1 - epsilon) * ops.one_hot(targets, size) + epsilon / size",
    "ops.sum(each * real) / ops.maximum(ops.sum(real), 1.0)",
)
LOG = "ops.log_softmax(logits)"
mutants(
    "label_smoothed_loss",
    LOSS,
    "*",
    [
        (
            "imports the answer",
            "    targets = ",
            "    return losses.label_smoothed_loss(targets, logits, epsilon)\n    targets = ",
        ),
        (
            "lets Keras do it",
            "    targets = ",
            "    q = ops.one_hot(targets, logits.shape[-1])\n"
            "    return keras.losses.CategoricalCrossentropy(True, epsilon)(q, logits)\n    targets = ",
        ),
    ],
)
mutants(
    "label_smoothed_loss",
    LOSS,
    "without_smoothing_it_is_the_cross_entropy",
    [
        ("takes the logits for log-probabilities", LOG, "logits"),
        ("takes the logits for probabilities", LOG, "ops.log(ops.clip(logits, 1e-7, 1.0))"),
        ("forgets the minus", "-ops.sum(q", "ops.sum(q"),
        ("softmax over the positions", LOG, "ops.log_softmax(logits, axis=1)"),
        ("the sum instead of the mean", MEAN, "ops.sum(each * real)"),
        ("one loss for each sentence", MEAN, "ops.sum(each * real, axis=1) / ops.sum(real, axis=1)"),
        ("divides by the number of sentences", MEAN, "ops.sum(each * real) / logits.shape[0]"),
        ("the mean over the vocabulary", "-ops.sum(q * log_probs, axis=-1)", "-ops.mean(q * log_probs, axis=-1)"),
        ("logarithm to the base 2", LOG, "ops.log_softmax(logits) / 0.6931472"),
        (
            "shifts the targets once more",
            "targets = ops.cast(targets",
            "targets = ops.cast(ops.roll(targets, -1, axis=1)",
        ),
    ],
)
mutants(
    "label_smoothed_loss",
    LOSS,
    "smoothing_shares_epsilon_among_all_tokens",
    [
        (
            "shares epsilon among the others only",
            Q,
            "(1 - epsilon - epsilon / (size - 1)) * ops.one_hot(targets, size) + epsilon / (size - 1)",
        ),
        ("the target keeps all", Q, "ops.one_hot(targets, size) + epsilon / size"),
        ("each other token gets epsilon", Q, "(1 - epsilon) * ops.one_hot(targets, size) + epsilon"),
        ("forgets to smooth", Q, "ops.one_hot(targets, size)"),
        ("a fixed epsilon", Q, "0.9 * ops.one_hot(targets, size) + 0.05 / size"),
        ("smooths with the sum over the vocabulary", Q, "(1 - epsilon) * ops.one_hot(targets, size) + epsilon * size"),
    ],
)
mutants(
    "label_smoothed_loss",
    LOSS,
    "padding_counts_neither_above_nor_below",
    [
        ("padding counts in the sum and in the number", MEAN, "ops.mean(each)"),
        ("padding counts in the number", MEAN, "ops.mean(each * real)"),
        ("padding counts in the sum", MEAN, "ops.sum(each) / ops.maximum(ops.sum(real), 1.0)"),
        ("masks UNK instead of PAD", "not_equal(targets, 0)", "not_equal(targets, 1)"),
        ("counts padding only", "not_equal(targets, 0)", "equal(targets, 0)"),
        (
            "smoothing brings padding back",
            "-ops.sum(q * log_probs, axis=-1)",
            "-ops.sum(q * log_probs, axis=-1) + epsilon * ops.sum(1 - ops.cast(targets != 0, 'float32'))",
        ),
    ],
)
mutants(
    "label_smoothed_loss",
    LOSS,
    "every_token_weighs_the_same",
    [
        (
            "the mean of the sentences' means",
            MEAN,
            "ops.mean(ops.sum(each * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1.0))",
        ),
        (
            "the mean of the positions' means",
            MEAN,
            "ops.mean(ops.sum(each * real, axis=0) / ops.maximum(ops.sum(real, axis=0), 1.0))",
        ),
    ],
)
mutants(
    "label_smoothed_loss",
    LOSS,
    "huge_logits_give_a_finite_loss",
    [
        ("the logarithm of the softmax", LOG, "ops.log(ops.softmax(logits))"),
        ("hides it with a small constant", LOG, "ops.log(ops.softmax(logits) + 1e-9)"),
        ("writes the softmax by hand", LOG, "logits - ops.log(ops.sum(ops.exp(logits), axis=-1, keepdims=True))"),
        ("clips the logits", LOG, "ops.log_softmax(ops.clip(logits, -50.0, 50.0))"),
    ],
)
mutants(
    "label_smoothed_loss",
    LOSS,
    "targets_may_come_as_floats",
    [
        (
            "uses the targets as they come",
            'ops.cast(targets, "int32")',
            "ops.convert_to_tensor(targets)",
            "ops.one_hot(targets, size)",
            "ops.convert_to_tensor(np.eye(size, dtype='float32')[np.asarray(targets)])",
        )
    ],
)
mutants(
    "label_smoothed_loss",
    LOSS,
    "a_batch_of_padding_has_no_loss",
    [("divides by 0 where there is nothing", "ops.maximum(ops.sum(real), 1.0)", "ops.sum(real)")],
)

# --- exercise 5: noam_schedule ----------------------------------------------------------------------------------------

NOAM = """
def noam_schedule(step, d_model, warmup_steps):
    step = np.asarray(step, dtype="float64")
    return d_model**-0.5 * np.minimum(step**-0.5, step * warmup_steps**-1.5)
"""
mutants(
    "noam_schedule",
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
    "noam_schedule",
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
    "noam_schedule",
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
    "noam_schedule",
    NOAM,
    "the_peak_is_where_the_warm_up_ends",
    [
        ("warms up for twice as long", "step * warmup_steps**-1.5", "step * (2 * warmup_steps)**-1.5"),
        ("0 at the end of the warm-up", "return d", "return 0.0 if np.ndim(step) == 0 and step == warmup_steps else d"),
    ],
)
mutants(
    "noam_schedule",
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
        ("flattens", 'dtype="float64")', 'dtype="float64")\n    step = step.ravel() if step.ndim else step'),
    ],
)

# --- exercise 6: greedy_decode ----------------------------------------------------------------------------------------

GREEDY = """
def greedy_decode(model, source, max_length):
    target = np.zeros((len(source), max_length + 1), dtype="int32")
    target[:, 0] = 2
    finished = np.zeros(len(source), dtype=bool)
    for length in range(1, max_length + 1):
        logits = np.asarray(model(source, target[:, :length]))
        target[:, length] = np.where(finished, 0, logits[:, -1].argmax(axis=-1))
        finished |= target[:, length] == 3
        if finished.all():
            break
    return target[:, 1:]
"""
NEXT = "np.where(finished, 0, logits[:, -1].argmax(axis=-1))"
RESULT = "return target[:, 1:]"
mutants(
    "greedy_decode",
    GREEDY,
    "*",
    [
        (
            "imports the answer",
            "    target = np",
            "    return tested_greedy_decode(model, source, max_length)\n    target = np",
        )
    ],
)
mutants(
    "greedy_decode",
    GREEDY,
    "the_result_has_max_length_columns",
    [
        ("leaves START in the result", RESULT, "return target"),
        ("cuts off what was not needed", RESULT, "return target[:, 1 : length + 1]"),
        ("returns a list for each sentence", RESULT, "return [row[row > 0].tolist() for row in target[:, 1:]]"),
        ("floats", RESULT, "return target[:, 1:].astype(float)"),
        ("drops the last token", RESULT, "return target[:, :-1][:, 1:]"),
    ],
)
mutants(
    "greedy_decode",
    GREEDY,
    "each_token_is_the_best_of_the_last_position",
    [
        ("the scores of the first position", "logits[:, -1]", "logits[:, 0]"),
        ("the worst token", "argmax", "argmin"),
        ("one token for the whole batch", "logits[:, -1].argmax(axis=-1)", "logits[:, -1].sum(axis=0).argmax()"),
        ("the best over all positions", "logits[:, -1].argmax(axis=-1)", "logits.max(axis=1).argmax(axis=-1)"),
        ("never says token 4 or below", "logits[:, -1].argmax(axis=-1)", "logits[:, -1, 6:].argmax(axis=-1) + 6"),
        (
            "a random token",
            "logits[:, -1].argmax(axis=-1)",
            "np.random.randint(4, 9, size=len(source))",
        ),
        ("begins with END", "target[:, 0] = 2", "target[:, 0] = 3"),
        ("forgets START", "target[:, 0] = 2", "target[:, 0] = 0"),
    ],
)
mutants(
    "greedy_decode",
    GREEDY,
    "each_sentence_stops_at_its_own_end",
    [
        ("leaves the chatter behind END", NEXT, "logits[:, -1].argmax(axis=-1)"),
        ("stops all when one is finished", "finished.all()", "finished.any()"),
        ("fills up with END", "np.where(finished, 0,", "np.where(finished, 3,"),
        ("leaves END out", RESULT, "return np.where(target == 3, 0, target)[:, 1:]"),
        ("takes UNK for END", "== 3", "== 1"),
        ("forgets who was finished before", "finished |=", "finished ="),
    ],
)
mutants(
    "greedy_decode",
    GREEDY,
    "the_model_sees_start_and_all_that_was_written",
    [
        ("gives the model the padding too", "target[:, :length]))", "target))[:, :length]"),
        ("gives the model the last token only", "target[:, :length]))", "target[:, length - 1 : length]))"),
        ("exchanges source and target", "model(source, target[:, :length])", "model(target[:, :length], source)"),
        (
            "one sentence after the other sees the first source",
            "model(source,",
            "model(source[:1].repeat(len(source), 0),",
        ),
        ("does not begin with START", "target[:, :length]", "target[:, 1 : length + 1]"),
    ],
)
mutants(
    "greedy_decode",
    GREEDY,
    "it_stops_when_all_are_finished",
    [
        ("never stops early", "if finished.all():", "if False:"),
        (
            "one call too many",
            "if finished.all():",
            "if finished.all() and length > 1 and (target[:, length] == 0).all():",
        ),
        ("asks twice for each token", "logits = np", "model(source, target[:, :length])\n        logits = np"),
        ("asks once more at the end", RESULT, "model(source, target)\n    return target[:, 1:]"),
    ],
)
mutants(
    "greedy_decode",
    GREEDY,
    "end_may_be_the_last_token_that_fits",
    [
        ("one token too few", "range(1, max_length + 1)", "range(1, max_length)"),
        ("puts END at the end by force", RESULT, "target[~finished, -1] = 3\n    return target[:, 1:]"),
        ("deletes what did not come to its END", RESULT, "target[~finished] = 0\n    return target[:, 1:]"),
    ],
)
mutants(
    "greedy_decode",
    GREEDY,
    "the_source_stays_and_one_sentence_is_enough",
    [
        ("writes into source", RESULT, "source[:] = 0\n    return target[:, 1:]"),
        ("squeezes a batch of one", RESULT, "return np.squeeze(target[:, 1:])"),
    ],
)

# --- exercise 7: repair_formula ---------------------------------------------------------------------------------------

FORMULA = """
def repaired_attention(x, memory, w_query, w_key, w_value, mask=None, causal=False):
    query = ops.matmul(x, w_query)
    key = ops.matmul(memory, w_key)
    value = ops.matmul(memory, w_value)
    scores = ops.matmul(query, ops.swapaxes(key, 1, 2)) / w_key.shape[1] ** 0.5
    if mask is not None:
        mask = mask[:, None, :]
    if causal:
        length = x.shape[1]
        future = ops.arange(length)[None, :, None] >= ops.arange(length)[None, None, :]
        mask = future if mask is None else ops.logical_and(future, mask)
    if mask is not None:
        scores = ops.where(mask, scores, -1e9)
    weights = ops.softmax(scores, axis=-1)
    return ops.matmul(weights, value), weights
"""
# Each fault of the listing: what it is, the criterion that finds it, the right piece and the broken one.
FORMULA_FAULTS = (
    ("no softmax", "the_weights_of_each_query_sum_to_one", "ops.softmax(scores, axis=-1)", "scores"),
    (
        "the value matrix is transposed",
        "the_output_is_the_mean_of_the_values",
        "ops.matmul(weights, value)",
        "ops.matmul(weights, ops.swapaxes(value, 1, 2))",
    ),
    (
        "one mask for two things",
        "padding_stays_hidden_when_the_future_is_hidden_too",
        "mask = future if mask is None else ops.logical_and(future, mask)",
        "mask = future",
    ),
    (
        "rows and columns mixed",
        "queries_and_keys_have_one_token_in_each_row",
        "key = ops.matmul(memory, w_key)",
        "key = ops.matmul(ops.transpose(w_key), ops.swapaxes(memory, 1, 2))",
    ),
)


def sick(exercise, healthy, faults):
    """Declare the broken listing, each fault left alone, and each fault repaired while the others stay."""

    def broken(kept):
        return replace_once(healthy, *(text for _, _, *pieces in kept for text in pieces))

    for fault in faults:
        mutant(exercise, fails=fault[1], why=f"the broken listing as it stands: {fault[0]}", source=broken(faults))
        mutant(exercise, fails=fault[1], why=f"left alone: {fault[0]}", source=broken([fault]))
        others = [other for other in faults if other is not fault]
        mutant(exercise, fails=others[0][1], why=f"repairs only this: {fault[0]}", source=broken(others))


mutants(
    "repair_formula",
    FORMULA,
    "*",
    [
        (
            "imports the answer",
            "    query = ",
            "    mask = None if mask is None else mask[:, None, None, :]\n"
            "    mask = layers.combine_masks(mask, layers.causal_mask(x.shape[1])) if causal else mask\n"
            "    parts = (ops.matmul(x, w_query), ops.matmul(memory, w_key), ops.matmul(memory, w_value))\n"
            "    found = layers.scaled_dot_product_attention(*(part[:, None] for part in parts), mask)\n"
            "    return found[0][:, 0], found[1][:, 0]\n"
            "    query = ",
        )
    ],
)
sick("repair_formula", FORMULA, FORMULA_FAULTS)
SOFTMAX = "ops.softmax(scores, axis=-1)"
mutants(
    "repair_formula",
    FORMULA,
    "the_weights_of_each_query_sum_to_one",
    [
        ("softmax over the queries", SOFTMAX, "ops.softmax(scores, axis=1)"),
        ("divides by the sum of the scores", SOFTMAX, "scores / ops.sum(scores, axis=-1, keepdims=True)"),
        ("sigmoid instead of softmax", SOFTMAX, "ops.sigmoid(scores)"),
    ],
)
mutants(
    "repair_formula",
    FORMULA,
    "queries_and_keys_have_one_token_in_each_row",
    [
        (
            "exchanges queries and keys",
            "ops.matmul(query, ops.swapaxes(key, 1, 2))",
            "ops.matmul(key, ops.swapaxes(query, 1, 2))",
        ),
        ("transposes the weights of the keys", "ops.matmul(memory, w_key)", "ops.matmul(memory, ops.transpose(w_key))"),
    ],
)
mutants(
    "repair_formula",
    FORMULA,
    "six_different_sizes_fit_together",
    [("asks the memory with itself", "ops.matmul(x, w_query)", "ops.matmul(memory, w_query)")],
)
mutants(
    "repair_formula",
    FORMULA,
    "padding_gets_no_weight",
    [
        ("turns the mask round", "ops.where(mask, scores, -1e9)", "ops.where(mask, -1e9, scores)"),
        ("0 instead of a very small score", "ops.where(mask, scores, -1e9)", "ops.where(mask, scores, 0.0)"),
        ("forgets the mask", "        mask = mask[:, None, :]", "        mask = None"),
        ("masks the queries", "mask[:, None, :]", "mask[:, :, None]"),
    ],
)
mutants(
    "repair_formula",
    FORMULA,
    "padding_stays_hidden_when_the_future_is_hidden_too",
    [
        ("allows what one of the two allows", "ops.logical_and(future, mask)", "ops.logical_or(future, mask)"),
        (
            "the causal mask only without padding",
            "future if mask is None else ops.logical_and(future, mask)",
            "future if mask is None else mask",
        ),
        ("hides the past", "[None, :, None] >= ", "[None, :, None] <= "),
        ("never causal", "    if causal:", "    if causal and mask is None and False:"),
    ],
)
mutants(
    "repair_formula",
    FORMULA,
    "it_is_the_formula_of_attention",
    [
        ("no scale", " / w_key.shape[1] ** 0.5", ""),
        ("divides by K", "w_key.shape[1] ** 0.5", "w_key.shape[1]"),
        ("scales with D", "w_key.shape[1] ** 0.5", "w_key.shape[0] ** 0.5"),
        ("a hard maximum", SOFTMAX, "ops.one_hot(ops.argmax(scores, axis=-1), scores.shape[-1])"),
        ("a token does not see itself", " >= ", " > "),
    ],
)

# --- exercise 8: repair_layers ----------------------------------------------------------------------------------------

MODEL = """
class RepairedTransformer(keras.Model):
    def __init__(self, source_vocab_size, target_vocab_size, d_model, num_heads, d_ff):
        super().__init__()
        self.d_model = d_model
        heads, self_heads = d_model // num_heads, d_model // num_heads
        self.source_embedding = keras.layers.Embedding(source_vocab_size, d_model)
        self.target_embedding = keras.layers.Embedding(target_vocab_size, d_model)
        self.positions = layers.PositionalEncoding()
        self.encoder_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.encoder_attention = layers.MultiHeadAttention(num_heads, heads)
        self.encoder_feed_forward_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.encoder_feed_forward = layers.FeedForward(d_model, d_ff)
        self.encoder_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.self_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.self_attention = layers.MultiHeadAttention(num_heads, self_heads)
        self.cross_attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.cross_attention = layers.MultiHeadAttention(num_heads, self_heads)
        self.feed_forward_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.feed_forward = layers.FeedForward(d_model + 0, d_ff)
        self.decoder_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.to_logits = keras.layers.Dense(target_vocab_size)

    def call(self, source_ids, target_ids):
        source = self.source_embedding(source_ids)
        target = self.target_embedding(target_ids)
        source = self.positions(source)
        target = self.positions(target)

        x = source
        y = self.encoder_attention_norm(x)
        y = self.encoder_attention(y, y)
        x = x + y
        x = x + self.encoder_feed_forward(self.encoder_feed_forward_norm(x))
        memory = self.encoder_norm(x)

        x = target
        causal = layers.causal_mask(x.shape[1])
        y = self.self_attention_norm(x)
        y = self.self_attention(y, y, mask=causal)
        x = x + y
        first = x
        y = self.cross_attention(self.cross_attention_norm(x), memory)
        x = x + y
        x = x + self.feed_forward(self.feed_forward_norm(x))
        return self.to_logits(self.decoder_norm(x))
"""
CROSS_LINES = (
    "        y = self.cross_attention(self.cross_attention_norm(x), memory)\n        x = x + y\n        x = x + self"
)
THIRD = "        x = x + self.feed_forward(self.feed_forward_norm(x))\n"
MODEL_FAULTS = (
    (
        "key_dim is d_model",
        "the_heads_share_the_width_of_the_model",
        "heads, self_heads = d_model // num_heads, d_model // num_heads",
        "heads, self_heads = d_model, d_model",
    ),
    (
        "the feed-forward networks are as wide as the vocabulary",
        "the_feed_forward_networks_return_to_the_width",
        "self.encoder_feed_forward = layers.FeedForward(d_model, d_ff)",
        "self.encoder_feed_forward = layers.FeedForward(target_vocab_size, d_ff)",
        "layers.FeedForward(d_model + 0, d_ff)",
        "layers.FeedForward(target_vocab_size, d_ff)",
    ),
    (
        "the encoder attends to the target",
        "no_position_knows_a_later_target_token",
        "self.encoder_attention(y, y)",
        "self.encoder_attention(y, target)",
    ),
    (
        "the self-attention asks with the memory, and there is no cross-attention",
        "source_and_target_may_differ_in_length",
        "self.self_attention(y, y, mask=causal)",
        "self.self_attention(memory, y, mask=causal)",
        "        y = self.cross_attention(self.cross_attention_norm(x), memory)\n        x = x + y\n",
        "",
    ),
    (
        "the third short cut adds the wrong tensor, and the third sub-layer is missing",
        "the_third_sub_layer_takes_part",
        THIRD,
        "        x = x + y\n",
    ),
    (
        "one embedding for two vocabularies, never applied",
        "the_embeddings_are_applied",
        "        self.target_embedding = keras.layers.Embedding(target_vocab_size, d_model)\n",
        "",
        "self.source_embedding(source_ids)",
        "ops.one_hot(source_ids, self.d_model)",
        "self.target_embedding(target_ids)",
        "ops.one_hot(target_ids, self.d_model)",
    ),
    (
        "the positional encoding is never applied",
        "the_order_of_the_tokens_counts",
        "        source = self.positions(source)\n",
        "",
        "        target = self.positions(target)\n",
        "",
    ),
)
mutants(
    "repair_layers",
    MODEL,
    "*",
    [
        (
            "imports the answer",
            MODEL,
            "class RepairedTransformer(keras.Model):\n"
            "    def __init__(self, source_vocab_size, target_vocab_size, d_model, num_heads, d_ff):\n"
            "        super().__init__()\n"
            "        sizes = dict(num_layers=1, d_model=d_model, num_heads=num_heads, d_ff=d_ff, dropout=0.0)\n"
            "        self.inside = Transformer(source_vocab_size, target_vocab_size, **sizes)\n"
            "        self.encoder_feed_forward = self.inside.encoder.layers[0].feed_forward\n"
            "        self.feed_forward = self.inside.decoder.layers[0].feed_forward\n"
            "        self.feed_forward_norm = self.inside.decoder.layers[0].feed_forward_norm\n\n"
            "    def call(self, source_ids, target_ids):\n"
            "        return self.inside(source_ids, target_ids)\n",
        )
    ],
)
sick("repair_layers", MODEL, MODEL_FAULTS)
mutants(
    "repair_layers",
    MODEL,
    "the_heads_share_the_width_of_the_model",
    [
        (
            "repairs key_dim in the encoder only",
            "d_model // num_heads, d_model // num_heads",
            "d_model // num_heads, d_model",
        )
    ],
)
mutants(
    "repair_layers",
    MODEL,
    "the_feed_forward_networks_return_to_the_width",
    [
        (
            "repairs the width in the encoder only",
            "FeedForward(d_model + 0, d_ff)",
            "FeedForward(target_vocab_size, d_ff)",
        )
    ],
)
mutants(
    "repair_layers",
    MODEL,
    "no_position_knows_a_later_target_token",
    [
        ("loses the causal mask", "(y, y, mask=causal)", "(y, y)"),
        ("the causal mask turned round", "(y, y, mask=causal)", "(y, y, mask=ops.swapaxes(causal, 2, 3))"),
    ],
)
mutants(
    "repair_layers",
    MODEL,
    "source_and_target_may_differ_in_length",
    [
        (
            "the memory asks in the cross-attention",
            "(self.cross_attention_norm(x), memory)",
            "(memory, self.cross_attention_norm(x))",
        ),
        (
            "adds the memory instead of asking it",
            "y = self.cross_attention(self.cross_attention_norm(x), memory)",
            "y = memory",
        ),
        (
            "a causal mask over the source",
            "(self.cross_attention_norm(x), memory)",
            "(self.cross_attention_norm(x), memory, mask=causal)",
        ),
    ],
)
mutants(
    "repair_layers",
    MODEL,
    "every_position_hears_of_every_source_token",
    [
        (
            "a second self-attention in place of the cross-attention",
            "(self.cross_attention_norm(x), memory)",
            "(self.cross_attention_norm(x), x, mask=causal)",
        ),
        (
            "no cross-attention at all",
            "        y = self.cross_attention(self.cross_attention_norm(x), memory)\n        x = x + y\n",
            "",
        ),
    ],
)
mutants(
    "repair_layers",
    MODEL,
    "every_position_hears_of_the_tokens_before_it",
    [
        ("no self-attention in the decoder", "y = self.self_attention(y, y, mask=causal)", "y = 0 * y"),
        (
            "each token sees itself only",
            "(y, y, mask=causal)",
            "(y, y, mask=ops.logical_and(causal, ops.swapaxes(causal, 2, 3)))",
        ),
    ],
)
mutants(
    "repair_layers",
    MODEL,
    "the_third_sub_layer_takes_part",
    [
        (
            "the third sub-layer without its norm",
            "self.feed_forward(self.feed_forward_norm(x))",
            "self.feed_forward(x)",
        ),
        (
            "the encoder's feed-forward network again",
            "self.feed_forward(self.feed_forward_norm(x))",
            "self.encoder_feed_forward(self.encoder_feed_forward_norm(x))",
        ),
    ],
)
mutants(
    "repair_layers",
    MODEL,
    "the_third_short_cut_carries_the_second_sum",
    [
        (
            "the third short cut starts from the first sum",
            THIRD,
            "        x = first + self.feed_forward(self.feed_forward_norm(x))\n",
        ),
        ("no third short cut", THIRD, "        x = self.feed_forward(self.feed_forward_norm(x))\n"),
        (
            "the third short cut carries the target as it came in",
            THIRD,
            "        x = target + self.feed_forward(self.feed_forward_norm(x))\n",
        ),
    ],
)
mutants(
    "repair_layers",
    MODEL,
    "each_vocabulary_has_its_own_table",
    [
        (
            "two tables of the source's size",
            "Embedding(target_vocab_size, d_model)",
            "Embedding(source_vocab_size, d_model)",
        ),
        (
            "one table for both",
            "        self.target_embedding = keras.layers.Embedding(target_vocab_size, d_model)\n",
            "        self.target_embedding = self.source_embedding\n",
        ),
    ],
)
mutants(
    "repair_layers",
    MODEL,
    "the_embeddings_are_applied",
    [
        (
            "applies the source's embedding only",
            "self.target_embedding(target_ids)",
            "ops.one_hot(target_ids, self.d_model)",
        ),
        (
            "applies the target's embedding only",
            "self.source_embedding(source_ids)",
            "ops.one_hot(source_ids, self.d_model)",
        ),
    ],
)
mutants(
    "repair_layers",
    MODEL,
    "the_order_of_the_tokens_counts",
    [
        ("positions for the source only", "        target = self.positions(target)\n", ""),
        ("positions for the target only", "        source = self.positions(source)\n", ""),
    ],
)
mutants(
    "repair_layers",
    MODEL,
    "the_logits_are_those_of_the_two_boxes",
    [
        ("forgets the encoder's last norm", "memory = self.encoder_norm(x)", "memory = x"),
        ("forgets the decoder's last norm", "self.to_logits(self.decoder_norm(x))", "self.to_logits(x)"),
        ("the raw x as value in the encoder", "self.encoder_attention(y, y)", "self.encoder_attention(y, x)"),
        (
            "no short cut in the encoder",
            "        x = x + self.encoder_feed_forward(",
            "        x = self.encoder_feed_forward(",
        ),
        (
            "a softmax at the end",
            "return self.to_logits(self.decoder_norm(x))",
            "return ops.softmax(self.to_logits(self.decoder_norm(x)))",
        ),
        (
            "exchanges the two tables' scales",
            "source = self.source_embedding(source_ids)",
            "source = self.source_embedding(source_ids) / self.d_model**0.5",
        ),
    ],
)

# --- exercise 9: repair_training --------------------------------------------------------------------------------------

TRAINING = """
def make_masks(source_ids, inputs):
    source_mask, memory_mask = layers.padding_mask(source_ids), layers.padding_mask(source_ids)
    future, padding = layers.causal_mask(inputs.shape[1]), layers.padding_mask(inputs)
    return source_mask, layers.combine_masks(future, padding), memory_mask


def make_batch(source_ids, target_ids):
    x = (source_ids, target_ids[:, :-1])
    y = target_ids[:, 1:]
    return x, y


def sequence_loss(labels, logits):
    labels = ops.cast(labels, "int32")
    log_probs = ops.log_softmax(logits)
    each = -ops.sum(ops.one_hot(labels, logits.shape[-1]) * log_probs, axis=-1)
    real = ops.cast(ops.not_equal(labels, 0), "float32")
    return ops.sum(each * real) / ops.maximum(ops.sum(real), 1.0)
"""
COMBINED = "layers.combine_masks(future, padding)"
TRAINING_FAULTS = (
    (
        "no causal mask",
        "the_decoder_does_not_see_the_future",
        "future, padding = layers.causal_mask(inputs.shape[1])",
        "future, padding = None",
    ),
    (
        "no padding mask",
        "padding_of_the_source_is_hidden_from_both",
        "layers.padding_mask(source_ids), layers.padding_mask(source_ids)",
        "None, None",
        ", layers.padding_mask(inputs)",
        ", None",
    ),
    ("the targets are not shifted", "the_labels_are_one_place_ahead", "y = target_ids[:, 1:]", "y = target_ids"),
    ("fit feeds one input", "fit_is_given_both_inputs", "x = (source_ids, target_ids[:, :-1])", "x = source_ids"),
    (
        "takes logits for probabilities",
        "only_differences_between_logits_count",
        "ops.log_softmax(logits)",
        "ops.log(ops.clip(logits, 1e-7, 1.0))",
    ),
    (
        "a one-hot loss on integer labels",
        "the_numbers_of_the_tokens_do_not_matter",
        "ops.one_hot(labels, logits.shape[-1])",
        'ops.cast(labels, "float32")[:, :, None]',
    ),
    (
        "the loss counts padding",
        "padding_does_not_count",
        "ops.sum(each * real) / ops.maximum(ops.sum(real), 1.0)",
        "ops.mean(each)",
    ),
)
mutants(
    "repair_training",
    TRAINING,
    "*",
    [
        (
            "imports the answer",
            '    labels = ops.cast(labels, "int32")\n',
            "    return losses.label_smoothed_loss(labels, logits, 0.0)\n",
        )
    ],
)
sick("repair_training", TRAINING, TRAINING_FAULTS)
mutants(
    "repair_training",
    TRAINING,
    "the_decoder_does_not_see_the_future",
    [
        (
            "hides padding as a query, not as a key",
            COMBINED,
            "layers.combine_masks(future, ops.swapaxes(padding, 2, 3))",
        ),
        ("the causal mask turned round", COMBINED, "layers.combine_masks(ops.swapaxes(future, 2, 3), padding)"),
        (
            "a token does not see itself",
            COMBINED,
            "layers.combine_masks(ops.logical_not(ops.swapaxes(future, 2, 3)), padding)",
        ),
        ("True means forbidden", COMBINED, "ops.logical_not(layers.combine_masks(future, padding))"),
        ("what one of the two allows", COMBINED, "ops.logical_or(future, padding)"),
    ],
)
mutants(
    "repair_training",
    TRAINING,
    "padding_of_the_target_is_hidden",
    [
        ("no padding mask of the target", COMBINED, "future"),
    ],
)
mutants(
    "repair_training",
    TRAINING,
    "padding_of_the_source_is_hidden_from_both",
    [
        ("no mask in the cross-attention", "padding), memory_mask", "padding), None"),
        ("no mask in the encoder", "return source_mask,", "return None,"),
        ("the target's padding in the cross-attention", "padding), memory_mask", "padding), padding"),
        ("numbers instead of booleans", "padding), memory_mask", "padding), ops.cast(memory_mask, 'float32')"),
        ("masks with two axes", "return source_mask,", "return source_mask[:, 0, 0],"),
        ("True means padding", "return source_mask,", "return ops.logical_not(source_mask),"),
    ],
)
mutants(
    "repair_training",
    TRAINING,
    "the_labels_are_one_place_ahead",
    [
        ("the labels are the inputs", "y = target_ids[:, 1:]", "y = target_ids[:, :-1]"),
        ("rolls the labels round", "y = target_ids[:, 1:]", "y = np.roll(target_ids, -1, axis=1)"),
    ],
)
mutants(
    "repair_training",
    TRAINING,
    "fit_is_given_both_inputs",
    [
        (
            "the decoder is given the labels",
            "x = (source_ids, target_ids[:, :-1])",
            "x = (source_ids, target_ids[:, 1:])",
        ),
        (
            "the inputs in the other order",
            "x = (source_ids, target_ids[:, :-1])",
            "x = (target_ids[:, :-1], source_ids)",
        ),
        (
            "the decoder is given all of the target",
            "x = (source_ids, target_ids[:, :-1])",
            "x = (source_ids, target_ids)",
        ),
        ("a dict", "x = (source_ids, target_ids[:, :-1])", "x = {'source': source_ids, 'inputs': target_ids[:, :-1]}"),
    ],
)
mutants(
    "repair_training",
    TRAINING,
    "only_differences_between_logits_count",
    [("takes logits for log-probabilities", "ops.log_softmax(logits)", "logits")],
)
mutants(
    "repair_training",
    TRAINING,
    "padding_does_not_count",
    [
        (
            "padding counts in the number only",
            "ops.sum(each * real) / ops.maximum(ops.sum(real), 1.0)",
            "ops.mean(each * real)",
        ),
        ("padding counts in the sum only", "ops.sum(each * real) / ", "ops.sum(each) / "),
    ],
)
mutants(
    "repair_training",
    TRAINING,
    "the_loss_is_the_cross_entropy_of_real_tokens",
    [
        ("forgets the minus", "each = -ops.sum(", "each = ops.sum("),
        ("the sum instead of the mean", " / ops.maximum(ops.sum(real), 1.0)", ""),
        (
            "one loss for each token",
            "return ops.sum(each * real) / ops.maximum(ops.sum(real), 1.0)",
            "return each * real",
        ),
        (
            "the mean of the sentences' means",
            "return ops.sum(each * real) / ops.maximum(ops.sum(real), 1.0)",
            "return ops.mean(ops.sum(each * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1.0))",
        ),
    ],
)
