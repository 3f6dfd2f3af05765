"""A data set from arrays of any kind: images, numbers, series, tokens; labels of any form."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ablate.errors import NetworkError
from ablate.keras.data.array_labels import VOID, labels_of_form
from ablate.keras.data.dataset import Pool, consecutive
from ablate.keras.data.forms import LabelForm
from ablate.keras.data.images import fitted, picture
from ablate.keras.data.masks_fitted import fitted_mask

KINDS = ("auto", "images", "indices", "numbers")
"""What arrays of examples may be, as ``data.inputs`` names it."""


@dataclass(frozen=True)
class ArrayPart:
    """One part of a data set.

    Args:
        examples: An array or a list with an entry an example.
        labels: As many labels.
        weights: How much each counts in the loss of training, or None.
    """

    examples: Any
    labels: Any
    weights: Any = None


@dataclass(frozen=True)
class Reading:
    """How arrays are read.

    Args:
        where: What messages call the source.
        name: What tables call the set.
        form: What the labels are to be.
        inputs: One of `KINDS`.
        size: Height and width of images, or None where all have the same.
        channels: Of images.
        fit: How images come to their size.
        white: See `ablate.keras.data.images.picture`.
    """

    where: str
    name: str
    form: LabelForm
    inputs: str = "auto"
    size: tuple[int, int] | None = None
    channels: int = 3
    fit: str = "stretch"
    white: float | None = None


def pool_of_arrays(
    parts: Mapping[str, ArrayPart],
    reading: Reading,
    class_names: Sequence[Any] | None = None,
    *,
    notes: tuple[str, ...] = (),
    columns: tuple[str, ...] = (),
    indicators: tuple[int, ...] = (),
    groups: np.ndarray | None = None,
    times: np.ndarray | None = None,
) -> Pool:
    """A data set from arrays.

    Args:
        parts: By name; ``train`` is there, and what is missing of ``validation`` and ``test`` is drawn from it.
        reading: How they are read.
        class_names: Names of the classes, if they are known.
        notes: Sentences about the source.
        columns: See `Pool`, as the others.
        indicators: Of the columns.
        groups: Of all examples, in the order of the parts.
        times: Likewise.

    Raises:
        NetworkError: The arrays do not fit together, or not the form that is needed.
    """
    where = reading.where
    for name, part in parts.items():
        if len(part.examples) != len(part.labels):
            raise NetworkError(f"{where} gives {len(part.examples)} examples and {len(part.labels)} labels for {name}.")
        if not len(part.examples):
            raise NetworkError(f"{where} gives no example for {name}.")
    weighted = [name for name, part in parts.items() if part.weights is not None]
    if "train" not in weighted and weighted:
        raise NetworkError(f"{where} gives weights for {', '.join(weighted)}, and none for train, where they count.")
    stacked = [_stacked(where, name, part.examples) for name, part in parts.items()]
    if len({one.shape[1:] for one in stacked}) > 1:
        shapes = ", ".join(f"{name} {one.shape[1:]}" for name, one in zip(parts, stacked, strict=True))
        raise NetworkError(f"{where}: examples of the parts differ in shape: {shapes}.")
    raw = np.concatenate(stacked) if len(stacked) > 1 else stacked[0]
    all_labels = [part.labels for part in parts.values()]
    are_arrays = all(isinstance(one, np.ndarray) for one in all_labels)
    joined = np.concatenate(all_labels) if are_arrays else [label for labels in all_labels for label in labels]
    labels, names = labels_of_form(where, joined, reading.form, class_names)
    kind, guess = _kind(raw, reading)
    vocabulary = None
    if kind == "images":
        examples = _images(raw, reading)
        if reading.form is LabelForm.MASK:
            if labels.shape[1:] != raw.shape[1:3]:
                raise NetworkError(
                    f"{where}: images have {raw.shape[1]} x {raw.shape[2]} pixels and their masks {labels.shape[1]} x "
                    f"{labels.shape[2]}: they must agree."
                )
            labels = np.stack([fitted_mask(mask, reading.size, reading.fit, VOID) for mask in labels])
    elif kind == "indices":
        if raw.min() < 0:
            raise NetworkError(f"{where}: numbers of tokens are 0 or larger, not {raw.min()}. Set data.inputs=numbers.")
        examples, vocabulary = raw.astype(np.int32), int(raw.max()) + 1
    else:
        examples = np.ascontiguousarray(raw, np.float32)
        _refuse_gaps(where, examples, columns)
    if reading.form is LabelForm.STEPS and labels.shape[1] != examples.shape[1]:
        raise NetworkError(f"{where}: series of {examples.shape[1]} steps and labels of {labels.shape[1]}.")
    weights = None
    if weighted:
        weights = np.concatenate(
            [
                _weights(where, part) if part.weights is not None else np.ones(len(part.labels))
                for part in parts.values()
            ]
        ).astype(np.float32)
    sizes = np.full((len(labels), 2), raw.shape[1:3] if kind == "images" else (0, 0), np.int32)
    digest = hashlib.blake2b(repr((raw.shape, raw.dtype.str, names, [len(p.labels) for p in parts.values()])).encode())
    for values in (raw, labels, groups, times, weights):
        digest.update(b"" if values is None else np.ascontiguousarray(values).tobytes())
    return Pool(
        reading.name,
        examples,
        labels,
        names,
        consecutive({name: len(part.labels) for name, part in parts.items()}),
        sizes,
        (*notes, *guess),
        origin={f"data/{reading.name}": digest.hexdigest()[:12]},
        form=reading.form,
        groups=groups,
        times=times,
        weights=weights,
        columns=columns,
        indicators=indicators,
        vocabulary_size=vocabulary,
    )


def _stacked(where: str, part: str, examples: Any) -> np.ndarray:
    if isinstance(examples, np.ndarray) and examples.dtype != object:
        return examples
    arrays = [np.asarray(example) for example in examples]
    if len({array.shape for array in arrays}) > 1:
        raise NetworkError(
            f"{where}: the examples of {part} differ in shape, {arrays[0].shape} and "
            f"{next(array.shape for array in arrays if array.shape != arrays[0].shape)}: all must have one."
        )
    return np.stack(arrays)


def _kind(raw: np.ndarray, reading: Reading) -> tuple[str, tuple[str, ...]]:
    """What the examples are, and a sentence where that was guessed."""
    where = reading.where
    if raw.dtype.kind not in "iufb" or raw.ndim < 2:
        raise NetworkError(
            f"{where}: examples of shape {raw.shape[1:]} and type {raw.dtype}: arrays of numbers are needed."
        )
    if reading.inputs != "auto":
        return reading.inputs, ()
    if raw.ndim in (3, 4) and raw.dtype == np.uint8 and (raw.ndim == 3 or raw.shape[-1] in (1, 3, 4)):
        kind, reason = "images", "bytes of (height, width) or (height, width, channels)"
    elif reading.form is LabelForm.MASK:
        kind, reason = "images", "the labels are masks"
    elif raw.ndim == 2 and raw.dtype.kind in "iu" and reading.form is not LabelForm.NUMBERS and raw.shape[1] > 1:
        kind, reason = "indices", "whole numbers of (steps,)"
    else:
        return "numbers", ()
    return kind, (f"The examples of '{reading.name}' are taken for {kind} ({reason}); data.inputs= chooses otherwise.",)


def _images(raw: np.ndarray, reading: Reading) -> np.ndarray:
    if raw.ndim == 3:
        raw = raw[..., None]
    try:
        return np.stack(
            [
                fitted(picture(image, reading.white), reading.size, reading.channels, reading.fit, reading.white)
                for image in raw
            ]
        )
    except ValueError as error:
        raise NetworkError(f"{reading.where}: {error}. See data.white and data.inputs.") from error


def _refuse_gaps(where: str, examples: np.ndarray, columns: tuple[str, ...]) -> None:
    finite = np.isfinite(examples)
    if finite.all():
        return
    if columns:
        counts = (~finite).sum(axis=0)
        gaps = ", ".join(f"{columns[place]} ({counts[place]})" for place in np.flatnonzero(counts)[:10])
    else:
        gaps = f"{int((~finite).reshape(len(examples), -1).any(axis=1).sum())} of {len(examples)} examples"
    raise NetworkError(f"{where} has values that are missing or not finite: {gaps}. Fill them in, or leave them out.")


def _weights(where: str, part: ArrayPart) -> np.ndarray:
    weights = np.asarray(part.weights, np.float64).reshape(-1)
    if len(weights) != len(part.labels) or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise NetworkError(
            f"{where} gives {len(weights)} weights for {len(part.labels)} examples; as many finite numbers of at least "
            "0 are needed, not all of them 0."
        )
    return weights
