"""What a run that ended without a result counts for: declared before the first run."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from ablate.analysis.comparisons import block_of
from ablate.analysis.observations import Observations
from ablate.errors import AnalysisError, suggestion
from ablate.formatting import listing, plural
from ablate.study import FAILURE_POLICIES, Plan, Study

__all__ = ["Failures", "fill", "lost_seeds"]

_LISTED = 5


@dataclass(frozen=True)
class Failures:
    """The policy for runs that failed, or finished without a finite metric.

    Args:
        policy: ``"drop"``: their seed is left out of the pairs concerned, and flagged. ``"worst"``: they count as the
            worst result. ``"fail"``: there is no result at all until they are repaired.
        value: With ``"worst"``, the metric they count for (the score of guessing, say); None takes the worst finished
            run of the same block, which is known only when all seeds are there.

    Raises:
        AnalysisError: If the policy is unknown, or the value is not finite or goes with another policy.

    Example:
        >>> Failures("worst", 0.1)
        Failures(policy='worst', value=0.1)
    """

    policy: str = "drop"
    value: float | None = None

    def __post_init__(self) -> None:
        if self.policy not in FAILURE_POLICIES:
            raise AnalysisError(
                f"Unknown policy '{self.policy}' for failed runs. Policies: {', '.join(FAILURE_POLICIES)}."
                f"{suggestion(self.policy, FAILURE_POLICIES)}"
            )
        if self.value is not None and (self.policy != "worst" or not math.isfinite(self.value)):
            raise AnalysisError(
                f"The value {self.value} for failed runs under the policy '{self.policy}': only 'worst' takes one, and "
                "it must be finite."
            )

    @classmethod
    def of(cls, study: Study) -> Failures:
        """The policy that a study declares.

        Example:
            >>> Failures.of(Study("demo", "leave_one_out", (0, 1), "accuracy", failures=0.1))
            Failures(policy='worst', value=0.1)
        """
        return cls(study.failures) if isinstance(study.failures, str) else cls("worst", float(study.failures))


def lost_seeds(runs: pd.DataFrame, values: Observations) -> dict[str, frozenset[int]]:
    """By cell label, the seeds whose run failed, or finished without a finite metric."""
    lost: dict[str, set[int]] = {cell: set() for cell in values}
    ended = runs[runs["state"].isin(["failed", "finished"])]
    for cell, seed in zip(ended["cell"], ended["seed"], strict=True):
        if int(seed) not in values[cell]:
            lost[cell].add(int(seed))
    return {cell: frozenset(seeds) for cell, seeds in lost.items()}


def fill(values: Observations, runs: pd.DataFrame, plan: Plan, failures: Failures) -> dict[str, dict[int, float]]:
    """Apply the policy to a study's metric.

    Args:
        values: The metric of every finished run by cell label and seed.
        runs: The planned runs.
        plan: The plan, for the metric's direction and the blocks.
        failures: The policy.

    Returns:
        The metric by cell label and seed, in order, with what failed runs count for.

    Raises:
        AnalysisError: If the policy is ``"fail"`` and a run ended without a result.
    """
    lost = lost_seeds(runs, values)
    if failures.policy == "fail" and any(lost.values()):
        names = [f"{cell}, seed {seed}" for cell, seeds in lost.items() for seed in sorted(seeds)]
        raise AnalysisError(
            f"{plural(len(names), 'run')} of study '{plan.study.name}' ended without a result and the policy for "
            f"failed runs is 'fail': {listing(names, _LISTED, '; ')}. Train again what failed to have a result."
        )
    filled = {cell: dict(by_seed) for cell, by_seed in values.items()}
    if failures.policy == "worst":
        worst = min if plan.study.direction == "max" else max
        by_block: dict[tuple[str, ...], list[float]] = {}
        for cell in plan.cells:
            by_block.setdefault(block_of(cell, plan), []).extend(values[cell.label].values())
        for cell in plan.cells:
            known = by_block[block_of(cell, plan)]
            if failures.value is not None or known:
                value = failures.value if failures.value is not None else worst(known)
                filled[cell.label].update(dict.fromkeys(lost[cell.label], value))
    return {cell: dict(sorted(by_seed.items())) for cell, by_seed in filled.items()}
