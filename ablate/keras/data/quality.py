"""What a reader of results wants to know of a data set: images that are there twice, and classes of unequal size."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ablate.keras.data.dataset import Dataset

__all__ = ["Overlap", "chance", "imbalance", "leaks", "overlaps", "repeats"]


@dataclass(frozen=True)
class Overlap:
    """Images that two parts share by their pixels, although not by their place.

    Args:
        first: Name of the part that is learnt from, or of the earlier one.
        second: Name of the other part.
        images: How many images of the second part are in the first as well.
        contrary: How many of these have another class there.
    """

    first: str
    second: str
    images: int
    contrary: int


def overlaps(dataset: Dataset) -> tuple[Overlap, ...]:
    """Equal images in two parts, found by a hash of their pixels as the network sees them.

    Official parts often share some, near copies (neighbouring frames, mirrored photos) are not found.

    Args:
        dataset: A data set that is split.

    Returns:
        Only pairs of parts that share an image.
    """
    found = []
    contents, labels = dataset.pool.contents, dataset.pool.labels
    for (first, one), (second, other) in combinations(dataset.parts.items(), 2):
        classes: dict[bytes, set[int]] = {}
        for place in one.index:
            classes.setdefault(contents[place].tobytes(), set()).add(int(labels[place]))
        known = [(classes.get(contents[place].tobytes()), int(labels[place])) for place in other.index]
        shared = [(there, label) for there, label in known if there]
        if shared:
            found.append(Overlap(first, second, len(shared), sum(label not in there for there, label in shared)))
    return tuple(found)


def leaks(dataset: Dataset) -> tuple[str, ...]:
    """A sentence for each part whose images the test part holds too."""
    return tuple(
        f"{one.images} of the {len(dataset.test)} test images of '{dataset.name}' {'is' if one.images == 1 else 'are'} "
        f"in the {'training' if one.first == 'train' else one.first} part too, pixel by pixel."
        for one in overlaps(dataset)
        if one.second == "test"
    )


def repeats(dataset: Dataset) -> dict[str, int]:
    """How many images of each part repeat another one of it; only parts where there are any."""
    counts = {
        name: len(part) - len(np.unique(dataset.pool.contents[part.index])) for name, part in dataset.parts.items()
    }
    return {name: count for name, count in counts.items() if count}


def imbalance(dataset: Dataset) -> float:
    """How many times more training images the largest class has than the smallest; infinite if that one has none."""
    counts = np.bincount(dataset.train.labels, minlength=dataset.classes)
    return float(counts.max() / counts.min()) if counts.min() else float("inf")


def chance(dataset: Dataset) -> float:
    """The test accuracy of always guessing the class that is the most frequent in training."""
    guess = np.bincount(dataset.train.labels, minlength=dataset.classes).argmax()
    return float((dataset.test.labels == guess).mean())
