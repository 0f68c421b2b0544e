"""Figures of the lessons: each function returns a `Picture`, a figure with a text alternative.

Importing this package does not import matplotlib; the first picture does. No function touches pyplot or any other
global state, so a learner's own plots look as they did before.
"""

from llmcourse.plots.attention import attention_maps, mask_grids, positional_codes, relative_cost, softmax_widths
from llmcourse.plots.attention_diagrams import attention_lookup, multi_head_graph
from llmcourse.plots.charts import activations, descent_path, loss_shapes, softmax_bars
from llmcourse.plots.classes import confusion_matrix, decision_regions
from llmcourse.plots.convolution import convolution_steps, padding_and_stride, receptive_field
from llmcourse.plots.curves import learning_curves, learning_rates
from llmcourse.plots.decoding import beam_tree, bleu_by_beam_size, token_times
from llmcourse.plots.diagrams import mlp_graph, neuron
from llmcourse.plots.features import confident_errors, feature_maps
from llmcourse.plots.images import digits, weight_images
from llmcourse.plots.picture import Picture
from llmcourse.plots.sentences import ngram_matches, token_distributions
from llmcourse.plots.transformer import target_shift, transformer_graph
from llmcourse.plots.translation import chinese_font, cross_attention, token_table

__all__ = [
    "Picture",
    "activations",
    "attention_lookup",
    "attention_maps",
    "beam_tree",
    "bleu_by_beam_size",
    "chinese_font",
    "confident_errors",
    "confusion_matrix",
    "convolution_steps",
    "cross_attention",
    "decision_regions",
    "descent_path",
    "digits",
    "feature_maps",
    "learning_curves",
    "learning_rates",
    "loss_shapes",
    "mask_grids",
    "mlp_graph",
    "multi_head_graph",
    "neuron",
    "ngram_matches",
    "padding_and_stride",
    "positional_codes",
    "receptive_field",
    "relative_cost",
    "softmax_bars",
    "softmax_widths",
    "target_shift",
    "token_distributions",
    "token_table",
    "token_times",
    "transformer_graph",
    "weight_images",
]
