"""Splits into training, validation and test parts: stratified by class, by group, or in the order of time; nested."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ablate.errors import NetworkError
from ablate.formatting import listing
from ablate.keras.data.dataset import Pool
from ablate.keras.data.forms import LabelForm
from ablate.keras.streams import generator


def split(
    pool: Pool, seed: int, *, validation: float, test: float, limit: int | None = None
) -> Mapping[str, np.ndarray]:
    """Positions of the images of the three subsets.

    Official parts stay as they are; a missing test or validation part is drawn from the training part. Equal images are
    drawn together, so that no drawn subset holds a copy of an image of another, and so are all examples of a group.
    Where examples have times, drawn parts follow each other, and nothing is random. The limit is applied after the
    split, so that a larger limit contains the smaller one and no image ever changes its subset.

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
    classes = len(pool.class_names) if pool.form is LabelForm.CLASS else 1
    if limit is not None and limit < classes:
        raise NetworkError(
            f"data.limit={limit}: data set '{pool.name}' has {classes} classes, and each needs a training image at "
            "least."
        )
    subsets = {
        name: _stratified(pool.classes_for_split, pool.official[name], generator(seed, "split", name))
        for name in ("test", "validation")
        if name in pool.official
    }
    shares = {name: share for name, share in (("test", test), ("validation", validation)) if name not in subsets}
    if pool.times is None or not shares:
        subsets |= _draw(pool, shares, generator(seed, "split"))
    else:
        subsets |= _in_order_of_time(pool, shares, pool.times)
    if limit is not None:
        learning = len(subsets["train"]) + len(subsets["validation"])
        if limit < learning:
            keep = min(max(1, round(limit * len(subsets["validation"]) / learning)), limit - 1)
            # A stratified order makes its first images a stratified sample, whatever the limit.
            if pool.times is None:
                subsets["train"] = _interleaved(pool.classes_for_split, subsets["train"])[: limit - keep]
                subsets["validation"] = _interleaved(pool.classes_for_split, subsets["validation"])[:keep]
            else:  # what is next to the part that follows
                subsets["train"] = subsets["train"][-(limit - keep) :]
                subsets["validation"] = subsets["validation"][-keep:]
    _refuse_gaps(pool, subsets)
    return subsets


def _draw(pool: Pool, shares: Mapping[str, float], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The training part, and the shares that are drawn from it; equal images are drawn as one."""
    index = pool.official["train"]
    together = _together(pool)
    copies: dict[int, list[int]] = {}
    for position, first in zip(index.tolist(), together[index].tolist(), strict=True):
        copies.setdefault(first, []).append(position)
    firsts = np.array([positions[0] for positions in copies.values()], np.int64)
    order = _stratified(pool.classes_for_split, firsts, rng)
    # At least one image is left for training.
    sizes, left = {}, len(index) - 1
    for name, share in shares.items():
        sizes[name] = min(round(share * len(index)), left)
        left -= sizes[name]
    drawn: dict[str, list[int]] = {name: [] for name in (*shares, "train")}
    for first in together[order].tolist():
        positions = copies[first]
        # Copies that no longer fit into a share go to training, where their number does the least harm.
        subset = next((name for name in shares if len(drawn[name]) + len(positions) <= sizes[name]), "train")
        drawn[subset] += positions
    return {name: np.array(positions, np.int64) for name, positions in drawn.items()}


def _together(pool: Pool) -> np.ndarray:
    """(examples,), a number that those share which must not be parted: equal examples, and those of a group."""
    if pool.groups is None:
        return pool.twins
    # Equal examples of two groups join them.
    links = coo_array(
        (np.ones(len(pool.twins)), (pool.groups, pool.twins)), shape=(int(pool.groups.max()) + 1, len(pool.twins))
    )
    groups = links.shape[0]
    both = coo_array((links.data, (links.row, links.col + groups)), shape=(groups + links.shape[1],) * 2)
    return np.asarray(connected_components(both, directed=False)[1][pool.groups])


def _in_order_of_time(pool: Pool, shares: Mapping[str, float], times: np.ndarray) -> dict[str, np.ndarray]:
    """The training part and the shares drawn from it, each later than the one before; equal times stay together."""
    index = pool.official["train"]
    order = index[np.argsort(times[index], kind="stable")]
    ordered = times[order]
    parts: dict[str, np.ndarray] = {}
    end = len(order)
    for name in ("test", "validation"):
        if name in shares:
            begin = max(1, end - round(shares[name] * len(order)))
            # Backwards to where the time of its first example begins.
            begin = int(np.searchsorted(ordered, ordered[min(begin, len(order) - 1)], side="left"))
            parts[name], end = order[begin:end], begin
    return {**parts, "train": order[:end]}


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
        different = len(np.unique(_together(pool)[np.concatenate([*subsets.values()])]))
        together = f"Equal {pool.noun}" if pool.groups is None else "Groups"
        raise NetworkError(
            f"Data set '{pool.name}' leaves no {pool.noun[:-1]} for {' and '.join(sorted(empty))} ({sizes}): raise "
            f"data.limit, or change data.validation and data.test. {together} stay in one part, and {different} "
            "of them differ."
        )
    if pool.form is not LabelForm.CLASS:
        return
    counts = np.bincount(pool.labels[subsets["train"]], minlength=len(pool.class_names))
    absent = [pool.class_names[label] for label in np.flatnonzero(counts == 0)]
    if absent:
        raise NetworkError(
            f"Data set '{pool.name}' has no training image of {listing(absent, 5)} among {len(subsets['train'])}: "
            "raise data.limit, lower data.validation and data.test, or add images."
        )
