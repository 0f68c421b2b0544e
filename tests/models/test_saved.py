"""A model folder comes back as it was, or is refused with one clear message."""

import errno
import json

import numpy as np
import pytest

from llmcourse.data.tokenizer import Tokenizer
from llmcourse.models import saved
from llmcourse.models.saved import ModelFolderError, load_translator, save_translator
from llmcourse.runtime import load_keras

CARD = {"source_language": "en", "target_language": "zh", "limits": {"max_length": 13}}
TEXTS = ["one two three", "two three five", "Üben 你好 火车"] * 7
SOURCE, TARGET = np.array([[5, 6, 7, 3, 0], [8, 4, 9, 10, 3]], "int32"), np.array([[2, 6, 11], [2, 5, 0]], "int32")


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(TEXTS, 263)


def make(tokenizer, seed=3, **settings):
    keras = load_keras()
    from llmcourse.models.translator import Transformer

    keras.utils.set_random_seed(seed)
    options = {"num_layers": 1, "d_model": 22, "num_heads": 11, "d_ff": 53, "tied_embeddings": True, **settings}
    return Transformer(tokenizer.vocab_size, tokenizer.vocab_size, **options)


@pytest.fixture(scope="module")
def model(tokenizer):
    return make(tokenizer, shared_embeddings=True)


@pytest.fixture
def folder(tmp_path, model, tokenizer):
    return save_translator(tmp_path / "model", model, tokenizer, CARD)


@pytest.mark.parametrize(("storage", "tolerance"), [("float32", 0), ("float16", 0.02), ("int8", 0.2)])
def test_a_model_comes_back_and_scores_alike(tmp_path, model, tokenizer, storage, tolerance):
    save_translator(tmp_path, model, tokenizer, CARD, storage=storage)
    loaded, its_tokenizer, card = load_translator(tmp_path)
    assert card == CARD
    assert its_tokenizer.fingerprint == tokenizer.fingerprint
    assert loaded.settings == model.settings
    np.testing.assert_allclose(loaded(SOURCE, TARGET), model(SOURCE, TARGET), atol=tolerance)


def test_bytes_take_a_quarter_of_the_room(tmp_path, tokenizer):
    model = make(tokenizer, d_model=88, d_ff=211)

    def size(storage):
        save_translator(tmp_path / storage, model, tokenizer, CARD, storage=storage)
        return (tmp_path / storage / "model.npz").stat().st_size

    whole = size("float32")
    assert size("float16") < 0.6 * whole
    assert size("int8") < 0.35 * whole


@pytest.mark.parametrize("size", [1, 63, 64, 65, 1023, 1024, 2003])
def test_bytes_are_exact_to_half_a_step_of_their_group(size):
    array = (
        np.random.default_rng(size).normal(size=(size, 1)).astype(np.float32) * np.geomspace(1e-3, 30, size)[:, None]
    )
    (back,) = saved._unpack(dict(saved._pack({"a": array}, "int8"))).values()
    assert back.shape == array.shape and back.dtype == np.float32
    for start in range(0, size, saved.GROUP):
        part = slice(start, start + saved.GROUP)
        assert np.abs(back[part] - array[part]).max() <= 0.51 / 127 * np.abs(array[part]).max()


def test_zeros_stay_zeros():
    (back,) = saved._unpack(dict(saved._pack({"a": np.zeros((53, 64), np.float32)}, "int8"))).values()
    assert not back.any()


@pytest.mark.parametrize("shared", [False, True])
def test_separate_tables_are_kept_apart(tmp_path, tokenizer, shared):
    model = make(tokenizer, shared_embeddings=shared)
    save_translator(tmp_path, model, tokenizer, CARD)
    loaded, _, _ = load_translator(tmp_path)
    assert (loaded.source_embedding is loaded.target_embedding) == shared
    assert loaded.count_params() == model.count_params()
    np.testing.assert_allclose(loaded(SOURCE, TARGET), model(SOURCE, TARGET), atol=0.02)


