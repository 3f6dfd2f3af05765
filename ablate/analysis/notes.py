"""What a reader of the numbers must know about them, a sentence each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import pandas as pd

from ablate.analysis.checks import copies
from ablate.analysis.effects import Effect
from ablate.analysis.failures import Failures
from ablate.analysis.intervals import LEVEL
from ablate.analysis.observations import Observations
from ablate.analysis.power import seeds_more
from ablate.analysis.rounds import Round
from ablate.analysis.verdicts import ALPHA, objection, reservation
from ablate.study import Plan

__all__ = ["notes_on", "notes_on_trust", "seed_count"]

_LISTED = 10
_MOST_SEEDS = 100


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


def notes_on(
    plan: Plan,
    runs: pd.DataFrame,
    values: Observations,
    effects: tuple[Effect, ...],
    stand: Round | None = None,
    failures: Failures | None = None,
) -> tuple[str, ...]:
    """What is missing, failed, excluded, or not what it seems.

    Args:
        plan: The plan.
        runs: The runs as they were given, planned or not.
        values: The metric by cell label and seed, as far as it exists.
        effects: The effects.
        stand: Where the study stands under the sequential rule, or None where its seeds were fixed.
        failures: What failed runs count for.
    """
    planned = runs[runs["cell"].isin([cell.label for cell in plan.cells])]
    return (
        *(_on_progress(plan, planned) if stand is None else _on_round(plan, planned, stand)),
        *_on_failures(plan, planned, failures or Failures.of(plan.study)),
        *_on_exclusions(plan, runs, planned, values, stand),
        *_on_effects(plan, values, effects),
        *(_on_undecided(plan, effects) if stand is None or not stand.runs else ()),
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


def _on_round(plan: Plan, runs: pd.DataFrame, stand: Round) -> Iterator[str]:
    missing = len(stand.runs)
    if missing:
        yield f"{missing} run{' is' if missing == 1 else 's are'} still to come before the next look."
    else:
        if stand.course.undecided:
            allowed = stand.course.rule.max_seeds
            yield f"Undecided after all {allowed} seeds allowed: {_cells(list(stand.course.undecided))}."
        yield stand.sentence
    unread = sum(
        row.state == "finished" and row.seed not in plan.study.seeds[: stand.read[str(row.cell)]]
        for row in runs.itertuples(index=False)
    )
    if unread:
        yield f"{unread} finished run{' is' if unread == 1 else 's are'} beyond the last look and stay unread."


def _on_failures(plan: Plan, runs: pd.DataFrame, failures: Failures) -> Iterator[str]:
    failed = runs[runs["state"] == "failed"]
    concerned = set(failed["cell"])
    for cell in [cell for cell in plan.cells if cell.label in concerned]:
        rows = failed[failed["cell"] == cell.label].sort_values("seed")
        if len(rows):
            total = int((runs["cell"] == cell.label).sum())
            listed = [f"seed {row.seed}: {_first_line(row.reason)}" for row in rows.head(_LISTED).itertuples()]
            more = f"; and {len(rows) - _LISTED} more" if len(rows) > _LISTED else ""
            yield f"{cell.label}: {len(rows)} of {total} runs failed ({'; '.join(listed)}{more})."
    if failures.policy == "worst":
        what = "the worst finished run of their block" if failures.value is None else f"{failures.value:g}"
        yield f"Runs without a result count as {what}, as declared."


def _first_line(reason: object) -> str:
    lines = str(reason).strip().splitlines() if isinstance(reason, str) else []
    return lines[0] if lines else "no reason recorded"


def _on_exclusions(
    plan: Plan, runs: pd.DataFrame, planned: pd.DataFrame, values: Observations, stand: Round | None
) -> Iterator[str]:
    metric = plan.study.metric
    foreign = len(runs) - len(planned)
    if foreign:
        yield f"{foreign} runs of cells that are not in the plan are left out."
    for cell, rows in planned[planned["state"] == "finished"].groupby("cell", sort=False):
        seeds = set(rows["seed"].astype(int))
        if stand is not None:
            seeds &= set(plan.study.seeds[: stand.read[str(cell)]])
        without = sorted(seeds - set(values[str(cell)]))
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


def _on_undecided(plan: Plan, effects: tuple[Effect, ...]) -> Iterator[str]:
    """How many seeds would decide; under the sequential rule those of a new study, for this one has used its own."""
    needed: dict[str, int] = {}
    beyond: list[str] = []
    for effect in effects:
        if effect.verdict == "undecided" and not math.isnan(effect.contribution.error):
            more = seeds_more(effect.contribution, len(effects), plan.study.margin)
            total = effect.contribution.n + (more or _MOST_SEEDS)
            if total <= _MOST_SEEDS:
                needed[effect.cell.label] = total
            else:
                beyond.append(effect.cell.label)
    parts = [f"{label} {total}" for label, total in sorted(needed.items(), key=lambda item: item[1])]
    parts = [*parts[:_LISTED], *(["..."] if len(parts) > _LISTED else [])]
    parts += [f"more than {_MOST_SEEDS} for {_cells(beyond)}"] if beyond else []
    if parts:
        yield f"Seeds that would decide, if the effects are as large as they look: {'; '.join(parts)}."


def _on_objections(plan: Plan, effects: tuple[Effect, ...]) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    reserved: dict[str, list[str]] = {}
    for effect in effects:
        if effect.verdict == "undecided":
            suggested = objection(effect.contribution, effect.adjusted, plan.study.margin)
            if suggested is not None:
                found.setdefault(suggested[0], []).append(f"{effect.cell.label} (p = {suggested[1]:.2g})")
            kept = reservation(effect.contribution, effect.adjusted, plan.study.margin)
            if kept is not None:
                reserved.setdefault(kept[0], []).append(f"{effect.cell.label} (p = {kept[1]:.2g})")
    for what, cells in reserved.items():
        yield (
            f"Undecided though the Holm-adjusted p value is at most {ALPHA:g}, because the unadjusted {LEVEL:.0%} "
            f"interval {what}: {_cells(cells)}."
        )
    for what, cells in found.items():
        yield (
            f"Undecided though the unadjusted {LEVEL:.0%} interval {what}, because the Holm-adjusted p value is above "
            f"{ALPHA:g}: {_cells(cells)}."
        )


def notes_on_trust(
    plan: Plan, runs: pd.DataFrame, robustness: pd.DataFrame, convergence: pd.DataFrame
) -> tuple[str, ...]:
    """What speaks against taking the runs, or the t test, at face value.

    Args:
        plan: The plan.
        runs: The planned runs in order.
        robustness: See :func:`ablate.analysis.robustness.robustness_frame`.
        convergence: See :func:`ablate.analysis.checks.convergence`.
    """
    found = [
        f"{cell}: {_seeds(list(seeds))} gave the same numbers in all {count} metrics; is the seed used? Copies are "
        "not replicates."
        for cell, seeds, count in copies(runs, plan)
    ]
    for row in robustness.to_dict("records"):
        if row["skewed"]:
            found.append(
                f"{row['cell']}: the differences are skewed ({row['skewness']:.1f}), which a t test does not allow "
                f"for; the sign-flip test has p = {row['p_sign_flip']:.2g} beside p = {row['p']:.2g}, both unadjusted."
            )
        if row["outliers"]:
            plural = "s" if "," in row["outliers"] else ""
            found.append(f"{row['cell']}: outlying differences, look at seed{plural} {row['outliers']}.")
    improving = convergence.loc[convergence["improving"].astype(bool)] if len(convergence) else convergence
    if len(improving):
        metric, window = improving["metric"].iloc[0], int(improving["window"].max())
        cells = _cells([str(cell) for cell in improving["cell"]])
        found.append(f"Not converged: {metric} was still improving over the last {window} epochs of {cells}.")
    return tuple(found)


def _seeds(seeds: list[int]) -> str:
    more = f" and {len(seeds) - _LISTED} more" if len(seeds) > _LISTED else ""
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(str(seed) for seed in seeds[:_LISTED])}{more}"


def _cells(labels: list[str]) -> str:
    more = f"; and {len(labels) - _LISTED} more" if len(labels) > _LISTED else ""
    return "; ".join(labels[:_LISTED]) + more
