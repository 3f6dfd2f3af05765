"""How a network is trained: the ``train`` section of the config, checked, and what Keras needs of it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

import keras

from ablate.errors import suggestion
from ablate.keras.callbacks import callback_faults
from ablate.keras.options import Option, check, choice, flag, mapping, number, optional, text, whole

__all__ = ["OPTIONS", "SCHEDULES", "Schedule", "loss", "optimizer", "optimizer_names", "settings"]

SCHEDULES = ("constant", "cosine", "exponential", "linear", "step")

OPTIONS: Mapping[str, Option] = {
    "epochs": Option(10, whole(1)),
    "batch_size": Option(32, whole(1)),
    "optimizer": Option("adam", text()),
    "learning_rate": Option(0.001, number(0, open_low=True)),
    "schedule": Option("constant", choice(SCHEDULES)),
    "warmup_epochs": Option(0, number(0)),
    "weight_decay": Option(None, optional(number(0))),
    "momentum": Option(None, optional(number(0, 1, open_high=True))),
    "clip_norm": Option(None, optional(number(0, open_low=True))),
    "label_smoothing": Option(0.0, number(0, 1, open_high=True)),
    "early_stopping": Option(None, optional(whole(1))),
    "epoch": Option("last", choice(("last", "best_val"))),
    "mixed_precision": Option(None, optional(choice(("bfloat16", "float16")))),
    "jit": Option(False, flag()),
    "threads": Option(1, whole(1)),
    "callbacks": Option({}, mapping()),
    "save": Option(None, optional(choice(("best", "last")))),
    "backup": Option(True, flag()),
}


def settings(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The train section with its defaults, and every fault in it.

    Args:
        config: The ``train`` node of the config.

    Returns:
        The values by key, and one sentence a fault.
    """
    values, faults = check("train", {key: value for key, value in config.items()}, OPTIONS)
    for key in ("schedule", "epoch", "mixed_precision", "save"):
        if isinstance(values[key], str):
            values[key] = values[key].lower()
    if isinstance(values["optimizer"], str):
        faults += _optimizer_faults(values)
    if isinstance(values["callbacks"], Mapping):
        faults += callback_faults(values["callbacks"], scheduled=values["schedule"] != "constant")
    if not faults and values["warmup_epochs"] >= values["epochs"]:
        faults.append(f"train.warmup_epochs={values['warmup_epochs']}: must be below train.epochs={values['epochs']}.")
    return values, faults


def optimizer_names() -> dict[str, type]:
    """Keras's optimizers by name in lower case."""
    wrappers = (keras.optimizers.Optimizer, keras.optimizers.LossScaleOptimizer)
    found = inspect.getmembers(keras.optimizers, inspect.isclass)
    return {
        name.lower(): kind
        for name, kind in found
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
    extra = {
        ours: values[key]
        for key, ours in (("momentum", "momentum"), ("weight_decay", "weight_decay"), ("clip_norm", "clipnorm"))
        if values[key] is not None
    }
    made = kind(learning_rate=_learning_rate(values, steps), **extra)
    made.exclude_from_weight_decay(var_names=["bias$", "beta$", "gamma$"])
    return made


def _learning_rate(values: Mapping[str, Any], steps: int) -> Any:
    if values["schedule"] == "constant" and not values["warmup_epochs"]:
        return values["learning_rate"]
    return Schedule(values["schedule"], values["learning_rate"], values["epochs"], values["warmup_epochs"], steps)


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
        gone = ops.clip((now - warm) / max(1.0, self.epochs * self.steps - warm), 0.0, 1.0)
        curve = {
            "constant": lambda: ops.ones_like(gone),
            "linear": lambda: 1.0 - gone,
            "cosine": lambda: 0.5 * (1.0 + ops.cos(math.pi * gone)),
            "exponential": lambda: ops.power(0.01, gone),
            "step": lambda: ops.where(gone < 0.5, 1.0, ops.where(gone < 0.75, 0.1, 0.01)),
        }[self.name]()
        return self.peak * curve * ops.minimum(1.0, (now + 1.0) / max(1.0, warm))

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {key: getattr(self, key) for key in ("name", "peak", "epochs", "warmup_epochs", "steps")}


def loss(values: Mapping[str, Any], *, logits: bool) -> Any:
    """Cross-entropy, on whole-number labels or, with label smoothing, on vectors.

    Args:
        values: The checked train section.
        logits: Whether the network ends without a softmax.
    """
    if values["label_smoothing"]:
        return keras.losses.CategoricalCrossentropy(from_logits=logits, label_smoothing=values["label_smoothing"])
    return keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
