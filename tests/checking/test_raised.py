"""What a learner's error tells of itself: its ancestors, and its cause, which no name of a class decides."""

import textwrap

import numpy as np
import pytest

from llmcourse.checking.expectations import Failed, expect_raises
from llmcourse.checking.local import LocalConnection
from llmcourse.checking.raised import StudentError, as_plain, read_error
from llmcourse.checking.student import Student
from llmcourse.checking.values import NotPlainError


def raised(source, *arguments):
    """Define f and return the error that its call raises."""
    namespace = {"__name__": "__main__"}
    exec(textwrap.dedent(source), namespace)
    with pytest.raises(StudentError) as caught:
        Student(LocalConnection(namespace)).f(*arguments)
    return caught.value


STUBS = {
    "as given": "def f():\n    raise NotImplementedError  # your code here",
    "called": "def f():\n    raise NotImplementedError()",
    "in a method": "class Line:\n    def f(self): raise NotImplementedError\nf = Line().f",
    "in an inner function": "def f():\n    def g(): raise NotImplementedError\n    return g()",
    "below a library": "import functools\ndef g(a, b): raise NotImplementedError\ndef f(): functools.reduce(g, [1, 2])",
    "wrapped as Keras does": """
        def g(): raise NotImplementedError
        def f():
            try:
                g()
            except Exception as error:
                raise error.__class__("Exception encountered when calling g()") from None
        """,
}


@pytest.mark.parametrize("name", STUBS)
def test_a_stub_is_recognised_wherever_it_stands(name):
    error = raised(STUBS[name])
    assert error.cause == "stub"
    assert error.subject in ("f", "g", "Line.f")


def test_a_stub_in_a_keras_layer_is_recognised():
    error = raised(
        """
        from llmcourse.runtime import load_keras
        keras = load_keras()
        class Layer(keras.layers.Layer):
            def call(self, x): raise NotImplementedError  # your code here
        def f(x): return Layer()(x)
        """,
        np.ones((2, 3), "float32"),
    )
    assert (error.cause, error.subject) == ("stub", "Layer.call")


OTHERS = {
    "a library's": "def f():\n    import collections.abc, numbers\n    return numbers.Complex.__complex__(3)\n"
    "import numbers\nnumbers.Complex.__complex__ = lambda x: (_ for _ in ()).throw(NotImplementedError())",
    "with words": "def f(): raise NotImplementedError('only for even sizes')",
    "a subclass": "class Mine(NotImplementedError): pass\ndef f(): raise Mine",
    "another of that name": "class NotImplementedError(ValueError): pass\ndef f(): raise NotImplementedError",
    "a library's own": "import concurrent.futures\nclass E(Exception): pass\nE.__name__ = 'NotImplementedError'\n"
    "def f(): raise E",
    "below Python": "import socket\ndef f(): [].__class_getitem__.__get__; raise OSError('x')",
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_only_looks_like_a_stub_is_an_error(name):
    assert raised(OTHERS[name]).cause == ""


KERAS = """
        from llmcourse.runtime import load_keras
        keras = load_keras()
        import numpy as np, tensorflow as tf
        from keras import ops
        class Layer(keras.layers.Layer):
            def call(self, x): return ops.matmul(x, ops.ones((4, 2)))
        class Model(keras.Model):
            def __init__(self):
                super().__init__()
                self.layer = Layer()
            def call(self, x): return self.layer(x)
        """


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("Layer()(x)", "Matrix size-incompatible: In[0]: [2,3], In[1]: [4,2] (in Layer.call())"),
        ("Model()(x)", "Matrix size-incompatible: In[0]: [2,3], In[1]: [4,2] (in Layer.call())"),
        (
            "tf.function(Model())(x)",
            "Dimensions must be equal, but are 3 and 4 for MatMul with input shapes: [2,3], [4,2]. (in Layer.call())",
        ),
        (
            "Layer()(keras.Input((3,)))",
            "Dimensions must be equal, but are 3 and 4 for MatMul with input shapes: [?,3], [4,2]. (in Layer.call())",
        ),
        ("keras.layers.Embedding(5, 3)(np.array([[1, 7]]))", "indices[0,1] = 7 is not in [0, 5) (in Embedding.call())"),
    ],
)
def test_of_a_long_message_of_keras_the_words_of_the_error_itself_are_kept(call, message):
    source = textwrap.dedent(KERAS) + f"def f(): x = np.ones((2, 3), 'float32'); return {call}"
    assert raised(source).message == message


