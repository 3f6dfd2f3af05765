"""The sequential rule applied to a study: which cells need another seed, and what is claimed about the others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ablate.analysis.boundary import FIRST_LOOK, Floats, SequentialRule, running_scores
from ablate.analysis.intervals import MeanInterval, t_interval
from ablate.analysis.verdicts import ALPHA, Evidence, adjust, verdict


@dataclass(frozen=True)
class Trajectory:
    """The contributions of one cell in the order of the study's seeds.

    Args:
        values: One per seed, up to the first that is still to come; NaN for a seed that is lost for good (a failed
            run).
        sizes: For each value the magnitude of the metric behind it, by which rounding noise is told from spread; by
            default that of the value itself.
    """

    values: tuple[float, ...]
    sizes: tuple[float, ...] = ()

    def known(self, read: int | None = None) -> tuple[Floats, Floats]:
        """The values and sizes among the first ``read`` seeds that were not lost."""
        values = np.array(self.values[:read], dtype=float)
        sizes = np.array((self.sizes or self.values)[:read], dtype=float)
        is_known = ~np.isnan(values)
        return values[is_known], np.abs(sizes[is_known])


@dataclass(frozen=True)
class Decision:
    """What has been decided of a cell after the seeds read so far.

    Args:
        read: How many of the study's seeds have been read for this cell, lost ones included.
        contribution: Mean contribution over them with the repeated confidence interval.
        raw: Sequential p values: without an effect, the probability that the largest statistic of all looks is at least
            the one seen. They are frozen when the cell is decided.
        adjusted: The same, adjusted by Holm over all cells.
        verdict: One of :data:`ablate.analysis.verdicts.VERDICTS`; final unless it is ``undecided``.
    """

    read: int
    contribution: MeanInterval
    raw: Evidence
    adjusted: Evidence
    verdict: str

    @property
    def is_decided(self) -> bool:
        """Whether the cell needs no further seed."""
        return self.verdict != "undecided"


@dataclass(frozen=True)
class SequentialState:
    """A study under the sequential rule, as far as its runs allow.

    Args:
        rule: The rule.
        look: Seeds read so far: each undecided cell has been judged on that many.
        decisions: By cell, in the order of the trajectories given to :func:`follow`.
    """

    rule: SequentialRule
    look: int
    decisions: Mapping[str, Decision]

    @property
    def undecided(self) -> tuple[str, ...]:
        """The cells without a verdict."""
        return tuple(cell for cell, decision in self.decisions.items() if not decision.is_decided)


def follow(
    trajectories: Mapping[str, Trajectory], rule: SequentialRule, margin: float | None = None
) -> SequentialState:
    """Look after every seed from the third on, and freeze each cell at the look that decides it.

    A look needs the next seed of every cell that is still undecided. Seeds beyond the look stay unread, so that the
    result does not depend on the order in which workers finish. Sequential p values count the largest statistic of all
    looks, are adjusted by Holm over all cells at every look (each question in its own family), and a claim needs in
    addition the repeated confidence interval on its side. A dispensable ingredient that seems to hurt by more than the
    margin goes on until that is settled, too.

    Args:
        trajectories: The contributions by cell.
        rule: The rule.
        margin: The least effect that matters, in the metric's units, or None.

    Returns:
        The state of the study; the same for the same contributions, however often it is computed.

    Example:
        >>> values = {"w/o a": Trajectory((0.50, 0.52, 0.51, 0.50)), "w/o b": Trajectory((0.1, -0.2, 0.0, 0.1))}
        >>> state = follow(values, SequentialRule(20))
        >>> [(cell, decision.read, decision.verdict) for cell, decision in state.decisions.items()]
        [('w/o a', 4, 'helps'), ('w/o b', 4, 'undecided')]
        >>> state.look, state.undecided
        (4, ('w/o b',))
    """
    tests = {cell: sequential_evidence(trajectory, rule, margin) for cell, trajectory in trajectories.items()}
    nothing = Evidence(math.nan)
    decisions = {cell: Decision(0, t_interval([]), nothing, nothing, "undecided") for cell in trajectories}
    look = 0
    while look < rule.max_seeds:
        active = [cell for cell, decision in decisions.items() if not decision.is_decided]
        # A look at only those cells that are ready would let the speed of workers decide which cells are tested when.
        if not active or any(len(trajectories[cell].values) <= look for cell in active):
            break
        look += 1
        for cell in active:
            decisions[cell] = replace(decisions[cell], read=look, raw=tests[cell][look - 1])
        if look < FIRST_LOOK:
            continue
        # Cells that are decided stay in Holm's family with the p values of their last look: a smaller family would
        # make the claims that follow easier than was declared.
        adjusted = adjust([decision.raw for decision in decisions.values()])
        for cell, p in zip(decisions, adjusted, strict=True):
            decision = decisions[cell]
            current = decision.verdict
            # The interval is slow to compute, and at most looks the p values alone rule out any claim.
            if not decision.is_decided and _may_decide(p):
                interval = repeated_interval(trajectories[cell], look, rule)
                current = verdict(interval, p, margin)
                # An ingredient that harms by more than the margin is shown to be dispensable before it is shown to
                # harm. The cell goes on, because the stronger claim is near.
                if current == "dispensable" and interval.mean < -(margin or 0.0) and look < rule.max_seeds:
                    current = "undecided"
            decisions[cell] = replace(decision, adjusted=p, verdict=current)
    final = {
        cell: replace(decision, contribution=repeated_interval(trajectories[cell], decision.read, rule))
        for cell, decision in decisions.items()
    }
    return SequentialState(rule, look, final)


def repeated_interval(trajectory: Trajectory, read: int, rule: SequentialRule) -> MeanInterval:
    """The mean of the first contributions with its repeated confidence interval, which is NaN before the third.

    Args:
        trajectory: The contributions.
        read: How many of the study's seeds have been read.
        rule: The rule, which determines how much wider than a t interval it must be.
    """
    values, sizes = trajectory.known(read)
    fixed = t_interval(values.tolist(), float(sizes.max(initial=0.0)))
    half = fixed.error * float(rule.half_width(fixed.n)) if fixed.n >= FIRST_LOOK else math.nan
    return replace(fixed, half=half)


def _may_decide(adjusted: Evidence) -> bool:
    return any(p <= ALPHA for p in (adjusted.difference, adjusted.equivalence, adjusted.dispensability))


def sequential_evidence(trajectory: Trajectory, rule: SequentialRule, margin: float | None) -> list[Evidence]:
    """The sequential p values of a cell after every seed of its trajectory, lost ones included.

    Args:
        trajectory: The contributions.
        rule: The rule.
        margin: The least effect that matters, or None.
    """
    values, sizes = trajectory.known()
    scores = running_scores(values, 0.0, sizes)
    # Minus infinity marks looks at which nothing can be tested; its absolute value must not become evidence.
    largest = np.maximum.accumulate
    tests = [rule.tail(largest(np.where(np.isneginf(scores), scores, np.abs(scores))))]
    if margin is not None:
        # Two one-sided tests against the ends of the margin: equivalence needs both, dispensability the upper one.
        above = rule.tail(largest(running_scores(values, -margin, sizes)), one_sided=True)
        upper_scores = running_scores(values, margin, sizes)
        below = rule.tail(largest(np.where(np.isneginf(upper_scores), upper_scores, -upper_scores)), one_sided=True)
        tests += [np.maximum(above, below), below]
    by_count = [Evidence(math.nan)]
    for column, score in zip(zip(*(test.tolist() for test in tests), strict=True), scores, strict=True):
        by_count.append(Evidence(math.nan) if np.isneginf(score) else Evidence(*column))
    # A lost seed brings no new number: the evidence after it is that of the seeds before it.
    counts = np.cumsum([not math.isnan(value) for value in trajectory.values])
    return [by_count[count] for count in counts.tolist()]
