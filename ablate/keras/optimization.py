"""What Keras needs to train a network: its optimizer and the schedule of the learning rate."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

import keras

from ablate.errors import suggestion
from ablate.keras.callbacks import callback_faults
from ablate.keras.settings import check_train


def check_training(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The ``train`` section with its defaults, and every fault in it, also those that only Keras knows.

    Args:
        config: The ``train`` node of the config.

    Returns:
        The values by key, and one sentence a fault.
    """
    values, faults = check_train(config)
    if isinstance(values["optimizer"], str):
        faults += _optimizer_faults(values)
    if isinstance(values["callbacks"], Mapping):
        faults += callback_faults(values["callbacks"], scheduled=values["schedule"] != "constant")
    return values, faults


def optimizer_names() -> dict[str, type]:
    """Keras's optimizers by name in lower case."""
    wrappers = (keras.optimizers.Optimizer, keras.optimizers.LossScaleOptimizer)
    return {
        name.lower(): kind
        for name, kind in inspect.getmembers(keras.optimizers, inspect.isclass)
        if issubclass(kind, keras.optimizers.Optimizer) and kind not in wrappers
    }


def _optimizer_faults(values: dict[str, Any]) -> list[str]:
    kind = optimizer_names().get(values["optimizer"].lower())
    if kind is None:
        names = sorted(optimizer_names())
        near = suggestion(values["optimizer"].lower(), names)
        return [f"train.optimizer={values['optimizer']}: must be one of {', '.join(names)}.{near}"]
    if values["momentum"] is not None and "momentum" not in inspect.signature(kind).parameters:
        return [f"train.momentum={values['momentum']}: {kind.__name__} has no momentum; leave it at null."]
    return []


def optimizer(values: Mapping[str, Any], steps: int) -> Any:
    """A fresh Keras optimizer.

    Weight decay leaves biases and the scale and shift of normalisations alone.

    Args:
        values: The checked train section.
        steps: Steps an epoch.
    """
    kind = optimizer_names()[values["optimizer"].lower()]
    arguments = {
        argument: values[key]
        for key, argument in (("momentum", "momentum"), ("weight_decay", "weight_decay"), ("clip_norm", "clipnorm"))
        if values[key] is not None
    }
    rate = values["learning_rate"]
    if values["schedule"] != "constant" or values["warmup_epochs"]:
        rate = Schedule(values["schedule"], rate, values["epochs"], values["warmup_epochs"], steps)
    fresh = kind(learning_rate=rate, **arguments)
    fresh.exclude_from_weight_decay(var_names=["bias$", "beta$", "gamma$"])
    return fresh


@keras.saving.register_keras_serializable("ablate")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises linearly for the warm-up and then follows a named curve to the end of training.

    Args:
        name: ``constant``; ``linear`` and ``cosine`` to 0; ``exponential`` to a hundredth; ``step``, a tenth after half
            and a hundredth after three quarters of the epochs that follow the warm-up.
        peak: The rate after the warm-up.
        epochs: Epochs of training, with the warm-up.
        warmup_epochs: Epochs of the warm-up; need not be whole.
        steps: Steps an epoch.
    """

    def __init__(self, name: str, peak: float, epochs: int, warmup_epochs: float, steps: int) -> None:
        self.name, self.peak, self.epochs, self.warmup_epochs, self.steps = name, peak, epochs, warmup_epochs, steps

    def __call__(self, step: Any) -> Any:
        """The rate of a step, counted from 0."""
        ops = keras.ops
        now = ops.cast(step, "float32")
        warm = self.warmup_epochs * self.steps
        # The share of the epochs after the warm-up that has passed.
        progress = ops.clip((now - warm) / max(1.0, self.epochs * self.steps - warm), 0.0, 1.0)
        curve = {
            "constant": lambda: ops.ones_like(progress),
            "linear": lambda: 1.0 - progress,
            "cosine": lambda: 0.5 * (1.0 + ops.cos(math.pi * progress)),
            "exponential": lambda: ops.power(0.01, progress),
            "step": lambda: ops.where(progress < 0.5, 1.0, ops.where(progress < 0.75, 0.1, 0.01)),
        }[self.name]()
        return self.peak * curve * ops.minimum(1.0, (now + 1.0) / max(1.0, warm))

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {key: getattr(self, key) for key in ("name", "peak", "epochs", "warmup_epochs", "steps")}
