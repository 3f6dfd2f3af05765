"""Effects: what changes when a cell is trained instead of its reference, seed by seed where runs form pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from ablate.analysis.comparisons import Comparison, Pairs, comparisons, shared_pairs, size_of
from ablate.analysis.intervals import MeanInterval, t_interval
from ablate.analysis.observations import Observations
from ablate.analysis.sequential import Decision, SequentialState
from ablate.analysis.unpaired import welch_interval
from ablate.analysis.verdict_words import verdict_about
from ablate.analysis.verdicts import Evidence, adjust, evidence, verdict
from ablate.study import Cell, Plan, Study, takes_away

PAIR_COLUMNS = ("cell", "seed", "reference", "value", "difference")


@dataclass(frozen=True)
class Effect:
    """A cell against its reference, paired by seed.

    Args:
        cell: The cell.
        reference: The cell it is compared with: all ingredients at their reference, in the same block.
        changed: Names of the ingredients in which the two differ.
        pairs: By seed, the metric of the reference and of the cell, for the seeds that both have finished.
        difference: Cell minus reference, with its unadjusted interval: a t interval, or under the sequential rule the
            repeated confidence interval.
        contribution: The difference with the sign that makes a good ingredient positive.
        raw: Unadjusted p values; sequential ones under the sequential rule.
        adjusted: The same, adjusted by Holm over all effects of the study, each question in its own family.
        verdict: What follows about the reference, one of :data:`ablate.analysis.verdicts.VERDICTS`.
        unpaired: Where the two share no seed, or seeds only number the runs of a cell: the metric of all runs of the
            reference and of the cell, compared by Welch's test. None where runs are paired.
        takes_away: Whether all that changes is taken away, see :func:`ablate.study.takes_away`.
    """

    cell: Cell
    reference: Cell
    changed: tuple[str, ...]
    pairs: Mapping[int, tuple[float, float]]
    difference: MeanInterval
    contribution: MeanInterval
    raw: Evidence
    adjusted: Evidence
    verdict: str
    unpaired: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    takes_away: bool = True

    @property
    def samples(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The metric of the runs that are compared, of the reference and of the cell."""
        if self.unpaired is not None:
            return self.unpaired
        return tuple(a for a, _ in self.pairs.values()), tuple(b for _, b in self.pairs.values())

    @property
    def verdict_in_words(self) -> str:
        """The verdict as readers see it: about the part that is taken away, or about the level that is set."""
        return verdict_about(self.verdict, "part" if self.takes_away else "level")

    @property
    def is_constant(self) -> bool:
        """Whether two or more seeds show the very same difference, so that no variance can be estimated."""
        return self.difference.n > 1 and math.isnan(self.difference.error)


def paired_effects(values: Observations, plan: Plan, state: SequentialState | None = None) -> tuple[Effect, ...]:
    """The effect of every cell that is not a reference itself, in the order of the plan.

    Args:
        values: The metric by cell label and seed; under the sequential rule only what has been read.
        plan: The plan.
        state: The study under the sequential rule, from which intervals, p values and verdicts are then taken; None
            where the number of seeds was fixed.
    """
    compared = [(pair, *_runs_of(pair, values, plan.study, state)) for pair in comparisons(plan)]
    margin = plan.study.margin
    if state is not None:
        decisions = [state.decisions[pair.cell.label] for pair, *_ in compared]
    else:
        differences = [
            t_interval([b - a for a, b in pairs.values()], scale=size_of(pairs))
            if unpaired is None
            else welch_interval(*unpaired)
            for _, pairs, unpaired in compared
        ]
        contributions = [_sign_for_contribution(difference, plan.study) for difference in differences]
        raw = [evidence(contribution, margin) for contribution in contributions]
        decisions = [
            Decision(contribution.n, contribution, unadjusted, adjusted, verdict(contribution, adjusted, margin))
            for contribution, unadjusted, adjusted in zip(contributions, raw, adjust(raw), strict=True)
        ]
    return tuple(
        Effect(
            cell=pair.cell,
            reference=pair.reference,
            changed=pair.changed,
            pairs=pairs,
            difference=_sign_for_contribution(decision.contribution, plan.study),
            contribution=decision.contribution,
            raw=decision.raw,
            adjusted=decision.adjusted,
            verdict=decision.verdict,
            unpaired=unpaired,
            takes_away=only_takes_away(pair.cell, pair.changed, plan),
        )
        for (pair, pairs, unpaired), decision in zip(compared, decisions, strict=True)
    )


