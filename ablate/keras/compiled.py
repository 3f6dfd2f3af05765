"""Compiled networks, reused from run to run.

Tracing a train step costs seconds and leaves memory behind; a run that differs from the one before in its seed alone
takes over its model and assigns fresh weights, optimizer state and random states.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras.src.random.seed_generator import global_seed_generator

from ablate.keras import device
from ablate.keras.backup import assign_values, values_of
from ablate.keras.callbacks import watches_batches
from ablate.keras.data.batches import ArrayBatches, TensorBatches
from ablate.keras.data.dataset import Dataset
from ablate.keras.data.forms import LabelForm
from ablate.keras.loop import FitLoop, TracedLoop
from ablate.keras.mask_augmentation import MaskAugmentation, split_augmentation
from ablate.keras.model_checks import refuse_unreadable_file, refuse_unreported_training
from ablate.keras.networks import build_model
from ablate.keras.objective_checks import refuse_unfit_objective
from ablate.keras.optimization import optimizer
from ablate.keras.run_config import cell_config
from ablate.keras.streams import reseed, stream_seed
from ablate.keras.tasks import Objective, Task, chosen_task
from ablate.keras.tf_memory import free_unused_graphs

_STEPS = 64
"""Steps that TensorFlow takes before it returns to Python, so that Ctrl-C and divergence are noticed in time."""

_MODELS: OrderedDict[str, CompiledModel] = OrderedDict()
_MAX_MODELS = 2


@dataclass(frozen=True, eq=False)
class CompiledModel:
    """A compiled model with its batches.

    Args:
        model: The network.
        batches: Its data, by ``training`` and ``evaluation``.
        loop: Trains and evaluates the model on them.
        initial_optimizer: The optimizer's state before its first step. A second optimizer would leave 2 MB behind a
            run.
        objective: What the model is compiled with.
        augmentation: Random changes of images and masks together, where labels are masks; such layers are then not in
            the model.
    """

    model: Any
    batches: Mapping[str, Any]
    loop: TracedLoop | FitLoop
    initial_optimizer: Sequence[np.ndarray]
    objective: Objective
    augmentation: MaskAugmentation | None = None

    def reset(self, seed: int, dataset: Dataset) -> None:
        """Brings the model to the start of the run of this seed, bit for bit as a new one would be.

        Args:
            seed: Seed of the run.
            dataset: Its data.
        """
        reseed(self.model, seed)
        if self.augmentation is not None:
            reseed(self.augmentation.model, seed)
        if self.objective.units is not None:
            self.objective.units.assign(dataset.label_offset, dataset.label_deviation)
        assign_values(self.model.optimizer.variables, self.initial_optimizer)
        # Layers of the user that draw without naming a seed take it from here.
        assign_values([global_seed_generator().state], [np.array([stream_seed(seed, "noise"), 0])])
        self.model.stop_training = False

    def state(self) -> list[np.ndarray]:
        """The values of all that a run changes: weights, random states, the optimizer's state; in a fixed order."""
        return values_of(self.variables)

    def assign(self, state: Sequence[np.ndarray]) -> None:
        """Sets all that a run changes to the values of an earlier `state`."""
        assign_values(self.variables, state)

    @property
    def variables(self) -> list[Any]:
        """The Keras variables whose values `state` returns."""
        augmentation = [] if self.augmentation is None else self.augmentation.model.variables
        return [*self.model.variables, *augmentation, *self.model.optimizer.variables, global_seed_generator().state]


def compiled_model(config: Mapping[str, Any], dataset: Dataset, values: Mapping[str, Any]) -> CompiledModel:
    """The compiled model of a config: that of an earlier run, where only the seed differs.

    Args:
        config: The config of the run.
        dataset: Its data.
        values: The checked train section.

    Returns:
        The model; call its `CompiledModel.reset` before training.
    """
    sizes = {name: len(subset) for name, subset in dataset.subsets.items()}
    key = json.dumps([cell_config(config), dict(values), dataset.pool.fingerprint, sizes], sort_keys=True, default=str)
    if key not in _MODELS:
        if len(_MODELS) >= _MAX_MODELS:
            _MODELS.popitem(last=False)
            free_unused_graphs()  # before the next one is built, which can then have their memory
        _MODELS[key] = _compile(config, dataset, values)
    _MODELS.move_to_end(key)
    return _MODELS[key]


def clear_models() -> None:
    """Drops the models that this process holds."""
    _MODELS.clear()
    free_unused_graphs()


def _compile(config: Mapping[str, Any], dataset: Dataset, values: Mapping[str, Any]) -> CompiledModel:
    # What is traced here needs TensorFlow; with other back ends Keras trains by its own fit.
    traced = device.backend_name() == "tensorflow"
    kind: Any = TensorBatches if traced else ArrayBatches
    model = build_model(config, dataset, values["mixed_precision"])
    refuse_unfit_objective(model, config, dataset, values)
    refuse_unreported_training(model, config, dataset, values)
    refuse_unreadable_file(model, values)
    task, settings = chosen_task(config)
    augmentation = None
    if task.form is LabelForm.MASK:
        augmentation, model = split_augmentation(model, settings["void"])
    objective = compile_model(model, task, settings, dataset, values)
    batches = {
        name: kind(dataset.pool, values["batch_size"], objective.encoding, weighted=name == "training")
        for name in ("training", "evaluation")
    }
    batches["training"].augmentation = augmentation
    steps = 1 if watches_batches(values["callbacks"]) else _STEPS
    loop = TracedLoop(model, batches, steps) if traced else FitLoop(model, batches)
    return CompiledModel(model, batches, loop, values_of(model.optimizer.variables), objective, augmentation)


def compile_model(
    model: Any, task: Task, settings: Mapping[str, Any], dataset: Dataset, values: Mapping[str, Any]
) -> Objective:
    """Compiles a network for its task, and builds its optimizer.

    Args:
        model: The network of a cell.
        task: What it is trained for.
        settings: The section ``task``, checked.
        dataset: Its data.
        values: The section ``train``, checked.

    Returns:
        What it is compiled with.
    """
    objective = task.objective(model, dataset, settings, values)
    model.compile(
        optimizer=optimizer(values, -(-len(dataset.train) // values["batch_size"])),
        loss=objective.loss,
        metrics=objective.metrics,
        jit_compile=device.compiles(values["jit"]),
    )
    model.optimizer.build(model.trainable_variables)
    return objective
