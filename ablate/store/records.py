"""The contents of a study's files as typed values, and the parser of each kind of file.

A study's folder may come from elsewhere, so this is the border: each file that results come from is read by
:func:`ablate.store.files.read_file` and goes through the one parser of its kind, which checks all of it against
:mod:`ablate.store.schema`. Other code trusts the parsed values.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ablate.characters import is_unicode
from ablate.errors import StoreError
from ablate.formatting import listing
from ablate.store.json_files import InvalidFile, check_shape, load_json, parse_json
from ablate.store.schema import ConfirmationShape, CostsFileShape, CostsShape, RecordShape
from ablate.study import Plan
from ablate.study.metric import direction_of

FORMAT = 1
"""The version of the layout of ``plan.json`` and ``costs.json``: the one that is written, and the only one read."""

State = Literal["waiting", "running", "finished", "failed"]

WAITING: State = "waiting"
RUNNING: State = "running"
FINISHED: State = "finished"
FAILED: State = "failed"

UNREADABLE = "unreadable"
"""The reason of a run with a damaged file: its state is ``failed`` if that is the result, ``waiting`` if the status."""

NO_METRIC = "no metric"
"""The reason of a failed run that neither returned the metric nor left it in a file."""

_LONGEST_LINE = 100_000  # characters of a line of curves

MOST_ATTEMPTS = 2
"""A run whose process died this often, with no further epoch in between, counts as failed."""


@dataclass(frozen=True)
class PlannedRun:
    """One cell with one seed: the unit of work.

    Args:
        id: Hash of the resolved configuration; equal configurations of two designs are the same run.
        cell: Name of the cell.
        seed: The seed.
    """

    id: str
    cell: str
    seed: int

    @property
    def folder(self) -> str:
        """The run's folder, relative to the study's folder."""
        return f"runs/{self.cell}/{self.seed}-{self.id}"


@dataclass(frozen=True)
class StudyRecord:
    """What ``plan.json`` holds.

    Args:
        plan: Factors, cells and settings of the study.
        runs: Every planned run, once, in the order of the plan.
        reference: The unswept configuration, resolved, without the seed and without keys that cannot change a result.
        history: A record of each command that made or enlarged the study, as plain values.
        checks: What the preflight check of each cell found before the first run, by the cell's name.
        report: What the last command chose for the report: ``figures``, ``width``, ``statements`` (the items of the
            checklist that only the user can answer), and whether ``costs`` of the networks are measured.
    """

    plan: Plan
    runs: tuple[PlannedRun, ...]
    reference: Mapping[str, Any]
    history: tuple[Mapping[str, Any], ...] = ()
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def direction_source(self) -> str:
        """Where the direction comes from; see :attr:`ablate.study.settings.StudySettings.direction_source`."""
        sources = [str(event["direction"]) for event in self.history if event.get("direction")]
        return "declared" if not sources or "declared" in sources else sources[-1]

    @property
    def section(self) -> str:
        """What stands before a setting where the study's command has it, such as ``hydra.sweeper.``; may be empty."""
        sections = [str(event["section"]) for event in self.history if event.get("section")]
        return f"{sections[-1]}." if sections else ""

    @property
    def direction_notes(self) -> tuple[str, ...]:
        """What was guessed of the direction, and how to change it."""
        study, source = self.plan.study, self.direction_source
        key = f"{self.section}direction"
        named = direction_of(study.metric)
        if source == "declared" or (named is not None and study.direction == "max" == named.direction):
            return ()
        if named is not None and named.direction == study.direction:
            return (f"For {study.metric} lower is better, since its name says '{named.word}'; {key}=max changes it.",)
        taken = "higher" if study.direction == "max" else "lower"
        return (
            f"Nothing says whether higher or lower {study.metric} is better: {taken} was taken; {key}=max or "
            f"{key}=min says it, and nothing is trained again.",
        )

    @classmethod
    def parse(cls, data: bytes, path: Path) -> StudyRecord:
        """Parse a ``plan.json``.

        Args:
            data: The bytes of the file.
            path: The path of the file, for messages.

        Raises:
            StoreError: If it is damaged, has another format, or contradicts itself.
        """
        try:
            plain = load_json(data, FORMAT)  # what an application adds to checks and history is not in the schema
            values = check_shape(plain, RecordShape)
            plan = Plan.from_dict({**values["plan"], "study": vars(values["plan"]["study"])})
            runs = tuple(PlannedRun(**run) for run in values["runs"])
            if faults := [*_plan_faults(plan), *_run_faults(plan, runs)]:
                raise InvalidFile(f"contradicts itself: {listing(faults, 5, '; ')}")
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"Cannot read the plan '{path}': it {_phrase(error)}.") from error
        return cls(
            plan=plan,
            runs=runs,
            reference=plain["reference"],
            history=tuple(plain["history"]),
            checks=plain["checks"],
            report=plain.get("report", {}),
        )


