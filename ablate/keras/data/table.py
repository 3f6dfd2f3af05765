"""Tables in CSV files: numbers as they are, a column for each category, one column or several to predict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import NetworkError, suggestion
from ablate.formatting import listing
from ablate.keras.data.forms import LabelForm
from ablate.keras.data.order_and_groups import GROUP, ORDER
from ablate.study.setting import Setting, either, list_of, optional, text

if TYPE_CHECKING:
    import pandas as pd

    from ablate.keras.data.dataset import Pool

_COLUMNS = either(text(), list_of(text(), "a list of columns: [height, weight]", empty=False))
_NONE_OR_SEVERAL = either(text(), list_of(text(), "a list of columns: [id, name]"))

SETTINGS = {
    "path": Setting(None, text(), "the CSV file, with a line of names"),
    "target": Setting(None, _COLUMNS, "the column to predict, or a list of them"),
    "name": Setting(None, optional(text()), "what tables call the set; null is the file's name"),
    "columns": Setting(None, optional(_COLUMNS), "the columns to predict from; null: all others"),
    "exclude": Setting([], _NONE_OR_SEVERAL, "columns that are left out, such as an identifier"),
    "categories": Setting(
        [], _NONE_OR_SEVERAL, "columns of numbers that stand for categories; columns of texts do in any case"
    ),
    "sample_weights": Setting(None, optional(text()), "the column of weights in the loss of training; null: none"),
    "part": Setting(None, optional(text()), "the column that says train, validation or test of each row; null: drawn"),
    "group": GROUP,
    "order": ORDER,
}
DEFAULTS: dict[str, Any] = {}
FORMS = (LabelForm.CLASS, LabelForm.CLASSES, LabelForm.NUMBERS)

_MOST_CATEGORIES = 1000
_PARTS = {"train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation"}
_PARTS |= {"test": "test", "testing": "test"}


def read(values: dict[str, Any], size: tuple[int, int] | None, form: LabelForm) -> Pool:
    """The rows of the table.

    Numbers are standardised by the training part (``data.scaling``). Each category becomes a column of 0 and 1; one
    that the training part lacks is 0 everywhere, so that nothing of other parts is learned.

    Args:
        values: The checked data section.
        size: Not used: there are no images.
        form: What the labels are to be.

    Raises:
        NetworkError: There is no such file or column, or values are missing.
    """
    import numpy as np
    import pandas as pd

    from ablate.keras.data.array_pool import ArrayPart, Reading, pool_of_arrays
    from ablate.keras.data.order_and_groups import group_numbers, time_numbers

    path = Path(values["path"]).expanduser()
    key = f"data.path={values['path']}"
    if not path.is_file():
        raise NetworkError(f"{key}: there is no such file (looked from {Path.cwd()}).")
    try:
        table = pd.read_csv(path)
    except (ValueError, UnicodeDecodeError) as error:
        raise NetworkError(f"{key} is no CSV file: {str(error).splitlines()[0]}") from error
    named = {kind: _listed(values[kind]) for kind in ("target", "columns", "exclude", "categories")} | {
        kind: _listed(values[kind]) for kind in ("sample_weights", "part", "group", "order")
    }
    faults = [
        f"data.{kind}={name}: {key} has no such column. It has {listing(list(map(str, table.columns)), 20)}."
        f"{suggestion(name, map(str, table.columns))}"
        for kind, names in named.items()
        for name in names
        if name not in table.columns
    ]
    if faults:
        raise NetworkError("\n".join(faults))
    other = {name for kind, names in named.items() if kind not in ("columns", "categories") for name in names}
    chosen = named["columns"] or [name for name in map(str, table.columns) if name not in other]
    if taken := [name for name in chosen if name in other]:
        raise NetworkError(f"data.columns names {listing(taken, 5)}, which have another part in the table.")
    if not chosen:
        raise NetworkError(f"{key}: no column is left to predict from.")
    features, columns, indicators = _features(key, table[chosen], named["categories"])
    labels = _labels(key, table[named["target"]], form)
    weights = None if values["sample_weights"] is None else table[values["sample_weights"]].to_numpy(np.float64)
    part_of = _part_of_rows(key, table, values["part"])
    order = np.concatenate([np.flatnonzero(part_of == one) for one in dict.fromkeys(_PARTS.values())])
    parts = {
        one: ArrayPart(features[rows], labels[rows], None if weights is None else weights[rows])
        for one in dict.fromkeys(_PARTS.values())
        if len(rows := np.flatnonzero(part_of == one))
    }
    if "train" not in parts:
        raise NetworkError(f"data.part={values['part']}: no row is of the part train.")
    groups = None if values["group"] is None else group_numbers(f"data.group={values['group']}", table[values["group"]])
    times = None if values["order"] is None else time_numbers(f"data.order={values['order']}", table[values["order"]])
    reading = Reading(key, values["name"] or path.stem, form, "numbers")
    names = named["target"] if form is LabelForm.CLASSES else None
    return pool_of_arrays(
        parts,
        reading,
        names,
        columns=columns,
        indicators=indicators,
        groups=None if groups is None else groups[order],
        times=None if times is None else times[order],
    )


def _listed(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else [str(one) for one in value]


def _features(key: str, table: pd.DataFrame, categories: list[str]) -> tuple[Any, tuple[str, ...], tuple[int, ...]]:
    """The columns as numbers, their names, and which of them stand for a category."""
    import numpy as np
    import pandas as pd

    blocks, names, indicators, gaps = [], [], list[int](), []
    for name in map(str, table.columns):
        column = table[name]
        if missing := int(column.isna().sum()):
            gaps.append(f"{name} ({missing})")
            continue
        if pd.api.types.is_bool_dtype(column) or (pd.api.types.is_numeric_dtype(column) and name not in categories):
            blocks.append(column.to_numpy(np.float32)[:, None])
            names.append(name)
            continue
        texts = column.astype(str)
        found = sorted(texts.unique())
        if len(found) > _MOST_CATEGORIES or (len(found) == len(table) and len(table) > 20):
            raise NetworkError(
                f"{key}: column {name} has {len(found)} different texts in {len(table)} rows, which are no categories: "
                f"leave it out, data.exclude=[{name}]."
            )
        indicators += range(len(names), len(names) + len(found))
        names += [f"{name}={category}" for category in found]
        blocks.append((texts.to_numpy()[:, None] == np.array(found)).astype(np.float32))
    if gaps:
        raise NetworkError(
            f"{key} has missing values, by column: {listing(gaps, 10)}. Fill them in, or set data.exclude."
        )
    return np.concatenate(blocks, axis=1), tuple(names), tuple(indicators)


def _labels(key: str, targets: pd.DataFrame, form: LabelForm) -> Any:
    import numpy as np
    import pandas as pd

    if missing := int(targets.isna().any(axis=1).sum()):
        raise NetworkError(f"{key}: {missing} rows have no value of the target. Leave these rows out.")
    if form is LabelForm.CLASS:
        if len(targets.columns) > 1:
            raise NetworkError(
                f"data.target={list(targets.columns)}: a class is one column. For several: task=multi_label."
            )
        return targets.iloc[:, 0].to_numpy()
    wrong = [str(name) for name in targets.columns if not pd.api.types.is_numeric_dtype(targets[name])]
    if wrong:
        raise NetworkError(
            f"data.target={listing(wrong, 5)}: {key} has texts there, and the task needs {form.value}. For classes: "
            "task=classification."
        )
    return targets.to_numpy(np.float64)


def _part_of_rows(key: str, table: pd.DataFrame, column: str | None) -> Any:
    import numpy as np

    if column is None:
        return np.full(len(table), "train", dtype=object)
    names = table[column].astype(str).str.strip().str.lower()
    unknown = sorted(set(names) - set(_PARTS))
    if unknown:
        raise NetworkError(f"data.part={column}: {listing(unknown, 5)} in {key}; train, validation and test are parts.")
    return names.map(_PARTS).to_numpy()
