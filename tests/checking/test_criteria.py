import pytest

from llmcourse.checking.criteria import criterion, mutant, replace_once
from llmcourse.checking.exercises import load_exercises

GOOD = '''
from llmcourse.checking import accepted, criterion, mutant, mutants

@criterion(points=2, hints=["a", "b"])
def keeps_the_sign(student, rng):
    """The sign
    stays."""

@criterion(slow=True, hidden=True)
def doubles(student, rng):
    pass

RIGHT = "def double(x):\\n    return 2 * x"
accepted("adds x to itself", "\\ndef double(x):\\n    return x + x\\n\\n")
mutant(fails="*", why="nothing", source="def double(x): pass")
mutants(RIGHT, "doubles", [("adds", "2 * x", "2 + x"), ("other name", "x)", "y)", "* x", "* y + 1")])
'''


def load(tmp_path, text):
    (tmp_path / "exercises").mkdir(exist_ok=True)
    (tmp_path / "exercises" / "double.py").write_text(text)
    return load_exercises(tmp_path, ["double"])["double"]


def test_criteria_come_in_the_order_of_the_file(tmp_path):
    first, second = load(tmp_path, GOOD).criteria
    assert (first.exercise, first.name, second.name) == ("double", "keeps_the_sign", "doubles")
    assert (first.title, first.requirement, first.points, first.hints) == (
        "keeps the sign",
        "The sign stays.",
        2,
        ("a", "b"),
    )
    assert second.hidden
    assert second.seconds_allowed > first.seconds_allowed


def test_known_answers_keep_their_sources(tmp_path):
    right, nothing, adds, other = load(tmp_path, GOOD).answers
    assert (right.kind, right.exercise, right.why, right.source) == (
        "accepted",
        "double",
        "adds x to itself",
        "def double(x):\n    return x + x\n",
    )
    assert (nothing.kind, nothing.fails, nothing.source) == ("mutant", "*", "def double(x): pass\n")
    assert (adds.fails, adds.why, adds.source) == ("doubles", "adds", "def double(x):\n    return 2 + x\n")
    assert (other.why, other.source) == ("other name", "def double(y):\n    return 2 * y + 1\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace("def doubles", "def keeps_the_sign"), "keeps_the_sign twice"),
        ("import nowhere", "ModuleNotFoundError"),
        ("from ..oracles import draw", "oracles"),
        ("x = 1", "at least one criterion"),
        ("def broken(", "SyntaxError"),
        (GOOD.replace("points=2", "points=0"), "points must be more than 0"),
        (GOOD.replace("points=2", "points=float('nan')"), "points must be more than 0 and finite. Received: nan"),
        (GOOD.replace("points=2", "points=float('inf')"), "points must be more than 0 and finite"),
        (GOOD.replace('["a", "b"]', '"a"'), "hints must be a list"),
        (GOOD.replace('"2 * x", "2 + x"', '"3 * x", "2 + x"'), "must occur exactly once"),
    ],
)
def test_a_faulty_file_is_one_clear_error(tmp_path, text, words):
    with pytest.raises(ValueError, match=words) as caught:
        load(tmp_path, text)
    assert str(tmp_path / "exercises" / "double.py") in str(caught.value)


def test_outside_of_loading_a_declaration_registers_nothing(tmp_path):
    @criterion()
    def stray(student, rng):
        pass

    mutant(fails="*", why="stray", source="x = 1")
    found = load(tmp_path, GOOD)
    assert len(found.criteria) == 2 and len(found.answers) == 4


@pytest.mark.parametrize("piece", ["missing", "x"])
def test_a_piece_that_does_not_fit_is_an_error(piece):
    with pytest.raises(ValueError, match="exactly once"):
        replace_once("def double(x):\n    return 2 * x", piece, "y")
