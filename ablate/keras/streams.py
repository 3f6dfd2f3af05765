"""Named random streams: every source of randomness draws from a stream of its own.

One seed for a whole run does not pair two networks: take a layer away, and every later draw shifts. Here each
draw belongs to (seed, names), so that layers two cells share start bit-identical and see the same batches,
whatever else was removed.
"""

from __future__ import annotations

import copy
import hashlib
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras.src.random.seed_generator import global_seed_generator

from ablate.errors import NetworkError
from ablate.keras.graph import fingerprint
from ablate.keras.graph_reader import graph_of, nested_model
from ablate.keras.rewrites.dropout import without_dropout

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


def seed_streams(model: keras.Model, seed: int) -> keras.Model:
    """Seeds everything that is random in training a model, each source from a stream of its own, in place.

    For a training script of one's own; call it after `remove` and before ``fit``. Layers that two networks share start
    from the same weights and drop the same units. What draws from NumPy, Python or the back end without a seed of its
    own follows a stream too: ``fit`` shuffles arrays into the same batches, with TensorFlow in the same order each
    epoch; `ShuffledBatches` gives every epoch an order of its own.

    Args:
        model: A built model, compiled or not.
        seed: Seed of the run, 0 or larger.

    Returns:
        The same model.

    Raises:
        NetworkError: If the same network was seeded before in this process with other names of its layers. Streams are
            keyed by layer name, and Keras counts the names of unnamed layers up from model to model.
    """
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
    clone = keras.models.clone_model(model, clone_function=copied, recursive=True)
    reseed(clone, seed)
    return clone


def copied(layer: Any, **changed: Any) -> Any:
    """A fresh layer of the same config.

    Args:
        layer: The layer. A `Lambda` comes back as it is: a function without a name cannot be created again, and it
            draws nothing.
        **changed: What to change in its config.
    """
    if isinstance(layer, keras.layers.Lambda) and not layer.weights:
        return layer
    return type(layer).from_config({**layer.get_config(), **changed})


def reseed(model: keras.Model, seed: int) -> None:
    """Assigns fresh initial weights and random states to the model, in place.

    A compiled model keeps its traced train step. Weights come from the streams (seed, "init", layer, weight), random
    layers from (seed, "dropout" or "augmentation" or "noise", layer). A layer within a nested model is called
    ``outer/inner``. What a layer draws without an initialiser object of its own comes from the layer's stream too.

    Args:
        model: A built model.
        seed: Seed of the run.
    """
    done: set[int] = set()  # a shared layer is seeded once, by its first path
    for path, layer in _leaves(model, ""):
        if id(layer) not in done:
            done.add(id(layer))
            _reseed_layer(layer, seed, path)


def _leaves(model: keras.Model, prefix: str) -> Iterator[tuple[str, Any]]:
    for layer in model.layers:
        path = f"{prefix}{layer.name}"
        # A subclassed model has no graph of layers: it counts as one layer.
        nested = nested_model(layer)
        if nested is not None:
            yield from _leaves(nested, f"{path}/")
        else:
            yield path, layer


def _reseed_layer(layer: Any, seed: int, path: str) -> None:
    variables = layer.variables
    states = [variable for variable in variables if variable.name == "seed_generator_state"]
    if len(states) < len(variables):
        for variable, fresh in zip(_drawn(layer), _drawn(_twin(layer, seed, path)), strict=True):
            variable.assign(fresh)
    for index, state in enumerate(states):
        start = stream_seed(seed, _family(layer), path, index)
        state.assign(np.array([start, 0], dtype=keras.backend.standardize_dtype(state.dtype)))


def _drawn(layer: Any) -> list[Any]:
    """Its variables that are no random states."""
    return [variable for variable in layer.variables if variable.name != "seed_generator_state"]


def _without_dropout(layer: Any) -> dict[str, Any]:
    """Its config without dropout, whose own draw would shift those of the weights behind it."""
    return dict(without_dropout(layer.get_config(), type(layer).__name__, layer._flatten_layers(include_self=False)))


def _family(layer: Any) -> str:
    module = type(layer).__module__
    if "dropout" in type(layer).__name__.lower():
        return "dropout"
    return "augmentation" if ".preprocessing." in module else "noise"


def _twin(layer: Any, seed: int, path: str) -> Any:
    """A fresh layer of the same config and shapes, whose initialisers draw from their streams."""
    with _default_seed(stream_seed(seed, "init", path)):
        twin = type(layer).from_config(_without_dropout(layer))
        # The sublayers' own names count up with every layer made in the process; their places do not.
        for place, sublayer in enumerate(twin._flatten_layers()):
            for name, value in list(vars(sublayer).items()):
                if isinstance(value, keras.Initializer) and hasattr(value, "seed"):
                    initializer = copy.copy(value)
                    initializer.seed = stream_seed(seed, "init", path, *([place] if place else []), name)
                    setattr(sublayer, name, initializer)
        twin.build_from_config(layer.get_build_config())
        if len(_drawn(twin)) != len(_drawn(layer)):
            # A layer without a build method of its own creates its sublayers' weights when it is first called.
            arguments = layer._inbound_nodes[0].arguments
            inputs = keras.tree.map_structure(_placeholder, (arguments.args, arguments.kwargs))
            twin(*inputs[0], **inputs[1])
    return twin


def _placeholder(value: Any) -> Any:
    if isinstance(value, keras.KerasTensor):
        return keras.Input(batch_shape=value.shape, dtype=value.dtype)
    return value


@contextmanager
def _default_seed(seed: int) -> Iterator[None]:
    """Within it, draws without a stream (Keras's default seeds, NumPy in a user's layer) follow ``seed``."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
