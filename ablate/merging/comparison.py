"""Several studies in one report: as one study where they ask the same, side by side where they do not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.characters import frame_csv
from ablate.errors import StoreError
from ablate.formatting import enumeration
from ablate.merging.studies import Studies, StudyPath, as_folder, copy_result, read_studies, same_folder
from ablate.merging.union import conflicts, merge_studies, merged_record, question_differences
from ablate.store import PlannedRun, RunFolder, StudyFolder, write_text
from ablate.store.records import StudyRecord
from ablate.study import Factor, Level, Plan, cell_of
from ablate.sweep.study_names import check_name, check_siblings
from ablate.sweep.study_record import merge_factors

if TYPE_CHECKING:
    from ablate.analysis import Summary

ORIGIN = "origin"
"""The block that says from which study a run comes."""


@dataclass(frozen=True, eq=False)
class CompareResult:
    """A report on several studies.

    Args:
        folder: Where tables, figures and data are.
        explanation: How the studies were put together, in a sentence.
        summaries: By name what the tables show: one where they became one study, else one a study.
        messages: What else to report to the user, a line each.
    """

    folder: StudyFolder
    explanation: str
    summaries: dict[str, Summary]
    messages: tuple[str, ...] = ()


def compare(
    paths: Sequence[StudyPath],
    into: StudyPath | None = None,
    figures: Sequence[str] | None = None,
    width: str | None = None,
) -> CompareResult:
    """Report on several studies at once.

    Parts of one study (one reference configuration, no run with two results) are merged run by run. Studies with one
    metric, the same factors and the same reference levels become one study with the block ``origin``: cells are
    compared within each and never across. Anything else is reported side by side.

    Args:
        paths: The folders of two or more studies, which are not changed.
        into: The folder of the report; None for one in ``outputs`` that is named after the studies: ``a+b``.
        figures: Names of the figures, or None for those that suit.
        width: How wide they are, or None.

    Raises:
        StoreError: If a study cannot be read, or ``into`` holds something else.
    """
    from ablate.report import collect

    folders = [as_folder(path) for path in paths]
    target = Path("outputs") / check_name("+".join(folder.name for folder in folders)) if into is None else into
    folder = as_folder(target)
    folder.check_folders()
    old = folder.record()
    if old is None:
        check_siblings(folder)
    is_report = old is not None and any(event.get("compared") or event.get("merged") for event in old.history)
    if old is not None and (not is_report or same_folder(folder, folders)):
        raise StoreError(
            f"The folder '{folder.path}' holds another study. Choose a name for this report with --into NAME."
        )
    studies = read_studies(folders)
    messages: tuple[str, ...] = ()
    if not question_differences(studies) and not conflicts(studies):
        messages = merge_studies(studies, folder).messages
        explanation = "Parts of one study: merged run by run."
    elif reasons := _reasons_apart(studies):
        explanation = f"Side by side, since they do not ask the same: {'; '.join(reasons)}."
        return CompareResult(folder, explanation, _side_by_side(studies, folder, figures, width))
    else:
        record, sources = _joined(studies, folder)
        with folder.lock():
            folder.write_record(record)
            for run, source in sources.items():
                copy_result(source, folder.run(run))
        explanation = (
            f"One study with the block '{ORIGIN}': cells are compared within {', '.join(studies)}, never across."
        )
    return CompareResult(folder, explanation, {folder.name: collect(folder, figures, width)}, messages)


def _reasons_apart(studies: Studies) -> list[str]:
    """Why studies cannot be one, a phrase each."""
    answers: dict[str, dict[str, str]] = {}
    for name, study in studies.items():
        plan = study.record.plan
        factors = enumeration(sorted(factor.name for factor in plan.factors))
        of_study = {"metric": plan.study.metric, "direction": plan.study.direction, "factors": factors}
        of_study |= {f"reference of {factor.name}": factor.reference for factor in plan.factors}
        for key, answer in of_study.items():
            answers.setdefault(key, {})[name] = answer
    return [
        f"{key} {', '.join(f'{answer} ({name})' for name, answer in by_study.items())}"
        for key, by_study in answers.items()
        if len(set(by_study.values())) > 1
    ]


def _joined(studies: Studies, folder: StudyFolder) -> tuple[StudyRecord, dict[PlannedRun, RunFolder]]:
    """One study with a block of the studies, and where the results of its runs are."""
    from ablate.analysis.conduct import conduct_of

    records = {name: study.record for name, study in studies.items()}
    questions = [record.plan.study for record in records.values()]
    united: tuple[Factor, ...] = ()
    for record in records.values():
        united = merge_factors(united, record.plan.factors)
    origin = ORIGIN if all(factor.name != ORIGIN for factor in united) else f"{ORIGIN}_"
    factors = (Factor(origin, tuple(map(Level, records)), next(iter(records)), block=True), *united)
    # A margin that not all of them declared is declared for none of them.
    margin = questions[0].margin if len({study.margin for study in questions}) == 1 else None
    # Pairs are taken where all studies have them, and no run is waited for where all were adopted.
    question = replace(
        questions[0],
        margin=margin,
        sequential=False,
        paired=all(study.paired for study in questions),
        whole_plots=(),
        adopted=all(study.adopted for study in questions),
        resplit=max((study.resplit for study in questions if study.resplit is not None), default=None),
    )
    reference = next(iter(records.values())).reference
    parts: list[StudyRecord] = []
    sources: dict[PlannedRun, RunFolder] = {}
    for name, study in studies.items():
        plan = study.record.plan
        cells = {cell.name: cell_of({origin: name, **cell.levels}, factors, cell.void) for cell in plan.cells}
        runs = {replace(run, cell=cells[run.cell].name): study.folder.run(run) for run in study.record.runs}
        own_question = replace(question, design=plan.study.design, seeds=plan.study.seeds)
        parts.append(StudyRecord(Plan(own_question, factors, tuple(cells.values())), tuple(runs), reference))
        sources |= runs
    notes = [f"Differs between the studies: {line}." for line in question_differences(studies)[:10]]
    notes += [
        f"{name} took its seeds one at a time; intervals and p values here are those of a fixed number of seeds."
        for name, record in records.items()
        if record.plan.study.sequential
    ]
    notes += [
        f"{name} was given more seeds after results at {enumeration(looks)} seeds; here that is not allowed for."
        for name, record in records.items()
        if (looks := [str(count) for count in conduct_of(record.history).looks]) and not record.plan.study.sequential
    ]
    event = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": ["report", *(str(study.folder.path) for study in studies.values())],
        "compared": [str(study.folder.path.resolve()) for study in studies.values()],
        "notes": notes,
    }
    return merged_record(folder, parts, event), sources


def _side_by_side(
    studies: Studies, into: StudyFolder, figures: Sequence[str] | None, width: str | None
) -> dict[str, Summary]:
    """Data of all studies in one file each and on one page, tables and figures in a folder a study."""
    import pandas as pd

    from ablate.figures import write_figures
    from ablate.figures.registry import DEFAULT_WIDTH
    from ablate.report.page import write_page
    from ablate.report.study_report import read_report
    from ablate.tables import write_tables

    reports = [read_report(study.folder) for study in studies.values()]
    summaries = {name: report.summary for name, report in zip(studies, reports, strict=True)}
    for kind in ("runs", "curves", "effects"):
        frames = [getattr(summary, kind).assign(study=name) for name, summary in summaries.items()]
        write_text(into.path / f"{kind}.csv", frame_csv(pd.concat(frames, ignore_index=True)))
    for report, (name, summary) in zip(reports, summaries.items(), strict=True):
        write_tables(summary, into.tables / name, report.errors, report.tables)
        write_figures(summary, into.figures / name, figures, width or DEFAULT_WIDTH)
    is_live = any(report.is_running for report in reports)
    write_page(into.page, reports, is_live, figures=[into.figures / name for name in summaries])
    return summaries
