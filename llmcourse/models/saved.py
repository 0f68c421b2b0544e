"""A trained translator as a folder: small enough for a package, and refused as a whole where a part of it is wrong.

    model.npz         the weights, as bytes (int8, a scale for each 64 of them), float16 or float32
    tokenizer.json    the vocabulary that the weights belong to
    model_card.md     what a person should know
    config.json       written last: the model's sizes, the marks of the two files above, and the card's facts

The mark of a file is a hash of it, so a folder that was copied in part or holds files of two models is found out.
"""

import hashlib
import io
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from llmcourse.data.tokenizer import Tokenizer
from llmcourse.files import write_atomically

if TYPE_CHECKING:
    from llmcourse.models.translator import Transformer

FORMAT = 1
WEIGHTS, TOKENIZER, CARD, CONFIG = "model.npz", "tokenizer.json", "model_card.md", "config.json"
INSIDE_RUN = "model"  # a training run keeps its model in this folder of its own
PACKAGED = "tatoeba-cmn"
GROUP = 64  # numbers that share a scale: 2 bytes on 64
SMALL = 1_024  # arrays below this size (biases, norms) are kept exactly: they are few, and much depends on each
_SCALE = "/scale"
Storage = Literal["int8", "float16", "float32"]


class ModelFolderError(RuntimeError):
    """A model folder that cannot be read or written; the message says what was required and what was there."""


