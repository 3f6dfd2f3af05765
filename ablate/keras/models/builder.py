"""Networks that the user brings: from a function, or from a file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ablate.errors import NetworkError, suggestion
from ablate.formatting import listing
from ablate.keras.fresh_names import with_fresh_names
from ablate.keras.initial_weights import layers_with_loaded_weights, leaf_layers, undecided_variables
from ablate.keras.models.network import Network
from ablate.keras.models.signature import ModelSignature
from ablate.objects import load_object
from ablate.study.setting import choice, mapping, optional, text

REDRAW = "redraw"
"""The value of ``model.weights`` by which a user accepts that loaded weights are not used."""

_WITHOUT_LOADED_WEIGHTS: set[str] = set()
"""Functions and their arguments that were found to load no weights; finding out takes as long as drawing them."""


def built_by(
    signature: ModelSignature,
    *,
    builder: str,
    args: Mapping[str, Any] | None = None,
    weights: str | None = None,
) -> Any:
    """The network that a user's function builds.

    Args:
        signature: What it is to take and to give. Where the function has an argument of one of these names, it is given
            ``signature`` itself, its ``input_shape``, its ``outputs`` as ``classes``, and its ``vocabulary_size``.
        builder: Dotted path of the function.
        args: Its further arguments; they win over those above.
        weights: ``"redraw"`` where every run may replace weights that the function loads by freshly drawn ones.

    Returns:
        The Keras model that the function returned.

    Raises:
        ConfigError: If there is no such function.
        NetworkError: If the function does not take the arguments, fails, returns no Keras model, or one whose weights
            it loaded, which no run would use.
    """
    function = load_object(builder, "model.builder", "my_package.nets.make")
    if not callable(function):
        raise NetworkError(f"model.builder={builder}: must be a function, not {type(function).__name__}.")
    arguments = dict(args or {})
    parameters = inspect.signature(function).parameters
    named = [name for name, one in parameters.items() if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    for_any = {"input_shape": signature.input_shape, "classes": signature.outputs}
    automatic = {**for_any, "vocabulary_size": signature.vocabulary_size, "signature": signature}
    call = {name: automatic[name] for name in automatic if name in named or (takes_any and name in for_any)} | arguments
    faults = [] if takes_any else unknown_arguments(builder, arguments, named)
    faults += [
        f"{builder} needs an argument '{name}': give model.args.{name}."
        for name in named
        if parameters[name].default is inspect.Parameter.empty and name not in call
    ]
    if faults:
        raise NetworkError("\n".join(faults))
    try:
        model = with_fresh_names(lambda: function(**call))
    except Exception as error:
        raise NetworkError(f"model.builder={builder} failed: {type(error).__name__}: {error}") from error
    if not isinstance(model, keras.Model):
        raise NetworkError(f"model.builder={builder} must return a Keras model, not {type(model).__name__}.")
    key = repr((builder, call))
    if weights != REDRAW and key not in _WITHOUT_LOADED_WEIGHTS:
        _refuse_loaded_weights(builder, model, lambda: function(**call))
        _WITHOUT_LOADED_WEIGHTS.add(key)
    return model


def _refuse_loaded_weights(builder: str, model: Any, build: Callable[[], Any]) -> None:
    if layers := _loaded_layers(model, build):
        raise NetworkError(
            f"model.builder={builder} loads or sets weights, in {listing(layers, 5)}. Every run starts from freshly "
            f"drawn weights, so these would be lost: model.weights={REDRAW} accepts that. To start from them, train in "
            "a script of your own with `ablate.run`."
        )


def _loaded_layers(model: Any, build: Callable[[], Any]) -> list[str]:
    """Paths of the layers whose weights are not freshly drawn."""
    loaded, undecided = layers_with_loaded_weights(model)
    if loaded or not undecided:
        return loaded
    # Where no initialiser is at hand that could draw the same again, fresh weights differ from build to build.
    first = dict(leaf_layers(model))
    second = dict(leaf_layers(with_fresh_names(build)))
    return [
        path
        for path in undecided
        if path in second
        and first[path] is not second[path]
        and any(
            np.ptp(one) > 0 and np.array_equal(one, other)
            for one, other in zip(undecided_variables(first[path]), undecided_variables(second[path]), strict=False)
        )
    ]


def unknown_arguments(function: str, arguments: Mapping[str, Any], allowed: Sequence[str]) -> list[str]:
    """A sentence for each of ``model.args`` that a function does not take.

    Args:
        function: Its name.
        arguments: By name.
        allowed: Names of the arguments that it takes.
    """
    return [
        f"model.args.{name}: {function} takes no argument '{name}'. "
        f"It takes: {', '.join(allowed) or 'none'}.{suggestion(name, allowed)}"
        for name in arguments
        if name not in allowed
    ]


def saved(signature: ModelSignature, *, path: str) -> Any:
    """The network in a file that Keras wrote; its weights are not used, since every run starts from its own.

    The file may come from elsewhere: Keras refuses code in it, as ``Lambda`` layers hold.

    Args:
        signature: What it is to take and to give; the file decides what it does.
        path: A ``.keras`` file, or an ``.h5`` file of an older Keras.

    Returns:
        The model, not compiled.

    Raises:
        NetworkError: If there is no such file, or if Keras cannot build the network in it.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise NetworkError(f"model.path={path}: there is no such file.")
    try:
        return keras.models.load_model(file, compile=False, safe_mode=True)
    except Exception as error:
        raise NetworkError(
            f"model.path={path}: Keras cannot read it: {error} A network with layers of your own needs "
            "@keras.saving.register_keras_serializable() on their classes, imported by the module of model.builder."
        ) from error


BUILDER = Network(built_by, {"builder": text(), "args": optional(mapping()), "weights": optional(choice((REDRAW,)))})
SAVED = Network(saved, {"path": text()})
