"""What a study is asked to do: every key of ``study.*`` (``hydra.sweeper.*`` in a foreign application), declared once.

From the fields of :class:`StudySettings` follow the nodes of Hydra's configuration, all checks and their messages, the
help page, and the keyword arguments of :func:`ablate.run`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ablate.errors import DesignError
from ablate.study.constraint import Constraint, Forbidden, Requires
from ablate.study.factor import level_label
from ablate.study.limits import MOST_RUNS
from ablate.study.metric import direction_of
from ablate.study.plan import FAILURE_POLICIES, Study
from ablate.study.setting import (
    Rule,
    Setting,
    anything,
    check_section,
    choice,
    either,
    flag,
    list_of,
    mapping,
    number,
    optional,
    text,
    whole,
)

AUTO = "auto"
"""``seeds=auto``: one seed at a time under the sequential rule."""

FIRST_SEEDS = 3
"""How many seeds every cell takes before the rule's first look."""

MOST_SEEDS = 50
"""The most that a cell may take: the boundary of the sequential rule is tabulated as far."""


CHANGED_CODE = ("ask", "keep", "rerun")
"""What may become of runs that were trained with other code than the application has now."""


def _declared(default: Any, rule: Rule, description: str, *, hydra_only: bool = False) -> Any:
    """A field of :class:`StudySettings` with its declaration; null is allowed where it is the default."""
    declaration = Setting(default, optional(rule) if default is None else rule, description)
    return field(default=default, metadata={"setting": declaration, "hydra_only": hydra_only})


def _is_pattern(value: Any) -> bool:
    try:
        return isinstance(value, str) and re.compile(value).groups == 1
    except re.error:
        return False


