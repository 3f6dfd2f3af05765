"""Examples of a data set, most often decoded images, and their named subsets, as plain values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ablate.keras.data.forms import LabelForm


def content_hashes(images: np.ndarray) -> np.ndarray:
    """A hash of the pixels of each image: equal images have equal ones.

    Args:
        images: (images, height, width, channels).

    Returns:
        (images,), 16 bytes each.
    """
    hashes = (hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images)
    return np.fromiter(hashes, dtype="V16", count=len(images))


def consecutive(counts: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Positions of parts that follow one another.

    Args:
        counts: Images by part, in the order in which the parts lie.

    Example:
        >>> {part: index.tolist() for part, index in consecutive({"train": 2, "test": 1}).items()}
        {'train': [0, 1], 'test': [2]}
    """
    ends = np.cumsum(list(counts.values()))
    return {part: np.arange(end - counts[part], end) for part, end in zip(counts, ends, strict=True)}


@dataclass(frozen=True, eq=False)
class Pool:
    """All examples of a data set, decoded once and shared by every run of the process.

    Args:
        name: Name of the data set.
        images: The examples. (images, height, width, channels), whole numbers 0 to 255, in memory or mapped from a
            file; where examples are no images, (examples, ...) floating-point numbers, or 32-bit whole numbers, tokens.
        labels: By the task, see `ablate.keras.data.forms.LabelForm`. (examples,) whole numbers from 0, the class of
            each; (examples, classes) of 0 and 1; (examples, targets) floating-point numbers; (examples, height, width)
            or (examples, steps) whole numbers, the class of each pixel or step.
        class_names: Names of the classes, by label; empty where there are none.
        official: Positions of the images by official part (``train``, ``validation``, ``test``); ``train`` is always
            there, and what is missing is drawn from it. An image in none of them is not used.
        sizes: (images, 2), height and width of each image in its source.
        notes: A sentence for each thing of the source that was left out.
        hashes: The `content_hashes` of the images, where they are known already.
        traits: What the source says about each image beside its pixels and size, such as ``file type``: a whole number
            for each of its values.
        origin: Fingerprints of what was read, by name: they change with the data, and not with the size that images
            are brought to or with other settings, which stand in the configuration.
        form: What the labels are.
        strata: (examples,), whole numbers from 0 by which splits are stratified; None for the classes where an example
            has one, and else for no stratification.
        groups: (examples,), the number of the group of each example, such as a patient; no drawn part shares one with
            another. None where examples are independent.
        times: (examples,), by which drawn parts follow each other: training, validation, test. None where there is no
            order.
        weights: (examples,), floating-point numbers, how much each counts in the loss of training; None for all alike.
        columns: Names of the numbers of an example, where it is a row of a table.
        indicators: Positions of those among them that are 1 where a category is there, and else 0.
        vocabulary_size: How many tokens there are, where examples are texts.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    official: Mapping[str, np.ndarray]
    sizes: np.ndarray
    notes: tuple[str, ...] = ()
    hashes: np.ndarray | None = None
    traits: Mapping[str, np.ndarray] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)
    form: LabelForm = LabelForm.CLASS
    strata: np.ndarray | None = None
    groups: np.ndarray | None = None
    times: np.ndarray | None = None
    weights: np.ndarray | None = None
    columns: tuple[str, ...] = ()
    indicators: tuple[int, ...] = ()
    vocabulary_size: int | None = None

    @property
    def are_images(self) -> bool:
        """Whether the examples are images, in bytes."""
        return self.images.dtype == np.uint8 and self.images.ndim == 4

    @property
    def noun(self) -> str:
        """What an example is called in messages, in the plural."""
        if self.are_images:
            return "images"
        return "rows" if self.columns else "texts" if self.vocabulary_size else "examples"

    @cached_property
    def classes_for_split(self) -> np.ndarray:
        """(examples,), whole numbers from 0 by which splits are stratified."""
        if self.strata is not None:
            return self.strata
        return self.labels if self.form is LabelForm.CLASS else np.zeros(len(self.labels), np.int64)

    @cached_property
    def label_codes(self) -> np.ndarray:
        """(examples,), a whole number for each different label."""
        if self.form is LabelForm.CLASS:
            return self.labels
        flat = self.labels.reshape(len(self.labels), -1)
        return np.unique(content_hashes(flat), return_inverse=True)[1].reshape(-1)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change with any image, label, class name or official part."""
        digest = hashlib.blake2b(repr((self.name, self.images.shape, self.class_names)).encode(), digest_size=8)
        digest.update(self.contents.tobytes() + self.labels.tobytes())
        for values in (self.groups, self.times, self.weights):
            digest.update(b"" if values is None else values.tobytes())
        for part in sorted(self.official):
            digest.update(part.encode() + self.official[part].tobytes())
        return digest.hexdigest()

    @property
    def fingerprints(self) -> Mapping[str, str]:
        """The `origin`; of a source that does not say it, the `fingerprint`."""
        return self.origin or {f"data/{self.name}": self.fingerprint}

    @cached_property
    def contents(self) -> np.ndarray:
        """(images,), a hash of the pixels of each image, 16 bytes: equal images have equal ones."""
        return content_hashes(self.images) if self.hashes is None else self.hashes

    @cached_property
    def twins(self) -> np.ndarray:
        """(images,), the position of the first image with the same pixels, which may be the image itself."""
        first: dict[bytes, int] = {}
        positions = (first.setdefault(content.tobytes(), number) for number, content in enumerate(self.contents))
        return np.fromiter(positions, dtype=np.int64, count=len(self.images))


