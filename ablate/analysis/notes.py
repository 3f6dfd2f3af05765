"""What a reader of the numbers must know about them, a sentence each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from ablate.analysis.effects import Effect
from ablate.analysis.intervals import LEVEL
from ablate.analysis.observations import Observations
from ablate.analysis.verdicts import ALPHA, objection
from ablate.study import Plan

__all__ = ["notes_on", "seed_count"]

_LISTED = 10


def seed_count(counts: Iterable[int]) -> str:
    """How many seeds cells have, as captions say it.

    Example:
        >>> seed_count([3, 3]), seed_count([2, 3]), seed_count([1])
        ('n = 3 seeds', 'n = 2 to 3 seeds', 'n = 1 seed')
    """
    found = sorted(set(counts))
    if len(found) > 1:
        return f"n = {found[0]} to {found[-1]} seeds"
    return f"n = {found[0]} seed{'' if found[0] == 1 else 's'}"


def notes_on(plan: Plan, runs: pd.DataFrame, values: Observations, effects: tuple[Effect, ...]) -> tuple[str, ...]:
    """What is missing, failed, excluded, or not what it seems.

    Args:
        plan: The plan.
        runs: The runs as they were given, planned or not.
        values: The metric by cell label and seed, as far as it exists.
        effects: The effects.
    """
    planned = runs[runs["cell"].isin([cell.label for cell in plan.cells])]
    return (
        *_on_progress(plan, planned),
        *_on_failures(plan, planned),
        *_on_exclusions(plan, runs, planned, values),
        *_on_effects(plan, values, effects),
    )


def _on_progress(plan: Plan, runs: pd.DataFrame) -> Iterator[str]:
    states = {(row.cell, row.seed): row.state for row in runs[["cell", "seed", "state"]].itertuples(index=False)}
    planned = {(cell.label, seed) for cell in plan.cells for seed in plan.study.seeds}
    total = len(planned | set(states))
    finished = sum(state == "finished" for state in states.values())
    if not finished:
        yield f"No run has finished yet, of {total} planned."
    open_runs = {key: states.get(key, "waiting") for key in planned | set(states)}
    for state in ("running", "waiting"):
        count = sum(value == state for value in open_runs.values())
        if count and finished:
            yield f"{count} of {total} runs {'is' if count == 1 else 'are'} still {state}."


def _on_failures(plan: Plan, runs: pd.DataFrame) -> Iterator[str]:
    failed = runs[runs["state"] == "failed"]
    for cell in plan.cells:
        rows = failed[failed["cell"] == cell.label].sort_values("seed")
        if len(rows):
            total = int((runs["cell"] == cell.label).sum())
            listed = [f"seed {row.seed}: {_first_line(row.reason)}" for row in rows.head(_LISTED).itertuples()]
            more = f"; and {len(rows) - _LISTED} more" if len(rows) > _LISTED else ""
            yield f"{cell.label}: {len(rows)} of {total} runs failed ({'; '.join(listed)}{more})."


def _first_line(reason: object) -> str:
    lines = str(reason).strip().splitlines() if isinstance(reason, str) else []
    return lines[0] if lines else "no reason recorded"


def _on_exclusions(plan: Plan, runs: pd.DataFrame, planned: pd.DataFrame, values: Observations) -> Iterator[str]:
    metric = plan.study.metric
    foreign = len(runs) - len(planned)
    if foreign:
        yield f"{foreign} runs of cells that are not in the plan are left out."
    for cell, rows in planned[planned["state"] == "finished"].groupby("cell", sort=False):
        without = sorted(set(rows["seed"].astype(int)) - set(values[str(cell)]))
        if without:
            yield f"{cell}: finished without a finite {metric}, left out: {_seeds(without)}."
    beyond = sorted({seed for found in values.values() for seed in found} - set(plan.study.seeds))
    if beyond:
        yield f"Counted though the plan does not name them: {_seeds(beyond)}."


def _on_effects(plan: Plan, values: Observations, effects: tuple[Effect, ...]) -> Iterator[str]:
    single = [effect.cell.label for effect in effects if effect.difference.n == 1]
    if single:
        yield f"One seed allows no interval, test or verdict: {_cells(single)}."
    apart = [effect.cell.label for effect in effects if not effect.pairs and values[effect.cell.label]]
    if apart:
        yield f"No finished seed in common with the reference, so no effect: {_cells(apart)}."
    for effect in effects:
        if effect.is_constant:
            n, mean = effect.difference.n, effect.difference.mean
            if mean == 0:
                what = f"exactly 0 for all {n} seeds; perhaps the change does nothing here"
            else:
                what = f"the same ({mean:.4g}) for all {n} seeds"
            yield f"{effect.cell.label}: the difference is {what}. Without spread no interval, test or verdict."
    yield from _on_objections(plan, effects)


def _on_objections(plan: Plan, effects: tuple[Effect, ...]) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    for effect in effects:
        if effect.verdict == "undecided":
            suggested = objection(effect.contribution, effect.adjusted, plan.study.margin)
            if suggested is not None:
                found.setdefault(suggested[0], []).append(f"{effect.cell.label} (p = {suggested[1]:.2g})")
    for what, cells in found.items():
        yield (
            f"Undecided though the unadjusted {LEVEL:.0%} interval {what}, because the Holm-adjusted p value is above "
            f"{ALPHA:g}: {_cells(cells)}."
        )


def _seeds(seeds: list[int]) -> str:
    more = f" and {len(seeds) - _LISTED} more" if len(seeds) > _LISTED else ""
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(str(seed) for seed in seeds[:_LISTED])}{more}"


def _cells(labels: list[str]) -> str:
    more = f"; and {len(labels) - _LISTED} more" if len(labels) > _LISTED else ""
    return "; ".join(labels[:_LISTED]) + more
