"""The state of a run after an epoch, in one file, from which an interrupted run goes on."""

from __future__ import annotations

import json
import logging
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ablate.store.atomic import replacing

_logger = logging.getLogger(__name__)


@dataclass
class Backup:
    """The state after an epoch.

    Args:
        identity: Hash of what the run follows from; a backup of another run is not used.
        variables: Values of weights, random states and the optimizer, in their fixed order.
        best: Values of the model's weights at the best epoch, where they are needed.
        progress: Plain values: curves, best epoch, seconds, states of callbacks.
    """

    identity: str
    variables: Sequence[np.ndarray]
    best: Sequence[np.ndarray] = ()
    progress: Mapping[str, Any] = field(default_factory=dict)


def write_backup(path: Path, backup: Backup) -> None:
    """Writes the file; a kill at any moment leaves the old one or the new one.

    Args:
        path: The file.
        backup: The state.
    """
    arrays = {f"variable_{number}": value for number, value in enumerate(backup.variables)}
    arrays |= {f"best_{number}": value for number, value in enumerate(backup.best)}
    stored: dict[str, Any] = {name: _storable(value) for name, value in arrays.items()}
    header = json.dumps({"identity": backup.identity, "progress": backup.progress})
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, header=np.array(header), **stored)


def read_backup(path: Path, identity: str) -> Backup | None:
    """The state to go on from.

    Args:
        path: The file.
        identity: Hash of what the run follows from.

    Returns:
        ``None`` where there is no file, or one of another run, or one that cannot be read; the latter two are logged.
    """
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            arrays = {name: file[name] for name in file.files if name != "header"}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        _logger.warning("%s cannot be read (%s): the run starts afresh.", path, error)
        return None
    if header["identity"] != identity:
        _logger.warning("%s is of another config, data set or version: the run starts afresh.", path)
        return None
    numbered = {
        kind: [arrays[f"{kind}_{number}"] for number in range(sum(name.startswith(kind) for name in arrays))]
        for kind in ("variable", "best")
    }
    return Backup(identity, numbered["variable"], numbered["best"], header["progress"])


def _storable(value: np.ndarray) -> np.ndarray:
    # NumPy writes bfloat16 as raw bytes and cannot read it back; 32 bits hold it without loss.
    return value.astype(np.float32) if value.dtype.name == "bfloat16" else value
