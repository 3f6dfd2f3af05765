"""Costs of the networks of a study's cells, each relative to that of the full network."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from ablate.keras import device  # isort: skip  (it must come before everything that imports TensorFlow)

import numpy as np

from ablate.errors import AblateError
from ablate.keras.compiled import clear_models
from ablate.keras.cost import BYTES_PER_WEIGHT, activations, flops, weights
from ablate.keras.graph_writer import sketch
from ablate.keras.networks import FullModelCache, build_model, cell_graph
from ablate.keras.optimization import loss, optimizer
from ablate.keras.run_config import check_config, prepare_process
from ablate.keras.run_data import load_run_data
from ablate.keras.timing import forward_pass, in_turn, training_step
from ablate.memory import total_memory

_COUNTED = ("weights", "flops", "activations")
_TIMED = ("latency", "step")
_SECONDS = 4.0  # of timing a network
_LIMIT = 20.0  # seconds a network, with building, after which no further ones are timed
_GROUP_SIZE = 8  # networks that are timed together, in addition to the full one
_MEMORY_SHARE = 0.25  # of the machine's memory, for networks that are timed together
# A forward pass of so many operations takes less than a second on a core; larger networks get fewer images.
_OPERATIONS = 2e10


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
        model = build_model(config, load_run_data(config)[0], values["mixed_precision"])
        model.compile(
            optimizer(values, 100),
            loss(values, logits=False),
            metrics=["accuracy"],
            jit_compile=device.compiles(values["jit"]),
        )
        model.optimizer.build(model.trainable_variables)
        self.latency = forward_pass(model, batch)
        self.step = training_step(model, batch, values["jit"])
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
    counts = {"weights": weights(model), "activations": activations(model)}
    try:
        return counts | {"flops": flops(model)}
    except (AblateError, ValueError, TypeError):  # TensorFlow cannot count every operation
        return counts


def _batch(config: Mapping[str, Any], row: Mapping[str, Any]) -> int:
    size = int(check_config(config)["batch_size"])
    return max(1, min(size, int(_OPERATIONS / row["flops"]))) if row.get("flops") else size


def _groups(rows: Sequence[Mapping[str, Any]]) -> Iterator[list[int]]:
    """Rows of the networks that are timed together with the first: as many as the memory holds."""
    limit = (total_memory() or math.inf) * _MEMORY_SHARE / BYTES_PER_WEIGHT - rows[0]["weights"]
    group: list[int] = []
    used = 0
    for index, row in enumerate(rows[1:], 1):
        if "error" in row:
            continue
        if group and (len(group) == _GROUP_SIZE or used + row["weights"] > limit):
            yield group
            group, used = [], 0
        group.append(index)
        used += row["weights"]
    yield group
