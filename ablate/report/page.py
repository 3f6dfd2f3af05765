"""The page of a study: one file with everything in it, for any browser, without a network."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ablate.report.charts import curves_data, forest_data
from ablate.report.library import library, script_hash
from ablate.report.part import Part
from ablate.report.pictures import diagrams, figures
from ablate.report.words import cards, commands, compute, headline, methods, settings, versions
from ablate.store import write_text

if TYPE_CHECKING:
    import jinja2

    from ablate.tables import Table

__all__ = ["page", "write_page"]

# A page stays under 6 MB; what pictures may take of it, in base64.
_ROOM = 1_800_000
_MOST_ROWS = 1000
_SECONDS = 5


def write_page(path: Path, parts: Sequence[Part], live: bool = False) -> None:
    """Write the page of one or several studies.

    Args:
        path: The file.
        parts: The studies; their links lead from the page's folder, so that of the first one is the place for it.
        live: Whether a study still goes on: then the page loads itself again every few seconds.

    Raises:
        StoreError: If the file cannot be written.
    """
    write_text(path, page(parts, path.parent, live))


def page(parts: Sequence[Part], here: Path, live: bool = False) -> str:
    """The page of one or several studies as HTML.

    Args:
        parts: The studies.
        here: The folder that the page will be in, from which its links lead.
        live: Whether a study still goes on.

    Returns:
        The page. It holds no time of writing: the same studies give the same bytes.
    """
    packed, library_hash = library()
    script = _text("page.js")
    shown = [_shown(part, f"s{place}", here, _ROOM // len(parts), live) for place, part in enumerate(parts, 1)]
    return _template().render(
        studies=shown,
        style=_text("page.css"),
        script=script,
        library=packed,
        hashes=f"{library_hash} {script_hash(script)}",
        live=_SECONDS if live else None,
    )


def _shown(part: Part, prefix: str, here: Path, room: int, live: bool) -> Mapping[str, Any]:
    from ablate.analysis import checklist
    from ablate.tables import effects_table, failures_table

    summary = part.summary
    items = checklist(summary, part.record.report.get("statements"))
    counts = Counter(status.state for status in part.statuses.values())
    pictures = figures(part.folder, room * 2 // 3)
    charts = {"forest": forest_data(summary), "curves": curves_data(summary)}
    effects = {row["cell"]: row["verdict"] for row in summary.effects.to_dict("records") if row["n"]}
    return {
        "prefix": prefix,
        "name": summary.study.name,
        "study": summary.study,
        "plan": summary.plan,
        "counts": {state: counts[state] for state in ("finished", "failed", "running", "waiting")},
        "total": len(part.statuses),
        "headline": headline(summary),
        "verdicts": [
            (effects[cell], cell, sentence) for cell, sentence in summary.sentences.items() if cell in effects
        ],
        "notes": summary.notes,
        "charts": _json(charts),
        "has_curves": bool(charts["curves"]["metrics"]),
        "left_out": charts["curves"]["left_out"],
        "thinned": charts["curves"]["thinned"],
        "stems": list(dict.fromkeys(metric["stem"] for metric in charts["curves"]["metrics"])),
        "effects": _markup(replace(effects_table(summary), notes=()), f"{prefix}-effects"),
        "answers": _answers(part, prefix) if not live else [],
        "failures": _failures(failures_table(summary, part.errors), part, here, prefix),
        "runs": _runs(part, here, prefix),
        "costs": _costs(part, prefix),
        "figures": pictures,
        "diagrams": diagrams(part.folder, summary.plan.cells, room - sum(len(found.source) for found in pictures)),
        "cards": cards(part),
        "settings": settings(part),
        "methods": methods(summary, items),
        "checklist": list(items.items()),
        "commands": commands(part),
        "versions": versions(summary),
        "compute": compute(part),
        "files": [
            (name, _relative(path, here))
            for name in ("runs.csv", "curves.csv", "effects.csv", "plan.json", "tables", "figures")
            if (path := part.folder.path / name).exists()
        ],
    }


def _markup(table: Table | None, name: str, links: Sequence[Sequence[tuple[str, str]]] = ()) -> Any:
    from markupsafe import Markup

    from ablate.tables import html

    return None if table is None else Markup(html(replace(table, label=name), links))


def _answers(part: Part, prefix: str) -> list[Mapping[str, Any]]:
    """What the design answers beside the effects."""
    from ablate.tables import TABLES

    others = [(name, table) for name, table in part.tables.items() if name not in ("effects", "costs")]
    return [
        {"name": name, "title": TABLES[name].title, "table": _markup(table, f"{prefix}-{name}")}
        for name, table in others
    ]


def _costs(part: Part, prefix: str) -> Any:
    from ablate.tables import costs_table

    return _markup(costs_table(part.summary), f"{prefix}-costs")


def _failures(table: Table | None, part: Part, here: Path, prefix: str) -> Any:
    if table is None:
        return None
    keys = [(str(row.values[0]), int(str(row.values[1]))) for row in table.rows]
    return _markup(table, f"{prefix}-failures", [_links(part, key, here) for key in keys])


def _runs(part: Part, here: Path, prefix: str) -> Any:
    from ablate.tables import runs_table

    table = runs_table(part.summary, _MOST_ROWS)
    keys = [(str(row.values[0]), int(str(row.values[1]))) for row in table.rows]
    return _markup(table, f"{prefix}-runs", [_links(part, key, here) for key in keys]) if keys else None


def _links(part: Part, key: tuple[str, int], here: Path) -> list[tuple[str, str]]:
    run = part.runs.get(key)
    if run is None:
        return []
    folder = part.folder.run(run)
    files = {
        "config": [folder.path / ".hydra" / "config.yaml", folder.path / "config.json"],
        "log": [folder.log],
        "result": [folder.path / "result.json"],
    }
    return [
        (word, _relative(path, here))
        for word, paths in files.items()
        for path in [path for path in paths if path.is_file()][:1]
    ]


def _relative(path: Path, here: Path) -> str:
    return quote(Path(os.path.relpath(path, here)).as_posix())


def _json(values: Any) -> Any:
    """JSON that can stand in a script element: nothing in it can end one, or begin a comment."""
    from markupsafe import Markup

    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _text(name: str) -> str:
    return (resources.files("ablate.report") / "template" / name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["words"] = lambda text: str(text).replace("_", " ")
    environment.filters["listed"] = lambda items: ", ".join(map(str, items))
    return environment.from_string(_text("page.html"))
