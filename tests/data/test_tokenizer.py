"""Text becomes ids and comes back without loss, whatever the text; a damaged tokenizer is one clear error."""

import gzip
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcourse.data import DataError, Tokenizer
from llmcourse.data.token_ids import END, PAD, START, UNK
from llmcourse.data.tokenizer import BYTE_LETTERS, RESERVED, SMALLEST

DATA = Path(os.environ.get("LLMCOURSE_DATA") or Path(__file__).parents[3] / "shared" / "data") / "multi30k"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="needs multi30k in LLMCOURSE_DATA or in ../shared/data")
TEXTS = [
    *("the cat sat on the mat", "the cat ran to the hat", "a hat and a mat"),
    *("die Katze saß auf der Matte", "die Katze lief", "der Hut und die Matte"),
    *("猫坐在垫子上。", "猫跑了。", "帽子和垫子。"),
] * 2
tokenizer = Tokenizer.train(TEXTS, 300)
texts = st.one_of(st.text(), st.lists(st.sampled_from([*TEXTS, *RESERVED, " ", "\n", "Ġ", "7", "犇"])).map("".join))


@given(texts)
def test_nothing_is_lost_on_the_way_back(text):
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(texts)
def test_ids_are_never_reserved_and_in_range(text):
    ids = tokenizer.encode(text)
    assert all(isinstance(index, int) and SMALLEST - 256 <= index < tokenizer.vocab_size for index in ids)
    assert len(ids) <= len(text.encode())
    assert (ids == []) == (text == "")


@given(texts)
def test_pieces_are_as_many_as_ids_and_join_to_the_text(text):
    pieces = tokenizer.tokens(text)
    assert len(pieces) == len(tokenizer.encode(text))
    if text.isascii() and "\\" not in text:
        assert "".join(pieces) == text


@given(st.lists(st.integers(0, tokenizer.vocab_size - 1)))
def test_any_ids_of_the_vocabulary_give_text(ids):
    before_end = ids[: ids.index(END)] if END in ids else ids
    assert tokenizer.decode(ids) == tokenizer.decode(index for index in before_end if index > END)


@given(st.lists(texts, min_size=1, max_size=5), st.integers(3, 11), st.booleans(), st.booleans())
def test_batch_holds_each_text_its_marks_and_padding(batch, max_length, start, end):
    array = tokenizer.encode_batch(batch, max_length, start=start, end=end)
    assert array.dtype == np.int32
    rows = []
    for text in batch:
        rows.append([START] * start + tokenizer.encode(text)[: max_length - start - end] + [END] * end)
    assert array.shape == (len(batch), max(map(len, rows)))
    assert array.shape[1] <= max_length
    for received, expected in zip(array.tolist(), rows, strict=True):
        assert received == expected + [PAD] * (len(received) - len(expected))


def test_small_batch_by_hand():
    the, space, cat = tokenizer.encode("the") + tokenizer.encode(" ") + tokenizer.encode("cat")
    long = tokenizer.encode("the cat sat on the mat")
    assert len(long) > 5
    received = tokenizer.encode_batch(["the", "", "the cat sat on the mat"], 5, start=True)
    assert received.tolist() == [
        [START, the, END, PAD, PAD],
        [START, END, PAD, PAD, PAD],
        [START, *long[:3], END],
    ]
    assert tokenizer.encode_batch([], 5).shape == (0, 0)
    assert tokenizer.encode_batch(["cat"], 7, end=False).tolist() == [[cat]]
    assert space != cat


def test_line_of_ten_thousand_words_is_encoded_and_cut():
    text = "the cat " * 5_000
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.encode_batch([text], 11).shape == (1, 11)


def test_decoding_stops_at_the_first_end_and_leaves_out_reserved_ids():
    ids = tokenizer.encode("the cat")
    assert tokenizer.decode([START, PAD, UNK, *ids, END, *ids]) == "the cat"
    assert tokenizer.decode(np.array([*ids, END, PAD], np.int32)) == "the cat"
    assert tokenizer.decode([END, *ids]) == ""


def test_bytes_that_are_no_character_become_the_replacement_character():
    half = tokenizer.encode("犇")[:-1]
    assert len(half) == 2
    assert tokenizer.decode([*tokenizer.encode("a"), *half]) == "a\ufffd"
    assert tokenizer.tokens("犇") == [r"\xe7", r"\x8a", r"\x87"]


def test_reserved_words_in_a_text_are_plain_text():
    for word in RESERVED:
        assert min(tokenizer.encode(word)) > END
    often = Tokenizer.train([f"{word} {word}{word}" for word in RESERVED] * 7, 272)
    assert min(index for word in RESERVED for index in often.encode(word * 2)) > END


