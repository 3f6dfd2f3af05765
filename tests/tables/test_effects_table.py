from __future__ import annotations

import io
import math
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ablate.analysis import Summary
from ablate.errors import StoreError
from ablate.tables import (
    RENDERERS,
    Column,
    Estimate,
    Table,
    effects_table,
    latex,
    macros,
    preamble,
    terminal,
    write_tables,
)

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("form", RENDERERS)
@pytest.mark.parametrize("name", ["summary", "hostile"])
def test_golden_text(form: str, name: str, request: pytest.FixtureRequest) -> None:
    table = effects_table(request.getfixturevalue(name)).for_files
    assert RENDERERS[form](table) == (GOLDEN / f"{name}.{form}").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["summary", "hostile"])
def test_golden_numbers(name: str, request: pytest.FixtureRequest) -> None:
    golden = (GOLDEN / f"{name}.numbers.tex").read_text(encoding="utf-8")
    assert macros(request.getfixturevalue(name)) == golden


def on_screen(table: Table, width: int | None) -> str:
    console = Console(width=width or 150, file=io.StringIO(), color_system=None)
    console.print(terminal(table, width))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n"


@pytest.mark.parametrize("width", [150, 100, 80])
def test_golden_screen(width: int, summary: Summary) -> None:
    golden = (GOLDEN / f"summary.{width}.txt").read_text(encoding="utf-8")
    assert on_screen(effects_table(summary), width) == golden


def test_a_hostile_name_is_shown_on_screen_letter_by_letter(hostile: Summary) -> None:
    assert "<b>`*[red]=*y" in on_screen(effects_table(hostile), None)


def test_the_specification_holds_raw_values(summary: Summary) -> None:
    table = effects_table(summary)
    assert [(column.header, column.kind) for column in table.columns] == [
        ("cell", "text"),
        ("batch_norm", "level"),
        ("bn_placement", "level"),
        ("head", "level"),
        ("test_accuracy", "mean"),
        ("difference", "difference"),
        ("verdict", "text"),
        ("weights", "count"),
        ("seeds", "count"),
        ("seconds", "seconds"),
    ]
    full, without = table.rows[:2]
    assert full[:4] == ("full", True, "before", "gap")
    assert without[:4] == ("w/o batch_norm", False, None, "gap")
    assert full[5] is None
    assert isinstance(without[5], Estimate)
    assert without[5].value == pytest.approx(summary.effects["difference"][0])
    assert [row[4].bold for row in table.rows] == [True, False, True, True]


def test_timings_stay_on_the_screen(summary: Summary) -> None:
    table = effects_table(summary)
    assert "4.2 s" in on_screen(table, None)
    for render in RENDERERS.values():
        assert "seconds" not in render(table.for_files)


def test_columns_without_values_are_left_out(summary: Summary) -> None:
    cells = summary.cells.assign(weights=math.nan, seconds=math.nan)
    bare = Summary(summary.plan, cells, summary.effects, summary.pairs, summary.runs, summary.read_curves, ())
    assert {"weights", "seconds"}.isdisjoint(column.header for column in effects_table(bare).columns)


def test_the_files(summary: Summary, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    files = write_tables(summary, folder)
    forms = ("md", "csv", "tex", "html")
    names = [
        name
        for table in ("effects", "robustness", "runs")
        for name in (*(f"{table}.{form}" for form in forms), f"{table}_wide.tex")
    ]
    names += ["sentences.md", "preamble.tex", "numbers.tex", "references.bib"]
    assert [path.name for path in files] == names
    first = [path.read_bytes() for path in files]
    assert [path.read_bytes() for path in write_tables(summary, folder)] == first
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_a_table_of_failures_goes_when_they_are_repaired(summary: Summary, tmp_path: Path) -> None:
    failed = replace(summary, runs=summary.runs.assign(state=["failed", *summary.runs["state"][1:]]))
    names = [path.name for path in write_tables(failed, tmp_path)]
    assert [name for name in names if name.startswith("failures")] == [
        *("failures.md", "failures.csv", "failures.tex", "failures.html", "failures_wide.tex")
    ]
    write_tables(summary, tmp_path)
    assert not list(tmp_path.glob("failures*"))


def test_a_folder_that_is_a_file(summary: Summary, tmp_path: Path) -> None:
    (tmp_path / "tables").write_text("")
    with pytest.raises(StoreError, match="tables"):
        write_tables(summary, tmp_path / "tables")


def test_a_row_needs_a_value_a_column() -> None:
    with pytest.raises(ValueError, match=r"^Rows \[1\] do not have 1 values, one a column\.$"):
        Table((Column("a", "text"),), (("x",), ("x", "y")), "", "")


def test_latex_of_the_full_width() -> None:
    table = Table((Column("cell", "text", is_name=True), Column("s", "mean")), (("full", Estimate(0.5)),), "c", "l")
    text = latex(table, environment="table*")
    assert "\\begin{table*}" in text and "\\end{table*}" in text
    assert "full & 0.5000 \\\\" in text  # without columns of levels the names stay


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize(("options", "environment"), [("", "table"), ("twocolumn", "table*")])
def test_latex_compiles(options: str, environment: str, summary: Summary, hostile: Summary, tmp_path: Path) -> None:
    tables = [latex(effects_table(found), environment) for found in (summary, hostile)]  # type: ignore[arg-type]
    body = "\n".join([f"\\documentclass[{options}]{{article}}", preamble(), "\\begin{document}", *tables])
    (tmp_path / "paper.tex").write_text(f"{body}\n\\end{{document}}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    log = done.stdout.decode(errors="replace")
    assert done.returncode == 0, log
    assert "Overfull" not in log
