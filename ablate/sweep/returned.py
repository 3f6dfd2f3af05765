"""What a train function returned, sorted into the numbers that are analysed and everything else."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ablate.characters import one_line
from ablate.errors import Diverged, RunError
from ablate.sweep.safe_text import shortened, text_of

_DEEPEST = 20
"""Mappings nested deeper than this are stored as text."""

_LONGEST_NAME = 200

_FINGERPRINTS = "fingerprints"
_LONGEST_FINGERPRINT = 64

_LARGEST_EXACT = 2**53
"""Whole numbers up to this are floating-point numbers as well."""


def has_number(value: Any) -> bool:
    """Whether there is a number in what a train function returned.

    Example:
        >>> has_number({"path": "out"}), has_number({"best": {"accuracy": 0.5}}), has_number(None)
        (False, True, False)
    """
    sorting = _Sorting("value")
    sorting.add_all(value if isinstance(value, Mapping) else {"value": value}, "", ())
    return bool(sorting.metrics or sorting.too_large)


def sort_results(value: Any, metric: str, strict: bool = True) -> tuple[dict[str, float], dict[str, Any]]:
    """Sort what a train function returned.

    Args:
        value: A number, or a mapping; nested mappings become ``outer.inner``.
        metric: What to call a single number.
        strict: Whether a number must be in it.

    Returns:
        Metrics by name, and what is no number by name.

    Raises:
        RunError: If there is no number in it.
        Diverged: If the number that decides is not finite, or too large for a floating-point number: the one called
            ``metric``, or the only one there is.

    Example:
        >>> sort_results({"accuracy": 0.5, "note": "fine"}, "value")
        ({'accuracy': 0.5}, {'note': 'fine'})
    """
    sorting = _Sorting(metric)
    sorting.add_all(value if isinstance(value, Mapping) else {metric: value}, "", ())
    metrics, other = sorting.metrics, sorting.other
    if metric in sorting.too_large or (sorting.too_large and not metrics):
        raise Diverged(f"The run ended with {metric} = {other.get(metric, 'a number')}.")
    if not metrics and strict:
        raise RunError(
            f"The train function returned {text_of(value)}. It must return a number, or a dict with at least one "
            "number: what the study is to compare."
        )
    # Without the named metric, several numbers leave open which one decides, so none is checked.
    decisive = metrics.get(metric, next(iter(metrics.values())) if len(metrics) == 1 else 0.0)
    if not math.isfinite(decisive):
        raise Diverged(f"The run ended with {metric if metric in metrics else next(iter(metrics))} = {decisive}.")
    return metrics, other


def split_fingerprints(value: Any) -> tuple[Any, dict[str, str]]:
    """What a train function returned without the fingerprints in it, and these.

    Args:
        value: A number, or a mapping, which may have a mapping of texts under ``fingerprints``; see
            :mod:`ablate.store.fingerprints`. Anything else under that key is left where it is.

    Example:
        >>> split_fingerprints({"accuracy": 0.5, "fingerprints": {"data/digits": "77aa01c4d2ee"}})
        ({'accuracy': 0.5}, {'data/digits': '77aa01c4d2ee'})
    """
    if not isinstance(value, Mapping):
        return value, {}
    try:
        reported = value.get(_FINGERPRINTS)
        texts = isinstance(reported, Mapping) and all(
            isinstance(text, str) for pair in reported.items() for text in pair
        )
        if not texts or not reported:
            return value, {}
        rest = {key: item for key, item in value.items() if key != _FINGERPRINTS}
        return rest, {_short(name): _short(text) for name, text in reported.items()}
    except Exception:  # the mapping's own methods may raise anything; sorting its values says what
        return value, {}


def _short(text: str) -> str:
    """A text on one line, or the hash of a long one."""
    if len(text) > _LONGEST_FINGERPRINT:
        return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:12]
    return one_line(text)


@dataclass
class _Sorting:
    """Metrics and other values sorted so far; ``too_large`` are the names of numbers that no float can hold."""

    metric: str
    metrics: dict[str, float] = field(default_factory=dict)
    other: dict[str, Any] = field(default_factory=dict)
    too_large: set[str] = field(default_factory=set)

    def add_all(self, values: Mapping[Any, Any], prefix: str, outer: tuple[int, ...]) -> None:
        """Add the values of a mapping that lies within others, whose ids are ``outer``."""
        for key, value in values.items():
            name = self._free_name(f"{prefix}{key if isinstance(key, str) else text_of(key)}")
            try:
                self._add(name, value, (*outer, id(values)))
            except Exception as error:  # the value's own methods may raise anything
                self.other[name] = f"{text_of(value)}: reading it raised {type(error).__name__}"

    def _add(self, name: str, value: Any, outer: tuple[int, ...]) -> None:
        if isinstance(value, Mapping):
            if id(value) in outer or len(outer) >= _DEEPEST:
                self.other[name] = text_of(value)
            else:
                self.add_all(value, f"{name}.", outer)
        elif value is None:
            self.other[name] = None
        elif isinstance(value, str):
            self.other[name] = shortened(value, 10_000)
        elif (number := self._number(name, value)) is not None:
            self.metrics[name] = number
        elif name not in self.too_large:
            self.other[name] = text_of(value)

    def _number(self, name: str, value: Any) -> float | None:
        """A scalar of any library, also one in an array of a single element."""
        try:
            if isinstance(value, int) and abs(value) <= _LARGEST_EXACT:
                return value if type(value) in (int, bool) else int(value)
            return float(value.item() if hasattr(value, "item") else value)
        except OverflowError:
            self.too_large.add(name)
            self.other[name] = f"{_digits(value)}, too large for a floating-point number"
            return None
        except (TypeError, ValueError, RuntimeError):
            return None

    def _free_name(self, name: str) -> str:
        """A name that tables and files can hold; where it is not the one returned, that one is stored too."""
        text = one_line(name) or "''"
        if len(text) > _LONGEST_NAME:
            digest = hashlib.sha256(name.encode(errors="backslashreplace")).hexdigest()[:8]
            text = f"{text[:_LONGEST_NAME]}...{digest}"
        free, number = text, 1
        while free in self.metrics or free in self.other:
            number += 1
            free = f"{text} ({number})"
        if free != name and name != self.metric:
            self.other.setdefault("names as returned", {})[free] = shortened(name)
        return name if name == self.metric else free


def _digits(value: Any) -> str:
    try:
        text = str(value)
    except ValueError:  # Python refuses to write more than some thousand digits
        return f"a number of {value.bit_length()} bits"
    return text if len(text) <= 20 else f"{text[:20]}... ({len(text)} digits)"
