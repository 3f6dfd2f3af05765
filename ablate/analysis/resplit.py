"""The corrected t test for seeds that each split one data set anew."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from ablate.analysis.intervals import MeanInterval


def scope(resplit: float | None, data_sets: int = 1) -> str:
    """Of which data intervals and tests over seeds speak, to be put behind what they say; empty for new splits.

    Args:
        resplit: See :class:`~ablate.study.Study`.
        data_sets: How many data sets the study runs on.

    Example:
        >>> scope(None), scope(None, 3), scope(0.25)
        (' on this test set', ' on these test sets', '')
    """
    if resplit is not None:
        return ""
    return " on this test set" if data_sets < 2 else " on these test sets"


def inflation(ratio: float, splits: Any) -> Any:
    """What the variance of a mean over splits of one data set is multiplied by, and an F statistic divided by.

    Args:
        ratio: See :func:`corrected`.
        splits: How many splits the mean is over; a number or an array.
    """
    return 1 + splits * ratio


def corrected(mean: MeanInterval, ratio: float, splits: int | None = None) -> MeanInterval:
    """A mean over seeds that each draw their own split of one data set, with the error that their overlap leaves.

    Training sets of one data set overlap, so that what a split does to the differences is correlated between seeds, by
    about the share of the test part. More seeds then add less than they seem to. Where other noise dominates, the
    corrected interval is too wide.

    Source: C. Nadeau and Y. Bengio, Inference for the generalization error, Machine Learning 52 (2003), 239-281: the
    variance is multiplied by ``1/n + n_test/n_train`` instead of ``1/n``.

    Args:
        mean: The mean with its t interval.
        ratio: Number of test examples for each training example of a split; 0 where seeds share no data.
        splits: How many splits it is over, where these are not its values.

    Example:
        >>> plain = MeanInterval(n=10, mean=1.0, error=0.2, half=0.45)
        >>> round(corrected(plain, 0.25).error / plain.error, 3)  # 80% and 20%: sqrt(1 + 10 / 4)
        1.871
    """
    if not ratio:
        return mean
    wider = math.sqrt(inflation(ratio, mean.n if splits is None else splits))
    return replace(mean, error=mean.error * wider, half=mean.half * wider)
