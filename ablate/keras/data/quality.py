"""What limits the results on a data set: images that occur twice, labels that contradict or give away each other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ablate.keras.data.dataset import Dataset
from ablate.keras.data.forms import LabelForm


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
    twins, labels = dataset.pool.twins, dataset.pool.label_codes
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
        f"{one.images} of the {len(dataset.test)} test {dataset.pool.noun} of '{dataset.name}' "
        f"{'is' if one.images == 1 else 'are'} in the {'training' if one.first == 'train' else one.first} part too, "
        f"{'pixel by pixel' if dataset.pool.are_images else 'number by number'}."
        for one in overlaps(dataset)
        if one.second == "test"
    )


def repeats(dataset: Dataset) -> dict[str, int]:
    """How many images of each subset repeat another one of it; only subsets where there are any."""
    counts = {
        name: len(subset) - len(np.unique(dataset.pool.twins[subset.index])) for name, subset in dataset.subsets.items()
    }
    return {name: count for name, count in counts.items() if count}


@dataclass(frozen=True)
class Contradictions:
    """Equal images that do not all have the same label.

    Args:
        pairs: Pairs of equal images, of all parts.
        contrary: How many of them have different labels.
    """

    pairs: int
    contrary: int


def contradictions(dataset: Dataset) -> Contradictions:
    """How many pairs of equal images there are among those that are used, and how many have different labels."""
    used = np.concatenate([subset.index for subset in dataset.subsets.values()])
    groups: dict[int, list[int]] = {}
    for twin, label in zip(dataset.pool.twins[used].tolist(), dataset.pool.label_codes[used].tolist(), strict=True):
        groups.setdefault(twin, []).append(label)
    pairs = contrary = 0
    for labels in groups.values():
        if len(labels) > 1:
            own = _pairs(len(labels))
            pairs += own
            contrary += own - sum(_pairs(count) for count in np.unique(labels, return_counts=True)[1].tolist())
    return Contradictions(pairs, contrary)


def _pairs(count: int) -> int:
    return count * (count - 1) // 2


def contradiction_note(dataset: Dataset) -> tuple[str, ...]:
    """A sentence where equal images have different labels."""
    found = contradictions(dataset)
    if not found.contrary:
        return ()
    return (
        f"{found.contrary} of {found.pairs} pairs of equal {dataset.pool.noun} of '{dataset.name}' have different "
        "labels: no network can be right on both.",
    )


@dataclass(frozen=True)
class Giveaway:
    """Something beside the picture that tells the label.

    Args:
        trait: What it is: ``image size``.
        accuracy: The share of images whose label it tells.
        chance: The share that guessing the largest class gets.
    """

    trait: str
    accuracy: float
    chance: float


def giveaways(dataset: Dataset) -> tuple[Giveaway, ...]:
    """Traits of the source, beside the pictures, from which labels can be told better than by guessing.

    Each image is guessed from the labels of the other images with the same value of the trait; where there is no other,
    as the largest class. A trait counts where it is right so much more often than guessing the largest class that
    chance alone does that in one of 10,000 data sets (3.7 standard errors), and by two points at least.
    """
    if dataset.pool.form is not LabelForm.CLASS:
        return ()
    used = np.concatenate([subset.index for subset in dataset.subsets.values()])
    labels = dataset.pool.labels[used]
    sizes = dataset.pool.sizes[used]
    traits = {"image size": np.unique(sizes, axis=0, return_inverse=True)[1].reshape(-1)}
    traits |= {name: values[used] for name, values in dataset.pool.traits.items()}
    share = float(np.bincount(labels, minlength=dataset.classes).max() / len(labels))
    error = np.sqrt(share * (1 - share) / len(labels))
    found = []
    for name, values in traits.items():
        accuracy = _held_out_accuracy(values, labels, dataset.classes)
        if accuracy - share > max(0.02, 3.7 * error):
            found.append(Giveaway(name, accuracy, share))
    return tuple(found)


def _held_out_accuracy(values: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """How often the most frequent label of the other images with the same value is that of an image."""
    codes, values = np.unique(values, return_inverse=True)
    counts = np.bincount(values * classes + labels, minlength=len(codes) * classes).reshape(len(codes), classes)
    own = counts[values]  # (images, classes)
    own[np.arange(len(labels)), labels] -= 1
    everywhere = np.bincount(labels, minlength=classes)
    guess = np.where(own.max(axis=1) > 0, own.argmax(axis=1), everywhere.argmax())
    return float((guess == labels).mean())


def giveaway_notes(dataset: Dataset) -> tuple[str, ...]:
    """A sentence for each trait that gives labels away."""
    return tuple(
        f"The {one.trait} alone tells the class of {one.accuracy:.0%} of the images of '{dataset.name}', where "
        f"guessing the largest class gets {one.chance:.0%}: a network may learn where images come from."
        for one in giveaways(dataset)
    )


def imbalance(dataset: Dataset) -> float:
    """How many times more training images the largest class has than the smallest; infinite if that one has none."""
    counts = np.bincount(dataset.train.labels, minlength=dataset.classes)
    return float(counts.max() / counts.min()) if counts.min() else float("inf")


def chance(dataset: Dataset) -> float:
    """The test accuracy of always guessing the class that is the most frequent in training."""
    guess = np.bincount(dataset.train.labels, minlength=dataset.classes).argmax()
    return float((dataset.test.labels == guess).mean())