Samples = tuple[tuple[float, ...], tuple[float, ...]]


def _runs_of(
    pair: Comparison, values: Observations, study: Study, state: SequentialState | None
) -> tuple[Pairs, Samples | None]:
    """The pairs of a comparison, or, where runs form none, all runs of both cells in order of their size."""
    reference, cell = values[pair.reference.label], values[pair.cell.label]
    pairs = shared_pairs(reference, cell) if study.paired else {}
    if pairs or state is not None or min(len(reference), len(cell)) < (1 if not study.paired else 2):
        return pairs, None
    # Sorted, so that the order in which runs were found cannot change a bit of the result.
    return {}, (tuple(sorted(reference.values())), tuple(sorted(cell.values())))


def only_takes_away(cell: Cell, changed: Sequence[str], plan: Plan) -> bool:
    """Whether a cell differs from its reference by nothing but parts that are taken away.

    Args:
        cell: The cell.
        changed: Names of the ingredients in which the two differ.
        plan: The plan.
    """
    factors = {factor.name: factor for factor in plan.factors}
    return all(takes_away(factors[name].reference, cell.levels[name]) for name in changed)


def verdicts_in_words(claims: Mapping[str, str], plan: Plan) -> dict[str, str]:
    """Claims about what the reference has, by cell label, as verdicts that readers see.

    Args:
        claims: By cell label, one of :data:`ablate.analysis.verdicts.VERDICTS`.
        plan: The plan.
    """
    pairs = {pair.cell.label: pair for pair in comparisons(plan)}
    return {
        cell: verdict_about(claim, "part" if only_takes_away(pairs[cell].cell, pairs[cell].changed, plan) else "level")
        for cell, claim in claims.items()
    }


def _sign_for_contribution(mean: MeanInterval, study: Study) -> MeanInterval:
    # Turns a difference into a contribution and back. 0 - x, because -x would print a zero difference as -0.0.
    return replace(mean, mean=0.0 - mean.mean) if study.direction == "max" else mean


_COLUMNS: Mapping[str, Callable[[Effect, Study], object]] = {
    "study": lambda effect, study: study.name,
    "cell": lambda effect, study: effect.cell.label,
    "factor": lambda effect, study: "+".join(effect.changed),
    "level": lambda effect, study: "+".join(effect.cell.levels[name] for name in effect.changed),
    "metric": lambda effect, study: study.metric,
    "n": lambda effect, study: effect.difference.n,
    "reference_mean": lambda effect, study: t_interval(effect.samples[0]).mean,
    "cell_mean": lambda effect, study: t_interval(effect.samples[1]).mean,
    "difference": lambda effect, study: effect.difference.mean,
    "low": lambda effect, study: effect.difference.low,
    "high": lambda effect, study: effect.difference.high,
    "contribution": lambda effect, study: effect.contribution.mean,
    "p": lambda effect, study: effect.raw.difference,
    "p_adjusted": lambda effect, study: effect.adjusted.difference,
    "verdict": lambda effect, study: effect.verdict_in_words,
    "paired": lambda effect, study: effect.unpaired is None,
}
EFFECT_COLUMNS = tuple(_COLUMNS)


def effects_frame(effects: tuple[Effect, ...], plan: Plan) -> pd.DataFrame:
    """The effects as a table with the columns :data:`EFFECT_COLUMNS`, one row per effect."""
    rows = [[value(effect, plan.study) for value in _COLUMNS.values()] for effect in effects]
    return pd.DataFrame(rows, columns=list(EFFECT_COLUMNS))


def pairs_frame(effects: tuple[Effect, ...]) -> pd.DataFrame:
    """The single runs behind the effects as a table with the columns :data:`PAIR_COLUMNS`, one row per seed.

    Where runs form no pairs, a row is a run of the cell, and its reference the mean of the reference's runs.
    """
    rows = [
        (effect.cell.label, seed, reference, value, value - reference)
        for effect in effects
        for seed, (reference, value) in effect.pairs.items()
    ]
    for effect in effects:
        if effect.unpaired is not None:
            reference = t_interval(effect.unpaired[0]).mean
            rows += [
                (effect.cell.label, number, reference, value, value - reference)
                for number, value in enumerate(effect.unpaired[1])
            ]
    return pd.DataFrame(rows, columns=list(PAIR_COLUMNS))
