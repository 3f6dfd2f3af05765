"""Contrasts between the means of cells, each with the error that the runs of a study allow for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ablate.analysis.boundary import SequentialRule
from ablate.analysis.estimates import Contrast, weighted_sums
from ablate.analysis.observations import Observations, block_of, blocks_of
from ablate.analysis.pooled_error import PooledError, contrast_interval, pooled_error
from ablate.analysis.verdict_words import About
from ablate.study import Cell, Plan, Study

Weight = tuple[str, float]
"""A cell label and its weight in a contrast."""


@dataclass(frozen=True)
class CellContrasts:
    """Makes the contrasts of a study.

    Their error is the residual of the model of cells and seeds, with its degrees of freedom; where runs of one seed do
    not belong together, the variance within cells. Under the sequential rule it is that of the contrast over seeds.
    Averages over data sets take the data set as the unit: seeds of several data sets are not one sample.

    Args:
        plan: The plan.
        values: The metric by cell label and seed.
        rule: The sequential rule under which the seeds were taken, or None.
    """

    plan: Plan
    values: Observations
    rule: SequentialRule | None = None

    @property
    def is_over_data_sets(self) -> bool:
        """Whether averages have the data set as their unit."""
        return len(blocks_of(self.plan)) > 1

    @property
    def study(self) -> Study:
        """What is asked of averages: over data sets, splits of a single one are no error of their own."""
        return replace(self.plan.study, resplit=None) if self.is_over_data_sets else self.plan.study

    @cached_property
    def _pooled(self) -> Mapping[tuple[str, ...], PooledError | None]:
        cells: dict[tuple[str, ...], list[str]] = {}
        for cell in self.plan.cells:
            cells.setdefault(block_of(cell, self.plan), []).append(cell.label)
        return {block: pooled_error(self.values, labels, self.plan.study.paired) for block, labels in cells.items()}

    def of(
        self, keys: Mapping[str, object], weights: Sequence[Weight], about: About, block: tuple[str, ...] = ()
    ) -> Contrast:
        """A weighted sum of cells.

        Args:
            keys: What it is the contrast of.
            weights: Cell labels with their weights; a cell may occur several times.
            about: See :class:`~ablate.analysis.estimates.Contrast`.
            block: The data set of all these cells.
        """
        by_seed, size = weighted_sums(self.values, weights)
        pooled = self._pooled.get(block)
        if not self.plan.study.paired:
            # Seeds number the runs of a cell here: the same number in two cells says nothing.
            by_seed = {}
        if self.rule is not None or pooled is None:
            return Contrast(keys, by_seed, size, about=about)
        total: dict[str, float] = {}
        for cell, weight in weights:
            total[cell] = total.get(cell, 0.0) + weight
        interval = contrast_interval(self.values, total, by_seed, size, pooled)
        return Contrast(keys, by_seed, size, interval, about=about)

    def average(
        self, keys: Mapping[str, object], groups: Sequence[Sequence[Cell]], signs: Sequence[int], about: About
    ) -> Contrast:
        """The mean over groups of cells of their signed sums; over data sets the mean of those of each.

        Args:
            keys: What it is the contrast of.
            groups: Groups of as many cells as there are signs, each within one data set.
            signs: The sign of each cell of a group.
            about: See :class:`~ablate.analysis.estimates.Contrast`.
        """
        by_block: dict[tuple[str, ...], list[Sequence[Cell]]] = {}
        for group in groups:
            by_block.setdefault(block_of(group[0], self.plan), []).append(group)
        weights = {
            block: [(cell.label, sign / len(own)) for group in own for cell, sign in zip(group, signs, strict=True)]
            for block, own in by_block.items()
        }
        if not self.is_over_data_sets:
            return self.of(keys, next(iter(weights.values())), about, next(iter(weights)))
        means: dict[int, float] = {}
        sizes = [0.0]
        for place, own in enumerate(weights.values()):
            by_seed, size = weighted_sums(self.values, own)
            sizes.append(size)
            if by_seed:
                means[place] = math.fsum(by_seed.values()) / len(by_seed)
        return Contrast(keys, means, max(sizes), about=about)
