"""Networks ready to train, kept from run to run.

Tracing a train step costs seconds and leaves memory behind; a run that differs from the one before in its seed alone
takes its model over and assigns fresh weights, optimizer state and random states.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras.src.random.seed_generator import global_seed_generator

from ablate.errors import NetworkError
from ablate.keras import backend
from ablate.keras.callbacks import watches_batches
from ablate.keras.data import Dataset
from ablate.keras.data.batches import Batches
from ablate.keras.data.feed import Feed
from ablate.keras.fit_loop import FitLoop
from ablate.keras.graph_reader import functional
from ablate.keras.ingredients import Ingredient, catalogue, remove
from ablate.keras.leftovers import clear_leftovers
from ablate.keras.loop import Loop
from ablate.keras.models import build
from ablate.keras.recipe import loss, optimizer
from ablate.keras.streams import copied, reseed, stream_seed

__all__ = ["Compiled", "FullModels", "build_model", "cell", "compiled", "forget", "full_model", "levels_of", "numbers"]

_STEPS = 64
"""Steps that TensorFlow takes before it comes back to Python, so that Ctrl-C and divergence are noticed in time."""

_MODELS: OrderedDict[str, Compiled] = OrderedDict()
_KEPT = 2


@dataclass(frozen=True, eq=False)
class Compiled:
    """A compiled model with its pipelines.

    Args:
        model: The network.
        feeds: The pipelines, ``training`` and ``evaluation``.
        loop: Trains and evaluates the model on them.
        start: The optimizer's state before its first step. A second optimizer would leave 2 MB behind a run.
    """

    model: Any
    feeds: Mapping[str, Any]
    loop: Loop | FitLoop
    start: Sequence[np.ndarray]

    def restart(self, seed: int) -> None:
        """Brings the model to the start of the run of this seed, bit for bit as a new one would be.

        Args:
            seed: Seed of the run.
        """
        reseed(self.model, seed)
        for variable, value in zip(self.model.optimizer.variables, self.start, strict=True):
            variable.assign(value)
        # What a user's layer draws without naming a seed comes from this one.
        _assign(global_seed_generator().state, np.array([stream_seed(seed, "noise"), 0]))
        self.model.stop_training = False

    def variables(self) -> list[Any]:
        """All that a run changes: weights, random states, the optimizer's state; in a fixed order."""
        return [*self.model.variables, *self.model.optimizer.variables, global_seed_generator().state]

    def state(self) -> list[np.ndarray]:
        """The values of `variables`."""
        return numbers(self.variables())

    def assign(self, state: list[np.ndarray]) -> None:
        """Sets `variables` to the values of an earlier `state`."""
        for variable, value in zip(self.variables(), state, strict=True):
            _assign(variable, value)


