"""Run folders become tidy DataFrames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from ablate.store.run_folder import RunFolder

if TYPE_CHECKING:
    from ablate.store.study_folder import StudyFolder

__all__ = ["curves_frame", "runs_frame"]

_KEYS = ("study", "cell", "seed", "state", "reason")


def runs_frame(study: StudyFolder) -> pd.DataFrame:
    """All planned runs of a study.

    Returns:
        A row a run in the order of the plan: ``study``, ``cell`` (its label), one column a factor, ``seed``,
        ``state``, ``reason``, then metrics, timings (``seconds...``) and versions.
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
    for run in record.runs:
        folder = study.run(run)
        status = folder.settled_status()
        cell = cells[run.cell]
        row: dict[str, Any] = {factors[name]: level for name, level in cell.levels.items()}
        row |= {"study": study.name, "cell": cell.label, "seed": run.seed}
        row |= {"state": status.state, "reason": status.reason}
        result = folder.result() if status.state == "finished" else None
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
    parts = []
    for run in record.runs:
        rows = read_curves(study.run(run))
        if rows:
            part = pd.DataFrame(rows).drop(columns=["study", "cell", "seed"], errors="ignore")
            part.insert(0, "seed", run.seed)
            part.insert(0, "cell", labels[run.cell])
            part.insert(0, "study", study.name)
            parts.append(part)
    keys = ["study", "cell", "seed", "epoch"]
    if not parts:
        return pd.DataFrame(columns=keys)
    frame = pd.concat(parts, ignore_index=True)
    frame["epoch"] = frame["epoch"].astype(int)
    return frame[[*keys, *(name for name in frame.columns if name not in keys)]]


def read_curves(folder: RunFolder) -> list[dict[str, float]]:
    """The curves of a run: ``curves.csv``, or else the only CSV beside it that has an ``epoch`` column."""
    rows = folder.curves()
    if rows and "epoch" in rows[0]:
        return rows
    for path in sorted(folder.path.glob("*.csv")):
        try:
            frame = pd.read_csv(path)
        except (OSError, ValueError):
            continue
        if "epoch" in frame.columns:
            numbers = frame.select_dtypes("number").dropna(subset=["epoch"])
            return [
                {str(name): value for name, value in row.items() if pd.notna(value)}
                for row in numbers.to_dict(orient="records")
            ]
    return []
