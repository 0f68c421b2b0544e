"""Warm-up: small steps at first, while Adam's averages and the attention are still random; then ever smaller ones."""

from typing import Any

import keras
from keras import ops


def noam_schedule(step: Any, d_model: int, warmup_steps: int) -> Any:
    """Compute the learning rate of a step: a straight rise for `warmup_steps`, then a fall with 1/sqrt(step).

    The peak, (d_model * warmup_steps)**-0.5, is lower for wide models, whose outputs move further in one step.

    Args:
        step: int or numbers of any shape, from 1.
        d_model: int, the width D of the model.
        warmup_steps: int, the step of the peak.

    Returns:
        Float32, the shape of `step`: d_model**-0.5 * min(step**-0.5, step * warmup_steps**-1.5).

    Raises:
        ValueError: `d_model` or `warmup_steps` is below 1.

    Source: Vaswani et al. (2017), Attention Is All You Need, equation 3.

    Example:
        >>> [round(float(noam_schedule(step, d_model=4, warmup_steps=4)), 4) for step in (1, 4, 16)]
        [0.0625, 0.25, 0.125]
    """
    if d_model < 1 or warmup_steps < 1:
        raise ValueError(f"d_model and warmup_steps must be at least 1. Received: {d_model} and {warmup_steps}.")
    step = ops.cast(step, "float32")
    return d_model**-0.5 * ops.minimum(step**-0.5, step * warmup_steps**-1.5)


@keras.saving.register_keras_serializable(package="llmcourse")
class NoamSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Give `noam_schedule` to an optimizer: `keras.optimizers.Adam(NoamSchedule(128, 400), beta_2=0.98)`.

    Keras counts steps from 0, the formula from 1.

    Args:
        d_model: int, the width D of the model.
        warmup_steps: int, the step of the peak.
        factor: float, multiplies every learning rate.

    Source: Vaswani et al. (2017), Attention Is All You Need, section 5.3.
    """

    def __init__(self, d_model: int, warmup_steps: int, factor: float = 1.0):
        super().__init__()
        self.d_model = d_model
        self.warmup_steps = warmup_steps
        self.factor = factor

    def __call__(self, step: Any) -> Any:
        """Return the learning rate of the step, counted from 0."""
        return self.factor * noam_schedule(ops.cast(step, "float32") + 1, self.d_model, self.warmup_steps)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal schedule."""
        return {"d_model": self.d_model, "warmup_steps": self.warmup_steps, "factor": self.factor}
