from collections.abc import Callable

import pytest

from llmcourse.plots import Picture, mlp_graph, neuron


@pytest.mark.parametrize("draw", [mlp_graph, neuron])
def test_diagrams_are_readable_and_the_same_twice(
    draw: Callable[[], Picture], expect_readable: Callable[[Picture], None]
) -> None:
    picture = draw()
    expect_readable(picture)
    assert picture.to_png() == draw().to_png()


def test_the_graph_writes_every_shape() -> None:
    words = " ".join(text.get_text() for text in mlp_graph().figure.axes[0].texts)
    # x, z1, a1, z2, labels and loss; the parameters; the deltas; the gradients; the note on Y
    for shape, times in (("(N, D)", 1), ("(N, U)", 3), ("(N, C)", 3), ("(N,)", 1), ("(D, U)", 2), ("(U, C)", 2)):
        assert words.count(shape) == times, shape
    assert words.count("(U,)") == words.count("(C,)") == 2
    assert words.count("scalar") == 1


def test_the_graph_says_the_recursion_of_the_deltas_in_words() -> None:
    alt = mlp_graph().alt
    for formula in (
        "delta2 = (softmax(z2) - Y) / N (N, C)",
        "delta1 = (delta2 W2^T) * relu'(z1) (N, U)",
        "dW2 = a1^T delta2 (U, C)",
        "db2 = column sums of delta2 (C,)",
        "dW1 = x^T delta1 (D, U)",
        "db1 = column sums of delta1 (U,)",
    ):
        assert formula in alt


def test_the_neuron_is_one_cell_of_the_matrix_product() -> None:
    picture = neuron()
    assert "(N, D) @ (D, U) + (U,) -> (N, U)" in picture.alt
    words = [text.get_text() for text in picture.figure.axes[0].texts]
    assert [word for word in words if word.startswith("(") or word in {"@", "+", "->"}] == [
        *("(N, D)", "(D, U)", "(U,)", "(N, U)"),
        *("@", "+", "->"),
    ]
