"""What the exercises of the lesson `cnn` share: drawn inputs, and oracles in plain NumPy in float64."""

import numpy as np


def distinct_sizes(rng, count, low=2, high=9):
    """Draw sizes that all differ, so that a swapped axis cannot go unnoticed."""
    return [int(size) for size in rng.choice(np.arange(low, high), size=count, replace=False)]
