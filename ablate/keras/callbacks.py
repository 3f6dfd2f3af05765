"""The user's Keras callbacks: made from the config, checked, and kept across an interruption."""

from __future__ import annotations

import base64
import importlib
import inspect
import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cloudpickle
import keras

from ablate.errors import suggestion

__all__ = ["callback_faults", "frozen_state", "make_callbacks", "restore_state", "watches_batches"]

_BATCH_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
_NOT_STATE = {"_model", "_params", "model", "params", "validation_data"}


def callback_faults(config: Mapping[str, Any], *, scheduled: bool) -> list[str]:
    """Every fault in ``train.callbacks``.

    Args:
        config: ``{any_name: {name: ReduceLROnPlateau or dotted.path, and its arguments}}``.
        scheduled: Whether a schedule already sets the learning rate.
    """
    faults = []
    for key, given in config.items():
        where = f"train.callbacks.{key}"
        if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
            faults.append(f"{where}={given}: must be a mapping with a 'name', such as {{name: ReduceLROnPlateau}}.")
            continue
        found = _find(given["name"])
        if isinstance(found, str):
            faults.append(f"{where}.name={given['name']}: {found}")
            continue
        try:
            inspect.signature(found).bind(**_arguments(given))
        except TypeError as error:
            faults.append(f"{where}: {given['name']} {error}.")
        if scheduled and found in (keras.callbacks.ReduceLROnPlateau, keras.callbacks.LearningRateScheduler):
            faults.append(f"{where}: {given['name']} sets the learning rate, so train.schedule must be constant.")
    return faults


def make_callbacks(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The callbacks by key.

    Args:
        config: The checked ``train.callbacks``.
        folder: Replaces ``{run}`` in their text arguments, so that no run overwrites another's files.
    """
    return {
        key: _find(given["name"])(
            **{
                name: value.replace("{run}", str(folder)) if isinstance(value, str) else value
                for name, value in _arguments(given).items()
            }
        )
        for key, given in config.items()
    }


def watches_batches(config: Mapping[str, Any]) -> bool:
    """Whether a callback wants to be called after every batch, not only after a bundle of them."""
    base = keras.callbacks.Callback
    return any(
        getattr(_find(given["name"]), hook, None) is not getattr(base, hook)
        for given in config.values()
        for hook in _BATCH_HOOKS
    )


def frozen_state(callback: Any) -> str | None:
    """What a callback remembers, as text; ``None`` where it holds what cannot be stored, such as an open file."""
    state = {name: value for name, value in vars(callback).items() if name not in _NOT_STATE}
    memory = io.BytesIO()
    try:
        _Pickler(memory).dump(state)
    except Exception:  # whatever a user's object raises, the answer is the same
        return None
    return base64.b64encode(memory.getvalue()).decode()


def restore_state(callback: Any, state: str) -> None:
    """Gives a callback back what it remembered."""
    for name, value in pickle.loads(base64.b64decode(state)).items():
        setattr(callback, name, value)


class _Pickler(cloudpickle.Pickler):
    """Refuses parts of the model: their copies would not be those that are trained."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, keras.Layer | keras.Variable | keras.optimizers.Optimizer):
            raise pickle.PicklingError(f"{type(value).__name__} belongs to the model")
        return super().reducer_override(value)


def _arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key != "name"}


def _find(name: str) -> Any:
    """The class, or a sentence that says why there is none."""
    module, _, attribute = name.rpartition(".")
    if not module:
        known = {
            key: kind
            for key, kind in inspect.getmembers(keras.callbacks, inspect.isclass)
            if issubclass(kind, keras.callbacks.Callback)
        }
        if name in known:
            return known[name]
        return f"must be a dotted path, or one of {', '.join(sorted(known))}.{suggestion(name, known)}"
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ImportError as error:
        return f"cannot be imported ({error})."
    if not (inspect.isclass(found) and issubclass(found, keras.callbacks.Callback)):
        return "is not a Keras callback."
    return found
