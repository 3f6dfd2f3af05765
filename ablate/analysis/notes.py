"""What a reader of the numbers must know about them, a sentence each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from ablate.analysis.checks import MAJORITY, guessing_cells, identical_runs, seed_is_idle
from ablate.analysis.decisions import SIGN_FLIP
from ablate.analysis.effects import Effect
from ablate.analysis.growth import levels_of
from ablate.analysis.intervals import LEVEL
from ablate.analysis.observations import Observations
from ablate.analysis.power import MOST_ADVISED, SIZES, SeedsNeeded, advised_seeds
from ablate.analysis.rounds import Round
from ablate.analysis.verdicts import ALPHA, blocking_interval, blocking_p_value
from ablate.formatting import enumeration, listing, p_value, percent, plural, significant
from ablate.study import Plan
from ablate.study.design import is_fraction


def notes_on(
    plan: Plan,
    runs: pd.DataFrame,
    unplanned: int,
    values: Observations,
    effects: tuple[Effect, ...],
    robustness: pd.DataFrame,
    convergence: pd.DataFrame,
    round: Round | None = None,
    looks: Sequence[int] = (),
) -> tuple[str, ...]:
    """What is missing, failed, excluded, or not what it seems, and reasons to doubt the runs or the t test.

    Args:
        plan: The plan.
        runs: The planned runs in order.
        unplanned: How many runs of other cells were left out.
        values: The metric by cell label and seed, as far as it exists.
        effects: The effects.
        robustness: See :func:`ablate.analysis.robustness.robustness_frame`.
        convergence: See :func:`ablate.analysis.checks.convergence`.
        round: The state of the study under the sequential rule, or None where its seeds were fixed.
        looks: Numbers of seeds at which a study of fixed seeds had results before it grew.
    """
    return (
        *(_progress_notes(plan, runs) if round is None else _round_notes(plan, runs, round)),
        *_failure_notes(plan, runs),
        *_exclusion_notes(plan, runs, unplanned, values, round),
        *_effect_notes(plan, values, effects, guessing := guessing_cells(runs, plan)),
        *_guessing_notes(guessing, runs),
        *_withheld_notes(effects),
        *_growth_notes(plan, looks),
        *(_undecided_notes(plan, effects) if round is None or not round.runs else ()),
        *_trust_notes(plan, runs, robustness, convergence),
    )


def _progress_notes(plan: Plan, runs: pd.DataFrame) -> Iterator[str]:
    planned = () if plan.study.adopted else plan.cells
    states = {(cell.label, seed): "waiting" for cell in planned for seed in plan.study.seeds}
    states |= dict(zip(zip(runs["cell"], runs["seed"], strict=True), runs["state"], strict=True))
    counts = Counter(states.values())
    if not counts["finished"]:
        yield f"No run has finished yet, of {len(states)} planned."
        return
    for state in ("running", "waiting"):
        if counts[state]:
            yield f"{counts[state]} of {len(states)} runs {'is' if counts[state] == 1 else 'are'} still {state}."


def _round_notes(plan: Plan, runs: pd.DataFrame, round: Round) -> Iterator[str]:
    missing = len(round.runs)
    if missing:
        yield f"{plural(missing, 'run is', 'runs are')} still to come before the next look."
    else:
        if round.state.undecided:
            allowed = round.state.rule.max_seeds
            yield f"Undecided after all {allowed} seeds allowed: {_cells(round.state.undecided)}."
        yield round.sentence
    unread = sum(
        row.state == "finished" and row.seed not in plan.study.seeds[: round.read[str(row.cell)]]
        for row in runs.itertuples(index=False)
    )
    if unread:
        verb = "stays" if unread == 1 else "stay"
        yield f"{plural(unread, 'finished run is', 'finished runs are')} beyond the last look and {verb} unread."


def _failure_notes(plan: Plan, runs: pd.DataFrame) -> Iterator[str]:
    failed = runs[runs["state"] == "failed"]
    with_failures = set(failed["cell"])
    for label in [cell.label for cell in plan.cells if cell.label in with_failures]:
        rows = failed[failed["cell"] == label].sort_values("seed")
        total = int((runs["cell"] == label).sum())
        reasons = listing((f"seed {row.seed}: {_first_line(row.reason)}" for row in rows.itertuples()), separator="; ")
        yield f"{label}: {len(rows)} of {total} runs failed ({reasons})."
    failures = plan.study.failures
    if plan.study.failure_policy == "worst":
        what = "the worst finished run of their block" if failures == "worst" else f"{failures:g}"
        yield f"Runs without a result count as {what}, as declared."


def _first_line(reason: object) -> str:
    lines = str(reason).strip().splitlines() if isinstance(reason, str) else []
    return lines[0] if lines else "no reason recorded"


def _exclusion_notes(
    plan: Plan, runs: pd.DataFrame, unplanned: int, values: Observations, round: Round | None
) -> Iterator[str]:
    metric = plan.study.metric
    if unplanned:
        yield f"{unplanned} runs of cells that are not in the plan are left out."
    for cell, rows in runs[runs["state"] == "finished"].groupby("cell", sort=False):
        seeds = set(rows["seed"].astype(int))
        if round is not None:
            seeds &= set(plan.study.seeds[: round.read[str(cell)]])
        without = sorted(seeds - set(values[str(cell)]))
        if without:
            yield f"{cell}: finished without a finite {metric}, left out: {_seeds(without)}."
    beyond = sorted({seed for by_seed in values.values() for seed in by_seed} - set(plan.study.seeds))
    if beyond:
        yield f"Counted though the plan does not name them: {_seeds(beyond)}."


def _guessing_notes(cells: Sequence[str], runs: pd.DataFrame) -> Iterator[str]:
    if not cells:
        return
    scores = runs.loc[runs["cell"].isin(cells) & (runs["state"] == "finished"), MAJORITY].astype(float)
    low, high = significant(float(scores.min())), significant(float(scores.max()))
    share = low if low == high else f"{low} to {high}"
    yield (
        f"This is what guessing the largest class scores ({share}): {_cells(cells)}. The networks have learned nothing "
        "there, or too little; more epochs, another learning rate or more images may change that."
    )


def _effect_notes(
    plan: Plan, values: Observations, effects: tuple[Effect, ...], guessing: Sequence[str] = ()
) -> Iterator[str]:
    single = [effect.cell.label for effect in effects if effect.difference.n == 1]
    if single and is_fraction(plan.study.design):
        yield "Differences of single runs have no interval or verdict; main effects have, by the model of all runs."
    elif single:
        yield f"One {'seed' if plan.study.paired else 'run'} allows no interval, test or verdict: {_cells(single)}."
    apart = [effect.cell.label for effect in effects if effect.difference.n == 0 and values[effect.cell.label]]
    if apart:
        yield f"No finished seed in common with the reference, so no effect: {_cells(apart)}."
    if welch := [effect.cell.label for effect in effects if effect.unpaired is not None and effect.difference.n > 1]:
        which = "" if len(welch) == len(effects) else f" ({_cells(welch)})"
        why = "runs of the two cells share no seed" if plan.study.paired else "the runs are replicates without a seed"
        yield f"Compared without pairing, by Welch's test{which}: {why}."
    all_runs = "seeds" if plan.study.paired else "runs"
    for effect in effects:
        if effect.is_constant:
            n, mean = effect.difference.n, effect.difference.mean
            if mean == 0 and effect.cell.label in guessing:
                what = f"exactly 0 for all {n} {all_runs}, since both guess the largest class"
            elif mean == 0:
                what = f"exactly 0 for all {n} {all_runs}; perhaps the change does nothing here"
            else:
                what = f"the same ({mean:.4g}) for all {n} {all_runs}"
            yield f"{effect.cell.label}: the difference is {what}. Without spread no interval, test or verdict."
    yield from _blocked_claim_notes(plan, effects)


def _undecided_notes(plan: Plan, effects: tuple[Effect, ...]) -> Iterator[str]:
    """How many seeds would decide: those of a new study, because this one has spent its error probability."""
    if plan.study.resplit is not None:
        return  # what splits have in common does not grow less with more seeds
    needed: dict[str, SeedsNeeded] = {}
    for effect in effects:
        if effect.verdict == "undecided" and not effect.withheld:
            seeds = advised_seeds(effect.contribution, len(effects), plan.study.margin)
            if seeds is not None:
                needed[effect.cell.label] = seeds
    if needed:
        by_number = sorted(needed.items(), key=lambda item: item[1].likely or MOST_ADVISED + 1)
        parts = listing((f"{label} {seeds}" for label, seeds in by_number), separator="; ")
        # What others add to their runs is not recorded as a look.
        more = "" if plan.study.adopted else " Seeds added to this one would be judged more strictly."
        counted = "Seeds" if plan.study.paired else "Runs a cell"
        yield (
            f"{counted} that a new study would need, if the effects are as large as they look (for the "
            f"{percent(SIZES)} interval of their size): {parts}.{more}"
        )


def _withheld_notes(effects: tuple[Effect, ...]) -> Iterator[str]:
    for effect in effects:
        if effect.withheld:
            yield f"{effect.cell.label}: {effect.withheld}: undecided."
    flipped = [effect.cell.label for effect in effects if effect.test == SIGN_FLIP]
    if flipped:
        yield f"Tested by flipping signs, because the differences are too skewed for a t test: {_cells(flipped)}."


def _growth_notes(plan: Plan, looks: Sequence[int]) -> Iterator[str]:
    levels = levels_of(looks, len(plan.study.seeds))
    if levels:
        counts = enumeration([str(count) for count, _ in levels])
        yield (
            f"This study had results at {counts} seeds. Claims after the first look must be the surer: their p values "
            f"count {1 / levels[-1][1]:.0f}-fold, so that all looks together err in at most {1.1 * ALPHA:.1%} of "
            "studies. Declare seeds=auto for a study that goes on until it decides."
        )


def _blocked_claim_notes(plan: Plan, effects: tuple[Effect, ...]) -> Iterator[str]:
    """Where interval and p value of an undecided effect point to different verdicts, by the reason."""
    interval = f"unadjusted {percent(LEVEL)} interval"
    for blocking, explain in (
        (blocking_interval, f"the adjusted p value is at most {ALPHA:g}, because the {interval} {{}}"),
        (blocking_p_value, f"the {interval} {{}}, because the adjusted p value is above {ALPHA:g}"),
    ):
        cells: dict[str, list[str]] = {}
        for effect in effects:
            blocked = blocking(effect.contribution, effect.adjusted, plan.study.margin)
            if effect.verdict == "undecided" and blocked is not None:
                cells.setdefault(blocked[0], []).append(f"{effect.cell.label} ({p_value(blocked[1])})")
        for reason, labels in cells.items():
            yield f"Undecided though {explain.format(reason)}: {_cells(labels)}."


def _trust_notes(plan: Plan, runs: pd.DataFrame, robustness: pd.DataFrame, convergence: pd.DataFrame) -> Iterator[str]:
    if seed_is_idle(runs, plan) and not plan.study.paired:
        yield (
            f"All runs of a cell gave the same {plan.study.metric}, in every cell: nothing in the task is random, or "
            "its code fixes the seed. Copies are not replicates: let it take its seed from a key, which seed_key names."
        )
    elif seed_is_idle(runs, plan):
        yield (
            f"All seeds of a cell gave the same {plan.study.metric}, in every cell: does the application read its seed "
            "(the key `seed`, or the one that seed_key names)? Copies are not replicates."
        )
    else:
        for cell, seeds, count in identical_runs(runs, plan):
            yield (
                f"{cell}: {_seeds(seeds)} gave the same numbers in all {count} metrics; is the seed used? Copies are "
                "not replicates."
            )
    for row in robustness.to_dict("records"):
        if row["skewed"]:
            yield (
                f"{row['cell']}: the differences are skewed ({row['skewness']:.1f}), which a t test does not allow "
                f"for; the sign-flip test has {p_value(row['p_sign_flip'])} beside {p_value(row['p'])}, both "
                "unadjusted."
            )
        if row["outliers"]:
            yield f"{row['cell']}: outlying differences, look at {_seeds(row['outliers'].split(', '))}."
    improving = convergence[convergence["improving"].astype(bool)]
    if len(improving):
        metric, window = improving["metric"].iloc[0], int(improving["window"].max())
        cells = _cells(improving["cell"])
        yield f"Not converged: {metric} was still improving over the last {window} epochs of {cells}."


def _seeds(seeds: Sequence[object]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {listing(seeds)}"


def _cells(labels: Iterable[str]) -> str:
    return listing(labels, separator="; ")
