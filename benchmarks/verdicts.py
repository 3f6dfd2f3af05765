"""How often verdicts are wrong, how often they find what is there, and what they cost: about three minutes on one core.

Each study has six ingredients and one full cell, all with the same seeds. ``d`` is the mean of the paired difference
in its standard deviations; the differences of two ingredients correlate by one half, because they share the full cell.
Columns called ``ref`` hold what a separate program of the same rule found with 10,000 studies a row; it stopped for
two-sided equivalence alone, so that with a margin it takes more runs where there is no effect.

Usage: python benchmarks/verdicts.py [studies a row, default 1500]
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ablate.analysis.boundary import FIRST_LOOK, SequentialRule
from ablate.analysis.intervals import t_interval
from ablate.analysis.sequential import Trajectory, follow
from ablate.analysis.verdicts import adjust, evidence, verdict

INGREDIENTS = 6
SEED = 20261124
RULE = SequentialRule(20)
MIXED = (0.0, 0.0, 0.5, 1.0, 2.0, 4.0)

# Family-wise error or power, and total runs, of the separate program: no equivalence stop, then margin 1.
REFERENCE = {
    ("fixed 10", None): {
        0: (0.044, 70),
        0.5: (0.11, 70),
        1: (0.60, 70),
        2: (1.0, 70),
        4: (1.0, 70),
        "mixed": (0.031, 70),
    },
    ("fixed 20", None): {
        0: (0.042, 140),
        0.5: (0.35, 140),
        1: (0.98, 140),
        2: (1.0, 140),
        4: (1.0, 140),
        "mixed": (0.038, 140),
    },
    ("auto", None): {
        0: (0.044, 140),
        0.5: (0.27, 134),
        1: (0.95, 98),
        2: (1.0, 60),
        4: (1.0, 44),
        "mixed": (0.036, 108),
    },
    ("auto", 1.0): {0: (0.032, 105), 0.5: (0.26, 123), 1: (0.95, 98), 2: (1.0, 60), 4: (1.0, 44), "mixed": (0.033, 97)},
}


@dataclass(frozen=True)
class Outcome:
    """Verdicts and seeds of one study, and how many of its intervals cover the truth."""

    verdicts: tuple[str, ...]
    seeds: tuple[int, ...]
    covered: int


def draw(rng: np.random.Generator, shape: tuple[int, ...], noise: str) -> NDArray[np.float64]:
    if noise == "laplace":
        return rng.laplace(size=shape) / math.sqrt(2)
    if noise == "t3":
        return rng.standard_t(3, size=shape) / math.sqrt(3)
    return rng.standard_normal(shape)


def auto(contributions: NDArray[np.float64], truth: Sequence[float], margin: float | None) -> Outcome:
    trajectories = {str(index): Trajectory(tuple(row)) for index, row in enumerate(contributions.tolist())}
    found = list(follow(trajectories, RULE, margin).decisions.values())
    return Outcome(
        tuple(decision.verdict for decision in found),
        tuple(decision.read for decision in found),
        sum(d.contribution.low <= mean <= d.contribution.high for d, mean in zip(found, truth, strict=True)),
    )


def fixed(n: int, contributions: NDArray[np.float64], truth: Sequence[float], margin: float | None) -> Outcome:
    means = [t_interval(row[:n]) for row in contributions.tolist()]
    adjusted = adjust([evidence(mean, margin) for mean in means])
    return Outcome(
        tuple(verdict(mean, p, margin) for mean, p in zip(means, adjusted, strict=True)),
        (n,) * len(means),
        sum(found.low <= mean <= found.high for found, mean in zip(means, truth, strict=True)),
    )


METHODS = {
    "fixed 10": lambda *study: fixed(10, *study),
    "fixed 20": lambda *study: fixed(20, *study),
    "auto": auto,
}


def studies(truth: Sequence[float], count: int, noise: str = "normal") -> NDArray[np.float64]:
    rng = np.random.default_rng([SEED, len(noise), int(10 * sum(truth))])
    full = draw(rng, (count, 1, RULE.max_seeds), noise)
    cells = draw(rng, (count, len(truth), RULE.max_seeds), noise)
    return np.asarray(truth)[:, np.newaxis] + (full - cells) / math.sqrt(2)


def row(
    method: str, truth: Sequence[float], count: int, margin: float | None, noise: str = "normal"
) -> dict[str, float]:
    outcomes = [METHODS[method](study, truth, margin) for study in studies(truth, count, noise)]
    wrong = [
        any(
            (said == "helps" and mean <= 0) or (said == "hurts" and mean >= 0)
            for said, mean in zip(found.verdicts, truth, strict=True)
        )
        for found in outcomes
    ]
    late = [
        any(
            (said == "no effect" and abs(mean) >= (margin or math.inf))
            or (said == "dispensable" and mean >= (margin or math.inf))
            for said, mean in zip(found.verdicts, truth, strict=True)
        )
        for found in outcomes
    ]
    said = [word for found in outcomes for word in found.verdicts]
    return {
        "error": float(np.mean(wrong)),
        "false_settled": float(np.mean(late)),
        "power": said.count("helps") / len(said),
        "settled": (said.count("no effect") + said.count("dispensable")) / len(said),
        "seeds": float(np.mean([found.seeds for found in outcomes])),
        "runs": float(np.mean([sum(found.seeds) + max(found.seeds) for found in outcomes])),
        "coverage": float(np.mean([found.covered for found in outcomes]) / len(truth)),
    }


def simultaneous_coverage(count: int) -> float:
    """How often the repeated intervals of all looks cover the mean."""
    values = np.random.default_rng(SEED).standard_normal((count, RULE.max_seeds))
    n = np.arange(1, RULE.max_seeds + 1)
    means = values.cumsum(axis=1) / n
    spread = np.sqrt(np.maximum((values**2).cumsum(axis=1) - n * means**2, 0) / np.maximum(n - 1, 1) / n)
    looks = slice(FIRST_LOOK - 1, None)
    inside = np.abs(means[:, looks]) <= RULE.half_width(n[looks]) * spread[:, looks]
    return float(inside.all(axis=1).mean())


def same_networks(count: int) -> int:
    """Studies in which a toggle that does nothing is called helps or hurts, noise drawn by seed and cell."""
    called = 0
    for study in range(count):
        scores = [
            [np.random.default_rng([SEED, study, cell, seed]).normal(0.97, 0.006) for seed in range(RULE.max_seeds)]
            for cell in range(2)
        ]
        trajectory = Trajectory(tuple(full - cell for full, cell in zip(*scores, strict=True)), (1.0,) * RULE.max_seeds)
        called += follow({"toggle": trajectory}, RULE).decisions["toggle"].verdict in ("helps", "hurts")
    return called


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1500
    started = time.perf_counter()
    error = math.sqrt(0.05 * 0.95 / count)
    print(f"{count} studies a row; a family-wise error of .050 has a Monte Carlo error of {error:.3f}.\n")
    print("method    margin  d      error/power   ref   settled  false settled  seeds   runs   ref  coverage")
    results = {}
    for method, margin in (("fixed 10", None), ("fixed 20", None), ("auto", None), ("auto", 1.0)):
        for name in (0, 0.5, 1, 2, 4, "mixed"):
            truth = MIXED if name == "mixed" else (float(name),) * INGREDIENTS
            found = results[method, margin, name] = row(method, truth, count, margin)
            shown = found["error"] if name in (0, "mixed") else found["power"]
            known, runs = REFERENCE[method, margin][name]
            print(
                f"{method:9} {margin or '-':>6}  {name!s:6} {shown:11.3f}  {known:5.3f}  {found['settled']:7.2f}"
                f"  {found['false_settled']:13.3f}  {found['seeds']:5.1f}  {found['runs']:5.0f}  {runs:4}"
                f"  {found['coverage']:8.3f}",
                flush=True,
            )
    print("\nFamily-wise error of auto, six ingredients without effect, at most .05 asked for:")
    for noise in ("normal", "laplace", "t3"):
        found = row("auto", (0.0,) * INGREDIENTS, count, None, noise)
        print(f"  {noise:8} {found['error']:.3f}   coverage at the stop {found['coverage']:.3f}", flush=True)
    print(f"\nRepeated intervals, all looks at once: {simultaneous_coverage(100_000):.4f} (.95 asked for)")
    for d in (1, 2, 4):
        auto_, twenty = results["auto", None, d], results["fixed 20", None, d]
        print(
            f"d={d}: auto finds {auto_['power']:.3f} against {twenty['power']:.3f} with "
            f"{auto_['runs'] / twenty['runs']:.0%} of the runs"
        )
    called = same_networks(2000)
    limit = math.floor(2000 * 0.05 + 2 * math.sqrt(2000 * 0.05 * 0.95))
    print(f"\nA/A: {called} of 2000 studies call a toggle that does nothing helpful or harmful (at most {limit})")
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
