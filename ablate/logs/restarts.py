"""Logs to which a training that was started again has appended: which of their rows count."""

from __future__ import annotations

import numpy as np
import pandas as pd


def without_superseded_rows(table: pd.DataFrame, step: str) -> tuple[pd.DataFrame, int]:
    """A log without the rows that a later start of the same training replaced.

    Where the count falls back to an epoch, the training went on from there: what had been written from that epoch on
    is void, and a training that began anew replaces all that stood before. Rows that fill other columns than those
    above them (validation after training) replace nothing, and a log that counts down throughout is left as it is.

    Args:
        table: The rows in the order in which they were written.
        step: The column that counts.

    Returns:
        The rows that count, and how often the training began again.

    Example:
        >>> log = pd.DataFrame({"epoch": [0, 1, 2, 1, 2], "acc": [0.1, 0.2, 0.3, 0.4, 0.5]})
        >>> without_superseded_rows(log, "epoch")[0]["acc"].tolist()
        [0.1, 0.4, 0.5]
    """
    steps = pd.to_numeric(table[step], errors="coerce").to_numpy(dtype=float)
    falls = np.flatnonzero(np.diff(steps) < 0) + 1
    filled = table.drop(columns=step).notna().to_numpy()
    restarts = [row for row in falls if (filled[row - 1] & filled[row]).any()]
    if not restarts or 2 * len(restarts) >= len(table):
        return table, 0
    counts = np.ones(len(table), dtype=bool)
    for row in restarts:
        counts[:row] &= ~(steps[:row] >= steps[row])
    return table[counts].reset_index(drop=True), len(restarts)
