"""Write the table of the sequential rule, ``ablate/analysis/boundary.npz``: about two minutes on one core.

Usage: python benchmarks/calibrate.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import special

import ablate.analysis
from ablate.analysis.boundary import FIRST_LOOK, LARGEST, running_scores

STUDIES = 2_000_000
CHUNK = 50_000
SEED = 20261123
SCORES = np.linspace(-3.0, 4.0, 141)  # tail probabilities from .9987 to 3e-5


def main() -> None:
    rng = np.random.default_rng(SEED)
    looks = LARGEST - FIRST_LOOK + 1
    two = np.empty((looks, STUDIES), dtype=np.float32)
    one = np.empty((looks, STUDIES), dtype=np.float32)
    for start in range(0, STUDIES, CHUNK):
        scores = running_scores(rng.standard_normal((CHUNK, LARGEST)))[:, FIRST_LOOK - 1 :]
        two[:, start : start + CHUNK] = np.maximum.accumulate(np.abs(scores), axis=1).T
        one[:, start : start + CHUNK] = np.maximum.accumulate(scores, axis=1).T
    probabilities = special.ndtr(SCORES)
    table = {
        "score": SCORES.astype(np.float32),
        "two_sided": np.stack([np.quantile(row, probabilities) for row in two]).astype(np.float32),
        "one_sided": np.stack([np.quantile(row, probabilities) for row in one]).astype(np.float32),
    }
    path = Path(ablate.analysis.__file__).with_name("boundary.npz")
    np.savez_compressed(path, **table)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