def test_the_card_is_for_people(folder, model, tokenizer):
    assert "| target_language | zh |" in (folder / "model_card.md").read_text()
    save_translator(folder, model, tokenizer, CARD, text="# Mine\n")
    assert (folder / "model_card.md").read_text() == "# Mine\n"


def test_the_folder_of_a_run_leads_to_its_model(tmp_path, folder):
    assert load_translator(tmp_path)[2] == CARD


@pytest.mark.parametrize("name", ["model.npz", "tokenizer.json", "config.json"])
def test_a_half_written_folder_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelFolderError, match=rf"without {name}"):
        load_translator(folder)


@pytest.mark.parametrize("name", ["model.npz", "tokenizer.json", "config.json"])
def test_a_file_that_is_cut_short_is_refused(folder, name):
    path = folder / name
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ModelFolderError, match=rf"Received: .*{name}"):
        load_translator(folder)


def change(folder, **entries):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def test_another_version_is_refused(folder):
    change(folder, format=2)
    with pytest.raises(ModelFolderError, match=r"reads model folders of format 1\. Received: format 2"):
        load_translator(folder)


def test_another_tokenizer_is_refused(folder):
    Tokenizer.train(["four five six", "five six seven"] * 7, 263).save(folder / "tokenizer.json")
    with pytest.raises(ModelFolderError, match="The tokenizer that the model was trained with is required"):
        load_translator(folder)


def test_weights_of_another_model_are_refused(tmp_path, folder, tokenizer):
    other = save_translator(tmp_path / "other", make(tokenizer, seed=5), tokenizer, CARD)
    (folder / "model.npz").write_bytes((other / "model.npz").read_bytes())
    with pytest.raises(ModelFolderError, match="cut short or of another model"):
        load_translator(folder)


def test_sizes_that_do_not_fit_the_weights_are_refused(folder, model):
    change(folder, model=model.settings | {"d_ff": 59})
    with pytest.raises(ModelFolderError, match="other names or shapes"):
        load_translator(folder)


def test_a_config_without_its_entries_is_refused(folder):
    path = folder / "config.json"
    path.write_text('{"format": 1, "model": {}}')
    with pytest.raises(ModelFolderError, match="without card, tokenizer, weights"):
        load_translator(folder)


def test_a_run_that_is_not_finished_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"task": "translation", "data": "phrases"}')
    with pytest.raises(ModelFolderError, match="The model of a finished run is required"):
        load_translator(tmp_path)


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(ModelFolderError, match="which does not exist"):
        load_translator(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelFolderError, match="which is a file"):
        load_translator(tmp_path / "file")


def test_without_a_packaged_model_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(saved, "files", lambda package: tmp_path)
    with pytest.raises(ModelFolderError, match="name a folder with --model DIR"):
        load_translator(None)


def test_the_packaged_model_is_found(tmp_path, monkeypatch, model, tokenizer):
    monkeypatch.setattr(saved, "files", lambda package: tmp_path)
    save_translator(tmp_path / "pretrained" / "tatoeba-cmn", model, tokenizer, CARD)
    assert load_translator()[2] == CARD


def test_what_does_not_fit_is_not_written(tmp_path, model):
    other = Tokenizer.train(TEXTS, 262)
    with pytest.raises(ValueError, match=r"the tokenizer's 262 tokens. Received: \(263, 263\)"):
        save_translator(tmp_path / "model", model, other, CARD)
    with pytest.raises(ValueError, match="Received: 'int4'"):
        save_translator(tmp_path / "model", model, other, CARD, storage="int4")
    assert not (tmp_path / "model").exists()


def test_a_full_disk_is_one_clear_error(tmp_path, model, tokenizer, monkeypatch):
    def full(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(ModelFolderError, match="with space to write to is required.*No space left on device"):
        save_translator(tmp_path, model, tokenizer, CARD)
    assert list(tmp_path.iterdir()) == []


def test_importing_loads_no_framework():
    import subprocess
    import sys

    code = "import sys, llmcourse.models.saved; sys.exit(any(m in sys.modules for m in ('keras', 'tensorflow')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
