"""Which range of pixel values a network expects: read off the scaling that it begins with.

Networks of books and of keras.io often begin with a layer such as ``Rescaling(1/255)``, an adapted `Normalization`, or
operations that subtract means and divide. What stands between the input and the first layer with weights of its own is
computed on grey images of a few shades: what comes out shows which shades it was made for, whatever the classes of its
layers are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from keras import ops

from ablate.errors import ConfigError
from ablate.keras.graph import Graph
from ablate.keras.graph_node import Node, Tensor, substituted, tensors_in
from ablate.keras.graph_reader import graph_of
from ablate.keras.initial_weights import sublayers
from ablate.keras.layer_spec import LayerSpec

BYTES, UNIT = "0 to 255", "0 to 1"
"""The ranges of pixel values that a network may expect."""

_FED = {"none": f"values of {BYTES}", "unit": f"values of {UNIT}", "standard": "values of mean 0 and deviation 1"}
_SHADES = np.array([0, 1, 64, 255], "float32")
_TOLERANCE = 0.02
_MOST_NUMBERS = 10
"""That a layer of the user may hold to scale by channel: means, deviations and their counts of four channels."""


@dataclass(frozen=True)
class InputScaling:
    """How a network scales its images itself.

    Args:
        expects: `BYTES` or `UNIT`; None where it is not known to scale them.
        certain: Whether nothing else makes sense; otherwise `expects` is a guess.
        layers: Names of the layers and operations that scale, ``outer/inner`` within a nested model.
        unknown: Names of functions of the user right behind the input whose effect is no scaling.
        ranges: The largest value that random layers in front of any scaling are made for, by name (``value_range``).
    """

    expects: str | None
    certain: bool
    layers: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    ranges: Mapping[str, float] = field(default_factory=dict)


def input_scaling(model: Any, image_shape: Sequence[int]) -> InputScaling:
    """How a network scales its images itself.

    Args:
        model: A functional or Sequential model with one input.
        image_shape: Height, width and channels, where the model leaves them open.

    Returns:
        What it expects. Batch normalization is no such scaling: it learns.

    Raises:
        NetworkError: If the model has no graph.
    """
    graph = graph_of(model)
    (image,) = tensors_in(graph.inputs)
    config = graph.layer(image.node).config
    sides = [size if side is None else side for side, size in zip(config["batch_shape"][1:], image_shape, strict=True)]
    shades = np.broadcast_to(_SHADES.reshape(-1, *[1] * len(sides)), (len(_SHADES), *sides))
    front = _Front()
    front.compute(graph, {image: shades}, "")
    dtype = config.get("dtype") or "float32"
    if not isinstance(dtype, str):  # a policy
        dtype = getattr(dtype, "name", None) or dtype.get("config", {}).get("name", "float32")
    if "int" in dtype:
        return InputScaling(BYTES, True, (image.node,), ranges=front.ranges)
    expected = {_expected(values) for values in front.ends} - {None}
    unknown = tuple(dict.fromkeys(front.unknown))
    if not expected:
        return InputScaling(None, not unknown, unknown=unknown, ranges=front.ranges)
    ranges = {one[0] for one in expected if one is not None}
    certain = len(ranges) == 1 and all(one[1] for one in expected if one is not None)
    expects = BYTES if BYTES in ranges else UNIT
    return InputScaling(expects, certain, tuple(dict.fromkeys(front.layers)), unknown, front.ranges)


def scaling_notes(scaling: InputScaling, chosen: str) -> list[str]:
    """What to say about a network that scales its images itself.

    Args:
        scaling: How it does so.
        chosen: ``data.scaling``.

    Returns:
        A sentence where something was decided for the user, or was guessed.

    Raises:
        ConfigError: If the images would certainly be scaled twice, or come in a range that the network cannot take.
    """
    return [*_range_notes(scaling, chosen), *_scaling_notes(scaling, chosen)]


def _range_notes(scaling: InputScaling, chosen: str) -> list[str]:
    """A sentence for random layers that are made for another range than that of the images."""
    if chosen == "standard":
        return []
    gets_bytes = chosen == "none" or (chosen == "auto" and scaling.expects == BYTES)
    top, fed, other = (255, BYTES, "unit") if gets_bytes else (1, UNIT, "none")
    misfits = [name for name, largest in scaling.ranges.items() if largest != top and largest in (1, 255)]
    if not misfits:
        return []
    return [
        f"The value_range of {', '.join(misfits)} ends at {scaling.ranges[misfits[0]]:g}, whereas the images come as "
        f"values of {fed}: set value_range=(0, {top}) in the network, or data.scaling={other}."
    ]


def _scaling_notes(scaling: InputScaling, chosen: str) -> list[str]:
    names = f"{'layer' if len(scaling.layers) == 1 else 'layers'} {', '.join(scaling.layers)}"
    if scaling.expects is None:
        if scaling.certain or chosen != "auto":
            return []
        return [
            f"What {', '.join(scaling.unknown)} does to the images cannot be told; they come to the network as values "
            f"of {UNIT}. If it expects {BYTES}, set data.scaling=none; data.scaling=unit confirms this."
        ]
    right = "none" if scaling.expects == BYTES else "unit"
    if chosen == right or (chosen == "auto" and right == "unit" and scaling.certain):
        return []
    if chosen != "auto" and scaling.certain:
        raise ConfigError(
            f"data.scaling={chosen}: the network scales its images itself ({names}) and expects values of "
            f"{scaling.expects}, so they would be scaled twice. Leave data.scaling at auto, or set it to {right}."
        )
    fed = f"values of {scaling.expects}" if chosen == "auto" else _FED[chosen]
    if scaling.certain:
        return [f"The network scales its images itself ({names}), so they come as {fed} (data.scaling=none)."]
    other = "unit" if right == "none" else "none"
    return [
        f"The network changes the range of its images itself ({names}) and seems to expect values of "
        f"{scaling.expects}; it gets {fed}. data.scaling={other} or data.scaling={right} decides."
    ]


@dataclass
class _Front:
    """What a network does to grey images before its first layer with weights.

    Args:
        ends: For each tensor that another kind of layer takes, its values for the grey images.
        layers: What changes the values.
        unknown: Functions of the user that are no scaling, and that take the images as they come.
        ranges: As in `InputScaling`.
    """

    ends: list[np.ndarray] = field(default_factory=list)
    layers: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    ranges: dict[str, float] = field(default_factory=dict)

    def compute(self, graph: Graph, values: Mapping[Tensor, np.ndarray], prefix: str) -> dict[Tensor, np.ndarray]:
        """Goes on from tensors whose values are known; returns those of all tensors that are scaled images."""
        known = dict(values)
        for node in graph.nodes.values():
            inputs = [known[tensor] for tensor in node.inputs if tensor in known]
            if not inputs:
                continue
            layer = graph.layer(node)
            if len(inputs) < len(node.inputs):
                self.ends += inputs
            elif layer.inner is not None and layer.wrapper is None:
                bound = dict(zip(tensors_in(layer.inner.inputs), inputs, strict=True))
                inner = self.compute(layer.inner, bound, f"{prefix}{layer.name}/")
                for position, tensor in enumerate(tensors_in(layer.inner.outputs)):
                    if tensor in inner:
                        known[Tensor(node.key, position)] = inner[tensor]
            elif (output := _computed(layer, node, known)) is not None:
                known[node.output] = output
                made_for = getattr(layer.origin, "value_range", None)
                if made_for is not None and all(_expected(one) is None for one in inputs):
                    self.ranges[f"{prefix}{layer.name}"] = float(made_for[1])
                if not any(_same(output, one) for one in inputs):
                    self.layers.append(f"{prefix}{layer.name}")
            else:
                self.ends += inputs
                own = not layer.is_of_keras() or layer.is_a("Lambda")
                if own and not layer.weighted and all(_expected(one) is None for one in inputs):
                    self.unknown.append(f"{prefix}{layer.name}")
        return known


def _computed(layer: LayerSpec, node: Node, known: Mapping[Tensor, np.ndarray]) -> np.ndarray | None:
    """The output for the grey images, if each number of it is a shade times a factor plus an offset."""
    origin = layer.origin
    if origin is None or layer.is_a("BatchNormalization"):
        return None
    if layer.weighted and not layer.is_a("Normalization") and not _holds_means(layer):
        return None
    try:
        # One by one: the function of a user may compute with all images of a batch.
        values = np.concatenate([_called(origin, node, known, place) for place in range(len(_SHADES))])
    except Exception:  # a function of the user, or a layer without values for its weights
        return None
    if len(values) != len(_SHADES) or not np.isfinite(values).all():
        return None
    factor, offset = _line(values)
    shape = (-1, *[1] * (values.ndim - 1))
    is_line = np.allclose(values, factor * _SHADES.reshape(shape) + offset, rtol=1e-2, atol=1e-2 * np.abs(factor).max())
    return values if is_line and np.any(factor) else None


def _holds_means(layer: LayerSpec) -> bool:
    """Whether the variables of a user's layer can be means and deviations by channel: few, and not for training."""
    origin = layer.origin
    made_for_training = any(part._trainable_variables for part in sublayers(origin))
    numbers = sum(int(np.prod(one.shape)) for one in origin.weights)
    return not layer.is_of_keras() and not made_for_training and numbers <= _MOST_NUMBERS


