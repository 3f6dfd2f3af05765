"""Runs in one table: columns of levels, a seed, numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ablate.adopt.files import Unreadable, number_table, read_table
from ablate.adopt.material import ForeignRun, Material, NumberTable, Unread
from ablate.adopt.request import Request
from ablate.errors import ConfigError, StoreError, suggestion

__all__ = ["find_rows"]

_SEEDS = ("seed", "random_seed", "random_state", "rng_seed", "rep", "replicate", "repetition", "fold")
_WORDS = ("acc", "loss", "score", "error", "f1", "auc", "mse", "rmse", "mae", "map", "bleu", "perplexity", "metric")


def find_rows(path: Path, request: Request) -> Material:
    """The runs of a tidy CSV file: a row a run, or, with a column ``epoch``, a row an epoch of a run.

    Args:
        path: The file.
        request: Names the columns; those it does not name are told apart by what they hold.

    Raises:
        StoreError: If the file cannot be read.
        ConfigError: If a column that was asked for is not there, or none is left for levels or for numbers.
    """
    try:
        frame, said = read_table(path)
    except Unreadable as error:
        what = f"{error}" if isinstance(error.__cause__, OSError) else f"it {error}"
        raise StoreError(f"Cannot read '{path}': {what}.") from error
    columns = [str(name) for name in frame.columns]
    step, metrics, factors, seed = _roles(frame, request, path)
    keys = [*factors, *([seed] if seed else [])]
    numbers = number_table(frame[[*([step] if step else []), *metrics]])
    if numbers is None:
        raise ConfigError(f"'{path}' has no column of numbers to compare. Columns: {', '.join(columns)}.")
    notes = [
        f"Columns read as levels: {', '.join(factors)}; as seed: {seed or 'none'}; as numbers: {', '.join(metrics)}."
    ]
    runs = []
    if step:
        for _, group in frame.groupby(keys, sort=False, dropna=False):
            rows = number_table(group[[step, *metrics]])
            if rows is not None:
                runs.append(_run(group.iloc[0][keys].to_dict(), rows, int(group.index[0])))
    else:
        table = frame[metrics].apply(pd.to_numeric, errors="coerce")
        for place in range(len(frame)):
            row = table.iloc[[place]].dropna(axis=1).reset_index(drop=True)
            one = NumberTable("single", row.astype(float))
            runs.append(_run(frame.iloc[place][keys].to_dict(), one, place))
    return Material("table", tuple(runs), tuple(Unread(path.name, *remark) for remark in said), tuple(notes), False)


def _run(values: Mapping[Any, Any], table: NumberTable, row: int) -> ForeignRun:
    plain = {str(key): _plain(value) for key, value in values.items()}
    trouble = "" if table.metrics else "no number in this row"
    return ForeignRun(f"row {row + 2}", plain, {}, {"row": table}, 0.0, trouble)


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    value = value.item() if hasattr(value, "item") else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _roles(frame: pd.DataFrame, request: Request, path: Path) -> tuple[str, list[str], list[str], str]:
    """Which column counts epochs, which hold numbers, which levels, which the seed."""
    columns = [str(name) for name in frame.columns]
    asked = [*request.factors, *request.only, *request.reference]
    named = [*asked, *(name for name in (request.seed, request.metric) if name)]
    if unknown := [name for name in dict.fromkeys(named) if name not in columns]:
        lines = [
            f"'{path}' has no column '{name}'. Columns: {', '.join(columns)}.{suggestion(name, columns)}"
            for name in unknown
        ]
        raise ConfigError("\n".join(lines))
    lower = {name.lower(): name for name in reversed(columns)}
    seed = request.seed or next((lower[word] for word in _SEEDS if word in lower), "")
    whole = number_table(frame)
    step = whole.step if whole is not None and whole.step not in named else ""
    numeric = [name for name in (whole.frame.columns if whole is not None else ()) if name not in (seed, step)]
    if request.metric and request.metric not in numeric:
        raise ConfigError(f"The column '{request.metric}' of '{path}' does not hold numbers alone.")
    rest = [name for name in columns if name not in (seed, step, *request.ignore) and not name.startswith("Unnamed:")]
    if request.factors:
        factors = [name for name in dict.fromkeys(asked) if name != seed]
        metrics = [name for name in numeric if name not in factors and name not in request.ignore]
    else:
        measured = [name for name in numeric if name in rest and _is_measured(frame[name], name, request)]
        factors = [name for name in rest if name not in measured and frame[name].nunique(dropna=False) > 1]
        metrics = measured
    if request.metric and request.metric not in metrics:
        metrics.append(request.metric)
    if not factors or not metrics:
        missing = "levels (name them with factors=[...])" if not factors else "numbers (name one with metric=...)"
        no_numbers = "" if metrics else "".join(_no_number(frame[name], name) for name in rest)
        raise ConfigError(f"'{path}' has no column of {missing}. Columns: {', '.join(columns)}.{no_numbers}")
    return step, metrics, factors, seed


def _no_number(column: pd.Series, name: str) -> str:
    """What stands in a column that is called like a measurement, where that is no number."""
    if not any(word in name.lower() for word in _WORDS):
        return ""
    words = column.dropna()
    others = words[pd.to_numeric(words, errors="coerce").isna()]
    return f" '{name}' holds '{others.iloc[0]}', which is no number." if len(others) else ""


def _is_measured(column: pd.Series, name: str, request: Request) -> bool:
    """Whether numbers look measured and not set: named so, or hardly ever the same twice."""
    if name in (request.metric, *request.only, *request.reference):
        return name == request.metric
    words: Sequence[str] = _WORDS
    if any(word in name.lower() for word in words):
        return True
    return bool(column.nunique() > max(2, len(column) // 2))
