"""One tidy table: columns of levels, a seed, numbers; a row a run, or an epoch of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import ConfigError, StoreError, suggestion
from ablate.foreign.reader import SEED_NAMES, ForeignRun, ForeignRuns, Reader
from ablate.logs.files import SourceFolder
from ablate.logs.number_table import NumberTable
from ablate.logs.number_tables import as_numbers, number_table, read_table
from ablate.logs.regular_files import UnreadableFile
from ablate.study.settings import AUTO

if TYPE_CHECKING:
    import pandas as pd

    from ablate.foreign.request import AdoptSettings

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
    files = _files(folder)
    if not files:
        return ForeignRuns(())
    path = folder.root / files[0]
    try:
        frame = read_table(folder, files[0])
    except UnreadableFile as error:
        reason = f"{error}" if isinstance(error.__cause__, OSError) else f"it {error}"
        raise StoreError(f"Cannot read '{path}': {reason}.") from error
    step, metrics, keys = _columns(frame, settings, path)
    runs = []
    if step:
        # What makes no difference tells no runs apart, either.
        groups = frame.groupby([key for key in keys if key not in settings.ignore], sort=False, dropna=False)
        for _, rows in groups:
            if (curve := number_table(rows[[step, *metrics]])) is not None:
                runs.append(_run(rows.iloc[0][keys], curve))
    else:
        numbers = frame[metrics].apply(as_numbers)
        for index in frame.index:
            row = numbers.loc[[index]].dropna(axis=1)
            runs.append(_run(frame.loc[index, keys], NumberTable("single", row)))
    note = f"Columns read as levels or seed: {', '.join(keys)}; as numbers: {', '.join(metrics)}."
    return ForeignRuns(tuple(runs), (note,), ordered_by_time=False)


TABLE = Reader("table", "one tidy CSV file, a row a run or an epoch", _recognises, _read)


def _run(levels: pd.Series, table: NumberTable) -> ForeignRun:
    config = {str(key): _plain(value) for key, value in levels.items()}
    fault = "" if table.metrics else "no number in this row"
    line = int(str(levels.name)) + 2  # as an editor counts
    return ForeignRun(f"row {line}", config, tables={"row": table}, fault=fault)


def _plain(value: Any) -> Any:
    import pandas as pd

    if pd.isna(value):
        return None
    value = value.item() if hasattr(value, "item") else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _columns(frame: pd.DataFrame, settings: AdoptSettings, path: Path) -> tuple[str, list[str], list[str]]:
    """Which column counts epochs (or an empty text), which hold numbers, and which levels or the seed."""
    columns = [str(name) for name in frame.columns if not str(name).startswith("Unnamed:")]
    names = [
        *settings.factors,
        *settings.blocks,
        *settings.whole_plots,
        *settings.only,
        *settings.reference,
        settings.seed,
        settings.metric,
    ]
    named = [name for name in dict.fromkeys(names) if name and name != AUTO]
    listed = ", ".join(columns)
    if unknown := [name for name in named if name not in columns]:
        lines = [f"'{path}' has no column '{name}'. Columns: {listed}.{suggestion(name, columns)}" for name in unknown]
        raise ConfigError("\n".join(lines))
    table = number_table(frame)
    step = table.step if table is not None and table.step not in named else ""
    numeric = [name for name in (table.frame.columns if table is not None else ()) if name != step]
    if settings.metric and settings.metric not in numeric:
        raise ConfigError(f"The column '{settings.metric}' of '{path}' does not hold numbers alone.")
    levels = {name for name in (*named, *settings.ignore) if name != settings.metric}
    metrics = [name for name in numeric if name not in levels and _is_measured(frame[name], name, settings)]
    if settings.factors:
        keys = [name for name in columns if name in levels or name.lower() in SEED_NAMES]
    else:
        rest = [name for name in columns if name not in (step, *metrics)]
        keys = [name for name in rest if name in levels or frame[name].nunique(dropna=False) > 1]
    if not keys or not metrics:
        missing = "levels (name them with factors=[...])" if not keys else "numbers (name one with metric=...)"
        no_numbers = "" if metrics else "".join(_no_number(frame[name], name) for name in columns)
        raise ConfigError(f"'{path}' has no column of {missing}. Columns: {listed}.{no_numbers}")
    return step, metrics, keys


def _no_number(column: pd.Series, name: str) -> str:
    """What a column holds that is called like a measure, where that is no number."""
    if not any(measure in name.lower() for measure in _MEASURES):
        return ""
    values = column.dropna()
    others = values[as_numbers(values).isna()]
    return f" '{name}' holds '{others.iloc[0]}', which is no number." if len(others) else ""


def _is_measured(column: pd.Series, name: str, settings: AdoptSettings) -> bool:
    """Whether a column of numbers looks measured and not set: by its name, or as numbers that hardly ever repeat."""
    if name.lower() in SEED_NAMES:
        return False
    is_named = name == settings.metric or any(measure in name.lower() for measure in _MEASURES)
    return is_named or bool(settings.factors) or bool(column.nunique() > max(2, len(column) // 2))