def _called(origin: Any, node: Node, known: Mapping[Tensor, np.ndarray], place: int) -> np.ndarray:
    """The output for one of the grey images."""
    tensors = {tensor: ops.convert_to_tensor(known[tensor][place : place + 1]) for tensor in node.inputs}
    args, kwargs = substituted((node.args, dict(node.kwargs)), tensors)
    if "training" in kwargs:
        kwargs["training"] = False  # what changes images at random does not scale them
    return np.asarray(ops.convert_to_numpy(ops.cast(origin(*args, **kwargs), "float32")))


def _line(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By what each number is multiplied, and what is added to it."""
    return (values[-1] - values[0]) / 255, values[0]


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether the values have the same range; their shapes may differ."""
    first, second = ([values.min(), values.max()] for values in (one, other))
    return bool(np.allclose(first, second, rtol=_TOLERANCE, atol=_TOLERANCE))


def _expected(values: np.ndarray) -> tuple[str, bool] | None:
    """The range of pixel values for which these outputs make sense, and whether no other does; None if not scaled."""
    factor, offset = _line(values)
    counts = np.abs(factor) > 0  # a margin of zeros does not
    factor, offset = factor[counts], offset[counts]
    if np.allclose(factor, 1, atol=_TOLERANCE) and np.allclose(offset, 0, atol=_TOLERANCE):
        return None
    # The shade that becomes 0, if it is not black: the middle of the range, or the mean of the data.
    middle = float(np.median(-offset / factor))
    size = float(np.abs(factor).max())
    if middle > 1:
        return BYTES, True
    if middle > 0.05 and size >= 0.5:
        return UNIT, True
    if abs(middle) <= 0.05 and size <= 1 / 64:
        return BYTES, True
    if abs(middle) <= 0.05 and size >= 2:
        return UNIT, True
    # Of both ranges the one that comes out closer to a spread of 2, as from -1 to 1.
    return (BYTES if size < 2 / np.sqrt(255) else UNIT), False
