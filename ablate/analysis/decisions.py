"""What is claimed of each cell of a study: by which test, and what forbids it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ablate.analysis.failures import MOST_COLLAPSES, collapsed, failure_rate, lost_runs_forbid
from ablate.analysis.intervals import MeanInterval, t_interval
from ablate.analysis.moderation import FEW_SEEDS, moderated
from ablate.analysis.resplit import corrected
from ablate.analysis.shape import are_skewed, spread_alike
from ablate.analysis.sign_flips import joint_sign_flip_p, sign_flip_interval, sign_flip_p, sign_flip_tail
from ablate.analysis.unpaired import welch_interval
from ablate.analysis.verdicts import BELOW, HOLM, Evidence, adjust, correction_of, direction_of, evidence, verdict

T, MODERATED, CORRECTED, SIGN_FLIP, NONE = "t", "moderated t", "corrected t", "sign flip", "none"
WELCH, CORRECTED_WELCH = "Welch t", "corrected Welch t"
"""The tests that a verdict can rest on; ``none`` where the shape of the differences allows no test of their mean, the
latter two where runs form no pairs."""

NAMES: Mapping[str, str] = {
    MODERATED: "moderated paired t test",
    T: "paired t test",
    CORRECTED: "corrected paired t test",
    SIGN_FLIP: "sign-flip test",
    WELCH: "Welch t test",
    CORRECTED_WELCH: "corrected Welch t test",
}
"""What texts call each test."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trajectory:
    """The contributions of one cell in the order of the study's seeds.

    Args:
        values: One per seed, up to the first that is still to come; NaN for a seed that is lost for good (a failed
            run), and for all where runs form no pairs.
        sizes: For each value the magnitude of the metric behind it, by which rounding noise is told from spread; by
            default that of the value itself.
        runs: By seed the metric of the reference and of the cell, NaN for a failed run, None where there is none, or
            none yet; empty where they are not known: then nothing is said of failures, and cells are taken to be
            exchangeable.
        block: What the cells that share its reference have in common.
        direction: ``"max"`` where a higher metric is better, else ``"min"``.
        is_paired: Whether the two runs of a seed belong together; otherwise seeds only number the runs.
    """

    values: tuple[float, ...]
    sizes: tuple[float, ...] = ()
    runs: tuple[tuple[float | None, float | None], ...] = ()
    block: str = ""
    direction: str = "max"
    is_paired: bool = True

    def known(self, read: int | None = None) -> tuple[Floats, Floats]:
        """The values and sizes among the first ``read`` seeds that were not lost."""
        values = np.array(self.values[:read], dtype=float)
        sizes = np.array((self.sizes or self.values)[:read], dtype=float)
        is_known = ~np.isnan(values)
        return values[is_known], np.abs(sizes[is_known])

    def mean(self, read: int | None = None, overlap: float = 0.0) -> MeanInterval:
        """The mean contribution of the first ``read`` seeds with its t interval, or Welch's where runs form no pairs.

        Args:
            read: How many seeds count.
            overlap: Where seeds split one data set anew, the number of test examples for each training example.
        """
        if not self.is_paired:
            reference, cell = (sorted(value for value in side if not math.isnan(value)) for side in self.ended(read))
            return welch_interval(reference, cell, overlap).scaled(-1.0 if self.direction == "max" else 1.0)
        values, sizes = self.known(read)
        return corrected(t_interval(values.tolist(), float(sizes.max(initial=0.0))), overlap)

    def ended(self, read: int | None = None) -> tuple[list[float], list[float]]:
        """The runs of the reference and of the cell that have ended among the first ``read`` seeds; NaN if lost.

        Of pairs both must have ended.
        """
        runs = self.runs[:read]
        if self.is_paired:
            runs = tuple(pair for pair in runs if None not in pair)
        return [a for a, _ in runs if a is not None], [b for _, b in runs if b is not None]

    def lost(self, read: int | None = None) -> tuple[int, int]:
        """How many runs of the reference and of the cell are lost among the first ``read`` seeds."""
        reference, cell = (sum(map(math.isnan, side)) for side in self.ended(read))
        return reference, cell

    def failures(self, read: int | None = None) -> tuple[int, int]:
        """How many runs of the cell failed or collapsed, and how many there were."""
        runs = self.ended(read)[1]
        finished = [value for value in runs if not math.isnan(value)]
        return len(runs) - len(finished) + collapsed(finished, self.direction), len(runs)