_KEYS = list_of(text(), "a list of keys, for example [train.log, data.cache]")


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """The settings of a study; each field carries its default, its rule and its description."""

    name: str | None = _declared(
        None, either(text(), number()), "of the study and its folder outputs/<name>; null: after what is swept"
    )
    design: str | None = _declared(
        None, text(), "null: the grid of what is swept, or leave_one_out of the factors below; union with +"
    )
    seeds: int | str | tuple[int, ...] = _declared(
        3,
        either(
            whole(1, MOST_RUNS),
            list_of(whole(-(2**63)), "a list of whole numbers ([0,7,9])", empty=False),
            choice([AUTO]),
        ),
        "how many (from 0; in other applications from 1, since many take 0 for no seed), or a list [0, 7, 9], or auto: "
        "one at a time until a verdict stands",
    )
    max_seeds: int = _declared(20, whole(FIRST_SEEDS, MOST_SEEDS), "the most that a cell may take with seeds=auto")
    seed_key: str | None = _declared(
        "seed",
        optional(text()),
        "the configuration key that holds a run's seed; null: there is none, and runs of a cell are replicates",
        hydra_only=True,
    )
    metric: str | None = _declared(None, text(), "the number that decides; null: the only one that runs report")
    results: str | None = _declared(
        None,
        text(),
        "where the task returns no number: the file in each run that holds the metric, such as metrics.json; null: all "
        "CSV, JSON and event files",
        hydra_only=True,
    )
    metric_pattern: str | None = _declared(
        None,
        Rule(_is_pattern, "a regular expression with one group, for example 'accuracy: ([0-9.]+)'"),
        "where the task returns no number: a regular expression whose group is the metric in the last line of the log "
        "that fits",
        hydra_only=True,
    )
    direction: str | None = _declared(
        None, text(), "max: higher is better, min: lower is better; null: after the metric's name"
    )
    margin: float | None = _declared(None, number(), "the least effect that matters, in units of the metric")
    failures: str | float = _declared(
        "drop",
        either(choice(FAILURE_POLICIES), Rule(number().allows, "the number that failed runs count as")),
        "what a failed run counts for: drop (its seed), fail (no result), worst, or the metric it counts as",
    )
    resplit: float | None = _declared(
        None,
        number(0, open_low=True),
        "test examples for each training one, where every seed splits one data set anew and that dominates the noise",
    )
    resolution: int = _declared(4, whole(3, 5), "of design=fractional: 3, 4 or 5")
    cells: int | None = _declared(None, whole(2), "of design=optimal: how many; null: two more than it needs")
    retry_failed: bool = _declared(False, flag(), "run again what failed")
    changed_code: str = _declared(
        "ask",
        choice(CHANGED_CODE),
        "of runs that finished with other code than there is now: keep them, rerun them, or ask before further runs "
        "train (without a terminal: stop)",
    )
    keep_going: bool = _declared(True, flag(), "when a run fails, go on with the others")
    dry_run: bool | str = _declared(
        False, either(flag(), choice(["json"])), "stop after the plan; json prints it as JSON", hydra_only=True
    )
    factors: Mapping[str, Any] | None = _declared(
        None,
        mapping(anything(), "levels by factor, for example {residual: [true, false]}"),
        "what is varied when nothing is swept: a list of levels, or of overrides by level, by name",
        hydra_only=True,
    )
    factors_from: str | None = _declared(
        None,
        text(),
        "dotted path of a function from the reference configuration to such factors, used in their place",
        hydra_only=True,
    )
    blocks_from: str | None = _declared(
        None,
        text(),
        "dotted path of a function from the reference configuration to blocks in that form; it loads no framework",
        hydra_only=True,
    )
    requires: Mapping[str, Any] | None = _declared(
        None,
        mapping(mapping(), "parents and their levels by child, for example {bn_placement: {batch_norm: true}}"),
        "levels of parents by child, for children that mean nothing without them",
    )
    forbidden: tuple[Mapping[str, Any], ...] | None = _declared(
        None,
        list_of(mapping(), "a list of combinations of levels, for example [{residual: false, head: flatten}]"),
        "combinations that no cell may have: - {residual: false, head: flatten}",
    )
    labels: Mapping[str, str] | None = _declared(
        None,
        mapping(text(), "a label by factor, for example {residual: residual connections}"),
        "what sentences call a factor, by its key; other keys are called by their names",
    )
    blocks: tuple[str, ...] | None = _declared(
        None, _KEYS, "factors within which cells are compared, but not across, such as data sets"
    )
    extra_factors: tuple[str, ...] | None = _declared(
        None,
        either(_KEYS, mapping()),
        "keys that may be swept with a + though the configuration lacks them; the first level is the reference",
        hydra_only=True,
    )
    unset: Mapping[str, Any] | None = _declared(
        None,
        mapping(),
        "values that stand for no choice, by key: where others are swept, the first of these is the reference",
        hydra_only=True,
    )
    ignore: tuple[str, ...] | None = _declared(None, _KEYS, "keys that cannot change a result", hydra_only=True)
    check: str | None = _declared(
        None, text(), "dotted path of a function that lists what is wrong with a configuration", hydra_only=True
    )
    preflight: str | None = _declared(
        None, text(), "dotted path of a function that checks all cells before the first run", hydra_only=True
    )
    costs: str | None = _declared(
        None,
        text(),
        "dotted path of a function that measures what networks cost, after the last run; null: not measured",
        hydra_only=True,
    )
    diagrams: str | None = _declared(
        None, text(), "dotted path of a function that draws each cell's network; null: none", hydra_only=True
    )
    confirms: str | None = _declared(
        None, text(), "folder of a study whose dispensable parts are removed together, on fresh seeds"
    )
    figures: tuple[str, ...] | None = _declared(
        None,
        either(text(), list_of(text(), "a list of figures, for example [forest, curves]")),
        "[forest, curves, ...]: which; null: what the design calls for",
    )
    width: str | None = _declared(
        None,
        text(),
        "of the figures: auto (one column or both, as each needs), one, two, or a venue: neurips, icml, ieee, ...",
    )
    statements: Mapping[str, str] | None = _declared(
        None,
        mapping(text(), "texts by item of the checklist, for example {epoch selection: the last epoch}"),
        "what only the application knows of its runs, by item of the checklist",
    )

    @classmethod
    def from_values(cls, values: Mapping[str, Any], section: str = "study") -> StudySettings:
        """Settings from plain values, as they were typed.

        Args:
            values: Plain values by key; None stands for the default.
            section: What stands before a key where the user types it, for the messages; may be empty.

        Raises:
            DesignError: If a key is unknown or a value is not allowed, with all faults at once.

        Example:
            >>> StudySettings.from_values({"seeds": [0, 7], "margin": 0.01}).seed_list()
            (0, 7)
            >>> StudySettings.from_values({"max_seeds": 2})
            Traceback (most recent call last):
            ablate.errors.DesignError: study.max_seeds=2: must be a whole number from 3 to 50.
        """
        passed = {key: value for key, value in values.items() if value is not None or key in _NULLABLE}
        _, faults = check_section(section, passed, STUDY_SETTINGS)
        if faults:
            raise DesignError("\n".join(faults))
        if isinstance(passed.get("figures"), str):
            passed["figures"] = (passed["figures"],)
        if "extra_factors" in passed:
            passed["extra_factors"] = tuple(passed["extra_factors"])
        if "name" in passed:
            passed["name"] = str(passed["name"])
        frozen: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in passed.items()
        }
        return cls(**frozen)

    @property
    def report(self) -> dict[str, Any]:
        """What was chosen of the report, as plain values."""
        chosen = {
            "figures": None if self.figures is None else list(self.figures),
            "width": self.width,
            "statements": dict(self.statements or {}) or None,
            "costs": (self.preflight is not None and self.costs is not None) or None,
        }
        return {key: value for key, value in chosen.items() if value is not None}

    def seed_list(self, first: int = 0) -> tuple[int, ...]:
        """The seeds themselves.

        Args:
            first: The first one, where the settings say only how many there are.
        """
        if isinstance(self.seeds, tuple):
            return self.seeds
        return tuple(range(first, first + (self.max_seeds if isinstance(self.seeds, str) else self.seeds)))

    def study(
        self,
        name: str,
        design: str,
        metric: str,
        seeds: tuple[int, ...] | None = None,
        direction: str | None = None,
        first_seed: int = 0,
    ) -> Study:
        """What the study asks.

        Args:
            name: Name of the study's folder.
            design: The design where the settings name none.
            metric: The metric where the settings name none.
            seeds: Seeds chosen in another way than by the settings, or None.
            direction: The direction where the settings name none; None to take it from the metric's name.
            first_seed: The first seed, where only their number is given.

        Raises:
            DesignError: If a setting has no effect in such a study, or nothing says which way the metric is good.
        """
        design, metric = self.design or design, self.metric or metric
        if faults := self._faults(design, metric, direction):
            raise DesignError("\n".join(faults))
        named = direction_of(metric)
        return Study(
            name=name,
            design=design,
            seeds=seeds or self.seed_list(first_seed),
            metric=metric,
            direction=self.direction or direction or (named.direction if named is not None else "max"),
            margin=self.margin,
            failures=self.failures,
            resplit=self.resplit,
            resolution=self.resolution,
            cells=self.cells,
            sequential=self.seeds == AUTO and not seeds,
            paired=self.seed_key is not None,
        )

    @property
    def direction_source(self) -> str:
        """Where the direction comes from: ``declared``, the metric's ``name``, or ``assumed``: higher is better."""
        if self.direction is not None:
            return "declared"
        return "name" if self.metric is not None else "assumed"

    def _faults(self, design: str, metric: str, direction: str | None) -> list[str]:
        """What would be ignored, or nobody knows, a sentence each."""
        faults = []
        if self.metric is not None and self.direction is None and direction is None and direction_of(metric) is None:
            faults.append(
                f"Nothing in the name '{metric}' says whether higher or lower is better. Write direction=max or "
                "direction=min."
            )
        if self.confirms is not None:
            return faults
        designs = [part.strip() for part in design.split("+")]
        if self.cells is not None and "optimal" not in designs:
            faults.append(
                f"cells={self.cells} has no effect: it belongs to design=optimal, and the design is {design}."
            )
        if self.resolution != STUDY_SETTINGS["resolution"].default and "fractional" not in designs:
            faults.append(
                f"resolution={self.resolution} has no effect: it belongs to design=fractional, and the design is "
                f"{design}."
            )
        if self.max_seeds != STUDY_SETTINGS["max_seeds"].default and self.seeds != AUTO:
            faults.append(f"max_seeds={self.max_seeds} has no effect: it belongs to seeds=auto.")
        if self.seed_key is None and self.seeds == AUTO:
            faults.append(
                "seeds=auto needs runs that form pairs, and seed_key=null says that the task has no seed. Write how "
                "many runs each cell has, for example seeds=5."
            )
        return faults

    def constraints(self) -> list[Constraint]:
        """The declared constraints."""
        rules: list[Constraint] = []
        for child, parents in (self.requires or {}).items():
            for parent, levels in parents.items():
                allowed = levels if isinstance(levels, list | tuple) else [levels]
                rules.append(Requires(child, parent, tuple(level_label(level) for level in allowed)))
        for levels in self.forbidden or ():
            pairs = tuple((name, level_label(value)) for name, value in levels.items() if name != "reason")
            rules.append(Forbidden(pairs, str(levels.get("reason", ""))))
        return rules


