"""The frozen configuration of a run: what Hydra wrote of it before the run began, and the signature of that.

The process of the run signs it, so that ``rerun`` can tell a run of the user's own commands from one that came from
elsewhere. A signature stands for the bytes of both files and for the name of the task.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ablate.errors import StoreError
from ablate.store import RunFolder
from ablate.store.files import check_inside, read_file
from ablate.store.signatures import is_signed, sign

FOLDER = ".hydra"
"""Hydra's folder within that of a run, unless the application says otherwise."""
_FILES = ("config.yaml", "hydra.yaml")
_SIGNATURE = "signature"
_LARGEST = 4_000_000  # bytes
_MOST_ALIASES = 10  # Hydra writes none; many could stand for more values than fit into memory


def task_name(task: Mapping[str, str]) -> str:
    """What a task is called, wherever its project is: ``train.py: main`` or ``my_package.train: main``.

    Args:
        task: Where it comes from; see :func:`ablate.sweep.task_origin.task_origin`.
    """
    place = Path(task["file"]).name if task["module"] == "__main__" else task["module"]
    return f"{place}: {task['name']}"


def sign_and_call(name: str, task: Callable[[Any], Any], config: Any) -> Any:
    """Sign what Hydra has just written of this run, and carry the run out.

    Where there is no key, as on the nodes of some clusters, or the disk is full, nothing is signed.

    Args:
        name: What the task is called.
        task: From a composed configuration to what the run returns.
        config: The composed configuration.
    """
    job = HydraConfig.get()
    if job.output_subdir == FOLDER:  # otherwise Hydra did not write what is there
        folder = Path(job.runtime.output_dir, FOLDER)
        with contextlib.suppress(OSError, StoreError):
            signature = sign(_signed_values(name, _read_files(folder)))
            # Atomic writes would cost ten times as much; half a signature is none.
            (folder / _SIGNATURE).write_text(signature)
    return task(config)


@dataclass(frozen=True)
class FrozenConfiguration:
    """The frozen configuration of a run, as plain values: nothing in it is resolved or imported.

    Args:
        path: The file of the configuration.
        config: The configuration of the task.
        hydra: Hydra's own.
        is_own: Whether a command of this user wrote both, for the task that was asked about.
    """

    path: Path
    config: DictConfig
    hydra: DictConfig
    is_own: bool


def read_frozen(run: RunFolder, name: str) -> FrozenConfiguration:
    """Read the frozen configuration of a run.

    Args:
        run: The run.
        name: What the task is called that it is to be given to.

    Raises:
        StoreError: If a file is missing, too large, no plain YAML, or reached by a link.
    """
    folder = run.path / FOLDER
    check_inside(folder, run.root or run.path)
    files = _read_files(folder)
    signature = (read_file(folder / _SIGNATURE, strict=False, limit=1000) or b"").decode(errors="replace")
    config, hydra = (_parse(folder / file, files[file]) for file in _FILES)
    return FrozenConfiguration(folder / _FILES[0], config, hydra, is_signed(_signed_values(name, files), signature))


def dotted_paths(config: DictConfig) -> list[str]:
    """Every value of a configuration that could be the dotted path of an object, as ``key=value`` in its order.

    Which of them a task imports only the task knows: our own application those of ``task``, ``model.builder`` and
    others, many applications those of ``_target_``. Values with interpolations could become any.

    Example:
        >>> values = {"task": "os.system", "train": {"rate": 0.1, "calls": ["a.b", "c", "os.${x}"]}}
        >>> dotted_paths(OmegaConf.create(values))
        ['task=os.system', 'train.calls.0=a.b', 'train.calls.2=os.${x}']
    """
    return list(_dotted_paths(OmegaConf.to_container(config, resolve=False), ""))


def _dotted_paths(value: Any, key: str) -> Iterator[str]:
    if isinstance(value, Mapping | list):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, item in items:
            yield from _dotted_paths(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, str):
        parts = value.split(".")
        if "${" in value or (len(parts) > 1 and all(part.isidentifier() for part in parts)):
            yield f"{key}={value}"


def _read_files(folder: Path) -> dict[str, bytes]:
    files = {}
    for name in _FILES:
        data = read_file(folder / name, limit=_LARGEST)
        if data is None:
            raise StoreError(f"The run has no frozen configuration: there is no '{folder / name}'.")
        files[name] = data
    return files


def _signed_values(name: str, files: Mapping[str, bytes]) -> dict[str, Any]:
    return {"task": name, "files": {file: hashlib.sha256(data).hexdigest() for file, data in files.items()}}


def _parse(path: Path, data: bytes) -> DictConfig:
    try:
        text = data.decode()
        if "&" in text and "*" in text:
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
            aliases = sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=loader))
            if aliases > _MOST_ALIASES:
                raise StoreError(f"Cannot read '{path}': it has {aliases} aliases, of {_MOST_ALIASES} at most.")
        values = OmegaConf.load(io.StringIO(text))  # by a loader that makes plain values and paths of files alone
    except (yaml.YAMLError, OmegaConfBaseException, ValueError, OSError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise StoreError(f"Cannot read '{path}': it is no plain YAML{where} ({type(error).__name__}).") from error
    if not isinstance(values, DictConfig):
        raise StoreError(f"Cannot read '{path}': it holds no keys.")
    return values
