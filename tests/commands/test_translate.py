"""`llmcourse translate` as a user types it, also wrongly."""

import io
import json
import shutil
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from llmcourse.commands import translate as lines_of_text
from llmcourse.commands.app import run
from llmcourse.commands.train import train
from llmcourse.commands.translate import LONGEST_LINE, read_lines, read_text
from llmcourse.commands.use import translate
from llmcourse.data.tokenizer import Tokenizer
from llmcourse.models.limits import SourceLimits
from llmcourse.models.saved import ModelFolderError, save_translator
from llmcourse.runtime import load_keras

app = typer.Typer()
app.command()(translate)
app.add_typer(train, name="train")
SOURCES = ["the train leaves at seven", "the station is near the river", "where is the old station"] * 11
TARGETS = ["der zug geht um sieben", "der bahnhof ist nahe am fluss", "wo ist der alte bahnhof"] * 11


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model that nobody trained: what it writes means nothing, and is always the same."""
    keras = load_keras()
    from llmcourse.models.translator import Transformer

    tokenizer = Tokenizer.train(SOURCES + TARGETS, 307)
    keras.utils.set_random_seed(3)
    model = Transformer(307, 307, num_layers=1, d_model=14, num_heads=7, d_ff=17, tied_embeddings=True)
    limits = SourceLimits.measure(SOURCES, map(tokenizer.encode, SOURCES), max_length=13)
    folder = tmp_path_factory.mktemp("models") / "model"
    return save_translator(folder, model, tokenizer, {"limits": limits.to_card()})


def call(*arguments, stdin=b""):
    words = ["translate", *(str(item) for item in arguments)]
    result = CliRunner().invoke(app, words, input=stdin, env={"COLUMNS": "200", "NO_COLOR": "1"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def lines_of(*arguments, stdin=b""):
    return call(*arguments, stdin=stdin).stdout.splitlines()


def test_a_text_is_translated_as_the_translator_does(folder):
    from llmcourse.decoding.translate import Translator
    from llmcourse.models.saved import load_translator

    model, tokenizer, _ = load_translator(folder)
    translator = Translator(model, tokenizer, max_length=13)
    for beam in (1, 3):
        expected = translator.translate([SOURCES[0]], beam_size=beam)
        assert call("--model", folder, "--beam", beam, SOURCES[0]).stdout == expected[0] + "\n"


@pytest.mark.parametrize("block", [2, 1024])
def test_standard_input_is_answered_line_by_line_in_its_order(folder, monkeypatch, block):
    class Shouter:
        def __init__(self, *_, **__):
            pass

        def translate(self, texts, *, beam_size, batch_size):
            return [f"{text.upper()}\n{beam_size}" for text in texts]  # a line end inside must not break the order

    monkeypatch.setattr("llmcourse.decoding.translate.Translator", Shouter)
    monkeypatch.setattr(lines_of_text, "BLOCK", block)
    assert lines_of("--model", folder, "--beam", 7, "-", stdin=b"one\ntwo\nthree") == ["ONE 7", "TWO 7", "THREE 7"]


def test_both_engines_say_the_same(folder):
    said = [call("--model", folder, "--engine", engine, *SOURCES[:1]).stdout for engine in ("numpy", "keras")]
    assert said[0] == said[1] != "\n"
    best = [
        lines_of("--model", folder, "--engine", engine, "--n-best", 3, *SOURCES[:1]) for engine in ("numpy", "keras")
    ]
    assert best[0] == best[1]
    assert call("--model", folder, "--engine", "abacus", "the train").exit_code == 2


def test_a_sentence_is_translated_without_keras():
    code = "import sys; from llmcourse.commands.app import run; run()"
    command = [sys.executable, "-X", "importtime", "-c", code, "translate", "Where is the station?"]
    result = subprocess.run(command, capture_output=True, check=True)
    assert result.stdout.decode() == "车站在哪里？\n"
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.decode().splitlines()}
    assert "llmcourse.serving.engine" in imported
    assert not imported & {"keras", "tensorflow", "jax", "torch"}


def test_an_empty_line_gives_an_empty_line(folder):
    received = call("--model", folder, "-", stdin=b"\nthe river\n   \n\nthe train\n").stdout.split("\n")
    assert [bool(line) for line in received] == [False, True, False, False, True, False]
    assert call("--model", folder, "").stdout == "\n"
    assert call("--model", folder, "-", stdin=b"").stdout == ""


def test_windows_line_ends_and_a_byte_order_mark_are_no_words(folder):
    read = read_lines(io.BytesIO(b"\xef\xbb\xbfone\r\ntwo\nthree"))
    assert [(line.text, line.complaint) for line in read] == [("one", ""), ("two", ""), ("three", "")]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b" more\nnext", b"x" * 3 * LONGEST_LINE + b"\nnext\n"])
def test_no_more_of_a_line_is_read_than_a_model_could_read(end):
    first, *others = read_lines(io.BytesIO(b"ab" * (LONGEST_LINE // 2) + end))
    assert first.text == "ab" * (LONGEST_LINE // 2)
    assert bool(first.complaint) == (b"next" in end)
    assert [line.text for line in others] == ["next"] * (b"next" in end)


def test_a_line_is_not_cut_within_a_letter():
    content = "x" + "车" * LONGEST_LINE
    for line in (next(read_lines(io.BytesIO(content.encode()))), *read_text(content)):
        assert line.text == "x" + "车" * ((LONGEST_LINE - 1) // 3)
        assert f"longer than {LONGEST_LINE:,} bytes" in line.complaint


def test_a_text_from_a_terminal_with_another_encoding_is_read_as_utf8():
    as_ascii = "où est la gare".encode().decode("ascii", "surrogateescape")
    assert [line.text for line in read_text(as_ascii)] == ["où est la gare"]
    with pytest.raises(ValueError, match="must be UTF-8. Received: byte 0xe4 in the text"):
        read_text("m\udce4dchen")


def test_a_line_that_is_too_long_is_said_and_answered(folder, monkeypatch):
    monkeypatch.setattr(lines_of_text, "LONGEST_LINE", 11)
    result = call("--model", folder, "--beam", 1, "-", stdin=b"the river is old\nthe river")
    assert result.stdout.count("\n") == 2
    assert result.stderr.startswith("Line 1: It is longer than 11 bytes; the rest is left out.")
    assert "Line 2" not in result.stderr


def test_the_best_translations_come_with_line_and_score(folder):
    rows = [
        line.split("\t")
        for line in lines_of("--model", folder, "--n-best", 3, "--beam", 2, "-", stdin=b"the train\n\nold\n")
    ]
    assert [row[0] for row in rows].count("1") <= 3
    assert {row[0] for row in rows} == {"1", "", "3"}
    for number in ("1", "3"):
        scores = [float(row[1]) for row in rows if row[0] == number]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) > 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" ".join(["train"] * 10_000), "tokens; the model reads the first 12 and leaves out the rest"),
        ("火车", "another language, or unknown characters"),
        ("☃ ☃", "another language, or unknown characters"),
    ],
)
def test_what_the_model_cannot_read_is_said_and_translated_all_the_same(folder, text, words):
    result = call("--model", folder, "-", stdin=f"the train\n{text}\n".encode())
    assert "Line 2: " in result.stderr and words in result.stderr
    assert "Line 1" not in result.stderr
    assert len(result.stdout.split("\n")) == 3


def test_a_line_too_long_for_a_model_without_limits_is_said(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps(config | {"card": {}}))
    result = call("--model", tmp_path / "model", "--beam", 1, "-", stdin=b"the train\n" + b" train" * 200)
    assert result.stderr.startswith("Line 2: It has ") and "the model reads the first 127 and" in result.stderr


def test_a_lack_of_memory_is_one_line(folder, monkeypatch, capsys):
    from llmcourse.decoding.translate import Translator

    def translate(self, *_, **__):
        raise MemoryError

    monkeypatch.setattr(Translator, "translate", translate)
    monkeypatch.setattr("sys.argv", ["llmcourse", "translate", "the train"])
    with pytest.raises(SystemExit) as caught:
        run()
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("Error: this takes more memory than there is. Take fewer")


def test_many_complaints_are_counted(folder):
    result = call("--model", folder, "-", stdin="\n".join(["火车"] * 11).encode())
    assert "Line 5: " in result.stderr
    assert "Line 6: " not in result.stderr
    assert "6 more lines like these" in result.stderr


def test_input_that_is_not_utf8_is_one_clear_error(folder):
    with pytest.raises(ValueError, match=r"must be UTF-8. Received: byte 0xe4 in line 2"):
        call("--model", folder, "-", stdin=b"the train\nm\xe4dchen\n")


@pytest.mark.parametrize("option", ["--beam", "--n-best"])
@pytest.mark.parametrize("value", [0, -2, 65, 5000])
def test_a_beam_out_of_bounds_is_refused(folder, option, value):
    with pytest.raises(ValueError, match=f"{option} must be from 1 to 64. Received: {value}"):
        call("--model", folder, option, value, "the train")


def test_the_widest_beam_follows_no_more_hypotheses_at_a_time_than_a_narrow_one(folder, monkeypatch):
    from llmcourse.decoding.translate import Translator

    sizes = []

    def translate(self, texts, *, beam_size, batch_size):
        sizes.append((beam_size, batch_size))
        return list(texts)

    monkeypatch.setattr(Translator, "translate", translate)
    for beam in (1, 4, 7, 64):
        call("--model", folder, "--beam", beam, "the train")
    assert sizes == [(1, 64), (4, 64), (7, 36), (64, 4)]


def test_a_folder_without_a_model_is_one_clear_error(folder, tmp_path):
    with pytest.raises(ModelFolderError, match="which does not exist"):
        call("--model", tmp_path / "nowhere", "the train")
    shutil.copytree(folder, tmp_path / "half")
    (tmp_path / "half" / "config.json").unlink()
    with pytest.raises(ModelFolderError, match=r"without config\.json"):
        call("--model", tmp_path / "half", "the train")


def test_an_error_is_one_line_without_a_traceback(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["llmcourse", "translate", "--beam", "0", "the train"])
    with pytest.raises(SystemExit) as caught:
        run()
    assert caught.value.code == 2
    assert capsys.readouterr().err == "Error: --beam must be from 1 to 64. Received: 0.\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--minutes", "-1"], "minutes must be above 0 and at most 43,200. Received: -1"),
        (["--epochs", "0"], "epochs must be from 1 to 10,000. Received: 0"),
        (["--data", "nowhere.tsv"], "'nowhere.tsv', which does not exist"),
        (["--target", "tlh"], "Received: 'tlh'"),
    ],
)
def test_training_says_what_is_wrong_and_leaves_no_trace(tmp_path, options, message):
    words = ["train", "translation", "--out", str(tmp_path / "run"), *options]
    result = CliRunner().invoke(app, words)
    assert message in str(result.exception)
    assert not (tmp_path / "run").exists()


def test_training_into_a_place_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    table = tmp_path / "toy.tsv"
    table.write_text("".join(f"{source}\t{target}\n" for source, target in zip(SOURCES[:3], TARGETS, strict=False)))
    words = ["train", "translation", "--out", str(tmp_path / "file" / "run"), "--data", str(table), "--epochs", "1"]
    assert "A folder that can be written to is required" in str(CliRunner().invoke(app, words).exception)


def test_help_names_every_option():
    output = CliRunner().invoke(app, ["train", "translation", "--help"], env={"COLUMNS": "200"}).output
    for option in ("--data", "--target", "--minutes", "--epochs", "--out", "--seed", "--vocab-size", "--tokenized"):
        assert option in output
    output = call("--help").output
    for option in ("--model", "--beam", "--n-best", "--engine"):
        assert option in output
