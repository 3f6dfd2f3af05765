"""Throughput and memory of the data pipeline, side by side with what one would write by hand.

Usage: nice -n 15 python benchmarks/data.py [--data-dir FOLDER] [--name fashion_mnist] [--rounds 5]

The set must be prepared in the folder, or its files must lie in its ``downloads/manual``. Each way is measured in turn,
round after round, and its best round counts, so that what else the machine does harms none of them more than another.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ablate.keras import device  # isort: skip

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from ablate.keras.data.batches import TensorBatches
from ablate.keras.data.dataset import Dataset
from ablate.keras.data.decoding import memory_limit
from ablate.keras.data.loading import clear_pools, load
from ablate.keras.streams import generator

BATCH = 64
LARGE = 64
"""Pixels a side of the images of the set that is too large for its share of memory."""

RATIOS = [
    ("ablate, first epoch with decoding", "by hand, first epoch"),
    ("ablate, first epoch with decoding", "by hand and scaled, first epoch"),
    ("ablate, first epoch, decoded before", "by hand, first epoch"),
    ("ablate, later epochs", "from memory, NumPy"),
    ("ablate, later epochs by pipeline", "from memory, NumPy"),
    ("from memory, tf.data", "from memory, NumPy"),
]
"""What is compared: a way and the one that it is a ratio to."""


def drained(batches: Iterable[Any]) -> int:
    return sum(len(labels) for _, labels in batches)


def seconds(action: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def by_hand(name: str, folder: str) -> tf.data.Dataset:
    """What a tutorial writes, and nothing more: the images are not even scaled."""
    data = tfds.load(name, split="train+test", as_supervised=True, data_dir=folder, download=False)
    return data.shuffle(1000).batch(BATCH).prefetch(tf.data.AUTOTUNE)


def by_hand_scaled(name: str, folder: str) -> tf.data.Dataset:
    """The same with the scaling that ours does too."""
    data = tfds.load(name, split="train+test", as_supervised=True, data_dir=folder, download=False)
    data = data.map(lambda image, label: (tf.cast(image, tf.float32) / 255, label), num_parallel_calls=tf.data.AUTOTUNE)
    return data.shuffle(1000).batch(BATCH).prefetch(tf.data.AUTOTUNE)


def from_memory(images: np.ndarray, labels: np.ndarray) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """The least that reading from memory can be: a slice of a shuffled order, scaled, on its way to TensorFlow."""
    order = np.random.default_rng(0).permutation(len(images))
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        yield tf.constant(images[rows].astype(np.float32) * np.float32(1 / 255)), tf.constant(labels[rows])


def config(name: str, folder: str, **more: Any) -> dict[str, Any]:
    return {"source": "tfds", "name": name, "data_dir": folder, "download": False, **more}


def ours(dataset: Dataset) -> tuple[TensorBatches, np.ndarray]:
    """Batches of all images, as many as the others deliver."""
    index = np.arange(len(dataset.pool.labels))
    return TensorBatches(dataset.pool, BATCH), index


def epochs(batches: TensorBatches, dataset: Dataset, index: np.ndarray, *, direct: bool) -> Callable[[int], None]:
    """A function that reads an epoch, given its number, as a study's train step does.

    Every pixel is added up, which the contestants need not do, so that nothing of a batch can be left out.

    Args:
        batches: The batches.
        dataset: Whose scaling applies.
        index: (images,), positions in the pool.
        direct: Whether each step cuts its batch out of memory itself, as with images in memory on a CPU; otherwise it
            takes it from the pipeline, as with images in a file or on their way to a GPU.
    """

    @tf.function(reduce_retracing=True)
    def total(count: tf.Tensor, source: Any) -> tf.Tensor:
        pixels = tf.zeros([])
        for step in tf.range(count):
            images, _ = batches.batch(step) if direct else batches.scaled(*next(source))
            pixels += tf.reduce_sum(images)
        return pixels

    def epoch(number: int) -> None:
        batches.select(dataset, index[generator(0, "order", number).permutation(len(index))])
        float(total(tf.constant(batches.steps, tf.int64), None if direct else iter(batches.pipeline)))

    return epoch


def measure(name: str, folder: str, rounds: int) -> dict[str, float]:
    """Images a second of each way, the best of the rounds."""
    channels = tfds.builder(name, data_dir=folder).info.features["image"].shape[-1]
    splits = tfds.builder(name, data_dir=folder).info.splits
    count = splits["train"].num_examples + splits["test"].num_examples
    best: dict[str, float] = {}

    def timed(way: str, action: Callable[[], Any]) -> None:
        best[way] = max(best.get(way, 0.0), count / seconds(action))

    def first_epoch(cache: str) -> tuple[Dataset, TensorBatches, np.ndarray]:
        clear_pools()
        dataset = load(config(name, folder, channels=channels, cache=cache), 0)
        batches, index = ours(dataset)
        epochs(batches, dataset, index, direct=batches.direct)(1)
        return dataset, batches, index

    for _ in range(rounds):
        timed("by hand, first epoch", lambda: drained(by_hand(name, folder)))
        timed("by hand and scaled, first epoch", lambda: drained(by_hand_scaled(name, folder)))
        made: list[Any] = []
        with tempfile.TemporaryDirectory() as cache:
            timed("ablate, first epoch with decoding", lambda cache=cache: first_epoch(cache))
            timed("ablate, first epoch, decoded before", lambda cache=cache, made=made: made.append(first_epoch(cache)))
        dataset, batches, index = made[0]
        images, labels = dataset.pool.images[index], dataset.pool.labels[index]
        sliced = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(1000).batch(BATCH).prefetch(2)
        within = epochs(batches, dataset, index, direct=True)
        piped = epochs(batches, dataset, index, direct=False)
        within(1)
        piped(1)
        # Side by side and more often than the others: the ratio is near 1.
        for number in (2, 3, 4):
            timed("from memory, NumPy", lambda x=images, y=labels: drained(from_memory(x, y)))
            timed("ablate, later epochs", lambda read=within, n=number: read(n))
            timed("ablate, later epochs by pipeline", lambda read=piped, n=number: read(n))
        timed("from memory, tf.data", lambda data=sliced: drained(data))
        del sliced
    return best


class Watch(threading.Thread):
    """The most memory of its own (not of mapped files, which the system takes back) that the process had."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self.go_on = 0, True

    def run(self) -> None:
        """Looks every 20 ms."""
        while self.go_on:
            lines = Path("/proc/self/status").read_text().splitlines()
            self.peak = max(self.peak, *(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon")))
            time.sleep(0.02)


def large(name: str, folder: str, cache: str, share: float) -> None:
    """Decodes a set into its cache and reads two epochs of it; prints what it took as JSON."""
    device.prepare(1)
    warm = load({"source": "digits"}, 0)
    batches, index = ours(warm)
    epochs(batches, warm, index, direct=False)(1)
    watch = Watch()
    watch.start()
    time.sleep(0.1)
    before = watch.peak
    begin = time.perf_counter()
    dataset = load(config(name, folder, size=LARGE, channels=3, memory=share, cache=cache), 0)
    decoding = time.perf_counter() - begin
    batches, index = ours(dataset)
    read = epochs(batches, dataset, index, direct=batches.direct)
    rates = [len(index) / seconds(lambda number=number: read(number)) for number in (1, 2)]
    watch.go_on = False
    found = {
        "in a file": isinstance(dataset.pool.images, np.memmap),
        "images": dataset.pool.images.nbytes,
        "more": watch.peak - before,
        "decoding": decoding,
        "rates": rates,
    }
    print(json.dumps(found))


def prepared(name: str, folder: str) -> None:
    load(config(name, folder, size=8, limit=2000), 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default=str(Path("~/tensorflow_datasets").expanduser()))
    parser.add_argument("--name", default="fashion_mnist")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", nargs=2, metavar=("CACHE", "SHARE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.large:
        large(given.name, given.data_dir, given.large[0], float(given.large[1]))
        return
    device.prepare(1)
    prepared(given.name, given.data_dir)
    best = measure(given.name, given.data_dir, given.rounds)
    print(f"{given.name}, batches of {BATCH}, images a second, the best of {given.rounds} rounds:")
    for way, rate in best.items():
        print(f"  {way:36} {rate:12,.0f}")
    for way, other in RATIOS:
        print(f"{way} / {other}: {best[way] / best[other]:.2f}")
    share = 0.01
    with tempfile.TemporaryDirectory() as cache:
        own = [
            sys.executable,
            __file__,
            "--data-dir",
            given.data_dir,
            "--name",
            given.name,
            "--large",
            cache,
            str(share),
        ]
        ended = subprocess.run(own, capture_output=True, text=True, check=True)
    found = json.loads(ended.stdout.splitlines()[-1])
    allowed = memory_limit(share)
    print(
        f"Larger than its share: {found['images'] / 2**20:,.0f} MiB of images, {allowed / 2**20:,.0f} MiB allowed; "
        f"in a file: {found['in a file']}; peak of memory above the start {found['more'] / 2**20:,.0f} MiB "
        f"(ratio to the images {found['more'] / found['images']:.3f}); decoding {found['decoding']:.0f} s, then "
        f"{found['rates'][0]:,.0f} and {found['rates'][1]:,.0f} images a second."
    )


if __name__ == "__main__":
    main()
