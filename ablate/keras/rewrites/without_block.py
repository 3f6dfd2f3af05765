"""Blocks of a network, each a level of its own (Veit et al. 2016, https://arxiv.org/abs/1605.06431)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from ablate.errors import suggestion
from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Tensor
from ablate.keras.kinds import CONVOLUTIONS, is_activation, is_last, is_normalization
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage
from ablate.keras.rewrites.residual import residual_sum
from ablate.keras.rewrites.spatial_attention import layers_of_spatial_gates
from ablate.keras.rewrites.squeeze_excite import layers_of_gates

_ENDING = re.compile(r"[_./-]?(add|sum|out|output|mixed?)\d*$")


class WithoutBlock(Ingredient):
    """One block left out, or several; the level is its name, or theirs with commas between.

    A residual block is what stands between a fork and its addition; without it the shortcut, with its projection, goes
    on alone. Outside of residual blocks a block is a convolution that keeps height and width, or a dense layer, each
    with the normalisation, activation and dropout directly behind it, and never the last layer with weights, nor one
    that computes the gates of squeeze-and-excitation or spatial attention.
    """

    name = "without_block"
    description = "the name of a block to leave out"
    absence = "no block that can be left out"
    levels = ("none",)
    removed = None  # each block is a level of its own
    stage = Stage.BLOCKS

    def allows(self, level: object) -> bool:
        """Whether it could be the name of a block."""
        return isinstance(level, str) and bool(level)

    def allowed(self) -> tuple[str, ...]:
        """The levels as text, for messages."""
        return ("none", "the name of a block")

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The blocks."""
        return tuple(blocks(graph).values())

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Leaves the named blocks out, as far as they are in this graph."""
        passed: dict[Tensor, Tensor] = {}
        for name, site in blocks(graph).items():
            if site in sites and _named(str(level), name):
                nodes = [graph.nodes[key] for key in site.nodes]
                total = residual_sum(graph, nodes[0])
                skipped = [(nodes[0], total.shortcut)] if total else [(node, node.inputs[0]) for node in nodes]
                passed |= {node.output: tensor for node, tensor in skipped}
        return graph.edited(tensors=passed)

    def misfit(self, graph: Graph, level: Level) -> str:
        """Says which blocks there are, if one of these is none."""
        known = block_names(graph)
        unknown = [one for one in str(level).split(",") if not any(_named(one, name) for name in known)]
        if level == "none" or not unknown:
            return ""
        return (
            f"without_block={','.join(unknown)}: model '{graph.name}' has no such block. "
            f"Blocks: {', '.join(known) or 'none'}.{suggestion(unknown[0], known)}"
        )


def blocks(graph: Graph) -> Mapping[str, Site]:
    """The blocks of a graph by name, nested models left aside.

    Args:
        graph: The graph.

    Returns:
        By name, the addition of a residual block, or the nodes of a plain one. A residual block is called after its
        addition, without an ending such as ``_add``; a plain one after its layer.
    """
    sums = {node.key: total for node in graph.nodes.values() if (total := residual_sum(graph, node))}
    short = {key: _ENDING.sub("", key) for key in sums}
    # A short name that two blocks would share stands for neither.
    counts = Counter(short.values())
    names = {key: name if name and counts[name] == 1 else key for key, name in short.items()}
    in_residual_blocks = {
        key for key_of_sum, total in sums.items() for key in graph.ancestors(graph.nodes[key_of_sum])
        if total.fork.node in graph.ancestors(graph.nodes[key])
    }  # fmt: skip
    within = in_residual_blocks | layers_of_gates(graph) | layers_of_spatial_gates(graph)
    sites: dict[str, Site] = {}
    for node in graph.nodes.values():
        if node.key in sums:
            sites[names[node.key]] = Site((node.key,))
        elif node.key not in within and _can_be_left_out(graph, node):
            sites[node.key] = Site(tuple(one.key for one in _plain_block(graph, node)))
    return sites


def keeps_shapes(graph: Graph, name: str) -> bool:
    """Whether a network without a block has the same shapes, so that it can be built.

    Args:
        graph: The graph.
        name: The name of a block of it, or of a model nested in it.
    """
    for layer in graph.layers.values():
        if layer.inner is not None and name in block_names(layer.inner):
            return keeps_shapes(layer.inner, name)
    nodes = [graph.nodes[key] for key in blocks(graph)[name].nodes]
    # What a residual block adds has the shape of the sum.
    return len(nodes[0].inputs) > 1 or graph.shape(nodes[0].inputs[0]) == nodes[-1].shape


def block_names(graph: Graph, only: str | Sequence[str] | None = None) -> tuple[str, ...]:
    """The names of all blocks, those of nested models too: the levels of `WithoutBlock`.

    Args:
        graph: The graph.
        only: A pattern of names, as in a shell, or several; None for all.
    """
    patterns = ["*"] if only is None else [only] if isinstance(only, str) else only
    inner = (layer.inner for layer in graph.layers.values() if layer.inner is not None)
    own = (name for name in blocks(graph) if any(fnmatchcase(name, pattern) for pattern in patterns))
    return (*own, *(name for nested in inner for name in block_names(nested, patterns)))


def block_key(name: str) -> str:
    """The name of a block as a key of a configuration.

    Args:
        name: Its name.
    """
    return re.sub(r"^(?=\d)|[^A-Za-z0-9_]", "_", name)


def _named(level: str, name: str) -> bool:
    return any(one in (name, block_key(name)) for one in level.split(","))


def _can_be_left_out(graph: Graph, node: Node) -> bool:
    layer = graph.layer(node)
    if len(node.inputs) != 1 or len(graph.calls(layer.name)) > 1 or is_last(graph, node):
        return False
    before = graph.shape(node.inputs[0])
    if layer.is_a(*CONVOLUTIONS):
        places = slice(2, None) if layer.config["data_format"] == "channels_first" else slice(1, -1)
        return before[places] == node.shape[places]
    return layer.is_a("Dense") and len(before) == len(node.shape)


def _plain_block(graph: Graph, node: Node) -> list[Node]:
    """A layer with the normalisation, activation and dropout directly behind it."""
    block = [node]
    while (after := graph.sole_consumer(block[-1])) is not None:
        layer = graph.layer(after)
        if len(after.inputs) != 1 or not (layer.is_a("Dropout") or is_normalization(layer) or is_activation(layer)):
            break
        block.append(after)
    return block
