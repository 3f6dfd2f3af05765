"""The parts of a block diagram: a network as rows, branches and repetitions, read from its graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keras.layers import InputLayer

from ablate.keras.diagram_words import words
from ablate.keras.graph import Graph, LayerSpec, Node, Shape
from ablate.keras.kinds import CONVOLUTIONS, DENSE, NORMALIZATIONS, POOLINGS, is_activation

__all__ = ["Branches", "Item", "Piece", "Repeat", "Row", "parts"]

State = str
"""What became of a part: ``kept``, ``gone``, ``changed`` or ``new``."""


@dataclass(frozen=True)
class Piece:
    """A layer, in a few words.

    Args:
        text: The words.
        state: What became of it.
    """

    text: str
    state: State = "kept"


@dataclass(frozen=True)
class Row:
    """Layers in a row that are drawn in one box.

    Args:
        pieces: The layers.
        shape: Shape of what comes out, without the batch; not part of what makes rows equal.
    """

    pieces: tuple[Piece, ...]
    shape: Shape = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Row) and self.pieces == other.pieces

    def __hash__(self) -> int:
        return hash(self.pieces)


@dataclass(frozen=True)
class Branches:
    """Ways from one place that meet again.

    Args:
        main: The longest.
        sides: The others; one without layers is an identity shortcut.
        gone: Whether each of the sides was taken away.
        join: Where they meet, with the activation behind it; None at the end of the network.
    """

    main: tuple[Item, ...]
    sides: tuple[tuple[Item, ...], ...]
    gone: tuple[bool, ...]
    join: Row | None = None


@dataclass(frozen=True)
class Repeat:
    """Parts that follow one another several times, or the inside of a nested model.

    Args:
        items: The parts.
        times: How often.
        title: Name of the nested model, otherwise empty.
    """

    items: tuple[Item, ...]
    times: int = 1
    title: str = ""


Item = Row | Branches | Repeat


def parts(graph: Graph, cell: Graph | None = None) -> tuple[Item, ...]:
    """The parts of a network, in order, equal neighbours folded.

    Args:
        graph: The full network.
        cell: The network without something; what differs is marked.

    Returns:
        The parts.
    """
    return _folded(_Reader(graph, cell).series(list(graph.nodes.values()), None, None))


class _Reader:
    """Cuts a graph into parts."""

    def __init__(self, graph: Graph, cell: Graph | None) -> None:
        self.graph, self.cell = graph, cell
        self.place = {key: place for place, key in enumerate(graph.nodes)}
        self.new = _new_layers(graph, cell)

    def series(self, nodes: Sequence[Node], start: Node | None, end: Node | None) -> list[Item]:
        """The parts of some nodes between two others, cut where all ways meet."""
        cuts = self._cuts(nodes, start, end)
        if not cuts:
            return [self._opaque(nodes)] if len(nodes) > 1 else []
        items: list[Item] = []
        row: list[Node] = []
        before = start
        for cut in [*cuts, None]:
            last = cut if cut is not None else end
            between = self._between(nodes, before, cut)
            if between:
                items += self._rows(row)
                row = []
                direct = before is not None and last is not None and before in self.graph.producers(last)
                items.append(self._branches(between, before, last, direct))
            joined = items and not row and isinstance(items[-1], Branches)
            if cut is None:
                break
            if joined and (between or is_activation(self.graph.layer(cut))):
                items[-1] = self._with_join(items[-1], cut)
            else:
                row.append(cut)
            before = cut
        return items + self._rows(row)

    def _with_join(self, item: Item, node: Node) -> Item:
        if not isinstance(item, Branches):
            return item
        pieces = item.join.pieces if item.join else ()
        return replace(item, join=Row((*pieces, *self._pieces(node)), node.shape[1:]))

    def _cuts(self, nodes: Sequence[Node], start: Node | None, end: Node | None) -> list[Node]:
        """The nodes that no way goes past."""
        far = len(self.place)
        inside = {node.key for node in nodes}
        found = []
        # The furthest place that a way out of an earlier node leads to.
        reach = self._first(nodes) if start is None else self._reach(start, inside, far, start)
        for node in nodes:
            if self.place[node.key] >= reach:
                found.append(node)
            reach = max(reach, self._reach(node, inside, far, end))
        return found

    def _first(self, nodes: Sequence[Node]) -> int:
        roots = [self.place[node.key] for node in nodes if not node.inputs]
        return max(roots, default=0)

    def _reach(self, node: Node, inside: set[str], far: int, end: Node | None) -> int:
        users = [self.place[user.key] for user in self.graph.consumers(node) if user.key in inside]
        leaves = any(end is not None and user.key == end.key for user in self.graph.consumers(node))
        past = leaves or (end is None and self.graph.is_output(node))
        return far if past else max(users, default=0)

    def _between(self, nodes: Sequence[Node], first: Node | None, last: Node | None) -> list[Node]:
        low = -1 if first is None else self.place[first.key]
        high = len(self.place) if last is None else self.place[last.key]
        return [node for node in nodes if low < self.place[node.key] < high]

    def _branches(self, nodes: Sequence[Node], start: Node | None, end: Node | None, direct: bool) -> Item:
        ways = _components(self.graph, nodes)
        if len(ways) == 1 and not direct:
            return self._opaque(nodes)
        ways.sort(key=len, reverse=True)
        main, *others = ways
        join_gone = end is not None and self._state(end.layer) == "gone"
        main_gone = join_gone and all(self._state(node.layer) == "gone" for node in main)
        sides = [tuple(_folded(self.series(way, start, end))) for way in others] + ([()] if direct else [])
        lost = [join_gone and all(self._state(node.layer) == "gone" for node in way) for way in others]
        gone = (*lost, *([join_gone and not main_gone] if direct else []))
        return Branches(_folded(self.series(main, start, end)), tuple(sides), gone)

    def _opaque(self, nodes: Sequence[Node]) -> Row:
        """A tangle that has no order of its own, summed up."""
        counted = Counter(self.graph.layer(node).kind.__name__ for node in nodes)
        told = ", ".join(f"{number} {name}" for name, number in counted.most_common(3))
        states = {self._state(node.layer) for node in nodes} - {"kept"}
        pieces = [Piece(f"{len(nodes)} layers: {told}")]
        for state in sorted(states):
            pieces.append(Piece(f"{sum(self._state(node.layer) == state for node in nodes)} {state}", state))
        return Row(tuple(pieces), nodes[-1].shape[1:])

    def _rows(self, nodes: Sequence[Node]) -> list[Item]:
        """Layers that follow one another, a weighted one with what belongs to it in a row."""
        items: list[Item] = []
        row: list[Node] = []

        def close() -> None:
            if row:
                pieces = tuple(piece for node in row for piece in self._pieces(node))
                items.append(Row(pieces, row[-1].shape[1:]))
                row.clear()

        for node in nodes:
            layer = self.graph.layer(node)
            if layer.inner is not None:
                close()
                inner = self.cell.layers[layer.name].inner if self.cell and layer.name in self.cell.layers else None
                items.append(Repeat(parts(layer.inner, inner), title=layer.name))
                continue
            if _pads(layer):
                close()
                row.append(node)
                continue
            light = layer.is_a(*NORMALIZATIONS) or is_activation(layer)
            heavy_inside = any(_is_heavy(self.graph.layer(one)) for one in row)
            if not light and not (_is_heavy(layer) and row and not heavy_inside and _all_light(self.graph, row)):
                close()
            led = any(not _pads(self.graph.layer(one)) for one in row)
            row.append(node)
            if layer.is_a(InputLayer):
                close()
            if node.layer in self.new:
                close()
                fresh = [Piece(words(new, call), "new") for new, call in self.new[node.layer]]
                items += [Row(tuple(fresh[at : at + 2]), node.shape[1:]) for at in range(0, len(fresh), 2)]
            # Where normalisation leads, the convolution ends the row.
            if led and _is_heavy(layer):
                close()
        close()
        return items

    def _pieces(self, node: Node) -> list[Piece]:
        layer = self.graph.layer(node)
        state = self._state(layer.name)
        text = words(layer, node)
        if state == "changed" and self.cell is not None:
            fresh = self.cell.layers[layer.name]
            call = self.cell.calls(layer.name)[0]
            text = _told(text, words(fresh, call), layer, fresh)
        return [Piece(text, state)]

    def _state(self, name: str) -> State:
        if self.cell is None:
            return "kept"
        if name not in self.cell.layers:
            return "gone"
        old, new = self.graph.layers[name], self.cell.layers[name]
        call, fresh = self.graph.calls(name)[0], self.cell.calls(name)[0]
        biased = old.config.get("use_bias") != new.config.get("use_bias")
        if words(old, call) != words(new, fresh) or biased or old.kind is not new.kind:
            return "changed"
        followed = {user.layer for user in self.graph.consumers(call)}
        moved = old.is_a(*NORMALIZATIONS) and any(one.layer in followed for one in self.cell.producers(fresh))
        return "changed" if moved else "kept"


def _told(old: str, new: str, layer: LayerSpec, fresh: LayerSpec) -> str:
    if old == new:
        if layer.config.get("use_bias") != fresh.config.get("use_bias"):
            return f"{old} + bias"
        return f"{old} behind"
    first, _, rest = old.partition(" ")
    same = new.partition(" ")[2]
    return f"{first} → {new}" if rest == same else f"{old} → {new}"


def _new_layers(graph: Graph, cell: Graph | None) -> Mapping[str, list[tuple[LayerSpec, Node]]]:
    """Layers that only the cell has, by the layer of the full network that they follow."""
    found: dict[str, list[tuple[LayerSpec, Node]]] = {}
    for node in cell.nodes.values() if cell is not None else ():
        if cell is not None and node.layer not in graph.layers and node.inputs:
            before = cell.producers(node)[0]
            while before.layer not in graph.layers and before.inputs:
                before = cell.producers(before)[0]
            found.setdefault(before.layer, []).append((cell.layer(node), node))
    return found


def _components(graph: Graph, nodes: Sequence[Node]) -> list[list[Node]]:
    """The nodes in groups that nothing ties to each other."""
    group = {node.key: node.key for node in nodes}

    def root(key: str) -> str:
        while group[key] != key:
            key = group[key]
        return key

    for node in nodes:
        for user in graph.consumers(node):
            if user.key in group:
                group[root(user.key)] = root(node.key)
    found: dict[str, list[Node]] = {}
    for node in nodes:
        found.setdefault(root(node.key), []).append(node)
    return list(found.values())


def _is_heavy(layer: LayerSpec) -> bool:
    return layer.is_a(*CONVOLUTIONS, *DENSE, *POOLINGS)


def _all_light(graph: Graph, row: Sequence[Node]) -> bool:
    return all(
        graph.layer(node).is_a(*NORMALIZATIONS) or is_activation(graph.layer(node)) or _pads(graph.layer(node))
        for node in row
    )


def _pads(layer: LayerSpec) -> bool:
    return layer.kind.__name__.startswith("ZeroPadding")


def _folded(items: Sequence[Item]) -> tuple[Item, ...]:
    """Neighbours that are equal, one by one or several in a row, as one with a number."""
    done: list[Item] = []
    place = 0
    while place < len(items):
        best = (1, 1)
        for length in range(1, (len(items) - place) // 2 + 1):
            times = 1
            pattern = items[place : place + length]
            while items[place + times * length : place + (times + 1) * length] == pattern:
                times += 1
            if times > 1 and times * length > best[0] * best[1]:
                best = (length, times)
        length, times = best
        if times > 1:
            last = items[place + (times - 1) * length : place + times * length]
            done.append(Repeat(tuple(last), times))
            place += length * times
        else:
            done.append(items[place])
            place += 1
    return tuple(replace(item) for item in done)
