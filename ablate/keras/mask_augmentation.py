"""Random changes of images that move their masks by the same draw.

A random layer in a network sees the image alone. Those right behind the input are taken out of the network that is
trained and applied to image and mask together, in front of each step of training.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras

from ablate.errors import NetworkError
from ablate.formatting import listing
from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node
from ablate.keras.graph_reader import graph_of
from ablate.keras.graph_writer import model_of
from ablate.keras.layer_spec import LayerSpec
from ablate.keras.layer_state import carry_over

_MOVING = ("RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "RandomShear")
"""Layers of Keras that move pixels and can move a mask in the same way."""
_COLOURING = (
    *("RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomErasing"),
    *("RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPosterization", "RandomSaturation"),
    "RandomSharpness",
)
"""Those that leave every pixel in its place."""
_VALUES = 256


class MaskAugmentation:
    """Applies random layers to images and masks together.

    Args:
        model: A model of random layers in a row, from images to images.
        void: What pixels are that come from beyond the border of an image, where it is filled with a constant.
    """

    def __init__(self, model: Any, void: int) -> None:
        self.model = model
        self._layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
        self._void = void

    def __call__(self, images: Any, masks: Any) -> tuple[Any, Any]:
        """Images and masks after the same random change.

        Args:
            images: (batch, height, width, channels), 32 bits.
            masks: (batch, height, width), bytes.
        """
        images = keras.ops.convert_to_tensor(images)
        moved = keras.ops.cast(masks, "float32")[..., None]
        for layer in self._layers:
            if type(layer).__name__ in _COLOURING:
                images = layer(images, training=True)
                continue
            # So that the constant which fills the image stands for void in the mask.
            shift = 0
            if getattr(layer, "fill_mode", None) == "constant":
                shift = round(layer.fill_value) - self._void
            moved = keras.ops.mod(moved + shift, _VALUES)
            both = layer({"images": images, "segmentation_masks": moved}, training=True)
            images, moved = both["images"], keras.ops.mod(both["segmentation_masks"] - shift, _VALUES)
        return images, keras.ops.cast(keras.ops.round(moved[..., 0]), masks.dtype)


def split_augmentation(model: Any, void: int | None) -> tuple[MaskAugmentation | None, Any]:
    """A network without the random layers right behind its input, and these layers.

    Args:
        model: The network of a cell, with one input.
        void: The label of pixels that belong to no class; None where there is none, and 255 is used.

    Returns:
        The layers, or None where no layer moves pixels, and the network.

    Raises:
        NetworkError: A random layer elsewhere moves pixels, or one cannot move masks. All of them are named.
    """
    graph = graph_of(model)
    random = [node for node in graph.nodes.values() if _is_random(graph.layer(node))]
    if all(graph.layer(node).kind.__name__ in _COLOURING for node in random):
        return None, model
    chain = _behind_input(graph)
    others = [
        f"{node.layer} ({graph.layer(node).kind.__name__})"
        for node in random
        if graph.layer(node).kind.__name__ not in (*_MOVING, *_COLOURING)
        or (graph.layer(node).kind.__name__ in _MOVING and node not in chain)
    ]
    if others:
        raise NetworkError(
            f"Model '{model.name}' has random layers that would change images and not their masks: "
            f"{listing(others, 5)}. Right behind the input {', '.join(_MOVING)} move both by the same draw. Take "
            "others out: augmentation=false."
        )
    layers = carry_over(model, model_of(replace(graph, name=f"{graph.name}_augmentation", outputs=chain[-1].output)))
    return MaskAugmentation(layers, 255 if void is None else void), carry_over(model, model_of(graph.without(chain)))


def _is_random(layer: LayerSpec) -> bool:
    return ".preprocessing." in layer.kind.__module__ and layer.kind.__name__.startswith(
        ("Random", "Rand", "AugMix", "Mix", "Cut")
    )


def _behind_input(graph: Graph) -> list[Node]:
    """The random layers in a row that directly follow the input."""
    (node,) = [one for one in graph.nodes.values() if not one.inputs]
    chain: list[Node] = []
    while (after := graph.sole_consumer(node)) is not None and _is_random(graph.layer(after)):
        chain.append(after)
        node = after
    return chain
