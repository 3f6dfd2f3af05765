"""What a network that is built anew takes over from the one that it was read from, beside its graph.

A layer's configuration does not hold all of it: not what preprocessing layers were adapted to, not the matrix that an
`Embedding` was given, not which sublayers and variables are frozen.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from ablate.errors import NetworkError
from ablate.keras.graph_reader import nested_model
from ablate.keras.initial_weights import drawn_variables, is_preprocessing, kept_variables, leaf_layers, sublayers


def carry_over(source: Any, target: Any) -> Any:
    """Brings what building does not make from a model into another one with layers of the same names, in place.

    Args:
        source: The model that was read.
        target: The model that was built from its graph, or a part of it. Its other weights stay as they are.

    Returns:
        The target.
    """
    originals = dict(leaf_layers(source))
    for path, layer in leaf_layers(target):
        original = originals.get(path)
        if original is None or type(original) is not type(layer):
            continue
        copy_vocabularies(original, layer)
        for old, new in _pairs(original, layer):
            if is_preprocessing(old) and old.weights:
                _copy_variables(old, new)
        _copy_kept_variables(original, layer)
    _copy_trainable(source, target)
    return target


def copy_vocabularies(source: Any, target: Any) -> None:
    """Brings vocabularies from a layer into one of the same class; without them it may not even know its output shape.

    Args:
        source: A layer.
        target: A new layer of the same arguments.
    """
    for old, new in _pairs(source, target):
        if hasattr(old, "load_assets") and hasattr(old, "get_vocabulary") and len(_terms(old)) > len(_terms(new)):
            _copy_variables(old, new)
            with tempfile.TemporaryDirectory() as folder:
                old.save_assets(folder)
                new.load_assets(folder)


def _terms(layer: Any) -> list[Any]:
    return list(layer.get_vocabulary(include_special_tokens=False))


def _copy_variables(source: Any, target: Any) -> None:
    if source.built and not target.built:
        target.build_from_config(source.get_build_config())
    store: dict[str, Any] = {}
    source.save_own_variables(store)
    target.load_own_variables({key: np.asarray(value) for key, value in store.items()})


def _copy_kept_variables(source: Any, target: Any) -> None:
    """Brings what is never drawn into a layer, some of whose arguments, and so of its variables, may be others."""
    old, new = ([(one.name, tuple(one.shape)) for one in drawn_variables(layer)] for layer in (source, target))
    for place, value in kept_variables(source).items():
        if old != new and not old.count(old[place]) == new.count(old[place]) == 1:
            raise NetworkError(
                f"Variable '{old[place][0]}' of layer '{source.name}' ({type(source).__name__}) was set, and has no "
                "clear place in the layer with its arguments changed. Name each variable of the class differently."
            )
        drawn_variables(target)[place if old == new else new.index(old[place])].assign(value)


def _pairs(source: Any, target: Any) -> Iterator[tuple[Any, Any]]:
    """The parts of two layers that correspond; none where the layers are made of other parts."""
    parts = sublayers(source), sublayers(target)
    if [type(one) for one in parts[0]] == [type(one) for one in parts[1]]:
        yield from zip(*parts, strict=True)


def _copy_trainable(source: Any, target: Any) -> None:
    """Makes frozen what is frozen in the source, and nothing else: models, layers, their parts, single variables."""
    if source.trainable != target.trainable:
        target.trainable = source.trainable  # for all in it, each of which is set below
    originals = {layer.name: layer for layer in source.layers}
    for layer in target.layers:
        original = originals.get(layer.name)
        if original is None:
            continue
        models = [nested_model(one) or one for one in (original, layer)]
        if all(isinstance(one, keras.Model) for one in models):
            if original.trainable != layer.trainable:
                layer.trainable = original.trainable
            _copy_trainable(*models)
            continue
        for old, new in _pairs(original, layer):
            if old.trainable != new.trainable:
                new.trainable = old.trainable
        for old, new in zip(original.variables, layer.variables, strict=False):
            if type(original) is type(layer) and old.shape == new.shape and old.trainable != new.trainable:
                new.trainable = old.trainable
