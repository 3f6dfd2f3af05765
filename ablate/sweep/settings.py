"""What a study is asked to do, as the sweeper's configuration says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from ablate.errors import DesignError
from ablate.figures.choice import choice_faults
from ablate.study import FAILURE_POLICIES, Constraint, Forbidden, Requires, level_label

__all__ = ["AUTO", "FIRST_SEEDS", "Settings"]

AUTO = "auto"
"""``seeds=auto``: one seed at a time under the sequential rule."""

FIRST_SEEDS = 3
"""How many seeds every cell takes before the rule's first look."""

_MOST_SEEDS = 50
_FUNCTIONS = ("factors_from", "check", "preflight", "costs", "diagrams")


@dataclass(frozen=True)
class Settings:
    """The sweeper's own keys (``study.*`` in our application, ``hydra.sweeper.*`` in any other).

    Args:
        name: Name of the study, or None to name it after what is swept.
        design: Name of the design, or None: the grid of the swept keys, or leave-one-out of the declared factors.
        seeds: How many seeds (0, 1, 2, ...), their list, or ``"auto"`` for one at a time until a verdict stands.
        max_seeds: The most that a cell may take with ``auto``.
        seed_key: The config key that holds a run's seed.
        metric: The number that decides, or None: the one that runs report.
        direction: ``max`` or ``min``.
        margin: The least effect that matters, or None.
        failures: What failed runs count for: ``drop``, ``fail``, ``worst``, or the metric they count as.
        resolution: Of a fractional design: 3, 4 or 5.
        cells: How many cells an optimal design has, or None.
        retry_failed: Whether failed runs are run again.
        keep_going: Whether the others go on when a run fails.
        dry_run: Whether to stop after the plan; ``"json"`` prints it as JSON.
        factors: Declared factors: a list of levels, or of overrides by level, by name.
        factors_from: Dotted name of a function from the plain reference configuration to such factors, in whose place
            they stand, or None.
        requires: Levels of parents by child, for children that mean nothing without them.
        forbidden: Combinations of levels that no cell may have.
        words: What sentences call a factor, by its name.
        blocks: Names of factors that divide the study into parts compared only within, such as data sets.
        own: Names of factors that the configuration need not have: swept with a ``+``, their first level is the
            reference.
        ignore: Dotted keys that cannot change a result.
        check: Dotted name of a function that lists what is wrong with a plain configuration, or None. It is called with
            ``explicit=False`` where a level was not asked for but is void.
        preflight: Dotted name of a function that looks at all cells before the first run, or None.
        confirms: Folder of a study, for a confirmation of what it found dispensable; see :mod:`ablate.sweep.confirm`.
        figures: Names of the figures to draw, or None for those that the design calls for.
        width: How wide figures are, or None for the default.
        statements: What only the application knows of how its runs are made, by the item of the checklist.
        costs: Dotted name of a function that measures the networks of all cells after the last run, or None.
        diagrams: Dotted name of a function that draws them, or None.
    """

    name: str | None = None
    design: str | None = None
    seeds: int | str | tuple[int, ...] = 3
    max_seeds: int = 20
    seed_key: str = "seed"
    metric: str | None = None
    direction: str = "max"
    margin: float | None = None
    failures: str | float = "drop"
    resolution: int = 4
    cells: int | None = None
    retry_failed: bool = False
    keep_going: bool = True
    dry_run: bool | str = False
    factors: Mapping[str, Any] = field(default_factory=dict)
    factors_from: str | None = None
    requires: Mapping[str, Any] = field(default_factory=dict)
    forbidden: tuple[Mapping[str, Any], ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    blocks: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    check: str | None = None
    preflight: str | None = None
    confirms: str | None = None
    figures: tuple[str, ...] | None = None
    width: str | None = None
    statements: Mapping[str, str] = field(default_factory=dict)
    costs: str | None = None
    diagrams: str | None = None

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> Settings:
        """Settings from the fields of the sweeper's config node; OmegaConf containers become plain ones.

        Raises:
            DesignError: If a value has no sense, with all faults at once.
        """
        renamed = {"labels": "words", "extra_factors": "own"}
        plain: dict[str, Any] = {
            renamed.get(key, key): OmegaConf.to_container(value, resolve=True)
            if isinstance(value, DictConfig | ListConfig)
            else value
            for key, value in values.items()
        }
        plain = {key: value for key, value in plain.items() if value is not None}
        if isinstance(plain.get("seeds"), list):
            plain["seeds"] = tuple(plain["seeds"])
        if isinstance(plain.get("own"), dict):
            plain["own"] = tuple(plain["own"])
        if isinstance(plain.get("figures"), str):
            plain["figures"] = (plain["figures"],)
        for key in ("forbidden", "ignore", "blocks", "own", "figures"):
            if isinstance(plain.get(key), list):
                plain[key] = tuple(plain[key])
        found = [fault for key, value in plain.items() if (fault := _fault(key, value))]
        found += choice_faults(plain.get("figures"), plain.get("width"))
        if found:
            raise DesignError("\n".join(found))
        return cls(**plain)

    @property
    def report(self) -> dict[str, Any]:
        """What of the report was chosen, as plain values."""
        chosen: dict[str, Any] = {"figures": None if self.figures is None else list(self.figures), "width": self.width}
        chosen["statements"] = dict(self.statements) or None
        return {key: value for key, value in chosen.items() if value is not None}

    def seed_list(self) -> tuple[int, ...]:
        """The seeds themselves."""
        if isinstance(self.seeds, tuple):
            return self.seeds
        return tuple(range(self.max_seeds if isinstance(self.seeds, str) else self.seeds))

    def constraints(self) -> list[Constraint]:
        """The declared constraints."""
        rules: list[Constraint] = []
        for child, parents in self.requires.items():
            for parent, levels in parents.items():
                allowed = levels if isinstance(levels, list) else [levels]
                rules.append(Requires(child, parent, tuple(level_label(level) for level in allowed)))
        for levels in self.forbidden:
            named = {key: value for key, value in levels.items() if key != "reason"}
            pairs = tuple((name, level_label(value)) for name, value in named.items())
            rules.append(Forbidden(pairs, str(levels.get("reason", ""))))
        return rules


def _fault(key: str, value: Any) -> str | None:
    """What is wrong with the value of a key, or None."""
    if key == "seeds":
        return _seeds_fault(value)
    good, wanted = True, ""
    if key in ("name", "design", "seed_key", "metric", "direction", "confirms", *_FUNCTIONS):
        good, wanted = isinstance(value, str) or (key == "name" and isinstance(value, int | float)), "write a word"
    elif key in ("retry_failed", "keep_going", "dry_run"):
        good = isinstance(value, bool) or (key == "dry_run" and value == "json")
        wanted = "write true or false"
    elif key == "max_seeds":
        good = isinstance(value, int) and not isinstance(value, bool) and FIRST_SEEDS <= value <= _MOST_SEEDS
        wanted = f"write a whole number from {FIRST_SEEDS} to {_MOST_SEEDS}"
    elif key in ("resolution", "cells"):
        good, wanted = isinstance(value, int) and not isinstance(value, bool), "write a whole number"
    elif key == "margin":
        good = isinstance(value, int | float) and not isinstance(value, bool)
        wanted = "write a number in units of the metric, or null"
    elif key == "failures":
        good = value in FAILURE_POLICIES or (isinstance(value, int | float) and not isinstance(value, bool))
        wanted = f"write {', '.join(FAILURE_POLICIES)}, or the number that failed runs count as"
    elif key == "factors":
        good, wanted = isinstance(value, dict), "list levels by name, for example {residual: [true, false]}"
    elif key == "statements":
        good = isinstance(value, dict) and all(isinstance(words, str) for words in value.values())
        wanted = "state items of the checklist in words, for example {epoch selection: the last epoch}"
    elif key == "words":
        good = isinstance(value, dict) and all(isinstance(words, str) for words in value.values())
        wanted = "name factors in words, for example {residual: residual connections}"
    elif key == "requires":
        good = isinstance(value, dict) and all(isinstance(parents, dict) for parents in value.values())
        wanted = "name parents and their levels by child, for example {bn_placement: {batch_norm: true}}"
    elif key == "forbidden":
        good = isinstance(value, tuple) and all(isinstance(levels, dict) for levels in value)
        wanted = "list combinations of levels, for example [{residual: false, head: flatten}]"
    elif key in ("ignore", "blocks", "own"):
        good = isinstance(value, tuple) and all(isinstance(name, str) for name in value)
        wanted = "list keys"
    return None if good else f"study.{key}={value}: {wanted}."


def _seeds_fault(seeds: Any) -> str | None:
    if isinstance(seeds, tuple):
        good = all(isinstance(seed, int) and not isinstance(seed, bool) for seed in seeds)
        return None if good else f"study.seeds={list(seeds)}: seeds are whole numbers."
    if seeds == AUTO:
        return None
    if isinstance(seeds, bool) or not isinstance(seeds, int):
        return f"study.seeds={seeds}: write a number of seeds (3), list them ([0,7,9]), or auto."
    return None if seeds >= 1 else f"study.seeds={seeds}: a study needs at least one seed."
