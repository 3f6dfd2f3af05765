"""What limits the results on a data set: images that occur twice, and classes of unequal size."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ablate.keras.data.dataset import Dataset


@dataclass(frozen=True)
class Overlap:
    """Images that two subsets share by their pixels, although not by their position.

    Args:
        first: Name of the earlier subset in the order training, validation, test.
        second: Name of the other subset.
        images: How many images of the second subset are in the first as well.
        contrary: How many of these have another class there.
    """

    first: str
    second: str
    images: int
    contrary: int


def overlaps(dataset: Dataset) -> tuple[Overlap, ...]:
    """Equal images in two subsets, recognised by a hash of their pixels as the network sees them.

    Official parts often share some. Near copies (neighbouring frames, mirrored photos) are not recognised.

    Args:
        dataset: A data set that is split.

    Returns:
        Only pairs of subsets that share an image.
    """
    pairs = []
    twins, labels = dataset.pool.twins, dataset.pool.labels
    for (first, one), (second, other) in combinations(dataset.subsets.items(), 2):
        shared = other.index[np.isin(twins[other.index], twins[one.index])]
        if len(shared):
            with_classes = set(zip(twins[one.index], labels[one.index], strict=True))
            contrary = sum(pair not in with_classes for pair in zip(twins[shared], labels[shared], strict=True))
            pairs.append(Overlap(first, second, len(shared), contrary))
    return tuple(pairs)


def leaks(dataset: Dataset) -> tuple[str, ...]:
    """A sentence for each subset that shares images with the test images."""
    return tuple(
        f"{one.images} of the {len(dataset.test)} test images of '{dataset.name}' {'is' if one.images == 1 else 'are'} "
        f"in the {'training' if one.first == 'train' else one.first} part too, pixel by pixel."
        for one in overlaps(dataset)
        if one.second == "test"
    )


def repeats(dataset: Dataset) -> dict[str, int]:
    """How many images of each subset repeat another one of it; only subsets where there are any."""
    counts = {
        name: len(subset) - len(np.unique(dataset.pool.twins[subset.index])) for name, subset in dataset.subsets.items()
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