STUDY_SETTINGS: Mapping[str, Setting] = {item.name: item.metadata["setting"] for item in fields(StudySettings)}
"""All declarations by key."""

_NULLABLE = {key for key, item in STUDY_SETTINGS.items() if item.default is not None and item.rule.allows(None)}
"""Keys for which null is not the default, but a value of its own."""

RUN_SETTINGS: Mapping[str, Setting] = {
    item.name: item.metadata["setting"] for item in fields(StudySettings) if not item.metadata["hydra_only"]
}
"""Those that do not need Hydra: the keyword arguments of :func:`ablate.run`."""

LAUNCHER_SETTINGS: Mapping[str, Setting] = {
    "workers": Setting(
        AUTO,
        either(choice([AUTO]), whole(1)),
        "runs at a time: auto is one a CPU core, or one a GPU",
        fallback="study.workers",
    ),
    "gpu_memory": Setting(
        None,
        optional(number(0, open_low=True)),
        "GiB of a GPU's memory that a worker may take, so that several share a GPU; null: one worker a GPU",
        fallback="study.gpu_memory",
    ),
    "timeout": Setting(None, optional(number(0, open_low=True)), "seconds after which a run is ended; null: never"),
    "gpus": Setting(None, anything(), "identifiers of the GPUs to share out; null: all that are found"),
}
"""The keys of our launchers, ``workers`` and ``isolated``: how a study's runs are carried out, not what it is."""
