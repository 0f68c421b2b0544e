import doctest

import keras
import numpy as np
import pytest
from keras import ops

from llmcourse.decoding import greedy_decode
from llmcourse.models import translator
from llmcourse.models.translator import Transformer
from llmcourse.training.losses import label_smoothed_loss

# What Keras itself does while it writes a file.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
# XLA, which Keras takes for TensorFlow by itself, needs longer to compile such a small model than to train it.
JIT = "auto" if keras.backend.backend() == "jax" else False
SOURCE = np.array([[5, 6, 7, 3, 0], [8, 4, 9, 10, 3]], dtype="int32")
TARGET = np.array([[2, 6, 11], [2, 5, 0]], dtype="int32")
V_SOURCE, V_TARGET, D, H = 11, 13, 14, 7


def test_the_example_of_the_docstring_is_right():
    assert doctest.testmod(translator, extraglobs={"np": np}) == doctest.TestResults(failed=0, attempted=2)


def make(**settings):
    keras.utils.set_random_seed(3)
    options = {"num_layers": 2, "d_model": D, "num_heads": H, "d_ff": 17, "dropout": 0.0, **settings}
    return Transformer(V_SOURCE, V_TARGET, **options)


def numbers(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def restart_dropout(model):
    keras.utils.set_random_seed(0)  # PyTorch's dropout has no other seed
    for variable in model.non_trainable_variables:
        if "seed" in variable.path:
            variable.assign(np.array([3, 5], dtype="uint32"))


@pytest.mark.parametrize("settings", [{}, {"pre_norm": False}, {"tied_embeddings": True}])
def test_logits_have_one_score_for_each_token_of_the_target_vocabulary(settings):
    logits = make(**settings)(SOURCE, TARGET)
    assert logits.shape == (2, 3, V_TARGET) and keras.backend.standardize_dtype(logits.dtype) == "float32"
    np.testing.assert_allclose(numbers(make(**settings)((SOURCE, TARGET))), numbers(logits), atol=1e-6)


def test_the_weights_exist_from_the_start_and_are_as_many_as_they_should_be():
    attention, norm, feed_forward = 4 * D * D + 4 * D, 2 * D, 2 * D * 17 + 17 + D
    encoder = 2 * (attention + feed_forward + 2 * norm) + norm
    decoder = 2 * (2 * attention + feed_forward + 3 * norm) + norm
    embeddings = (V_SOURCE + V_TARGET) * D
    assert make().count_params() == embeddings + encoder + decoder + D * V_TARGET + V_TARGET
    assert make(tied_embeddings=True).count_params() == embeddings + encoder + decoder
    assert make(pre_norm=False).count_params() == make().count_params() - 2 * norm


def test_tied_logits_are_dot_products_with_the_target_embeddings():
    model = make(tied_embeddings=True)
    table = model.target_embedding.embeddings.numpy()
    model.target_embedding.embeddings.assign(np.where(np.arange(V_TARGET)[:, None] == 12, 2 * table, table))
    logits = numbers(model(SOURCE, TARGET))  # token 12 is nowhere in TARGET, so only its logit doubles
    model.target_embedding.embeddings.assign(table)
    before = numbers(model(SOURCE, TARGET))
    np.testing.assert_allclose(logits[..., 12], 2 * before[..., 12], rtol=1e-4)
    np.testing.assert_allclose(logits[..., :12], before[..., :12], atol=1e-6)


def test_embeddings_are_scaled_by_the_root_of_the_width_before_the_positions_are_added():
    model = make()
    embedded = numbers(model.embed(model.source_embedding, SOURCE))
    table = model.source_embedding.embeddings.numpy()
    positions = numbers(model.positions(np.zeros((1, 5, D), dtype="float32")))
    np.testing.assert_allclose(embedded, table[SOURCE] * np.sqrt(D) + positions, atol=1e-5)
    wide = make(d_model=140)
    assert np.std(wide.source_embedding.embeddings.numpy()) * np.sqrt(140) == pytest.approx(1, rel=0.1)


def test_attention_weights_on_request():
    logits, scores = make()(SOURCE, TARGET, return_scores=True)
    np.testing.assert_allclose(numbers(logits), numbers(make()(SOURCE, TARGET)), atol=1e-6)
    shapes = {name: [tuple(layer.shape) for layer in layers] for name, layers in scores.items()}
    assert shapes == {"encoder": [(2, H, 5, 5)] * 2, "decoder": [(2, H, 3, 3)] * 2, "cross": [(2, H, 3, 5)] * 2}
    for layer in range(2):
        encoder, decoder, cross = (numbers(scores[name][layer]) for name in ("encoder", "decoder", "cross"))
        assert (encoder[0, :, :, 4] == 0).all() and (cross[0, :, :, 4] == 0).all()  # padding of the source
        assert (decoder[1, :, :, 2] == 0).all() and (decoder[:, :, 0, 1:] == 0).all()  # of the target; the future
        for rows in (encoder, decoder, cross):
            np.testing.assert_allclose(rows.sum(axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize("return_scores", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("pre_norm", [True, False])
def test_a_changed_target_token_changes_no_logits_before_it(pre_norm, dropout, return_scores):
    model = make(pre_norm=pre_norm, dropout=dropout)
    target = np.array([[2, 6, 11, 4, 7]] * 2)

    def score(target):
        restart_dropout(model)
        result = model(SOURCE, target, return_scores=return_scores, training=dropout > 0)
        return numbers(result[0] if return_scores else result)

    before = score(target)
    for t in range(1, 5):
        changed = target.copy()
        changed[:, t:] = 12
        after = score(changed)
        np.testing.assert_allclose(after[:, :t], before[:, :t], atol=1e-5)
        assert np.abs(after[:, t] - before[:, t]).max() > 1e-3


@pytest.mark.backends
def test_padding_of_source_and_target_changes_no_logits_of_real_tokens():
    model = make()
    longer = [np.pad(ids, ((0, 0), (0, extra))) for ids, extra in ((SOURCE, 2), (TARGET, 4))]
    received = numbers(model(*longer))[:, :3]
    np.testing.assert_allclose(received, numbers(model(SOURCE, TARGET)), atol=1e-5)


def test_sentences_of_a_batch_do_not_see_one_another():
    model = make()
    alone = numbers(model(SOURCE[:1, :4], TARGET[:1]))
    np.testing.assert_allclose(numbers(model(SOURCE, TARGET))[:1], alone, atol=1e-5)


def test_a_source_of_padding_alone_gives_finite_logits():
    assert np.isfinite(numbers(make()(np.zeros((2, 5), dtype="int32"), TARGET))).all()


@pytest.mark.backends
@pytest.mark.parametrize("settings", [{}, {"pre_norm": False, "tied_embeddings": True, "activation": "gelu"}])
def test_saving_and_loading_keeps_logits_and_settings(tmp_path, settings):
    model = make(**settings)
    model.save(tmp_path / "translator.keras")
    again = keras.models.load_model(tmp_path / "translator.keras")
    assert isinstance(again, Transformer) and again.get_config() == model.get_config()
    np.testing.assert_array_equal(numbers(again(SOURCE, TARGET)), numbers(model(SOURCE, TARGET)))
    np.testing.assert_array_equal(greedy_decode(again, SOURCE, 7), greedy_decode(model, SOURCE, 7))


def test_the_weights_alone_can_be_saved_too(tmp_path):
    model, other = make(), make()
    other.set_weights([w + 1 for w in model.get_weights()])
    model.save_weights(tmp_path / "translator.weights.h5")
    other.load_weights(tmp_path / "translator.weights.h5")
    np.testing.assert_array_equal(numbers(other(SOURCE, TARGET)), numbers(model(SOURCE, TARGET)))


def test_the_config_makes_an_equal_model():
    model = make(dropout=0.3, activation="gelu", tied_embeddings=True)
    again = Transformer.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(numbers(again(SOURCE, TARGET)), numbers(model(SOURCE, TARGET)))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("tied", [False, True])
def test_mixed_precision_stays_finite_and_close(policy, tied):
    model, exact = make(dtype=policy, tied_embeddings=tied), make(tied_embeddings=tied)
    model.set_weights(exact.get_weights())
    logits = model(SOURCE, TARGET)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert keras.backend.standardize_dtype(model.encode(SOURCE).dtype) == policy.removeprefix("mixed_")
    np.testing.assert_allclose(numbers(logits), numbers(exact(SOURCE, TARGET)), atol=0.15)
    assert np.isfinite(numbers(model(np.zeros_like(SOURCE), TARGET))).all()


@pytest.mark.parametrize("policy", ["float32", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)])
def test_fit_learns_two_sentences_by_heart(policy):
    model = make(dtype=policy, dropout=0.1, num_layers=1)
    labels = np.array([[6, 11, 3], [5, 3, 0]])
    model.compile(keras.optimizers.Adam(0.01), loss=label_smoothed_loss, jit_compile=JIT)
    history = model.fit((SOURCE, TARGET), labels, epochs=40, verbose=0).history["loss"]
    assert np.isfinite(history).all() and history[-1] < history[0] / 2
    decoded = greedy_decode(model, SOURCE, 4)
    assert decoded.tolist() == [[6, 11, 3, 0], [5, 3, 0, 0]]


@pytest.mark.backends
def test_every_weight_learns():
    model = make(dropout=0.1)
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(1.0), loss=label_smoothed_loss, jit_compile=JIT)
    model.train_on_batch((SOURCE, TARGET), np.array([[6, 11, 3], [5, 3, 0]]))
    for variable, old, new in zip(model.weights, before, model.get_weights(), strict=True):
        # A bias of the keys adds the same number to all scores of a query, which the softmax takes out again.
        moved = np.abs(new - old).max()
        assert np.isfinite(new).all() and (moved > 0 or "key_bias" in variable.path), variable.path


@pytest.mark.parametrize(
    ("sizes", "settings", "message"),
    [
        ((11, 13), {"d_model": 7, "num_heads": 7}, "even.*d_model 7"),
        ((0, 13), {}, "at least 1 token.*Received: 0 and 13"),
        ((11, 13), {"d_model": 14, "num_heads": 3}, "multiple of num_heads. Received: 14 and 3"),
    ],
)
def test_impossible_settings_are_refused(sizes, settings, message):
    with pytest.raises(ValueError, match=message):
        Transformer(*sizes, **settings)


def test_a_missing_target_is_an_error():
    with pytest.raises(ValueError, match="source_ids and target_ids"):
        make()(SOURCE)


def test_segments_of_one_side_are_refused():
    with pytest.raises(ValueError, match="Segments are required for both sides"):
        make()(SOURCE, TARGET, target_segments=np.ones_like(TARGET))


def test_a_row_with_one_segment_has_the_logits_of_its_sentence():
    segments = [(ids != 0).astype("int32") for ids in (SOURCE, TARGET)]
    expected, received = numbers(make()(SOURCE, TARGET)), numbers(make()(SOURCE, TARGET, *segments))
    np.testing.assert_allclose(received[TARGET != 0], expected[TARGET != 0], atol=1e-5)
    for inputs, options in (
        ((SOURCE, TARGET, *segments), {}),
        ((SOURCE, TARGET), dict(zip(("source_segments", "target_segments"), segments, strict=True))),
    ):
        np.testing.assert_allclose(numbers(make()(inputs, **options)), received, atol=1e-6)
    two = [np.array([[1, 1, 2, 2, 0], [1, 2, 2, 2, 2]]), np.array([[1, 2, 2], [1, 2, 0]])]
    apart = numbers(make()((SOURCE, TARGET), source_segments=two[0], target_segments=two[1]))
    np.testing.assert_allclose(apart, numbers(make()((SOURCE, TARGET, *two))), atol=1e-6)
    assert np.abs(apart - received).max() > 1e-3