def test_of_an_error_in_fit_the_words_of_the_error_itself_are_kept():
    source = textwrap.dedent(KERAS) + textwrap.dedent(
        """
        def f():
            model = keras.Sequential([keras.layers.Embedding(5, 3)])
            model.compile("sgd", "mse")
            model.fit(np.array([[1, 7]]), np.ones((1, 2, 3)), verbose=0)
        """
    )
    assert raised(source).message == "indices[0,1] = 7 is not in [0, 5)"


def test_an_error_of_tensorflow_is_no_stub():
    error = raised(
        """
        from llmcourse.runtime import load_keras
        load_keras()
        import numpy as np, tensorflow as tf
        @tf.function
        def g(x): return np.sum(x)
        def f(): return g(tf.ones(3))
        """
    )
    assert (error.type_name, error.cause) == ("NotImplementedError", "")
    assert "Cannot convert a symbolic" in error.message


@pytest.mark.parametrize(
    ("source", "cause", "subject"),
    [
        ("def f(): return undefined", "undefined", "undefined"),
        ("def f():\n    x = x + 1", "", ""),
        ("def f(): raise NameError('name \\'y\\' is not defined')", "", ""),
        ("def f(): return bytearray(10**15)", "memory", ""),
        ("class M(MemoryError): pass\ndef f(): raise M", "memory", ""),
        ("g = 1", "missing", "f"),
        ("def f():\n    while True: pass", "time", ""),
    ],
)
def test_each_cause_is_told(source, cause, subject, monkeypatch):
    monkeypatch.setattr(Student.__init__, "__defaults__", ((), 0.2))
    error = raised(source)
    assert (error.cause, error.subject) == (cause, subject)


def test_ancestors_are_told_with_their_modules():
    error = raised("class Mine(KeyError): pass\ndef f(): raise Mine('x')")
    assert error.ancestors == ("__main__.Mine", "KeyError", "LookupError", "Exception", "BaseException", "object")


@pytest.mark.parametrize(
    ("wanted", "source", "accepted"),
    [
        ("ValueError", "raise ValueError", True),
        ("ValueError", "class Mine(ValueError): pass\n    raise Mine", True),
        ("ValueError", "'\\xff'.encode('ascii')", True),
        ("LookupError", "return {}[1]", True),
        ("ArithmeticError", "return 1 / 0", True),
        ("OSError", "open('/nowhere')", True),
        ("ValueError", "raise TypeError", False),
        ("ValueError", "class ValueError(Exception): pass\n    raise ValueError", False),
        ("ZeroDivisionError", "raise ArithmeticError", False),
    ],
)
def test_an_error_of_a_class_below_the_one_asked_for_is_right(wanted, source, accepted):
    error = raised(f"def f():\n    {source}")

    def check():
        with expect_raises(wanted):
            raise error

    if accepted:
        check()
    else:
        with pytest.raises(Failed, match=f"raises {wanted}"):
            check()


def test_what_is_not_written_handles_no_error():
    for cause in ("stub", "missing"):
        with pytest.raises(StudentError), expect_raises("NotImplementedError"):
            raise StudentError("NotImplementedError", "", cause=cause)


def test_an_error_comes_back_as_it_was_told():
    error = raised("def f(): return 1 / 0")
    assert read_error(as_plain(error)) == error


@pytest.mark.parametrize("key", ["type_name", "message", "line", "ancestors", "cause", "subject"])
@pytest.mark.parametrize("value", [None, 5, ["x", 5], {"x": "y"}])
def test_an_error_that_is_told_otherwise_is_refused(key, value):
    told = as_plain(StudentError("ValueError", "no"))
    with pytest.raises(NotPlainError):
        read_error(told | {key: value})
    with pytest.raises(NotPlainError):
        read_error({name: text for name, text in told.items() if name != key})
