"""The tables of runs, of failures and of data sets, and the forms that they are written in."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from ablate.analysis import Summary, summarise
from ablate.study import Factor, Level, Study, make_plan
from ablate.tables import (
    Column,
    Estimate,
    Table,
    csv,
    effects_table,
    failures_table,
    html,
    latex,
    markdown,
    references,
    runs_table,
    write_tables,
)
from ablate.tables.effects import by_dataset_table
from ablate.tables.macros import keys, macros

NO_CURVES = pd.DataFrame(columns=["study", "cell", "seed", "epoch"])


@pytest.fixture
def mixed() -> Summary:
    """Two data sets, a failed run, a waiting one, and a loss that left the numbers."""
    factors = [
        Factor("residual", (Level("true"), Level("false")), "true"),
        Factor("data", (Level("digits"), Level("telugu")), "digits", block=True),
    ]
    plan = make_plan(Study("mixed", "leave_one_out", (0, 1, 2), "score"), factors)
    scores = {
        "full": [0.90, 0.91, 0.92],
        "w/o residual": [0.70, 0.72, 0.71],
        "data=telugu": [0.80, 0.82, 0.81],
        "w/o residual, data=telugu": [0.795, 0.825, 0.806],
    }
    rows = [
        {"cell": cell, "seed": seed, "state": "finished", "reason": "", "score": score, "loss": 0.25, "epochs": 5.0}
        for cell, values in scores.items()
        for seed, score in enumerate(values)
    ]
    rows[1]["loss"] = math.inf
    rows[5] |= {"state": "failed", "reason": "raised", "score": None, "loss": None, "epochs": None}
    rows[11] |= {"state": "waiting", "score": None, "loss": None, "epochs": None}
    return summarise(plan, pd.DataFrame(rows).assign(seconds=4.2), NO_CURVES)


def test_runs(mixed: Summary) -> None:
    table = runs_table(mixed)
    assert [(column.header, column.kind) for column in table.columns] == [
        ("cell", "text"),
        ("seed", "text"),
        ("state", "text"),
        ("reason", "text"),
        ("score", "number"),
        ("loss", "number"),
        ("epochs", "count"),
        ("seconds", "seconds"),
    ]
    assert table.caption == "Runs of the study mixed: 10 finished, 1 failed, 1 waiting. One row a cell and seed."
    assert markdown(table.for_files).splitlines()[2:5] == [
        "| full | 0 | finished | – | 0.9000 | 0.2500 | 5 |",
        "| full | 1 | finished | – | 0.9100 | inf | 5 |",
        "| full | 2 | finished | – | 0.9200 | 0.2500 | 5 |",
    ]
    assert csv(table.for_files).splitlines()[6] == "w/o residual,2,failed,raised,,,"
    assert "full & 1 & finished & {--} & 0.9100 & {$\\infty$} & 5 \\\\" in latex(table.for_files)


def test_runs_that_have_not_finished_come_before_others_where_rows_are_few(mixed: Summary) -> None:
    table = runs_table(mixed, 4)
    assert [(row[0], row[1], row[2]) for row in table.rows] == [
        ("full", "0", "finished"),
        ("full", "1", "finished"),
        ("w/o residual", "2", "failed"),
        ("w/o residual, data=telugu", "2", "waiting"),
    ]
    assert table.caption.endswith(
        "Of 12 runs 4 are listed, those that have not finished before others; runs.csv has all."
    )


def test_of_many_runs_only_the_csv_file_has_all(
    mixed: Summary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ablate.tables.registry._MOST_RUNS", 5)
    write_tables(mixed, tmp_path)
    assert (tmp_path / "runs.csv").read_text() == csv(runs_table(mixed).for_files)
    for form, render in (("md", markdown), ("tex", latex), ("html", html)):
        assert (tmp_path / f"runs.{form}").read_text() == render(runs_table(mixed, 5).for_files)


def test_failures(mixed: Summary) -> None:
    table = failures_table(mixed, {("w/o residual", 2): "ValueError: a|b"})
    assert table is not None
    assert markdown(table) == (
        "| cell | seed | reason | error |\n"
        "| :--- | :--- | :--- | :--- |\n"
        "| w/o residual | 2 | raised | ValueError: a\\|b |\n"
        "\n"
        "Failed runs of the study mixed: 1 of 12. What they count for: nothing, their seeds are left out of the "
        "comparisons of their cell.\n"
    )
    fine = replace(mixed, runs=mixed.runs[mixed.runs["state"] == "finished"])
    assert failures_table(fine) is None


def test_data_sets(mixed: Summary) -> None:
    table = by_dataset_table(mixed)
    assert table is not None
    assert markdown(table).splitlines()[:4] == [
        "| cell | digits | telugu |",
        "| :--- | ---: | ---: |",
        "| full | **0.910 ± 0.025** | **0.810 ± 0.025** |",
        "| w/o residual | 0.71 ± 0.13† | **0.81 ± 0.19** |",
    ]


def test_a_marked_mean_takes_two_columns_in_latex() -> None:
    table = Table(
        (Column("cell", "text", is_name=True), Column("a", "mean"), Column("b", "mean")),
        (("full", Estimate(0.5), Estimate(0.6)), ("w/o x", Estimate(0.25, 0.2, 0.3, "†"), Estimate(0.5))),
        "c",
        "l",
    )
    lines = latex(table).splitlines()
    assert "  \\begin{tabular}{l S[table-format=1.4(2)] @{}l S[table-format=1.4]}" in lines
    assert "    {cell} & \\multicolumn{2}{c}{a} & {b} \\\\" in lines
    assert "    w/o x & 0.250(50) & \\textsuperscript{\\textdagger{}} & 0.5000 \\\\" in lines


def test_a_study_on_one_data_set_has_no_such_table(summary: Summary) -> None:
    assert by_dataset_table(summary) is None


def test_marks_are_defined_in_the_caption_where_they_are_used(summary: Summary, hostile: Summary) -> None:
    assert "Marks: ‡ p ≤ 0.01, adjusted." in effects_table(summary).caption
    assert "Marks" not in effects_table(hostile).caption


def test_costs_become_columns(summary: Summary) -> None:
    labels = [cell.label for cell in summary.plan.cells]
    costs = pd.DataFrame({"cell": labels[:2], "weights": [36864, 30000], "flops": [2.5e6, 1.25e6]})
    table = effects_table(replace(summary, costs=costs))
    place = [column.header for column in table.columns].index("MFLOPs")
    assert [row[place] for row in table.rows] == [2.5, 1.25, None, None]
    without = replace(summary, costs=costs, cells=summary.cells.assign(weights=math.nan))
    place = [column.header for column in effects_table(without).columns].index("weights")
    assert [row[place] for row in effects_table(without).rows] == [36864, 30000, None, None]


def test_html_with_links_and_hostile_words() -> None:
    table = Table(
        (Column("<b>", "text", is_name=True), Column("n", "count")), (('"x"', 1234),), "a < b", "tab:x", ("&",)
    )
    assert html(table, [[("log", 'a"b.log')]]) == (
        '<table id="tab-x">\n'
        "<caption>a &lt; b</caption>\n"
        '<thead><tr><th scope="col" class="text">&lt;b&gt;</th><th scope="col" class="count">n</th>'
        '<th scope="col" class="links">files</th></tr></thead>\n'
        "<tbody>\n"
        '<tr><th scope="row" class="text">&#34;x&#34;</th><td class="count" data-value="1234.0">1,234</td>'
        '<td class="links"><a href="a&#34;b.log">log</a></td></tr>\n'
        "</tbody></table>\n"
        '<ul class="notes"><li>&amp;</li></ul>\n'
    )
    with pytest.raises(ValueError, match="longer"):
        html(table, [[], []])


def test_keys_can_be_typed_in_latex_and_are_unique(hostile: Summary, mixed: Summary) -> None:
    for plan in (hostile.plan, mixed.plan):
        found = [key for names in keys(plan).values() for key in names]
        assert len(set(found)) == len(found)
        assert not [key for key in found if set(key) & set("\\{}%#$&~^ \"'")]
    assert keys(mixed.plan)["w/o residual"] == ("residual", "residual=false")
    assert keys(mixed.plan)["w/o residual, data=telugu"] == ("residual=false,data=telugu",)


def test_points_are_only_of_what_lies_between_0_and_1(summary: Summary) -> None:
    assert "{size-points}{batch_norm}{\\ensuremath{9.4}~points}" in macros(summary)
    large = replace(summary, cells=summary.cells.assign(mean=summary.cells["mean"] * 3))
    assert "{size-points}{batch_norm}" not in macros(large)


def test_what_the_design_answers_besides_is_a_number_too(mixed: Summary) -> None:
    factors = [Factor(name, (Level("true"), Level("false")), "true") for name in ("a", "b")]
    plan = make_plan(Study("grid", "factorial", (0, 1), "score"), factors)
    values = iter([0.9, 0.91, 0.8, 0.82, 0.7, 0.71, 0.6, 0.64])
    rows = [{"cell": cell.label, "seed": seed, "score": next(values)} for cell in plan.cells for seed in (0, 1)]
    summary = summarise(plan, pd.DataFrame(rows).assign(state="finished", reason=""), NO_CURVES)
    text = macros(summary)
    # By hand: over both orders the gains from a are .2 and .2 in seed 0, .2 and .18 in seed 1.
    assert "{shapley.contribution}{a}{\\ensuremath{0.195}}" in text
    assert "{main_effects.p}{b+false}" in text


def test_references_hold_no_date(summary: Summary) -> None:
    text = references(summary)
    assert text.startswith("@misc{ablate-demo,\n")
    assert "leave one out; 4 cells, 3 seeds, 12 of 12 runs finished; metric test\\_accuracy" in text
    assert "year" not in text and "author" not in text
