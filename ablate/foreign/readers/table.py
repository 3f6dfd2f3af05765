"""One tidy table: columns of levels, a seed, numbers; a row a run, or an epoch of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import ConfigError, StoreError, suggestion
from ablate.foreign.files import SourceFolder, UnreadableFile
from ablate.foreign.number_tables import number_table, read_table
from ablate.foreign.reader import ForeignRun, ForeignRuns, NumberTable, Reader

if TYPE_CHECKING:
    import pandas as pd

    from ablate.foreign.request import AdoptSettings

_SEEDS = ("seed", "random_seed", "random_state", "rng_seed", "rep", "replicate", "repetition", "fold")
_MEASURES = ("acc", "loss", "score", "error", "f1", "auc", "mse", "rmse", "mae", "map", "bleu", "perplexity", "metric")


def _files(folder: SourceFolder) -> list[str]:
    return folder.named("*.csv", "*.tsv", *(["*.txt"] if folder.is_file else []))


def _recognises(folder: SourceFolder) -> bool:
    """Whether there is one table, which is not the log of one run: numbers by epoch and no texts."""
    files = _files(folder)
    if len(files) != 1 or folder.is_file:
        return len(files) == 1
    try:
        frame = read_table(folder, files[0])
    except UnreadableFile:
        return True  # its reader says why
    table = number_table(frame)
    return table is None or table.kind != "curve" or len(table.frame.columns) != len(frame.columns)


def _read(folder: SourceFolder, settings: AdoptSettings) -> ForeignRuns:
    """A row a run, or, with a column ``epoch``, a row an epoch of a run.

    Raises:
        StoreError: If the file cannot be read.
        ConfigError: If a column that was named is not there, or none is left for levels or for numbers.
    """
    import pandas as pd

    files = _files(folder)
    if not files:
        return ForeignRuns(())
    path = folder.root / files[0]
    try:
        frame = read_table(folder, files[0])
    except UnreadableFile as error:
        reason = f"{error}" if isinstance(error.__cause__, OSError) else f"it {error}"
        raise StoreError(f"Cannot read '{path}': {reason}.") from error
    step, metrics, factors, seed = _columns(frame, settings, path)
    keys = [*factors, *([seed] if seed else [])]
    runs = []
    if step:
        for _, group in frame.groupby(keys, sort=False, dropna=False):
            if (curve := number_table(group[[step, *metrics]])) is not None:
                runs.append(_run(group.iloc[0][keys].to_dict(), curve, int(group.index[0])))
    else:
        numbers = frame[metrics].apply(pd.to_numeric, errors="coerce")
        for index in range(len(frame)):
            row = numbers.iloc[[index]].dropna(axis=1).reset_index(drop=True).astype(float)
            runs.append(_run(frame.iloc[index][keys].to_dict(), NumberTable("single", row), index))
    note = f"Columns read as levels: {', '.join(factors)}; as seed: {seed or 'none'}; as numbers: {', '.join(metrics)}."
    return ForeignRuns(tuple(runs), (note,), ordered_by_time=False)


TABLE = Reader("table", "one tidy CSV file, a row a run or an epoch", _recognises, _read)


def _run(config: Mapping[Any, Any], table: NumberTable, row: int) -> ForeignRun:
    fault = "" if table.metrics else "no number in this row"
    plain = {str(key): _plain(value) for key, value in config.items()}
    return ForeignRun(f"row {row + 2}", plain, tables={"row": table}, fault=fault)  # as an editor counts lines


def _plain(value: Any) -> Any:
    import pandas as pd

    if pd.isna(value):
        return None
    value = value.item() if hasattr(value, "item") else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _columns(frame: pd.DataFrame, settings: AdoptSettings, path: Path) -> tuple[str, list[str], list[str], str]:
    """Which column counts epochs (or an empty text), which hold numbers, which levels, which the seed (or none)."""
    columns = [str(name) for name in frame.columns]
    level_names = [*settings.factors, *settings.only, *settings.reference]
    named = [*level_names, *(name for name in (settings.seed_key, settings.metric) if name)]
    if unknown := [name for name in dict.fromkeys(named) if name not in columns]:
        lines = [
            f"'{path}' has no column '{name}'. Columns: {', '.join(columns)}.{suggestion(name, columns)}"
            for name in unknown
        ]
        raise ConfigError("\n".join(lines))
    by_lower_case = {name.lower(): name for name in reversed(columns)}
    seed = settings.seed_key or next((by_lower_case[name] for name in _SEEDS if name in by_lower_case), "")
    table = number_table(frame)
    step = table.step if table is not None and table.step not in named else ""
    numeric = [name for name in (table.frame.columns if table is not None else ()) if name not in (seed, step)]
    if settings.metric and settings.metric not in numeric:
        raise ConfigError(f"The column '{settings.metric}' of '{path}' does not hold numbers alone.")
    rest = [name for name in columns if name not in (seed, step, *settings.ignore) and not name.startswith("Unnamed:")]
    if settings.factors:
        factors = [name for name in dict.fromkeys(level_names) if name != seed]
        metrics = [name for name in numeric if name not in factors and name not in settings.ignore]
    else:
        metrics = [name for name in numeric if name in rest and _is_measured(frame[name], name, settings)]
        factors = [name for name in rest if name not in metrics and frame[name].nunique(dropna=False) > 1]
    if settings.metric and settings.metric not in metrics:
        metrics.append(settings.metric)
    if not factors or not metrics:
        missing = "levels (name them with factors=[...])" if not factors else "numbers (name one with metric=...)"
        no_numbers = "" if metrics else "".join(_no_number(frame[name], name) for name in rest)
        raise ConfigError(f"'{path}' has no column of {missing}. Columns: {', '.join(columns)}.{no_numbers}")
    return step, metrics, factors, seed


def _no_number(column: pd.Series, name: str) -> str:
    """What a column holds that is called like a measure, where that is no number."""
    import pandas as pd

    if not any(measure in name.lower() for measure in _MEASURES):
        return ""
    values = column.dropna()
    others = values[pd.to_numeric(values, errors="coerce").isna()]
    return f" '{name}' holds '{others.iloc[0]}', which is no number." if len(others) else ""


def _is_measured(column: pd.Series, name: str, settings: AdoptSettings) -> bool:
    """Whether numbers look measured and not set: named so, or hardly ever the same twice."""
    if name in (settings.metric, *settings.only, *settings.reference):
        return name == settings.metric
    if any(measure in name.lower() for measure in _MEASURES):
        return True
    return bool(column.nunique() > max(2, len(column) // 2))
