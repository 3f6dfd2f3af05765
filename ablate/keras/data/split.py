"""Train, validation and test: stratified by class, drawn from a named stream, nested under a limit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ablate.errors import NetworkError
from ablate.keras.data.dataset import Pool
from ablate.keras.streams import generator

__all__ = ["split"]


def split(
    pool: Pool, seed: int, *, validation: float, test: float, limit: int | None = None
) -> Mapping[str, np.ndarray]:
    """Positions of the three parts.

    Official parts stay as they are; a missing test or validation part is drawn from the training part. The limit comes
    after the split, so that a larger limit contains the smaller one and no image ever changes its part.

    Args:
        pool: The images.
        seed: Seed of the stream "split".
        validation: Share of the training images that becomes the validation part, where there is no official one.
            With a drawn test part both shares are of all images.
        test: Share of the images that becomes the test part, where there is no official one.
        limit: At most so many images for training and validation together; the test part stays whole.

    Returns:
        Positions by part, each in the order of the draw.

    Raises:
        NetworkError: A part would be empty, or a class would have no training image.
    """
    classes = len(pool.class_names)
    if limit is not None and limit < classes:
        raise NetworkError(
            f"data.limit={limit}: data set '{pool.name}' has {classes} classes, and each needs a training image at "
            "least."
        )
    rest = _stratified(pool.labels, pool.official["train"], generator(seed, "split"))
    whole = len(rest)
    parts = {}
    for name, share in (("test", test), ("validation", validation)):
        if name in pool.official:
            parts[name] = _stratified(pool.labels, pool.official[name], generator(seed, "split", name))
        else:
            # One image at least is left for training.
            count = min(round(share * whole), len(rest) - 1)
            parts[name], rest = rest[:count], rest[count:]
    parts["train"] = rest
    if limit is not None:
        learning = len(rest) + len(parts["validation"])
        if limit < learning:
            keep = min(max(1, round(limit * len(parts["validation"]) / learning)), limit - 1)
            parts["train"] = _restratified(pool.labels, rest)[: limit - keep]
            parts["validation"] = _restratified(pool.labels, parts["validation"])[:keep]
    _refuse_gaps(pool, parts)
    return parts


def _stratified(labels: np.ndarray, index: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The positions in random order, such that each stretch of it holds the classes in their shares."""
    return _restratified(labels, index[rng.permutation(len(index))], rng.random(len(index)))


def _restratified(labels: np.ndarray, index: np.ndarray, ties: np.ndarray | None = None) -> np.ndarray:
    own = labels[index]
    by_class = np.argsort(own, kind="stable")
    counts = np.bincount(own)
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(index))
    rank[by_class] = np.arange(len(index)) - starts[own[by_class]]
    place = (rank + 0.5) / counts[own]
    return index[np.lexsort((np.arange(len(index)) if ties is None else ties, place))]


def _refuse_gaps(pool: Pool, parts: Mapping[str, np.ndarray]) -> None:
    empty = [name for name, index in parts.items() if not len(index)]
    if empty:
        sizes = ", ".join(f"{name} {len(index)}" for name, index in sorted(parts.items()))
        raise NetworkError(
            f"Data set '{pool.name}' leaves no image for {' and '.join(sorted(empty))} ({sizes}): "
            "raise data.limit, or change data.validation and data.test."
        )
    counts = np.bincount(pool.labels[parts["train"]], minlength=len(pool.class_names))
    absent = [pool.class_names[label] for label in np.flatnonzero(counts == 0)]
    if absent:
        shown = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
        raise NetworkError(
            f"Data set '{pool.name}' has no training image of {shown} among {len(parts['train'])}: "
            "raise data.limit, lower data.validation and data.test, or add images."
        )
