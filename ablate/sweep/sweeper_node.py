"""The node ``hydra.sweeper`` of an application: our settings, and what it holds for other sweepers.

An application may be written for Hydra's own sweeper or for Optuna's, and keep their keys in its configuration.
``params``, which both read as sweeps, are factors here too; what only a search has a use for is left, and that is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ablate.errors import DesignError, suggestion
from ablate.study.settings import STUDY_SETTINGS

PARAMS = "params"

_OF_OTHERS = {
    *("max_batch_size", "n_trials", "n_jobs", "max_failure_rate", "sampler", "storage", "study_name", "search_space"),
    *("custom_search_space", "ax_config", "optim", "parametrization", "budget", "num_workers", "objective"),
}
"""Keys of Hydra's basic sweeper and of those for Optuna, Ax and Nevergrad."""

_DIRECTIONS = {"maximize": "max", "minimize": "min"}


def split_node(node: Mapping[str, Any], typed: Sequence[str]) -> tuple[dict[str, Any], list[str], list[str]]:
    """Our settings in the node, overrides that its ``params`` stand for, and notes about what was left.

    Args:
        node: Its plain values by key.
        typed: The overrides of ``hydra`` as they were typed, in which an unknown key is a mistake.

    Raises:
        DesignError: If a key is unknown and was typed, or resembles one of ours.

    Example:
        >>> split_node({"seeds": 5, "direction": "minimize", "n_trials": 9, "params": {"lr": "0.1,0.2"}}, [])[:2]
        ({'seeds': 5, 'direction': 'min'}, ['lr=0.1,0.2'])
    """
    settings = {key: value for key, value in node.items() if key in STUDY_SETTINGS}
    typed_keys = {line.partition("=")[0].lstrip("+").removeprefix("hydra.sweeper.").partition(".")[0] for line in typed}
    left, faults = [], []
    for key in node:
        if key in STUDY_SETTINGS or key == PARAMS:
            continue
        hint = suggestion(key, STUDY_SETTINGS)
        if key in typed_keys or (hint and key not in _OF_OTHERS):
            faults.append(f"hydra.sweeper has no key '{key}'.{hint} `ablate help sweeper` lists them.")
        else:
            left.append(key)
    if faults:
        raise DesignError("\n".join(faults))
    notes = [f"Keys of other sweepers, which mean nothing here: hydra.sweeper.{{{','.join(left)}}}."] if left else []
    if (direction := settings.get("direction")) in _DIRECTIONS:
        settings["direction"] = _DIRECTIONS[direction]
    params = node.get(PARAMS) or {}
    if not isinstance(params, Mapping):
        raise DesignError(f"hydra.sweeper.params={params}: must be a mapping from keys to what is swept.")
    return settings, [f"{key}={_typed_value(value)}" for key, value in params.items()], notes


def _typed_value(value: Any) -> str:
    """What is swept, as it would be typed: a list of values means the same as their names between commas."""
    if isinstance(value, list | tuple):
        return ",".join(map(_typed_value, value))
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