@dataclass(frozen=True)
class Decision:
    """What has been decided of a cell after the seeds read so far.

    Args:
        read: How many of the study's seeds have been read for this cell, lost ones included.
        contribution: Mean contribution over them with the interval that belongs to the test.
        raw: Unadjusted p values. Under the sequential rule the probability that without an effect the largest statistic
            of all looks is at least the one seen; they are frozen when the cell is decided.
        adjusted: The same, adjusted over all cells.
        verdict: One of :data:`ablate.analysis.verdicts.VERDICTS`; under the sequential rule final unless it is
            ``undecided``.
        test: What it rests on: :data:`NONE` or one of :data:`NAMES`.
        withheld: Why the claim that the numbers allow is not made; empty where none is withheld.
    """

    read: int
    contribution: MeanInterval
    raw: Evidence
    adjusted: Evidence
    verdict: str
    test: str = T
    withheld: str = ""

    @property
    def is_decided(self) -> bool:
        """Whether the cell needs no further seed."""
        return self.verdict != "undecided"


def decide(
    trajectories: Mapping[str, Trajectory],
    margin: float | None,
    levels: Sequence[tuple[int, float]] = (),
    resplit: float | None = None,
) -> dict[str, Decision]:
    """The verdicts of a study whose number of seeds was fixed.

    Comparisons of runs that form no pairs are in the same family as the others; they are tested by Welch's test, and
    neither lend nor borrow variance.

    Args:
        trajectories: The contributions by cell.
        margin: The least effect that matters, in the metric's units, or None.
        levels: For a study that grew after its results had been seen: number of seeds at each look in order, and the
            share of :data:`~ablate.analysis.verdicts.ALPHA` that it may spend, see
            :func:`ablate.analysis.growth.levels_of`.
        resplit: See :class:`~ablate.study.Study`; with it every test is a corrected t test.

    Example:
        >>> values = {"w/o a": Trajectory((0.50, 0.52, 0.51, 0.50)), "w/o b": Trajectory((0.1, -0.2, 0.0, 0.1))}
        >>> [(cell, found.verdict, found.test) for cell, found in decide(values, None).items()]
        [('w/o a', 'helps', 't'), ('w/o b', 'undecided', 't')]
    """
    decisions = _look(trajectories, margin, None, resplit)
    if levels:
        looks = [_look(trajectories, margin, read, resplit) for read, _ in levels]
        shares = [share for _, share in levels]
        for cell, decision in decisions.items():
            spent = [
                _divided(look[cell].adjusted, share) for look, share in zip(looks, shares, strict=True) if cell in look
            ]
            adjusted = Evidence(*(_least(values) for values in zip(*map(_questions, spent), strict=True)))
            decisions[cell] = replace(decision, adjusted=adjusted)
    return {cell: concluded(decision, trajectories[cell], margin) for cell, decision in decisions.items()}


def concluded(decision: Decision, trajectory: Trajectory, margin: float | None) -> Decision:
    """A decision with its verdict, unless lost or collapsing runs forbid it.

    Args:
        decision: Interval and p values, from :func:`decide` or a look of the sequential rule.
        trajectory: The numbers behind it.
        margin: The least effect that matters, or None.
    """
    if decision.test == NONE:
        why = "its differences are skewed and it spreads otherwise than its reference, which no test of few runs allows"
        return replace(decision, verdict="undecided", withheld=why)
    conclusion = verdict(decision.contribution, decision.adjusted, margin)
    lost, ended = trajectory.lost(decision.read), trajectory.ended(decision.read)
    # Shares, because cells whose runs form no pairs need not have equally many.
    shares = [count / len(side) if side else 0.0 for count, side in zip(lost, ended, strict=True)]
    failed, runs = trajectory.failures(decision.read)
    highest = failure_rate(failed, runs) if runs else 0.0
    if conclusion.endswith(BELOW) and (highest > MOST_COLLAPSES or lost_runs_forbid("no effect", *shares)):
        # That there is an effect stands; that it is small does not.
        conclusion = direction_of(conclusion)
    if lost_runs_forbid(conclusion, *shares):
        why = f"{conclusion}, but {lost[0]} runs of the reference and {lost[1]} of the cell are lost"
        return replace(decision, verdict="undecided", withheld=why)
    if conclusion in ("no effect", "dispensable") and highest > MOST_COLLAPSES:
        why = f"{conclusion}, but {failed} of {runs} runs failed or collapsed, which leaves up to {highest:.0%}"
        return replace(decision, verdict="undecided", withheld=why)
    return replace(decision, verdict=conclusion)


