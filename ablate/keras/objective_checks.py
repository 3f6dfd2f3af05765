"""Losses and metrics of the user, tried on labels and outputs of the right shape before any training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from ablate.errors import ConfigError
from ablate.keras.data.batches import ArrayBatches
from ablate.keras.data.dataset import Dataset
from ablate.keras.tasks import chosen_task

_EXAMPLES = 2


def refuse_unfit_objective(model: Any, config: Mapping[str, Any], dataset: Dataset, values: Mapping[str, Any]) -> None:
    """Refuses ``task.loss`` and ``task.metrics`` that cannot be computed, or give more than one number.

    Args:
        model: The network in its full form; it is left as it is.
        config: The config of the run.
        dataset: Its data.
        values: The checked train section.

    Raises:
        ConfigError: It names labels and outputs by their shapes; every fault.
    """
    task, settings = chosen_task(config)
    if settings["loss"] is None and not settings["metrics"]:
        return
    objective = task.objective(model, dataset, settings, values)
    batches = ArrayBatches(dataset.pool, _EXAMPLES, objective.encoding)
    batches.select(dataset, dataset.train.index[:_EXAMPLES])
    labels = keras.ops.convert_to_tensor(batches[0][1])
    sides = zip(model.outputs[0].shape[1:], [*labels.shape[1:], None, None, None], strict=False)
    shape = (len(labels), *(side or size or 1 for side, size in sides))
    outputs = keras.ops.convert_to_tensor(np.full(shape, 1 / shape[-1], "float32"))
    where = f"on labels of {tuple(labels.shape)} and outputs of {shape}"
    vectors = " task.one_hot=true makes vectors of labels." if settings.get("one_hot") is False else ""
    faults = []
    if settings["loss"] is not None:
        try:
            loss = objective.loss(labels, outputs)
            if not np.isfinite(np.asarray(keras.ops.convert_to_numpy(loss))).all():
                faults.append(f"task.loss={settings['loss']} is not finite {where}.")
        except Exception as error:  # of Keras or of the user's code
            faults.append(f"task.loss={settings['loss']} cannot be computed {where}: {_first_line(error)}.{vectors}")
    for metric in objective.metrics:
        if isinstance(metric, str):
            continue
        try:
            metric.update_state(labels, outputs)
            result = metric.result()
        except Exception as error:
            faults.append(f"task.metrics: {metric.name} cannot be computed {where}: {_first_line(error)}.{vectors}")
            continue
        if isinstance(result, Mapping) or np.ndim(keras.ops.convert_to_numpy(result)) != 0:
            faults.append(
                f"task.metrics: {metric.name} gives more than one number. Where it has an argument for that, let it "
                f"take the mean: {{{metric.name}: {{name: ..., average: macro}}}}."
            )
    if faults:
        raise ConfigError("\n".join(faults))


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0].rstrip('.') if lines else 'no message'}"
