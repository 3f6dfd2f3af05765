"""What a run needs to go on after an epoch: one file, replaced whole."""

from __future__ import annotations

import json
import logging
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Backup", "read_backup", "write_backup"]

_logger = logging.getLogger(__name__)


@dataclass
class Backup:
    """The state after an epoch.

    Args:
        identity: What the run follows from; a backup of another run is not used.
        epoch: The last whole epoch, counted from 1.
        variables: Values of weights, random states and the optimizer, in their fixed order.
        best: Values of the model's weights at the best epoch, where they are asked for.
        facts: Plain values: curves, best epoch, patience, seconds, what callbacks remember.
    """

    identity: str
    epoch: int
    variables: Sequence[np.ndarray]
    best: Sequence[np.ndarray] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def write_backup(path: Path, backup: Backup) -> None:
    """Writes the file under another name first: a kill at any moment leaves the old one or the new one.

    Args:
        path: Where to.
        backup: The state.
    """
    arrays = {f"variable_{place}": value for place, value in enumerate(backup.variables)}
    arrays |= {f"best_{place}": value for place, value in enumerate(backup.best)}
    told = json.dumps({"identity": backup.identity, "epoch": backup.epoch, "facts": backup.facts})
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        stored: dict[str, Any] = {name: _storable(value) for name, value in arrays.items()}
        np.savez(file, told=np.array(told), **stored)
    temporary.replace(path)


def read_backup(path: Path, identity: str) -> Backup | None:
    """The state to go on from.

    Args:
        path: The file.
        identity: What the run follows from.

    Returns:
        ``None`` where there is no file, or one that is not of this run or cannot be read; the latter two are logged.
    """
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            told = json.loads(str(file["told"]))
            arrays = {name: file[name] for name in file.files if name != "told"}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        _logger.warning("%s cannot be read (%s): the run starts afresh.", path, error)
        return None
    if told["identity"] != identity:
        _logger.warning("%s is of another config, data set or version: the run starts afresh.", path)
        return None
    numbered = {
        kind: [arrays[f"{kind}_{place}"] for place in range(sum(name.startswith(kind) for name in arrays))]
        for kind in ("variable", "best")
    }
    return Backup(identity, told["epoch"], numbered["variable"], numbered["best"], told["facts"])


def _storable(value: np.ndarray) -> np.ndarray:
    # NumPy writes bfloat16 as raw bytes and cannot read it back; 32 bits hold it without loss.
    return value.astype(np.float32) if value.dtype.name == "bfloat16" else value
