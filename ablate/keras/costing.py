"""Measured costs of the networks of a study's cells, each relative to that of the full network.

Times are seconds of a forward pass and of a training step on this machine. Several networks take turns, so that other
load on the machine affects all alike.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from ablate.keras import device  # isort: skip  (it must come before everything that imports TensorFlow)

import keras
import numpy as np
import tensorflow as tf

from ablate.errors import AblateError
from ablate.keras.compiled import clear_models, compile_model
from ablate.keras.data.batches import ArrayBatches
from ablate.keras.data.loading import load_run_data
from ablate.keras.graph_reader import functional
from ablate.keras.graph_writer import sketch
from ablate.keras.loop import build_metrics
from ablate.keras.networks import FullModelCache, build_model, cell_graph
from ablate.keras.run_config import check_config, prepare_process
from ablate.keras.tasks import chosen_task
from ablate.keras.theoretical_cost import BYTES_PER_WEIGHT, activations, flops
from ablate.memory import total_memory

_COUNTED = ("weights", "flops", "activations")
_TIMED = ("latency", "step")
_SECONDS = 4.0  # of timing a network
_LIMIT = 20.0  # seconds a network, with building, after which no further ones are timed
_GROUP_SIZE = 8  # networks that are timed together, in addition to the full one
_MEMORY_SHARE = 0.25  # of the machine's memory, for networks that are timed together
# A forward pass of so many operations takes less than a second on a core; larger networks get fewer images.
_OPERATIONS = 2e10


Pass = Callable[[], Any]
"""Computes what is timed once, and returns when it is done."""


def measure(configs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Counts and times the networks of the cells of a study, in one process and in turn.

    Args:
        configs: Resolved configs of runs as plain values, that of the reference cell first.

    Returns:
        One mapping a config: ``weights``, ``flops`` of one image, ``activations`` (numbers that layers output for one
        image), ``latency`` (seconds of a forward pass of ``batch`` images), ``step`` (seconds of a training step of as
        many), ``batch``, and for each but the last ``<name>_ratio`` to the first config: for times the median of the
        ratios within rounds, from which the load of the machine cancels out. ``flops`` may be missing, and times where
        networks take too long to build; where a network cannot be built there is an ``error`` and nothing else.
    """
    clear_models()
    rows: list[dict[str, Any]] = []
    models = FullModelCache()
    for config in configs:
        try:
            rows.append(_count(config, models))
        except AblateError as error:
            rows.append({"error": str(error)})
    if not rows or "error" in rows[0]:
        return [row if "error" in row else {"error": "The reference cell cannot be measured."} for row in rows]
    batch = _batch(configs[0], rows[0])
    counted = [name for name in _COUNTED if rows[0].get(name)]
    for row in rows:
        if "error" not in row:
            row["batch"] = batch
            row |= {f"{name}_ratio": row[name] / rows[0][name] for name in counted if name in row}
    with ThreadPoolExecutor(1) as starter:
        full = _TimedNetwork(configs[0], batch, starter)
        end = time.monotonic() + _LIMIT * len(configs)
        for group in _groups(rows):
            if time.monotonic() > end:
                break
            timed = [full, *(_TimedNetwork(configs[index], batch, starter) for index in group)]
            for network in timed:
                network.wait()
            for name in _TIMED:
                seconds = in_turn([getattr(network, name) for network in timed], _SECONDS / 2 * len(timed))
                ratios = np.median(seconds / seconds[:, :1], axis=0)
                for column, index in enumerate([0, *group]):
                    rows[index].setdefault(name, float(np.median(seconds[:, column])))
                    rows[index].setdefault(f"{name}_ratio", float(ratios[column]))
            del timed, network
            gc.collect()
    return rows


class _TimedNetwork:
    """A network to be timed.

    Its first passes, in which TensorFlow optimizes the graph, run while the next network is traced.
    """

    def __init__(self, config: Mapping[str, Any], batch: int, starter: Executor) -> None:
        values = check_config(config)
        dataset = load_run_data(config)[0]
        model = build_model(config, dataset, values["mixed_precision"])
        task, settings = chosen_task(config)
        objective = compile_model(model, task, settings, dataset, values)
        self.latency = forward_pass(model, batch)
        encoded = ArrayBatches(dataset.pool, batch, objective.encoding)
        encoded.select(dataset, np.resize(dataset.train.index, batch))
        self.step = training_step(model, encoded[0][1], values["jit"])
        self._first = [starter.submit(run) for run in (self.latency, self.step)]

    def wait(self) -> None:
        """Returns when the first passes are over."""
        for first in self._first:
            first.result()


