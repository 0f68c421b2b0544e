import numpy as np
import pytest

from llmcourse.checking import expect, expect_close, expect_equal, expect_raises, expect_shape
from llmcourse.checking.expectations import Failed, show
from llmcourse.checking.raised import StudentError


def failure(function, *args, **kwargs):
    with pytest.raises(Failed) as caught:
        function(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_close_values_pass_by_the_tolerance_of_their_dtype(dtype):
    expected = np.linspace(-3, 3, 15).reshape(3, 5)
    expect_close(expected.astype(dtype), expected)


def test_the_tolerance_of_float64_is_strict_and_of_float32_is_not():
    expected = np.ones((2, 3))
    expect_close((expected + 2e-5).astype("float32"), expected)
    assert "6 of 6 values differ" in failure(expect_close, expected + 2e-5, expected).received


def test_the_worst_value_is_named_with_its_place():
    expected = np.zeros((2, 3))
    received = expected.copy()
    received[1, 2], received[0, 1] = 0.5, 0.1
    error = failure(expect_close, received, expected, what="relu(z)")
    assert error.required == "relu(z)[1, 2] = 0"
    assert error.received == "0.5; 2 of 6 values differ"


def test_a_wrong_shape_is_named_before_values():
    error = failure(expect_close, np.zeros((3, 2)), np.zeros((2, 3)), what="the product")
    assert (error.required, error.received) == ("the product has shape (2, 3)", "shape (3, 2)")


@pytest.mark.parametrize(
    ("value", "words"), [(None, "return"), ("text", "'text'"), ([1, 2], "list of length 2"), (np.float64(1), "1")]
)
def test_what_is_no_array_is_shown(value, words):
    assert words in failure(expect_shape, value, (2, 3)).received


def test_nan_is_named():
    assert failure(expect_close, np.array([np.nan, 1.0]), np.ones(2)).received == "1 of 2 values are NaN"


def test_equal_infinities_pass_and_wrong_ones_fail():
    expect_close(np.array([-np.inf, 1.0]), np.array([-np.inf, 1.0]))
    assert "inf" in failure(expect_close, np.array([np.inf, 1.0]), np.ones(2)).received


def test_numbers_compare_as_numbers():
    expect_close(1.0, 1.0)
    expect_close(np.float32(0.5), 0.5)
    assert failure(expect_close, 1.0, 2.0).received == "1"


def test_text_arrays_are_no_numbers():
    assert "dtype <U1" in failure(expect_close, np.array(["a", "b"]), np.ones(2)).received


def test_equal():
    expect_equal([1, 2], [1, 2])
    expect_equal(np.array([1, 2]), np.array([1, 2]))
    assert failure(expect_equal, [1, 3], [1, 2]).required == "the result = list of length 2: [1, 2]"
    failure(expect_equal, np.array([1, 2]), [1, 2])


def test_expect_keeps_the_words():
    expect(True, required="this", received="that")
    error = failure(expect, False, required="loss below 1", received=np.float64(1.5))
    assert (error.required, error.received) == ("loss below 1", "1.5")


def test_hints_may_belong_to_one_failure():
    assert failure(expect, False, required="this", received="that", hints=["look here"]).hints == ("look here",)
    assert failure(expect, False, required="this", received="that").hints == ()


def test_of_long_arrays_the_first_entry_that_differs_is_named():
    received = np.zeros((10, 10), dtype=int)
    received[3, 7] = received[5, 0] = 2
    error = failure(expect_equal, received, np.zeros((10, 10), dtype=int), what="the matrix")
    assert error.required == "the matrix[3, 7] = 0"
    assert error.received == "2; 2 of 100 values differ"
    error = failure(expect_equal, np.array([1, 2]), np.array([1, 3]))
    assert (error.required, error.received) == (
        "the result = array of shape (2,): [1, 3]",
        "array of shape (2,): [1, 2]",
    )


def test_required_errors():
    with expect_raises("ValueError"):
        raise StudentError("ValueError", "no")
    with pytest.raises(Failed, match="Received: no error"), expect_raises("ValueError"):
        pass
    with pytest.raises(Failed, match="Received: TypeError: no"), expect_raises("ValueError"):
        raise StudentError("TypeError", "no")
    with pytest.raises(StudentError), expect_raises("ValueError"):  # a stub is not an error handled
        raise StudentError("NotImplementedError", "", cause="stub")


def test_long_values_are_shown_short():
    assert len(show("x" * 1000)) == 160
    assert show(np.zeros((40, 50))).startswith("array of shape (40, 50): ")
