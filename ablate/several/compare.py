"""Several studies in one report: as one study where they ask the same, side by side where they do not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ablate.errors import StoreError
from ablate.several.copying import copy_result, names_of
from ablate.several.merge import conflicts, merge, other_questions
from ablate.store import PlannedRun, StudyFolder, write_text
from ablate.store.study_folder import StudyRecord
from ablate.study import Cell, Factor, Level, Plan, cell_of
from ablate.sweep.study_record import merge_factors

if TYPE_CHECKING:
    from ablate.analysis import Summary

__all__ = ["ORIGIN", "Comparison", "compare"]

ORIGIN = "origin"
"""The block that says from which study a run comes."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """What became of several studies.

    Args:
        folder: Where tables, figures and data are.
        why: How they were put together, in a sentence.
        summaries: By name what the tables show: one where they became one study, else one a study.
        lines: What else to tell the user.
    """

    folder: StudyFolder
    why: str
    summaries: dict[str, Summary]
    lines: tuple[str, ...] = ()


def compare(
    studies: Sequence[StudyFolder],
    into: StudyFolder,
    figures: Sequence[str] | None = None,
    width: str | None = None,
) -> Comparison:
    """Report on several studies at once.

    Parts of one study (one reference configuration, no run with two results) are merged run by run. Studies with one
    metric, the same factors and the same reference levels become one study with the block ``origin``: cells are
    compared within each and never across. Anything else is reported side by side.

    Args:
        studies: Two or more studies, which are not changed.
        into: Where the report goes.
        figures: Names of the figures, or None for those that suit.
        width: How wide they are, or None.

    Raises:
        StoreError: If a study cannot be read, or ``into`` holds something else.
    """
    from ablate.report import collect

    origins = [str(study.path.resolve()) for study in studies]
    old = into.record()
    made = [event for event in old.history if {*event.get("compared", ()), *event.get("merged", ())}] if old else []
    if old is not None and (not made or str(into.path.resolve()) in origins):
        raise StoreError(
            f"The folder '{into.path}' holds another study. Choose a name for this report with --into NAME."
        )
    names = names_of([study.path for study in studies])
    if not other_questions(studies) and not conflicts(studies):
        merged = merge(studies, into)
        return Comparison(
            into, "Parts of one study: merged run by run.", {into.name: collect(into, figures, width)}, merged.lines
        )
    if reasons := _apart(studies, names):
        why = f"Side by side, since they do not ask the same: {'; '.join(reasons)}."
        return Comparison(into, why, _side_by_side(studies, names, into, figures, width))
    record, sources = _joined(studies, names, into, origins)
    with into.editing():
        into.write_record(record)
        for run, (study, own) in sources.items():
            copy_result(study.run(own), into.run(run))
    why = f"One study with the block '{ORIGIN}': cells are compared within {', '.join(names)}, never across."
    return Comparison(into, why, {into.name: collect(into, figures, width)})


def _apart(studies: Sequence[StudyFolder], names: Sequence[str]) -> list[str]:
    """Why studies cannot be one, a phrase each."""
    records = [study.existing_record() for study in studies]
    found = []
    for key in ("metric", "direction"):
        values = [getattr(record.plan.study, key) for record in records]
        if len(set(values)) > 1:
            found.append(f"{key} " + ", ".join(f"{value} ({name})" for name, value in zip(names, values, strict=True)))
    references: dict[str, dict[str, str]] = {}
    for name, record in zip(names, records, strict=True):
        for factor in record.plan.factors:
            references.setdefault(factor.name, {})[name] = factor.reference
    if any(len(by_name) < len(names) for by_name in references.values()):
        sets = [", ".join(factor.name for factor in record.plan.factors) for record in records]
        found.append("factors " + "; ".join(f"{words} ({name})" for name, words in zip(names, sets, strict=True)))
    for word, by_name in references.items():
        if len(set(by_name.values())) > 1:
            levels = ", ".join(f"{level} ({name})" for name, level in by_name.items())
            found.append(f"reference of {word} {levels}")
    return found


def _joined(
    studies: Sequence[StudyFolder], names: Sequence[str], into: StudyFolder, origins: list[str]
) -> tuple[StudyRecord, dict[PlannedRun, tuple[StudyFolder, PlannedRun]]]:
    records = [study.existing_record() for study in studies]
    factors: tuple[Factor, ...] = ()
    for record in records:
        factors = merge_factors(factors, record.plan.factors)
    word = ORIGIN if all(factor.name != ORIGIN for factor in factors) else f"{ORIGIN}_"
    block = Factor(word, tuple(Level(name) for name in names), names[0], block=True)
    whole = (block, *factors)
    cells: dict[str, Cell] = {}
    sources: dict[PlannedRun, tuple[StudyFolder, PlannedRun]] = {}
    for name, study, record in zip(names, studies, records, strict=True):
        there = {}
        for cell in record.plan.cells:
            joined = cell_of({word: name, **cell.levels}, whole, cell.void)
            cells[joined.name] = joined
            there[cell.name] = joined.name
        sources |= {replace(run, cell=there[run.cell]): (study, run) for run in record.runs}
    first = records[0].plan.study
    margins = {record.plan.study.margin for record in records}
    notes = [f"Differs between the studies: {line}." for line in other_questions(studies)[:10]]
    notes += [
        f"{name} took its seeds one at a time; intervals and p values here are those of a fixed number of seeds."
        for name, record in zip(names, records, strict=True)
        if record.plan.study.sequential
    ]
    study_ = replace(
        first,
        name=into.name,
        design="+".join(dict.fromkeys(part for record in records for part in record.plan.study.design.split("+"))),
        seeds=tuple(sorted({seed for record in records for seed in record.plan.study.seeds})),
        margin=first.margin if len(margins) == 1 else None,
        sequential=False,
    )
    event: dict[str, Any] = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": ["report", *(str(study.path) for study in studies)],
        "compared": origins,
        "notes": notes,
    }
    places = {name: place for place, name in enumerate(cells)}
    runs = tuple(sorted(sources, key=lambda run: (places[run.cell], run.seed)))
    plan = Plan(study_, whole, tuple(cells.values()))
    return StudyRecord(plan, runs, records[0].reference, (event,)), sources


def _side_by_side(
    studies: Sequence[StudyFolder],
    names: Sequence[str],
    into: StudyFolder,
    figures: Sequence[str] | None,
    width: str | None,
) -> dict[str, Summary]:
    """Data of all studies in one file each and on one page, tables and figures in a folder a study."""
    import pandas as pd

    from ablate.figures import write_figures
    from ablate.figures.paper import DEFAULT
    from ablate.report import summary_of
    from ablate.report.page import write_page
    from ablate.report.part import part_of
    from ablate.tables import write_tables

    found = {name: summary_of(study) for name, study in zip(names, studies, strict=True)}
    for kind in ("runs", "curves", "effects"):
        frames = [getattr(summary, kind).assign(study=name) for name, summary in found.items()]
        write_text(into.path / f"{kind}.csv", pd.concat(frames, ignore_index=True).to_csv(index=False))
    parts = [part_of(study, summary) for study, summary in zip(studies, found.values(), strict=True)]
    for part, (name, summary) in zip(parts, found.items(), strict=True):
        write_tables(summary, into.tables / name, part.errors, part.tables)
        write_figures(summary, into.figures / name, figures, width or DEFAULT)
    write_page(into.page, parts, live=any(part.is_running for part in parts))
    return found
