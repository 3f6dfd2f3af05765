"""The networks of `keras.applications`, with random weights."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import keras

from ablate.errors import NetworkError, suggestion
from ablate.keras.fresh_names import with_fresh_names
from ablate.keras.models.builder import unknown_arguments
from ablate.keras.models.network import Network
from ablate.keras.models.signature import InputForm, ModelSignature
from ablate.study.setting import mapping, optional, text

_FIXED = ("include_top", "weights", "input_tensor", "input_shape", "classes", "classifier_activation", "pooling")


_SCALING_WITHOUT_A_CHOICE = "EfficientNetB"
"""How the names of those networks begin that always scale their images themselves."""


def applications() -> dict[str, Callable[..., Any]]:
    """The functions of `keras.applications` that build a network, by name."""
    members = inspect.getmembers(keras.applications, inspect.isfunction)
    return {name: function for name, function in members if "include_top" in inspect.signature(function).parameters}


def application(signature: ModelSignature, *, network: str, args: Mapping[str, Any] | None = None) -> Any:
    """A network of `keras.applications` with its classifier and random weights; its own scaling is off where it can be.

    Args:
        signature: What it is to take and to give: images whose values are scaled already.
        network: Name in `keras.applications`, ``"ResNet50V2"``.
        args: Further arguments of that function, such as ``{"alpha": 0.5}`` of ``MobileNetV2``.

    Returns:
        A functional model.

    Raises:
        NetworkError: If there is no such network or argument, or if the image is too small for it.
    """
    known = applications()
    if network not in known:
        near = suggestion(network, known) or f" Known: {', '.join(known)}."
        raise NetworkError(f"keras.applications has no network '{network}'.{near}")
    build, arguments = known[network], dict(args or {})
    parameters = inspect.signature(build).parameters
    allowed = [name for name in parameters if name not in _FIXED]
    if faults := unknown_arguments(f"keras.applications.{network}", arguments, allowed):
        raise NetworkError("\n".join(faults))
    if "include_preprocessing" in parameters:
        arguments.setdefault("include_preprocessing", False)
    ending = {"classes": signature.outputs, "classifier_activation": signature.activation}
    try:
        return with_fresh_names(lambda: build(weights=None, input_shape=signature.input_shape, **ending, **arguments))
    except (ValueError, TypeError) as error:
        shape = "x".join(map(str, signature.input_shape))
        raise NetworkError(f"keras.applications.{network} cannot be built for images of {shape}: {error}") from error


def scales_images(network: str, args: Mapping[str, Any] | None = None) -> bool:
    """Whether `application` builds a network that scales its images itself.

    Args:
        network: Name in `keras.applications`.
        args: As for `application`.
    """
    return network.startswith(_SCALING_WITHOUT_A_CHOICE) or bool((args or {}).get("include_preprocessing"))


@cache
def least_size(network: str) -> int:
    """The least height and width of the images that a network takes.

    Args:
        network: Name in `keras.applications`.

    Returns:
        Pixels; 1 where that is unknown.
    """
    # The functions of Keras check the size before they build anything, and name the least one in the message.
    try:
        applications()[network](weights=None, input_shape=(1, 1, 3), classes=2)
    except ValueError as error:
        least = re.search(r"at least (\d+)x\d+", str(error))
        return int(least[1]) if least else 1
    return 1


NETWORK = Network(application, {"network": text(), "args": optional(mapping())}, takes=(InputForm.IMAGES,))
