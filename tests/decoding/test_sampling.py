import doctest

import numpy as np
import pytest

from llmcourse.decoding import END, sample_decode, sampling
from llmcourse.models.translator import Transformer

V = 7
SOURCE = np.array([[5, 6, 3], [4, 3, 0]])
LOGITS = np.array([-9.0, -9.0, -9.0, -9.0, 0.0, 1.0, 2.0])


def fixed(source, target):
    """A model that says the same whatever was written."""
    return np.tile(LOGITS, (*target.shape, 1))


def shares(**settings):
    drawn = sample_decode(fixed, np.ones((401, 2)), 11, **settings)
    return np.bincount(drawn.ravel(), minlength=V) / drawn.size


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum()


def test_the_example_of_the_docstring_is_right():
    assert doctest.testmod(sampling, extraglobs={"np": np}) == doctest.TestResults(failed=0, attempted=2)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_as_often_as_the_tempered_model_says(temperature):
    np.testing.assert_allclose(shares(temperature=temperature), softmax(LOGITS / temperature), atol=0.03)


def test_only_the_most_probable_tokens_are_drawn_from():
    expected = np.array([0, 0, 0, 0, 0, *softmax(LOGITS[5:])])
    np.testing.assert_allclose(shares(top_k=2), expected, atol=0.03)
    assert (shares(top_k=1) == np.eye(V)[6]).all()


def test_a_low_temperature_takes_the_most_probable_token():
    assert (shares(temperature=0.01) == np.eye(V)[6]).all()


def test_a_seed_draws_the_same_again_and_another_seed_draws_others():
    model = Transformer(V, V, num_layers=1, d_model=6, num_heads=3, d_ff=5)
    first, again, other = (sample_decode(model, SOURCE, 13, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_nothing_but_padding_follows_the_end():
    for row in sample_decode(lambda s, t: np.zeros((*t.shape, V)), np.ones((31, 2)), 11, seed=3).tolist():
        if END in row:
            assert not any(row[row.index(END) + 1 :])


@pytest.mark.parametrize(
    "settings", [{"temperature": 0.0}, {"temperature": -1.0}, {"temperature": float("nan")}, {"top_k": 0}]
)
def test_impossible_settings_are_refused(settings):
    [(name, value)] = settings.items()
    with pytest.raises(ValueError, match=rf"temperature must be above 0.*Received: .*{name} {value}"):
        sample_decode(fixed, SOURCE, 5, **settings)
