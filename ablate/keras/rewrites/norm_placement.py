"""Normalisation before or after the residual branches of transformers (Xiong et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node
from ablate.keras.kinds import is_batch_norm, is_normalization
from ablate.keras.rewrites.halves import branch_between, norm_behind, norm_in_front
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage
from ablate.keras.rewrites.residual import residual_sum


class NormPlacement(Ingredient):
    """The normalisations of residual branches as built, or all before their branch, or all behind its sum.

    ``pre`` is ``x + f(norm(x))``, ``post`` is ``norm(x + f(x))`` (https://arxiv.org/abs/2002.04745). Found are sums of
    an identity shortcut and a branch that begins with a normalisation by itself, or that is normalised behind the sum;
    batch norm does not count, which `BatchNormPlacement` is about. A normalisation keeps its name and arguments, so
    that it starts from the same weights.

    As in the paper, a run of blocks that normalise first ends in one more normalisation: ``pre`` adds one behind the
    last sum, unless one is there, and ``post`` takes it away.
    """

    name = "norm_placement"
    label = "the place of normalisation"
    description = "normalisation of residual branches as built, or all pre (before them), post (behind their sums)"
    absence = "no normalisation that begins a residual branch or follows its sum"
    levels = ("built", "pre", "post")
    removed = None  # each is another place of the same
    stage = Stage.SHORTCUTS

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The sums, each with its normalisation."""
        sites = []
        for node in graph.nodes.values():
            norm = _norm_in_front(graph, node) or _norm_behind(graph, node)
            if norm is not None:
                sites.append(Site((node.key, norm.key)))
        return tuple(sites)

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Moves each normalisation to its place."""
        moved = False
        for site in sites:
            total, norm = site.nodes
            before = _norm_in_front(graph, graph.nodes[total])
            if level == "post" and before is not None:
                graph = _to_the_sum(graph, total, norm)
                moved = True
            elif level == "pre" and before is None:
                graph = _to_the_branch(graph, total, norm)
                moved = True
        return _ended(graph, [site.nodes[0] for site in sites]) if moved and level == "pre" else graph


def _norm_in_front(graph: Graph, node: Node) -> Node | None:
    total = residual_sum(graph, node)
    if total is None or len(total.trunks) != 1 or total.shortcut != total.fork:
        return None
    norm = norm_in_front(graph, node, total.trunks[0])
    return None if norm is None or is_batch_norm(graph.layer(norm)) else norm


def _norm_behind(graph: Graph, node: Node) -> Node | None:
    total = residual_sum(graph, node)
    if total is None or len(total.trunks) != 1 or total.shortcut != total.fork:
        return None
    norm = norm_behind(graph, node)
    return None if norm is None or is_batch_norm(graph.layer(norm)) else norm


def _to_the_sum(graph: Graph, total: str, norm: str) -> Graph:
    last = _norm_behind(graph, graph.nodes[total])
    layer = graph.layer(norm)
    if last is not None:
        graph = graph.without([last])  # the one that ends a run of blocks: the sum has its own now
    return graph.without([graph.nodes[norm]]).inserted(graph.nodes[total].output, layer)


def _to_the_branch(graph: Graph, total: str, norm: str) -> Graph:
    layer = graph.layer(norm)
    graph = graph.without([graph.nodes[norm]])
    residual = residual_sum(graph, graph.nodes[total])
    if residual is None:
        return graph
    fork = residual.fork
    first = [one for one in branch_between(graph, fork, residual.trunks[0]) if fork in one.inputs]
    node = Node(norm, layer.name, (fork,), {}, (graph.shape(fork),))
    return graph.edited(layers=[layer], nodes=[node, *(one.rewired({fork: node.output}) for one in first)])


def _ended(graph: Graph, totals: Sequence[str]) -> Graph:
    """The graph with a normalisation behind each sum that no further block and no normalisation takes up."""
    for key in totals:
        node = graph.nodes[key]
        users = graph.consumers(node)
        goes_on = any(user.key in totals for user in users) or any(is_normalization(graph.layer(one)) for one in users)
        before = _norm_in_front(graph, node)
        if before is None or goes_on:
            continue
        layer = graph.layer(before)
        name = f"{layer.name}_end"
        copy = replace(layer, name=name, config={**layer.config, "name": name}, origin=None)
        graph = graph.inserted(node.output, copy)
    return graph
