"""Tables of what a design answers beside the effect of each cell."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ablate.analysis import SequentialRule, Summary, summarise
from ablate.study import Constraint, Factor, Forbidden, Level, Study, make_plan
from ablate.tables import csv, latex, markdown, preamble, study_tables, write_tables

GOLDEN = Path(__file__).parent / "golden"
NO_CURVES = pd.DataFrame(columns=["study", "cell", "seed", "epoch"])


def on_off(*names: str) -> list[Factor]:
    return [Factor(name, (Level("true"), Level("false")), "true") for name in names]


def study_of(
    design: str,
    *factors: Factor,
    seeds: int = 4,
    margin: float | None = None,
    loss: Callable[[Mapping[str, str]], float] | None = None,
    sequential: bool = False,
    constraints: Sequence[Constraint] = (),
) -> Summary:
    """A study whose score falls by what the cell loses, with noise by seed and cell."""
    study = Study("demo", design, tuple(range(seeds)), "score", margin=margin, sequential=sequential)
    plan = make_plan(study, factors, constraints)
    rng = np.random.default_rng(20261124)
    lost = loss or (lambda levels: 0.05 * (levels["a"] == "false") + 0.02 * (levels["b"] == "false"))
    rows = [
        (cell.label, seed, 0.9 - lost(cell.levels) + 0.01 * seed + float(rng.normal(0, 0.004)))
        for cell in plan.cells
        for seed in range(seeds)
    ]
    runs = pd.DataFrame(rows, columns=["cell", "seed", "score"]).assign(study="demo", state="finished", reason="")
    return summarise(plan, runs, NO_CURVES, SequentialRule(seeds) if sequential else None)


@pytest.fixture(scope="module")
def grid() -> Summary:
    return study_of("factorial", *on_off("a", "b", "c"), margin=0.02)


def test_golden_text_of_a_factorial_study(grid: Summary) -> None:
    tables = study_tables(grid)
    assert list(tables) == [
        *("effects", "robustness", "roadmap", "main_effects", "interactions", "shapley", "anova", "least_squares")
    ]
    text = "\n".join(markdown(table) for table in tables.values())
    assert text == (GOLDEN / "factorial.md").read_text(encoding="utf-8")


def test_the_numbers_are_those_of_the_analysis(grid: Summary) -> None:
    shapley = study_tables(grid)["shapley"]
    total = grid.cells.set_index("cell")["mean"]
    gain = total["full"] - total["w/o a, w/o b, w/o c"]
    found = [row[2] for row in shapley.rows]
    assert math.fsum(value.value for value in found) == pytest.approx(gain)  # type: ignore[union-attr]
    rows = csv(study_tables(grid)["anova"]).splitlines()
    assert rows[0] == "term,df,SS,MS,F,p"
    assert [row.split(",")[0] for row in rows[1:]] == [
        *("block", "a", "b", "c", "a:b", "a:c", "b:c", "a:b:c", "Residual", "Total")
    ]
    assert rows[-1].endswith(",,,")


def test_one_ingredient_is_not_cluttered_with_answers() -> None:
    assert list(study_tables(study_of("factorial", *on_off("a"), loss=lambda _: 0.0))) == ["effects", "robustness"]
    assert list(study_tables(study_of("leave_one_out", *on_off("a", "b", "c")))) == ["effects", "robustness"]


def test_a_question_that_the_design_asks_and_the_cells_cannot_answer_is_not_silent(tmp_path: Path) -> None:
    rule = Forbidden(tuple((name, "false") for name in "abc"))
    summary = study_of("factorial", *on_off("a", "b", "c"), constraints=[rule])
    names = {path.name for path in write_tables(summary, tmp_path)}
    assert "shapley.md" in names and "shapley.csv" not in names
    assert (tmp_path / "shapley.md").read_text() == (
        "Shapley values: none. The design 'factorial' cannot identify Shapley values: they need every combination of "
        "the ingredients, and 1 is missing (present: none). Use the design 'factorial', without forbidden "
        "combinations.\n"
    )


def test_a_fraction_is_answered_by_its_model(tmp_path: Path) -> None:
    names = {path.name for path in write_tables(study_of("fractional", *on_off("a", "b", "c", "d")), tmp_path)}
    assert {"anova.md", "least_squares.tex"} <= names
    assert "shapley.csv" not in names
    assert "every combination" in (tmp_path / "shapley.md").read_text()
    assert "b:c cannot be told apart from a:d." in (tmp_path / "anova.md").read_text()
    assert "Sums of squares: partial (type III)" in (tmp_path / "anova.md").read_text()


def test_a_screening_design_says_what_its_main_effects_are_mixed_with() -> None:
    found = study_tables(study_of("screening", *on_off(*"abcdefg")))["anova"]
    assert [row[0] for row in found.rows] == ["block", *"abcdefg", "Residual", "Total"]
    assert any(note.startswith("Main effects ") and "interactions" in note for note in found.notes)


def test_sequential_studies_claim_no_interval_that_does_not_hold() -> None:
    found = study_tables(study_of("factorial", *on_off("a", "b"), seeds=6, sequential=True))
    for name in ("main_effects", "interactions", "shapley"):
        assert "95% repeated confidence intervals" in found[name].caption
        assert "sequential t tests, Holm-adjusted" in found[name].caption
    assert [column.header for column in found["anova"].columns] == ["term", "df", "SS", "MS"]
    assert "No tests." in found["anova"].caption
    assert found["anova"].notes[-1].startswith("Seeds were taken until verdicts stood: F tests and t intervals ")
    assert "only the first p value counts the looks." in found["robustness"].caption
    assert "with 95% repeated confidence intervals" in found["effects"].caption


@pytest.mark.parametrize("count", [3, 5])
def test_several_data_sets(count: int) -> None:
    data = Factor("data", tuple(Level(f"set{index}") for index in range(count)), "set0", block=True)
    found = study_tables(study_of("leave_one_out", *on_off("a", "b"), data))
    assert [row[:3] for row in found["datasets"].rows] == [("a", "false", count), ("b", "false", count)]
    assert "95% t intervals over data sets (the data set is the unit), unadjusted" in found["datasets"].caption
    assert ("ranks" in found) == (count == 5)
    assert "main_effects" not in found
    if count == 5:
        assert [row[0] for row in found["ranks"].rows] == ["full", "b=false", "a=false"]
        assert [row[1] for row in found["ranks"].rows] == [1.0, 2.0, 3.0]
        assert "critical difference of 1.48 differ (Nemenyi, α = 0.05)" in found["ranks"].caption


def test_data_sets_of_a_sequential_study_have_no_interval() -> None:
    data = Factor("data", (Level("x"), Level("y")), "x", block=True)
    table = study_tables(study_of("leave_one_out", *on_off("a", "b"), data, seeds=6, sequential=True))["datasets"]
    assert "No interval or test." in table.caption
    assert "p (adjusted)" not in [column.header for column in table.columns]
    assert any("for which no interval or p value over data sets is known" in note for note in table.notes)


def test_one_seed_has_numbers_and_no_tests() -> None:
    found = study_tables(study_of("factorial", *on_off("a", "b"), seeds=1))
    assert "robustness" not in found
    assert all("No interval or test" in found[name].caption for name in ("main_effects", "shapley", "least_squares"))


def test_differences_without_spread_get_no_star() -> None:
    plan = make_plan(Study("demo", "factorial", (0, 1, 2), "score"), on_off("a", "b"))
    rows = [(cell.label, seed, 0.5 + 0.1 * (cell.levels["a"] == "false")) for cell in plan.cells for seed in range(3)]
    runs = pd.DataFrame(rows, columns=["cell", "seed", "score"]).assign(study="demo", state="finished", reason="")
    found = study_tables(summarise(plan, runs, NO_CURVES))
    assert [column.header for column in found["anova"].columns] == ["term", "df", "SS", "MS"]
    assert found["anova"].notes == (
        "What remains is no more than rounding: without spread no F tests and no intervals.",
    )
    assert csv(found["least_squares"]) == "term,effect,low,high\na,0.1000,,\nb,0.000,,\na:b,0.000,,\n"
    assert all("p (adjusted)" not in csv(found[name]) for name in ("main_effects", "interactions", "shapley"))


@pytest.mark.parametrize("size", [1e-12, 1e12])
def test_numbers_of_any_size_fit_every_form(size: float, tmp_path: Path) -> None:
    plan = make_plan(Study("demo", "factorial", (0, 1, 2), "score"), on_off("a", "b"))
    rng = np.random.default_rng(1)
    rows = [(cell.label, seed, size * float(rng.normal())) for cell in plan.cells for seed in range(3)]
    runs = pd.DataFrame(rows, columns=["cell", "seed", "score"]).assign(study="demo", state="finished", reason="")
    write_tables(summarise(plan, runs, NO_CURVES), tmp_path)
    line = next(
        line for line in (tmp_path / "anova.tex").read_text().splitlines() if line.strip().startswith("Residual")
    )
    assert "{\\num{" in line and "e-" in line if size < 1 else "{\\num{" in line
    assert "e" in (tmp_path / "anova.md").read_text().splitlines()[2].split("|")[3]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(grid: Summary, tmp_path: Path) -> None:
    tables = [latex(table.for_files) for table in study_tables(grid).values()]
    body = "\n".join(["\\documentclass{article}", preamble(), "\\begin{document}", *tables])
    (tmp_path / "paper.tex").write_text(f"{body}\n\\end{{document}}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")
    assert b"Overfull" not in done.stdout
