"""Residual connections (He et al. 2016, https://arxiv.org/abs/1512.03385)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Tensor
from ablate.keras.kinds import (
    CONVOLUTIONS,
    activation_name,
    enlarges,
    is_activation,
    is_addition,
    is_depthwise,
    is_linear,
    is_multiplication,
    is_normalization,
    is_pointwise,
    is_position,
    keeps_structure,
    mixes_channels,
)
from ablate.keras.layer_spec import LayerSpec
from ablate.keras.rewrites.branch_end import branch_end
from ablate.keras.rewrites.branches import comes_back, has_weights_between, nodes_between, takes_channels
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nodes_at, sites_at


class Residual(Ingredient):
    """An addition of a trunk and a shortcut; without it the trunk alone is left.

    A sum of tensors of the same shape is residual if one of them, the shortcut, is

    - *identity*: the others were computed from it;
    - *projection*: it comes from a tensor that the others were computed from through one 1x1 convolution or dense layer
      without activation, and otherwise only through normalisation, pooling, padding, cropping or scaling;
    - *subsampled*: the same without a convolution, around a block that has no other entrance;

    - *convolved*: it comes from such a tensor through a wider convolution without activation (also a depthwise one and
      a 1x1 convolution), and the others through two layers with weights at least, and an activation;

    and if each of the others, the trunks, meets weights between that tensor and the sum. Other sums are left alone: of
    two branches that both look like a projection, of two trunks, with a constant, with a tensor that is broadcast, with
    an embedding of positions, of parts of the channels (Res2Net, https://arxiv.org/abs/1904.01169). Of several trunks
    the sum is left.

    Some sums look like it and do something else; they are left alone too, unless ``only.residual`` names them: the
    lateral sums of an encoder and its decoder (FPN, https://arxiv.org/abs/1612.03144; LinkNet), whose trunk comes back
    to a resolution that it had left, the gates of attention U-Nets (https://arxiv.org/abs/1804.03999), sums of what one
    block after another puts out (the skip outputs of WaveNet, https://arxiv.org/abs/1609.03499), and sums with an
    activation in the shortcut.

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

    def left_alone(self, graph: Graph) -> Mapping[Site, str]:
        """The other sums of tensors of the same shape, each with the reason."""
        sums = ((node, sum_of(graph, node)) for node in graph.nodes.values())
        reasons = {node.key: one if isinstance(one, str) else one.doubt for node, one in sums if one}
        return {Site((key,)): reason for key, reason in reasons.items() if reason}

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Puts the trunk in the place of each sum; what fed the shortcut alone falls away."""
        # A branch that holds a residual sum of its own looks like a projection only when that is gone: the caller
        # looks again.
        layers: list[LayerSpec] = []
        nodes: list[Node] = []
        passed: dict[Tensor, Tensor] = {}
        for node in nodes_at(graph, sites):
            total = sum_of(graph, node)
            if total is None or isinstance(total, str):
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
        doubt: Why it is none after all, although it looks like one; empty for a residual addition.
    """

    shortcut: Tensor
    trunks: tuple[Tensor, ...]
    fork: Tensor
    projects: bool
    doubt: str = ""


def residual_sum(graph: Graph, node: Node) -> ResidualSum | None:
    """What a residual addition adds; None if the node is no such addition.

    Args:
        graph: The graph.
        node: Any node of it.
    """
    total = sum_of(graph, node)
    return None if total is None or isinstance(total, str) or total.doubt else total


def sum_of(graph: Graph, node: Node) -> ResidualSum | str | None:
    """What an addition of tensors of the same shape adds.

    Args:
        graph: The graph.
        node: Any node of it.

    Returns:
        The sum, if one of its branches is a shortcut of the others or looks like one; otherwise the reason why none is;
        None if the node adds nothing, or tensors of other shapes.
    """
    from ablate.keras.scaling import adds  # needs Keras, unlike the declaration of the ingredient

    if not 2 <= len(set(node.inputs)) == len(node.inputs):
        return None
    if any(graph.shape(tensor) != node.shape for tensor in node.inputs) or not adds(graph, node):
        return None
    for strict in (True, False):
        sums = [_sum_with_shortcut(graph, branch, node.inputs, strict) for branch in node.inputs]
        candidates = [one for one in sums if one is not None]
        if len(candidates) > 1:
            # Of two branches, one of which is a shortcut without weights, that one is the shortcut.
            candidates = [one for one in candidates if not one.projects]
        if len(candidates) == 1:
            total = candidates[0]
            return replace(total, doubt=total.doubt or _doubt(graph, node, total))
        if any(sums):
            return "more than one of its branches may be the shortcut"
    return "none of its branches is a shortcut of the others"


def _sum_with_shortcut(graph: Graph, branch: Tensor, inputs: Sequence[Tensor], strict: bool) -> ResidualSum | None:
    """The sum with this branch as the shortcut around all others, if it is one.

    Args:
        graph: The graph.
        branch: One of the tensors that are added.
        inputs: All of them.
        strict: Whether the shortcut may hold a projection only, and neither a wider convolution nor an activation.
    """
    from ablate.keras.scaling import scales

    trunks = tuple(tensor for tensor in inputs if tensor != branch)
    projects = convolves = activates = False
    fork = branch
    while not all(graph.depends_on(trunk, fork) for trunk in trunks):
        node = graph.nodes[fork.node]
        layer = graph.layer(node)
        if mixes_channels(layer) and not projects:
            projects = True
        elif not keeps_structure(layer) and not scales(graph, node):
            convolution = layer.is_a(*CONVOLUTIONS) and not convolves and (not projects or is_depthwise(layer))
            if strict or not (convolution or is_activation(layer)):
                return None
            # Behind a depthwise convolution (in front of it, on the way back) the 1x1 convolution is the projection.
            projects = projects or (convolution and not is_depthwise(layer))
            convolves = convolves or (convolution and not is_pointwise(layer))
            activates = activates or not is_linear(layer) or is_activation(layer)
        if len(node.inputs) != 1 or takes_channels(graph, node):
            return None
        fork = node.inputs[0]
    projects = projects or convolves
    subsampled = fork != branch and not projects
    for trunk in trunks:
        # Without a convolution only the fork tells a shortcut from any other branch: nothing else may feed the trunk.
        enters_elsewhere = subsampled and graph.computed_between(trunk, {fork.node}) is None
        if enters_elsewhere or not has_weights_between(graph, fork, trunk):
            return None
        if (convolves or activates) and not _is_deep(graph, fork, trunk):
            return None
    doubt = "an activation stands in what looks like its shortcut" if activates else ""
    return ResidualSum(branch, trunks, fork, projects, doubt)


def _doubt(graph: Graph, node: Node, total: ResidualSum) -> str:
    """Why a sum that looks like a residual one is none; empty if it is one."""
    if _gates(graph, node, total.fork):
        return "it computes a gate of what it looks like a shortcut of"
    # Where sizes are not known, a shortcut that is enlarged says that the whole block enlarges.
    enlarged = any(enlarges(graph, one) for one in nodes_between(graph, total.fork, total.shortcut))
    if not enlarged and any(comes_back(graph, total.fork, trunk) for trunk in total.trunks):
        return "its trunk comes back to a resolution that it had left, as in an encoder and its decoder"
    if _collects_outputs(graph, node, total):
        return "it adds what one block after another puts out, as the skip outputs of WaveNet"
    return ""


def _collects_outputs(graph: Graph, node: Node, total: ResidualSum) -> bool:
    """Whether a sum adds the outputs of blocks in a row, so that no branch goes round a block."""
    for trunk in total.trunks:
        pairs = [(trunk, other) for other in total.trunks if other != trunk]
        inner = (_sum_with_shortcut(graph, trunk, pair, strict=True) for pair in pairs)
        # Branches side by side around one fork are blocks of their own (RepVGG): theirs is the same fork.
        if any(one is not None and one.fork != total.fork for one in inner):
            return True
    return _bypassed(graph, node, total)


def _bypassed(graph: Graph, node: Node, total: ResidualSum) -> bool:
    """Whether the trunks get the fork only as a part of sums with something that the fork was computed from.

    Then a shortcut goes round the fork as well, and the fork is the output of a block of its own.
    """
    sources = graph.ancestors(graph.nodes[total.fork.node])
    on_the_way = {one.key for trunk in total.trunks for one in nodes_between(graph, total.fork, trunk)}
    stack, seen, bypassed = [total.fork], {total.fork}, False
    while stack:
        tensor = stack.pop()
        for user in graph.consumers(graph.nodes[tensor.node]):
            if user is node or user.key not in on_the_way or tensor not in user.inputs:
                continue
            if is_addition(graph.layer(user)):
                if not any(one.node in sources for one in user.inputs):
                    return False
                bypassed = True
            elif len(user.inputs) > 1 or not (mixes_channels(graph.layer(user)) or keeps_structure(graph.layer(user))):
                return False
            elif user.output not in seen:
                seen.add(user.output)
                stack.append(user.output)
    return bypassed


def _gates(graph: Graph, node: Node, fork: Tensor) -> bool:
    """Whether all that a sum does, through layers in a row, is to multiply the fork."""
    current: Node | None = node
    while current is not None:
        user = graph.sole_consumer(current)
        if user is not None and is_multiplication(graph.layer(user)):
            return fork in user.inputs
        current = user if user is not None and len(set(user.inputs)) == 1 else None
    return False


def _is_deep(graph: Graph, fork: Tensor, trunk: Tensor) -> bool:
    """Whether a trunk has two layers with weights, normalisations aside, and an activation."""
    layers = [graph.layer(node) for node in nodes_between(graph, fork, trunk)]
    weighted = [layer for layer in layers if layer.weighted and not is_normalization(layer) and not is_position(layer)]
    return len(weighted) > 1 and any(activation_name(layer) is not None for layer in layers)
