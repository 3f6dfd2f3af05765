"""Halves of transformer blocks: residual sums of which one branch is attention, or dense layers, alone."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Tensor
from ablate.keras.kinds import is_normalization
from ablate.keras.rewrites.residual import residual_sum


def branch_between(graph: Graph, fork: Tensor, trunk: Tensor) -> list[Node]:
    """The nodes of a branch, from those that read its fork to that which it ends with, in order.

    Args:
        graph: The graph.
        fork: Where the branch begins.
        trunk: What it adds.
    """
    keys = {trunk.node, *graph.ancestors(graph.nodes[trunk.node])}
    return [node for key, node in graph.nodes.items() if key in keys and fork.node in graph.ancestors(node)]


def trunks_of(graph: Graph, node: Node) -> list[tuple[Tensor, list[Node]]]:
    """What a residual sum adds to its shortcut, each with the nodes of its branch; nothing for other nodes.

    Args:
        graph: The graph.
        node: Any node of it.
    """
    total = residual_sum(graph, node)
    return [] if total is None else [(trunk, branch_between(graph, total.fork, trunk)) for trunk in total.trunks]


def without_branches(graph: Graph, places: Sequence[tuple[Node, Tensor]]) -> Graph:
    """The graph without some branches of residual sums, and without the normalisation that belongs to them.

    A branch that does not normalise what it gets takes the normalisation of the sum with it: both were the half.

    Args:
        graph: The graph.
        places: The sums, each with the trunk that is not added any more.
    """
    passed: dict[Tensor, Tensor] = {}
    nodes: list[Node] = []
    removed: dict[str, list[Tensor]] = {}
    for node, trunk in places:
        removed.setdefault(node.key, []).append(trunk)
    for key, trunks in removed.items():
        node = graph.nodes[key]
        norm = norm_behind(graph, node)
        if norm is not None and all(norm_in_front(graph, node, trunk) is None for trunk in trunks):
            passed[norm.output] = node.output
        rest = [tensor for tensor in node.inputs if tensor not in trunks]
        if len(rest) == 1:
            passed[node.output] = rest[0]
        else:
            nodes.append(Node(node.key, node.layer, (rest,), {}, node.shapes))
    # Sums of which something is left get their new inputs first, so that chains of sums are followed afterwards.
    return graph.edited(nodes=nodes).edited(tensors=passed)


def norm_behind(graph: Graph, node: Node) -> Node | None:
    """The normalisation that is all that a sum feeds; None if there is none.

    Args:
        graph: The graph.
        node: A sum.
    """
    user = graph.sole_consumer(node)
    if user is None or not is_normalization(graph.layer(user)) or len(set(user.inputs)) != 1:
        return None
    return user if len(graph.calls(user.layer)) == 1 else None


def norm_in_front(graph: Graph, node: Node, trunk: Tensor) -> Node | None:
    """The normalisation through which alone a branch gets what it starts from; None if there is none.

    Args:
        graph: The graph.
        node: A residual sum.
        trunk: One of its trunks.
    """
    total = residual_sum(graph, node)
    if total is None:
        return None
    first = [one for one in branch_between(graph, total.fork, trunk) if total.fork in one.inputs]
    if len(first) != 1 or not is_normalization(graph.layer(first[0])) or len(set(first[0].inputs)) != 1:
        return None
    return first[0] if len(graph.calls(first[0].layer)) == 1 else None
