"""What an ingredient is: a part of a network that can be found and taken away."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ablate.keras.graph import Graph

__all__ = ["Ingredient", "Level", "Site"]

Level = bool | str | float


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
    models nested in a model are visited one after the other.

    Attributes:
        name: The word for it in configurations.
        description: What it is, in one line.
        absence: What a network lacks in which it is not found, in a few words.
        levels: Its levels, that of the full form first.
        adds: Those of its levels that put it into a network that does not have it.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    absence: ClassVar[str]
    levels: ClassVar[tuple[Level, ...]] = (True, False)
    adds: ClassVar[tuple[Level, ...]] = ()

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
            level: A level that `allows` lets pass, not the first.
        """

    def allows(self, level: object) -> bool:
        """Whether it has this level; overridden where levels are more than can be listed."""
        return any(type(level) is type(known) and level == known for known in self.levels)

    def allowed(self) -> tuple[str, ...]:
        """The levels as words, for messages."""
        return tuple(str(level).lower() for level in self.levels)

    def misfit(self, graph: Graph, level: Level) -> str:
        """Why a level that `allows` lets pass does not fit this graph; empty if it does.

        Args:
            graph: The graph of the whole model.
            level: The level asked for.
        """
        return ""
