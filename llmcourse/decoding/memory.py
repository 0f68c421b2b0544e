"""How much memory a search takes, known before it begins: a batch can then be cut, and what is hopeless is refused."""

from collections.abc import Mapping
from typing import Any

from llmcourse.machine import available_memory

LARGEST_BEAM = 64  # of a translator: memory grows with the beam, and translations get no better long before
ROOM = 2**30  # bytes for one batch; a larger one is not quicker
FLOAT = 4  # bytes


def search_memory(
    settings: Mapping[str, Any], sentences: int, source_length: int, beam_size: int, max_length: int
) -> int:
    """Estimate the bytes that a search with a key/value cache takes beside the weights.

    Args:
        settings: the sizes of a Transformer, as its attribute `settings` has them.
        sentences: B, how many are searched together.
        source_length: S, tokens of each source.
        beam_size: W, hypotheses for each sentence.
        max_length: T, tokens of each target.

    Example:
        >>> sizes = {"num_layers": 4, "d_model": 128, "num_heads": 4, "target_vocab_size": 8_000}
        >>> f"{search_memory(sizes, 64, 32, beam_size=4, max_length=72) / 2**20:.0f} MiB"
        '196 MiB'
    """
    layers, width, heads = settings["num_layers"], settings["d_model"], settings["num_heads"]
    rows = sentences * beam_size
    written = 2 * (2 * layers + 1) * rows * max_length * width  # keys and values, old and grown, and a layer on the way
    read = 2 * layers * sentences * source_length * width
    scores = 3 * heads * max(sentences * source_length**2, rows * max(source_length, max_length))
    logits = 3 * rows * settings["target_vocab_size"]
    return FLOAT * (written + read + scores + logits)


def require_memory(model: Any, source: tuple[int, ...], beam_size: int, max_length: int) -> None:
    """Refuse a search for which the memory of this machine is too small.

    Args:
        model: with the attribute `settings`; of any other model nothing is known, and nothing refused.
        source: the shape of the sources, (B, S).
        beam_size: W, hypotheses for each sentence.
        max_length: T, tokens of each target.

    Raises:
        ValueError: says how much it would take, how much there is, and what the search is made of.
    """
    needed = _estimate(model, *source, beam_size, max_length)
    if needed <= ROOM:
        return
    free = available_memory()
    if free is not None and needed > free:
        raise ValueError(
            f"A search must fit into the memory that is free, {free / 2**30:.1f} GiB. Received: sources of shape "
            f"{source}, beam_size {beam_size} and max_length {max_length}, about {needed / 2**30:,.1f} GiB. "
            "Take a smaller beam, fewer sentences at a time or shorter ones."
        )


def fitting(model: Any, source_length: int, beam_size: int, max_length: int) -> int:
    """Say how many sentences may be searched together, at least one, so that they keep within `ROOM`."""
    each = _estimate(model, 1, source_length, beam_size, max_length)
    return max(1, min(ROOM, (available_memory() or ROOM) // 2) // max(1, each))


def _estimate(model: Any, *numbers: int) -> int:
    settings = getattr(model, "settings", None)
    return search_memory(settings, *numbers) if settings else 0