def test_digits_are_always_single_tokens():
    numbers = Tokenizer.train(["in 1995", "in 1995", "in 1995 und 1995"], 261)
    assert numbers.tokens("in 1995") == ["in", " ", "1", "9", "9", "5"]


def test_frequent_words_of_both_languages_become_one_token():
    assert tokenizer.tokens("the cat") == ["the", " cat"]
    assert tokenizer.tokens("die Katze") == ["die", " Katze"]
    assert tokenizer.tokens("垫子") == ["垫子"]


def test_vocabulary_has_the_size_that_was_asked_for():
    assert tokenizer.vocab_size == 300
    assert Tokenizer.train(TEXTS, SMALLEST).tokens("the") == ["t", "h", "e"]
    assert len(BYTE_LETTERS) == len(set(BYTE_LETTERS.values())) == 256


@pytest.mark.parametrize(
    ("training", "size", "message"),
    [
        (TEXTS, 259, r"at least 260 .*\. Received: 259"),
        (TEXTS, 5_000, r"at most 3\d\d, which is all that these texts can give\. Received: 5,000"),
        (["one pair only", "ein Paar"], 300, "at most 26[0-9]"),
        ([], 300, "at most 260"),
    ],
)
def test_sizes_that_cannot_be_had_are_refused(training, size, message):
    with pytest.raises(ValueError, match=f"vocab_size must be {message}"):
        Tokenizer.train(training, size)


def test_what_is_no_text_is_refused():
    with pytest.raises(ValueError, match=r"text must be valid Unicode\. Received: '\\ud83d' at place 2"):
        tokenizer.encode("ab\ud83d")
    with pytest.raises(ValueError, match="valid Unicode"):
        Tokenizer.train(["ab\ud83d"], 300)
    with pytest.raises(TypeError, match=r"text must be a str\. Received: NoneType"):
        tokenizer.encode(None)
    with pytest.raises(TypeError, match=r"several texts\. Received: one, 'the cat'"):
        Tokenizer.train("the cat", 300)
    with pytest.raises(TypeError, match=r"sequence of texts\. Received: one text, 'the cat'"):
        tokenizer.encode_batch("the cat", 5)


@pytest.mark.parametrize("index", [-1, 300, 10**20])
def test_ids_outside_the_vocabulary_are_refused(index):
    with pytest.raises(ValueError, match=rf"ids must lie between 0 and 299\. Received: {index}"):
        tokenizer.decode([5, index])


@pytest.mark.parametrize(("length", "start", "end"), [(2, True, True), (1, False, True), (0, False, False)])
def test_length_without_room_for_a_token_is_refused(length, start, end):
    with pytest.raises(ValueError, match=rf"max_length must be at least {length + 1}, .*Received: {length}"):
        tokenizer.encode_batch(["the"], length, start=start, end=end)


@given(st.lists(st.text(), max_size=5), st.integers(SMALLEST, 290))
def test_saving_and_loading_keeps_everything(tmp_path_factory, more, size):
    original = Tokenizer.train([*TEXTS, *more], size)
    path = tmp_path_factory.mktemp("saved") / "tokenizer.json"
    original.save(path)
    again = Tokenizer.load(path)
    assert again.fingerprint == original.fingerprint
    assert again.vocab_size == size
    for text in (*TEXTS, *more):
        assert again.encode(text) == original.encode(text)


def test_fingerprint_tells_tokenizers_apart_and_training_is_repeatable():
    assert Tokenizer.train(iter(TEXTS), 300).fingerprint == tokenizer.fingerprint
    assert Tokenizer.train(TEXTS, 299).fingerprint != tokenizer.fingerprint
    assert Tokenizer.train(TEXTS[:8] * 3, 300).fingerprint != tokenizer.fingerprint
    assert len(tokenizer.fingerprint) == 16


def test_training_in_another_process_gives_the_same():
    code = f"from llmcourse.data import Tokenizer; print(Tokenizer.train({TEXTS!r}, 300).fingerprint)"
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert (run.stdout, run.stderr) == (f"{tokenizer.fingerprint}\n", "")


