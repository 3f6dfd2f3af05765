"""What building a layer makes of its variables, and which of them somebody has set since.

Keras's initialisers keep the seed that they drew with, so a replica of a layer with the same initialisers has the same
weights, bit for bit; weights that differ from those of the replica were loaded, trained or assigned. The state of
preprocessing layers (adapted means, vocabularies) is set by nature: it is no weight, and is never drawn.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import keras
import numpy as np

from ablate.keras.graph_reader import nested_model
from ablate.keras.layer_config import create_layer, layer_config
from ablate.keras.rewrites.dropout import without_dropout

Reinitialize = Callable[[int, str, Any], Any]
"""From the place of a sublayer, the name of its attribute and the initialiser there to the one to use instead."""

_OTHER_SEEDS = (1, 2)
_DRAWN: WeakSet[Any] = WeakSet()
"""Layers whose weights were drawn by initialisers or streams: a builder may return the same ones again, trained."""
_KEPT: WeakKeyDictionary[Any, dict[int, np.ndarray]] = WeakKeyDictionary()
"""By layer, its `kept_variables` when it was first seen, before any training."""


def leaf_layers(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All layers that are no models with a graph, by path: ``outer/inner`` within a nested model.

    Args:
        model: The model.
        prefix: What to put before each path.
    """
    for layer in model.layers:
        path = f"{prefix}{layer.name}"
        # A subclassed model has no graph of layers: it counts as one layer.
        nested = nested_model(layer)
        if nested is not None:
            yield from leaf_layers(nested, f"{path}/")
        else:
            yield path, layer


def is_preprocessing(layer: Any) -> bool:
    """Whether a layer prepares data: its state comes from adapting it, not from initialisers."""
    return any(".layers.preprocessing." in kind.__module__ for kind in type(layer).__mro__)


def sublayers(layer: Any) -> list[Any]:
    """A layer and all layers in it, in an order that depends on its class and arguments alone."""
    return list(layer._flatten_layers()) if isinstance(layer, keras.Layer) else []  # an operation has none


def drawn_variables(layer: Any) -> list[Any]:
    """The variables of a layer that are neither random states nor states of preprocessing."""
    states = {id(one) for part in sublayers(layer) if is_preprocessing(part) for one in part.variables}
    return [one for one in layer.variables if one.name != "seed_generator_state" and id(one) not in states]


def rebuilt(layer: Any, reinitialize: Reinitialize, seed: int) -> Any:
    """A fresh layer of the same arguments and shapes.

    Args:
        layer: A built layer.
        reinitialize: Gives the initialisers that it draws with.
        seed: What it draws with elsewhere: Keras's default seeds, NumPy in a layer of the user.
    """
    with _default_seed(seed):
        replica = create_layer(type(layer), _unbuilt(_without_dropout(layer)))
        # The sublayers' own names count up with every layer made in the process; their places do not.
        for place, sublayer in enumerate(sublayers(replica)):
            for name, value in list(vars(sublayer).items()):
                if isinstance(value, keras.Initializer):
                    setattr(sublayer, name, reinitialize(place, name, value))
        if type(layer).build is not keras.Layer.build:
            replica.build_from_config(layer.get_build_config())
        if len(drawn_variables(replica)) != len(drawn_variables(layer)):
            # A layer without a build method of its own creates its sublayers' weights when it is first called.
            arguments = layer._inbound_nodes[0].arguments
            inputs = keras.tree.map_structure(_placeholder, (arguments.args, arguments.kwargs))
            replica(*inputs[0], **inputs[1])
    return replica


def stream_names(layer: Any) -> list[tuple[Any, ...]]:
    """What the streams of a layer's parts are called, by their places: the layer itself, then its sublayers.

    The forward part of a bidirectional layer draws as that layer would by itself, so that it starts from the same
    weights where the backward part is taken away.

    Args:
        layer: A layer.
    """
    if not isinstance(layer, keras.layers.Bidirectional):
        return [(place,) if place else () for place in range(len(sublayers(layer)))]
    forward = {id(part): place for place, part in enumerate(sublayers(layer.forward_layer))}
    backward = {id(part): place for place, part in enumerate(sublayers(layer.backward_layer))}
    return [
        ((forward[id(part)],) if forward[id(part)] else ())
        if id(part) in forward
        else ("backward", backward.get(id(part), 0))
        for part in sublayers(layer)
    ]


