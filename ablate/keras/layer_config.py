"""The configuration of a layer, from which it is created again.

Keras writes configurations for files, where a function, a regularizer or an initializer of the user's has no place
unless it is registered. Here nothing leaves the process: what Keras cannot create again from its configuration stands
in it as the object itself, and the new layer gets the same one.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from ablate.keras.fresh_names import with_fresh_names

_OF_ALL_LAYERS = ("name", "trainable", "dtype", "activity_regularizer")
"""Keys that Keras adds to the configuration of every layer."""

_FRAMEWORKS = ("tensorflow", "jax", "torch", "keras")


def layer_config(layer: Any) -> dict[str, Any]:
    """The arguments from which `create_layer` makes an equal layer.

    They are those of ``get_config``, with those that it leaves out as far as Keras recorded them; for a class without
    it, the attributes that are called like the arguments of the constructor, if a layer made from them has the same
    attributes.

    Args:
        layer: A layer or operation.

    Raises:
        NotImplementedError: If its arguments cannot be had.
    """
    try:
        config = _without_tokens(_with_tokens(layer, set()).get_config())
    except NotImplementedError:
        return _constructor_arguments(layer)
    except Exception:  # code of the user; it may not bear what stands for an object
        config = layer.get_config()
    recorded = getattr(getattr(layer, "_auto_config", None), "config", {})
    if type(layer).__module__.split(".")[0] == "keras" or _reads_config(type(layer)):
        return dict(config)
    parameters = inspect.signature(type(layer).__init__).parameters
    return {**{key: value for key, value in recorded.items() if key in parameters}, **config}


def create_layer(kind: Any, config: Mapping[str, Any]) -> Any:
    """A new layer of a class.

    A constructor need not take what Keras says of every layer (``def __init__(self, units)``): name and trainability
    are set afterwards, and number formats hold while the layer is created.

    Args:
        kind: The class.
        config: What `layer_config` returned, some of its values changed or not.
    """
    arguments = _copied(config)
    rest = {key: arguments.pop(key) for key in _OF_ALL_LAYERS if key in arguments and not _takes(kind, key)}
    with number_format(rest.get("dtype")):
        layer = kind.from_config(arguments)
    for key, value in rest.items():
        if key in ("name", "trainable"):
            setattr(layer, key, value)
        elif key == "activity_regularizer":
            layer.activity_regularizer = keras.regularizers.get(value)
    return layer


def how_to_copy(kind: type) -> str:
    """What to do about a layer that cannot be copied, as a sentence.

    Args:
        kind: Its class.
    """
    if kind.__module__.split(".")[0] == "keras":
        return (
            "Put @keras.saving.register_keras_serializable() on the functions and classes of yours that it was given, "
            "and write `get_config` in the classes."
        )
    return (
        f"Write `get_config` in {kind.__name__} so that it returns all arguments of its constructor, or store each "
        "argument as it is in an attribute of the same name."
    )


def _takes(kind: Any, key: str) -> bool:
    if _reads_config(kind):
        return True
    parameters = inspect.signature(kind.__init__).parameters
    return key in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values())


def _reads_config(kind: Any) -> bool:
    """Whether a ``from_config`` that is not Keras's reads its configuration, which may then be another one."""
    return str(getattr(kind.from_config, "__module__", "")).split(".")[0] != "keras"


@contextmanager
def number_format(dtype: Any) -> Iterator[None]:
    """Within it, layers are created in a number format.

    Args:
        dtype: Keras's policy or its name; None leaves it as it is.
    """
    if dtype is None:
        yield
        return
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(keras.dtype_policies.get(dtype))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _copied(structure: Any) -> Any:
    """Dictionaries, lists and tuples anew, with the same values: a constructor may change what it is given."""
    if isinstance(structure, Mapping):
        return {key: _copied(value) for key, value in structure.items()}
    if type(structure) in (list, tuple):
        return type(structure)(_copied(value) for value in structure)
    return structure