def save_translator(
    folder: Path,
    model: "Transformer",
    tokenizer: Tokenizer,
    card: Mapping[str, Any],
    *,
    text: str = "",
    storage: Storage = "float16",
) -> Path:
    """Write a model with its tokenizer, so that `load_translator` gives back one that translates alike.

    Args:
        folder: made where it is missing; files of an earlier model in it are replaced.
        model: a Transformer.
        tokenizer: what made the token ids that it was trained with.
        card: facts about the model that JSON can hold: languages, data, limits, scores.
        text: the model card for people, as Markdown; by default a table of the facts.
        storage: "int8" is a quarter of float32's size and "float16" half of it.

    Returns:
        The folder.

    Raises:
        ValueError: another storage, or vocabularies of model and tokenizer that do not fit.
        ModelFolderError: the folder cannot be written, or the disk is full.
    """
    if storage not in get_args(Storage):
        raise ValueError(f"storage must be one of {', '.join(get_args(Storage))}. Received: {storage!r}.")
    sizes = (model.settings["source_vocab_size"], model.settings["target_vocab_size"])
    if sizes != (tokenizer.vocab_size,) * 2:
        raise ValueError(f"The model must have the tokenizer's {tokenizer.vocab_size} tokens. Received: {sizes}.")
    stream = io.BytesIO()
    np.savez_compressed(stream, **dict(_pack(_weights(model), storage)))  # type: ignore[arg-type]
    config = {
        "task": "translation",
        "format": FORMAT,
        "storage": storage,
        "weights": _mark(stream.getvalue()),
        "tokenizer": tokenizer.fingerprint,
        "model": dict(model.settings),
        "card": dict(card),
    }
    try:
        write_atomically(folder / WEIGHTS, stream.getvalue())
        tokenizer.save(folder / TOKENIZER)
        write_atomically(folder / CARD, text or _table(card))
        write_atomically(folder / CONFIG, json.dumps(config, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise ModelFolderError(f"A folder with space to write to is required. Received: {folder}, {error}.") from None
    return folder


@dataclass(frozen=True)
class ModelFiles:
    """A model folder, read and found whole: what a model is made of, whoever makes it."""

    folder: Path
    settings: dict[str, Any]
    card: dict[str, Any]
    tokenizer: Tokenizer
    packed: bytes

    def arrays(self) -> dict[str, np.ndarray]:
        """Unpack the weights: float32 arrays in the order of the model's `weights`."""
        with np.load(io.BytesIO(self.packed), allow_pickle=False) as archive:
            return dict(sorted(_unpack({name: archive[name] for name in archive.files}).items()))


def read_translator(folder: Path | None = None) -> ModelFiles:
    """Read a model folder and compare its files with their marks; neither Keras nor a model is loaded.

    Args:
        folder: as `save_translator` wrote it, or the folder of a training run; None for the packaged one.

    Raises:
        ModelFolderError: the folder is missing or half written, of another version, or its files do not belong
            together.
    """
    folder = find_model(folder)
    config = read_config(folder)
    for name in (WEIGHTS, TOKENIZER):
        if not (folder / name).is_file():
            raise ModelFolderError(f"A whole model folder is required. Received: {folder} without {name}.")
    packed = (folder / WEIGHTS).read_bytes()
    if _mark(packed) != config["weights"]:
        raise ModelFolderError(
            f"The weights that {CONFIG} names are required. Received: {folder / WEIGHTS}, which is cut short or of "
            "another model. Copy the whole folder again."
        )
    try:
        tokenizer = Tokenizer.load(folder / TOKENIZER)
    except Exception as error:
        raise ModelFolderError(f"A whole {TOKENIZER} is required. Received: {folder / TOKENIZER}, {error}") from None
    if tokenizer.fingerprint != config["tokenizer"]:
        raise ModelFolderError(
            f"The tokenizer that the model was trained with is required. Received: another one in {folder / TOKENIZER}."
        )
    return ModelFiles(folder, dict(config["model"]), dict(config["card"]), tokenizer, packed)


def load_translator(folder: Path | None = None) -> "tuple[Transformer, Tokenizer, dict[str, Any]]":
    """Read a model folder; no code in its files can run.

    Args:
        folder: as `save_translator` wrote it, or the folder of a training run; None for the small English-Chinese
            model inside the package.

    Returns:
        The model, its tokenizer, and the card's facts.

    Raises:
        ModelFolderError: the folder is missing or half written, of another version, or its files do not belong
            together.
        RuntimeError: Keras or its backend cannot be imported, or computes in another type.
    """
    files = read_translator(folder)
    return _build(files), files.tokenizer, files.card


def find_model(folder: Path | None) -> Path:
    """Name the folder that holds the files: the given one, the one inside a training run, or the packaged one.

    Raises:
        ModelFolderError: there is none.
    """
    if folder is None:
        packaged = Path(str(files("llmcourse"))) / "pretrained" / PACKAGED
        if not packaged.is_dir():
            raise ModelFolderError(
                f"This installation has no model {PACKAGED}; name a folder with --model DIR. Received: no --model."
            )
        return packaged
    if not folder.is_dir():
        received = f"{folder}, which {'is a file' if folder.exists() else 'does not exist'}"
        raise ModelFolderError(f"A model folder is required. Received: {received}.")
    inside = folder / INSIDE_RUN
    return inside if inside.is_dir() else folder


def read_config(folder: Path) -> dict[str, Any]:
    """Read what a model folder says of itself; neither Keras nor the weights are loaded.

    Args:
        folder: from `find_model`.

    Returns:
        The entries of config.json.

    Raises:
        ModelFolderError: it is missing, damaged, or of another version.
    """
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelFolderError(
            f"A finished model folder is required. Received: {folder} without {CONFIG}, which is written last."
        ) from None
    except (ValueError, OSError) as error:
        raise ModelFolderError(f"A readable {CONFIG} is required. Received: {path}, {type(error).__name__}.") from None
    if not isinstance(config, dict) or "format" not in config:
        raise ModelFolderError(f"The model of a finished run is required. Received: {folder} without a model in it.")
    if config["format"] != FORMAT:
        raise ModelFolderError(
            f"This version of llmcourse reads model folders of format {FORMAT}. Received: format {config['format']!r} "
            f"in {path}. Install the version of llmcourse that made it, or train the model again."
        )
    missing = sorted({"weights", "tokenizer", "model", "card"} - config.keys())
    if missing:
        raise ModelFolderError(f"A whole {CONFIG} is required. Received: {path} without {', '.join(missing)}.")
    return config


def _build(files: ModelFiles) -> "Transformer":
    from llmcourse.runtime import load_keras

    keras = load_keras()
    if keras.config.floatx() != "float32":
        raise RuntimeError(
            f"A translator computes in float32. Received: floatx {keras.config.floatx()!r}. "
            'Call `llmcourse.setup()` or `keras.config.set_floatx("float32")` first.'
        )
    from llmcourse.models.translator import Transformer

    drawn = random.getstate()  # first weights take their seeds from here; they are replaced, so nothing is to be drawn
    try:
        arrays = files.arrays()
        model = Transformer(**files.settings)
        variables = _variables(model)
        shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
        if shapes != {name: array.shape for name, array in arrays.items()}:
            raise ValueError("the weights have other names or shapes than the model")
    except Exception as error:  # NumPy, zipfile and Keras raise many unrelated types for what does not fit
        raise ModelFolderError(
            f"A model and weights that fit are required. Received: {files.folder}, {error}."
        ) from None
    finally:
        random.setstate(drawn)
    for name, variable in variables.items():
        variable.assign(arrays[name])
    return model


def _variables(model: "Transformer") -> dict[str, Any]:
    return {f"{index:03d}": variable for index, variable in enumerate(model.weights)}


def _weights(model: "Transformer") -> dict[str, np.ndarray]:
    return {name: variable.numpy() for name, variable in _variables(model).items()}


def _pack(arrays: Mapping[str, np.ndarray], storage: Storage) -> Iterator[tuple[str, np.ndarray]]:
    """Yield what the archive holds; an array as bytes comes with its scales."""
    for name, array in arrays.items():
        if array.size < SMALL or storage == "float32":
            yield name, array.astype(np.float32)
        elif storage == "float16":
            yield name, array.astype(np.float16)
        else:
            groups = np.pad(array.ravel(), (0, -array.size % GROUP)).reshape(-1, GROUP)  # (groups, 64)
            scale = (np.abs(groups).max(axis=1, keepdims=True) / 127).astype(np.float16)
            steps = np.rint(groups / np.maximum(scale.astype(np.float32), 1e-12))
            yield name, np.clip(steps, -127, 127).astype(np.int8).ravel()[: array.size].reshape(array.shape)
            yield name + _SCALE, scale


def _unpack(packed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Undo `_pack`: float32 arrays by name."""
    arrays = {}
    for name, array in packed.items():
        if array.dtype == np.int8:
            groups = np.pad(array.ravel(), (0, -array.size % GROUP)).reshape(-1, GROUP).astype(np.float32)
            groups *= packed[name + _SCALE]
            arrays[name] = groups.ravel()[: array.size].reshape(array.shape)
        elif not name.endswith(_SCALE):
            arrays[name] = array.astype(np.float32)
    return arrays


def _mark(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _table(card: Mapping[str, Any]) -> str:
    rows = "\n".join(f"| {name} | {value} |" for name, value in card.items())
    return f"# A translator\n\n| what | value |\n| --- | --- |\n{rows}\n"
