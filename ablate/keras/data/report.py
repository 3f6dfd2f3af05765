"""What a data section resolves to, in words and as a sheet of samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablate.keras import device  # isort: skip  (it must come before everything that imports TensorFlow)

import numpy as np

from ablate.errors import AblateError
from ablate.keras.compiled import build_model
from ablate.keras.data import Dataset
from ablate.keras.data.quality import chance, imbalance, overlaps, repeats
from ablate.keras.data.sheet import augmentation_of, draw_sheet
from ablate.keras.data.store import file_of, memory_size
from ablate.keras.fitting import fitting_data
from ablate.keras.preflight import checked
from ablate.keras.streams import reseed

__all__ = ["describe", "main"]

_MOST = 20
"""Classes that the table names one by one."""


def main(config: Mapping[str, Any], folder: Path) -> list[str]:
    """Loads the data of a config, describes them and draws samples.

    Args:
        config: The resolved config of a run, as plain values.
        folder: Where ``samples.png`` goes.

    Returns:
        The lines to print.

    Raises:
        ConfigError: The config is wrong; every fault is in the message.
        NetworkError: The data cannot be had.
        StoreError: The sheet cannot be written.
    """
    values = checked(config)
    device.prepare(values["threads"])
    dataset, notes = fitting_data(config)
    lines = describe(dataset, config)
    try:
        network = build_model(config, dataset, values["mixed_precision"])
        reseed(network, config["seed"])
        model = augmentation_of(network)
        shown = "as they come and augmented" if model is not None else "the network has no augmentation"
    except AblateError as error:
        model, shown = None, f"without augmentation, because the network cannot be built: {error}"
    path = draw_sheet(dataset, model, folder / "samples.png")
    return [
        *lines,
        *(f"  note         {note}" for note in (*notes, *dataset.pool.notes)),
        f"  samples      {path} ({shown})",
    ]


def describe(dataset: Dataset, config: Mapping[str, Any]) -> list[str]:
    """The facts of a data set, a line each.

    Args:
        dataset: The data set, split.
        config: The resolved config that it comes from.
    """
    height, width, channels = dataset.input_shape
    kind = {1: "grey", 3: "colour", 4: "colour with alpha"}[channels]
    lines = [
        f"Data set '{dataset.name}' at seed {config['seed']}, fingerprint {dataset.fingerprint}",
        f"  images       {height} x {width} pixels, {kind}; {_original(dataset)}",
        f"  classes      {dataset.classes}",
        *_counts(dataset),
        f"  balance      {_balance(dataset)}",
    ]
    lines += [f"  equal images {line}" for line in _equal(dataset)]
    return [*lines, f"  memory       {_memory(dataset, config)}", f"  scaling      {_scaling(dataset)}"]


def _original(dataset: Dataset) -> str:
    used = np.concatenate([part.index for part in dataset.parts.values()])
    sizes = dataset.pool.sizes[used]
    low, high = sizes.min(axis=0), sizes.max(axis=0)
    if (low == high).all():
        return f"in the source {low[0]} x {low[1]}"
    return f"in the source {low[0]} to {high[0]} high and {low[1]} to {high[1]} wide"


def _counts(dataset: Dataset) -> list[str]:
    counts = dataset.counts
    names = dataset.class_names[:_MOST]
    rows = [("", *counts)]
    rows += [(name, *(str(part[name]) for part in counts.values())) for name in names]
    if len(dataset.class_names) > _MOST:
        rows.append((f"{len(dataset.class_names) - _MOST} more", *("..." for _ in counts)))
    rows.append(("all", *(str(len(part)) for part in dataset.parts.values())))
    first = max(len(row[0]) for row in rows)
    return [f"               {row[0]:{first}}" + "".join(f"  {cell:>10}" for cell in row[1:]) for row in rows]


def _balance(dataset: Dataset) -> str:
    ratio = imbalance(dataset)
    words = (
        "all classes have as many training images"
        if ratio == 1
        else (f"the largest class has {ratio:.2f} times the training images of the smallest")
    )
    return f"{words}; always guessing the largest scores {chance(dataset):.3f} on the test part"


def _equal(dataset: Dataset) -> list[str]:
    lines = [
        f"{one.images} of {one.second} {'is' if one.images == 1 else 'are'} in {one.first} too"
        + (f", {one.contrary} of them with another class" if one.contrary else "")
        for one in overlaps(dataset)
    ]
    lines += [
        f"{count} of {name} repeat{'s' * (count == 1)} another one of it" for name, count in repeats(dataset).items()
    ]
    return lines or ["none"]


def _memory(dataset: Dataset, config: Mapping[str, Any]) -> str:
    images = dataset.pool.images
    file = file_of(images)
    where = "kept in memory" if file is None else f"mapped from {file}"
    share = config["data"].get("memory", 0.25)
    return (
        f"{images.nbytes / 2**20:,.1f} MiB of images, {where}; data.memory={share} allows "
        f"{share * memory_size() / 2**20:,.0f} MiB"
    )


def _scaling(dataset: Dataset) -> str:
    shown = [
        f"(x - {offset:.4g}) x {factor:.4g}" if offset else f"x * {factor:.4g}"
        for offset, factor in zip(dataset.offset, dataset.factor, strict=True)
    ]
    return ", ".join(dict.fromkeys(shown))