def _phrase(error: Exception) -> str:
    """What is wrong with a file, as a phrase whose subject is the file."""
    return str(error) if isinstance(error, InvalidFile) else f"is not valid: {error}"


def _plan_faults(plan: Plan) -> Iterator[str]:
    """What a damaged or forged plan may hold and :func:`ablate.study.make_plan` never makes, a phrase each."""
    for factor in plan.factors:
        if factor.reference not in factor.labels:
            yield f"the reference {factor.reference!r} of {factor.name} is not one of its levels"
    for cell in plan.cells:
        for factor in plan.factors:
            if cell.levels[factor.name] not in factor.labels:
                yield f"the level {cell.levels[factor.name]!r} of {factor.name} is in a cell and not in the factor"
    if not plan.cells or not plan.cells[0].is_reference:
        yield "its first cell is not the reference"
    names_by_kind = {"factor": [factor.name for factor in plan.factors], "cell": [cell.label for cell in plan.cells]}
    for kind, names in names_by_kind.items():
        yield from (f"two {kind}s are called {name!r}" for name in dict.fromkeys(names) if names.count(name) > 1)


def _run_faults(plan: Plan, runs: Sequence[PlannedRun]) -> Iterator[str]:
    cells = {cell.name for cell in plan.cells}
    seeds = set(plan.study.seeds)
    first: dict[tuple[str, int], PlannedRun] = {}
    for run in runs:
        if run.cell not in cells:
            yield f"run {run.id} is of the cell {run.cell!r}, which is not in the plan"
        if run.seed not in seeds:
            yield f"run {run.id} has the seed {run.seed}, which is not in the plan"
        if first.setdefault((run.cell, run.seed), run) != run:
            yield f"two runs of the cell {run.cell!r} have the seed {run.seed}"


@dataclass(frozen=True)
class Status:
    """The state of a run.

    Args:
        state: ``waiting``, ``running``, ``finished`` or ``failed``.
        reason: Why it failed or waits again: ``raised``, ``exited``, ``killed``, ``diverged``, ``timed out``,
            ``interrupted``, ``not started``, `NO_METRIC` or `UNREADABLE`; empty otherwise.
        error: The last line of the error.
        attempts: The number of the last start, counted from 1, and anew once the run got further or had an outcome; a
            start that was interrupted does not count. 0 before the first start and for a finished run.
        started: When it last started, as a Unix time, or None.
        ended: When it ended, as a Unix time, or None.
        pid: The id of its process while it runs, or None.
        host: The machine it ran on.
        epochs: How many rows its curves had when it last started, from which progress is told.
        fingerprints: Of a run without a result: those of the code that it had loaded, see :attr:`Result.fingerprints`.
    """

    state: State = WAITING
    reason: str = ""
    error: str = ""
    attempts: int = 0
    started: float | None = None
    ended: float | None = None
    pid: int | None = None
    host: str = ""
    epochs: int = 0
    fingerprints: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_damaged(self) -> bool:
        """Whether the run's status or result cannot be read; ``error`` says which file, and why."""
        return self.reason == UNREADABLE

    @classmethod
    def parse(cls, data: bytes, run: str) -> Status:
        """Parse a ``status.json``; a damaged one gives the state ``waiting`` with the reason `UNREADABLE`.

        Args:
            data: The bytes of the file.
            run: The name of the run's folder.
        """
        try:
            return check_shape(_values_of_run(data, run), cls)
        except InvalidFile as error:
            return cls(reason=UNREADABLE, error=f"Cannot read status.json: it {error}.")


