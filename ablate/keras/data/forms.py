"""Forms that the labels of a data set may have."""

from __future__ import annotations

from enum import Enum


class LabelForm(Enum):
    """What the label of an example is; the value describes it for messages."""

    CLASS = "one class an example"
    CLASSES = "any number of classes an example"
    NUMBERS = "numbers to predict"
    MASK = "a class for each pixel"
    STEPS = "a class for each step"
