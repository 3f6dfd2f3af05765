"""The values of Keras variables, and the file of them from which an interrupted run goes on."""

from __future__ import annotations

import json
import logging
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
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


def values_of(variables: Iterable[Any]) -> list[np.ndarray]:
    """Copies of the values of Keras variables."""
    return [np.asarray(variable).copy() for variable in variables]


def assign_values(variables: Sequence[Any], values: Sequence[np.ndarray]) -> None:
    """Sets Keras variables.

    Args:
        variables: The variables.
        values: As many values of the same shapes; each is cast to the type of its variable, since a stored one may
            have another.
    """
    for variable, value in zip(variables, values, strict=True):
        variable.assign(np.asarray(value).astype(keras.backend.standardize_dtype(variable.dtype)))


def write_backup(path: Path, backup: Backup) -> None:
    """Writes the file; a kill at any moment leaves the old one or the new one.

    Args:
        path: The file.
        backup: The state.
    """
    # NumPy writes bfloat16 as raw bytes and cannot read it back; 32 bits hold it without loss.
    arrays = [
        value.astype(np.float32) if value.dtype.name == "bfloat16" else value
        for value in (*backup.variables, *backup.best)
    ]
    header = {"identity": backup.identity, "progress": backup.progress, "variables": len(backup.variables)}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, *arrays, header=np.array(json.dumps(header)))


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
            arrays = [file[f"arr_{number}"] for number in range(len(file.files) - 1)]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        _logger.warning("%s cannot be read (%s): the run starts afresh.", path, error)
        return None
    if header["identity"] != identity:
        _logger.warning("%s is of another config, data set or version: the run starts afresh.", path)
        return None
    variables = header["variables"]
    return Backup(identity, arrays[:variables], arrays[variables:], header["progress"])
