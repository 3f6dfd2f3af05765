"""Logs to which a training was appended that began again."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ablate.adopt.material import Remark

__all__ = ["without_superseded"]


def without_superseded(frame: pd.DataFrame, step: str) -> tuple[pd.DataFrame, list[Remark]]:
    """A log without the rows that a later start of the same training replaced.

    Where the count falls back to an epoch, the training went on from there: what had been written from that epoch on
    is void, and a training that began anew replaces all that stood before. Rows that fill other columns than those
    above them (validation after training) replace nothing, and a log that counts down throughout is left as it is.

    Args:
        frame: The rows in the order in which they were written.
        step: The column that counts.

    Returns:
        The rows that count, and a phrase on those left out, if there are any.

    Example:
        >>> log = pd.DataFrame({"epoch": [0, 1, 2, 1, 2], "acc": [0.1, 0.2, 0.3, 0.4, 0.5]})
        >>> without_superseded(log, "epoch")[0]["acc"].tolist()
        [0.1, 0.4, 0.5]
    """
    steps = pd.to_numeric(frame[step], errors="coerce").to_numpy(dtype=float)
    starts = np.flatnonzero(np.diff(steps) < 0) + 1
    filled = frame.drop(columns=step).notna().to_numpy()
    starts = np.array([at for at in starts if (filled[at - 1] & filled[at]).any()], dtype=int)
    if not len(starts) or 2 * len(starts) >= len(frame):
        return frame, []
    counts = np.ones(len(frame), dtype=bool)
    for at in starts:
        counts[:at] &= ~(steps[:at] >= steps[at])
    times = "once" if len(starts) == 1 else f"{len(starts)} times"
    return frame[counts].reset_index(drop=True), [
        Remark(
            f"its column '{step}' falls back {times}, as where a training began again; "
            f"{int((~counts).sum())} rows were replaced by later ones",
            otherwise=True,
        )
    ]
