"""Residual connections (He et al. 2016, https://arxiv.org/abs/1512.03385)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ablate.keras.graph import Graph, LayerSpec
from ablate.keras.graph_node import Node, Tensor
from ablate.keras.kinds import is_position, keeps_structure, mixes_channels
from ablate.keras.rewrites.branch_end import branch_end
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nodes_at, sites_at


class Residual(Ingredient):
    """An addition of a trunk and a shortcut; without it the trunk alone is left.

    A sum of tensors of the same shape is residual if one of them, the shortcut, is

    - *identity*: the others were computed from it;
    - *projection*: it comes from a tensor that the others were computed from through one 1x1 convolution or dense layer
      without activation, and otherwise only through normalisation, pooling, padding, cropping or scaling;
    - *subsampled*: the same without a convolution, around a block that has no other entrance;

    and if each of the others, the trunks, meets weights between that tensor and the sum. Other sums are left alone: of
    two branches that both look like a projection, of two trunks, with a constant, with a tensor that is broadcast, with
    an embedding of positions. Of several trunks the sum is left.

    What is there for the sake of the addition goes with it, since it would silence a network that has no shortcut to
    carry the signal: a factor of the trunk, in the addition (InceptionResNet) or in front of it (the layer scale of
    ConvNeXt, a learned number), and drop path; a trunk that starts as zero (He et al. 2019,
    https://arxiv.org/abs/1812.01187) starts like any other. `branch_end` says which.
    """

    name = "residual"
    label = "residual connections"
    description = "skip connections"
    absence = "no sum of a trunk and its shortcut"
    stage = Stage.SHORTCUTS

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The residual additions."""
        return sites_at(node for node in graph.nodes.values() if residual_sum(graph, node) is not None)

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Puts the trunk in the place of each sum; what fed the shortcut alone falls away."""
        # A branch that holds a residual sum of its own looks like a projection only when that is gone: the caller
        # looks again.
        layers: list[LayerSpec] = []
        nodes: list[Node] = []
        passed: dict[Tensor, Tensor] = {}
        for node in nodes_at(graph, sites):
            total = residual_sum(graph, node)
            if total is None:
                continue
            for trunk in total.trunks:
                skipped, restarted = branch_end(graph, trunk, total.fork)
                passed |= {one.output: one.inputs[0] for one in skipped}
                layers += restarted
            if len(total.trunks) > 1:
                nodes.append(Node(node.key, node.layer, (list(total.trunks),), {}, node.shapes))
            else:
                passed[node.output] = total.trunks[0]
        return graph.edited(layers=layers, nodes=nodes).edited(tensors=passed)


@dataclass(frozen=True)
class ResidualSum:
    """A residual addition.

    Args:
        shortcut: What it adds to the trunk.
        trunks: What it adds to the shortcut; nearly always one.
        fork: Where the two part.
        projects: Whether a layer with weights stands in the shortcut.
    """

    shortcut: Tensor
    trunks: tuple[Tensor, ...]
    fork: Tensor
    projects: bool


def residual_sum(graph: Graph, node: Node) -> ResidualSum | None:
    """What a residual addition adds; None if the node is no such addition.

    Args:
        graph: The graph.
        node: Any node of it.
    """
    from ablate.keras.scaling import adds  # needs Keras, unlike the declaration of the ingredient

    if not 2 <= len(set(node.inputs)) == len(node.inputs):
        return None
    if any(graph.shape(tensor) != node.shape for tensor in node.inputs) or not adds(graph, node):
        return None
    sums = [_sum_with_shortcut(graph, branch, node.inputs) for branch in node.inputs]
    candidates = [one for one in sums if one is not None]
    if len(candidates) > 1:
        # Of two branches, one of which is a shortcut without weights, that one is the shortcut.
        candidates = [one for one in candidates if not one.projects]
    return candidates[0] if len(candidates) == 1 else None


def _sum_with_shortcut(graph: Graph, branch: Tensor, inputs: Sequence[Tensor]) -> ResidualSum | None:
    """The sum with this branch as the shortcut around all others, if it is one."""
    from ablate.keras.scaling import scales

    trunks = tuple(tensor for tensor in inputs if tensor != branch)
    projects = False
    fork = branch
    while not all(fork == trunk or fork.node in graph.ancestors(graph.nodes[trunk.node]) for trunk in trunks):
        node = graph.nodes[fork.node]
        layer = graph.layer(node)
        if mixes_channels(layer) and not projects:
            projects = True
        elif not keeps_structure(layer) and not scales(graph, node):
            return None
        if len(node.inputs) != 1:
            return None
        fork = node.inputs[0]
    subsampled = fork != branch and not projects
    for trunk in trunks:
        # Without a convolution only the fork tells a shortcut from any other branch: nothing else may feed the trunk.
        enters_elsewhere = subsampled and graph.computed_between(trunk, {fork.node}) is None
        if enters_elsewhere or not _has_weights_between(graph, fork, trunk):
            return None
    return ResidualSum(branch, trunks, fork, projects)


def _has_weights_between(graph: Graph, fork: Tensor, trunk: Tensor) -> bool:
    keys = (trunk.node, *graph.ancestors(graph.nodes[trunk.node]))
    return any(
        graph.layer(key).weighted
        and not is_position(graph.layer(key))
        and fork.node in graph.ancestors(graph.nodes[key])
        for key in keys
    )
