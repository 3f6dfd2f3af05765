"""Verbs that write results: collected again, of several studies, of other tools."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ablate.app.commands.studies import find_study
from ablate.app.help import adopt_keys
from ablate.app.verb import Option, Verb
from ablate.errors import ConfigError, suggestion
from ablate.figures.choice import choice_faults
from ablate.store import StudyFolder
from ablate.study.settings import STUDY_SETTINGS
from ablate.sweep.console import paths_lines, say, show_summary

__all__ = ["VERBS"]

_TOPIC = "Write results: again, of several studies, of other tools"
_MOST_SENTENCES = 12


def _report(
    arguments: Sequence[str],
    figures: Sequence[str] | None = None,
    width: str | None = None,
    into: str | None = None,
) -> int:
    from ablate.adopt import looks_foreign

    path = arguments[0]
    if into is not None or (len(arguments) > 1 and all("=" not in word for word in arguments)):
        return _compare(arguments, figures, width, into)
    if looks_foreign(Path(path)) and not StudyFolder(Path("outputs") / path).record():
        return _adopt(arguments, figures, width)
    if len(arguments) > 1:
        raise ConfigError(f"'{path}' is a study of our own: nothing of it is set by {' '.join(arguments[1:])}.")
    return _collect(find_study(path), figures, width)


def _compare(paths: Sequence[str], figures: Sequence[str] | None, width: str | None, into: str | None) -> int:
    from ablate.several import compare

    if len(paths) == 1:
        raise ConfigError(f"--into names the report on several studies; received one: {paths[0]}.")
    studies = [find_study(path) for path in paths]
    name = "+".join(study.name for study in studies) if into is None else into
    report = compare(studies, _output_folder(name), figures, width)
    for line in (*report.lines, report.why):
        say(line)
    for title, summary in report.summaries.items():
        if len(report.summaries) > 1:
            say(f"\n{title}")
        show_summary(summary)
    for line in paths_lines(report.folder):
        say(line)
    return 0


def _adopt(arguments: Sequence[str], figures: Sequence[str] | None = None, width: str | None = None) -> int:
    from ablate.adopt import adopt, from_words

    path, *settings = arguments
    if "=" in path and not Path(path).exists():
        raise ConfigError(f"Name a folder or a CSV file of results, for example multirun; received {list(arguments)}.")
    return _collect(adopt(Path(path), from_words(settings)), figures, width)


def _merge(paths: Sequence[str], into: str, keep: str | None = None) -> int:
    from ablate.several import merge

    merged = merge([find_study(path) for path in paths], _output_folder(into), keep)
    for line in merged.lines:
        say(line)
    return _collect(merged.study)


def _output_folder(name: str) -> StudyFolder:
    from ablate.sweep.growth import check_name

    if "/" in name and StudyFolder(Path(name)).record():
        return StudyFolder(Path(name))
    return StudyFolder(Path("outputs") / check_name(name))


def _collect(study: StudyFolder, figures: Sequence[str] | None = None, width: str | None = None) -> int:
    from ablate.report import collect

    summary = collect(study, figures, width)
    show_summary(summary)
    if 0 < len(summary.sentences) <= _MOST_SENTENCES:  # all are in tables/sentences.md
        say("\n" + "\n".join(summary.sentences.values()) + "\n")
    for line in paths_lines(study):
        say(line)
    return 0


def _figure_names(value: str) -> list[str]:
    names = [name.strip() for name in value.split(",") if name.strip()]
    _refuse(choice_faults(names) if names else ["--figures needs names, for example --figures forest,curves."])
    return names


def _width(value: str) -> str:
    _refuse(choice_faults(None, value))
    return value


def _policy(value: str) -> str:
    from ablate.several import KEEP

    if value not in KEEP:
        raise ConfigError(f"--keep {value}: allowed are {', '.join(KEEP)}.{suggestion(value, KEEP)}")
    return value


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise ConfigError("\n".join(faults))


VERBS = (
    Verb(
        name="report",
        summary="collects again; of several studies one table, or side by side",
        function=_report,
        topic=_TOPIC,
        arguments="STUDY ...",
        needs="one study folder or several",
        example="outputs/ingredients --figures forest,curves --width icml",
        least=1,
        more=True,
        options=(
            Option(
                "--figures", "which, with commas between them; by default those chosen before", "NAMES", _figure_names
            ),
            Option("--width", STUDY_SETTINGS["width"].description, "WIDTH", _width),
            Option("--into", "name of the report on several studies", "NAME"),
        ),
    ),
    Verb(
        name="merge",
        summary="parts of one study, from several machines, as one",
        function=_merge,
        topic=_TOPIC,
        arguments="STUDY ...",
        needs="the folders with the parts of a study and where the whole goes",
        example="laptop/outputs/residual server/outputs/residual --into residual",
        least=1,
        more=True,
        options=(
            Option("--into", "name of the merged study", "NAME", required=True),
            Option("--keep", "which result counts where parts disagree on a run: first or last", "WHICH", _policy),
        ),
    ),
    Verb(
        name="adopt",
        summary="makes a study of a Hydra multirun folder, CSV logs, event files, a table",
        function=_adopt,
        topic=_TOPIC,
        arguments="PATH [key=value ...]",
        needs="a folder or a CSV file of results",
        example="multirun metric=val_accuracy",
        least=1,
        more=True,
        keys=adopt_keys,
    ),
)
