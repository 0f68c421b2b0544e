"""Exercise `Value`: what a right answer must do, and typical wrong ones."""

import numpy as np

from llmcourse.checking import accepted, criterion, expect_close, mutants

from ..oracles import backward, distinct_sizes, draw_network, forward

DRIVE = """
def run_program(numbers, program, end):
    values = [Value(number) for number in numbers]
    for operation, *places in program:
        first, *rest = [values[place] for place in places]
        values.append(first.relu() if operation == "relu" else first + rest[0] if operation == "add" else first * rest[0])
    values[end].backward()
    return [float(value.data) for value in values], [float(value.grad) for value in values]

def run_network(params, x, upstream):
    values = {name: [[Value(each) for each in row] for row in rows] for name, rows in params.items()}
    layers, total = len(params) // 2, None
    for sample, row in zip(x, upstream):
        now = [Value(number) for number in sample]
        for layer in range(1, layers + 1):
            weights, bias, after = values[f"W{layer}"], values[f"b{layer}"][0], []
            for unit in range(len(bias)):
                z = bias[unit]
                for number, of_input in zip(now, weights):
                    z = z + number * of_input[unit]
                after.append(z.relu() if layer < layers else z)
            now = after
        for logit, factor in zip(now, row):
            term = logit * Value(factor)
            total = term if total is None else total + term
    total.backward()
    return float(total.data), {
        name: [[float(each.grad) for each in row] for row in rows] for name, rows in values.items()
    }
"""


def oracle(numbers, program, end=-1):
    """Compute the values, and the derivative of one of them by each, by going through the program backward."""
    values = list(map(float, numbers))
    for operation, *places in program:
        a, b = values[places[0]], values[places[-1]]
        values.append(max(a, 0.0) if operation == "relu" else a + b if operation == "add" else a * b)
    grads, given = [0.0] * len(values), len(numbers)
    grads[end] = 1.0
    for place in range(len(values) - 1, given - 1, -1):
        operation, *places = program[place - given]
        a, b = values[places[0]], values[places[-1]]
        if operation == "relu":
            grads[places[0]] += grads[place] * (a > 0)
        else:
            grads[places[0]] += grads[place] * (1 if operation == "add" else b)
            grads[places[-1]] += grads[place] * (1 if operation == "add" else a)
    return values, grads


def run(student, numbers, program, end=-1):
    student.define(DRIVE)
    data, grads = student.run_program([float(number) for number in numbers], [list(step) for step in program], end)
    return np.array(data), np.array(grads)


def expect_grads(student, numbers, program, what, end=-1):
    """Require the grads of the numbers first, since they are in the words, and then those of all that was made of them."""
    _, grads = run(student, numbers, program, end)
    expected = oracle(numbers, program, end)[1]
    expect_close(grads[: len(numbers)], expected[: len(numbers)], what=what)
    expect_close(grads, expected, what=f"{what}, and of all that was made of them")


def draw_numbers(rng, count):
    return rng.choice([-1.0, 1.0], size=count) * rng.uniform(0.5, 3.0, size=count)


@criterion(
    hints=[
        "What is the data of the sum of Value(2) and Value(3)?",
        "Each operation makes a new Value whose data is computed from the data of its inputs.",
        "`return Value(self.data + other.data, [(self, 1.0), (other, 1.0)])` for the sum.",
    ],
)
def each_operation_computes_its_number(student, rng):
    """a + b, a * b and a.relu() are Values with the right data, and the inputs keep theirs."""
    numbers = draw_numbers(rng, 3)
    numbers[0], numbers[1] = -abs(numbers[0]), abs(numbers[1])
    program = [("add", 0, 1), ("mul", 3, 2), ("relu", 0), ("relu", 1), ("add", 5, 6), ("add", 4, 7)]
    for scale in (1.0, 1e4, 1e-4):
        data, _ = run(student, scale * numbers, program)
        expected = np.array(oracle(scale * numbers, program)[0])
        expect_close(data / scale, expected / scale, what="the data of the numbers, their sums, products and relu")


@criterion(
    points=2,
    hints=[
        "If a moves by a little, how much does a + b move? And a * b?",
        "The derivative of a sum by each input is 1; that of a product by one factor is the other factor.",
        "For the product: `[(self, other.data), (other, self.data)]`. backward begins with `self.grad = 1.0`.",
    ],
)
def each_operation_knows_its_derivatives(student, rng):
    """After y.backward(), the inputs of one sum, product or relu hold the derivative of y, and y itself holds 1."""
    a, b = draw_numbers(rng, 2)
    for operation in ("add", "mul"):
        _, grads = run(student, [a, b], [(operation, 0, 1)])
        expect_close(grads, oracle([a, b], [(operation, 0, 1)])[1], what=f"the grads of a, b and their {operation}")
    for number in (abs(a), -abs(a), 0.0, 1e-5, -1e-5, 3e6):
        _, grads = run(student, [number], [("relu", 0)])
        expect_close(grads, [float(number > 0), 1.0], what=f"the grads of a = {number:.3g} and relu(a)")


