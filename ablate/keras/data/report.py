"""The facts of a data set as lines of text, and samples of it as an image file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablate.keras import device  # noqa: F401  isort: skip  (it must come before everything that imports TensorFlow)

import numpy as np
import pandas as pd

from ablate.errors import AblateError
from ablate.formatting import listing
from ablate.keras.data.dataset import Dataset
from ablate.keras.data.decoding import file_of, memory_limit
from ablate.keras.data.forms import LabelForm
from ablate.keras.data.label_report import describe_labels, draw_masks
from ablate.keras.data.loading import load_run_data
from ablate.keras.data.quality import chance, contradictions, giveaway_notes, imbalance, overlaps, repeats
from ablate.keras.data.samples import augmentation_of, draw_samples
from ablate.keras.networks import build_model
from ablate.keras.run_config import prepare_process
from ablate.keras.streams import reseed

_MAX_CHANNELS = 4  # that images have
_MAX_ROWS = 20
"""Classes that the table lists one by one."""


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
        StoreError: The samples cannot be written.
    """
    values = prepare_process(config)
    dataset, notes = load_run_data(config)
    lines = describe(dataset, config)
    try:
        network = build_model(config, dataset, values["mixed_precision"])
        reseed(network, config["seed"])
        model = augmentation_of(network)
        kind = "as stored and augmented" if model is not None else "the network has no augmentation"
    except AblateError as error:
        model, kind = None, f"without augmentation, because the network cannot be built: {error}"
    if not dataset.pool.are_images or dataset.pool.form is not LabelForm.CLASS:
        drawn = []
        if dataset.pool.form is LabelForm.MASK:
            path = folder / "samples.png"
            draw_masks(dataset, path)
            drawn = [f"  samples      {path} (images, and their masks below)"]
        return [*lines, *(f"  note         {note}" for note in (*notes, *dataset.pool.notes)), *drawn]
    path = folder / "samples.png"
    lacking = draw_samples(dataset, model, path)
    return [
        *lines,
        *(f"  note         {note}" for note in (*notes, *dataset.pool.notes, *giveaway_notes(dataset), *lacking)),
        f"  samples      {path} ({kind})",
    ]


def describe(dataset: Dataset, config: Mapping[str, Any]) -> list[str]:
    """The facts of a data set, a line each.

    Args:
        dataset: The data set, split.
        config: The resolved config that it comes from.
    """
    equal = f"equal {dataset.pool.noun}"
    return [
        f"Data set '{dataset.name}' at seed {config['seed']}, fingerprint {dataset.fingerprint}",
        f"  {dataset.pool.noun:<12} {_examples(dataset)}",
        *(_classes(dataset) if dataset.pool.form is LabelForm.CLASS else describe_labels(dataset)),
        *(f"  {equal:<12} {line}" for line in _equal_images(dataset)),
        f"  memory       {_memory(dataset, config)}",
        f"  scaling      {_scaling(dataset)}",
    ]


def _examples(dataset: Dataset) -> str:
    pool = dataset.pool
    if pool.are_images:
        height, width, channels = dataset.input_shape
        kind = {1: "grey", 3: "colour", 4: "colour with alpha"}[channels]
        return f"{height} x {width} pixels, {kind}; {_original_sizes(dataset)}"
    if pool.columns:
        return f"{len(pool.columns)} columns: {listing(pool.columns, 12)}"
    tokens = f", {pool.vocabulary_size} different tokens" if pool.vocabulary_size else ""
    return f"{' x '.join(map(str, dataset.input_shape))} numbers each{tokens}"


def _classes(dataset: Dataset) -> list[str]:
    return [f"  classes      {dataset.classes}", *_counts(dataset), f"  balance      {_balance(dataset)}"]


def _original_sizes(dataset: Dataset) -> str:
    used = np.concatenate([subset.index for subset in dataset.subsets.values()])
    sizes = dataset.pool.sizes[used]
    low, high = sizes.min(axis=0), sizes.max(axis=0)
    if (low == high).all():
        return f"in the source {low[0]} x {low[1]}"
    return f"in the source {low[0]} to {high[0]} high and {low[1]} to {high[1]} wide"


def _counts(dataset: Dataset) -> list[str]:
    counts = pd.DataFrame(dataset.counts)
    rows = counts[:_MAX_ROWS].astype(str)
    if len(counts) > _MAX_ROWS:
        rows.loc[f"{len(counts) - _MAX_ROWS} more"] = "..."
    rows.loc["all"] = counts.sum().astype(str)
    return [f"               {line}" for line in rows.to_string(col_space=11).splitlines()]


def _balance(dataset: Dataset) -> str:
    ratio = imbalance(dataset)
    sizes = f"the largest class has {ratio:.2f} times the training images of the smallest"
    if ratio == 1:
        sizes = "all classes have as many training images"
    return f"{sizes}; always guessing the largest scores {chance(dataset):.3f} on the test part"


def _equal_images(dataset: Dataset) -> list[str]:
    lines = [
        f"{one.images} of {one.second} {'is' if one.images == 1 else 'are'} in {one.first} too"
        + (f", {one.contrary} of them with another class" if one.contrary else "")
        for one in overlaps(dataset)
    ]
    lines += [
        f"{count} of {name} repeat{'s' * (count == 1)} another one of it" for name, count in repeats(dataset).items()
    ]
    found = contradictions(dataset)
    if found.contrary:
        lines.append(f"{found.contrary} of {found.pairs} pairs of equal images have different labels")
    return lines or ["none"]


def _memory(dataset: Dataset, config: Mapping[str, Any]) -> str:
    images = dataset.pool.images
    file = file_of(images)
    where = "in memory" if file is None else f"mapped from {file}"
    share = config["data"].get("memory", 0.25)
    return (
        f"{images.nbytes / 2**20:,.1f} MiB of {dataset.pool.noun}, {where}; data.memory={share} allows "
        f"{memory_limit(share) / 2**20:,.0f} MiB"
    )


def _scaling(dataset: Dataset) -> str:
    if len(dataset.offset) > _MAX_CHANNELS:
        return f"mean and deviation of each of {len(dataset.offset)} columns in the training part"
    formulas = [
        f"(x - {offset:.4g}) x {factor:.4g}" if offset else f"x * {factor:.4g}"
        for offset, factor in zip(dataset.offset, dataset.factor, strict=True)
    ]
    return ", ".join(dict.fromkeys(formulas))
