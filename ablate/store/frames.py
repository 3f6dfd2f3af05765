"""Run folders become tidy DataFrames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ablate.errors import StoreError
from ablate.store.curves import curve_table
from ablate.store.run_folder import FAILED, FINISHED, UNREADABLE

if TYPE_CHECKING:
    from ablate.store.study_folder import StudyFolder

__all__ = ["COSTS", "costs_frame", "curves_frame", "runs_frame"]

COSTS = ("weights", "flops", "activations", "latency", "step")
"""What is measured of a network: weights; operations of one image; numbers handed on for one image; seconds of a
forward pass; seconds of a training step."""

_KEYS = ("study", "cell", "seed", "state", "reason")


def runs_frame(study: StudyFolder) -> pd.DataFrame:
    """All planned runs of a study.

    Returns:
        A row a run in the order of the plan: ``study``, ``cell`` (its label), one column a factor, ``seed``,
        ``state``, ``reason``, then metrics, timings (``seconds...``) and versions. A finished run whose result cannot
        be read counts as failed.
    """
    record = study.existing_record()
    cells = {cell.name: cell for cell in record.plan.cells}
    rows = []
    metrics: dict[str, None] = {}
    timings: dict[str, None] = {}
    versions: dict[str, None] = {}
    factors = {
        factor.name: f"factor.{factor.name}" if factor.name in _KEYS else factor.name for factor in record.plan.factors
    }
    name_of_study = study.name
    for run in record.runs:
        folder = study.run(run)
        status = folder.settled_status()
        cell = cells[run.cell]
        row: dict[str, Any] = {factors[name]: level for name, level in cell.levels.items()}
        row |= {"study": name_of_study, "cell": cell.label, "seed": run.seed}
        row |= {"state": status.state, "reason": status.reason}
        try:
            result = folder.result() if status.state == FINISHED else None
        except StoreError:
            # One damaged file must not hide what all other runs say.
            result = None
            row |= {"state": FAILED, "reason": UNREADABLE}
        if result is not None:
            for name, value in result.metrics.items():
                if name in factors:
                    continue  # a task that returns its own settings beside its metrics
                column = f"metric.{name}" if name in _KEYS else name
                (timings if name.startswith("seconds") else metrics)[column] = None
                row[column] = value
            versions |= dict.fromkeys(result.versions)
            row |= {name: version for name, version in result.versions.items() if name not in row}
        rows.append(row)
    columns = ["study", "cell", *factors.values(), "seed", "state", "reason"]
    columns += [name for name in dict.fromkeys([*metrics, *timings, *versions]) if name not in columns]
    return pd.DataFrame(rows, columns=columns)


def curves_frame(study: StudyFolder) -> pd.DataFrame:
    """The curves of all runs of a study.

    Returns:
        A row an epoch: ``study``, ``cell``, ``seed``, ``epoch``, then the columns that the runs wrote.
    """
    record = study.existing_record()
    labels = {cell.name: cell.label for cell in record.plan.cells}
    table = curve_table(study, record.runs)
    if not len(table.values):
        return pd.DataFrame(columns=["study", "cell", "seed", "epoch"])
    # As objects: rows of a million short texts are taken and compared several times as fast.
    cells = np.repeat(np.array([labels[run.cell] for run in record.runs], dtype=object), table.counts)
    columns = {
        "study": pd.Series(study.name, index=range(len(cells)), dtype=object),
        "cell": pd.Series(cells, dtype=object),
        "seed": np.repeat(np.array([run.seed for run in record.runs], dtype=int), table.counts),
        "epoch": table.values[:, 0].astype(int),
    }
    rest = {name: table.values[:, index] for index, name in enumerate(table.names) if index}
    return pd.DataFrame({**columns, **rest})


def costs_frame(study: StudyFolder) -> pd.DataFrame:
    """What the networks of a study's cells cost.

    Returns:
        A row a cell that was measured, in the order of the plan: ``cell`` (its label), `COSTS`, ``batch``, and for each
        of `COSTS` a column ``<name>_ratio`` to the reference cell; NaN where a number could not be had.
    """
    found = study.cell_costs()
    rows = [
        {**found[cell.name], "cell": cell.label}
        for cell in study.existing_record().plan.cells
        if cell.name in found and "error" not in found[cell.name]
    ]
    columns = ["cell", *COSTS, "batch", *(f"{name}_ratio" for name in COSTS)]
    return pd.DataFrame(rows, columns=columns)