@criterion(
    points=2,
    hints=[
        "In x * x, how often is x an input? Each of the two ways brings a share of the derivative.",
        "Shares are added up: `+=`, not `=`.",
        "`each.grad += derivative * value.grad`",
    ],
)
def what_is_used_several_times_gets_the_sum(student, rng):
    """A number that is used several times gets the sum over all its uses: x * x + x has the derivative 2 x + 1."""
    numbers = draw_numbers(rng, 2)
    expect_grads(student, numbers[:1], [("mul", 0, 0)], "the grad of x for x * x")
    expect_grads(student, numbers[:1], [("add", 0, 0), ("mul", 1, 0)], "the grad of x for (x + x) * x")
    expect_grads(student, 1e4 * numbers[:1], [("mul", 0, 0), ("add", 1, 0)], "the grad of a large x for x * x + x")
    twice = [("add", 0, 1), ("add", 0, 1), ("mul", 2, 3)]
    expect_grads(student, numbers, twice, "the grads of x and y for (x + y) * (x + y), each sum made by itself")
    program = [("mul", 0, 1), ("mul", 2, 0), ("add", 3, 2), ("mul", 4, 1)]
    expect_grads(student, numbers, program, "the grads of x and y for (x y x + x y) y")


@criterion(
    points=2,
    hints=[
        "When a number hands its grad on to its inputs, have all shares of its own grad arrived?",
        "List the numbers so that each stands after its inputs, a topological order, and go through the list backward.",
        "A function that visits the inputs first and appends the number afterwards makes such a list; a set remembers "
        "who was visited.",
    ],
)
def each_number_waits_for_all_its_shares(student, rng):
    """The order is right in any graph: a number hands its grad on once, after all that use it, near and far, have."""
    for _ in range(6):
        numbers, count = draw_numbers(rng, 3), 3
        program = []
        for _ in range(8):
            places = [int(place) for place in rng.integers(count, size=2)]
            program.append(("relu", places[0]) if rng.uniform() < 0.2 else (str(rng.choice(["add", "mul"])), *places))
            count += 1
        program += [("mul", count - 1, count - 2), ("add", count, 3), ("add", 3, count + 1)]
        expect_grads(student, numbers, program, "the grads of three numbers in a graph of eleven operations")
    program = [("add", 0, 1), ("mul", 3, 3), ("mul", 3, 4), ("add", 4, 2)]
    what = "the grads of x, y and z for y1 = (x + y)(x + y), from which something else was made afterwards"
    expect_grads(student, draw_numbers(rng, 3), program, what, end=4)


@criterion(
    hints=[
        "How many ways lead from the result back to x, if x is doubled forty times? Do you walk along each of them?",
        "Each number is visited once, however many ways lead to it.",
        "Keep a set of those that you have visited, and return at once where the number is in it.",
    ],
)
def each_number_is_visited_once(student, rng):
    """Doubling a number forty times, each time by y = y + y, gives the derivative 2 to the 40 in no time."""
    start = float(rng.uniform(0.5, 3))
    program = [("add", place, place) for place in range(40)]
    _, grads = run(student, [start], program)
    expect_close(grads[0] / 2**40, 1.0, what="the grad of x divided by 2**40")


@criterion(
    points=2,
    hints=[
        "Does the sum of two results, each with its own history, find its way back to both?",
        "A network is nothing but sums, products and relu. If the small examples are right, look at the order.",
    ],
)
def a_network_gets_the_gradients_of_backpropagation(student, rng):
    """For a network of two layers made of Values, all gradients are those of mlp_backward."""
    samples, *sizes = distinct_sizes(rng, 4, low=2, high=6)
    params, x, _, cache, _, _ = draw_network(rng, sizes, samples)
    upstream = rng.normal(size=(samples, sizes[-1]))
    student.define(DRIVE)
    tables = {name: np.atleast_2d(value).tolist() for name, value in params.items()}
    total, grads = student.run_network(tables, x.tolist(), upstream.tolist())
    expect_close(total, (forward(params, x)[0] * upstream).sum(), what="the result")
    for name, value in backward(params, cache, upstream).items():
        expect_close(np.array(grads[name]), np.atleast_2d(value), what=f"the gradient of {name}")


# --- right answers written otherwise, and typical wrong ones, each with the criterion that must catch it --------------

