"""Estimates from one number per seed, which name what they estimate and by which interval and test."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from ablate.analysis.boundary import SequentialRule
from ablate.analysis.decisions import Trajectory
from ablate.analysis.intervals import MeanInterval, t_interval
from ablate.analysis.observations import Observations
from ablate.analysis.resplit import corrected, scope
from ablate.analysis.sequential import repeated_interval, sequential_evidence
from ablate.analysis.verdict_words import About, verdict_about
from ablate.analysis.verdicts import HOLM, Evidence, adjust, correction_of, evidence, verdict
from ablate.study import Cell, Plan, Study

ESTIMATE_COLUMNS = ("n", "difference", "low", "high", "contribution", "p", "p_adjusted", "verdict")

OVER_DATA_SETS = "t interval over data sets"
"""The interval of a mean whose unit is the data set."""


def name_of_interval(rule: SequentialRule | None) -> str:
    """What the interval of a mean over seeds is called; ``rule`` is None where the number of seeds was fixed."""
    return "t interval" if rule is None else "repeated confidence interval"


def name_of_test(rule: SequentialRule | None, kind: str = "t test") -> str:
    """What the test of a mean over seeds is called; ``rule`` is None where the number of seeds was fixed."""
    return kind if rule is None else f"sequential {kind}"


def several(noun: str) -> str:
    """The plural of an interval or a test, whose first noun may have an attribute behind it.

    Example:
        >>> several("t interval"), several("t test over data sets"), several("margin of error by Lenth's method")
        ('t intervals', 't tests over data sets', "margins of error by Lenth's method")
        >>> several("paired t test or Welch t test")
        'paired t tests or Welch t tests'
    """
    if " or " in noun:
        return " or ".join(map(several, noun.split(" or ")))
    head, preposition, rest = next(
        (parts for word in (" over ", " of ") if (parts := noun.partition(word))[1]), (noun, "", "")
    )
    return f"{head}s{preposition}{rest}"


@dataclass(frozen=True, eq=False)
class Estimates:
    """A table, the quantity that it estimates, and how.

    Args:
        estimand: What the numbers are, in a sentence: the same ingredient has different effects under different
            questions.
        table: One row per effect.
        notes: What is left out or not to be had, a sentence each.
        interval: What the interval from ``low`` to ``high`` is: ``"t interval"``, ``"repeated confidence interval"``
            (of the sequential rule), :data:`OVER_DATA_SETS` or ``"margin of error by Lenth's method"``.
        test: What the p values are of: ``"t test"``, ``"sequential t test"``, ...
        correction: How they are adjusted, see :func:`ablate.analysis.verdicts.correction_of`.
        counted: What the column ``n`` counts: ``"seed"``, ``"run"`` or ``"data set"``.
        resplit: See :class:`~ablate.study.Study`.
    """

    estimand: str
    table: pd.DataFrame
    notes: tuple[str, ...] = ()
    interval: str = name_of_interval(None)
    test: str = name_of_test(None)
    correction: str = HOLM
    counted: str = "seed"
    resplit: float | None = None

    @property
    def scope(self) -> str:
        """Of which data they speak, see :func:`ablate.analysis.resplit.scope`; data sets are a sample of others."""
        return "" if self.counted == "data set" else scope(self.resplit)


@dataclass(frozen=True)
class Contrast:
    """One number per seed, such as an average of differences between cells.

    Args:
        keys: What it is the contrast of, in the columns of the table.
        values: By seed, the contrast in units of the metric; positive where the metric is higher, whether or not that
            is good.
        size: Magnitude of the metric, against which the contrast may be rounding noise.
        interval: The contrast with its interval, where it does not follow from the values by seed alone.
        splits: Over how many splits of one data set that interval is, where it counts something else.
        about: What its verdict is about, see :data:`ablate.analysis.verdict_words.About`.
    """

    keys: Mapping[str, object] = field(hash=False)
    values: Mapping[int, float] = field(hash=False)
    size: float = 0.0
    interval: MeanInterval | None = None
    splits: int | None = None
    about: About = "part"


def estimate(
    estimand: str,
    contrasts: Sequence[Contrast],
    study: Study,
    rule: SequentialRule | None = None,
    notes: Iterable[str] = (),
    interval: str = "",
    test: str = "",
) -> Estimates:
    """The estimates of contrasts: a row each with its keys, then :data:`ESTIMATE_COLUMNS`, adjusted over all rows.

    Args:
        estimand: What the numbers are, in a sentence.
        contrasts: The contrasts, all with the same keys, which ask one family of questions.
        study: For the direction of the metric, the margin, and whether seeds split one data set anew: intervals and
            t tests are then the corrected ones.
        rule: The sequential rule under which the seeds were taken. Intervals are then repeated ones, and p values count
            all looks: both hold at whatever number of seeds the cells of a contrast stopped.
        notes: What is left out, a sentence each.
        interval: What the interval is, where the contrasts bring their own; empty for that of a mean over seeds.
        test: What the p values are of, likewise.
    """
    sign = -1.0 if study.direction == "max" else 1.0
    kind = test or "t test"
    overlap = study.resplit or 0.0 if kind == "t test" else 0.0
    contributions, raw = [], []
    for contrast in contrasts:
        values = tuple(sign * value for value in contrast.values.values())
        if contrast.interval is not None:
            own = replace(contrast.interval, mean=sign * contrast.interval.mean)
            contributions.append(corrected(own, overlap, contrast.splits))
            raw.append(evidence(contributions[-1], study.margin))
        elif rule is None:
            contributions.append(corrected(t_interval(values, scale=contrast.size), overlap))
            raw.append(evidence(contributions[-1], study.margin))
        else:
            trajectory = Trajectory(values, (contrast.size,) * len(values))
            contributions.append(repeated_interval(trajectory, len(values), rule))
            # The evidence after the last seed; NaN where there is no seed.
            raw.append([Evidence(math.nan), *sequential_evidence(trajectory, rule, study.margin)][-1])
    correction = correction_of(study.margin, is_moderated=False)
    # A zero would be printed as -0.0.
    contributions = [mean.scaled(1.0) for mean in contributions]
    differences = [mean.scaled(sign) for mean in contributions]
    rows = [
        {
            **contrast.keys,
            "n": difference.n,
            "difference": difference.mean,
            "low": difference.low,
            "high": difference.high,
            "contribution": contribution.mean,
            "p": unadjusted.difference,
            "p_adjusted": adjusted.difference,
            "verdict": verdict_about(verdict(contribution, adjusted, study.margin), contrast.about),
        }
        for contrast, difference, contribution, unadjusted, adjusted in zip(
            contrasts, differences, contributions, raw, adjust(raw, correction), strict=True
        )
    ]
    table = pd.DataFrame(rows, columns=[*(contrasts[0].keys if contrasts else ()), *ESTIMATE_COLUMNS])
    kind = f"corrected {kind}" if overlap else kind
    return Estimates(
        estimand,
        table,
        tuple(notes),
        interval or name_of_interval(rule),
        name_of_test(rule, kind),
        correction,
        resplit=study.resplit,
    )


def cell_at(plan: Plan, levels: Mapping[str, str]) -> Cell | None:
    """The cell of a combination of levels, where void factors match any level; None if the plan has none.

    Args:
        plan: The plan.
        levels: Level label by factor name, for every factor.
    """

    def matches(cell: Cell) -> bool:
        return all(cell.levels[name] == label or name in cell.void for name, label in levels.items())

    return next(filter(matches, plan.cells), None)


def weighted_sums(values: Observations, weights: Iterable[tuple[str, float]]) -> tuple[dict[int, float], float]:
    """A weighted sum of cells by seed, over the seeds that all of them have, and the largest magnitude among them.

    Args:
        values: The metric by cell label and seed.
        weights: Cell labels with their weights; a cell may occur several times.
    """
    total: dict[str, float] = {}
    for cell, weight in weights:
        total[cell] = total.get(cell, 0.0) + weight
    # A cell whose weights cancel need not have finished.
    used = {cell: weight for cell, weight in total.items() if weight}
    shared = set.intersection(*(set(values[cell]) for cell in used)) if used else set()
    sums = {seed: sum(weight * values[cell][seed] for cell, weight in used.items()) for seed in sorted(shared)}
    size = max((abs(values[cell][seed]) for cell in used for seed in shared), default=0.0)
    return sums, size