@keras.saving.register_keras_serializable("ablate", "object")
class _Token:
    """Stands for an object while Keras writes a configuration, and gives it back when Keras reads it."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.__name__ = getattr(value, "__name__", type(value).__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.value(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {"token": _TokenReference(self)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        return config["value"]


class _TokenReference(str):
    """A text, so that Keras lets it pass."""

    token: _Token

    def __new__(cls, token: _Token) -> _TokenReference:
        reference = super().__new__(cls, token.__name__)
        reference.token = token
        return reference


def _without_tokens(config: Any) -> Any:
    """The configuration with the objects for which tokens stand; a mapping for each is what Keras reads."""
    if isinstance(config, _Token):
        return config.value
    if isinstance(config, Mapping):
        inner = config.get("config")
        if isinstance(inner, Mapping) and isinstance(reference := inner.get("token"), _TokenReference):
            token = reference.token
            return {**config, "class_name": token.__name__, "config": {"value": token.value}}
        return {key: _without_tokens(value) for key, value in config.items()}
    if type(config) in (list, tuple):
        return type(config)(_without_tokens(value) for value in config)
    return config


def _with_tokens(layer: Any, seen: set[int]) -> Any:
    """The layer, or a stand-in with tokens for what Keras cannot create again, in the layers within it too."""
    seen.add(id(layer))
    changed: dict[str, Any] = {}
    for name, value in list(vars(layer).items()):
        if isinstance(value, keras.Layer):
            new = value if id(value) in seen else _with_tokens(value, seen)
        elif callable(value) and not inspect.isclass(value) and not callable(getattr(type(layer), name, None)):
            new = _standard(value)
        else:
            continue
        if new is not value:
            changed[name] = new
    if not changed:
        return layer
    # Not by its constructor; the layer itself stays as it is.
    stand_in = object.__new__(type(layer))
    vars(stand_in).update(vars(layer))
    vars(stand_in).update(changed)
    return stand_in


def _standard(value: Any) -> Any:
    """The object itself if Keras can create it again, Keras's own function if it is the same, or else a token."""
    if _can_be_created_again(value):
        return value
    if str(getattr(value, "__module__", "")).split(".")[0] in _FRAMEWORKS:
        x = np.linspace(-8, 8, 96, dtype="float32").reshape(8, 12)
        try:
            known = keras.activations.get(value.__name__)
            given, expected = (keras.ops.convert_to_numpy(function(x)) for function in (value, known))
            if np.allclose(given, expected, atol=1e-6):
                return known
        except Exception:  # no name, no function of that name, or one that takes something else
            return _Token(value)
    return _Token(value)


def _can_be_created_again(value: Any) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns of lambdas
            again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(value))
        if again is value:
            return True
        if type(again) is not type(value) or inspect.isroutine(value):
            return False
        of_keras = type(value).__module__.split(".")[0] == "keras"
        return of_keras or _are_equal(vars(again), vars(value))
    except Exception:  # whatever Keras, or code of the user, raises
        return False


def _constructor_arguments(layer: Any) -> dict[str, Any]:
    """The attributes that are called like the arguments of the constructor, as `layer_config` says."""
    kind = type(layer)
    config: dict[str, Any] = {"name": layer.name}
    if isinstance(layer, keras.Layer):
        config |= {"trainable": layer.trainable, "dtype": keras.dtype_policies.serialize(layer.dtype_policy)}
    arguments: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(kind.__init__).parameters.items())[1:]:
        if parameter.kind is parameter.VAR_KEYWORD or name in config:
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY) or name not in vars(layer):
            raise NotImplementedError(f"The argument '{name}' of {kind.__name__} is not known.")
        arguments[name] = vars(layer)[name]
    if any(isinstance(value, keras.Layer | keras.Variable) for value in keras.tree.flatten(arguments)):
        raise NotImplementedError(f"An argument of {kind.__name__} is a layer.")
    config |= arguments
    again = _attempt(lambda: create_layer(kind, config))
    # A constructor that changes an argument before it is stored would change it twice.
    if again is None or not all(_are_equal(getattr(again, name, None), arguments[name]) for name in arguments):
        raise NotImplementedError(f"A {kind.__name__} made from its attributes is another one.")
    return config


def _attempt(build: Callable[[], Any]) -> Any:
    try:
        return with_fresh_names(build)  # the names of layers made later must not count this one
    except Exception:
        return None


def _are_equal(one: Any, other: Any) -> bool:
    if one is other:
        return True
    try:
        return type(one) is type(other) and bool(np.all(one == other))
    except Exception:  # no arrays of the same shape, or objects that cannot be compared
        return False
