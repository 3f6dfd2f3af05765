"""The user's Keras callbacks: checked, and created from the config."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from ablate.errors import ConfigError, suggestion
from ablate.objects import load_object

_BATCH_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


def callback_faults(config: Mapping[str, Any], *, scheduled: bool) -> list[str]:
    """Every fault in ``train.callbacks``.

    Args:
        config: ``{any_name: {name: ReduceLROnPlateau or dotted.path, and its arguments}}``.
        scheduled: Whether a schedule already sets the learning rate.
    """
    faults = []
    for key, entry in config.items():
        where = f"train.callbacks.{key}"
        if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
            faults.append(f"{where}={entry}: must be a mapping with a 'name', such as {{name: ReduceLROnPlateau}}.")
            continue
        name = entry["name"]
        try:
            kind = _callback_class(name, f"{where}.name")
        except ConfigError as error:
            faults.append(str(error))
            continue
        try:
            inspect.signature(kind).bind(**_arguments(entry))
        except TypeError as error:
            faults.append(f"{where}: {name} {error}.")
        if scheduled and kind in (keras.callbacks.ReduceLROnPlateau, keras.callbacks.LearningRateScheduler):
            faults.append(f"{where}: {name} sets the learning rate, so train.schedule must be constant.")
    return faults


def make_callbacks(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The callbacks by key.

    Args:
        config: The checked ``train.callbacks``.
        folder: Replaces ``{run}`` in their text arguments, so that no run overwrites another's files.
    """
    callbacks = {}
    for key, entry in config.items():
        arguments = {
            name: value.replace("{run}", str(folder)) if isinstance(value, str) else value
            for name, value in _arguments(entry).items()
        }
        callbacks[key] = _callback_class(entry["name"])(**arguments)
    return callbacks


def watches_batches(config: Mapping[str, Any]) -> bool:
    """Whether a callback overrides a hook of batches, so that it must be called at every single one."""
    base = keras.callbacks.Callback
    return any(
        getattr(_callback_class(entry["name"]), hook, None) is not getattr(base, hook)
        for entry in config.values()
        for hook in _BATCH_HOOKS
    )


def _arguments(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "name"}


def _callback_class(name: str, key: str = "") -> Any:
    """The class of a callback of Keras, or at a dotted path.

    Raises:
        ConfigError: There is none; ``key`` is what the message calls the name.
    """
    if "." in name:
        kind = load_object(name, key, "my_package.callbacks.MyCallback")
        if not (inspect.isclass(kind) and issubclass(kind, keras.callbacks.Callback)):
            raise ConfigError(f"{key}={name}: is not a Keras callback.")
        return kind
    kind = getattr(keras.callbacks, name, None)
    if kind is None:
        known = [name for name, _ in inspect.getmembers(keras.callbacks, inspect.isclass)]
        raise ConfigError(
            f"{key}={name}: must be a dotted path, or one of {', '.join(known)}.{suggestion(name, known)}"
        )
    return kind
