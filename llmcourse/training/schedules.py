"""Learning rates over the steps of a training run, as plain arrays that can be printed, plotted and tested."""

import numpy as np


def one_cycle(steps: int, peak: float, warmup: float = 0.3) -> np.ndarray:
    """Let the learning rate rise in a straight line to its peak and then fall in a straight line to zero.

    The small rates at the start keep the first steps, whose gradients are large and wild, from doing harm. The large
    ones in the middle cover the distance, and the fall to zero lets the weights settle: a network trained for a few
    epochs only gains most of its accuracy there.

    Args:
        steps: number of steps of the whole run.
        peak: the highest rate.
        warmup: share of the steps that the rise takes, above 0 and below 1.

    Returns:
        Float32 (steps,), the rate of each step, all above zero: the line would reach zero one step after the end.

    Raises:
        ValueError: fewer than 1 step, a peak of 0 or less, a share that is not between 0 and 1.

    Source: Smith & Topin (2018), Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates.

    Example:
        >>> one_cycle(steps=5, peak=1.0, warmup=0.4).tolist()
        [0.5, 1.0, 0.75, 0.5, 0.25]
    """
    if steps < 1 or not peak > 0 or not 0 < warmup < 1:
        raise ValueError(
            "steps must be 1 or more, peak above 0 and warmup between 0 and 1. "
            f"Received: steps={steps}, peak={peak}, warmup={warmup}."
        )
    corners, heights = [0, warmup * steps, steps + 1], [0.0, peak, 0.0]
    return np.interp(np.arange(1, steps + 1), corners, heights).astype(np.float32)


def rise_and_fall(progress: float, peak: float, warmup: float) -> float:
    """Compute the learning rate from how far a run is, so that a run that the clock ends has a schedule too.

    The rate rises in a straight line to its peak and falls in a straight line, as in `one_cycle`; it never goes below a
    hundredth of the peak, so the first step learns something and so does the last.

    Args:
        progress: how far the run is, from 0 to 1.
        peak: the highest rate, above 0.
        warmup: share of the run that the rise takes, above 0 and below 1.

    Returns:
        The rate.

    Raises:
        ValueError: a number is out of range.

    Example:
        >>> [rise_and_fall(progress, peak=1.0, warmup=0.2) for progress in (0, 0.1, 0.2, 0.6, 1)]
        [0.01, 0.5, 1.0, 0.5, 0.01]
    """
    if not 0 <= progress <= 1 or not peak > 0 or not 0 < warmup < 1:
        raise ValueError(
            "progress must be from 0 to 1, peak above 0 and warmup between 0 and 1. "
            f"Received: progress={progress}, peak={peak}, warmup={warmup}."
        )
    share = progress / warmup if progress < warmup else (1 - progress) / (1 - warmup)
    return peak * max(share, 0.01)
