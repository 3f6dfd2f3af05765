"""Named random streams: every source of randomness draws from a stream of its own.

One seed for a whole run does not pair two networks: take a layer away, and every later draw shifts. Here each
draw belongs to (seed, names), so that layers two cells share start bit-identical and see the same batches,
whatever else was removed.
"""

from __future__ import annotations

import copy
import hashlib
import re
from typing import Any

import keras
import numpy as np
from keras.src.random.seed_generator import global_seed_generator

from ablate.errors import NetworkError
from ablate.formatting import listing
from ablate.keras.graph_equality import fingerprint
from ablate.keras.graph_reader import graph_of
from ablate.keras.initial_weights import (
    drawn_variables,
    kept_variables,
    layers_with_loaded_weights,
    leaf_layers,
    mark_as_drawn,
    rebuilt,
    stream_names,
)
from ablate.keras.layer_config import create_layer, layer_config
from ablate.keras.layer_state import carry_over, copy_vocabularies

_COUNTER = re.compile(r"_\d+$")  # what Keras appends to the name of a layer that has none of its own
_LAYER_NAMES: dict[str, tuple[str, ...]] = {}
"""By fingerprint of each network that was seeded in this process, the names of its layers."""


def _sequence(seed: int, names: tuple[object, ...]) -> np.random.SeedSequence:
    digest = hashlib.sha256("\x1f".join(str(name) for name in names).encode()).digest()
    return np.random.SeedSequence(seed, spawn_key=tuple(int(word) for word in np.frombuffer(digest, "<u4")))


def stream_seed(seed: int, *names: object) -> int:
    """The seed of one stream: the same number in every process and Python version.

    Args:
        seed: Seed of the run, 0 or larger.
        *names: What the stream is for, from general to particular: ``"init", "conv", "kernel"``.

    Returns:
        A whole number below 2**31, which every back end of Keras takes.
    """
    return int(_sequence(seed, names).generate_state(1, np.uint32)[0] >> 1)


def generator(seed: int, *names: object) -> np.random.Generator:
    """A NumPy generator on the stream (seed, names).

    Args:
        seed: Seed of the run, 0 or larger.
        *names: What the stream is for.

    Returns:
        A fresh generator; two calls with the same arguments give the same draws.
    """
    return np.random.default_rng(_sequence(seed, names))


def seed_streams(model: keras.Model, seed: int, *, redraw: bool = False) -> keras.Model:
    """Seeds everything that is random in training a model, each source from a stream of its own, in place.

    For a training script of one's own; call it after `remove` and before ``fit``. Layers that two networks share start
    from the same weights and drop the same units. What draws from NumPy, Python or the back end without a seed of its
    own follows a stream too: ``fit`` shuffles arrays into the same batches, with TensorFlow in the same order each
    epoch; `ShuffledBatches` gives every epoch an order of its own.

    Args:
        model: A built model, compiled or not.
        seed: Seed of the run, 0 or larger.
        redraw: Whether weights that were loaded or trained before may be replaced by fresh ones.

    Returns:
        The same model.

    Raises:
        NetworkError: If weights of the model were loaded or trained, and ``redraw`` is false: every run starts from
            fresh ones. Or if the same network was seeded before in this process with other names of its layers.
            Streams are keyed by layer name, and Keras counts the names of unnamed layers up from model to model.
    """
    loaded = [] if redraw else layers_with_loaded_weights(model)[0]
    if loaded:
        raise NetworkError(
            f"Weights of model '{model.name}' were loaded or trained, in {listing(loaded, 5)}. Runs start from freshly "
            "drawn weights: seed_streams(model, seed, redraw=True) replaces them."
        )
    _refuse_other_names(model)
    # `fit` shuffles by the global seeds of Python, NumPy and the back end.
    keras.utils.set_random_seed(stream_seed(seed, "order"))
    global_seed_generator().state.assign(np.array([stream_seed(seed, "noise"), 0]))
    reseed(model, seed)
    return model


