"""The scalars in event files of TensorBoard, read without TensorFlow."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ablate.errors import StoreError
from ablate.logs.files import SourceFolder
from ablate.logs.number_table import NumberTable
from ablate.logs.printing import short_line
from ablate.logs.regular_files import UnreadableFile

EVENT_FILES = "*tfevents*"
"""What their names look like."""

_LARGEST = 256_000_000  # bytes
_MOST_TAGS = 5_000
_MOST_POINTS = 20_000_000
# Keras writes one file for training and one for validation, in folders of these names.
PREFIXES = {"train": "train_", "validation": "val_"}


def read_events(folder: SourceFolder, run: str, files: Sequence[str]) -> dict[str, NumberTable]:
    """The scalars of one run; files that cannot be read are noted in the folder.

    Args:
        folder: The folder that is adopted.
        run: The run's folder, relative to it.
        files: The run's event files, relative to it, in order.

    Returns:
        One table named ``events`` with a row a step and a column a tag (of Keras' ``train`` and ``validation`` folders
        with the prefix ``train_`` or ``val_``); nothing where there is no scalar.

    Raises:
        StoreError: If the package ``tensorboard`` is not installed.
    """
    import pandas as pd

    points: dict[str, dict[int, float]] = {}
    steps: set[int] = set()
    for file in files:
        parent = Path(file).parent
        prefix = PREFIXES.get(parent.name, "") if str(parent) != run else ""
        with folder.noting_faults(file):
            for tag, step, value in _scalars(folder, file):
                name = short_line(f"{prefix}{tag.removeprefix('epoch_') if prefix else tag}")
                if name not in points and len(points) >= _MOST_TAGS:
                    raise UnreadableFile(f"has more than {_MOST_TAGS:,} tags; those that stand before are kept")
                points.setdefault(name, {})[step] = value
                steps.add(step)
                if len(points) * len(steps) > _MOST_POINTS:
                    raise UnreadableFile(f"has more than {_MOST_POINTS:,} points; those that stand before are kept")
    if not points:
        return {}
    frame = pd.DataFrame({name: pd.Series(values, dtype=float) for name, values in points.items()}).sort_index()
    frame.index.name = "step"
    return {"events": NumberTable("curve", frame.reset_index(), "step")}


def _scalars(folder: SourceFolder, file: str) -> Iterator[tuple[str, int, float]]:
    try:
        from tensorboard.compat.proto import event_pb2
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError as error:
        raise StoreError(
            "Event files of TensorBoard need its reader: pip install 'ablate-study[tensorboard]'."
        ) from error
    for record in _records(folder, file):
        try:
            event = event_pb2.Event.FromString(record)
        except Exception as error:  # protobuf's own class has changed its module before
            raise UnreadableFile("is damaged; what stands before is kept") from error
        for value in event.summary.value:
            number = _number(value, make_ndarray)
            if number is not None:
                yield value.tag, int(event.step), number


def _records(folder: SourceFolder, file: str) -> Iterator[bytes]:
    """The records of a file: length, its check sum, data, their check sum.

    TensorBoard's own reader of this format would load TensorFlow, and take seconds a megabyte for the check sums.
    """
    with folder.open(file, _LARGEST) as stream:
        while (head := stream.read(12)) and stream.tell() <= _LARGEST:
            length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 else _LARGEST
            # A length may be made up: a record of more than a scalar's size is read as far as the file may go.
            data = stream.read(length + 4) if length < _LARGEST - stream.tell() else b""
            if len(data) < length + 4:
                raise UnreadableFile("is cut off or damaged; what stands before is kept")
            yield data[:length]


def _number(value: Any, as_array: Any) -> float | None:
    """The scalar that a summary holds, or None where it holds an image, a text or a histogram."""
    if value.HasField("simple_value"):
        return float(value.simple_value)
    if not value.HasField("tensor") or value.metadata.plugin_data.plugin_name not in ("", "scalars"):
        return None
    if value.tensor.tensor_shape.dim:  # a shape may be made up, and would be filled
        return None
    try:
        array = as_array(value.tensor)
        return float(array) if array.shape == () and array.dtype.kind in "fiu" else None
    except (TypeError, ValueError):
        return None
