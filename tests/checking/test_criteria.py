import pytest

from llmcourse.checking.criteria import criterion, load_criteria, load_mutants, replace_once

GOOD = '''
from llmcourse.checking import criterion, expect

@criterion("double", points=2, hints=["a", "b"])
def keeps_the_sign(student, rng):
    """The sign
    stays."""

@criterion("half", slow=True, hidden=True)
def halves(student, rng):
    pass

@criterion("double")
def doubles(student, rng):
    pass
'''


def write(tmp_path, text):
    path = tmp_path / "checks.py"
    path.write_text(text)
    return path


def test_criteria_come_by_exercise_in_the_order_of_the_file(tmp_path):
    found = load_criteria(write(tmp_path, GOOD))
    assert {name: [item.name for item in group] for name, group in found.items()} == {
        "double": ["keeps_the_sign", "doubles"],
        "half": ["halves"],
    }
    first = found["double"][0]
    assert (first.title, first.requirement, first.points, first.hints) == (
        "keeps the sign",
        "The sign stays.",
        2,
        ("a", "b"),
    )
    assert found["half"][0].hidden
    assert found["half"][0].seconds_allowed > first.seconds_allowed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace("def doubles", "def halves"), "halves twice"),
        ("import nowhere", "ModuleNotFoundError"),
        ("x = 1", "at least one criterion"),
        ("def broken(", "SyntaxError"),
        (GOOD.replace("points=2", "points=0"), "points must be more than 0"),
        (GOOD.replace("points=2", "points=float('nan')"), "points must be more than 0 and finite. Received: nan"),
        (GOOD.replace("points=2", "points=float('inf')"), "points must be more than 0 and finite"),
        (GOOD.replace('["a", "b"]', '"a"'), "hints must be a list"),
    ],
)
def test_a_faulty_file_is_one_clear_error(tmp_path, text, words):
    with pytest.raises(ValueError, match=words):
        load_criteria(write(tmp_path, text))


def test_outside_of_loading_a_declaration_registers_nothing(tmp_path):
    @criterion("stray")
    def stray(student, rng):
        pass

    assert "stray" not in load_criteria(write(tmp_path, GOOD))


def test_mutants_keep_their_source(tmp_path):
    path = tmp_path / "mutants.py"
    path.write_text(
        "from llmcourse.checking import mutant\n"
        'mutant("double", fails="*", why="adds", source="""\ndef f(x): pass\n""")'
    )
    (found,) = load_mutants(path)
    assert (found.exercise, found.fails, found.why, found.source) == ("double", "*", "adds", "def f(x): pass\n")


def test_several_mutants_are_a_right_answer_with_pieces_replaced(tmp_path):
    path = tmp_path / "mutants.py"
    path.write_text(
        "from llmcourse.checking import mutants\n"
        "RIGHT = 'def double(x):\\n    return 2 * x'\n"
        "mutants('double', RIGHT, 'doubles', [('adds', '2 * x', '2 + x'), "
        "('other name', 'x)', 'y)', '* x', '* y + 1')])"
    )
    first, second = load_mutants(path)
    assert (first.exercise, first.fails, first.why) == ("double", "doubles", "adds")
    assert first.source == "def double(x):\n    return 2 + x\n"
    assert second.source == "def double(y):\n    return 2 * y + 1\n"


@pytest.mark.parametrize("pieces", [("z", "y"), ("x", "y"), ("2",)], ids=["missing", "twice", "no replacement"])
def test_a_piece_that_does_not_fit_is_an_error(pieces):
    with pytest.raises(ValueError, match="exactly once|shorter"):
        replace_once("double = lambda x: 2 * x", *pieces)
