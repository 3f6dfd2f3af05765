"""Metrics: what is known of a number that runs report, declared once.

A study may use any number as its metric; of one that is declared here tables, figures and sentences know the label, and
in which unit differences are written. A package adds its own by the entry-point group ``ablate.metrics``, a script with
``METRICS.register(Metric(...))``.
"""

from __future__ import annotations

import re
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
    Metric("loss", direction="min", description="what training minimises"),
    Metric("weights", direction="min", description="number of weights of the network"),
    Metric("epoch", direction="min", description="the epoch whose weights were tested"),
    Metric("epochs", direction="min", description="how many epochs were trained"),
    Metric("seconds", direction="min", unit="s", description="time of the whole run"),
    Metric("seconds_fit", "seconds of training", "min", "s", "time of the training alone"),
    Metric("seconds_test", "seconds of testing", "min", "s", "time of the test alone"),
):
    METRICS.register(_metric)


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
    for word in reversed(re.split(r"[^a-z]+", stem.lower())):
        if word in METRICS:
            return replace(METRICS[word], name=stem, label="", description="")
    return Metric(stem)
