"""Metrics: what is known of a number that runs report, declared once.

A study may use any number as its metric; of one that is declared here tables, figures and sentences know the label, and
in which unit differences are written. A package adds its own by the entry-point group ``ablate.metrics``, a script with
``METRICS.register(Metric(...))``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ablate.objects import Registry

_PREFIXES = ("test_", "val_", "validation_", "valid_", "train_", "training_")

POINTS = "points"
"""Unit of a share: differences are written in percentage points."""


@dataclass(frozen=True)
class Metric:
    """A number that a run reports.

    Args:
        name: As runs report it, without a prefix for the data it is measured on: ``"accuracy"``.
        label: What people read; empty for the name.
        direction: ``"max"`` where higher is better, ``"min"`` where lower is. Which one a study goes by, the study
            declares.
        unit: What follows a difference: :data:`POINTS`, ``"s"``, or nothing.
        description: What it is, in one line.
    """

    name: str
    label: str = ""
    direction: str = "max"
    unit: str = ""
    description: str = ""


METRICS: Registry[Metric] = Registry("metric", group="ablate.metrics")
"""All declared metrics by name."""

for _metric in (
    Metric("accuracy", unit=POINTS, description="share of predictions that are right"),
    Metric("acc", "accuracy", unit=POINTS, description="share of predictions that are right"),
    Metric("f1", "F1", unit=POINTS, description="2 TP / (2 TP + FP + FN)"),
    Metric("macro_f1", "macro F1", unit=POINTS, description="mean of F1 over classes"),
    Metric("micro_f1", "micro F1", unit=POINTS, description="F1 over all answers of all classes"),
    Metric("exact_match", "exact match", unit=POINTS, description="share of examples whose classes are all right"),
    Metric("auroc", "AUROC", unit=POINTS, description="area under the ROC curve, mean over classes"),
    Metric("map", "mAP", unit=POINTS, description="average precision, mean over classes"),
    Metric("ece", "ECE", "min", POINTS, "expected calibration error: gap between confidence and accuracy"),
    Metric("nll", "NLL", "min", description="negative log-likelihood of the right class, in nats"),
    Metric("mean_iou", "mean IoU", unit=POINTS, description="intersection over union, mean over classes"),
    Metric("dice", "Dice", unit=POINTS, description="Dice coefficient, mean over classes"),
    Metric("mae", "MAE", "min", description="mean absolute error, in the units of the target"),
    Metric("rmse", "RMSE", "min", description="root of the mean squared error, in the units of the target"),
    Metric("r2", "R2", description="share of the variance that is explained"),
    Metric("loss", direction="min", description="what training minimises"),
    Metric("weights", direction="min", description="number of weights of the network"),
    Metric("epoch", direction="min", description="the epoch whose weights were tested"),
    Metric("epochs", direction="min", description="how many epochs were trained"),
    Metric("seconds", direction="min", unit="s", description="time of the whole run"),
    Metric("seconds_fit", "seconds of training", "min", "s", "time of the training alone"),
    Metric("seconds_test", "seconds of testing", "min", "s", "time of the test alone"),
):
    METRICS.register(_metric)

# Words of names of which the direction alone is known; a declared metric goes before.
_HIGHER = (
    *("score", "precision", "recall", "f1", "auc", "auroc", "auprc", "ap", "map", "bleu", "rouge", "meteor", "cider"),
    *("iou", "miou", "dice", "r2", "psnr", "ssim", "reward", "rewards", "return", "returns", "success", "likelihood"),
    *("elbo", "pearson", "spearman", "kappa", "mcc", "ndcg", "mrr", "specificity", "sensitivity", "correct", "top1"),
    *("top5", "fitness", "throughput", "accuracies", "agreement", "correlation"),
)
_LOWER = (
    *("losses", "error", "errors", "err", "mse", "rmse", "mae", "mape", "smape", "rmsle", "nmse", "perplexity", "ppl"),
    *(
        "nll",
        "logloss",
        "wer",
        "cer",
        "eer",
        "fid",
        "kid",
        "distortion",
        "regret",
        "cost",
        "latency",
        "time",
        "runtime",
    ),
    *("duration", "ece", "brier", "bpc", "bpb", "kl", "kld", "divergence", "mpjpe", "deviance", "entropy", "memory"),
)
_DIRECTIONS = {**dict.fromkeys(_HIGHER, "max"), **dict.fromkeys(_LOWER, "min")}

_TURNING = ("neg", "negative", "minus")
"""Words that turn the direction of what follows: ``neg_mean_squared_error``."""


def metric_stem(name: str) -> str:
    """A metric's name without the data it is measured on.

    Example:
        >>> metric_stem("test_accuracy"), metric_stem("val_loss"), metric_stem("score")
        ('accuracy', 'loss', 'score')
    """
    return next((name.removeprefix(prefix) for prefix in _PREFIXES if name.startswith(prefix)), name)


def metric_label(name: str) -> str:
    """What people read for a metric: its declared label behind the data it is measured on, or else its name.

    Example:
        >>> metric_label("seconds_fit"), metric_label("test_accuracy"), metric_label("val_acc")
        ('seconds of training', 'test_accuracy', 'val accuracy')
    """
    stem = metric_stem(name)
    label = METRICS[stem].label if stem in METRICS else ""
    return f"{name.removesuffix(stem).replace('_', ' ')}{label}" if label else name


def metric_of(name: str) -> Metric:
    """What is known of a metric.

    Args:
        name: As a run reports it, with or without a prefix such as ``test_``.

    Returns:
        The declared metric; else one of this name with the unit and the direction of a declared one whose name is a
        word of it (``top_5_accuracy`` is a kind of accuracy); else one of which nothing is known.

    Example:
        >>> metric_of("test_accuracy").unit, metric_of("balanced_accuracy").unit, metric_of("score")
        ('points', 'points', Metric(name='score', label='', direction='max', unit='', description=''))
    """
    stem = metric_stem(name)
    if stem in METRICS:
        return METRICS[stem]
    for word in reversed(words_of(stem)):
        if word in METRICS:
            found = direction_of(stem)
            direction = found.direction if found is not None else METRICS[word].direction
            return replace(METRICS[word], name=stem, label="", direction=direction, description="")
    found = direction_of(stem)
    return Metric(stem) if found is None else Metric(stem, direction=found.direction)


def share_top(name: str, values: Iterable[float]) -> float | None:
    """The largest value that a metric can have, if it is declared a share: 1, or 100 where it is given in percent.

    Args:
        name: The metric.
        values: Its values in all runs, which show which of the two it is.

    Returns:
        None for other metrics, and where the values are neither.

    Example:
        >>> share_top("test_accuracy", [0.97, 1.0]), share_top("acc", [97.0, 98.5]), share_top("loss", [0.1])
        (1.0, 100.0, None)
    """
    if metric_of(name).unit != POINTS:
        return None
    numbers = list(values)
    if all(0 <= value <= 1 for value in numbers):
        return 1.0
    return 100.0 if all(1 < value <= 100 for value in numbers) else None


@dataclass(frozen=True)
class NamedDirection:
    """Which way a metric is good, by its name.

    Args:
        direction: ``"max"`` or ``"min"``.
        word: The word that says so.
    """

    direction: str
    word: str


def direction_of(name: str) -> NamedDirection | None:
    """Which way a metric is good, as far as a whole word of its name is that of a declared one; the last word counts.

    Args:
        name: As runs report it.

    Returns:
        None where no word says anything: then nobody knows but the user.

    Example:
        >>> direction_of("val_loss"), direction_of("test/top_5_accuracy").direction
        (NamedDirection(direction='min', word='loss'), 'max')
        >>> direction_of("neg_mean_squared_error").direction, direction_of("confidence"), direction_of("valLoss").word
        ('max', None, 'loss')
    """
    words = words_of(name)
    for word in reversed(words):
        direction = METRICS[word].direction if word in METRICS else _DIRECTIONS.get(word)
        if direction is not None:
            if any(turning in words for turning in _TURNING):
                direction = "min" if direction == "max" else "max"
            return NamedDirection(direction, word)
    return None


def words_of(name: str) -> list[str]:
    """The words of a metric's name in lower case.

    Example:
        >>> words_of("test/AccuracyTop1"), words_of("mean_f1@10")
        (['test', 'accuracy', 'top1'], ['mean', 'f1', '10'])
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]
