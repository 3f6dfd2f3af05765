"""The blocks of a diagram: a network as rows, branches and repetitions, read from its graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keras.layers import InputLayer

from ablate.keras.graph import Graph, LayerSpec
from ablate.keras.graph_node import Node, Shape
from ablate.keras.kinds import CONVOLUTIONS, DENSE, NORMALIZATIONS, POOLINGS, is_activation
from ablate.keras.layer_labels import changed_label, layer_label

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
    shape: Shape = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LayerRow) and self.labels == other.labels

    def __hash__(self) -> int:
        return hash(self.labels)


@dataclass(frozen=True)
class Branches:
    """Paths that start at one layer and meet again.

    Args:
        main: The longest path.
        sides: The others; one without layers is an identity shortcut.
        removed: Whether the cell removes each of the sides.
        join: Where they meet, with the activation after it; ``None`` at the end of the network.
    """

    main: tuple[Block, ...]
    sides: tuple[tuple[Block, ...], ...]
    removed: tuple[bool, ...]
    join: LayerRow | None = None


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
    return _folded(_Reader(graph, cell).series(list(graph.nodes.values()), None, None))


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
        if not cuts:
            return [self._summary(nodes)] if len(nodes) > 1 else []
        blocks: list[Block] = []
        row: list[Node] = []
        before = start
        for cut in [*cuts, None]:
            last = cut if cut is not None else end
            between = self._between(nodes, before, cut)
            if between:
                blocks += self._rows(row)
                row = []
                direct = before is not None and last is not None and before in self.graph.producers(last)
                blocks.append(self._branches(between, before, last, direct))
            joined = blocks and not row and isinstance(blocks[-1], Branches)
            if cut is None:
                break
            if joined and (between or is_activation(self.graph.layer(cut))):
                blocks[-1] = self._with_join(blocks[-1], cut)
            else:
                row.append(cut)
            before = cut
        return blocks + self._rows(row)

    def _with_join(self, block: Block, node: Node) -> Block:
        if not isinstance(block, Branches):
            return block
        labels = block.join.labels if block.join else ()
        return replace(block, join=LayerRow((*labels, self._label(node)), node.shape[1:]))

    def _cuts(self, nodes: Sequence[Node], start: Node | None, end: Node | None) -> list[Node]:
        """The nodes that every path passes: no edge leads from a node before them to one after them."""
        beyond = len(self.position)
        inside = {node.key for node in nodes}
        cuts = []
        # The furthest position that an edge out of an earlier node leads to.
        reach = self._first(nodes) if start is None else self._reach(start, inside, beyond, start)
        for node in nodes:
            if self.position[node.key] >= reach:
                cuts.append(node)
            reach = max(reach, self._reach(node, inside, beyond, end))
        return cuts

    def _first(self, nodes: Sequence[Node]) -> int:
        roots = [self.position[node.key] for node in nodes if not node.inputs]
        return max(roots, default=0)

    def _reach(self, node: Node, inside: set[str], beyond: int, end: Node | None) -> int:
        users = [self.position[user.key] for user in self.graph.consumers(node) if user.key in inside]
        leaves = any(end is not None and user.key == end.key for user in self.graph.consumers(node))
        past = leaves or (end is None and self.graph.is_output(node))
        return beyond if past else max(users, default=0)

    def _between(self, nodes: Sequence[Node], first: Node | None, last: Node | None) -> list[Node]:
        low = -1 if first is None else self.position[first.key]
        high = len(self.position) if last is None else self.position[last.key]
        return [node for node in nodes if low < self.position[node.key] < high]

    def _branches(self, nodes: Sequence[Node], start: Node | None, end: Node | None, direct: bool) -> Block:
        paths = _components(self.graph, nodes)
        if len(paths) == 1 and not direct:
            return self._summary(nodes)
        paths.sort(key=len, reverse=True)
        # Only without its join can a path be removed; otherwise its layers alone are.
        join_removed = end is not None and self._state(end.layer) == "removed"
        removed = [join_removed and all(self._state(node.layer) == "removed" for node in path) for path in paths]
        main, *sides = [_folded(self.series(path, start, end)) for path in paths]
        shortcut = [join_removed and not removed[0]] if direct else []
        return Branches(main, (*sides, *([()] if direct else [])), (*removed[1:], *shortcut))

    def _summary(self, nodes: Sequence[Node]) -> LayerRow:
        """Nodes whose paths cross, counted by their kinds."""
        counted = Counter(self.graph.layer(node).kind.__name__ for node in nodes)
        kinds = ", ".join(f"{number} {name}" for name, number in counted.most_common(3))
        states = Counter(self._state(node.layer) for node in nodes)
        labels = [LayerLabel(f"{len(nodes)} layers: {kinds}")]
        labels += [LayerLabel(f"{states[state]} {state}", state) for state in sorted(states) if state != "unchanged"]
        return LayerRow(tuple(labels), nodes[-1].shape[1:])

    def _rows(self, nodes: Sequence[Node]) -> list[Block]:
        """Layers that follow one another; a row is a heavy layer with the normalisation and activation around it."""
        blocks: list[Block] = []
        row: list[Node] = []

        def close() -> None:
            if row:
                blocks.append(LayerRow(tuple(self._label(node) for node in row), row[-1].shape[1:]))
                row.clear()

        for node in nodes:
            layer = self.graph.layer(node)
            if layer.inner is not None:
                close()
                inner = self.cell.layers[layer.name].inner if self.cell and layer.name in self.cell.layers else None
                blocks.append(Repeat(diagram_blocks(layer.inner, inner), title=layer.name))
                continue
            if _pads(layer):
                close()
                row.append(node)
                continue
            row_layers = [self.graph.layer(one) for one in row]
            joins_row = _is_heavy(layer) and row and all(_is_light(one) or _pads(one) for one in row_layers)
            if not _is_light(layer) and not joins_row:
                close()
                row_layers = []
            row.append(node)
            if layer.is_a(InputLayer):
                close()
            if node.layer in self.added:
                close()
                labels = [LayerLabel(layer_label(new, call), "added") for new, call in self.added[node.layer]]
                blocks += [LayerRow(tuple(labels[at : at + 2]), node.shape[1:]) for at in range(0, len(labels), 2)]
            # Where normalisation comes first, the convolution ends the row.
            if _is_heavy(layer) and any(not _pads(one) for one in row_layers):
                close()
        close()
        return blocks

    def _label(self, node: Node) -> LayerLabel:
        layer = self.graph.layer(node)
        state = self._state(layer.name)
        if state == "changed" and self.cell is not None:
            new, call = self.cell.layers[layer.name], self.cell.calls(layer.name)[0]
            return LayerLabel(changed_label(layer, node, new, call), state)
        return LayerLabel(layer_label(layer, node), state)

    def _state(self, name: str) -> State:
        if self.cell is None:
            return "unchanged"
        if name not in self.cell.layers:
            return "removed"
        old, new = self.graph.layers[name], self.cell.layers[name]
        call, new_call = self.graph.calls(name)[0], self.cell.calls(name)[0]
        biased = old.config.get("use_bias") != new.config.get("use_bias")
        if layer_label(old, call) != layer_label(new, new_call) or biased or old.kind is not new.kind:
            return "changed"
        # A normalisation that now follows what it came before has moved.
        followers = {user.layer for user in self.graph.consumers(call)}
        moved = old.is_a(*NORMALIZATIONS) and any(one.layer in followers for one in self.cell.producers(new_call))
        return "changed" if moved else "unchanged"


def _added_layers(graph: Graph, cell: Graph | None) -> Mapping[str, list[tuple[LayerSpec, Node]]]:
    """Layers that only the cell has, by the layer of the full network that they follow."""
    added: dict[str, list[tuple[LayerSpec, Node]]] = {}
    for node in cell.nodes.values() if cell is not None else ():
        if cell is not None and node.layer not in graph.layers and node.inputs:
            before = cell.producers(node)[0]
            while before.layer not in graph.layers and before.inputs:
                before = cell.producers(before)[0]
            added.setdefault(before.layer, []).append((cell.layer(node), node))
    return added


def _components(graph: Graph, nodes: Sequence[Node]) -> list[list[Node]]:
    """The connected components of a part of the graph."""
    parent = {node.key: node.key for node in nodes}

    def root(key: str) -> str:
        while parent[key] != key:
            key = parent[key]
        return key

    for node in nodes:
        for user in graph.consumers(node):
            if user.key in parent:
                parent[root(user.key)] = root(node.key)
    components: dict[str, list[Node]] = {}
    for node in nodes:
        components.setdefault(root(node.key), []).append(node)
    return list(components.values())


def _is_heavy(layer: LayerSpec) -> bool:
    return layer.is_a(*CONVOLUTIONS, *DENSE, *POOLINGS)


def _is_light(layer: LayerSpec) -> bool:
    return layer.is_a(*NORMALIZATIONS) or is_activation(layer)


def _pads(layer: LayerSpec) -> bool:
    return layer.kind.__name__.startswith("ZeroPadding")


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
