"""Figures of the lessons: each function returns a `Picture`, a figure with a text alternative.

Importing this package does not import matplotlib; the first picture does. No function touches pyplot or any other
global state, so a learner's own plots look as they did before.
"""

from llmcourse.plots.charts import activations, descent_path, loss_shapes, softmax_bars
from llmcourse.plots.classes import confusion_matrix, decision_regions
from llmcourse.plots.curves import learning_curves, learning_rates
from llmcourse.plots.diagrams import mlp_graph, neuron
from llmcourse.plots.images import digits, weight_images
from llmcourse.plots.picture import Picture

__all__ = [
    "Picture",
    "activations",
    "confusion_matrix",
    "decision_regions",
    "descent_path",
    "digits",
    "learning_curves",
    "learning_rates",
    "loss_shapes",
    "mlp_graph",
    "neuron",
    "softmax_bars",
    "weight_images",
]
