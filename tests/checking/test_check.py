"""The learner's side as a learner meets it, on a small lesson of its own."""

import json
import textwrap

import pytest

from llmcourse.checking import lesson
from llmcourse.checking.progress import Progress

LESSON = '''
# %% [markdown]
# # Doubling

# %%
from llmcourse import lesson
check = lesson("toy")

# %% exercise="double" forbid=["operator.mul"]
def double(x):
    """Return 2 x."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

# %% check="double"
check("double")
'''
EXERCISES = {
    "double": '''
from llmcourse.checking import criterion, expect_close, mutant


@criterion(points=2, hints=["What is twice 3?", "Use `2 * x`."])
def the_result_is_twice_the_input(student, rng):
    """double(x) is twice x."""
    x = rng.normal(size=3)
    expect_close(student.double(x), 2 * x, what="double(x)")


@criterion(hints=["Look at 0."])
def zero_stays_zero(student, rng):
    """double(0) is 0."""
    expect_close(student.double(0.0), 0.0, what="double(0.0)")


@criterion(hidden=True)
def only_for_the_grader(student, rng):
    raise RuntimeError("never here")


mutant(fails="zero_stays_zero", why="adds", source="def double(x): return x + 2")
''',
}


@pytest.fixture
def folder(tmp_path, write_lesson):
    write_lesson(tmp_path / "lessons" / "toy", LESSON, EXERCISES)
    (tmp_path / "lessons" / "syllabus.toml").write_text(
        '[[lesson]]\nid = "toy"\ntitle = "Toy"\nminutes = 5\nprerequisites = []\n'
    )
    return tmp_path / "lessons"


