"""What an ingredient is: a part of a network that can be found and taken away."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, ClassVar

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node

Level = bool | str | float


class Stage(IntEnum):
    """When an ingredient is rewritten: a later stage sees the network as the earlier ones leave it.

    Within a stage the order is that of the catalogue.
    """

    INPUT = 0  # layers in front of the network are no part of it; what is counted afterwards is the network with them
    BLOCKS = 1  # in a block that is left out there is nothing to rewrite
    SHORTCUTS = 2  # before the normalisations: one that fed a sum then meets its activation
    GATES = 3  # before the layers change of which gates consist, and the channels for which they are built
    CONCATENATIONS = 4  # before the layers: those behind are built for the channels that are left
    LAYERS = 5  # kinds of convolution and pooling
    ACTIVATIONS = 6  # their place and their function, while the normalisations beside them are there
    BIASES = 7
    NORMALIZATIONS = 8  # when no other stage looks for them any more
    DROPOUT = 9
    HEAD = 10  # its layers are built for the map that is left
    LAST = 11


@dataclass(frozen=True)
class Site:
    """A place in a graph where an ingredient is found.

    Args:
        nodes: Keys of the nodes that make it up; the first names the place.
    """

    nodes: tuple[str, ...]


class Ingredient(ABC):
    """A part of a network that can be taken away.

    A subclass says where the part is (`find`) and what the network is without it (`rewrite`). Both see one graph;
    models nested in a model are visited one after the other. All that is known about an ingredient stands in its class:
    the configuration, the help page, tables and figures read it there, without loading Keras. A subclass must have
    ``name``, ``description`` and ``absence``.

    Attributes:
        name: Its key in configurations.
        label: What sentences and figures call it; by default its name.
        description: What it is and which levels it has, in one line, for the help page.
        absence: What a network lacks in which it is not found, in a few words.
        levels: Its levels, that of the full form first.
        removed: The level that stands for the network without it, by default the last one; None if there is none.
        adds: Those of its levels that put it into a network that does not have it.
        stage: When it is rewritten, relative to other ingredients.
        requires: Levels of other ingredients without which its own level is void.
        limited: Whether ``only.<name>`` limits it to some layers.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    description: ClassVar[str]
    absence: ClassVar[str]
    levels: ClassVar[tuple[Level, ...]] = (True, False)
    removed: ClassVar[Level | None] = False
    adds: ClassVar[tuple[Level, ...]] = ()
    stage: ClassVar[Stage] = Stage.LAST
    requires: ClassVar[Mapping[str, tuple[Level, ...]]] = {}
    limited: ClassVar[bool] = True

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        declared = vars(cls)
        if "name" in declared and "label" not in declared:
            cls.label = cls.name
        if "levels" in declared and "removed" not in declared:
            cls.removed = cls.levels[-1]

    @abstractmethod
    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The places where the ingredient is, in the order of the graph."""

    @abstractmethod
    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """The graph with the ingredient at another level than that of the full form.

        Args:
            graph: The graph in which the sites were found.
            sites: All that `find` returned, or some of them; may be empty for a model nested in one that has the
                ingredient.
            level: A level that `allows` accepts, not the first.
        """

    def left_alone(self, graph: Graph) -> Mapping[Site, str]:
        """Places that look like the ingredient and are not, each with the reason.

        `rewrite` gets those that patterns of ``only`` name.

        Args:
            graph: The graph.
        """
        return {}

    def may_be_inside(self, graph: Graph, layer: str) -> bool:
        """Whether what looks like the ingredient within the code of a layer of the user is one, by where that stands.

        Args:
            graph: The graph.
            layer: The name of the layer in it.
        """
        return True

    def allows(self, level: object) -> bool:
        """Whether it has this level; overridden where levels are more than can be listed."""
        return any(type(level) is type(known) and level == known for known in self.levels)

    def allowed(self) -> tuple[str, ...]:
        """The levels as text, for messages."""
        return tuple(str(level).lower() for level in self.levels)

    def misfit(self, graph: Graph, level: Level) -> str:
        """Why a level that `allows` accepts does not fit this graph; empty if it does.

        Args:
            graph: The graph of the whole model.
            level: The level asked for.
        """
        return ""


def sites_at(nodes: Iterable[Node]) -> tuple[Site, ...]:
    """A site for each node."""
    return tuple(Site((node.key,)) for node in nodes)


def nodes_at(graph: Graph, sites: Iterable[Site]) -> list[Node]:
    """The node that names each site."""
    return [graph.nodes[site.nodes[0]] for site in sites]


Condition = Callable[[Graph, Node], bool]


def nested_sites(
    graph: Graph, candidates: Callable[[Graph], Iterable[Node]], fits: Condition, closes: Condition
) -> Iterator[Site]:
    """The sites of an ingredient whose place in the whole network matters, those within nested models included.

    A part that closes a nested model stands, for the network, where that model stands.

    Args:
        graph: The graph.
        candidates: The nodes of a graph that may be sites.
        fits: Whether a candidate, or a nested model that ends with one, stands at the right place in the graph.
        closes: Whether a candidate within a nested model is what that model ends with.

    Yields:
        Sites of one node; the names of the nested models precede its key.
    """
    yield from sites_at(node for node in candidates(graph) if fits(graph, node))
    for layer in graph.layers.values():
        if layer.inner is not None and all(fits(graph, node) for node in graph.calls(layer.name)):
            for site in nested_sites(layer.inner, candidates, closes, closes):
                yield Site((layer.name, *site.nodes))


def rewritten_at(graph: Graph, sites: Iterable[Site], edit: Callable[[Graph, list[Node]], Graph]) -> Graph:
    """The graph with an edit made at sites that `nested_sites` found.

    Args:
        graph: The graph.
        sites: The sites.
        edit: Takes a graph and some of its nodes, and returns the edited graph.
    """
    paths = [site.nodes for site in sites]
    for name in dict.fromkeys(path[0] for path in paths if len(path) > 1):
        layer = graph.layers[name]
        if layer.inner is not None:
            inside = [Site(path[1:]) for path in paths if len(path) > 1 and path[0] == name]
            graph = graph.edited(layers=[replace(layer, inner=rewritten_at(layer.inner, inside, edit))])
    return edit(graph, [graph.nodes[path[0]] for path in paths if len(path) == 1])