def _look(
    trajectories: Mapping[str, Trajectory], margin: float | None, read: int | None, resplit: float | None
) -> dict[str, Decision]:
    cells = list(trajectories)
    if resplit is None:
        means = moderated_means(trajectories, dict.fromkeys(cells, read))
        plain = {cell: T if trajectories[cell].is_paired else WELCH for cell in cells}
        tests = {cell: MODERATED if means[cell].prior else plain[cell] for cell in cells}
        tests |= tests_by_shape(trajectories, dict.fromkeys(cells, read))
    else:
        means = {cell: trajectories[cell].mean(read, resplit) for cell in cells}
        tests = {cell: CORRECTED if trajectories[cell].is_paired else CORRECTED_WELCH for cell in cells}
    raw = {cell: evidence(means[cell], margin) for cell in cells}
    for cell in cells:
        if tests[cell] == SIGN_FLIP:
            values = trajectories[cell].known(read)[0].tolist()
            low, high = sign_flip_interval(values)
            means[cell] = replace(means[cell], half=(high - low) / 2, ends=(low, high))
            raw[cell] = sign_flip_evidence(values, margin)
        elif tests[cell] == NONE:
            means[cell] = replace(means[cell], half=math.nan)
            raw[cell] = Evidence(math.nan)
    correction = correction_of(margin, MODERATED in tests.values())
    step_down = correction == HOLM
    adjusted = dict(zip(cells, adjust([raw[cell] for cell in cells], correction), strict=True))
    if step_down:
        for group in _groups(trajectories, dict.fromkeys(cells, read)):
            flipped = [cell for cell in group if tests[cell] == SIGN_FLIP]
            if flipped:
                rows = [trajectories[cell].known(read)[0].tolist() for cell in group]
                joint = dict(zip(group, joint_sign_flip_p(rows), strict=True))
                # The groups of several data sets share the error probability by their sizes.
                for cell in flipped:
                    adjusted[cell] = Evidence(min(1.0, joint[cell] * len(cells) / len(group)))
    return {
        cell: Decision(
            len(trajectories[cell].values[:read]), means[cell], raw[cell], adjusted[cell], "undecided", tests[cell]
        )
        for cell in cells
    }


def moderated_means(trajectories: Mapping[str, Trajectory], read: Mapping[str, int | None]) -> dict[str, MeanInterval]:
    """The mean contributions, in each block with moderated variances where seeds are few and runs form pairs.

    Args:
        trajectories: The contributions by cell.
        read: How many seeds have been read, by cell.
    """
    means = {cell: trajectory.mean(read[cell]) for cell, trajectory in trajectories.items()}
    paired = {cell: trajectory for cell, trajectory in trajectories.items() if trajectory.is_paired}
    for block in dict.fromkeys(trajectory.block for trajectory in paired.values()):
        cells = [cell for cell, trajectory in paired.items() if trajectory.block == block]
        values = [trajectories[cell].values[: read[cell]] for cell in cells]
        means.update(zip(cells, moderated([means[cell] for cell in cells], values), strict=True))
    return means


def _groups(trajectories: Mapping[str, Trajectory], read: Mapping[str, int | None]) -> list[list[str]]:
    """Cells of one block whose runs form pairs, with the same seeds, enough of them and with spread."""
    groups: dict[tuple[str, tuple[bool, ...]], list[str]] = {}
    for cell, trajectory in trajectories.items():
        if not trajectory.is_paired:
            continue
        mean = trajectory.mean(read[cell])
        if mean.n >= FEW_SEEDS and mean.error > 0:
            lost = tuple(map(math.isnan, trajectory.values[: read[cell]]))
            groups.setdefault((trajectory.block, lost), []).append(cell)
    return list(groups.values())


def tests_by_shape(trajectories: Mapping[str, Trajectory], read: Mapping[str, int | None]) -> dict[str, str]:
    """The test of each cell whose differences are too skewed for a t test; no entry for the others.

    From eight seeds on. Signs are flipped where the cell spreads like its reference; otherwise there is no test.

    Args:
        trajectories: The contributions by cell.
        read: How many seeds have been read, by cell.
    """
    tests = {}
    for group in _groups(trajectories, read):
        skewed = are_skewed([trajectories[cell].known(read[cell])[0].tolist() for cell in group])
        if not any(skewed):
            continue
        runs = {}
        for cell in group:
            pairs = np.array(trajectories[cell].ended(read[cell]), dtype=float).T
            runs[cell] = pairs[~np.isnan(pairs).any(axis=1)]
        are_alike = [True] * len(group)
        if all(len(pairs) for pairs in runs.values()):
            are_alike = spread_alike(runs[group[0]][:, 0], [runs[cell][:, 1] for cell in group])
        for cell, is_skewed, is_alike in zip(group, skewed, are_alike, strict=True):
            if is_skewed:
                tests[cell] = SIGN_FLIP if is_alike else NONE
    return tests


def sign_flip_evidence(values: Sequence[float], margin: float | None) -> Evidence:
    """The unadjusted p values of a contribution by flipping signs."""
    difference = sign_flip_p(values)
    if margin is None:
        return Evidence(difference)
    below = sign_flip_tail([margin - value for value in values])
    above = sign_flip_tail([margin + value for value in values])
    return Evidence(difference, max(below, above), below)


def _questions(p: Evidence) -> tuple[float, float, float]:
    return p.difference, p.equivalence, p.dispensability


def _divided(p: Evidence, share: float) -> Evidence:
    return Evidence(*(value if math.isnan(value) else min(1.0, value / share) for value in _questions(p)))


def _least(values: Sequence[float]) -> float:
    return min((value for value in values if not math.isnan(value)), default=math.nan)
