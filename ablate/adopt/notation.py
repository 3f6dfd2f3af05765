"""How the numbers of a table are written: with a decimal point, or with a comma as in much of Europe."""

from __future__ import annotations

import re

import pandas as pd

from ablate.adopt.material import Remark

__all__ = ["with_points"]

_NUMBER = re.compile(r"[-+]?(?:\d+|\d{1,3}(?:\.\d{3})+)(?:,\d+)?(?:[eE][-+]?\d+)?")
_SURE = re.compile(r"[-+]?(?:0,\d|\d{1,3}(?:\.\d{3})+,\d).*")


def with_points(frame: pd.DataFrame, separator: str) -> tuple[pd.DataFrame, list[Remark]]:
    """A table whose decimal commas are read as such.

    ``64,128`` may as well be a list of two widths. So a column counts as one of decimal commas if the table shows in
    some column that it writes numbers so (``0,5`` or ``1.234,5``), or separates its columns by semicolons.

    Args:
        frame: The table.
        separator: What separates its columns.

    Returns:
        The table, and a phrase on the columns that were read so, if there are any.

    Example:
        >>> with_points(pd.DataFrame({"acc": ["0,5", "0,75"], "n": [1, 2]}), ";")[0]["acc"].tolist()
        [0.5, 0.75]
    """
    written = {}
    for name in frame.columns:
        if pd.api.types.is_numeric_dtype(frame[name]):
            continue
        words = [str(value).strip() for value in frame[name].dropna().unique()]
        if any("," in word for word in words) and all(_NUMBER.fullmatch(word) for word in words):
            written[name] = words
    if separator != ";" and not any(_SURE.fullmatch(word) for words in written.values() for word in words):
        return frame, []
    numbers = {
        name: frame[name].astype("string").str.strip().str.replace(".", "").str.replace(",", ".").astype("Float64")
        for name in written
    }
    if not numbers:
        return frame, []
    listed = ", ".join(map(str, numbers))
    return frame.assign(**{name: values.astype(float) for name, values in numbers.items()}), [
        Remark(f"the comma in {listed} was read as a decimal point", otherwise=True)
    ]
