"""Confirmation: whether the network without all dispensable ingredients is as good, tested on fresh seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ablate.analysis.comparisons import comparisons, shared_pairs, size_of
from ablate.analysis.intervals import LEVEL, MeanInterval, t_interval
from ablate.analysis.power import POWER, seeds_needed, t_power
from ablate.analysis.resplit import corrected, scope
from ablate.analysis.sentences import Unit, unit_of
from ablate.analysis.summary import Summary
from ablate.analysis.unpaired import welch_interval
from ablate.analysis.verdict_words import claim_of
from ablate.analysis.verdicts import BELOW, Evidence, evidence, verdict
from ablate.errors import AnalysisError
from ablate.formatting import percent, plural, rounded_interval, signed
from ablate.study import Study
from ablate.study.metric import metric_label

NEEDLESS = ("hurts", f"helps{BELOW}", f"hurts{BELOW}", "no effect", "dispensable")
"""The verdicts on which an ingredient may go."""

_LEAST_FRESH, _MOST_FRESH = 5, 20


def reduced_levels(summary: Summary) -> dict[str, str]:
    """What to change for the network without all ingredients found dispensable, one by one.

    Args:
        summary: A summary with effects of single factors, as leave-one-out gives.

    Returns:
        Level label by factor name, for the factors that leave their reference; where several levels of a factor
        would do, the one with the best metric. Put void factors back with :func:`ablate.study.constraint.settle`.

    Raises:
        AnalysisError: If no ingredient is dispensable; the message says why.
    """
    names = {factor.name for factor in summary.plan.factors if not factor.block}
    effects = summary.effects[summary.effects["factor"].isin(names)]
    rows = list(effects[["factor", "level", "contribution", "verdict"]].itertuples(index=False, name=None))
    # With several data sets a level must be dispensable on all of them.
    needed = {(factor, level) for factor, level, _, conclusion in rows if claim_of(conclusion) not in NEEDLESS}
    chosen: dict[str, tuple[float, str]] = {}
    for factor, level, contribution, _ in rows:
        if (factor, level) not in needed and (factor not in chosen or contribution < chosen[factor][0]):
            chosen[factor] = (float(contribution), level)
    if not chosen:
        if summary.study.margin is None:
            hint = "Without a margin nothing can be called dispensable: declare study.margin."
        else:
            hint = "All are needed or undecided."
        raise AnalysisError(f"No ingredient of study '{summary.study.name}' was found dispensable. {hint}")
    return {factor.name: chosen[factor.name][1] for factor in summary.plan.factors if factor.name in chosen}


def fresh_seeds(study: Study, count: int) -> tuple[int, ...]:
    """Seeds that the study has not used and would not use if it went on.

    Example:
        >>> fresh_seeds(Study("demo", "leave_one_out", (0, 1, 7), "accuracy"), 3)
        (8, 9, 10)
    """
    first = max(study.seeds) + 1
    return tuple(range(first, first + count))


@dataclass(frozen=True)
class Effort:
    """How many fresh seeds a confirmation takes.

    Args:
        seeds: Number of seeds for each of the two networks.
        power: Probability of confirming a reduced network that loses nothing; NaN where the spread is not known.
        text: The same in a sentence.
    """

    seeds: int
    power: float
    text: str


def effort(summary: Summary, levels: Mapping[str, str], seeds: int | None = None) -> Effort:
    """The number of fresh seeds for a confirmation, from the spread that the study has seen.

    The spread of the reduced network against the full one is not known beforehand. Instead, the largest spread among
    the differences of the removed ingredients is used: of paired runs, or of two runs that form no pair.

    Args:
        summary: The study.
        levels: The changed levels by factor, see :func:`reduced_levels`.
        seeds: Number of seeds, if it was chosen. None for the number that confirms a network without loss with a
            probability of 80%, but at least 5 and at most 20.

    Raises:
        AnalysisError: If the study has no margin, or fewer than two seeds are requested.
    """
    study = summary.study
    if study.margin is None:
        raise AnalysisError("Non-inferiority needs a margin declared before the runs: study.margin.")
    if seeds is not None and seeds < 2:
        raise AnalysisError(f"{seeds} seeds: a confirmation needs at least 2.")
    references = {pair.cell.label: pair.reference.label for pair in comparisons(summary.plan)}
    spreads = []
    for row in summary.effects.itertuples(index=False):
        if levels.get(str(row.factor)) == row.level:
            if study.paired:
                samples = [summary.pairs.loc[summary.pairs["cell"] == row.cell, "difference"].tolist()]
            else:
                samples = [list(summary.values[name].values()) for name in (str(row.cell), references[str(row.cell)])]
            means = [t_interval(values) for values in samples]
            spreads.append(math.hypot(*(mean.error * math.sqrt(mean.n) for mean in means)))
    measured = [spread for spread in spreads if not math.isnan(spread)]
    noun = "seeds" if study.paired else "runs of each"
    of_what = "the paired difference" if study.paired else "the difference of two runs"
    groups, overlap = (1 if study.paired else 2), study.resplit or 0.0
    # Without a spread the number of seeds is a guess, and the text says so.
    if not measured:
        count = seeds or _MOST_FRESH // 2
        return Effort(
            count, math.nan, f"{count} fresh {noun}; how much they find is not known: there is no spread yet."
        )
    # The upper end of the two-sided interval decides, so the level of this one-sided test is half of 1 - LEVEL.
    shift, level = study.margin / max(measured), (1 - LEVEL) / 2
    needed = seeds_needed(shift, level, sides=1, power=POWER, samples=groups, overlap=overlap)
    count = seeds or max(_LEAST_FRESH, min(needed or _MOST_FRESH, _MOST_FRESH))
    power = float(t_power(shift, count, level, sides=1, samples=groups, overlap=overlap))
    text = (
        f"{count} fresh {noun}: if nothing is lost, this is confirmed in {percent(power)} of all cases "
        f"(standard deviation of {of_what} {max(measured):.2g}, margin {study.margin:g})."
    )
    if power < POWER and needed is not None:
        text += f" For {percent(POWER)} it takes {needed} {noun}."
    return Effort(count, power, text)


@dataclass(frozen=True)
class Confirmation:
    """The reduced network against the full one, on fresh seeds.

    Args:
        difference: Reduced minus full.
        contribution: What all that was removed is good for together: positive where the full network is better.
        p: The p values, unadjusted, since only one comparison was planned.
        verdict: About everything that was removed, together.
        is_confirmed: Whether the reduced network may stand in for the full one.
        text: The result as a sentence.
    """

    difference: MeanInterval
    contribution: MeanInterval
    p: Evidence
    verdict: str
    is_confirmed: bool
    text: str = ""


def confirmation(
    study: Study, full: Mapping[int, float], reduced: Mapping[int, float], change: str = "removing all of them"
) -> Confirmation:
    """Test whether the reduced network is worse than the full one by less than the margin.

    Runs are compared as in the study: within seeds or, where they form no pairs, by Welch's interval; where each seed
    splits one data set anew, by the corrected one.

    Args:
        study: The study that found the ingredients dispensable, with its margin.
        full: The metric of the full network by seed.
        reduced: The metric of the reduced network by seed.
        change: What turns the full network into the reduced one, as the subject of a sentence.

    Raises:
        AnalysisError: If the study has no margin, a seed was used by the study itself, or fewer than two are shared.

    Example:
        >>> study = Study("demo", "leave_one_out", (0, 1, 2), "accuracy", margin=0.02)
        >>> result = confirmation(study, {3: 0.970, 4: 0.965, 5: 0.972}, {3: 0.969, 4: 0.966, 5: 0.970})
        >>> result.is_confirmed, result.verdict
        (True, 'no effect')
    """
    pairs = shared_pairs(full, reduced)
    shared = len(pairs) if study.paired else min(len(full), len(reduced))
    faults = []
    if study.margin is None:
        faults.append("Non-inferiority needs a margin declared before the runs: study.margin.")
    used = sorted((full.keys() | reduced.keys()) & set(study.seeds))
    if used:
        listed = ", ".join(map(str, used))
        faults.append(f"Seeds {listed} served to find the ingredients; a confirmation needs fresh ones.")
    if shared < 2:
        have = f"share {shared} finished seeds" if study.paired else f"have {shared} finished runs each"
        faults.append(f"The two networks {have}; at least 2 are needed.")
    if faults:
        raise AnalysisError("\n".join(faults))
    if study.paired:
        own = t_interval([b - a for a, b in pairs.values()], scale=size_of(pairs))
        difference = corrected(own, study.resplit or 0.0)
    else:
        # Numbers of seeds only count the runs: sorted, so that no order can matter.
        difference = welch_interval(sorted(full.values()), sorted(reduced.values()), study.resplit or 0.0)
    sign = -1.0 if study.direction == "max" else 1.0
    contribution = replace(difference, mean=0.0 + sign * difference.mean)
    p = evidence(contribution, study.margin)
    # A network is confirmed whenever its loss is shown to be below the margin, be it small but certain or none.
    confirmed = study.margin is not None and contribution.high < study.margin
    unit = unit_of(study.metric, [*full.values(), *reduced.values()])
    conclusion = verdict(contribution, p, study.margin)
    result = Confirmation(difference, contribution, p, conclusion, confirmed)
    return replace(result, text=_text(study, unit, result, change))


def _text(study: Study, unit: Unit, result: Confirmation, change: str) -> str:
    difference = result.difference
    metric = metric_label(study.metric).replace("_", " ")
    scaled = unit.of(difference)
    if math.isnan(difference.half):
        return (
            f"Not confirmed: {change} changes {metric} by {signed(scaled.mean)}{unit.suffix} for all {difference.n} "
            "seeds alike, which allows no test."
        )
    mean, low, high = rounded_interval(scaled.mean, scaled.low, scaled.high)
    counted = plural(difference.n, "fresh seed") if study.paired else f"{plural(difference.n, 'fresh run')} of each"
    interval = f"{percent(LEVEL)} CI {low} to {high}, n = {counted}"
    changes = f"{change} changes {metric}{scope(study.resplit)} by {mean}{unit.suffix} ({interval})"
    margin = unit.margin(study.margin or 0.0)
    if result.is_confirmed:
        return f"Confirmed: {changes}, which excludes a turn for the worse by the margin of {margin}."
    if result.contribution.low > 0:
        return f"Refuted: {changes}, a turn for the worse: what seemed dispensable one by one is needed."
    return f"Not confirmed: {changes}, which does not exclude a turn for the worse by the margin of {margin}."
