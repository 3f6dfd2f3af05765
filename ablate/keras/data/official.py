"""Parts that are cut out of the official ones of a set of tensorflow-datasets."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from ablate.errors import NetworkError, suggestion

__all__ = ["refuse_overlaps"]

_Ranges = list[tuple[str, int, int]]
"""Official part, first image, end."""


def refuse_overlaps(name: str, known: Mapping[str, Any], splits: Mapping[str, str]) -> None:
    """Refuses parts that do not exist, hold nothing, or have an image in common.

    Args:
        name: Name of the set.
        known: The set's ``info.splits``.
        splits: By part, what is to be read: ``train``, ``train[:80%]``, ``train+extra``.

    Raises:
        NetworkError: With every fault, a line each.
    """
    ranges = {part: _ranges(known, split) for part, split in splits.items()}
    faults = [f"data.{part}_split={splits[part]}: {found}" for part, found in ranges.items() if isinstance(found, str)]
    if faults:
        raise NetworkError("\n".join([*faults, f"Data set '{name}' has the parts {', '.join(sorted(known))}."]))
    for (one, first), (other, second) in combinations(ranges.items(), 2):
        for split, count in _common(first, second).items():
            faults.append(
                f"data.{one}_split={splits[one]} and data.{other}_split={splits[other]} have {count} images of {split} "
                "in common."
            )
    if faults:
        raise NetworkError(
            "\n".join([*faults, "Cut parts that do not overlap, such as train[:80%] for training and train[80%:]."])
        )


def _ranges(known: Mapping[str, Any], split: str) -> _Ranges | str:
    """What a split reads, or what is wrong with it."""
    import tensorflow_datasets as tfds

    try:
        pieces = tfds.core.ReadInstruction.from_spec(split).to_absolute(known)
    except Exception:  # of several kinds, some of them assertions
        return f"no such part, nor a slice of one such as train[:80%].{suggestion(split.split('[')[0], known)}"
    bounds = [(piece.splitname, piece.from_ or 0, piece.to) for piece in pieces]
    whole = [(name, begin, known[name].num_examples if end is None else end) for name, begin, end in bounds]
    return [piece for piece in whole if piece[2] > piece[1]] or "it holds no image."


def _common(first: Any, second: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for split, begin, end in first:
        for other, start, stop in second:
            if split == other and (shared := min(end, stop) - max(begin, start)) > 0:
                counts[split] = counts.get(split, 0) + shared
    return counts
