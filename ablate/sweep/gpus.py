"""The GPUs of the machine, what is free of their memory, and how workers share them."""

from __future__ import annotations

import csv
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablate.errors import ConfigError

_CONTEXT = 0.5
"""GiB that CUDA itself takes for every process, beside its tensors."""


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Args:
        name: What ``CUDA_VISIBLE_DEVICES`` calls it.
        free: GiB of its memory that are free, or None where it is unknown.
        by_driver: Whether the name is the driver's number. CUDA uses that numbering only with
            ``CUDA_DEVICE_ORDER=PCI_BUS_ID``.
    """

    name: str
    free: float | None = None
    by_driver: bool = False


def assign_gpus(gpus: Sequence[Gpu], memory: float | None, cores: int) -> list[Gpu]:
    """Decide which GPU each worker has.

    Workers go round the GPUs, so that each GPU has one before any has two. Their number is limited to the number of
    cores, or to that of the GPUs with enough free memory if it is larger.

    Args:
        gpus: The GPUs to share out.
        memory: GiB of a GPU's memory that a worker's tensors may take; None: a whole GPU.
        cores: How many CPU cores there are.

    Returns:
        The GPU of each worker; empty where there is no GPU.

    Raises:
        ConfigError: If no GPU has enough free memory for a worker.

    Example:
        >>> [gpu.name for gpu in assign_gpus([Gpu("0", 11.0), Gpu("1", 5.0), Gpu("2", 2.0)], 4.0, 8)]
        ['0', '1', '0']
        >>> [gpu.name for gpu in assign_gpus([Gpu("0", 11.0), Gpu("1", 5.0)], None, 8)]
        ['0', '1']
    """
    if memory is None or not gpus:
        return list(gpus)
    # A GPU of unknown free memory takes one worker, as if ``memory`` were None.
    capacity = [1 if gpu.free is None else int(gpu.free / (memory + _CONTEXT)) for gpu in gpus]
    if not any(capacity):
        sizes = ", ".join(f"GPU {gpu.name} has {gpu.free:.1f}" for gpu in gpus)
        largest = max(gpu.free or 0.0 for gpu in gpus) - _CONTEXT
        remedy = f"Write at most {int(largest * 10) / 10:g}" if largest >= 0.1 else "Free a GPU"
        raise ConfigError(
            f"gpu_memory={memory:g}: no GPU has as many GiB free, and {_CONTEXT:g} for CUDA itself: {sizes}. "
            f"{remedy}, or null for one worker a GPU."
        )
    in_turn = [gpu for turn in range(max(capacity)) for gpu, most in zip(gpus, capacity, strict=True) if turn < most]
    return in_turn[: max(cores, sum(most > 0 for most in capacity))]


def worker_environments(gpus: Sequence[Gpu], memory: float | None) -> list[dict[str, str]]:
    """The environment variables of each worker.

    Args:
        gpus: The GPU of each worker, as :func:`assign_gpus` returned them.
        memory: GiB of it that the worker's tensors may take; None: all.
    """
    limit = {} if memory is None else {"ABLATE_GPU_MEMORY": f"{memory:g}"}  # read by the framework's layer
    return [
        {"CUDA_VISIBLE_DEVICES": gpu.name, **({"CUDA_DEVICE_ORDER": "PCI_BUS_ID"} if gpu.by_driver else {}), **limit}
        for gpu in gpus
    ]


def visible_gpus(
    named: Sequence[str | int] | None = None, environment: Mapping[str, str] = os.environ
) -> tuple[Gpu, ...]:
    """The GPUs that may be used, with what is free of their memory.

    Args:
        named: Their identifiers, or None to take those that ``CUDA_VISIBLE_DEVICES`` or else the driver names. A number
            is looked up as the driver's; where GPUs differ, CUDA numbers them so with ``CUDA_DEVICE_ORDER=PCI_BUS_ID``.
        environment: Environment variables.
    """
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if named is None and visible is not None:
        named = [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
    listed = _driver_gpus()
    if named is None:
        return tuple(Gpu(index, free, by_driver=True) for index, _, free in listed)
    gpus = []
    for name in map(str, named):
        # A number, or enough of the beginning of an identifier.
        matches = [
            free for index, uuid, free in listed if name == index or (uuid.startswith(name) and not name.isdigit())
        ]
        gpus.append(Gpu(name, matches[0] if len(matches) == 1 else None))
    return tuple(gpus)


def _driver_gpus() -> list[tuple[str, str, float | None]]:
    """Number, identifier and free GiB of every GPU; of one that is divided into instances the memory is unknown."""
    command = ["nvidia-smi", "--query-gpu=index,uuid,memory.free", "--format=csv,noheader,nounits"]
    try:
        listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    rows = csv.reader(listing.splitlines(), skipinitialspace=True)
    # In MiB; "[N/A]" where it is unknown.
    return [(row[0], row[1], int(row[2]) / 1024 if row[2].isdigit() else None) for row in rows if len(row) == 3]