def cell(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a config that decides on the network and its training, without the seed."""
    own = catalogue(config.get("ingredients"))
    return {
        key: config[key] for key in (*own, "blocks", "only", "ingredients", "model", "data", "train") if key in config
    }


def compiled(config: Mapping[str, Any], dataset: Dataset, values: Mapping[str, Any]) -> Compiled:
    """The compiled model of a config: that of the run before, where only the seed differs.

    Args:
        config: The config of the run.
        dataset: Its data.
        values: The checked train section.

    Returns:
        The model; call its `Compiled.restart` before training.
    """
    sizes = {name: len(part) for name, part in dataset.parts.items()}
    key = json.dumps([cell(config), dict(values), dataset.pool.fingerprint, sizes], sort_keys=True, default=str)
    if key not in _MODELS:
        if len(_MODELS) >= _KEPT:
            _MODELS.popitem(last=False)
            clear_leftovers()  # before the next one is made, which can then have their memory
        _MODELS[key] = _compile(config, dataset, values)
    _MODELS.move_to_end(key)
    return _MODELS[key]


def numbers(variables: Iterable[Any]) -> list[np.ndarray]:
    """Copies of the values of Keras variables."""
    return [np.asarray(variable).copy() for variable in variables]


def forget() -> None:
    """Drops the models that this process keeps."""
    _MODELS.clear()
    clear_leftovers()


def full_model(config: Mapping[str, Any], dataset: Dataset, precision: str | None = None) -> Any:
    """The network in its full form.

    Args:
        config: The config of the run.
        dataset: Whose images it takes and whose classes it tells apart.
        precision: ``float16`` or ``bfloat16`` for mixed precision.

    Raises:
        NetworkError: The network cannot be built, or does not fit the data.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(f"mixed_{precision}" if precision else "float32")
    try:
        model = build(config["model"], dataset.input_shape, dataset.classes)
    finally:
        keras.config.set_dtype_policy(before)
    functional(model)  # refuses one without a graph
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise NetworkError(
            f"Model '{model.name}' has {len(model.inputs)} inputs and {len(model.outputs)} outputs; "
            "one of each is needed."
        )
    if tuple(model.outputs[0].shape) != (None, dataset.classes):
        raise NetworkError(
            f"Model '{model.name}' gives {tuple(model.outputs[0].shape)}; data set '{dataset.name}' needs "
            f"(None, {dataset.classes}), a number for each class."
        )
    wanted = tuple(model.inputs[0].shape)[1:]
    if any(side not in (None, own) for side, own in zip(wanted, dataset.input_shape, strict=True)):
        raise NetworkError(
            f"Model '{model.name}' takes images of {wanted}, data set '{dataset.name}' has {dataset.input_shape}: "
            f"set data.size and data.channels."
        )
    return model


class FullModels:
    """Networks in their full form, of which the last is kept: most cells of a study start from the same one.

    They are looked at and not trained.
    """

    def __init__(self) -> None:
        self._key = ""
        self._model: Any = None

    def of(self, config: Mapping[str, Any], dataset: Dataset, precision: str | None = None) -> Any:
        """See `full_model`."""
        key = json.dumps([config["model"], dataset.name, dataset.input_shape, dataset.classes, precision], default=str)
        if key != self._key:
            self._key, self._model = "", None
            self._model = full_model(config, dataset, precision)
            self._key = key
        return self._model


def levels_of(config: Mapping[str, Any], known: Mapping[str, Ingredient]) -> dict[str, Any]:
    """The levels of the ingredients that a config names; blocks that it leaves out are levels of `without_block`.

    Args:
        config: The config of a run.
        known: All ingredients by name.
    """
    levels = {name: config[name] for name in known if name in config}
    gone = [name for name, stays in (config.get("blocks") or {}).items() if not stays]
    one = levels.get("without_block", "none")
    return levels | {"without_block": ",".join([*([] if one == "none" else [one]), *gone])} if gone else levels


def build_model(config: Mapping[str, Any], dataset: Dataset, precision: str | None = None) -> Any:
    """The network of a cell: the full form without what the cell takes away.

    Args:
        config: The config of the run.
        dataset: Its data.
        precision: ``float16`` or ``bfloat16`` for mixed precision; the last layer stays in 32 bits.

    Raises:
        NetworkError: The network cannot be built or rewritten, or does not fit the data.
    """
    model = full_model(config, dataset, precision)
    known = catalogue(config.get("ingredients"))
    model = remove(model, only=config.get("only"), ingredients=known, **levels_of(config, known))
    return _exact_outputs(model) if precision else model


def _compile(config: Mapping[str, Any], dataset: Dataset, values: Mapping[str, Any]) -> Compiled:
    smooth = bool(values["label_smoothing"])
    # What is traced here needs TensorFlow; with other back ends Keras trains in its own way.
    source: type[Feed] | type[Batches] = Feed if backend.name() == "tensorflow" else Batches
    feeds: Any = {
        name: source(dataset.pool, values["batch_size"], one_hot=smooth) for name in ("training", "evaluation")
    }
    model = build_model(config, dataset, values["mixed_precision"])
    model.compile(
        optimizer=optimizer(values, -(-len(dataset.train) // values["batch_size"])),
        loss=loss(values, logits=not _gives_probabilities(model)),
        metrics=["accuracy"],
        jit_compile=backend.compiles(values["jit"]),
    )
    model.optimizer.build(model.trainable_variables)
    loop: Loop | FitLoop
    if source is Batches:
        loop = FitLoop(model, feeds)
    else:
        loop = Loop(model, feeds, 1 if watches_batches(values["callbacks"]) else _STEPS)
    return Compiled(model, feeds, loop, numbers(model.optimizer.variables))


def _exact_outputs(model: Any) -> Any:
    last = {tensor._keras_history.operation.name for tensor in model.outputs}

    def exact(layer: Any) -> Any:
        return copied(layer, dtype="float32") if layer.name in last else copied(layer)

    return keras.models.clone_model(model, clone_function=exact)


def _gives_probabilities(model: Any) -> bool:
    last = model.outputs[0]._keras_history.operation
    if isinstance(last, keras.layers.Softmax) or getattr(last, "activation", None) is keras.activations.softmax:
        return True
    # An ending of another kind shows what it gives.
    shape = [2, *(side or 32 for side in model.inputs[0].shape[1:])]
    given = keras.ops.convert_to_numpy(model(np.linspace(0, 1, int(np.prod(shape))).reshape(shape), training=False))
    return bool((given >= 0).all() and np.allclose(given.sum(axis=-1), 1, atol=1e-3))


def _assign(variable: Any, value: np.ndarray) -> None:
    variable.assign(np.asarray(value).astype(keras.backend.standardize_dtype(variable.dtype)))
