"""The sequential rule applied to a study: which cells need another seed, and what is claimed about the others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import special

from ablate.analysis.boundary import FIRST_LOOK, SHAPE, SequentialRule, running_scores, score
from ablate.analysis.decisions import (
    MODERATED,
    NONE,
    SIGN_FLIP,
    Decision,
    T,
    Trajectory,
    concluded,
    moderated_means,
    sign_flip_evidence,
    tests_by_shape,
)
from ablate.analysis.intervals import MeanInterval, t_interval
from ablate.analysis.moderation import FEW_SEEDS
from ablate.analysis.sign_flips import sign_flip_interval
from ablate.analysis.verdicts import ALPHA, Evidence, adjust, correction_of


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
    looks, are adjusted over all cells at every look (:func:`~ablate.analysis.verdicts.adjust`), and a claim needs in
    addition the repeated confidence interval on its side. A dispensable ingredient that seems to hurt by more than the
    margin goes on until that is settled, too.

    Before the eighth seed variances are moderated where a block has enough cells
    (:mod:`ablate.analysis.moderation`), with Bonferroni's adjustment; from then on each cell has its own, and looks
    count anew. Skewed differences are tested as with a fixed number of seeds (:func:`~.decisions.tests_by_shape`).

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
    nothing = Evidence(math.nan)
    decisions = {cell: Decision(0, t_interval([]), nothing, nothing, "undecided") for cell in trajectories}
    largest = _Largest()
    moderating = False
    look = 0
    while look < rule.max_seeds:
        active = [cell for cell, decision in decisions.items() if not decision.is_decided]
        # A look at only those cells that are ready would let the speed of workers decide which cells are tested when.
        if not active or any(len(trajectories[cell].values) <= look for cell in active):
            break
        look += 1
        read = {cell: look if cell in active else decision.read for cell, decision in decisions.items()}
        if look < FEW_SEEDS:
            means = moderated_means(trajectories, read)
            moderating |= any(means[cell].prior for cell in active)
        else:
            means = {cell: trajectories[cell].mean(look) for cell in active}
            if moderating:
                # What moderated variances said counts no more: it was allowed the strictest level only.
                moderating, largest = False, _Largest()
        tests = {cell: MODERATED if means[cell].prior else T for cell in active}
        if look >= FEW_SEEDS:
            tests |= tests_by_shape({cell: trajectories[cell] for cell in active}, dict.fromkeys(active, look))
        for cell in active:
            mean = means[cell]
            if look >= FIRST_LOOK and tests[cell] in (T, MODERATED):
                raw = largest.evidence(cell, mean, rule, margin)
            elif tests[cell] == SIGN_FLIP:
                raw = _flipped(trajectories[cell], look, rule, margin)
            else:
                raw = nothing
            decisions[cell] = replace(
                decisions[cell], read=look, raw=raw, contribution=mean, test=tests[cell], withheld=""
            )
        if look < FIRST_LOOK:
            continue
        # Cells that are decided stay in the family with the p values of their last look: a smaller family would make
        # the claims that follow easier than was declared.
        adjusted = adjust([decision.raw for decision in decisions.values()], correction_of(margin, moderating))
        for cell, p in zip(decisions, adjusted, strict=True):
            decision = decisions[cell]
            if decision.is_decided:
                decisions[cell] = replace(decision, adjusted=p)
                continue
            decision = replace(decision, adjusted=p)
            # The interval of flipped signs is slow to compute, and at most looks p values alone rule out any claim.
            if _may_decide(p) or decision.test == NONE:
                interval = _interval(decision, trajectories[cell], rule)
                candidate = concluded(replace(decision, contribution=interval), trajectories[cell], margin)
                # An ingredient that harms by more than the margin is shown to be dispensable before it is shown to
                # harm. The cell goes on, because the stronger claim is near.
                if candidate.verdict == "dispensable" and interval.mean < -(margin or 0.0) and look < rule.max_seeds:
                    candidate = replace(candidate, verdict="undecided")
                decision = replace(candidate, contribution=decision.contribution)
            decisions[cell] = decision
    final = {
        cell: replace(decision, contribution=_interval(decision, trajectories[cell], rule))
        for cell, decision in decisions.items()
    }
    return SequentialState(rule, look, final)


@dataclass
class _Largest:
    """The largest statistics of all looks so far, by cell: of a difference, and against both ends of the margin."""

    scores: dict[str, list[float]] = field(default_factory=dict)

    def evidence(self, cell: str, mean: MeanInterval, rule: SequentialRule, margin: float | None) -> Evidence:
        """The sequential p values after a look, which is added.

        Args:
            cell: The cell.
            mean: Its mean contribution.
            rule: The rule.
            margin: The least effect that matters, or None.
        """
        if mean.n < FIRST_LOOK or not mean.error > 0:
            return self._p_values(cell, rule) if cell in self.scores else Evidence(math.nan)
        shifts = [abs(mean.mean)] if margin is None else [abs(mean.mean), mean.mean + margin, margin - mean.mean]
        scores = score(np.array(shifts) / mean.error, mean.degrees, mean.n)
        before = self.scores.get(cell, [-math.inf] * len(shifts))
        self.scores[cell] = [max(pair) for pair in zip(before, scores.tolist(), strict=True)]
        return self._p_values(cell, rule)

    def _p_values(self, cell: str, rule: SequentialRule) -> Evidence:
        difference, *ends = self.scores[cell]
        p = float(rule.tail(difference))
        if not ends:
            return Evidence(p)
        # Two one-sided tests: equivalence needs both, dispensability the upper one.
        above, below = rule.tail(np.array(ends), one_sided=True).tolist()
        return Evidence(p, max(above, below), below)


def _flipped(trajectory: Trajectory, look: int, rule: SequentialRule, margin: float | None) -> Evidence:
    """The sequential p values of a look at which signs are flipped: its p values moved to the boundary."""
    values = trajectory.known(look)[0].tolist()
    p = sign_flip_evidence(values, margin)
    stretch = len(values) ** SHAPE
    difference = float(rule.tail(-special.ndtri(p.difference / 2) * stretch))
    if margin is None:
        return Evidence(difference)
    ends = rule.tail(-special.ndtri([p.equivalence, p.dispensability]) * stretch, one_sided=True).tolist()
    return Evidence(difference, *ends)


def _interval(decision: Decision, trajectory: Trajectory, rule: SequentialRule) -> MeanInterval:
    """The mean with the repeated interval that belongs to the test of a decision."""
    mean = decision.contribution
    if mean.n < FIRST_LOOK or decision.test == NONE:
        return replace(mean, half=math.nan, ends=None)
    if decision.test == SIGN_FLIP:
        ends = sign_flip_interval(trajectory.known(decision.read)[0].tolist(), float(rule.nominal_tail(mean.n)))
        return replace(mean, half=(ends[1] - ends[0]) / 2, ends=ends)
    return replace(mean, half=mean.error * float(rule.half_width(mean.n, prior=mean.prior)), ends=None)


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
    for column, reached in zip(zip(*(test.tolist() for test in tests), strict=True), scores, strict=True):
        by_count.append(Evidence(math.nan) if np.isneginf(reached) else Evidence(*column))
    # A lost seed brings no new number: the evidence after it is that of the seeds before it.
    counts = np.cumsum([not math.isnan(value) for value in trajectory.values])
    return [by_count[count] for count in counts.tolist()]
