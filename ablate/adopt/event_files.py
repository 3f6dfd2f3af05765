"""Scalars in event files of TensorBoard, read without TensorFlow."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ablate.adopt.material import NumberTable, Unread
from ablate.errors import StoreError

__all__ = ["read_events"]

_LARGEST = 256_000_000
# Keras writes one file for training and one for validation, in folders of these names.
_PARTS = {"train": "train_", "validation": "val_"}


def read_events(root: Path, place: str, files: Sequence[str]) -> tuple[dict[str, NumberTable], list[Unread]]:
    """The scalars of one run.

    Args:
        root: The folder that is adopted.
        place: The run's folder, relative to it.
        files: The run's event files, relative to the root, in order.

    Returns:
        One table named ``events`` with a row a step and a column a tag (of Keras' ``train`` and ``validation`` folders
        with the prefix ``train_`` or ``val_``), and what could not be read.

    Raises:
        StoreError: If the package ``tensorboard`` is not installed.
    """
    points: dict[str, dict[int, float]] = {}
    unread = []
    for file in files:
        prefix = _PARTS.get(Path(file).parent.name, "") if str(Path(file).parent) != place else ""
        try:
            if (size := (root / file).stat().st_size) > _LARGEST:
                unread.append(Unread(file, f"has {size / 1e6:,.0f} MB; event files are read up to 256 MB"))
                continue
            for tag, step, value in _scalars(root / file):
                name = f"{prefix}{tag.removeprefix('epoch_') if prefix else tag}"
                points.setdefault(name, {})[step] = value
        except _Broken as error:
            unread.append(Unread(file, str(error)))
        except OSError as error:
            unread.append(Unread(file, error.strerror or str(error)))
    if not points:
        return {}, unread
    frame = pd.DataFrame({name: pd.Series(values, dtype=float) for name, values in points.items()}).sort_index()
    frame.index.name = "step"
    return {"events": NumberTable("curve", frame.reset_index(), "step")}, unread


class _Broken(Exception):
    """An event file that ends in the middle or holds something else."""


def _scalars(path: Path) -> Iterator[tuple[str, int, float]]:
    try:
        from tensorboard.compat.proto import event_pb2
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError as error:
        raise StoreError(
            "Event files of TensorBoard need its reader: pip install 'ablate-study[tensorboard]'."
        ) from error
    for record in _records(path):
        try:
            event = event_pb2.Event.FromString(record)
        except Exception as error:  # protobuf's own, which has changed its home before
            raise _Broken("is damaged; what stands before is kept") from error
        for value in event.summary.value:
            number = _number(value, make_ndarray)
            if number is not None:
                yield value.tag, int(event.step), number


def _records(path: Path) -> Iterator[bytes]:
    """The records of a file: length, its check sum, data, their check sum.

    TensorBoard's own reader of this frame would load TensorFlow, and take seconds a megabyte for the check sums.
    """
    with path.open("rb") as file:
        while head := file.read(12):
            length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 else _LARGEST
            data = file.read(length + 4) if length < _LARGEST else b""
            if len(data) < length + 4:
                raise _Broken("is cut off or damaged; what stands before is kept")
            yield data[:length]


def _number(value: Any, as_array: Any) -> float | None:
    """The scalar that a summary holds, or None where it holds an image, a text or a histogram."""
    if value.HasField("simple_value"):
        return float(value.simple_value)
    if not value.HasField("tensor") or value.metadata.plugin_data.plugin_name not in ("", "scalars"):
        return None
    try:
        array = as_array(value.tensor)
        return float(array) if array.shape == () and array.dtype.kind in "fiu" else None
    except (TypeError, ValueError):
        return None
