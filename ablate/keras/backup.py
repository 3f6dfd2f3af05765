"""The values of Keras variables, and the file of them from which an interrupted run goes on."""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ablate.errors import StoreError
from ablate.keras.callback_state import storable
from ablate.store.atomic import replacing
from ablate.store.files import open_file

_LARGEST_HEADER = 10_000  # bytes of the description of an array


class UnusableBackup(Exception):
    """A backup from which a run cannot go on; its text says why."""


@dataclass(frozen=True)
class Progress:
    """How far a run was.

    Args:
        rows: The values of the curves by name, one row an epoch.
        best_epoch: The number of the best epoch.
        stopped: Whether the training was over.
        seconds: How long it took so far.
        callbacks: The state of each callback of the user by its key, None where it cannot be stored.
    """

    rows: Sequence[Mapping[str, float]]
    best_epoch: int
    stopped: bool
    seconds: float
    callbacks: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Progress:
        """What the values of a file say.

        Raises:
            ValueError: If they are not what is written.
            TypeError: Likewise.
            KeyError: Likewise.
        """
        progress = cls(**values)
        rows, best, seconds = progress.rows, progress.best_epoch, progress.seconds
        is_right = (
            isinstance(rows, list)
            and all(isinstance(row, dict) and all(type(value) is float for value in row.values()) for row in rows)
            and type(best) is int
            and 1 <= best <= len(rows)
            and isinstance(progress.stopped, bool)
            and type(seconds) is float
            and 0 <= seconds < math.inf
            and isinstance(progress.callbacks, dict)
        )
        if not is_right:
            raise ValueError("its numbers make no sense")
        return progress


@dataclass(frozen=True)
class Backup:
    """The state after an epoch.

    Args:
        identity: Hash of what the run follows from; a backup of another run is not used.
        variables: Values of weights, random states and the optimizer, in their fixed order.
        best: Values of the model's weights at the best epoch, where they are needed.
        progress: How far the run was.
        arrays: Arrays that the states of callbacks refer to.
    """

    identity: str
    variables: Sequence[np.ndarray]
    best: Sequence[np.ndarray]
    progress: Progress
    arrays: Sequence[np.ndarray] = ()


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
    arrays = [storable(value) for value in (*backup.variables, *backup.best, *backup.arrays)]
    counts = {"variables": len(backup.variables), "best": len(backup.best), "arrays": len(backup.arrays)}
    header = {"identity": backup.identity, "progress": vars(backup.progress), **counts}
    with replacing(path, durable=True) as temporary, temporary.open("wb") as file:
        np.savez(file, *arrays, header=np.frombuffer(json.dumps(header).encode(), np.uint8))


def read_backup(path: Path, identity: str, variables: Sequence[Any], best: Sequence[Any]) -> Backup | None:
    """The state to go on from; all of it has been checked.

    Args:
        path: The file.
        identity: Hash of what the run follows from.
        variables: The Keras variables that its values are for.
        best: Those of the model, which the values at the best epoch are for.

    Returns:
        None where there is no file.

    Raises:
        UnusableBackup: If it is one of another run, or damaged.
    """
    try:
        with open_file(path, os.O_RDONLY) as file, zipfile.ZipFile(file) as archive:
            if sum(member.file_size for member in archive.infolist()) > os.fstat(file.fileno()).st_size:
                raise ValueError("its parts are larger than the whole")
            return _read(archive, path, identity, variables, best)
    except FileNotFoundError:
        return None
    except UnusableBackup:
        raise
    except StoreError as error:  # it is a link, a folder, ...
        raise UnusableBackup(str(error).removesuffix(".")) from error
    except Exception as error:  # a damaged archive raises whatever its bytes lead to
        raise UnusableBackup(f"{path} is damaged ({type(error).__name__}: {error})") from error


def _read(archive: zipfile.ZipFile, path: Path, identity: str, variables: Sequence[Any], best: Sequence[Any]) -> Backup:
    header = json.loads(_member(archive, "header").tobytes())
    if header["identity"] != identity:
        raise UnusableBackup(f"{path} is of another config, data set or version")
    progress = Progress.parse(header["progress"])
    count, best_count, more = header["variables"], header["best"], header["arrays"]
    if count != len(variables) or best_count not in (0, len(best)):
        raise ValueError("it holds the values of another number of variables")
    names = [f"arr_{number}" for number in range(len(archive.namelist()) - 1)]
    if len(names) != count + best_count + more or set(archive.namelist()) != {
        f"{name}.npy" for name in ("header", *names)
    }:
        raise ValueError("it holds other arrays than it says")
    expected = [*variables, *best[:best_count], *([None] * more)]
    arrays = [_member(archive, name, variable) for name, variable in zip(names, expected, strict=True)]
    end = count + best_count
    return Backup(identity, arrays[:count], arrays[count:end], progress, arrays[end:])


def _member(archive: zipfile.ZipFile, name: str, variable: Any = None) -> np.ndarray:
    """An array of the archive; nothing that is larger than its file is made.

    Raises:
        ValueError: If it is not of the variable's shape and type, or not as large as it says.
    """
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
        raise ValueError(f"{name} is compressed")
    data = archive.read(member)  # compares the checksum
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    shape, _, dtype = read_header(stream, max_header_size=_LARGEST_HEADER)
    if any(size < 0 for size in shape) or math.prod(shape) * dtype.itemsize != len(data) - stream.tell():
        raise ValueError(f"{name} is not as large as it says")
    if variable is not None:
        expected = keras.backend.standardize_dtype(variable.dtype)
        if shape != tuple(variable.shape) or dtype.name != ("float32" if expected == "bfloat16" else expected):
            raise ValueError(f"{name} is {dtype} {shape}, not {expected} {tuple(variable.shape)}")
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False, max_header_size=_LARGEST_HEADER)
