"""Verbs about one study: what it would train, how far it is, what became of its runs, whether its result stands."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ablate.app.verb import Option, Verb
from ablate.errors import ConfigError, StoreError, suggestion
from ablate.formatting import listing
from ablate.store import PlannedRun, StudyFolder
from ablate.store.files import check_inside, open_file
from ablate.sweep.console import say, status_lines
from ablate.sweep.trust import Ask

_LAST_LINES = 30
_MOST_RUNS = 12
_MOST_BYTES = 1_000_000
"""How much of a run's file is shown, counted from its end."""


def find_study(path: str) -> StudyFolder:
    """The study in a folder, or of a name in the output folder.

    Raises:
        StoreError: If there is none.
    """
    study = StudyFolder(Path(path) if Path(path).exists() else Path("outputs") / path)
    if not study.plan.is_file():
        study.existing_record()  # says what is missing; the plan of a large study is read once, where it is used
    return study


def find_run(path: str, run: str) -> tuple[StudyFolder, PlannedRun]:
    """A study and one of its runs.

    Args:
        path: The study's folder or name.
        run: The run's id, its folder, or ``cell/seed`` by the cell's name or label.

    Raises:
        ConfigError: If there is no such run.
    """
    study = find_study(path)
    record = study.existing_record()
    labels = {cell.name: cell.label for cell in record.plan.cells}
    name = run.removeprefix(f"{study.path}/").removeprefix("runs/").strip("/")
    names = [f"{planned.cell}/{planned.seed}" for planned in record.runs]
    matches = [
        planned
        for planned, usual in zip(record.runs, names, strict=True)
        if name in (planned.id, planned.folder.removeprefix("runs/"), usual, f"{labels[planned.cell]}/{planned.seed}")
    ]
    if len(matches) != 1:
        raise ConfigError(
            f"The study has no run '{name}'. Runs: {listing(names, _MOST_RUNS)}.{suggestion(name, names)}"
        )
    return study, matches[0]


def _plan(arguments: Sequence[str], json: bool = False) -> int:
    from ablate.app.application import run_hydra

    # The plan as JSON goes to standard output alone, for a program to read.
    rest = [argument for argument in arguments if argument not in ("-m", "--multirun")]
    return run_hydra(["-m", *rest, f"study.dry_run={'json' if json else 'true'}"])


def _status(arguments: Sequence[str]) -> int:
    say("\n".join(status_lines(find_study(arguments[0]))))
    return 0


def _show(arguments: Sequence[str]) -> int:
    study, run = find_run(*arguments)
    folder = study.run(run)
    status, result = folder.outcome()
    say(f"{run.folder}: {status.state}{f' ({status.reason})' if status.reason else ''}")
    if status.error:
        say(status.error)
    for name, value in result.metrics.items() if result else ():
        say(f"  {name} {value:.6g}")
    for name in folder.changed_files(result) if result else ():
        say(f"  {name} was changed or removed after the run had finished")
    # Runs of a Python function have no configuration of Hydra's.
    own = folder.path / "config.json"
    configuration = own if own.is_file() else folder.path / ".hydra" / "config.yaml"
    _show_file("configuration", configuration, study.path)
    _show_file("log", folder.log, study.path, _LAST_LINES)
    return 0


def _show_file(title: str, path: Path, root: Path, most: int | None = None) -> None:
    """Print a file of a run, or its last lines, or why it cannot be read."""
    try:
        check_inside(path.parent, root)
        with open_file(path, os.O_RDONLY) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _MOST_BYTES))
            text = file.read(_MOST_BYTES).decode(errors="replace")
    except (OSError, StoreError) as error:
        reason = f"there is no {path}" if isinstance(error, FileNotFoundError) else error
        say(f"-- {title}: {reason}")
        return
    lines = text.splitlines()
    last = lines if most is None else lines[-most:]
    part = f" (last {len(last)} of {len(lines)} lines)" if len(last) < len(lines) else ""
    if size > _MOST_BYTES:
        part = f" (last {len(last)} lines; the file has {size / 1e6:.0f} MB)"
    say(f"-- {title}: {path}{part}")
    say("\n".join(line.expandtabs() for line in last))


def _ask(question: str) -> bool:
    """Whether the user wants what a study from elsewhere names to be executed."""
    say(question)
    try:
        answer = input("Execute it? [y/N] ")
    except EOFError:  # Ctrl-D
        return False
    return answer.strip().lower() in ("y", "yes")


def _asker() -> Ask | None:
    """What asks the user, or None where no user is at a terminal."""
    return _ask if sys.stdin.isatty() and sys.stdout.isatty() else None


def _rerun(arguments: Sequence[str], trust: bool = False) -> int:
    from ablate.sweep.rerun import rerun

    study, run = find_run(*arguments)
    outcome = rerun(study, run, trust=trust, ask=_asker())
    first, second = outcome.first, outcome.second
    if first is None:
        say(f"The run had no result; now it has one: {outcome.folder}")
        return 0
    if not outcome.different:
        say(f"Bit-identical: {outcome.folder}")
        return 0
    say(f"Not identical: {outcome.folder}")
    for name in outcome.different:
        say(f"  {name}: {first.metrics.get(name)} -> {second.metrics.get(name)}")
    for name, version in second.versions.items():
        if (before := first.versions.get(name)) != version:
            say(f"  {name} was {before}, is {version}")
    return 1


def _confirm(arguments: Sequence[str], seeds: str | None = None, trust: bool = False) -> int:
    from ablate.sweep.confirm import plan_confirmation, train_confirmation, write_confirmation

    if seeds is not None and not (seeds.isdigit() and int(seeds)):
        raise ConfigError(f"--seeds {seeds}: write a whole number of at least 1.")
    study = find_study(arguments[0])
    planned = plan_confirmation(study, None if seeds is None else int(seeds))
    say(f"Confirmation of '{study.name}': {planned.label} against the reference.")
    say(f"{planned.text}\n")
    finished = train_confirmation(study, planned, trust=trust, ask=_asker())
    say(f"\n{write_confirmation(study, planned.folder)['text']}")
    say(f"written to {study.path}/confirmation.json")
    return 0 if finished else 1


_TRUST = Option("--trust", "", "executes what a study from elsewhere names; your own needs no such word")

VERBS = (
    Verb(
        "plan",
        _plan,
        "[key=value ...]",
        "what the same words after -m would train",
        example="residual=true,false study.seeds=5",
        options=(Option("--json", "", "prints cells and runs as JSON"),),
        keys=("study",),
        takes_hydra_options=True,
    ),
    Verb("status", _status, "STUDY", "what is done, running, failed, waiting", "outputs/ingredients"),
    Verb("show", _show, "STUDY RUN", "configuration, error and log of a run (cell/seed)", "outputs/ingredients full/0"),
    Verb(
        "rerun",
        _rerun,
        "STUDY RUN",
        "runs it again from its frozen configuration, and says whether the result is bit-identical",
        example="outputs/ingredients full/0",
        options=(_TRUST,),
    ),
    Verb(
        "confirm",
        _confirm,
        "STUDY",
        "trains it without all that was found dispensable, on fresh seeds",
        example="outputs/ingredients --seeds 5",
        options=(Option("--seeds", "N", "how many fresh seeds; by default as many as the test needs"), _TRUST),
    ),
)