@dataclass(frozen=True, eq=False)
class Subset:
    """Some images of a pool, by position, so that no split copies an image.

    Args:
        pool: Where the images are.
        index: (images,), positions in the pool.
    """

    pool: Pool
    index: np.ndarray

    def __len__(self) -> int:
        return len(self.index)

    @property
    def images(self) -> np.ndarray:
        """(images, height, width, channels), 0 to 255: a copy."""
        return self.pool.images[self.index]

    @property
    def labels(self) -> np.ndarray:
        """The labels, see `Pool`: a copy."""
        return self.pool.labels[self.index]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set split for one seed.

    Args:
        train: Images that the weights are fitted on.
        validation: Images that stop training, or choose its epoch.
        test: Images that are read once, at the end.
        offset: (channels,), subtracted from an image before ``factor`` is applied.
        factor: (channels,), what an image is multiplied with.
        label_offset: (targets,), the mean of the targets of the training part, where the task standardises them.
        label_deviation: (targets,), their standard deviation.
        class_weights: (classes,), 32 bits, how much each class counts in the loss of training; None for all alike.
    """

    train: Subset
    validation: Subset
    test: Subset
    offset: np.ndarray
    factor: np.ndarray
    label_offset: np.ndarray | None = None
    label_deviation: np.ndarray | None = None
    class_weights: np.ndarray | None = None

    @property
    def pool(self) -> Pool:
        """All images."""
        return self.train.pool

    @property
    def name(self) -> str:
        """Name of the data set."""
        return self.pool.name

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of an example: height, width and channels of an image."""
        return tuple(self.pool.images.shape[1:])

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by label."""
        return self.pool.class_names

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def subsets(self) -> dict[str, Subset]:
        """The three subsets by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Examples by subset and class name, where an example has one class."""
        return {
            name: dict(zip(self.class_names, np.bincount(subset.labels, minlength=self.classes).tolist(), strict=True))
            for name, subset in self.subsets.items()
        }

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits of the images, the split and the scaling."""
        digest = hashlib.blake2b(self.pool.fingerprint.encode(), digest_size=8)
        for name, subset in self.subsets.items():
            digest.update(name.encode() + subset.index.tobytes())
        digest.update(self.offset.tobytes() + self.factor.tobytes())
        for values in (self.label_offset, self.label_deviation, self.class_weights):
            digest.update(b"" if values is None else values.tobytes())
        return digest.hexdigest()
