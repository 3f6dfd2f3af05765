"""What a network must bear besides being built: steps that report its metrics, and being read from its file again."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import keras
import numpy as np

from ablate.errors import NetworkError
from ablate.formatting import listing
from ablate.keras import device
from ablate.keras.data.batches import ArrayBatches
from ablate.keras.data.dataset import Dataset
from ablate.keras.fresh_names import with_fresh_names
from ablate.keras.graph_reader import graph_of
from ablate.keras.graph_writer import model_of
from ablate.keras.initial_weights import leaf_layers
from ablate.keras.layer_config import how_to_copy
from ablate.keras.layer_state import carry_over
from ablate.keras.model_class import own_training
from ablate.keras.optimization import optimizer
from ablate.keras.tasks import chosen_task

_training_faults: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def refuse_unreported_training(
    model: Any, config: Mapping[str, Any], dataset: Dataset, values: Mapping[str, Any]
) -> None:
    """Refuses a network whose class trains in a way of its own and does not report the metrics of the task.

    A copy of it takes a step of training and one of evaluation, on examples of zeros.

    Args:
        model: The network in its full form; it is left as it is.
        config: The config of the run.
        dataset: Its data.
        values: The checked train section.

    Raises:
        NetworkError: If `metrics` lacks loss or a metric, if a step does not update them, or if it cannot be taken.
    """
    if not own_training(type(model)):
        return
    if model not in _training_faults:
        _training_faults[model] = _training_fault(model, config, dataset, values)
    if _training_faults[model]:
        raise NetworkError(_training_faults[model])


def _training_fault(model: Any, config: Mapping[str, Any], dataset: Dataset, values: Mapping[str, Any]) -> str:
    kind = f"Model '{model.name}' ({type(model).__name__})"
    task, settings = chosen_task(config)
    reported = ("loss", *task.curves)
    copied = with_fresh_names(lambda: carry_over(model, model_of(graph_of(model))))
    shape = [2, *(side or 32 for side in copied.inputs[0].shape[1:])]
    images = np.zeros(shape, "float32")
    try:
        objective = task.objective(copied, dataset, settings, values)
        labels = np.repeat(ArrayBatches(dataset.pool, 2, objective.encoding).encoded_sample(), 2, axis=0)
        copied.compile(optimizer=optimizer(values, 1), loss=objective.loss, metrics=objective.metrics, run_eagerly=True)
        steps = (copied.train_step, copied.test_step) if device.backend_name() == "tensorflow" else ()
        outputs = [2, *(side or 32 for side in copied.outputs[0].shape[1:])]
        copied.compute_metrics(None, labels, np.full(outputs, 0.5, "float32"))
        missing = sorted(set(reported) - set(copied.get_metrics_result()))
        if missing:
            return (
                f"{kind} does not report {' and '.join(missing)}: its `metrics` must contain those of keras.Model: "
                "`return [*super().metrics, self.my_metric]`."
            )
        for step in steps:
            copied.reset_metrics()
            step((keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(labels)))
            idle = [name for name in reported if not _is_updated(copied, name)]
            if idle:
                return (
                    f"{kind} does not update {' and '.join(idle)} in `{step.__name__}`: it must call "
                    "`self.compute_metrics(x, y, y_pred)` after `self.compute_loss(...)` and, for the loss, "
                    "`self._loss_tracker.update_state(loss)`, or have both by `super()`."
                )
    except Exception as error:  # code of the user
        return f"{kind} cannot take a step of training here: {type(error).__name__}: {error}"
    return ""


def _is_updated(model: Any, name: str) -> bool:
    """Whether a metric has seen anything since it was reset."""
    return any(
        np.any(keras.ops.convert_to_numpy(variable))
        for metric in _metrics(model.metrics)
        if metric.name == name
        for variable in metric.variables
    )


def _metrics(metrics: Any) -> Iterator[Any]:
    """Metrics, and those that Keras's collection of compiled metrics holds."""
    for metric in metrics:
        yield metric
        yield from _metrics(getattr(metric, "metrics", ()))


