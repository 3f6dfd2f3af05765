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

    Official parts stay as they are; a missing test or validation part is drawn from the training part. Images that are
    there twice are drawn together, so that no drawn part holds a copy of what another one holds. The limit comes after
    the split, so that a larger limit contains the smaller one and no image ever changes its part.

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
    parts = {
        name: _stratified(pool.labels, pool.official[name], generator(seed, "split", name))
        for name in ("test", "validation")
        if name in pool.official
    }
    shares = {name: share for name, share in (("test", test), ("validation", validation)) if name not in parts}
    parts |= _drawn(pool, shares, generator(seed, "split"))
    if limit is not None:
        learning = len(parts["train"]) + len(parts["validation"])
        if limit < learning:
            keep = min(max(1, round(limit * len(parts["validation"]) / learning)), limit - 1)
            parts["train"] = _restratified(pool.labels, parts["train"])[: limit - keep]
            parts["validation"] = _restratified(pool.labels, parts["validation"])[:keep]
    _refuse_gaps(pool, parts)
    return parts


def _drawn(pool: Pool, shares: Mapping[str, float], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The training part, and the shares that are drawn from it; equal images are drawn as one."""
    index = pool.official["train"]
    alike: dict[int, list[int]] = {}
    for place, twin in zip(index.tolist(), pool.twins[index].tolist(), strict=True):
        alike.setdefault(twin, []).append(place)
    order = _stratified(pool.labels, np.array([places[0] for places in alike.values()], np.int64), rng)
    # One image at least is left for training.
    room, left = {}, len(index) - 1
    for name, share in shares.items():
        room[name] = min(round(share * len(index)), left)
        left -= room[name]
    drawn: dict[str, list[int]] = {name: [] for name in (*shares, "train")}
    for twin in pool.twins[order].tolist():
        places = alike[twin]
        part = next((name for name in shares if len(drawn[name]) + len(places) <= room[name]), "train")
        drawn[part] += places
    return {name: np.array(places, np.int64) for name, places in drawn.items()}


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
        everything = pool.twins[np.concatenate([*parts.values()])]
        different = len(np.unique(everything))
        equal = (
            f" Equal images stay in one part, and {different} of them differ." if different < len(everything) else ""
        )
        raise NetworkError(
            f"Data set '{pool.name}' leaves no image for {' and '.join(sorted(empty))} ({sizes}): "
            f"raise data.limit, or change data.validation and data.test.{equal}"
        )
    counts = np.bincount(pool.labels[parts["train"]], minlength=len(pool.class_names))
    absent = [pool.class_names[label] for label in np.flatnonzero(counts == 0)]
    if absent:
        shown = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
        raise NetworkError(
            f"Data set '{pool.name}' has no training image of {shown} among {len(parts['train'])}: "
            "raise data.limit, lower data.validation and data.test, or add images."
        )
