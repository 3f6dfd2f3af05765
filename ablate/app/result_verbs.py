"""Verbs that write results: collected again, of several studies, of other tools."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ablate.app.study_verbs import find_study
from ablate.app.verb import Option, Verb
from ablate.errors import ConfigError, suggestion
from ablate.figures.registry import choice_faults
from ablate.store import StudyFolder
from ablate.study.settings import STUDY_SETTINGS
from ablate.sweep.console import paths_lines, say, show_summary

_MOST_SENTENCES = 12


def _report(
    arguments: Sequence[str], figures: str | None = None, width: str | None = None, into: str | None = None
) -> int:
    from ablate.foreign.study import looks_foreign

    path = arguments[0]
    names = None if figures is None else [name.strip() for name in figures.split(",")]
    if faults := choice_faults(names, width):
        raise ConfigError("\n".join(faults))
    if into is not None or (len(arguments) > 1 and all("=" not in argument for argument in arguments)):
        return _compare(arguments, names, width, into)
    if looks_foreign(Path(path)) and not StudyFolder(Path("outputs") / path).record():
        return _adopt(arguments, names, width)
    if len(arguments) > 1:
        raise ConfigError(f"'{path}' is a study of our own: nothing of it is set by {' '.join(arguments[1:])}.")
    return _collect(find_study(path), names, width)


def _compare(paths: Sequence[str], figures: Sequence[str] | None, width: str | None, into: str | None) -> int:
    from ablate.merging import compare

    if len(paths) == 1:
        raise ConfigError(f"--into names the report on several studies; received one: {paths[0]}.")
    studies = [find_study(path) for path in paths]
    name = "+".join(study.name for study in studies) if into is None else into
    report = compare(studies, _output_folder(name), figures, width)
    for line in (*report.messages, report.explanation):
        say(line)
    for title, summary in report.summaries.items():
        if len(report.summaries) > 1:
            say(f"\n{title}")
        show_summary(summary)
    say("\n".join(paths_lines(report.folder)))
    return 0


def _adopt(arguments: Sequence[str], figures: Sequence[str] | None = None, width: str | None = None) -> int:
    from ablate.foreign.request import parse_settings
    from ablate.foreign.study import adopt_folder

    path, *settings = arguments
    if "=" in path and not Path(path).exists():
        raise ConfigError(f"Name a folder or a CSV file of results, for example multirun; received {list(arguments)}.")
    return _collect(adopt_folder(Path(path), parse_settings(settings)), figures, width)


def _merge(paths: Sequence[str], into: str | None = None, keep: str | None = None) -> int:
    from ablate.merging import KEEP, merge

    if into is None:
        raise ConfigError("Name the merged study: --into NAME.")
    if keep not in (None, *KEEP):
        raise ConfigError(f"--keep {keep}: allowed are {', '.join(KEEP)}.{suggestion(str(keep), KEEP)}")
    merged = merge([find_study(path) for path in paths], _output_folder(into), keep)
    for line in merged.messages:
        say(line)
    return _collect(merged.folder)


def _output_folder(name: str) -> StudyFolder:
    from ablate.sweep.study_names import check_name

    if "/" in name and StudyFolder(Path(name)).record():
        return StudyFolder(Path(name))
    return StudyFolder(Path("outputs") / check_name(name))


def _collect(study: StudyFolder, figures: Sequence[str] | None = None, width: str | None = None) -> int:
    from ablate.report import collect

    summary = collect(study, figures, width)
    show_summary(summary)
    if 0 < len(summary.sentences) <= _MOST_SENTENCES:  # all are in tables/sentences.md
        say("\n" + "\n".join(summary.sentences.values()) + "\n")
    say("\n".join(paths_lines(study)))
    return 0


_REPORT_OPTIONS = (
    Option("--figures", "NAMES", "which, with commas between them; by default those chosen before"),
    Option("--width", "WIDTH", STUDY_SETTINGS["width"].description),
    Option("--into", "NAME", "name of the report on several studies"),
)
_MERGE_OPTIONS = (
    Option("--into", "NAME", "name of the merged study; must be given"),
    Option("--keep", "WHICH", "which result counts where parts disagree on a run: first or last"),
)

VERBS = (
    Verb(
        "report",
        _report,
        "STUDY ...",
        "collects again; of several studies one table, or side by side",
        example="outputs/ingredients --figures forest,curves --width icml",
        options=_REPORT_OPTIONS,
    ),
    Verb(
        "merge",
        _merge,
        "STUDY ...",
        "parts of one study, from several machines, as one",
        example="laptop/outputs/residual server/outputs/residual --into residual",
        options=_MERGE_OPTIONS,
    ),
    Verb(
        "adopt",
        _adopt,
        "PATH [key=value ...]",
        "makes a study of a Hydra multirun folder, CSV logs, event files, a table",
        example="multirun metric=val_accuracy",
        keys=("adopt",),
    ),
)
