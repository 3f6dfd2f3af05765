"""Random changes of the images while training: layers in front of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node
from ablate.keras.layer_spec import LayerSpec, layer_class
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage, nodes_at, sites_at

_CHANNELS = range(1, 5)  # that an image may have


class _RandomLayers(Ingredient):
    """Random layers in front of the network: ``built`` leaves them as they are, ``false`` takes them out."""

    levels = ("built", True, False)
    adds = (True,)
    stage = Stage.INPUT
    limited = False


class _Transformation(_RandomLayers):
    """One random change of the images.

    ``true`` puts such a layer in front of the network, if there is none yet, with the strength that the textbook gives,
    and a number does so with that strength.
    """

    kind: ClassVar[str]
    strength: ClassVar[Mapping[str, Any]]
    measure: ClassVar[str | None] = "factor"

    def allows(self, level: object) -> bool:
        """Whether it is one of the levels, or a strength above 0 and at most 1."""
        if self.measure is None or isinstance(level, bool) or not isinstance(level, int | float):
            return super().allows(level)
        return 0 < level <= 1

    def allowed(self) -> tuple[str, ...]:
        """The levels as text, for messages."""
        return (*super().allowed(), *(["a number above 0 and at most 1"] if self.measure else []))

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The layers that do it."""
        return sites_at(graph.find(self.kind))

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Takes the layers out, puts one in, or gives them another strength."""
        if level is False:
            return graph.without(nodes_at(graph, sites))
        chosen = {} if level is True or self.measure is None else {self.measure: float(level)}
        if sites:
            changed = [graph.layer(node).configured(**chosen) for node in nodes_at(graph, sites)]
            return graph.edited(layers=changed) if chosen else graph
        for number, image in enumerate(_images(graph)):
            name = f"augmentation_{self.name}" + (f"_{number}" if number else "")
            config = {"name": name, **self.strength, **chosen}
            layer = LayerSpec(name, layer_class(self.kind), config, weighted=False)
            graph = graph.inserted(_last_augmentation(graph, image).output, layer)
        return graph


class Flip(_Transformation):
    """Flips every second image, left to right."""

    name = "flip"
    label = "random flips"
    description = "random flips: as built, true, false"
    absence = "no RandomFlip layer"
    kind = "RandomFlip"
    strength: ClassVar[Mapping[str, Any]] = {"mode": "horizontal"}
    measure = None


class Rotation(_Transformation):
    """Turns images; the strength is a share of the full turn, either way."""

    name = "rotation"
    label = "random rotations"
    description = "random rotations: as built, true, false, or a share of the full turn"
    absence = "no RandomRotation layer"
    kind = "RandomRotation"
    strength: ClassVar[Mapping[str, Any]] = {"factor": 0.1}


class Zoom(_Transformation):
    """Enlarges or shrinks images; the strength is a share of their size."""

    name = "zoom"
    label = "random zooms"
    description = "random zooms: as built, true, false, or a share of the size"
    absence = "no RandomZoom layer"
    kind = "RandomZoom"
    strength: ClassVar[Mapping[str, Any]] = {"height_factor": 0.2}
    measure = "height_factor"


class Contrast(_Transformation):
    """Changes the contrast of images; the strength is a share of it. Values are not clipped, whatever their range."""

    name = "contrast"
    label = "random contrast"
    description = "random contrast: as built, true, false, or a share"
    absence = "no RandomContrast layer"
    kind = "RandomContrast"
    # The largest numbers that 16 bits hold.
    strength: ClassVar[Mapping[str, Any]] = {"factor": 0.2, "value_range": (-65504.0, 65504.0)}


class Augmentation(_RandomLayers):
    """All random changes of the images at once.

    ``true`` puts flip, rotation, zoom and contrast in front of the network; ``false`` takes out every random layer.
    Each of the four is an ingredient too, applied after this one: ``augmentation=true flip=false`` leaves three.
    """

    name = "augmentation"
    description = "random layers in front: as built, true (flip, rotation, zoom, contrast), false (none)"
    absence = "no layer that changes images at random"
    transformations: ClassVar[tuple[_Transformation, ...]] = (Flip(), Rotation(), Zoom(), Contrast())

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """All layers that change images at random."""
        return sites_at(node for node in graph.nodes.values() if _is_random(graph.layer(node)))

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Takes the layers out, or puts those in that are missing."""
        if level is False:
            return graph.without(nodes_at(graph, sites))
        for transformation in self.transformations:
            graph = transformation.rewrite(graph, transformation.find(graph), True)
        return graph


def _is_random(layer: LayerSpec) -> bool:
    kind = layer.kind
    return ".preprocessing." in kind.__module__ and kind.__name__.startswith(("Random", "Rand", "AugMix", "Mix", "Cut"))


def _images(graph: Graph) -> list[Node]:
    """The inputs of the model that are images."""
    inputs = [node for node in graph.nodes.values() if not node.inputs and len(node.shape) == 4]
    return [node for node in inputs if node.shape[-1] in _CHANNELS]


def _last_augmentation(graph: Graph, image: Node) -> Node:
    """The last of the random layers that directly follow an input, so that new ones stand in order."""
    node = image
    while (after := graph.sole_consumer(node)) is not None and _is_random(graph.layer(after)):
        node = after
    return node
