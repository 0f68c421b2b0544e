import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from llmcourse.checking import values
from llmcourse.checking.values import NotPlainError, Reference, decode, encode

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
arrays = hnp.arrays(
    st.sampled_from(["f8", "f4", "f2", "i8", "i4", "u1", "?", "c16", "U3", ">f4"]),
    hnp.array_shapes(min_dims=0, min_side=0),
)


def same(a, b):
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and (a == b or (a != a and b != b))


@given(plain)
def test_plain_values_come_back_equal_with_their_types(value):
    assert same(value, decode(encode(value)))


@given(arrays)
def test_arrays_come_back_equal_with_dtype_and_shape(array):
    received = decode(encode([array]))[0]
    if array.shape:  # a NumPy scalar has no byte order and a text no width
        assert received.dtype == array.dtype
    assert received.shape == array.shape
    np.testing.assert_array_equal(received, array)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_one_clear_error(message):
    with contextlib.suppress(NotPlainError):
        decode(message)


@given(plain, st.data())
def test_a_message_with_one_byte_changed_gives_a_value_or_one_clear_error(value, data):
    message = bytearray(encode([value, np.arange(6.0).reshape(2, 3)]))
    message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(NotPlainError):
        decode(bytes(message))


def test_arrays_are_fresh_and_writable_whatever_their_order():
    sent = np.arange(6.0).reshape(2, 3).T
    received = decode(encode(sent))
    received[0, 0] = 7
    assert sent[0, 0] == 0
    np.testing.assert_array_equal(received[1:], sent[1:])


def test_tensors_become_arrays_and_bfloat16_becomes_float32():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    received = decode(encode(np.array([1.5, -2.0], dtype=ml_dtypes.bfloat16)))
    assert received.dtype == np.float32
    np.testing.assert_array_equal(received, [1.5, -2.0])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({1, 2}, "Received: set"),
        ({1: 2}, "keys of a dict must be strings"),
        (np.array([None]), "dtype object"),
        (np.array([(1, 2.0)], dtype="i4,f8"), "numbers, booleans or text"),
        (lambda: 0, "Received: function"),
        ((item for item in ()), "Received: generator"),
    ],
)
def test_other_values_are_refused_by_name(value, words):
    with pytest.raises(NotPlainError, match=words):
        encode(value)


def test_a_list_that_holds_itself_is_refused():
    endless: list = []
    endless.append(endless)
    with pytest.raises(NotPlainError, match="deep"):
        encode(endless)


def test_limits_on_items_and_size(monkeypatch):
    monkeypatch.setattr(values, "MAX_ITEMS", 10)
    with pytest.raises(NotPlainError, match="10 items"):
        encode(list(range(11)))
    monkeypatch.setattr(values, "MAX_BYTES", 2**20)
    with pytest.raises(NotPlainError, match="smaller than 1 MB"):
        encode(np.zeros(2**18))
    monkeypatch.setattr(values, "MAX_HEADER", 50)
    with pytest.raises(NotPlainError, match="Text and lists must be smaller"):
        encode("x" * 50)
    with pytest.raises(NotPlainError, match="of JSON"):
        decode((51).to_bytes(8, "little") + b"x" * 51)


def test_a_truth_value_is_true_or_false_whatever_its_byte():
    honest = encode(np.array([True, False, True]))
    forged = decode(honest[:-3] + bytes([2, 0, 255]))
    assert forged.view(np.uint8).tolist() == [1, 0, 1]


def test_a_header_that_claims_a_huge_array_allocates_nothing():
    honest = encode(np.zeros(3))
    forged = honest.replace(b"(3,)", b"(9,)")
    assert forged != honest
    with pytest.raises(NotPlainError, match="come with all its bytes"):
        decode(forged)


def test_a_pickle_inside_an_array_is_never_loaded(tmp_path):
    touched = tmp_path / "touched"

    class Evil:
        def __reduce__(self):
            return (touched.write_text, ("",))

    np.save(tmp_path / "evil.npy", np.array([Evil()]), allow_pickle=True)
    evil = (tmp_path / "evil.npy").read_bytes()
    honest = encode(np.zeros(3))
    start = 8 + int.from_bytes(honest[:8], "little")
    header = honest[8:start].replace(str(len(honest) - start).encode(), str(len(evil)).encode())
    with pytest.raises(NotPlainError):
        decode(len(header).to_bytes(8, "little") + header + evil)
    assert not touched.exists()


def test_other_objects_travel_as_references():
    thing = object()
    message = encode({"model": thing}, lambda value: Reference("handle", 5, "Model"))
    assert decode(message) == {"model": Reference("handle", 5, "Model")}
