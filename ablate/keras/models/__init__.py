"""Networks in their full form, built from the ``model`` node of a configuration.

Every network of ours, and every one of `keras.applications`, ends in a softmax: its outputs are probabilities. What a
network of a user ends in, `ablate.keras.outputs` finds out. None of our networks rescales or augments its images: they
come scaled. A user's network may do so.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.errors import NetworkError, suggestion
from ablate.keras.models.application import application, applications, scales_images
from ablate.keras.models.application import least_size as least_application
from ablate.keras.models.builder import REDRAW, built_by, saved
from ablate.keras.models.mini_xception import default_filters, mini_xception
from ablate.keras.models.resnet import resnet
from ablate.keras.models.vgg import vgg
from ablate.study.setting import (
    Rule,
    Setting,
    check_section,
    choice,
    flag,
    list_of,
    mapping,
    number,
    optional,
    text,
    whole,
)

__all__ = ["NETWORKS", "Network", "build", "least_side", "resolve_name", "scales_itself"]


def _integers(empty: bool = False, length: int | None = None) -> Rule:
    """A list of whole numbers."""
    description = f"a list of {'' if length is None else f'{length} '}whole numbers of at least 1"
    ending = "" if empty or length is not None else ", not empty"
    return list_of(whole(1), f"{description}{ending}", length=length, empty=empty)


@dataclass(frozen=True)
class Network:
    """A network that a configuration can name.

    Args:
        build: The function that builds it, called with ``input_shape``, ``classes`` and the keys as keywords.
        rules: What each of its keys may hold.
        unhalved: How many entries of its ``filters`` do not halve the image; ``None`` for networks of others.
        equal_length: Keys whose lists must have the same length.
    """

    build: Callable[..., Any]
    rules: Mapping[str, Rule]
    unhalved: int | None = None
    equal_length: tuple[str, ...] = ()

    def least_size(self, filters: Sequence[int]) -> int:
        """The least height and width of images: one pixel must be left after the last halving.

        Args:
            filters: Channels of the blocks.
        """
        return 1 if self.unhalved is None else int(2 ** (len(filters) - self.unhalved))

    def settings(self) -> dict[str, Setting]:
        """The keys with the defaults of the function."""
        parameters = inspect.signature(self.build).parameters
        required = inspect.Parameter.empty
        return {
            key: Setting(None if parameters[key].default is required else parameters[key].default, rule)
            for key, rule in self.rules.items()
        }


_REGULARISATION = {
    "dropout": number(0, 1, open_high=True),
    "batch_norm_momentum": number(0, 1, open_low=True, open_high=True),
}

NETWORKS: Mapping[str, Network] = {
    "mini_xception": Network(
        mini_xception,
        {"filters": optional(_integers()), "stem": optional(_integers(length=2)), **_REGULARISATION},
        unhalved=0,
    ),
    "vgg": Network(
        vgg,
        {
            "filters": _integers(),
            "convolutions": _integers(),
            "dense": _integers(empty=True),
            **_REGULARISATION,
        },
        unhalved=0,
        equal_length=("filters", "convolutions"),
    ),
    "resnet": Network(
        resnet,
        {"filters": _integers(), "blocks": _integers(), "pre_activation": flag(), **_REGULARISATION},
        unhalved=1,
        equal_length=("filters", "blocks"),
    ),
    "application": Network(application, {"network": text(), "args": optional(mapping())}),
    "saved": Network(saved, {"path": text()}),
    "builder": Network(
        built_by, {"builder": text(), "args": optional(mapping()), "weights": optional(choice((REDRAW,)))}
    ),
}
"""All networks by name."""

_NOT_OF_THE_NETWORK = ("name", "input_shape")


def build(config: Mapping[str, Any], input_shape: tuple[int, int, int], classes: int) -> Any:
    """The network that a configuration names, in its full form.

    Args:
        config: The ``model`` node as a plain mapping: ``name`` (see `resolve_name`) and the keys of that network.
        input_shape: Height, width, channels of the images.
        classes: Number of classes.

    Returns:
        A Keras model, not compiled, whose layer names depend on nothing but the arguments.

    Raises:
        NetworkError: If a name, key or value is wrong (all that are wrong are named), or if the images are too small.
    """
    node = resolve_name(config)
    name = node["name"]
    if name not in NETWORKS:
        known = (*sorted(NETWORKS), *applications())
        near = suggestion(str(name), known)
        raise NetworkError(
            f"model.name={name}: there is no such network. Known: {', '.join(sorted(NETWORKS))}, "
            f"and every network of keras.applications.{near}"
        )
    network = NETWORKS[name]
    keys = {key: value for key, value in node.items() if key not in _NOT_OF_THE_NETWORK}
    values, faults = check_section("model", keys, network.settings())
    faults = faults or _misfits(name, network, values, input_shape)
    if faults:
        raise NetworkError("\n".join(faults))
    return network.build(tuple(input_shape), classes, **values)


def resolve_name(config: Mapping[str, Any]) -> dict[str, Any]:
    """The ``model`` node with the name of one of `NETWORKS`.

    Args:
        config: The node. Its ``name`` may be that of a network of `keras.applications`, or be left out beside
            ``builder`` or ``path``.
    """
    name = config.get("name")
    if name is None:
        name = "builder" if "builder" in config else "saved" if "path" in config else None
    if name in applications():
        return {**config, "name": "application", "network": name}
    return {**config, "name": name}


def least_side(model: Mapping[str, Any], input_shape: tuple[int, int, int]) -> int:
    """The least height and width of the images that a network takes.

    Args:
        model: The ``model`` node as `resolve_name` returns it; what is wrong in it counts as left out.
        input_shape: Height, width, channels of the images at hand.

    Returns:
        Pixels; 1 where that is unknown.
    """
    if model.get("network") in applications():
        return least_application(model["network"])
    network = NETWORKS.get(str(model["name"]))
    if network is None or network.unhalved is None:
        return 1
    keys = {key: model[key] for key in network.rules if key in model}
    values, faults = check_section("model", keys, network.settings())
    return 1 if faults else network.least_size(values["filters"] or default_filters(input_shape))


def scales_itself(model: Mapping[str, Any]) -> bool:
    """Whether a network of ours or of `keras.applications` scales its images itself.

    Args:
        model: The ``model`` node as `resolve_name` returns it.
    """
    return model.get("network") in applications() and scales_images(model["network"], model.get("args"))


def _misfits(name: str, network: Network, values: Mapping[str, Any], input_shape: tuple[int, int, int]) -> list[str]:
    """What is wrong between values that are each allowed."""
    lengths = {key: len(values[key]) for key in network.equal_length}
    if len(set(lengths.values())) > 1:
        counts = " and ".join(f"model.{key} has {length}" for key, length in lengths.items())
        return [f"Lists of one length are needed, one entry a block: {counts}."]
    if network.unhalved is None:
        return []
    filters: Sequence[int] = values["filters"] or default_filters(input_shape)
    least = network.least_size(filters)
    height, width, _ = input_shape
    if min(height, width) >= least:
        return []
    return [
        f"Images of {height}x{width} pixels are too small for {name} with {len(filters)} entries in model.filters: "
        f"at least {least}x{least} are needed. Use larger images or fewer filters."
    ]
