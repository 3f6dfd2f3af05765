"""What stands at the end of a branch for the sake of the addition that follows."""

from __future__ import annotations

import re
from typing import Any

from keras import initializers, layers

from ablate.keras.graph import Graph, LayerSpec, Node, Tensor
from ablate.keras.kinds import CONVOLUTIONS, DENSE, NORMALIZATIONS, keeps_structure
from ablate.keras.scaling import scales

__all__ = ["branch_end", "drops_path"]

_DROP_PATH = re.compile(r"drop_?path|drop_?connect|stochastic_?depth", re.IGNORECASE)
_ZERO = re.compile(r"zeros?$", re.IGNORECASE)
_STARTS = {"gamma_initializer": "ones", "kernel_initializer": "glorot_uniform"}


def branch_end(graph: Graph, trunk: Tensor, fork: Tensor) -> tuple[list[Node], list[LayerSpec]]:
    """The part of a branch that only makes sense in front of its addition.

    Args:
        graph: The graph.
        trunk: What the branch adds.
        fork: Where the branch begins.

    Returns:
        The calls to skip, factors of the branch and drop path, each behind nothing but such calls, dropout and what
        passes numbers on; and the layer in front of them under another start, if it starts as zero: a normalisation
        whose scale is 0, a convolution or dense layer whose kernel is.
    """
    gone: list[Node] = []
    node = graph.nodes[trunk.node]
    while node.key != fork.node and len(node.inputs) == 1 and graph.sole_consumer(node) is not None:
        if drops_path(graph.layer(node)) or scales(graph, node):
            gone.append(node)
        elif not _passes(graph.layer(node)):
            woken = _woken(graph.layer(node))
            return gone, [] if woken is None else [woken]
        node = graph.producers(node)[0]
    return gone, []


def drops_path(layer: LayerSpec) -> bool:
    """Whether it drops whole images of a batch: drop path (Huang et al. 2016, https://arxiv.org/abs/1603.09382).

    Args:
        layer: A layer called such as ``StochasticDepth`` or ``DropPath``, or a `Dropout` with one number an image.
    """
    if layer.weighted or layer.inner is not None or not layer.is_a(layers.Layer):
        return False
    noise = layer.config.get("noise_shape")
    if layer.is_a(layers.Dropout) and noise is not None:
        return all(size == 1 for size in noise[1:])
    return bool(_DROP_PATH.search(layer.kind.__name__))


def _passes(layer: LayerSpec) -> bool:
    """Whether it gives what it was given, dropout aside."""
    if not layer.is_a(layers.Layer):
        return layer.kind.__name__ in ("Cast", "Identity")
    dropout = layer.is_a(layers.Dropout, layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D)
    return dropout or layer.is_a(layers.Identity) or (layer.is_a(layers.Activation) and keeps_structure(layer))


def _woken(layer: LayerSpec) -> LayerSpec | None:
    """The same layer, of which the weights that start as zero do not; None if none does."""
    if not layer.is_a(*NORMALIZATIONS, *CONVOLUTIONS, *DENSE):
        return None
    starts = {
        key: initializers.serialize(initializers.get(start))
        for key, start in _STARTS.items()
        if _ZERO.match(_class_name(layer.config.get(key)))
    }
    return layer.configured(**starts) if starts else None


def _class_name(initializer: Any) -> str:
    return str(initializer.get("class_name") if isinstance(initializer, dict) else initializer)
