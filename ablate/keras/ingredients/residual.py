"""Residual connections (He et al. 2016, https://arxiv.org/abs/1512.03385)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keras.layers import Rescaling

from ablate.keras.graph import Graph, LayerSpec, Node, Tensor
from ablate.keras.ingredients.ingredient import Ingredient, Level, Site
from ablate.keras.kinds import adds_scaled, is_addition, keeps_structure, mixes_channels

__all__ = ["Residual"]


class Residual(Ingredient):
    """An addition of a trunk and a shortcut; without it the trunk alone is left, scaled if the addition scales it.

    A sum of two tensors of the same shape is residual if one of them, the shortcut, is

    - *identity*: the other was computed from it;
    - *projection*: it comes from a tensor that the other was computed from through one 1x1 convolution or dense layer
      without activation, and otherwise only through normalisation, pooling, padding or cropping;
    - *subsampled*: the same without a convolution, around a block that has no other entrance;

    and if the other, the trunk, meets weights between that tensor and the sum. Other sums are left alone: of two
    branches that both look like a projection, of two trunks, with a constant, with a tensor that is broadcast.
    """

    name = "residual"
    description = "shortcuts around blocks (residual connections)"
    absence = "no sum of a trunk and its shortcut"

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The residual additions."""
        return tuple(Site((node.key,)) for node in graph.nodes.values() if _trunk(graph, node) is not None)

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Puts the trunk in the place of each sum; what fed the shortcut alone falls away."""
        while sites:
            sums = [graph.nodes[site.nodes[0]] for site in sites]
            trunks = {node.output: trunk for node in sums if (trunk := _trunk(graph, node)) is not None}
            scaled = [node for node in sums if adds_scaled(graph.layer(node))]
            graph = graph.edited(
                layers=[_scaling(graph.layer(node)) for node in scaled],
                nodes=[node.called_with(trunks.pop(node.output)) for node in scaled],
            ).edited(tensors=trunks)
            # A branch that holds a residual sum of its own looks like a projection only when that is gone.
            sites = self.find(graph)
        return graph


def _scaling(addition: LayerSpec) -> LayerSpec:
    return addition.turned_into(Rescaling, scale=addition.config["scale"], offset=0.0)


@dataclass(frozen=True)
class _Shortcut:
    trunk: Tensor
    projects: bool


def _trunk(graph: Graph, node: Node) -> Tensor | None:
    """The trunk that a residual addition leaves behind; None if the node is no such addition."""
    if not is_addition(graph.layer(node)) or len(node.inputs) != 2 or node.inputs[0] == node.inputs[1]:
        return None
    first, second = node.inputs
    if not graph.shape(first) == graph.shape(second) == node.shape:
        return None
    shortcuts = [_shortcut(graph, branch, trunk) for branch, trunk in ((first, second), (second, first))]
    found = [shortcut for shortcut in shortcuts if shortcut is not None]
    if len(found) == 2:
        found = [shortcut for shortcut in found if not shortcut.projects]
    return found[0].trunk if len(found) == 1 else None


def _shortcut(graph: Graph, branch: Tensor, trunk: Tensor) -> _Shortcut | None:
    """The branch as a shortcut around the trunk, if it is one."""
    projects = False
    fork = branch
    while not _comes_from(graph, trunk, fork):
        node = graph.nodes[fork.node]
        layer = graph.layer(node)
        if mixes_channels(layer) and not projects:
            projects = True
        elif not keeps_structure(layer):
            return None
        if len(node.inputs) != 1:
            return None
        fork = node.inputs[0]
    subsampled = fork != branch and not projects
    if not _has_weights_between(graph, fork, trunk) or (subsampled and not _is_only_entrance(graph, fork, trunk)):
        return None
    return _Shortcut(trunk, projects)


def _comes_from(graph: Graph, tensor: Tensor, source: Tensor) -> bool:
    return source == tensor or source.node in graph.ancestors(graph.nodes[tensor.node])


def _has_weights_between(graph: Graph, fork: Tensor, trunk: Tensor) -> bool:
    keys = (trunk.node, *graph.ancestors(graph.nodes[trunk.node]))
    return any(graph.layer(key).weighted and fork.node in graph.ancestors(graph.nodes[key]) for key in keys)


def _is_only_entrance(graph: Graph, fork: Tensor, trunk: Tensor) -> bool:
    """Whether nothing reaches the trunk but through the fork."""
    stack, seen = [trunk.node], {trunk.node}
    while stack:
        node = graph.nodes[stack.pop()]
        if node.key == fork.node:
            continue
        if not node.inputs:
            return False
        fresh = {tensor.node for tensor in node.inputs} - seen
        seen |= fresh
        stack.extend(fresh)
    return True
