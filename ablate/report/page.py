"""The page of a study: one HTML file that embeds all it needs, so that any browser shows it without a network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.characters import printable
from ablate.formatting import better_direction, listing
from ablate.report.charts import curves_data, forest_data
from ablate.report.images import diagram_images, figure_images, relative_url
from ablate.report.page_text import (
    commands,
    compute_time,
    headline,
    methods_paragraph,
    other_keys,
    setup_cards,
    versions,
)
from ablate.store import RunFolder, write_text

if TYPE_CHECKING:
    import jinja2

    from ablate.report.study_report import StudyReport
    from ablate.tables import Table

# How many characters of base64 the images of a page may take in all; the whole page stays under 6 MB.
_IMAGE_LIMIT = 1_800_000
_MAX_ROWS = 1000  # of the table of runs
_RELOAD_SECONDS = 5


def write_page(
    path: Path, reports: Sequence[StudyReport], live: bool = False, figures: Sequence[Path] | None = None
) -> None:
    """Write the page of one or several studies.

    Args:
        path: The file. Links are relative to its folder.
        reports: The studies.
        live: Whether a study is still running; then the page reloads itself every few seconds.
        figures: For each study the folder of its figures; None for the one in the study's own folder.

    Raises:
        StoreError: If the file cannot be written.
    """
    write_text(path, page_html(reports, path.parent, live, figures))


def page_html(
    reports: Sequence[StudyReport], here: Path, live: bool = False, figures: Sequence[Path] | None = None
) -> str:
    """The page of one or several studies as HTML.

    Args:
        reports: The studies.
        here: The folder that the page will be in, to which its links are relative.
        live: Whether a study is still running.
        figures: See :func:`write_page`.

    Returns:
        The page. The time of writing is not in it, so the same studies give the same bytes.
    """
    library, library_hash = _plotly()
    script = _template_text("page.js")
    limit = _IMAGE_LIMIT // len(reports)
    folders = figures or [report.snapshot.folder.figures for report in reports]
    studies = [
        _study_values(report, folder, f"s{number}", here, limit, live)
        for number, (report, folder) in enumerate(zip(reports, folders, strict=True), 1)
    ]
    return _template().render(
        studies=studies,
        style=_template_text("page.css"),
        script=script,
        library=library,
        hashes=f"{library_hash} {_script_hash(script)}",
        live=_RELOAD_SECONDS if live else None,
    )


def _study_values(
    report: StudyReport, figure_folder: Path, prefix: str, here: Path, limit: int, live: bool
) -> Mapping[str, Any]:
    """The values of a study that the template shows; ``prefix`` keeps the HTML ids of several studies apart."""
    from ablate.tables import TABLES, costs_table, effects_table, failures_table, runs_table

    summary, snapshot = report.summary, report.snapshot
    counts = Counter(status.state for status in snapshot.statuses.values())
    figures = figure_images(figure_folder, here, limit * 2 // 3)
    charts = {"forest": forest_data(summary), "curves": curves_data(summary)}
    verdicts = {row["cell"]: row["verdict"] for row in summary.effects.to_dict("records") if row["n"]}
    # A live page lacks the tables that the design adds to the effects, since they take longest to compute.
    answers = {} if live else {name: table for name, table in report.tables.items() if name not in ("effects", "costs")}
    failures, runs = failures_table(summary, report.errors), runs_table(summary, _MAX_ROWS)
    return {
        "prefix": prefix,
        "name": summary.study.name,
        "study": summary.study,
        "plan": summary.plan,
        "better": better_direction(summary.study.direction),
        "counts": {state: counts[state] for state in ("finished", "failed", "running", "waiting")},
        "total": len(snapshot.statuses),
        "headline": headline(summary),
        "verdicts": [
            (verdicts[cell], cell, sentence) for cell, sentence in summary.sentences.items() if cell in verdicts
        ],
        "notes": summary.notes,
        "charts": _script_json(charts),
        "curves": charts["curves"],
        "effects": _table_markup(replace(effects_table(summary), notes=()), f"{prefix}-effects"),
        "answers": [
            {"name": name, "title": TABLES[name].title, "table": _table_markup(table, f"{prefix}-{name}")}
            for name, table in answers.items()
        ],
        "failures": failures and _table_markup(failures, f"{prefix}-failures", _links(report, failures, here)),
        "runs": _table_markup(runs, f"{prefix}-runs", _links(report, runs, here)) if runs.rows else None,
        "costs": (costs := costs_table(summary)) and _table_markup(costs, f"{prefix}-costs"),
        "figures": figures,
        "diagrams": diagram_images(
            snapshot.folder, summary.plan.cells, here, limit - sum(len(image.source) for image in figures)
        ),
        "setup_cards": setup_cards(snapshot),
        "other_keys": other_keys(snapshot),
        "methods": methods_paragraph(summary, report.checklist, report.conduct),
        "checklist": list(report.checklist.items()),
        "commands": commands(snapshot),
        "versions": versions(summary),
        "compute_time": compute_time(snapshot),
        "files": [
            (name, relative_url(path, here))
            for name in ("runs.csv", "curves.csv", "effects.csv", "plan.json", "tables", "figures")
            if (path := snapshot.folder.path / name).exists()
        ],
    }


def _table_markup(table: Table, name: str, links: Sequence[Sequence[tuple[str, str]]] = ()) -> Any:
    from markupsafe import Markup

    from ablate.tables import html

    return Markup(html(replace(table, label=name), links))


def _links(report: StudyReport, table: Table, here: Path) -> list[list[tuple[str, str]]]:
    """Links to the files of runs, for each row of a table whose first columns are cell and seed."""
    runs = (report.runs[str(row[0]), int(str(row[1]))] for row in table.rows)
    return [_run_links(report.snapshot.folder.run(run), here) for run in runs]


def _run_links(folder: RunFolder, here: Path) -> list[tuple[str, str]]:
    files = {
        "config": [folder.path / ".hydra" / "config.yaml", folder.path / "config.json"],
        "log": [folder.log],
        "result": [folder.path / "result.json"],
    }
    existing = ((text, next(filter(Path.is_file, paths), None)) for text, paths in files.items())
    return [(text, relative_url(path, here)) for text, path in existing if path is not None]


def _script_json(values: Any) -> Any:
    """JSON for a script element; characters that could end the element or begin a comment are escaped."""
    from markupsafe import Markup

    text = json.dumps(_printable_values(values), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _printable_values(values: Any) -> Any:
    if isinstance(values, str):
        return printable(values)
    if isinstance(values, Mapping):
        return {_printable_values(key): _printable_values(value) for key, value in values.items()}
    return [*map(_printable_values, values)] if isinstance(values, list | tuple) else values


@cache
def _plotly() -> tuple[str, str]:
    """The basic bundle of plotly.js, gzipped and in base64, and the hash that a page's security policy allows.

    The bundle is unchanged from its release. It is a quarter of the size of the one in the Python package plotly, and a
    browser loads it in a third of the time.
    """
    packed = (resources.files("ablate.report") / "plotly" / "plotly-basic.min.js.gz").read_bytes()
    return base64.b64encode(packed).decode(), _script_hash(gzip.decompress(packed).decode("utf-8"))


def _script_hash(source: str) -> str:
    """What a content security policy must list to allow the script with this text, and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _template_text(name: str) -> str:
    return (resources.files("ablate.report") / "template" / name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        # Not markup, which is of our own making.
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters["spaced"] = lambda text: str(text).replace("_", " ")
    environment.filters["listing"] = listing
    return environment.from_string(_template_text("page.html"))