@pytest.fixture
def notebook(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("LLMCOURSE_PROGRESS", str(tmp_path / "progress.json"))
    names = {"__name__": "__main__"}

    def write(source):
        exec(textwrap.dedent(source), names)

    write("def double(x): raise NotImplementedError")
    return lesson("toy", names, folder), write, tmp_path / "progress.json"


def test_an_unknown_lesson_is_named(folder):
    with pytest.raises(ValueError, match="must be one of toy. Received: 'mlp'"):
        lesson("mlp", {}, folder)


def test_the_untouched_exercise_says_what_to_do(notebook):
    check, _, _ = notebook
    result = check("double")
    assert repr(result) == "0"
    assert "not written yet" in str(result)
    assert str(result).count("\n") == 1  # one piece of advice, not a cross for each criterion
    assert "Received: double is not written yet. Run the cell, then check again." in result._repr_html_()


def test_a_right_answer_earns_all_points_as_a_number(notebook):
    check, write, _ = notebook
    write("def double(x): return x + x")
    result = check("double")
    assert (result.points, result.max_points, repr(result), result.passed) == (3, 3, "3", True)
    assert "3 / 3 points, all right" in str(result)


def test_a_half_right_answer_earns_part_and_says_required_and_received(notebook):
    check, write, _ = notebook
    write("def double(x): return 3 * x")
    result = check("double")
    assert repr(result) == "1"
    assert "✗ the result is twice the input  (0 / 2)" in str(result)
    assert "required: double(x)[" in str(result)
    assert "received: " in str(result)
    assert "✓ zero stays zero  (1 / 1)" in str(result)


def test_each_further_check_gives_one_more_hint(notebook):
    check, write, _ = notebook
    write("def double(x): return 3 * x")
    texts = [str(check("double")) for _ in range(4)]
    assert [text.count("hint: ") for text in texts] == [0, 1, 2, 2]
    assert "Check again for a hint (2 left)." in texts[0]
    html = check("double")._repr_html_()
    assert "<code>2 * x</code>" in html
    write("def double(x): return 2 * x")
    check("double")
    write("def double(x): return 3 * x")
    assert str(check("double")).count("hint: ") == 0


def test_where_several_criteria_fail_the_first_comes_first(notebook):
    check, write, _ = notebook
    write("def double(x): return 3 * x + 1")
    assert "2 of 2 criteria not met; mend the first one first" in str(check("double"))
    write("def double(x): return 3 * x")
    assert "mend" not in str(check("double"))


def test_an_error_in_the_code_is_shown_with_its_line_and_no_stack(notebook):
    check, write, _ = notebook
    write("def double(x):\n    return x.twice")
    text = str(check("double"))
    assert "AttributeError: 'numpy.ndarray' object has no attribute 'twice' (line 2 of double" in text
    assert "Traceback" not in text


def test_what_the_code_prints_is_folded_into_the_result(notebook, capsys):
    check, write, _ = notebook
    write("def double(x):\n    print('x is', x)\n    return 2 * x")
    result = check("double")
    assert "x is" in result.printed
    assert "<summary>Your code printed</summary>" in result._repr_html_()


def test_html_is_escaped(notebook):
    check, write, _ = notebook
    write("def double(x): return '<script>alert(1)</script>'")
    assert "<script>" not in check("double")._repr_html_()


def test_a_forbidden_function_earns_nothing(notebook):
    check, write, _ = notebook
    write("import operator\ndef double(x): return operator.mul(2, x)")
    result = check("double")
    assert result.points == 0
    assert "write this one yourself" in str(result)
    assert "operator.mul" in str(result)


def test_an_unknown_exercise_is_a_result_and_no_exception(notebook):
    check, _, _ = notebook
    result = check("tripple")
    assert repr(result) == "0"
    assert "double. Received: 'tripple'" in str(result)
    assert "tripple" in result._repr_html_()


def test_reset_prints_the_starter(notebook, capsys):
    check, _, _ = notebook
    check.reset("double")
    printed = capsys.readouterr().out
    assert "raise NotImplementedError" in printed
    assert "2 * x" not in printed


def test_the_solution_appears_after_three_different_tries(notebook, capsys):
    check, write, _ = notebook
    assert check.solution("double") is None
    for _ in range(4):
        check("double")  # untouched: no try at all
    for factor in (3, 3, 4):
        write(f"def double(x): return {factor} * x")
        check("double")
        assert check.solution("double") is None
    assert "1 more different try" in capsys.readouterr().out
    write("def double(x): return 5 * x")
    assert 'check.solution("double")' in str(check("double"))
    assert "return 2 * x" in repr(check.solution("double"))
    assert "SOLUTION" not in repr(check.solution("double"))


def test_progress_is_kept_in_the_learners_file(notebook):
    check, write, path = notebook
    write("def double(x): return 2 * x")
    check("double")
    write("def double(x): return 3 * x")
    check("double")
    record = json.loads(path.read_text())["toy"]["double"]
    assert (record["best"], record["max_points"], record["misses"], len(record["attempts"])) == (3, 3, 1, 1)
    assert "3 / 3" in repr(check.progress())
    assert "double" in check.progress()._repr_html_()


def test_a_damaged_progress_file_is_set_aside(tmp_path):
    path = tmp_path / "progress.json"
    path.write_text('{"toy": {"dou')
    Progress(path).record("toy", "double", points=1, max_points=2, attempt="a")
    assert json.loads(path.read_text())["toy"]["double"]["best"] == 1
    (aside,) = tmp_path.glob("progress.damaged-*.json")
    assert aside.read_text() == '{"toy": {"dou'


def test_progress_that_cannot_be_written_is_said_and_kept_for_the_session(tmp_path):
    (tmp_path / "file").write_text("")
    progress = Progress(tmp_path / "file" / "progress.json")
    progress.record("toy", "double", points=1, max_points=2, attempt="a")
    assert "this session only" in progress.warning or "cannot be read" in progress.warning
    assert progress.read()["toy"]["double"]["best"] == 1


def test_a_criterion_that_stumbles_over_a_strange_value_fails_and_goes_on(folder, monkeypatch):
    monkeypatch.setenv("LLMCOURSE_PROGRESS", "off")
    names = {"__name__": "__main__", "double": lambda x: {"a": 1}}
    result = lesson("toy", names, folder)("double")
    assert result.points == 0
    assert "dict of length 1" in str(result)


def test_words_that_no_page_can_hold_are_escaped_and_codes_of_terminals_left_out(notebook):
    check, write, _ = notebook
    write(
        "def double(x):\n    print('\\x1b[1mbold\\x1b[0m\\x00')\n    raise ValueError('\\ud800 \\x1b[31mred\\x1b[0m')"
    )
    result = check("double")
    assert "ValueError: \\ud800 red (line 3" in str(result)
    assert "your code printed: bold\\x00" in str(result)
    assert ">bold\\x00\n" in result._repr_html_()
    result._repr_html_().encode()
    write("class Mute(Exception):\n    def __str__(self): raise ValueError\ndef double(x): raise Mute")
    assert "its message cannot be shown" in str(check("double"))


def test_a_warning_about_the_progress_is_said_once(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LLMCOURSE_PROGRESS", str(tmp_path / "file" / "progress.json"))
    check = lesson("toy", {"__name__": "__main__", "double": lambda x: 2 * x}, folder)
    assert ["Progress" in str(check("double")) for _ in range(3)] == [True, False, False]
    assert check.progress().points["double"] == (3, 3)


def test_without_a_home_folder_the_progress_is_kept_for_the_session(folder, tmp_path, monkeypatch):
    def nobody(kind):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("LLMCOURSE_PROGRESS")
    monkeypatch.setattr("pathlib.Path.home", classmethod(nobody))
    monkeypatch.chdir(tmp_path)
    check = lesson("toy", {"__name__": "__main__", "double": lambda x: 2 * x}, folder)
    said = [str(check("double")) for _ in range(2)]
    assert ["this session only: there is no home folder" in text for text in said] == [True, False]
    assert check.progress().points["double"] == (3, 3)
    (tmp_path / ".llmcourse").mkdir()
    check = lesson("toy", {"__name__": "__main__", "double": lambda x: 2 * x}, folder)
    assert "session" not in str(check("double"))
    assert (tmp_path / ".llmcourse" / "progress.json").exists()
