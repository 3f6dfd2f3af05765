"""What ``ablate VERB ...`` does with studies that exist: each verb is a function from its words to an exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ablate.errors import ConfigError, RunError, suggestion
from ablate.store import PlannedRun, StudyFolder

__all__ = ["adopt", "confirm", "data", "ingredients", "merge", "predict", "report", "rerun", "show", "status"]

_LAST_LINES = 30
_MOST_SENTENCES = 12


def status(words: Sequence[str]) -> int:
    """``ablate status STUDY``: how far each cell is."""
    from ablate.sweep.console import say, status_lines

    (study,) = _studies(words, 1)
    for line in status_lines(study):
        say(line)
    return 0


def report(words: Sequence[str]) -> int:
    """``ablate report STUDY [--figures forest,curves] [--width icml]``: collect again, also in the middle of a study.

    A folder of results that another tool wrote is adopted first; several studies are put together.
    """
    from ablate.adopt import looks_foreign

    words, names = _option(words, "--figures")
    words, width = _option(words, "--width")
    figures = _figures(names, width)
    if len(words) > 1 and all("=" not in word for word in words):
        return _compare(words, figures, width)
    if words and looks_foreign(Path(words[0])) and not StudyFolder(Path("outputs") / words[0]).record():
        from ablate.adopt import adopt as take_over
        from ablate.adopt import from_words

        return _collect(take_over(Path(words[0]), from_words(words[1:])), figures, width)
    (study,) = _studies(words, 1)
    return _collect(study, figures, width)


def adopt(words: Sequence[str]) -> int:
    """``ablate adopt PATH [key=value ...]``: make a study of results that another tool wrote."""
    from ablate.adopt import adopt as take_over
    from ablate.adopt import from_words

    if not words or ("=" in words[0] and not Path(words[0]).exists()):
        raise ConfigError(f"Name a folder or a CSV file of results, for example multirun; received {list(words)}.")
    return _collect(take_over(Path(words[0]), from_words(words[1:])))


def merge(words: Sequence[str]) -> int:
    """``ablate merge STUDY STUDY ... --into NAME [--keep first|last]``: parts of one study become one."""
    from ablate.several import KEEP
    from ablate.several import merge as put_together
    from ablate.sweep.console import say

    rest, into = _option(words, "--into")
    rest, keep = _option(rest, "--keep")
    if keep not in (None, *KEEP):
        raise ConfigError(f"--keep {keep}: allowed are {', '.join(KEEP)}.{suggestion(str(keep), KEEP)}")
    if into is None or not rest:
        raise ConfigError(
            "Name the folders with the parts of a study and where the whole goes, for example: "
            f"ablate merge laptop/outputs/residual server/outputs/residual --into residual; received {list(words)}."
        )
    merged = put_together(_studies(rest, len(rest)), _output(into), keep)
    for line in merged.lines:
        say(line)
    return _collect(merged.study)


def _compare(words: Sequence[str], figures: Sequence[str] | None, width: str | None) -> int:
    from ablate.several import compare
    from ablate.sweep.console import paths_lines, say, show_summary

    rest, into = _option(words, "--into")
    if len(rest) == 1:
        raise ConfigError(f"--into names the report on several studies; received one: {rest[0]}.")
    studies = _studies(rest, len(rest))
    name = "+".join(study.name for study in studies) if into is None else into
    found = compare(studies, _output(name), figures, width)
    for line in (*found.lines, found.why):
        say(line)
    for title, summary in found.summaries.items():
        if len(found.summaries) > 1:
            say(f"\n{title}")
        show_summary(summary)
    for line in paths_lines(found.folder):
        say(line)
    return 0


def _output(name: str) -> StudyFolder:
    from ablate.sweep.study_record import check_name

    return StudyFolder(
        Path(name) if "/" in name and StudyFolder(Path(name)).record() else Path("outputs") / check_name(name)
    )


def _collect(study: StudyFolder, figures: Sequence[str] | None = None, width: str | None = None) -> int:
    from ablate.report import collect
    from ablate.sweep.console import paths_lines, say, show_summary

    summary = collect(study, figures, width)
    show_summary(summary)
    if 0 < len(summary.sentences) <= _MOST_SENTENCES:  # all are in tables/sentences.md
        say("\n" + "\n".join(summary.sentences.values()) + "\n")
    for line in paths_lines(study):
        say(line)
    return 0


def show(words: Sequence[str]) -> int:
    """``ablate show STUDY RUN``: configuration, state, error and last words of a run."""
    from ablate.sweep.console import say

    study, run = _study_and_run(words)
    folder = study.run(run)
    state = folder.settled_status()
    say(f"{run.folder}: {state.state}{f' ({state.reason})' if state.reason else ''}")
    if state.error:
        say(state.error)
    result = folder.result()
    for name, value in result.metrics.items() if result else ():
        say(f"  {name} {value:.6g}")
    for title, path in (("configuration", folder.path / ".hydra" / "config.yaml"), ("log", folder.log)):
        if path.is_file():
            lines = path.read_text(errors="replace").splitlines()
            kept = lines if title == "configuration" else lines[-_LAST_LINES:]
            say(
                f"-- {title}: {path}" + (f" (last {len(kept)} of {len(lines)} lines)" if len(kept) < len(lines) else "")
            )
            for line in kept:
                say(line)
    return 0


def rerun(words: Sequence[str]) -> int:
    """``ablate rerun STUDY RUN``: run it again from its frozen configuration, and compare."""
    from ablate.sweep.console import say
    from ablate.sweep.rerun import rerun as again

    study, run = _study_and_run(words)
    try:
        found = again(study, run)
    except (ConfigError, RunError):
        raise
    except Exception as error:
        raise RunError(f"The run failed: {type(error).__name__}: {error}") from error
    if found.first is None:
        say(f"The run had no result; now it has one: {found.folder}")
    elif not found.different:
        say(f"Bit-identical: {found.folder}")
    else:
        say(f"Not identical: {found.folder}")
        for name in found.different:
            say(f"  {name}: {found.first.metrics.get(name)} -> {found.second.metrics.get(name)}")
        changed = {
            name: (found.first.versions.get(name), version)
            for name, version in found.second.versions.items()
            if found.first.versions.get(name) != version
        }
        for name, (was, now) in changed.items():
            say(f"  {name} was {was}, is {now}")
    return 1 if found.different else 0


def confirm(words: Sequence[str]) -> int:
    """``ablate confirm STUDY [--seeds N]``: train it without all that was found dispensable, on fresh seeds."""
    from ablate.sweep import confirm as confirmation
    from ablate.sweep.console import say

    rest, count = _option(words, "--seeds")
    (study,) = _studies(rest, 1)
    planned = confirmation.plan_confirmation(study, None if count is None else _number("--seeds", count))
    say(f"Confirmation of '{study.name}': {planned.label} against the reference.")
    say(f"{planned.text}\n")
    finished = confirmation.train_confirmation(study, planned)
    found = confirmation.write_confirmation(study, planned.folder)
    say(f"\n{found['text']}")
    say(f"written to {study.path}/confirmation.json")
    return 0 if finished else 1


def ingredients(words: Sequence[str]) -> int:
    """``ablate ingredients [key=value ...] [--json]``: what the network is made of, and its size without each."""
    from ablate.objects import load_object
    from ablate.sweep.console import say

    values = _configuration([word for word in words if word != "--json"])
    rows = load_object("ablate.keras.survey.main")(values)
    if "--json" in words:
        say(json.dumps([row.plain() for row in rows], indent=1))
        return 0
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 160).print(load_object("ablate.keras.survey.rendered")(rows))
    return 0


def data(words: Sequence[str]) -> int:
    """``ablate data [key=value ...]``: what the data are, with a sheet of samples."""
    from ablate.objects import load_object
    from ablate.sweep.console import say

    values = _configuration(words)
    folder = Path("outputs") / "single" / f"data-{values['data'].get('name') or values['data'].get('source')}"
    for line in load_object("ablate.keras.data.report.main")(values, folder):
        say(line)
    return 0


def predict(words: Sequence[str]) -> int:
    """``ablate predict STUDY RUN IMAGE ...``: what a network that a run kept says of images."""
    from ablate.objects import load_object
    from ablate.sweep.console import say

    if len(words) < 3:
        raise ConfigError(f"Name a study folder, a run such as full/0, and images; received {list(words)}.")
    study, run = _study_and_run(words[:2])
    for line in load_object("ablate.keras.predict.main")(study.run(run).path, words[2:]):
        say(line)
    return 0


def _configuration(words: Sequence[str]) -> dict[str, Any]:
    """The configuration of a single run, checked as far as it can be without building anything."""
    from ablate.config import faults
    from ablate.sweep.composer import composed

    values = composed(words)
    if found := faults(values):
        raise ConfigError("\n".join(found))
    return values


def _option(words: Sequence[str], name: str) -> tuple[list[str], str | None]:
    """The words without ``--name value`` or ``--name=value``, and that value."""
    rest, value = [], None
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word == name and waiting:
            value = waiting.pop(0)
        elif word.startswith(f"{name}="):
            value = word.partition("=")[2]
        else:
            rest.append(word)
    return rest, value


def _figures(names: str | None, width: str | None) -> list[str] | None:
    """The names of figures in a word such as ``forest,curves``, checked together with the width."""
    from ablate.figures.choice import choice_faults

    chosen = None if names is None else [name.strip() for name in names.split(",") if name.strip()]
    faults = ["--figures needs names, for example --figures forest,curves."] if chosen == [] else []
    if faults := [*faults, *choice_faults(chosen, width)]:
        raise ConfigError("\n".join(faults))
    return chosen


def _number(name: str, value: str) -> int:
    if not value.isdigit() or int(value) < 1:
        raise ConfigError(f"{name} {value}: write a whole number of at least 1.")
    return int(value)


def _studies(words: Sequence[str], count: int) -> list[StudyFolder]:
    if len(words) != count:
        raise ConfigError(f"Name one study folder, for example outputs/ingredients; received {list(words)}.")
    studies = [StudyFolder(path if (path := Path(word)).exists() else Path("outputs") / word) for word in words]
    for study in studies:
        if not study.plan.is_file():
            study.existing_record()  # says what is missing; the plan of a large study is read once, where it is used
    return studies


def _study_and_run(words: Sequence[str]) -> tuple[StudyFolder, PlannedRun]:
    if len(words) != 2:
        raise ConfigError(f"Name a study folder and a run, such as full/0; received {list(words)}.")
    (study,) = _studies(words[:1], 1)
    wanted = words[1].removeprefix(f"{study.path}/").removeprefix("runs/").strip("/")
    runs = study.existing_record().runs
    labels = {cell.name: cell.label for cell in study.existing_record().plan.cells}
    found = [
        run
        for run in runs
        if wanted
        in (run.id, run.folder.removeprefix("runs/"), f"{run.cell}/{run.seed}", f"{labels[run.cell]}/{run.seed}")
    ]
    if len(found) != 1:
        names = [f"{run.cell}/{run.seed}" for run in runs]
        listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
        raise ConfigError(f"The study has no run '{wanted}'. Runs: {listed}.{suggestion(wanted, names)}")
    return study, found[0]
