"""The blocks of a diagram: a network as rows, branches and repetitions, read from its graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Shape
from ablate.keras.kinds import CONVOLUTIONS, DENSE, POOLINGS, is_activation, is_normalization
from ablate.keras.layer_labels import change_label, layer_label
from ablate.keras.layer_spec import LayerSpec

State = str
"""What the cell does to a layer: ``unchanged``, ``removed``, ``changed`` or ``added``."""


@dataclass(frozen=True)
class LayerLabel:
    """A layer in a row.

    Args:
        text: Its label.
        state: What the cell does to it.
    """

    text: str
    state: State = "unchanged"


@dataclass(frozen=True)
class LayerRow:
    """Consecutive layers that are drawn in one box.

    Args:
        labels: The layers.
        shape: Shape of the output, without the batch; rows of different shapes can be equal.
    """

    labels: tuple[LayerLabel, ...]
    shape: Shape = field(default=(), compare=False)


@dataclass(frozen=True)
class Branches:
    """Paths that start at one layer and meet again.

    Args:
        main: The longest path.
        sides: The others; one without layers is an identity shortcut.
        join: Where they meet, with the activation after it; without labels at the end of the network.
    """

    main: tuple[Block, ...]
    sides: tuple[tuple[Block, ...], ...]
    join: LayerRow = LayerRow(())

    def is_removed(self, side: tuple[Block, ...]) -> bool:
        """Whether the cell removes a path; while the paths still meet, it can only remove layers."""
        if not self.join.labels or self.join.labels[0].state != "removed":
            return False
        # Where the main path is gone with its join, the identity shortcut is what is left of the block.
        return states_in(side) == {"removed"} if side else states_in(self.main) != {"removed"}


@dataclass(frozen=True)
class Repeat:
    """Blocks that follow one another several times, or the blocks of a nested model.

    Args:
        blocks: The blocks.
        times: How often.
        title: Name of the nested model, otherwise empty.
    """

    blocks: tuple[Block, ...]
    times: int = 1
    title: str = ""


Block = LayerRow | Branches | Repeat


def diagram_blocks(graph: Graph, cell: Graph | None = None) -> tuple[Block, ...]:
    """The blocks of a network, in order, equal neighbours folded.

    Args:
        graph: The full network.
        cell: The network of a cell; what differs is marked.
    """
    graph = _without_masks(graph)
    reader = _Reader(graph, None if cell is None else _without_masks(cell))
    return _folded(reader.series(list(graph.nodes.values()), None, None))


def _without_masks(graph: Graph) -> Graph:
    """The graph without the tensors that say which places count: their lines would cross all others."""
    return graph.edited(
        nodes=[
            Node(
                node.key,
                node.layer,
                node.args,
                {key: one for key, one in node.kwargs.items() if key not in masks},
                node.shapes,
            )
            for node in graph.nodes.values()
            if (masks := [key for key in node.kwargs if key.endswith("mask")])
        ]
    )


def states_in(blocks: Iterable[Block]) -> set[State]:
    """All states of the layers and paths of some blocks."""
    states: set[State] = set()
    for block in blocks:
        if isinstance(block, LayerRow):
            states |= {label.state for label in block.labels}
        elif isinstance(block, Repeat):
            states |= states_in(block.blocks)
        else:
            states |= states_in([*block.main, *chain(*block.sides), block.join])
    return states


class _Reader:
    """Cuts a graph into blocks.

    Positions are those of the nodes in the graph, which stand after the nodes they depend on.
    """

    def __init__(self, graph: Graph, cell: Graph | None) -> None:
        self.graph, self.cell = graph, cell
        self.position = {key: position for position, key in enumerate(graph.nodes)}
        self.added = _added_layers(graph, cell)

    def series(self, nodes: Sequence[Node], start: Node | None, end: Node | None) -> list[Block]:
        """The blocks of some nodes between two others, cut where all paths meet."""
        cuts = self._cuts(nodes, start, end)
        if nodes and not cuts:
            return [self._summary(nodes)]
        blocks: list[Block] = []
        row: list[Node] = []
        between: list[Node] = []
        before = start
        for node in nodes:
            if node not in cuts:
                between.append(node)
                continue
            if between:
                blocks += [*self._rows(row), self._branches(between, before, node)]
                row = []
            last = blocks[-1] if blocks and not row else None
            if isinstance(last, Branches) and (between or is_activation(self.graph.layer(node))):
                join = LayerRow((*last.join.labels, self._label(node)), node.shape[1:])
                blocks[-1] = replace(last, join=join)
                blocks += [LayerRow((label,), node.shape[1:]) for label in self.added.get(node.layer, ())]
            else:
                row.append(node)
            between = []
            before = node
        blocks += self._rows(row)
        if between:
            blocks.append(self._branches(between, before, end))
        return blocks

    def _cuts(self, nodes: Sequence[Node], start: Node | None, end: Node | None) -> list[Node]:
        """The nodes that every path passes: no edge leads from a node before them to one after them."""
        inside = {node.key for node in nodes}
        edges = []
        for node in nodes:
            place = self.position[node.key]
            before = [one for one in self.graph.producers(node) if one.key in inside or one is start]
            edges += [(self.position[one.key], place) for one in before] or [(-1, place)]
            last = self.graph.is_output(node) if end is None else end in self.graph.consumers(node)
            if last:
                edges.append((place, len(self.position)))
        return [node for node in nodes if not any(a < self.position[node.key] < b for a, b in edges)]

    def _branches(self, nodes: Sequence[Node], start: Node | None, end: Node | None) -> Block:
        paths = sorted(self._paths(nodes), key=len, reverse=True)
        has_identity = start is not None and end is not None and start in self.graph.producers(end)
        if len(paths) == 1 and not has_identity:
            return self._summary(nodes)
        main, *sides = [_folded(self.series(path, start, end)) for path in paths]
        return Branches(main, (*sides, ()) if has_identity else tuple(sides))

    def _paths(self, nodes: Sequence[Node]) -> list[list[Node]]:
        """The nodes divided into parts that no edge connects."""
        paths: list[list[Node]] = []
        for node in nodes:
            producers = self.graph.producers(node)
            connected = [path for path in paths if any(one in producers for one in path)]
            paths = [path for path in paths if path not in connected]
            paths.append(sorted([*chain(*connected), node], key=lambda one: self.position[one.key]))
        return paths

    def _summary(self, nodes: Sequence[Node]) -> LayerRow:
        """Nodes whose paths cross, counted by their kinds."""
        counted = Counter(self.graph.layer(node).kind.__name__ for node in nodes)
        kinds = ", ".join(f"{number} {name}" for name, number in counted.most_common(3))
        states = Counter(self._label(node).state for node in nodes)
        labels = [LayerLabel(f"{len(nodes)} layers: {kinds}")]
        labels += [LayerLabel(f"{states[state]} {state}", state) for state in sorted(states) if state != "unchanged"]
        return LayerRow(tuple(labels), nodes[-1].shape[1:])

    def _rows(self, nodes: Sequence[Node]) -> list[Block]:
        """Layers that follow one another; a row is a heavy layer with the normalisation and activation around it."""
        blocks: list[Block] = []
        row: list[Node] = []

        def close_row() -> None:
            if row:
                blocks.append(LayerRow(tuple(self._label(node) for node in row), row[-1].shape[1:]))
                row.clear()

        for node in nodes:
            layer = self.graph.layer(node)
            roles = {_role(self.graph.layer(one)) for one in row}
            role = _role(layer)
            if role in ("other", "padding") or (role == "heavy" and not roles <= {"light", "padding"}):
                close_row()
                roles = set()
            if layer.inner is not None:
                inner = self.cell.layers[layer.name].inner if self.cell and layer.name in self.cell.layers else None
                blocks.append(Repeat(diagram_blocks(layer.inner, inner), title=layer.name))
                continue
            row.append(node)
            # Where normalisation comes first, the convolution ends the row.
            if layer.is_a("InputLayer") or (role == "heavy" and "light" in roles) or node.layer in self.added:
                close_row()
            blocks += [LayerRow((label,), node.shape[1:]) for label in self.added.get(node.layer, ())]
        close_row()
        return blocks

    def _label(self, node: Node) -> LayerLabel:
        layer = self.graph.layer(node)
        text = layer_label(layer, node)
        if self.cell is None:
            return LayerLabel(text)
        if layer.name not in self.cell.layers:
            return LayerLabel(text, "removed")
        new, call = self.cell.layers[layer.name], self.cell.calls(layer.name)[0]
        new_text = layer_label(new, call)
        if new_text != text:
            return LayerLabel(change_label(text, new_text), "changed")
        if layer.config.get("use_bias") != new.config.get("use_bias"):
            return LayerLabel(f"{text} + bias", "changed")
        if is_normalization(layer) and self._has_moved(node, call):
            return LayerLabel(f"{text} moved", "changed")
        return LayerLabel(text)

    def _has_moved(self, node: Node, call: Node) -> bool:
        """Whether a call of the cell follows what it preceded in the full network, or precedes what it followed."""
        if self.cell is None:
            return False
        (before, after), (now_before, now_after) = (
            (
                {graph.nodes[key].layer for key in graph.ancestors(one)},
                {other.layer for other in graph.descendants(one)},
            )
            for graph, one in ((self.graph, node), (self.cell, call))
        )
        return bool(before & now_after or after & now_before)


def _added_layers(graph: Graph, cell: Graph | None) -> Mapping[str, list[LayerLabel]]:
    """Labels of layers that only the cell has, by the layer of the full network that they follow."""
    added: dict[str, list[LayerLabel]] = {}
    if cell is None:
        return added
    for node in cell.nodes.values():
        before = node
        while before.layer not in graph.layers and before.inputs:
            before = cell.producers(before)[0]
        if before is not node:
            added.setdefault(before.layer, []).append(LayerLabel(layer_label(cell.layer(node), node), "added"))
    return added


def _role(layer: LayerSpec) -> str:
    """What a layer is for the row that it stands in: a heavy layer, with light ones around it."""
    if layer.is_a(*CONVOLUTIONS, *DENSE, *POOLINGS):
        return "heavy"
    if is_normalization(layer) or is_activation(layer):
        return "light"
    return "padding" if layer.kind.__name__.startswith("ZeroPadding") else "other"


def _folded(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Equal neighbours, one by one or several in a row, as one block with a number.

    From left to right, of all patterns that repeat at a position the one that covers the most blocks is folded.
    """
    folded: list[Block] = []
    start = 0
    while start < len(blocks):
        length, times = 1, 1
        for candidate in range(1, (len(blocks) - start) // 2 + 1):
            repeats = 1
            pattern = blocks[start : start + candidate]
            while blocks[start + repeats * candidate : start + (repeats + 1) * candidate] == pattern:
                repeats += 1
            if repeats > 1 and repeats * candidate > length * times:
                length, times = candidate, repeats
        end = start + length * times
        # The last one, because a reader continues from its shape.
        folded.append(Repeat(tuple(blocks[end - length : end]), times) if times > 1 else blocks[start])
        start = end
    return tuple(folded)
