"""Output folders of Hydra, with whichever sweeper and folder layout: a folder ``.hydra`` in each run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.foreign.reader import ForeignRun, ForeignRuns, Reader
from ablate.foreign.run_names import levels_in_path, unquoted
from ablate.formatting import listing
from ablate.logs.files import SourceFolder
from ablate.logs.json_numbers import JSON_FILES
from ablate.logs.plain_values import flatten
from ablate.logs.printing import short_line
from ablate.logs.regular_files import UnreadableFile
from ablate.logs.run_numbers import TABLE_FILES, read_run_numbers
from ablate.logs.tensorboard import EVENT_FILES
from ablate.logs.wandb_log import WANDB_FILES

if TYPE_CHECKING:
    from ablate.foreign.request import AdoptSettings

_MOST_KEYS = 20_000


def _read(folder: SourceFolder, settings: AdoptSettings) -> ForeignRuns:
    """A run a ``.hydra`` folder, with all CSV and JSON files below it, or else its event files.

    The configuration is that of ``.hydra/config.yaml``, with interpolations as they are written: what a resolver gives
    is neither computed nor asked of the environment. Nothing is imported or unpickled.
    """
    files: dict[str, list[str]] = {location: [] for location in folder.hydra_runs}
    events: dict[str, list[str]] = {location: [] for location in files}
    without_run = []
    tables = folder.named(*TABLE_FILES)
    for names, by_run in (
        (tables, files),
        (folder.named(*JSON_FILES, WANDB_FILES), files),
        (folder.named(EVENT_FILES), events),
    ):
        for file in names:
            run = next((location for parent in Path(file).parents if (location := str(parent)) in files), None)
            if run is not None:
                by_run[run].append(file)
            elif names is tables:
                without_run.append(file)
    runs = [_read_run(folder, location, files[location], events[location]) for location in files]
    notes = []
    if without_run:
        notes.append(
            f"{len(without_run)} CSV files belong to no run, since they lie above the run folders: "
            f"{listing(without_run, 3)}."
        )
    return ForeignRuns(tuple(runs), tuple(notes))


HYDRA = Reader(
    "hydra",
    "output folders of Hydra, .hydra/config.yaml in each run",
    lambda folder: bool(folder.hydra_runs),
    _read,
)


def _read_run(folder: SourceFolder, location: str, files: list[str], events: list[str]) -> ForeignRun:
    hidden = f"{location}/.hydra"
    fault = ""
    config: dict[str, Any] = {}
    try:
        config = _flat_config(folder.read_yaml(f"{hidden}/config.yaml"))
    except UnreadableFile as error:
        fault = f".hydra/config.yaml {error}"
    overrides = _overrides(folder, location)
    declared = {**_group_choices(folder, hidden), **levels_in_path(location), **overrides}
    tables = read_run_numbers(folder, location, files, events)
    modified = max(map(folder.modified, [f"{location}/.hydra", *files]))
    return ForeignRun(location, config, declared, tables, modified, fault, frozenset(overrides))


def _flat_config(config: Any) -> dict[str, Any]:
    if config is None:  # Hydra writes {} where nothing is configured: this file was never finished
        raise UnreadableFile("is empty")
    if not isinstance(config, Mapping):
        raise UnreadableFile(f"holds a {type(config).__name__} in place of keys")
    flat = flatten({key: value for key, value in config.items() if key != "hydra"})
    if len(flat) > _MOST_KEYS:
        raise UnreadableFile(f"has {len(flat)} keys; at most {_MOST_KEYS} are read")
    return {short_line(key): value for key, value in flat.items()}


def _overrides(folder: SourceFolder, location: str) -> dict[str, str]:
    """What the run's command line set, by key."""
    file = f"{location}/.hydra/overrides.yaml"
    lines: Any = []
    if folder.has(file):
        with folder.noting_faults(file):
            lines = folder.read_yaml(file)
    overrides = {}
    for line in lines if isinstance(lines, list) else ():
        key, sign, value = str(line).partition("=")
        key = key.lstrip("+~").partition("@")[0]
        if sign and not key.startswith("hydra"):
            overrides[key] = unquoted(value)
    return overrides


def _group_choices(folder: SourceFolder, hidden: str) -> dict[str, str]:
    """Which option of each config group was taken; of no consequence where it cannot be read."""
    try:
        choices = folder.read_yaml(f"{hidden}/hydra.yaml")["hydra"]["runtime"]["choices"].items()
    except (UnreadableFile, KeyError, TypeError, AttributeError):
        return {}
    return {str(key): str(value) for key, value in choices if not str(key).startswith("hydra/")}
