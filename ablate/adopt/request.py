"""What ``ablate adopt PATH key=value ...`` asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ablate.errors import ConfigError, suggestion
from ablate.study.plan import DIRECTIONS

__all__ = ["REPEATS", "SOURCES", "Request", "from_words"]

SOURCES = ("hydra", "csv_logger", "tensorboard", "table")
REPEATS = ("latest", "mean", "replicates")
_ROWS = ("mean",)


@dataclass(frozen=True)
class Request:
    """How foreign results are to be read; everything has a default.

    Args:
        name: Name of the study and its folder, or None to name it after the path.
        metric: The number that decides, or None: the only one there is, or the best known of them.
        direction: ``max``, ``min``, or None to read it from the metric's name.
        margin: The least effect that matters, or None.
        seed: The key that tells repetitions apart, None to find it, or an empty text: there is none.
        factors: What is compared, or empty: every key that differs.
        reference: Level by factor to which the others are compared; by default the most frequent.
        only: Levels by key outside of which runs are left out.
        ignore: Keys that make no difference.
        results: The file in each run that holds its results, or None.
        rows: ``mean``: several rows a run are averaged. None: only where nothing else gives the metric.
        repeats: What counts of several runs with one configuration and seed: ``latest``, their ``mean``, or, where no
            seed was set, each as a replicate. None: the latest where the order is known.
        source: Which tool wrote them, one of :data:`SOURCES`, or None to see.
    """

    name: str | None = None
    metric: str | None = None
    direction: str | None = None
    margin: float | None = None
    seed: str | None = None
    factors: tuple[str, ...] = ()
    reference: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    results: str | None = None
    rows: str | None = None
    repeats: str | None = None
    source: str | None = None

    def words(self) -> list[str]:
        """The request as words of the command line.

        Example:
            >>> from_words(["seed=null", "only.data=mnist,kmnist"]).words()
            ['seed=null', 'only.data=mnist,kmnist']
        """
        said = []
        for key, value in vars(self).items():
            if isinstance(value, Mapping):
                said += [
                    f"{key}.{name}={item if isinstance(item, str) else ','.join(item)}" for name, item in value.items()
                ]
            elif isinstance(value, tuple):
                said += [f"{key}=[{','.join(value)}]"] if value else []
            elif value is not None:
                said.append(f"{key}={value if value != '' else 'null'}")
        return said


def from_words(words: Sequence[str]) -> Request:
    """The request in words of the command line.

    Raises:
        ConfigError: If a word is not understood; the message names all that are not.

    Example:
        >>> from_words(["metric=loss", "factors=[model,lr]", "only.data=mnist,kmnist", "reference.model=cnn"]).only
        {'data': ('mnist', 'kmnist')}
    """
    found: dict[str, Any] = {"reference": {}, "only": {}}
    faults = []
    for word in words:
        key, sign, value = word.partition("=")
        group, dot, rest = key.partition(".")
        if not sign or not value:
            faults.append(f"'{word}' is not key=value.")
        elif dot and rest and group in ("reference", "only"):
            found[group][rest] = value if group == "reference" else _list(value)
        elif key in _READ:
            try:
                found[key] = _READ[key](value)
            except ValueError as error:
                faults.append(f"{word}: {error}")
        else:
            known = [*_READ, "reference.KEY", "only.KEY"]
            faults.append(f"Unknown key '{key}'. Keys: {', '.join(known)}.{suggestion(key, known)}")
    if faults:
        raise ConfigError("\n".join(faults))
    return Request(**found)


def _list(value: str) -> tuple[str, ...]:
    inner = value[1:-1] if value[0] == "[" and value[-1] == "]" else value
    # A comma within brackets belongs to a level.
    return tuple(part.strip() for part in re.split(r",(?![^\[{(]*[\]})])", inner) if part.strip())


def _word(value: str) -> str | None:
    return None if value == "null" else value


def _number(value: str) -> float | None:
    if value == "null":
        return None
    try:
        return float(value)
    except ValueError:
        raise ValueError("it must be a number") from None


def _one_of(allowed: Sequence[str]) -> Callable[[str], str | None]:
    def read(value: str) -> str | None:
        if value not in (*allowed, "null"):
            raise ValueError(f"allowed are {', '.join(allowed)}.{suggestion(value, allowed)}")
        return _word(value)

    return read


_READ: Mapping[str, Callable[[str], Any]] = {
    "name": _word,
    "metric": _word,
    "direction": _one_of(DIRECTIONS),
    "margin": _number,
    "seed": lambda value: _word(value) or "",
    "factors": _list,
    "ignore": _list,
    "results": _word,
    "rows": _one_of(_ROWS),
    "repeats": _one_of(REPEATS),
    "source": _one_of(SOURCES),
}
