"""Models of a class of the user's: built anew from a graph, with the same class, arguments and attributes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

import keras

from ablate.errors import NetworkError

_TRAINING = (
    "train_step test_step compute_loss compute_metrics compute_loss_and_updates metrics get_metrics_result "
    "reset_metrics compile"
).split()
"""What a class may define to be trained in its own way."""


class CreatedByClass:
    """Stands for an attribute that is no plain value, such as a metric: the constructor has to create it."""


def own_attributes(model: Any) -> dict[str, Any]:
    """The attributes that a model has beyond those of every functional model.

    Args:
        model: A functional or Sequential model.

    Returns:
        Plain values by name, `CreatedByClass` in the place of others.
    """
    if type(model).__module__.split(".")[0] == "keras" and type(model).__name__ in ("Functional", "Sequential"):
        return {}
    return {
        name: value if _is_plain(value) else CreatedByClass
        for name, value in vars(model).items()
        if name not in _attributes_of_keras()
    }


def own_training(kind: type) -> list[str]:
    """What a class of models defines so that it is trained in its own way.

    Args:
        kind: The class.
    """
    own = [base for base in kind.__mro__ if base.__module__.split(".")[0] not in ("keras", "builtins")]
    return sorted({name for base in own for name in _TRAINING if name in vars(base)})


def model_of_class(kind: Any, inputs: Any, outputs: Any, name: str, attributes: Mapping[str, Any]) -> Any:
    """A model of a class.

    Arguments of its constructor are the attributes of the same name; the plain ones of all others are assigned
    afterwards. A class that takes no inputs and outputs, and that is trained as any other, becomes `keras.Model`.

    Args:
        kind: The class.
        inputs: Input tensors.
        outputs: Output tensors.
        name: Name of the model.
        attributes: What `own_attributes` returned of the model that was read.

    Raises:
        NetworkError: If it is trained in its own way and cannot be created.
    """
    own = own_training(kind)
    if not own and not _takes_graph(kind):
        return keras.Model(inputs, outputs, name=name)
    try:
        model = _created(kind, inputs, outputs, name, attributes)
    except Exception as error:  # code of the user
        if not own:
            return keras.Model(inputs, outputs, name=name)
        raise NetworkError(
            f"Model '{name}' is a {kind.__name__}, which is trained in its own way ({', '.join(own)}), and a network "
            f"without some ingredient cannot be one: {error} Its constructor must take `inputs` and `outputs` "
            "(`def __init__(self, inputs, outputs, alpha=0.5, **kwargs)`), pass them on, and store each other argument "
            "in an attribute of the same name."
        ) from error
    return model


def _created(kind: Any, inputs: Any, outputs: Any, name: str, attributes: Mapping[str, Any]) -> Any:
    if issubclass(kind, keras.Sequential):
        raise TypeError("A Sequential model is no graph of its own; derive the class from `keras.Model`.")
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    names = [parameter.name for parameter in parameters]
    kinds = [parameter.kind for parameter in parameters]
    by_name = {"inputs", "outputs"} <= set(names)
    in_order = not by_name and inspect.Parameter.VAR_POSITIONAL in kinds
    takes_any = inspect.Parameter.VAR_KEYWORD in kinds
    if not (by_name or in_order or takes_any):
        raise TypeError(f"It takes ({', '.join(names)}).")
    positional: list[Any] = []
    keywords: dict[str, Any] = {} if in_order else {"inputs": inputs, "outputs": outputs}
    if takes_any or "name" in names:
        keywords["name"] = name
    for parameter in parameters:
        key = parameter.name
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional += [inputs, outputs] if in_order else []
            in_order = False
        elif parameter.kind is not parameter.VAR_KEYWORD and key not in keywords:
            value = attributes.get(key, attributes.get(f"_{key}", parameter.default))
            if value is parameter.empty or value is CreatedByClass:
                raise TypeError(f"Its argument '{key}' is not known.")
            if in_order and parameter.kind is not parameter.KEYWORD_ONLY:
                positional.append(value)
            else:
                keywords[key] = value
    model = kind(*positional, **keywords)
    if [id(one) for one in model.outputs] != [id(one) for one in keras.tree.flatten(outputs)]:
        raise TypeError("It builds a graph of its own.")
    model.name = name
    lost = [key for key in attributes if attributes[key] is CreatedByClass and key not in vars(model)]
    if lost:
        raise TypeError(f"Its attribute '{lost[0]}' was not set by its constructor.")
    for key, value in attributes.items():
        if value is not CreatedByClass:
            setattr(model, key, value)
    return model


def _takes_graph(kind: type) -> bool:
    """Whether the class is called with inputs and outputs, as `keras.Model` is."""
    if issubclass(kind, keras.Sequential):
        return False
    names = list(inspect.signature(kind.__init__).parameters)[1:3]  # type: ignore[misc]
    return names in (["inputs", "outputs"], ["args", "kwargs"])


def _is_plain(value: Any) -> bool:
    leaves = keras.tree.flatten(value)
    return all(isinstance(leaf, str | int | float | bool | None) or inspect.isroutine(leaf) for leaf in leaves)


@cache
def _attributes_of_keras() -> frozenset[str]:
    """The names of the attributes of every functional model, compiled ones included."""
    inputs = keras.Input((1,), name="x")
    model = keras.Model(inputs, keras.layers.Identity(name="y")(inputs), name="plain")
    model.compile("sgd", "mse")
    return frozenset(vars(model)) | {"history"}