def test_forked_process_writes_no_warning():
    code = f"""
import os
from llmcourse.data import Tokenizer
tokenizer = Tokenizer.train({TEXTS!r}, 300)
child = os.fork()
Tokenizer.train({TEXTS!r}, 300).encode("the cat")
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert (run.stdout, run.stderr) == ("", "")


def saved() -> dict:
    return json.loads(tokenizer._tokenizer.to_str())


def spoil(**changes: object) -> str:
    content = saved()
    content["model"] |= changes
    return json.dumps(content)


VOCABULARY = saved()["model"]["vocab"]
DAMAGES = {
    "empty": "",
    "cut": json.dumps(saved())[:-7],
    "no JSON": "tokenizer",
    "a list": "[]",
    "no model": "{}",
    "a number as a model": '{"model": 5}',
    "no vocabulary": spoil(vocab={}),
    "vocabulary as a list": spoil(vocab=list(VOCABULARY)),
    "no merges": spoil(merges=[]),
    "merges in another order": spoil(merges=saved()["model"]["merges"][::-1]),
    "merges of three": spoil(merges=[["a", "b", "c"]]),
    "merges of numbers": spoil(merges=[[1, 2]] * 40),
    "unknown piece in a merge": spoil(
        vocab={piece: index for piece, index in VOCABULARY.items() if index < 260} | {"ab☃": 260},
        merges=[["ab", "☃"]],
    ),
    "a gap in the ids": spoil(vocab=VOCABULARY | {"cats": 999}),
    "a piece without a merge": spoil(vocab=VOCABULARY | {"cats": 300}),
    "an id twice": spoil(vocab=VOCABULARY | {"the": 5}),
    "ids as words": spoil(vocab=VOCABULARY | {"the": "5"}),
    "no reserved ids": spoil(vocab={piece: index - 4 for piece, index in VOCABULARY.items() if index > 3}),
    "nested too deeply": "[" * 100_000,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_file_is_a_clear_error(tmp_path, damage):
    path = tmp_path / "tokenizer.json"
    path.write_text(damage, encoding="utf-8")
    with pytest.raises(DataError, match=r"tokenizer\.json: required a whole tokenizer that llmcourse saved") as caught:
        Tokenizer.load(path)
    assert "train again" in caught.value.remedy


def test_file_that_is_missing_no_text_or_a_folder_is_a_clear_error(tmp_path):
    with pytest.raises(DataError, match="required a saved tokenizer. Received: No such file or directory"):
        Tokenizer.load(tmp_path / "tokenizer.json")
    with pytest.raises(DataError, match="Is a directory"):
        Tokenizer.load(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(DataError, match="UnicodeDecodeError"):
        Tokenizer.load(tmp_path / "tokenizer.json")


def test_saving_makes_folders_and_replaces_whole_files(tmp_path):
    path = tmp_path / "model" / "tokenizer.json"
    tokenizer.save(path)
    tokenizer.save(path)
    assert [file.name for file in path.parent.iterdir()] == ["tokenizer.json"]


@needs_data
def test_training_on_multi30k_takes_seconds():
    sentences = []
    for language in ("en", "de"):
        sentences += gzip.decompress((DATA / f"train.{language}.gz").read_bytes()).decode().splitlines()
    start = time.process_time()
    real = Tokenizer.train(sentences, 8_000)
    assert time.process_time() - start < 20  # measured: 1 s
    assert real.vocab_size == 8_000
    ids = [real.encode(sentence) for sentence in sentences[::7]]
    assert [real.decode(row) for row in ids] == sentences[::7]
    assert sum(map(len, ids)) / len(ids) < 16  # of about 12 words and a full stop


@given(texts, st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.integers(0, 10**6))
def test_ids_drawn_at_random_give_the_same_text(text, dropout, seed):
    ids = tokenizer.encode_at_random(text, dropout, random.Random(seed))
    assert tokenizer.decode(ids) == text
    assert ids == tokenizer.encode_at_random(text, dropout, random.Random(seed))
    if dropout == 0:
        assert ids == tokenizer.encode(text)
    if dropout == 1:
        assert len(ids) == len(text.encode())


def test_more_merges_are_passed_over_the_higher_the_dropout():
    rng = random.Random(0)
    counts = [
        sum(len(tokenizer.encode_at_random(text, dropout, rng)) for text in TEXTS * 50)
        for dropout in (0.0, 0.1, 0.4, 1.0)
    ]
    assert counts == sorted(set(counts))
    drawn = {tuple(tokenizer.encode_at_random("the cat", 0.3, rng)) for _ in range(100)}
    assert len(drawn) > 3
    # "at" is one merge of two bytes where nothing else can happen: it is passed over just as often as asked for
    two = Tokenizer.train(["at at"], 261)
    kept = sum(len(two.encode_at_random("at", 0.3, rng)) == 1 for _ in range(5_000)) / 5_000
    assert abs(kept - 0.7) < 0.03


@pytest.mark.parametrize("dropout", [-0.1, 1.1])
def test_a_dropout_that_is_no_share_is_refused(dropout):
    with pytest.raises(ValueError, match=rf"dropout must be from 0 to 1. Received: {dropout}"):
        tokenizer.encode_at_random("the cat", dropout, random.Random(0))