accepted(
    "each number keeps a function that hands its grad on",
    """
class Value:
    def __init__(self, data, parents=()):
        self.data, self.grad, self.parents = data, 0.0, set(parents)
        self.hand_on = lambda: None

    def __add__(self, other):
        out = Value(self.data + other.data, (self, other))

        def hand_on():
            self.grad += out.grad
            other.grad += out.grad

        out.hand_on = hand_on
        return out

    def __mul__(self, other):
        out = Value(self.data * other.data, (self, other))

        def hand_on():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out.hand_on = hand_on
        return out

    def relu(self):
        out = Value(self.data if self.data > 0 else 0.0, (self,))

        def hand_on():
            self.grad += (out.data > 0) * out.grad

        out.hand_on = hand_on
        return out

    def backward(self):
        order, visited = [], set()

        def visit(value):
            if value not in visited:
                visited.add(value)
                for parent in value.parents:
                    visit(parent)
                order.append(value)

        visit(self)
        self.grad = 1.0
        for value in reversed(order):
            value.hand_on()
""",
)
accepted(
    "counts how often each number is used, and lets those go first that wait for nobody",
    """
class Value:
    def __init__(self, data, inputs=()):
        self.data = data
        self.grad = 0.0
        self.inputs = inputs

    def __add__(self, other):
        return Value(self.data + other.data, ((self, 1), (other, 1)))

    def __mul__(self, other):
        return Value(self.data * other.data, ((self, other.data), (other, self.data)))

    def relu(self):
        return Value(max(0.0, self.data), ((self, int(self.data > 0)),))

    def backward(self):
        uses, found = {}, [self]
        for value in found:
            for each, _ in value.inputs:
                if id(each) not in uses:
                    uses[id(each)] = 0
                    found.append(each)
                uses[id(each)] += 1
        for value in found:
            value.grad = 0.0
        self.grad, ready = 1.0, [self]
        while ready:
            value = ready.pop()
            for each, slope in value.inputs:
                each.grad = each.grad + slope * value.grad
                uses[id(each)] -= 1
                if uses[id(each)] == 0:
                    ready.append(each)
""",
)
accepted(
    "each value knows its depth, and relu is a product with 1 or 0",
    """
class Value:
    def __init__(self, data, inputs=()):
        self.data, self.grad, self.inputs = data, 0, list(inputs)
        self.depth = 1 + max([each.depth for each, _ in self.inputs], default=0)

    def __add__(a, b):
        return Value(a.data + b.data, [(a, 1), (b, 1)])

    def __mul__(a, b):
        return Value(a.data * b.data, [(a, b.data), (b, a.data)])

    def relu(self):
        return self * Value(1 if self.data > 0 else 0)

    def backward(self):
        todo, known = [self], {id(self)}
        for value in todo:
            for each, _ in value.inputs:
                if id(each) not in known:
                    known.add(id(each))
                    todo.append(each)
        self.grad = 1
        for value in sorted(todo, key=lambda value: value.depth, reverse=True):
            for each, slope in value.inputs:
                each.grad += slope * value.grad
""",
)
accepted(
    "a number for each place in time: the later ones go first",
    """
import itertools

class Value:
    clock = itertools.count()

    def __init__(self, data, inputs=()):
        self.data, self.inputs, self.grad = np.float64(data), list(inputs), np.float64(0)
        self.born = next(Value.clock)

    def __add__(self, other):
        return Value(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return Value(self.data * other.data, [(self, other.data), (other, self.data)])

    def relu(self):
        return Value(np.maximum(self.data, 0), [(self, np.heaviside(self.data, 0))])

    def backward(self):
        family, todo = {self.born: self}, [self]
        while todo:
            for each, _ in todo.pop().inputs:
                if each.born not in family:
                    family[each.born] = each
                    todo.append(each)
        for value in family.values():
            value.grad = 0.0
        self.grad = 1.0
        for born in sorted(family, reverse=True):
            for each, slope in family[born].inputs:
                each.grad += slope * family[born].grad
""",
)

