"""Layers at the end of a branch that are there for the sake of the addition that follows."""

from __future__ import annotations

import re
from typing import Any

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Tensor
from ablate.keras.kinds import CONVOLUTIONS, DENSE, by_rank, is_normalization, keeps_structure
from ablate.keras.layer_spec import LayerSpec

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
    from ablate.keras.scaling import scales  # needs Keras, unlike the declaration of the ingredient

    skipped: list[Node] = []
    node = graph.nodes[trunk.node]
    while node.key != fork.node and len(node.inputs) == 1 and graph.sole_consumer(node) is not None:
        if drops_path(graph.layer(node)) or scales(graph, node):
            skipped.append(node)
        elif not _passes(graph.layer(node)):
            restarted = _restarted(graph.layer(node))
            return skipped, [] if restarted is None else [restarted]
        node = graph.producers(node)[0]
    return skipped, []


def drops_path(layer: LayerSpec) -> bool:
    """Whether it drops whole images of a batch: drop path (Huang et al. 2016, https://arxiv.org/abs/1603.09382).

    Args:
        layer: A layer called such as ``StochasticDepth`` or ``DropPath``, or a `Dropout` with one number an image.
    """
    if layer.weighted or layer.inner is not None or not layer.is_a("Layer"):
        return False
    noise = layer.config.get("noise_shape")
    if layer.is_a("Dropout") and noise is not None:
        return all(size == 1 for size in noise[1:])
    return bool(_DROP_PATH.search(layer.kind.__name__))


def _passes(layer: LayerSpec) -> bool:
    """Whether its output is its input, dropout aside."""
    if layer.is_operation("Cast", "Identity") or layer.is_a("Dropout", *by_rank("SpatialDropout"), "Identity"):
        return True
    return layer.is_a("Activation") and keeps_structure(layer)


def _restarted(layer: LayerSpec) -> LayerSpec | None:
    """The same layer with the usual start of those weights that start as zero; None if none does."""
    from keras import initializers

    if not (layer.is_a(*CONVOLUTIONS, *DENSE) or is_normalization(layer)):
        return None
    starts = {
        key: initializers.serialize(initializers.get(start))
        for key, start in _STARTS.items()
        if _ZERO.match(_class_name(layer.config.get(key)))
    }
    return layer.configured(**starts) if starts else None


def _class_name(initializer: Any) -> str:
    return str(initializer.get("class_name") if isinstance(initializer, dict) else initializer)
