"""How maps are enlarged: by transposed convolutions, or by interpolation and a convolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.errors import NetworkError
from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node
from ablate.keras.kinds import PLAIN_CONVOLUTIONS, TRANSPOSED_CONVOLUTIONS, by_rank
from ablate.keras.layer_spec import LayerSpec
from ablate.keras.rewrites.ingredient import Ingredient, Level, Site, Stage

_UPSAMPLINGS = by_rank("UpSampling")
_SHARED = (
    "filters data_format activation use_bias kernel_initializer bias_initializer kernel_regularizer bias_regularizer "
    "activity_regularizer kernel_constraint bias_constraint"
).split()


class Upsampling(Ingredient):
    """Enlargements as built, or all of one kind.

    ``transposed`` is a transposed convolution whose stride is the factor (Zeiler et al. 2010); ``nearest`` and
    ``bilinear`` repeat or interpolate the map and then convolve it with stride 1 (Odena et al. 2016,
    https://doi.org/10.23915/distill.00003). Filters, kernel, activation, bias and initialisers are those of the layer
    that is replaced; the kernel of a transposed convolution covers the factor at least, since it would leave gaps.

    Left alone are transposed convolutions whose map is not larger by their stride exactly, and interpolations that no
    convolution of stride 1 that keeps the size follows.
    """

    name = "upsampling"
    label = "the upsampling"
    description = "enlargements as built, or all transposed, nearest, bilinear"
    absence = "no transposed convolution, and no interpolation with a convolution behind it"
    levels = ("built", "transposed", "nearest", "bilinear")
    removed = None  # each is another way of the same
    stage = Stage.LAYERS

    def find(self, graph: Graph) -> tuple[Site, ...]:
        """The transposed convolutions, and interpolations with the convolution behind each."""
        places = (_place(graph, node) for node in graph.nodes.values())
        return tuple(place.site for place in places if place is not None and not place.doubt)

    def left_alone(self, graph: Graph) -> Mapping[Site, str]:
        """The other enlargements, each with the reason."""
        places = (_place(graph, node) for node in graph.nodes.values())
        return {place.site: place.doubt for place in places if place is not None and place.doubt}

    def rewrite(self, graph: Graph, sites: Sequence[Site], level: Level) -> Graph:
        """Puts an enlargement of the kind in the place of each."""
        for site in sites:
            place = _place(graph, graph.nodes[site.nodes[0]])
            if place is not None and not place.doubt:
                graph = _turned(graph, [graph.nodes[key] for key in site.nodes], str(level))
        return graph


@dataclass(frozen=True)
class _Place:
    site: Site
    doubt: str = ""


def _place(graph: Graph, node: Node) -> _Place | None:
    """The site that a node is the first of, with the reason why it is left alone; None for other nodes."""
    layer = graph.layer(node)
    if len(node.inputs) != 1:
        return None
    shared = "the layer is called several times" if len(graph.calls(node.layer)) > 1 else ""
    if layer.is_a(*TRANSPOSED_CONVOLUTIONS) and max(layer.config["strides"]) > 1:
        return _Place(Site((node.key,)), shared or _inexact(graph, node))
    if layer.is_a(*_UPSAMPLINGS):
        behind = graph.sole_consumer(node)
        if behind is None or not _convolves(graph, behind):
            return _Place(Site((node.key,)), "no convolution of stride 1 that keeps the size follows it alone")
        return _Place(Site((node.key, behind.key)), shared)
    return None


def _inexact(graph: Graph, node: Node) -> str:
    config = graph.layer(node).config
    if max(config["dilation_rate"]) > 1:
        return "its kernel is dilated"
    before, after = (_sides(shape, config) for shape in (graph.shape(node.inputs[0]), node.shape))
    exact = config["padding"] == "same" and config.get("output_padding") is None
    if None in (*before, *after):
        exact = exact or tuple(config["kernel_size"]) == tuple(config["strides"])
    else:
        exact = all(new == old * step for old, new, step in zip(before, after, config["strides"], strict=True))
    return "" if exact else "its map is not larger by its stride exactly"


def _sides(shape: Sequence[Any], config: Mapping[str, Any]) -> Sequence[Any]:
    return shape[2:] if config["data_format"] == "channels_first" else shape[1:-1]


def _convolves(graph: Graph, node: Node) -> bool:
    """Whether it is an ordinary convolution that keeps height and width, called once."""
    layer = graph.layer(node)
    if not layer.is_a(*PLAIN_CONVOLUTIONS) or len(graph.calls(node.layer)) > 1 or layer.config["groups"] > 1:
        return False
    keeps = layer.config["padding"] == "same" or max(layer.config["kernel_size"]) == 1
    return keeps and max(layer.config["strides"]) == 1 and max(layer.config["dilation_rate"]) == 1


def _turned(graph: Graph, nodes: Sequence[Node], level: str) -> Graph:
    first = graph.layer(nodes[0])
    convolution = graph.layer(nodes[-1])
    rank = len(convolution.config["kernel_size"])
    arguments = {key: convolution.config[key] for key in _SHARED if key in convolution.config}
    if level == "transposed":
        if len(nodes) == 1:
            return graph
        factor = _factor(first)
        kernel = tuple(map(max, convolution.config["kernel_size"], factor))
        arguments |= {"kernel_size": kernel, "strides": factor, "padding": "same"}
        turned = graph.turned(nodes[-1], TRANSPOSED_CONVOLUTIONS[rank - 1], **arguments)
        return graph.edited(layers=[turned]).without([nodes[0]])
    if level == "bilinear" and rank != 2:
        raise NetworkError(
            f"upsampling=bilinear is for maps with height and width, and '{nodes[0].key}' in model '{graph.name}' "
            f"enlarges {rank} {'axis' if rank == 1 else 'axes'}. Use upsampling=nearest, or limit it: "
            "only.upsampling=..."
        )
    if len(nodes) == 2:
        return graph.edited(layers=[first.configured(interpolation=level)] if rank == 2 else [])
    return _interpolated(graph, nodes[0], level, arguments)


def _interpolated(graph: Graph, node: Node, level: str, arguments: Mapping[str, Any]) -> Graph:
    """The graph with an interpolation and a convolution in the place of a transposed convolution."""
    layer = graph.layer(node)
    rank = len(layer.config["kernel_size"])
    factor, kernel = tuple(layer.config["strides"]), tuple(layer.config["kernel_size"])
    convolution = graph.turned(node, PLAIN_CONVOLUTIONS[rank - 1], kernel_size=kernel, padding="same", **arguments)
    size: Any = factor[0] if rank == 1 else factor
    options = {"interpolation": level} if rank == 2 else {}
    options |= {} if rank == 1 else {"data_format": layer.config["data_format"]}
    upsampling = graph.turned(node, _UPSAMPLINGS[rank - 1], weighted=False, size=size, **options)
    name = f"{layer.name}_upsampling"
    enlarging = LayerSpec(name, upsampling.kind, {**upsampling.config, "name": name}, False, wrapper=upsampling.wrapper)
    channel = 1 if layer.config["data_format"] == "channels_first" else len(node.shape) - 1
    sides = [
        graph.shape(node.inputs[0])[channel] if place == channel else side for place, side in enumerate(node.shape)
    ]
    first = Node(name, name, node.inputs, {}, (tuple(sides),))
    return graph.edited(layers=[convolution, enlarging], nodes=[first, node.called_with(first.output)])


def _factor(layer: LayerSpec) -> tuple[int, ...]:
    size = layer.config["size"]
    return tuple(size) if isinstance(size, list | tuple) else (size,)
