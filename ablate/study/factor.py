"""Factors and their levels."""

from __future__ import annotations

from dataclasses import dataclass

from ablate.characters import is_unicode
from ablate.errors import DesignError, suggestion


def level_label(value: object) -> str:
    """A level's value as it is written on the command line.

    Example:
        >>> level_label(False), level_label(None), level_label(0.001), level_label("gap")
        ('false', 'null', '0.001', 'gap')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


_ABSENCE = ("false", "null", "none", "off", "no", "absent")


def takes_away(reference: str, level: str) -> bool:
    """Whether going from one level to another takes a part away, instead of putting something else in its place.

    The one rule by which verdicts are worded: parts help or hurt, other levels are better or worse.

    Args:
        reference: Label of the level that the reference has.
        level: Label of the other level.

    Example:
        >>> takes_away("true", "false"), takes_away("false", "true"), takes_away("gap", "flatten")
        (True, False, False)
        >>> takes_away("batch", "none")
        True
    """
    return is_absence(level) and not is_absence(reference)


def is_absence(level: str) -> bool:
    """Whether a level says that something is not there.

    Example:
        >>> is_absence("false"), is_absence("None"), is_absence("gap")
        (True, True, False)
    """
    return level.lower() in _ABSENCE


@dataclass(frozen=True)
class Level:
    """One value of a factor.

    Args:
        label: How the level is called in cells, tables and columns, such as ``"false"`` or ``"gap"``.
        overrides: What turns the level on: override strings in Hydra's grammar, usually one.
    """

    label: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Factor:
    """A config key that a study varies.

    Args:
        name: The key, such as ``"residual"`` or ``"train.learning_rate"``.
        levels: At least two levels in the order in which the user listed them.
        reference: Label of the level that the unswept config has.
        block: Whether the factor divides the study into parts that are compared only within (a data set), instead
            of being something that can be taken away.
        label: What sentences call it, such as ``"residual connections"``; empty for its name.

    Example:
        >>> head = Factor("head", (Level("gap"), Level("flatten")), reference="gap")
        >>> head.removed.label
        'flatten'
    """

    name: str
    levels: tuple[Level, ...]
    reference: str
    block: bool = False
    label: str = ""

    def __post_init__(self) -> None:
        labels = self.labels
        if broken := [text for text in (self.name, *labels) if not is_unicode(text)]:
            raise DesignError(f"Factor '{self.name}' has texts that are no valid Unicode: {', '.join(broken)}.")
        if len(set(labels)) < len(labels):
            raise DesignError(f"Factor '{self.name}' lists a level twice: {', '.join(labels)}.")
        if len(labels) < 2:
            raise DesignError(f"Factor '{self.name}' has nothing to compare: its only level is {', '.join(labels)}.")
        if self.reference not in labels:
            raise DesignError(
                f"Factor '{self.name}' lacks its reference level '{self.reference}': {', '.join(labels)}."
            )

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of all levels, in order."""
        return tuple(level.label for level in self.levels)

    @property
    def alternatives(self) -> tuple[Level, ...]:
        """All levels but the reference, in order."""
        return tuple(level for level in self.levels if level.label != self.reference)

    @property
    def removed(self) -> Level:
        """The level that stands for "taken away": the other one, or the last one listed."""
        return self.alternatives[-1]

    def level(self, label: str) -> Level:
        """The level of that label.

        Raises:
            DesignError: If the factor has no such level.
        """
        for level in self.levels:
            if level.label == label:
                return level
        raise DesignError(
            f"Factor '{self.name}' has no level '{label}'. Levels: {', '.join(self.labels)}."
            f"{suggestion(label, self.labels)}"
        )