def _refuse_other_names(model: keras.Model) -> None:
    try:
        graph = graph_of(model)
    except NetworkError:
        return  # a subclassed model names its layers itself
    names = tuple(graph.layers)
    before = _LAYER_NAMES.setdefault(fingerprint(graph), names)
    differing = [(new, old) for new, old in zip(names, before, strict=True) if new != old]
    # Members of an ensemble may be equal networks under names that somebody gave them.
    if differing and all(_COUNTER.sub("", new) == _COUNTER.sub("", old) for new, old in differing):
        raise NetworkError(
            f"Model '{model.name}' had other layer names when it was first built in this process ('{differing[0][0]}' "
            f"was '{differing[0][1]}'), so its runs would not be paired: initial weights are drawn by layer name. Call "
            "`keras.utils.clear_session()` before the model is built, or name its layers."
        )


def seeded(model: keras.Model, seed: int) -> keras.Model:
    """A clone of the model that starts from the streams of ``seed``.

    Args:
        model: A built functional or Sequential model; it is left as it is.
        seed: Seed of the run.

    Returns:
        The clone, with fresh weights and fresh states of its random layers, each drawn from (seed, layer, weight).
    """
    clone = carry_over(model, keras.models.clone_model(model, clone_function=copied, recursive=True))
    reseed(clone, seed)
    return clone


def copied(layer: Any, **changed: Any) -> Any:
    """A fresh layer of the same config.

    Args:
        layer: The layer.
        **changed: What to change in its config.
    """
    fresh = create_layer(type(layer), {**layer_config(layer), **changed})
    fresh.name = layer.name  # not every constructor takes it
    copy_vocabularies(layer, fresh)
    return fresh


def reseed(model: keras.Model, seed: int) -> None:
    """Assigns fresh initial weights and random states to the model, in place.

    A compiled model keeps its traced train step. Weights come from the streams (seed, "init", layer, weight), random
    layers from (seed, "dropout" or "augmentation" or "noise", layer). A layer within a nested model is called
    ``outer/inner``. What a layer draws without an initialiser object of its own comes from the layer's stream too.
    What preprocessing layers were adapted to stays, and so does what `kept_variables` holds.

    Args:
        model: A built model.
        seed: Seed of the run.
    """
    done: set[int] = set()  # a shared layer is seeded once, by its first path
    for path, layer in leaf_layers(model):
        if id(layer) not in done:
            done.add(id(layer))
            _reseed_layer(layer, seed, path)


def _reseed_layer(layer: Any, seed: int, path: str) -> None:
    mark_as_drawn(layer)
    kept = kept_variables(layer)
    variables = drawn_variables(layer)
    if variables:
        drawn = drawn_variables(_twin(layer, seed, path))
        for place, (variable, fresh) in enumerate(zip(variables, drawn, strict=True)):
            variable.assign(kept.get(place, fresh))
    states = [variable for variable in layer.variables if variable.name == "seed_generator_state"]
    for index, state in enumerate(states):
        start = stream_seed(seed, _family(layer), path, index)
        state.assign(np.array([start, 0], dtype=keras.backend.standardize_dtype(state.dtype)))


def _family(layer: Any) -> str:
    module = type(layer).__module__
    if "dropout" in type(layer).__name__.lower():
        return "dropout"
    return "augmentation" if ".preprocessing." in module else "noise"


def _twin(layer: Any, seed: int, path: str) -> Any:
    """A fresh layer of the same config and shapes, whose initialisers draw from their streams."""
    names = stream_names(layer)

    def from_stream(place: int, name: str, value: Any) -> Any:
        if not hasattr(value, "seed"):
            return value
        initializer = copy.copy(value)
        initializer.seed = stream_seed(seed, "init", path, *names[place], name)
        return initializer

    return rebuilt(layer, from_stream, stream_seed(seed, "init", path))
