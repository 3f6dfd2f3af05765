"""From a study's runs to the runs that it needs next, under the sequential rule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from ablate.analysis.boundary import FIRST_LOOK, SequentialRule
from ablate.analysis.comparisons import comparisons
from ablate.analysis.decisions import Trajectory
from ablate.analysis.observations import Observations, fill, lost_seeds, observe, ordered
from ablate.analysis.sequential import SequentialState, follow
from ablate.formatting import percent
from ablate.study import Plan


@dataclass(frozen=True)
class Round:
    """What a study under the sequential rule needs next.

    Args:
        state: The decisions so far.
        runs: Cell label and seed of every run that has not ended and is needed, the earliest seeds first; empty when
            the study is over.
        read: By cell label, how many of the plan's seeds the looks have used ("read"); their sum is what the study
            costs.
    """

    state: SequentialState
    runs: tuple[tuple[str, int], ...]
    read: Mapping[str, int]

    @property
    def sentence(self) -> str:
        """What the rule has cost and saved, for a terminal.

        Example:
            >>> state = follow({}, SequentialRule(20))
            >>> Round(state, (), {"full": 8, "w/o a": 8, "w/o b": 4}).sentence
            '20 runs read instead of 60 with 20 seeds for every cell: 40 saved (67%).'
        """
        read, seeds = sum(self.read.values()), self.state.rule.max_seeds
        fixed = len(self.read) * seeds
        return (
            f"{read} runs read instead of {fixed} with {seeds} seeds for every cell: {fixed - read} saved "
            f"({percent((fixed - read) / fixed)})."
        )


def next_runs(plan: Plan, runs: pd.DataFrame, rule: SequentialRule, ahead: int = 0) -> Round:
    """Decide what to train next from what has been trained; a pure function, to be called again after every round.

    All cells take the first three seeds. From then on a look follows every seed, and only cells without a verdict,
    and their references, take the next one. Nothing is needed once every cell is decided or out of seeds.

    Args:
        plan: The plan; its seeds, in their order, are the greatest number that any cell may take. The study's policy
            for failed runs may not be ``"worst"``: the worst run is known only at the end, and looks come before.
        runs: One row per run: ``cell``, ``seed``, ``state``, ``reason``, metrics.
        rule: The rule, for as many seeds as the plan lists.
        ahead: How many seeds beyond the next look spare workers may train already. They stay unread until their look.

    Raises:
        AnalysisError: If the table is faulty.
    """
    table = ordered(runs, plan, ("seed",), ("state", "reason"))
    return round_of(plan, table, fill(observe(table, plan), table, plan), rule, ahead)


def round_of(plan: Plan, runs: pd.DataFrame, values: Observations, rule: SequentialRule, ahead: int = 0) -> Round:
    """As :func:`next_runs`, but from runs already ordered and values in which failed runs count as declared."""
    lost = lost_seeds(runs, values)
    state = follow(trajectories_of(plan, values, lost), rule, plan.study.margin)
    targets = {cell.label: FIRST_LOOK for cell in plan.cells}
    for comparison in comparisons(plan):
        label = comparison.cell.label
        if not state.decisions[label].is_decided:
            target = min(rule.max_seeds, max(FIRST_LOOK, state.look + 1 + ahead))
            # A reference goes on as long as any cell that is compared with it is undecided.
            for cell in (label, comparison.reference.label):
                targets[cell] = max(targets[cell], target)
    needed = tuple(
        (cell.label, seed)
        for position, seed in enumerate(plan.study.seeds)
        for cell in plan.cells
        if position < targets[cell.label] and seed not in values[cell.label] and seed not in lost[cell.label]
    )
    return Round(state, needed, _seeds_read(plan, state))


def trajectories_of(plan: Plan, values: Observations, lost: Mapping[str, frozenset[int]]) -> dict[str, Trajectory]:
    """The contributions of every compared cell in the order of the plan's seeds, up to the first that is missing.

    Args:
        plan: The plan.
        values: The metric by cell label and seed.
        lost: By cell label, the seeds whose runs ended without a result that counts.
    """
    sign = -1.0 if plan.study.direction == "max" else 1.0
    trajectories: dict[str, Trajectory] = {}
    for comparison in comparisons(plan):
        cell, reference = comparison.cell.label, comparison.reference.label
        pairs = []
        for seed in plan.study.seeds:
            ended = [seed in values[label] or seed in lost[label] for label in (reference, cell)]
            is_lost = any(seed in lost[label] and seed not in values[label] for label in (reference, cell))
            if not all(ended) and not is_lost:
                break
            # The seed is used up: a failed run must not be replaced by a luckier one.
            pairs.append((values[reference].get(seed, math.nan), values[cell].get(seed, math.nan)))
        trajectories[cell] = Trajectory(
            tuple(sign * (b - a) for a, b in pairs),
            tuple(0.0 if math.isnan(a - b) else max(abs(a), abs(b)) for a, b in pairs),
            tuple(pairs),
            reference,
            plan.study.direction,
        )
    return trajectories


def read_values(plan: Plan, values: Observations, read: Mapping[str, int]) -> dict[str, dict[int, float]]:
    """What has been read of the observations, and nothing beyond.

    Args:
        plan: The plan.
        values: The metric by cell label and seed.
        read: By cell label, how many of the plan's seeds have been read.
    """
    return {
        cell: {seed: value for seed, value in by_seed.items() if seed in plan.study.seeds[: read[cell]]}
        for cell, by_seed in values.items()
    }


def _seeds_read(plan: Plan, state: SequentialState) -> dict[str, int]:
    """By cell label how many seeds count: for a reference as many as for the longest of its comparisons."""
    compared = comparisons(plan)
    in_comparison = {comparison.reference.label for comparison in compared} | set(state.decisions)
    # A cell in no comparison (alone in its block, for example) is never looked at: its first seeds go in the tables.
    read = {cell.label: 0 if cell.label in in_comparison else FIRST_LOOK for cell in plan.cells}
    for comparison in compared:
        count = state.decisions[comparison.cell.label].read
        for label in (comparison.cell.label, comparison.reference.label):
            read[label] = max(read[label], count)
    return read
