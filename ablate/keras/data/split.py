"""Splits into training, validation and test images: stratified by class, drawn from a named stream, nested."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ablate.errors import NetworkError
from ablate.formatting import listing
from ablate.keras.data.dataset import Pool
from ablate.keras.streams import generator


def split(
    pool: Pool, seed: int, *, validation: float, test: float, limit: int | None = None
) -> Mapping[str, np.ndarray]:
    """Positions of the images of the three subsets.

    Official parts stay as they are; a missing test or validation part is drawn from the training part. Equal images are
    drawn together, so that no drawn subset holds a copy of an image of another. The limit is applied after the split,
    so that a larger limit contains the smaller one and no image ever changes its subset.

    Args:
        pool: The images.
        seed: Seed of the stream "split".
        validation: Share of the training images that becomes the validation part, where there is no official one.
            With a drawn test part both shares are of all images.
        test: Share of the images that becomes the test part, where there is no official one.
        limit: At most so many images for training and validation together; the test part stays whole.

    Returns:
        Positions by subset, each in the order of the draw.

    Raises:
        NetworkError: A subset would be empty, or a class would have no training image.
    """
    classes = len(pool.class_names)
    if limit is not None and limit < classes:
        raise NetworkError(
            f"data.limit={limit}: data set '{pool.name}' has {classes} classes, and each needs a training image at "
            "least."
        )
    subsets = {
        name: _stratified(pool.labels, pool.official[name], generator(seed, "split", name))
        for name in ("test", "validation")
        if name in pool.official
    }
    shares = {name: share for name, share in (("test", test), ("validation", validation)) if name not in subsets}
    subsets |= _draw(pool, shares, generator(seed, "split"))
    if limit is not None:
        learning = len(subsets["train"]) + len(subsets["validation"])
        if limit < learning:
            keep = min(max(1, round(limit * len(subsets["validation"]) / learning)), limit - 1)
            # A stratified order makes its first images a stratified sample, whatever the limit.
            subsets["train"] = _interleaved(pool.labels, subsets["train"])[: limit - keep]
            subsets["validation"] = _interleaved(pool.labels, subsets["validation"])[:keep]
    _refuse_gaps(pool, subsets)
    return subsets


def _draw(pool: Pool, shares: Mapping[str, float], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The training part, and the shares that are drawn from it; equal images are drawn as one."""
    index = pool.official["train"]
    copies: dict[int, list[int]] = {}
    for position, first in zip(index.tolist(), pool.twins[index].tolist(), strict=True):
        copies.setdefault(first, []).append(position)
    order = _stratified(pool.labels, np.array([positions[0] for positions in copies.values()], np.int64), rng)
    # At least one image is left for training.
    sizes, left = {}, len(index) - 1
    for name, share in shares.items():
        sizes[name] = min(round(share * len(index)), left)
        left -= sizes[name]
    drawn: dict[str, list[int]] = {name: [] for name in (*shares, "train")}
    for first in pool.twins[order].tolist():
        positions = copies[first]
        # Copies that no longer fit into a share go to training, where their number does the least harm.
        subset = next((name for name in shares if len(drawn[name]) + len(positions) <= sizes[name]), "train")
        drawn[subset] += positions
    return {name: np.array(positions, np.int64) for name, positions in drawn.items()}


def _stratified(labels: np.ndarray, index: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The positions in random order, such that each stretch of it holds the classes in their shares."""
    return _interleaved(labels, index[rng.permutation(len(index))], rng.random(len(index)))


def _interleaved(labels: np.ndarray, index: np.ndarray, ties: np.ndarray | None = None) -> np.ndarray:
    """The positions such that the images of each class are spread evenly, in their order within the class.

    Image k of the n images of a class comes to the place (k + 0.5) / n between 0 and 1. Where two classes meet at a
    place, ``ties`` decides, and without it the order of the positions.
    """
    classes = labels[index]
    by_class = np.argsort(classes, kind="stable")
    counts = np.bincount(classes)
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(index))
    rank[by_class] = np.arange(len(index)) - starts[classes[by_class]]
    place = (rank + 0.5) / counts[classes]
    return index[np.lexsort((np.arange(len(index)) if ties is None else ties, place))]


def _refuse_gaps(pool: Pool, subsets: Mapping[str, np.ndarray]) -> None:
    empty = [name for name, index in subsets.items() if not len(index)]
    if empty:
        sizes = ", ".join(f"{name} {len(index)}" for name, index in sorted(subsets.items()))
        different = len(np.unique(pool.twins[np.concatenate([*subsets.values()])]))
        raise NetworkError(
            f"Data set '{pool.name}' leaves no image for {' and '.join(sorted(empty))} ({sizes}): raise data.limit, or "
            f"change data.validation and data.test. Equal images stay in one part, and {different} of them differ."
        )
    counts = np.bincount(pool.labels[subsets["train"]], minlength=len(pool.class_names))
    absent = [pool.class_names[label] for label in np.flatnonzero(counts == 0)]
    if absent:
        raise NetworkError(
            f"Data set '{pool.name}' has no training image of {listing(absent, 5)} among {len(subsets['train'])}: "
            "raise data.limit, lower data.validation and data.test, or add images."
        )
