"""Networks in their full form, built from the ``model`` node of a configuration.

What a network is to take and to give a `ModelSignature` says. Every network of ours, and every one of
`keras.applications`, ends in the activation that stands there; what a network of a user ends in, `ablate.keras.outputs`
finds out. None of our networks rescales or augments its images: they come scaled. A user's network may do so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ablate.errors import NetworkError, suggestion
from ablate.keras.models import (
    application,
    builder,
    convnet_1d,
    encoder_decoder,
    lstm,
    mini_xception,
    mlp,
    resnet,
    transformer,
    unet,
    vgg,
    vit,
)
from ablate.keras.models.application import applications, scales_images
from ablate.keras.models.network import Network
from ablate.keras.models.signature import InputForm, ModelSignature
from ablate.study.setting import check_section

__all__ = ["NETWORKS", "InputForm", "ModelSignature", "Network", "build", "least_side", "resolve_name", "scales_itself"]

NETWORKS: Mapping[str, Network] = {
    "mini_xception": mini_xception.NETWORK,
    "vgg": vgg.NETWORK,
    "resnet": resnet.NETWORK,
    "vit": vit.NETWORK,
    "unet": unet.NETWORK,
    "encoder_decoder": encoder_decoder.NETWORK,
    "transformer": transformer.NETWORK,
    "convnet_1d": convnet_1d.NETWORK,
    "lstm": lstm.NETWORK,
    "mlp": mlp.NETWORK,
    "application": application.NETWORK,
    "saved": builder.SAVED,
    "builder": builder.BUILDER,
}
"""All networks by name."""

_NOT_OF_THE_NETWORK = ("name", "input_shape")


def build(config: Mapping[str, Any], signature: ModelSignature) -> Any:
    """The network that a configuration names, in its full form.

    Args:
        config: The ``model`` node as a plain mapping: ``name`` (see `resolve_name`) and the keys of that network.
        signature: What it is to take and to give.

    Returns:
        A Keras model, not compiled, whose layer names depend on nothing but the arguments.

    Raises:
        NetworkError: If a name, key or value is wrong (all that are wrong are named), or if the network does not take
            such examples or give such predictions.
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
    faults = faults or network.faults(name, values, signature)
    if faults:
        raise NetworkError("\n".join(faults))
    return network.build(signature, **values)


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
        return application.least_size(model["network"])
    network = NETWORKS.get(str(model["name"]))
    if network is None or network.halvings is None:
        return 1
    keys = {key: model[key] for key in network.rules if key in model}
    values, faults = check_section("model", keys, network.settings())
    return 1 if faults else network.least_side(values, input_shape)


def scales_itself(model: Mapping[str, Any]) -> bool:
    """Whether a network of ours or of `keras.applications` scales its images itself.

    Args:
        model: The ``model`` node as `resolve_name` returns it.
    """
    return model.get("network") in applications() and scales_images(model["network"], model.get("args"))