@dataclass(frozen=True)
class SetVariables:
    """Which variables of a layer are not as building makes them.

    Args:
        positions: Positions among its `drawn_variables` of those that were set.
        undecided: Positions of those that are drawn by initialisers that the layer does not keep.
    """

    positions: tuple[int, ...] = ()
    undecided: tuple[int, ...] = ()


def set_variables(layer: Any) -> SetVariables:
    """Which variables of a built layer were loaded, trained or assigned since it was built.

    Args:
        layer: The layer; it is left as it is.
    """
    variables = drawn_variables(layer)
    if not variables:
        return SetVariables()
    parts = sublayers(layer)

    def same_initializer(place: int, name: str, value: Any) -> Any:
        original = vars(parts[place]).get(name, value) if place < len(parts) else value
        return copy.copy(original)

    try:
        first = drawn_variables(rebuilt(layer, same_initializer, _OTHER_SEEDS[0]))
        differing = [place for place, one in enumerate(variables) if not _equal(one, first[place])]
        if not differing:
            return SetVariables()
        second = drawn_variables(rebuilt(layer, same_initializer, _OTHER_SEEDS[1]))
        determined = {place for place in differing if _equal(first[place], second[place])}
    except Exception:  # it cannot be created again, which a rewrite or a run will say
        return SetVariables(undecided=tuple(range(len(variables))))
    return SetVariables(
        tuple(place for place in differing if place in determined),
        tuple(place for place in differing if place not in determined),
    )


def kept_variables(layer: Any) -> dict[int, np.ndarray]:
    """What of a layer is never drawn anew, since it belongs to the layer as its arguments do.

    That is the matrix that an `Embedding` was given, and what a layer of the user holds besides its weights, such as a
    fixed filter or an adapted mean, where somebody has set it.

    Args:
        layer: A built layer.

    Returns:
        The values by position among its `drawn_variables`.
    """
    if layer not in _KEPT:
        own = {id(one) for part in sublayers(layer) for one in _constants(part)}
        variables = drawn_variables(layer)
        positions = set_variables(layer).positions if own else ()
        _KEPT[layer] = {
            place: np.asarray(variables[place]).copy() for place in positions if id(variables[place]) in own
        }
    # Copies, here and there: back ends share memory with arrays, and training changes it in place.
    return {place: value.copy() for place, value in _KEPT[layer].items()}


def _constants(part: Any) -> list[Any]:
    if isinstance(part, keras.layers.Embedding):
        return list(part.weights)
    is_of_keras = type(part).__module__.split(".")[0] == "keras"
    return [] if is_of_keras else list(part._non_trainable_variables)


def layers_with_loaded_weights(model: Any) -> tuple[list[str], list[str]]:
    """Paths of the layers whose weights are not those that their initialisers draw, and of those where none can tell.

    What `kept_variables` holds does not count, nor do layers that were drawn here before.

    Args:
        model: A built model.
    """
    loaded, undecided = [], []
    for path, layer in leaf_layers(model):
        if layer in _DRAWN:
            continue
        found = set_variables(layer)
        if set(found.positions) - kept_variables(layer).keys():
            loaded.append(path)
        elif found.undecided:
            undecided.append(path)
        else:
            _DRAWN.add(layer)
    return loaded, undecided


def undecided_variables(layer: Any) -> list[np.ndarray]:
    """The values of those variables of a layer of which its initialisers cannot tell whether they were set."""
    variables = drawn_variables(layer)
    return [np.asarray(variables[place]) for place in set_variables(layer).undecided]


def mark_as_drawn(layer: Any) -> None:
    """Remembers that the weights of a layer are its own, whatever training makes of them."""
    kept_variables(layer)
    _DRAWN.add(layer)


def _equal(one: Any, other: Any) -> bool:
    return bool(np.array_equal(np.asarray(one), np.asarray(other)))


def _without_dropout(layer: Any) -> dict[str, Any]:
    """Its config without dropout, whose own draw would shift those of the weights behind it."""
    return dict(without_dropout(layer_config(layer), type(layer).__name__, sublayers(layer)[1:]))


def _unbuilt(config: Any) -> Any:
    """A config without the shapes by which Keras would build the layers in it before they have their streams."""
    if isinstance(config, Mapping):
        return {key: _unbuilt(value) for key, value in config.items() if key != "build_config"}
    return [_unbuilt(value) for value in config] if type(config) is list else config


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
