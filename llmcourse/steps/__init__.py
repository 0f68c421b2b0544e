"""What learners write, solved and tested: one file for each lesson, for those who are stuck and go on.

    from llmcourse import steps
    steps.relu(z)

A file is imported when one of its names is first used, so the steps in plain NumPy wait for no framework. Nothing
imports this package but lessons, tests and the demonstration.
"""

from importlib import import_module
from typing import Any

_NAMES = {
    "mlp": "dense_forward relu relu_backward mse softmax_cross_entropy init_mlp mlp_forward predict",
    "backprop": "gradient_check mlp_backward Value sgd_step train_mlp build_mlp",
    "cnn": """prepare conv2d conv2d_backward max_pool2d max_pool2d_backward confusion_matrix precision_recall_f1
        train_and_save""",
    "attention": "softmax split_heads merge_heads",
    "transformer": "noam_schedule NoamSchedule",
    "translation": """bpe_merges join_pair split_word build_vocabulary encode_batch token_accuracy TranslationModel
        build_translator train_translator""",
    "decoding": """beam_search KeyValueCache greedy_decode_cached sample distribution ngram_precisions ngrams
        corpus_bleu""",
    "rnn": "rnn_forward rnn_backward clip_by_global_norm lstm_step classification_report",
}
_HOMES = {name: file for file, names in _NAMES.items() for name in names.split()}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'llmcourse.steps' has no attribute {name!r}")
    return getattr(import_module(f"llmcourse.steps.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*_NAMES, *_HOMES])