@dataclass(frozen=True)
class Result:
    """What a finished run returned.

    Args:
        metrics: Numbers by name; those whose name begins with ``seconds`` are timings.
        versions: The versions of Python, of the libraries in use and of the code, by name.
        other: What the train function returned that is not a number; stored, not analysed.
        files: The digests of the run's configuration and CSV files at the time when it finished, by name.
        fingerprints: Short hashes of what the run was made with besides its configuration, by ``<thing>`` or
            ``<thing>/<part>``; see :mod:`ablate.store.fingerprints`.
        notes: What a reader must know of how metrics and curves were read from the files that the run left, a phrase
            each.
    """

    metrics: Mapping[str, bool | int | float]
    versions: Mapping[str, str] = field(default_factory=dict)
    other: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def parse(cls, data: bytes, path: Path) -> Result:
        """Parse a ``result.json``.

        Args:
            data: The bytes of the file.
            path: The path of the file, in the folder of its run.

        Raises:
            StoreError: If it is damaged, or a metric is not a number.
        """
        try:
            result = check_shape(_values_of_run(data, path.parent.name), cls)
            metrics = {name: _finite_size(name, value) for name, value in result.metrics.items()}
            if odd := [name for name in metrics if not is_unicode(name)]:
                raise InvalidFile(f"is not valid: the name of a metric is no Unicode: {odd[0]!a}")
        except InvalidFile as error:
            raise StoreError(f"Cannot read the result '{path}': it {error}.") from error
        return replace(result, metrics=metrics)


def _values_of_run(data: bytes, run: str) -> Any:
    """The values of a JSON file that belongs to a run; those that earlier versions wrote do not name it."""
    values = load_json(data)
    if isinstance(values, dict) and values.get("run", run) != run:
        raise InvalidFile(f"is that of another run ({str(values['run'])[:80]!r})")
    return values


def _finite_size(name: str, value: int | float) -> int | float:
    try:
        float(value)
    except OverflowError as error:
        raise InvalidFile(f"is not valid: '{name}' has {len(str(value))} digits, too many for a float") from error
    return value


@dataclass(frozen=True)
class CurvesFile:
    """The contents of a ``curves.csv``.

    Args:
        header: The names of its columns.
        lines: The complete lines below the header.
        is_complete: Whether the last line is complete; a killed run may leave part of one, which ``lines`` leaves out.
    """

    header: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    is_complete: bool = True

    @cached_property
    def rows(self) -> list[dict[str, float]]:
        """One row per epoch: numbers by column name, without blank fields; a line with anything else is left out."""
        rows: list[dict[str, float]] = []
        # A field of more than this length would be an error of the module; it is no number, whatever it is.
        for values in csv.reader(line[:_LONGEST_LINE] for line in self.lines):
            try:
                rows.append({name: float(value) for name, value in zip(self.header, values, strict=True) if value})
            except ValueError:
                continue
        return rows

    @classmethod
    def parse(cls, data: bytes) -> CurvesFile:
        """Parse a ``curves.csv``; bytes that are not UTF-8 become replacement characters."""
        complete, _, unfinished = data.decode(errors="replace").rpartition("\n")
        lines = complete.splitlines()
        header = csv.reader(line[:_LONGEST_LINE] for line in lines[:1])
        return cls(tuple(next(header, [])), tuple(lines[1:]), not unfinished)


def parse_costs(data: bytes, path: Path) -> dict[str, CostsShape]:
    """Parse a ``costs.json``: costs by the cell's name.

    Args:
        data: The bytes of the file.
        path: The path of the file, for messages.

    Raises:
        StoreError: If it is damaged or has another format.
    """
    try:
        values = parse_json(data, CostsFileShape, FORMAT)
    except InvalidFile as error:
        raise StoreError(f"Cannot read the costs of the networks '{path}': it {error}.") from error
    return values["cells"]


def parse_confirmation(data: bytes, path: Path) -> ConfirmationShape:
    """Parse a ``confirmation.json``.

    Args:
        data: The bytes of the file.
        path: The path of the file, for messages.

    Raises:
        StoreError: If it is damaged.
    """
    try:
        return parse_json(data, ConfirmationShape)
    except InvalidFile as error:
        raise StoreError(f"Cannot read the confirmation '{path}': it {error}.") from error
