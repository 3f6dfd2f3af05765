"""Effects: what changes when a cell is trained instead of its reference, seed by seed where runs form pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from ablate.analysis.comparisons import Comparison, Pairs, comparisons, shared_pairs, size_of
from ablate.analysis.decisions import T, Trajectory, decide
from ablate.analysis.failures import failure_rate
from ablate.analysis.growth import levels_of
from ablate.analysis.intervals import MeanInterval, t_interval
from ablate.analysis.observations import Observations
from ablate.analysis.sequential import SequentialState
from ablate.analysis.unpaired import Samples, welch_interval
from ablate.analysis.verdict_words import About, verdict_about
from ablate.analysis.verdicts import Evidence
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
        difference: Cell minus reference, with its unadjusted interval: that of the test, or under the sequential rule
            the repeated confidence interval.
        contribution: The difference with the sign that makes a good ingredient positive.
        raw: Unadjusted p values; sequential ones under the sequential rule.
        adjusted: The same, adjusted over all effects of the study, each question in its own family.
        verdict: What follows about the reference, one of :data:`ablate.analysis.verdicts.VERDICTS`.
        test: What it rests on, see :class:`ablate.analysis.decisions.Decision`.
        withheld: Why a claim that the numbers allow is not made; empty where none is withheld.
        failures: How many runs of the cell failed or collapsed, and how many count.
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
    test: str = T
    withheld: str = ""
    failures: tuple[int, int] = (0, 0)
    unpaired: Samples | None = None
    takes_away: bool = True

    @property
    def failure_rate(self) -> float:
        """The highest rate of failed or collapsed runs that is still likely, one-sided at 95%; NaN without runs."""
        return failure_rate(*self.failures) if self.failures[1] else math.nan

    @property
    def samples(self) -> Samples:
        """The metric of the runs that are compared, of the reference and of the cell."""
        if self.unpaired is not None:
            return self.unpaired
        return tuple(a for a, _ in self.pairs.values()), tuple(b for _, b in self.pairs.values())

    @property
    def own_difference(self) -> MeanInterval:
        """The difference with the t interval of its own runs, whatever the test borrowed from other cells."""
        if self.unpaired is not None:
            return welch_interval(*self.unpaired)
        return t_interval([b - a for a, b in self.pairs.values()], scale=size_of(self.pairs))

    @property
    def verdict_in_words(self) -> str:
        """The verdict as readers see it: about the part that is taken away, or about the level that is set."""
        return verdict_about(self.verdict, "part" if self.takes_away else "level")

    @property
    def is_constant(self) -> bool:
        """Whether two or more seeds show the very same difference, so that no variance can be estimated."""
        return self.difference.n > 1 and math.isnan(self.difference.error)


def paired_effects(
    values: Observations,
    plan: Plan,
    state: SequentialState | None = None,
    lost: Mapping[str, frozenset[int]] | None = None,
    looks: Sequence[int] = (),
) -> tuple[Effect, ...]:
    """The effect of every cell that is not a reference itself, in the order of the plan.

    Args:
        values: The metric by cell label and seed; under the sequential rule only what has been read.
        plan: The plan.
        state: The study under the sequential rule, from which intervals, p values and verdicts are then taken; None
            where the number of seeds was fixed.
        lost: By cell label, the seeds whose runs ended without a result that counts.
        looks: Numbers of seeds at which a fixed study had results before it grew, see
            :attr:`ablate.analysis.conduct.Conduct.looks`.
    """
    compared = [(pair, *_runs_of(pair, values, plan.study, state)) for pair in comparisons(plan)]
    trajectories = {
        pair.cell.label: _trajectory(pair, values, lost or {}, plan.study, state, unpaired is not None)
        for pair, _, unpaired in compared
    }
    if state is not None:
        decisions = state.decisions
    else:
        decisions = decide(trajectories, plan.study.margin, levels_of(looks, len(plan.study.seeds)), plan.study.resplit)
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
            test=decision.test,
            withheld=_withheld_in_words(decision.withheld, "part" if is_part else "level"),
            failures=trajectories[pair.cell.label].failures(),
            unpaired=unpaired,
            takes_away=is_part,
        )
        for pair, pairs, unpaired in compared
        for decision, is_part in ((decisions[pair.cell.label], only_takes_away(pair.cell, pair.changed, plan)),)
    )


def _withheld_in_words(withheld: str, about: About) -> str:
    """Why a claim is not made, with the claim as readers would have seen it."""
    claim, joint, why = withheld.partition(", but ")
    return f"{verdict_about(claim, about)}{joint}{why}"


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


def _trajectory(
    pair: Comparison,
    values: Observations,
    lost: Mapping[str, frozenset[int]],
    study: Study,
    state: SequentialState | None,
    is_unpaired: bool,
) -> Trajectory:
    """The numbers of a comparison by seed: one for every seed of the study, then those that the plan does not name."""
    reference, cell = pair.reference.label, pair.cell.label
    seeds = study.seeds if state is None else study.seeds[: state.decisions[cell].read]
    beyond = sorted((values[reference].keys() | values[cell].keys()) - set(study.seeds))
    sign = -1.0 if study.direction == "max" else 1.0
    contributions, sizes = [], []
    runs: list[tuple[float | None, float | None]] = []
    for seed in (*seeds, *beyond):
        a, b = values[reference].get(seed, math.nan), values[cell].get(seed, math.nan)
        # Where runs form no pairs, the same seed in two cells says nothing.
        contributions.append(math.nan if is_unpaired else sign * (b - a))
        sizes.append(0.0 if math.isnan(a - b) else max(abs(a), abs(b)))
        # A run that is still to come is not lost: only failed ones tell of a cell.
        has_ended = [seed in values[label] or seed in lost.get(label, ()) for label in (reference, cell)]
        runs.append((a if has_ended[0] else None, b if has_ended[1] else None))
    return Trajectory(tuple(contributions), tuple(sizes), tuple(runs), reference, study.direction, not is_unpaired)


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
    # Turns a difference into a contribution and back.
    return mean.scaled(-1.0) if study.direction == "max" else mean


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
    "test": lambda effect, study: effect.test,
    "paired": lambda effect, study: effect.unpaired is None,
    "failures": lambda effect, study: effect.failures[0],
    "failure_rate_high": lambda effect, study: effect.failure_rate,
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
