"""What an effect says, as a sentence for a paper."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ablate.analysis.effects import Effect
from ablate.analysis.intervals import LEVEL, MeanInterval
from ablate.analysis.power import advised_seeds, seeds_more
from ablate.analysis.sequential import SequentialState
from ablate.analysis.verdicts import direction_of
from ablate.formatting import enumeration, p_value, percent, plural, rounded_interval, signed
from ablate.study import Cell, Plan, metric_of
from ablate.study.metric import POINTS, metric_label, share_top


@dataclass(frozen=True)
class Unit:
    """How differences of a metric are written.

    Args:
        scale: What they are multiplied by.
        suffix: What follows the number, with a blank before it; for accuracies `` points``.
    """

    scale: float = 1.0
    suffix: str = ""

    def of(self, difference: MeanInterval) -> MeanInterval:
        """A difference in this unit."""
        return difference.scaled(self.scale)

    def margin(self, margin: float) -> str:
        """A margin in this unit.

        Example:
            >>> Unit(100.0, " points").margin(0.01), Unit().margin(0.01)
            ('1 point', '0.01')
        """
        number = f"{margin * self.scale:.10g}"
        return f"{number}{' point' if number == '1' and self.suffix == f' {POINTS}' else self.suffix}"


def unit_of(metric: str, values: Iterable[float]) -> Unit:
    """The unit of a metric's differences, as its declaration has it (:func:`ablate.study.metric_of`).

    Args:
        metric: Its name.
        values: Its values in all runs, which show whether a share is given from 0 to 1 or in percent. Where it is
            neither, its differences have no unit.

    Example:
        >>> unit_of("test_accuracy", [0.97, 0.98]), unit_of("val_loss", [0.1])
        (Unit(scale=100.0, suffix=' points'), Unit(scale=1.0, suffix=''))
    """
    unit = metric_of(metric).unit
    if unit != POINTS:
        return Unit(1.0, f" {unit}" if unit else "")
    top = share_top(metric, values)
    return Unit() if top is None else Unit(100.0 / top, f" {POINTS}")


def sentence(effect: Effect, plan: Plan, comparisons: int, state: SequentialState | None = None) -> str:
    """The effect of a cell with its interval, number of seeds and p value, and what is claimed.

    Intervals are unadjusted; the p value is the adjusted one of the claim that is made.

    Args:
        effect: The effect.
        plan: The plan.
        comparisons: Number of effects over which p values were adjusted.
        state: The study under the sequential rule, or None for a fixed number of seeds.

    Returns:
        One sentence, or two for an undecided effect.
    """
    metric = metric_label(plan.study.metric).replace("_", " ")
    change = change_in_words(effect.cell, effect.changed, plan)
    change = change[0].upper() + change[1:]
    unit = unit_of(plan.study.metric, (value for side in effect.samples for value in side))
    difference = unit.of(effect.difference)
    if difference.n == 0:
        return f"{change}: no seed in common with the reference, so nothing can be said about {metric}."
    n = f"n = {plural(difference.n, 'paired seed' if effect.unpaired is None else 'run')}"
    rough = f"{change} changes {metric} by {signed(difference.mean)}{unit.suffix}"
    seed = "seed" if plan.study.paired else "run"
    if difference.n == 1:
        return f"{rough} in a single {seed}, which allows no inference."
    if effect.is_constant:
        return f"{rough} for all {difference.n} {seed}s alike, which allows no inference."
    if effect.withheld and math.isnan(difference.half):
        return f"{rough} ({n}), which decides nothing: {effect.withheld}."
    if math.isnan(difference.half):
        return f"{rough} so far ({n}), before the first look."
    margin = "" if plan.study.margin is None else unit.margin(plan.study.margin)
    kind = f"{percent(LEVEL)} {'CI' if state is None else 'repeated CI'}"
    conclusion = direction_of(effect.verdict)
    failed, runs = effect.failures
    bound = f"; {failed} of {runs} runs failed or collapsed, which leaves up to {percent(effect.failure_rate)}"
    rate = bound if conclusion in ("no effect", "dispensable") and runs else ""
    if conclusion in ("helps", "hurts"):
        # Told as a size with its direction, so the interval is that of the size, too.
        verb, sign = ("raises", 1.0) if difference.mean > 0 else ("lowers", -1.0)
        ends = sorted((sign * difference.low, sign * difference.high))
        size, low, high = rounded_interval(abs(difference.mean), *ends)
        p = p_value(effect.adjusted.difference)
        small = f", less than the margin of {margin}" if conclusion != effect.verdict else ""
        return f"{change} {verb} {metric} by {size}{unit.suffix} ({kind} {low} to {high}, {n}, {p}){small}."
    mean, low, high = rounded_interval(difference.mean, difference.low, difference.high)
    changes = f"{change} changes {metric} by {mean}{unit.suffix} ({kind} {low} to {high}, {n}"
    if conclusion == "no effect":
        p = p_value(effect.adjusted.equivalence)
        return f"{changes}), by less than the margin of {margin} in either direction (equivalence {p}{rate})."
    if conclusion == "dispensable":
        p = p_value(effect.adjusted.dispensability)
        return f"{changes}), which excludes a turn for the worse by the margin of {margin} (non-inferiority {p}{rate})."
    if effect.withheld:
        return f"{changes}), which decides nothing: {effect.withheld}."
    more = _seeds_missing(effect, plan, comparisons, state)
    return f"{changes}, {p_value(effect.adjusted.difference)}), which decides nothing. {more}"


def _seeds_missing(effect: Effect, plan: Plan, comparisons: int, state: SequentialState | None) -> str:
    if plan.study.resplit is not None:
        return "More seeds that split the same data would add little."
    if state is None:
        seeds = advised_seeds(effect.contribution, comparisons, plan.study.margin)
        noun = "seeds" if effect.unpaired is None else "runs of each"
        return f"If this is its true size, a new study needs {seeds} {noun}."
    more = seeds_more(effect.contribution, comparisons, plan.study.margin, state.rule)
    if more is None:
        return f"If this is its true size, it takes more seeds than the {state.rule.max_seeds} allowed."
    return f"If this is its true size, about {plural(more, 'more seed')} would decide."


def change_in_words(cell: Cell, changed: Sequence[str], plan: Plan) -> str:
    """What is done to the reference, as the subject of a sentence: ``removing residual``.

    Args:
        cell: The changed cell.
        changed: Names of the factors that make the change; blocks are not among them.
        plan: The plan.
    """
    removed, added, changes = [], [], []
    for factor in plan.factors:
        if factor.name in changed:
            level = cell.levels[factor.name]
            label = factor.label or factor.name.rpartition(".")[2].replace("_", " ")
            if (factor.reference, level) == ("true", "false"):
                removed.append(label)
            elif (factor.reference, level) == ("false", "true"):
                added.append(label)
            else:
                changes.append(f"setting {label} to {level} instead of {factor.reference}")
    verbs = (("removing", removed), ("adding", added))
    changes = [f"{verb} {enumeration(labels)}" for verb, labels in verbs if labels] + changes
    where = [f"{factor.name} {cell.levels[factor.name]}" for factor in plan.factors if factor.block]
    return (enumeration(changes) or "this") + (f" (on {', '.join(where)})" if where else "")