def _count(config: Mapping[str, Any], models: FullModelCache) -> dict[str, Any]:
    values = prepare_process(config)
    full = models.get(config, load_run_data(config)[0], values["mixed_precision"])
    graph = cell_graph(full, config)
    model = full if graph is None else sketch(graph)
    counts = {"weights": model.count_params(), "activations": activations(model)}
    try:
        return counts | {"flops": flops(model)}
    except (AblateError, ValueError, TypeError):  # TensorFlow cannot count every operation
        return counts


def _batch(config: Mapping[str, Any], row: Mapping[str, Any]) -> int:
    size = int(check_config(config)["batch_size"])
    return max(1, min(size, int(_OPERATIONS / row["flops"]))) if row.get("flops") else size


def _groups(rows: Sequence[Mapping[str, Any]]) -> Iterator[list[int]]:
    """Rows of the networks that are timed together with the first: as many as the memory holds."""
    indices = [index for index, row in enumerate(rows[1:], 1) if "error" not in row]
    largest = max(row["weights"] for row in rows if "error" not in row)
    in_memory = (total_memory() or math.inf) * _MEMORY_SHARE / BYTES_PER_WEIGHT / largest
    size = int(max(1, min(_GROUP_SIZE, in_memory - 1)))  # without the first
    for start in range(0, max(1, len(indices)), size):
        yield indices[start : start + size]


def in_turn(passes: Sequence[Pass], seconds: float, least: int = 3, most: int = 30) -> np.ndarray:
    """Times several passes in turn, so that other load on the machine affects all alike.

    Args:
        passes: What to time; each runs twice before it counts, the first time to be built.
        seconds: About how long to take for all of them together, not counting building.
        least: Least number of rounds, however long they take.
        most: Largest number of rounds.

    Returns:
        Seconds, a row a round, a column a pass.
    """
    for run in passes:
        run()
    begin = time.perf_counter()
    for run in passes:
        run()
    round_seconds = time.perf_counter() - begin
    rounds = int(min(most, max(least, seconds / max(round_seconds, 1e-9))))
    timed = np.empty((rounds, len(passes)))
    for number in range(rounds):
        # Every second round goes backwards, so that no network always runs after the same other.
        order = range(len(passes)) if number % 2 == 0 else reversed(range(len(passes)))
        for index in order:
            begin = time.perf_counter()
            passes[index]()
            timed[number, index] = time.perf_counter() - begin
    return timed


def forward_pass(model: Any, batch: int) -> Pass:
    """A forward pass as in inference.

    Args:
        model: A functional or Sequential model.
        batch: Number of images.
    """
    images = _images(model, batch)
    if device.backend_name() != "tensorflow":
        return lambda: model.predict_on_batch(images)
    forward = tf.function(lambda x: model(x, training=False), autograph=False).get_concrete_function(images)
    return lambda: _wait(forward(images))


def training_step(model: Any, labels: np.ndarray, jit: bool = False) -> Pass:
    """A step of training: forward, backward, update of the weights.

    Args:
        model: A compiled model.
        labels: Labels of a batch, as the loss takes them.
        jit: Whether XLA compiles the step.
    """
    images = _images(model, len(labels))
    if device.backend_name() != "tensorflow":
        return lambda: model.train_on_batch(images, labels)
    targets = tf.constant(labels)
    build_metrics(model, labels[:1])
    step = tf.function(model.train_step, jit_compile=jit, autograph=False).get_concrete_function((images, targets))
    return lambda: _wait(step((images, targets)))


def _images(model: Any, batch: int) -> Any:
    rng = np.random.default_rng(0)

    def values(tensor: Any) -> Any:
        shape = (batch, *(side or 1 for side in tensor.shape[1:]))
        return keras.ops.convert_to_tensor(rng.uniform(size=shape).astype("float32"), tensor.dtype)

    return keras.tree.map_structure(values, functional(model).input)


def _wait(outputs: Any) -> None:
    """Waits until an accelerator has computed the outputs."""
    keras.tree.map_structure(np.asarray, outputs)
