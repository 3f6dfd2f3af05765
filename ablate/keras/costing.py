"""What the networks of a study's cells cost, each beside that of the full network."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from ablate.keras import device  # isort: skip  (it must come before everything that imports TensorFlow)

import numpy as np

from ablate.errors import AblateError
from ablate.keras import backend, recipe
from ablate.keras.capacity import memory_of_machine
from ablate.keras.compiled import FullModels, build_model, forget, levels_of
from ablate.keras.cost import activations, flops, weights
from ablate.keras.fitting import fitting_data
from ablate.keras.graph_writer import sketch
from ablate.keras.ingredients import ablated_graph, catalogue
from ablate.keras.preflight import checked
from ablate.keras.timing import forward_pass, in_turn, training_step

__all__ = ["measure"]

_COUNTED = ("weights", "flops", "activations")
_TIMED = ("latency", "step")
_SECONDS = 4.0  # of timing a network
_LIMIT = 20.0  # seconds a network, with building, after which no further ones are timed
_TOGETHER = 8  # networks beside the full one at a time
_MEMORY = 0.25  # share of the machine's memory for networks that are timed together
_BYTES = 16  # a weight, its gradient and the optimizer's state
# A forward pass of so many operations takes less than a second on a core; larger networks get fewer images.
_OPERATIONS = 2e10


def measure(configs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Counts and times the networks of the cells of a study, in one process and in turn.

    Args:
        configs: Resolved configs of runs as plain values, that of the reference cell first.

    Returns:
        One mapping a config: ``weights``, ``flops`` of one image, ``activations`` (numbers handed on for one image),
        ``latency`` (seconds of a forward pass of ``batch`` images), ``step`` (seconds of a training step of as many),
        ``batch``, and for each but the last ``<name>_ratio`` to the first config: for times the median of the ratios
        within rounds, which noise of the machine leaves alone. ``flops`` may be missing, and times where networks take
        too long to build; where a network cannot be built there is an ``error`` instead of all of it.
    """
    forget()
    rows: list[dict[str, Any]] = []
    models = FullModels()
    for config in configs:
        try:
            rows.append(_counted(config, models))
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
        full = _Timed(configs[0], batch, starter)
        end = time.monotonic() + _LIMIT * len(configs)
        for group in _groups(rows):
            if time.monotonic() > end:
                break
            timed = [full, *(_Timed(configs[place], batch, starter) for place in group)]
            for one in timed:
                one.wait()
            for name in _TIMED:
                seconds = in_turn([getattr(one, name) for one in timed], _SECONDS / 2 * len(timed))
                ratios = np.median(seconds / seconds[:, :1], axis=0)
                for column, place in enumerate([0, *group]):
                    rows[place].setdefault(name, float(np.median(seconds[:, column])))
                    rows[place].setdefault(f"{name}_ratio", float(ratios[column]))
            del timed, one
            gc.collect()
    return rows


class _Timed:
    """A network to be timed.

    Its first passes, in which TensorFlow optimizes the graph, run beside the tracing of the next network.
    """

    def __init__(self, config: Mapping[str, Any], batch: int, starter: Executor) -> None:
        values = checked(config)
        model = build_model(config, fitting_data(config)[0], values["mixed_precision"])
        model.compile(
            recipe.optimizer(values, 100),
            recipe.loss(values, logits=False),
            metrics=["accuracy"],
            jit_compile=backend.compiles(values["jit"]),
        )
        model.optimizer.build(model.trainable_variables)
        self.latency = forward_pass(model, batch)
        self.step = training_step(model, batch, values["jit"])
        self._first = [starter.submit(run) for run in (self.latency, self.step)]

    def wait(self) -> None:
        """Comes back when the first passes are over."""
        for first in self._first:
            first.result()


def _counted(config: Mapping[str, Any], models: FullModels) -> dict[str, Any]:
    values = checked(config)
    device.prepare(values["threads"])
    full = models.of(config, fitting_data(config)[0], values["mixed_precision"])
    known = catalogue(config.get("ingredients"))
    graph = ablated_graph(full, levels_of(config, known), config.get("only"), known)
    model = full if graph is None else sketch(graph)
    found = {"weights": weights(model), "activations": activations(model)}
    try:
        return found | {"flops": flops(model)}
    except (AblateError, ValueError, TypeError):  # not every operation has a count
        return found


def _batch(config: Mapping[str, Any], row: Mapping[str, Any]) -> int:
    size = int(checked(config)["batch_size"])
    return max(1, min(size, int(_OPERATIONS / row["flops"]))) if row.get("flops") else size


def _groups(rows: Sequence[Mapping[str, Any]]) -> Iterator[list[int]]:
    """Places of the networks that are timed together beside the first: as many as memory bears."""
    room = memory_of_machine() * _MEMORY / _BYTES - rows[0]["weights"]
    group: list[int] = []
    used = 0
    for place, row in enumerate(rows[1:], 1):
        if "error" in row:
            continue
        if group and (len(group) == _TOGETHER or used + row["weights"] > room):
            yield group
            group, used = [], 0
        group.append(place)
        used += row["weights"]
    yield group
