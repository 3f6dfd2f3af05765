"""The history in the log of a W&B run (``run-ID.wandb``), read without W&B: in offline mode it is all that there is.

The file is a log of records in the format of LevelDB: blocks of 32 KiB that hold fragments, each with a checksum, a
length and a type. A record is a protobuf message, of which the rows of the history are read here: ``Record.history``
(2), with ``HistoryRecord.item`` (1) and, in an item, ``key`` (1), ``nested_key`` (2) and ``value_json`` (16).
Source: https://github.com/google/leveldb/blob/main/doc/log_format.md and wandb/proto/wandb_internal.proto of
https://github.com/wandb/wandb.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator

from ablate.logs.files import FileNote, SourceFolder
from ablate.logs.number_table import NumberTable
from ablate.logs.number_tables import MOST_COLUMNS, MOST_FIELDS, log_table
from ablate.logs.printing import short_line
from ablate.logs.regular_files import UnreadableFile

WANDB_FILES = "*.wandb"
"""What their names look like."""

_LARGEST = 256_000_000  # bytes
_BLOCK = 32_768
_HEADER = 7  # bytes, of the file and of each fragment
_MARK = b":W&B"
_FULL, _LAST = 1, 4
_HISTORY, _ITEM, _KEY, _NESTED_KEY, _VALUE = 2, 1, 1, 2, 16
_STEP = "_step"


def read_wandb_log(folder: SourceFolder, file: str) -> NumberTable | None:
    """The numbers in the history of a run of W&B; None where there are none.

    Notes in the folder what was left out, and a file that cannot be read.
    """
    import pandas as pd

    table = None
    with folder.noting_faults(file):
        data = folder.read_bytes(file, _LARGEST)
        if not data.startswith(_MARK):
            raise UnreadableFile("is no log of W&B")
        rows: list[dict[str, float]] = []
        names: dict[str, None] = {}
        try:
            for record in _records(data):
                if row := _history_row(record):
                    rows.append(row)
                    names |= dict.fromkeys(row)
                if len(names) > MOST_COLUMNS or len(names) * len(rows) > MOST_FIELDS:
                    raise UnreadableFile(f"has more than {MOST_FIELDS:,} numbers, more than are read")
        except (ValueError, struct.error, IndexError):
            folder.notes.append(FileNote(file, "is cut off or damaged; what stands before is kept"))
        # What W&B keeps for itself is no number of the run, but for the step that it counts.
        kept = [name for name in names if name == _STEP or not name.startswith("_")]
        table = log_table(folder, file, pd.DataFrame(rows, columns=kept)) if len(kept) > 1 else None
    return table


def _records(data: bytes) -> Iterator[bytes]:
    place, parts = _HEADER, b""
    while place + _HEADER <= len(data):
        if _BLOCK - place % _BLOCK < _HEADER:
            place += _BLOCK - place % _BLOCK  # the rest of a block that holds no further header
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        begin = place + _HEADER
        if begin + length > len(data) or not _FULL <= kind <= _LAST:
            raise ValueError("a fragment that is cut off")
        parts += data[begin : begin + length]
        place = begin + length
        if kind in (_FULL, _LAST):
            yield parts
            parts = b""


def _history_row(record: bytes) -> dict[str, float]:
    row = {}
    for number, history in _fields(record):
        if number != _HISTORY:
            continue
        for kind, item in _fields(history):
            if kind != _ITEM:
                continue
            names: list[str] = []
            value: object = None
            for field, content in _fields(item):
                if field in (_KEY, _NESTED_KEY):
                    names.append(content.decode(errors="replace"))
                elif field == _VALUE:
                    value = json.loads(content)
            if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 10**300:
                row[short_line(".".join(filter(None, names)))] = float(value)
    return row


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a protobuf message that hold bytes, by number; others are skipped."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        if kind == 2:
            length, place = _varint(message, place)
            if place + length > len(message):
                raise ValueError("a field that is cut off")
            yield tag >> 3, message[place : place + length]
            place += length
        elif kind == 0:
            _, place = _varint(message, place)
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        else:
            raise ValueError("no message")


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
    raise ValueError("no number")