def refuse_unreadable_file(model: Any, values: Mapping[str, Any]) -> None:
    """Refuses to keep (``train.save``) a network that could not be read from its file again.

    Args:
        model: The network of a cell; a sketch of it will do.
        values: The checked train section.

    Raises:
        NetworkError: If Keras cannot write the network, or not read it even when it is given the user's functions and
            classes. All layers are named.
    """
    if not values["save"] or _is_read_again(model, _own_objects(model)):
        return
    faults = []
    for path, layer in leaf_layers(model):
        error = _reading_error(layer, _own_objects(layer))
        if error is not None:
            faults.append(f"layer '{path}' ({type(layer).__name__}): {_advice(layer, error)}")
    if not faults:
        faults = [
            f"its class {type(model).__name__}: write `get_config` and `from_config` in it, so that "
            "keras.models.load_model makes it again."
        ]
    raise NetworkError(
        f"train.save={values['save']}: model '{model.name}' could not be read from the file it is kept in.\n"
        + "\n".join(f"  {fault}" for fault in faults)
        + "\n  Or keep no network: train.save=null."
    )


def saving_notes(model: Any, values: Mapping[str, Any]) -> list[str]:
    """What to know before a network that is kept can be read again; empty if Keras alone reads it.

    Args:
        model: As for `refuse_unreadable_file`, as are the others.
        values: The checked train section.
    """
    if not values["save"]:
        return []
    objects = _own_objects(model)
    notes = []
    if objects and not _is_read_again(model, {}):
        notes.append(
            f"train.save={values['save']}: Keras reads the file if it is given {listing(list(objects), 6)} "
            "(custom_objects={...}); with @keras.saving.register_keras_serializable() on them, an import is enough."
        )
    lambdas = [path for path, layer in leaf_layers(model) if isinstance(layer, keras.layers.Lambda)]
    if lambdas:
        notes.append(
            f"train.save={values['save']}: the file holds code of {listing(lambdas, 6)}, which Keras reads with "
            "safe_mode=False only, and `ablate predict` not at all."
        )
    return notes


def _is_read_again(model: Any, objects: Mapping[str, Any]) -> bool:
    return _reading_error(model, objects) is None


def _reading_error(item: Any, objects: Mapping[str, Any]) -> Exception | None:
    """Why a network or layer cannot be written as a configuration and made from it again; None if it can."""

    def again() -> None:
        # As in a sketch, weights are not created.
        with keras.StatelessScope(initialize_variables=False), keras.saving.custom_object_scope(dict(objects)):
            config = keras.saving.serialize_keras_object(item)
            keras.saving.deserialize_keras_object(config, safe_mode=False)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns of lambdas
            with_fresh_names(again)
    except Exception as error:  # of Keras or of the user's code
        return error
    return None


def _own_objects(item: Any) -> dict[str, Any]:
    """The functions and classes of the user that a network or layer is made of and that can be imported, by name."""
    layers = item._flatten_layers() if isinstance(item, keras.Layer) else [item]
    objects: dict[str, Any] = {}
    for layer in layers:
        for one in (type(layer), *_parts(layer)):
            if (
                not _is_of_keras(one)
                and _can_be_imported(one)
                and keras.saving.get_registered_name(one) == one.__name__
            ):
                objects[one.__name__] = one
    return objects


def _parts(layer: Any) -> Iterator[Any]:
    """The functions that a layer holds, and the classes of the other objects that it can call."""
    for name, value in vars(layer).items():
        if (
            callable(value)
            and not isinstance(value, keras.Layer | type)
            and not callable(getattr(type(layer), name, None))
        ):
            yield value if inspect.isroutine(value) else type(value)


def _is_of_keras(one: Any) -> bool:
    return str(one.__module__).split(".")[0] in ("keras", "builtins")


def _can_be_imported(one: Any) -> bool:
    found: Any = sys.modules.get(one.__module__)
    for name in one.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is one


def _advice(layer: Any, error: Exception) -> str:
    unnamed = [
        one for one in _parts(layer) if inspect.isroutine(one) and not _is_of_keras(one) and not _can_be_imported(one)
    ]
    if unnamed:
        return (
            f"it holds {listing([one.__qualname__ for one in unnamed], 3)}. Write it as a function of a module, with "
            "@keras.saving.register_keras_serializable() in front of it."
        )
    if "unexpected keyword argument" in str(error):
        return (
            f"the constructor of {type(layer).__name__} must take **kwargs and pass them to super().__init__(**kwargs)."
        )
    return f"{str(error).strip().splitlines()[0]} {how_to_copy(type(layer))}"
