"""Metrics of predictions, from arrays: the definitions of scikit-learn, without the second it takes to load."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

_BINS = 15
_LEAST_PROBABILITY = 1e-15
"""Probabilities are clipped to it, so that one wrong certainty does not make the likelihood infinite."""


def confusion_counts(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How often each class was taken for which.

    Args:
        labels: Whole numbers of any shape.
        predicted: The same shape.
        classes: Number of classes.

    Returns:
        (classes, classes), a row a class.

    Example:
        >>> confusion_counts(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
        [[1, 1], [0, 1]]
    """
    codes = labels.astype(np.int64).ravel() * classes + predicted.astype(np.int64).ravel()
    return np.bincount(codes, minlength=classes**2).reshape(classes, classes)


def f1_by_class(counts: np.ndarray) -> np.ndarray:
    """2 TP / (2 TP + FP + FN) of each class, which is also its Dice coefficient; NaN where it does not occur.

    Args:
        counts: (classes, classes), see `confusion_counts`.
    """
    hits, total = np.diagonal(counts), counts.sum(axis=0) + counts.sum(axis=1)
    return np.divide(2.0 * hits, total, out=np.full(len(counts), np.nan), where=total > 0)


def iou_by_class(counts: np.ndarray) -> np.ndarray:
    """TP / (TP + FP + FN) of each class (Jaccard index); NaN where it neither occurs nor is predicted.

    Args:
        counts: (classes, classes), see `confusion_counts`.
    """
    hits = np.diagonal(counts)
    union = counts.sum(axis=0) + counts.sum(axis=1) - hits
    return np.divide(hits, union, out=np.full(len(counts), np.nan), where=union > 0)


def recall_by_class(counts: np.ndarray) -> np.ndarray:
    """TP / (TP + FN) of each class; NaN where it does not occur.

    Args:
        counts: (classes, classes), see `confusion_counts`.
    """
    occurring = counts.sum(axis=1)
    return np.divide(np.diagonal(counts), occurring, out=np.full(len(counts), np.nan), where=occurring > 0)


def mean_of(values: np.ndarray) -> float:
    """The mean without NaN; NaN where there is nothing else."""
    finite = values[~np.isnan(values)]
    return float(finite.mean()) if len(finite) else float("nan")


def auroc(is_class: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve: how probably an example of the class has a higher score than another one.

    Args:
        is_class: (examples,), true or false.
        scores: (examples,); ties count half.

    Returns:
        NaN where all examples are of the class, or none.

    Example:
        >>> auroc(np.array([False, True, True]), np.array([0.2, 0.1, 0.9]))
        0.5
    """
    positive = int(is_class.sum())
    negative = len(is_class) - positive
    if not positive or not negative:
        return float("nan")
    rank_sum = float(rankdata(scores)[is_class].sum())
    return (rank_sum - positive * (positive + 1) / 2) / (positive * negative)


def top_k_accuracy(labels: np.ndarray, probabilities: np.ndarray, k: int) -> float:
    """The share of examples whose class is among the ``k`` most probable.

    Args:
        labels: (examples,), whole numbers.
        probabilities: (examples, classes).
        k: How many classes count; of equal probabilities the lower class number goes first.
    """
    ranked = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float((ranked == labels[:, None]).any(axis=1).mean())


def negative_log_likelihood(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The mean of -log of the probability of the right class, in nats.

    Args:
        labels: (examples,), whole numbers.
        probabilities: (examples, classes).
    """
    right = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(right, _LEAST_PROBABILITY, 1.0)).mean())


def expected_calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The mean gap between accuracy and the highest probability, over 15 equal bins of the latter.

    Guo et al., On Calibration of Modern Neural Networks, ICML 2017.

    Args:
        labels: (examples,), whole numbers.
        probabilities: (examples, classes).
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    # Bins are open below and closed above, as in the paper.
    bins = np.clip(np.ceil(confidence * _BINS).astype(int) - 1, 0, _BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(labels))


def average_precision(is_class: np.ndarray, scores: np.ndarray) -> float:
    """The mean precision over the examples of a class, ranked by score: the area under precision and recall in steps.

    Args:
        is_class: (examples,), true or false.
        scores: (examples,); examples of equal scores come in together.

    Returns:
        NaN where no example is of the class.
    """
    if not is_class.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(is_class[order])
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    precision, found = hits[last] / (last + 1), hits[last]
    return float((precision * np.diff(found, prepend=0)).sum() / hits[-1])
