"""Losses and metrics of Keras, or at a dotted path, as ``task.loss`` and ``task.metrics`` name them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any

import keras

from ablate.errors import ConfigError, suggestion
from ablate.keras.tasks.task import metric_names, snake_case
from ablate.objects import load_object


def loss_of(entry: Any, logits: bool = False) -> Any:
    """The loss that ``task.loss`` names.

    Args:
        entry: A name of Keras (``"Huber"``, ``"mae"``), a dotted path, or a mapping of it as ``name`` and arguments.
        logits: Whether the network gives logits, which losses that know the difference are told.

    Raises:
        ConfigError: There is none of this name, or it does not take the arguments.
    """
    name, arguments = _parts(entry, "task.loss")
    found = _object(name, "task.loss", keras.losses, "my_package.losses.my_loss")
    takes_logits = "from_logits" in _parameters(found)
    if takes_logits:
        arguments = {"from_logits": logits, **arguments}
    if inspect.isclass(found):
        return _called(found, arguments, "task.loss", name)
    if arguments:
        _bound(found, (None, None), arguments, "task.loss", name)
        wrapped = partial(found, **arguments)
        wrapped.__name__ = getattr(found, "__name__", snake_case(name))  # type: ignore[attr-defined]
        return wrapped
    return found


def metrics_of(entries: Any) -> list[Any]:
    """The metrics that ``task.metrics`` names, fresh ones.

    Args:
        entries: The value of the key: names or dotted paths, or entries by name.

    Raises:
        ConfigError: There is none of a name, or it does not take the arguments.
    """
    named = entries.items() if isinstance(entries, Mapping) else zip(metric_names(entries), entries, strict=True)
    metrics = []
    for own_name, entry in named:
        key = f"task.metrics.{own_name}" if isinstance(entries, Mapping) else "task.metrics"
        name, arguments = _parts(entry, key)
        found = _object(name, key, keras.metrics, "my_package.metrics.my_metric")
        if inspect.isclass(found):
            metrics.append(_called(found, {**arguments, "name": own_name}, key, name))
        else:
            _bound(found, (None, None), arguments, key, name)
            metrics.append(keras.metrics.MeanMetricWrapper(found, name=own_name, **arguments))
    return metrics


def object_faults(settings: Mapping[str, Any], reserved: tuple[str, ...]) -> list[str]:
    """Every fault in ``task.loss`` and ``task.metrics`` that only Keras knows.

    Args:
        settings: The checked section ``task``.
        reserved: Names that a metric must not have, since the task measures them itself.
    """
    faults = []
    if settings["loss"] is not None:
        try:
            loss_of(settings["loss"])
        except ConfigError as error:
            faults.append(str(error))
    try:
        metrics_of(settings["metrics"])
    except ConfigError as error:
        faults.append(str(error))
    names = metric_names(settings["metrics"])
    faults += [
        f"task.metrics: the task measures '{name}' itself. Give yours another name: {{my_{name}: {{name: ...}}}}."
        for name in names
        if name in reserved
    ]
    faults += [f"task.metrics: '{name}' is there twice." for name in dict.fromkeys(names) if names.count(name) > 1]
    return faults


def _parts(entry: Any, key: str) -> tuple[str, dict[str, Any]]:
    if isinstance(entry, str):
        return entry, {}
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise ConfigError(
            f"{key}={entry}: must be a name, or a mapping with a 'name', such as {{name: AUC, curve: PR}}."
        )
    return entry["name"], {name: value for name, value in entry.items() if name != "name"}


def _object(name: str, key: str, module: Any, example: str) -> Any:
    """A loss or metric by its name in Keras in any spelling, or by its path."""
    if "." in name:
        found = load_object(name, key, example)
        if not callable(found):
            raise ConfigError(f"{key}={name}: must be a class or a function, not {type(found).__name__}.")
        return found
    public = {one: getattr(module, one) for one in dir(module) if not one.startswith("_")}
    public = {
        one: value
        for one, value in public.items()
        if callable(value) and one not in ("get", "serialize", "deserialize", "Metric", "Loss")
    }
    if name in public:
        return public[name]
    # Such as "mae", which Keras knows by a table of its own.
    try:
        found = module.get(name)
    except ValueError:
        raise ConfigError(
            f"{key}={name}: must be a dotted path, or one of {', '.join(sorted(public))}.{suggestion(name, public)}"
        ) from None
    return found if inspect.isfunction(found) else type(found)


def _parameters(found: Any) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(found).parameters
    except (TypeError, ValueError):
        return {}


def _called(kind: Any, arguments: Mapping[str, Any], key: str, name: str) -> Any:
    try:
        return kind(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{key}: {name} {error}") from error


def _bound(function: Any, positional: tuple[Any, ...], arguments: Mapping[str, Any], key: str, name: str) -> None:
    try:
        inspect.signature(function).bind(*positional, **arguments)
    except TypeError as error:
        raise ConfigError(f"{key}: {name} {error}.") from error