VALUE = """
class Value:
    def __init__(self, data, inputs=()):
        self.data, self.grad = float(data), 0.0
        self.inputs = tuple(inputs)

    def __add__(self, other):
        return Value(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return Value(self.data * other.data, [(self, other.data), (other, self.data)])

    def relu(self):
        return Value(max(self.data, 0.0), [(self, 1.0 if self.data > 0 else 0.0)])

    def backward(self):
        order, visited = [], set()

        def visit(value):
            if value not in visited:
                visited.add(value)
                for each, _ in value.inputs:
                    visit(each)
                order.append(value)

        visit(self)
        self.grad = 1.0
        for value in reversed(order):
            for each, derivative in value.inputs:
                each.grad += derivative * value.grad
"""
BEGIN = VALUE[VALUE.index("        order, visited") :]
mutants(VALUE, "*", [("imports the answer", VALUE, "from llmcourse.steps.backprop import Value")])
mutants(
    VALUE,
    "each_operation_computes_its_number",
    [
        ("the sum of the grads", "self.data + other.data", "self.grad + other.grad"),
        ("a ReLU that saturates", "max(self.data, 0.0)", "min(max(self.data, 0.0), 100.0)"),
        ("rounds", "float(data), 0.0", "round(float(data), 4), 0.0"),
        ("a ReLU that is the absolute value", "max(self.data, 0.0)", "abs(self.data)"),
        (
            "changes its first input",
            "return Value(self.data * other.data,",
            "self.data *= other.data\n        return Value(self.data,",
        ),
        ("whole numbers only", "float(data), 0.0", "int(data), 0.0"),
    ],
)
mutants(
    VALUE,
    "each_operation_knows_its_derivatives",
    [
        (
            "the factors the wrong way round",
            "(self, other.data), (other, self.data)",
            "(self, self.data), (other, other.data)",
        ),
        ("the result has the grad 0", "        self.grad = 1.0\n", ""),
        ("a ReLU that lets everything pass", "1.0 if self.data > 0 else 0.0", "1.0"),
        ("a leaky slope", "else 0.0)", "else 0.01)"),
        ("a ReLU that stops small numbers", "if self.data > 0", "if self.data > 0.001"),
        ("a ReLU that stops large numbers", "if self.data > 0", "if 0 < self.data < 100"),
        ("a ReLU that passes at exactly 0", "1.0 if self.data > 0", "1.0 if self.data >= 0"),
        ("forgets the second input of a product", ", (other, self.data)]", "]"),
        (
            "the derivative of a sum is the number itself",
            "(self, 1.0), (other, 1.0)",
            "(self, self.data), (other, other.data)",
        ),
    ],
)
mutants(
    VALUE,
    "what_is_used_several_times_gets_the_sum",
    [
        (
            "limits the grads",
            "each.grad += derivative * value.grad",
            "each.grad = max(-1e3, min(1e3, each.grad + derivative * value.grad))",
        ),
        (
            "knows a value by its number",
            "value not in visited",
            "value.data not in visited",
            "visited.add(value)",
            "visited.add(value.data)",
        ),
        (
            "values with the same number are equal",
            "    def __add__",
            "    def __eq__(self, other):\n        return self.data == other.data\n\n"
            "    def __hash__(self):\n        return hash(self.data)\n\n    def __add__",
        ),
        (
            "half of the derivative of a square",
            "return Value(self.data * other.data, [",
            "return Value(self.data * other.data, [(self, self.data)] if self is other else [",
        ),
        (
            "keeps the grads of the given numbers only",
            "each.grad += derivative * value.grad",
            "each.grad += derivative * value.grad\n            value.grad *= value is self",
        ),
        ("sets instead of adding up", "each.grad += derivative", "each.grad = derivative"),
        (
            "takes each input once only",
            "in value.inputs:\n                each.grad",
            "in dict(value.inputs).items():\n                each.grad",
        ),
    ],
)
mutants(
    VALUE,
    "each_number_waits_for_all_its_shares",
    [
        (
            "inputs after the number: no topological order",
            "                for each, _ in value.inputs:\n                    visit(each)\n                order.append(value)",
            "                order.append(value)\n                for each, _ in value.inputs:\n                    visit(each)",
            "reversed(order)",
            "order",
        ),
        (
            "nearest first",
            BEGIN,
            "        self.grad, order = 1.0, [self]\n        for value in order:\n            for each, derivative in value.inputs:\n                each.grad += derivative * value.grad\n                if each not in order:\n                    order.append(each)\n",
        ),
        (
            "waits for uses that do not lead to the result",
            "self.inputs = tuple(inputs)\n",
            "self.inputs, self.uses = tuple(inputs), 0\n        for each, _ in self.inputs:\n            each.uses += 1\n",
            BEGIN,
            "        self.grad, ready = 1.0, [self]\n        for value in ready:\n"
            "            for each, derivative in value.inputs:\n                each.grad += derivative * value.grad\n"
            "                each.uses -= 1\n                if each.uses == 0:\n                    ready.append(each)\n",
        ),
        (
            "begins at the value that was made last",
            "self.inputs = tuple(inputs)\n",
            "self.inputs, Value.last = tuple(inputs), self\n",
            "visit(self)\n        self.grad = 1.0",
            "visit(Value.last)\n        Value.last.grad = 1.0",
        ),
        ("from the inputs to the result", "reversed(order)", "order"),
    ],
)
mutants(
    VALUE,
    "each_number_is_visited_once",
    [
        (
            "walks along every way",
            BEGIN,
            "        self.hand_on(1.0)\n\n    def hand_on(self, grad):\n        self.grad += grad\n        for each, derivative in self.inputs:\n            each.hand_on(derivative * grad)\n",
        ),
    ],
)
mutants(
    VALUE,
    "a_network_gets_the_gradients_of_backpropagation",
    [
        ("one step back only", "in reversed(order):", "in [self]:"),
    ],
)
