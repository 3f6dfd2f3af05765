"""One simulated study as the product judges it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ablate.analysis.decisions import Trajectory

Floats = NDArray[np.float64]


def trajectories(reference: Floats, cells: Floats) -> dict[str, Trajectory]:
    """One study: runs of the reference by seed, and of each cell."""
    return {
        str(index): Trajectory(
            tuple((reference - cell).tolist()),
            tuple(np.nan_to_num(np.maximum(np.abs(reference), np.abs(cell))).tolist()),
            tuple(zip(reference.tolist(), cell.tolist(), strict=True)),
        )
        for index, cell in enumerate(cells)
    }
