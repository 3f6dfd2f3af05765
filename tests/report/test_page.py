"""What is in the page, read as a file."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pandas as pd
import pytest
from fake_studies import ERROR, HOSTILE, grid_plan, switch, write_study
from markupsafe import escape

from ablate.captions import takes_only_parts
from ablate.errors import StoreError
from ablate.merging import compare
from ablate.report import summary_of
from ablate.report.charts import curves_data, forest_data
from ablate.report.page import page_html
from ablate.report.page_text import commands, compute_time, headline, methods_paragraph
from ablate.report.study_report import read_report
from ablate.store import FAILED, FINISHED, RunFolder, Status, StudyFolder
from ablate.study import Factor, Level, Study, make_plan


def data_of(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="s1-data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def visible(text: str) -> str:
    """The page without its scripts."""
    return re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.DOTALL)


def test_the_same_study_gives_the_same_bytes(worst: StudyFolder) -> None:
    first = worst.page.read_bytes()
    assert page_html([read_report(worst)], worst.path).encode() == first
    assert page_html([read_report(StudyFolder(worst.path))], worst.path).encode() == first


def test_nothing_of_a_name_is_markup(worst: StudyFolder) -> None:
    text = worst.page.read_text()
    assert HOSTILE not in text
    assert "<img src=x" not in text
    assert text.count("<script") == text.count("</script") == 3  # the data, the library, the page's own
    assert str(escape(ERROR)) in text
    assert data_of(text)["forest"]["metric"] == "test_accuracy"
    assert f"w/o {HOSTILE}" in [row["cell"] for row in data_of(text)["forest"]["rows"]]


def test_no_address_outside(worst: StudyFolder) -> None:
    text = worst.page.read_text()
    assert (
        re.findall(r"(?:src|href|action)=\"(?!#|data:|runs/|tables|figures|diagrams|[a-z]+\.(?:csv|json))", text) == []
    )
    assert "http://" not in text and "https://" not in text
    assert "default-src 'none'" in text


def test_what_a_reader_must_find(worst: StudyFolder) -> None:
    found, text = read_report(worst), visible(worst.page.read_text())
    words = [
        headline(found.summary),
        *found.summary.sentences.values(),
        *found.summary.notes,
        methods_paragraph(found.summary, found.checklist, found.conduct),
        "ablate report worst",
        "1 of 24 runs failed; as set: ",
        "To be stated: hardware.",
        "1 min 30 s in 23 runs",
        "2.0 s in 1 run",
        "22 of 24 finished",
        "0 running, 1 waiting. The same command resumes the study.",
        "digits",
    ]
    assert [word for word in words if str(escape(word)) not in text] == []


def test_a_finished_study_does_not_load_itself_again(worst: StudyFolder) -> None:
    assert "data-live" not in worst.page.read_text().partition("<main")[0]
    assert '<body data-live="5">' in page_html([read_report(worst)], worst.path, live=True)


def test_pictures_without_room_are_links(worst: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablate.report.page._IMAGE_LIMIT", 10)
    text = page_html([read_report(worst)], worst.path)
    assert "<img" not in text
    assert '<a href="figures/effects.svg">svg</a>' in text
    assert '<a href="diagrams/full.svg">svg</a>' in text


def test_a_figure_of_two_columns_has_the_whole_width(worst: StudyFolder, tmp_path: Path) -> None:
    study = StudyFolder(tmp_path / "copy")
    shutil.copytree(worst.path, study.path)
    assert '<figure class="wide">' not in page_html([read_report(study)], study.path)
    (study.figures / "effects.svg").write_text('<svg xmlns="x" width="486pt" height="100pt"></svg>')
    assert page_html([read_report(study)], study.path).count('<figure class="wide">') == 1


def test_five_hundred_runs(tmp_path: Path) -> None:
    study = write_study(tmp_path / "many", grid_plan(6, 8), epochs=30)
    text = page_html([read_report(study)], study.path, live=True)  # without the further answers of so large a grid
    assert len(text.encode()) < 6_000_000
    data = data_of(text)["curves"]
    assert text.count('<td class="links">') == 512
    assert len(data["means"]) == 64 * 4
    assert sum(cell["is_selected"] for cell in data["cells"]) == 8
    assert not data["runs_omitted"] and len(data["runs"]) == 512
    assert {len(run["x"]) for run in data["runs"]} == {29} and {run["x"][-1] for run in data["runs"]} == {30}


def test_more_runs_than_a_page_lists(worst: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablate.report.page._MAX_ROWS", 10)
    text = page_html([read_report(worst)], worst.path)
    table = text.partition('id="s1-runs"')[2].partition("</table>")[0]
    assert table.count("<tr>") == 11
    assert "Of 24 runs 10 are listed, those that have not finished before others; runs.csv has all." in table
    assert 'data-word="failed"' in table and 'data-word="waiting"' in table


def test_before_the_first_run(tmp_path: Path) -> None:
    study = write_study(tmp_path / "new", grid_plan(1, 2), states=["waiting"] * 4)
    text = visible(page_html([read_report(study)], study.path, live=True))
    assert "No two runs of one seed can be compared yet." in text
    assert "0 running, 4 waiting. This page reloads itself while the study runs." in text
    assert "Learning curves" not in text


def test_the_means_are_those_of_finished_runs(tmp_path: Path) -> None:
    study = write_study(tmp_path / "part", grid_plan(1, 2), epochs=3, states=["running"])
    summary = summary_of(study)
    data = curves_data(summary)
    full = [line for line in data["means"] if line["cell"] == 0 and line["metric"] == "val_loss"]
    rows = summary.curves.query("cell == 'full' and seed == 1")
    assert full[0]["n"] == 1 and "low" not in full[0]
    assert full[0]["y"] == pytest.approx(rows["val_loss"].tolist(), rel=1e-4)
    assert {(run["cell"], run["seed"]) for run in data["runs"]} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert data["first_metric"] == "accuracy"
    assert {metric["column"]: (metric["metric"], metric["split"]) for metric in data["metrics"]} == {
        "train_accuracy": ("accuracy", "train"),
        "train_loss": ("loss", "train"),
        "val_accuracy": ("accuracy", "validation"),
        "val_loss": ("loss", "validation"),
    }


def test_the_forest_holds_what_the_analysis_found(worst: StudyFolder) -> None:
    summary = summary_of(worst)
    data = forest_data(summary)
    assert (data["margin"], data["direction"]) == (0.01, "max")
    by_cell = summary.effects.set_index("cell")
    for row in data["rows"]:
        assert row["low"] == pytest.approx(by_cell.loc[row["cell"], "low"], rel=1e-4)
        assert row["verdict"] == by_cell.loc[row["cell"], "verdict"]
        assert len(row["seeds"]) == row["n"]
    # What a part contributes, or a level gains.
    cells = {cell.label: cell for cell in summary.plan.cells}
    turned = [
        by_cell.loc[row["cell"], "contribution"] * (1 if takes_only_parts(cells[row["cell"]], summary.plan) else -1)
        for row in data["rows"]
    ]
    assert turned == sorted(turned, reverse=True)


def test_data_sets_have_a_table_of_their_own(tmp_path: Path) -> None:
    factors = [switch("residual"), Factor("data", (Level("digits"), Level("telugu")), "digits", block=True)]
    study = write_study(tmp_path / "sets", make_plan(Study("sets", "leave_one_out", (0, 1), "test_accuracy"), factors))
    text = page_html([read_report(study)], study.path)
    assert [cell["dash"] for cell in data_of(text)["curves"]["cells"]] == ["solid", "solid", "dash", "dash"]
    table = text.partition('id="s1-by_dataset"')[2].partition("</table>")[0]
    assert re.findall(r'<th scope="row" class="text">(.*?)</th>', table) == ["full", "w/o residual"]
    assert re.findall(r'<th scope="col" class="mean">(.*?)</th>', table) == ["digits", "telugu"]


def test_costs_have_a_section(worst: StudyFolder) -> None:
    found = read_report(worst)
    assert "Costs</h2>" not in worst.page.read_text()
    names = ("weights", "flops", "activations", "latency", "step")
    costs = pd.DataFrame([{"cell": "full", "batch": 8, **{name: 2e-3 for name in names}}])
    summary = replace(found.summary, costs=costs.assign(**{f"{name}_ratio": 1.0 for name in names}))
    text = page_html([replace(found, summary=summary)], worst.path)
    assert "Costs</h2>" in text
    assert text.count("training step (ms)") == 1


def test_the_commands(worst: StudyFolder) -> None:
    made, again = commands(read_report(worst).snapshot)
    assert shlex.split(made) == ["python", "-m", "ablate", "-m", f"note={HOSTILE}"]
    assert again == "ablate report worst"


def test_compute_counts_what_failed(tmp_path: Path) -> None:
    study = write_study(tmp_path / "cost", grid_plan(1, 2), states=[FINISHED, FAILED])
    assert compute_time(read_report(study).snapshot) == [
        ("all runs", "14.0 s in 4 runs"),
        ("of these failed", "2.0 s in 1 run"),
        ("machines", "1"),
    ]
    run = study.existing_record().runs[0]
    study.run(run).write_status(Status(FINISHED))  # as an older version left it
    assert compute_time(read_report(study).snapshot)[0] == ("all runs", "10.0 s in 3 runs")


def test_a_damaged_file_does_not_hide_the_other_runs(tmp_path: Path) -> None:
    study = write_study(tmp_path / "grid", grid_plan(1, 3))
    first, second, *_ = sorted((study.path / "runs" / "full").iterdir())
    (first / "result.json").write_bytes((first / "result.json").read_bytes()[:30])
    (second / "curves.csv").write_bytes(b"epoch,val_loss\n1,0.5\n" + bytes(range(256)) + b"\n")
    (study.path / "confirmation.json").write_text("[]")
    report = read_report(study)
    summary = report.summary
    assert summary.effects["n"].tolist() == [2]
    assert summary.runs["reason"].tolist() == ["unreadable", "", "", "", "", ""]
    assert any("full, seed 0" in note and "result.json" in note for note in summary.notes)
    assert any("full, seed 1" in note and "curves.csv" in note for note in summary.notes)
    assert any(str(study.path / "confirmation.json") in note for note in summary.notes)
    assert str(first / "result.json") in report.errors["full", 0]
    assert '<strong class="bad">1 failed</strong>' in page_html([report], study.path)


def test_a_status_that_was_cut_off_and_curves_of_other_columns_are_told(tmp_path: Path) -> None:
    study = write_study(tmp_path / "grid", grid_plan(1, 3))
    first, second, third = sorted((study.path / "runs" / "full").iterdir())
    (first / "status.json").write_bytes((first / "status.json").read_bytes()[:30])
    for folder in (second, third):
        (folder / "curves.csv").write_text("step,loss\n1,0.5\n2,0.25\n")
    report = read_report(study)
    summary = report.summary
    assert summary.runs["state"].tolist() == ["waiting", *["finished"] * 5]
    assert any("full, seed 0" in note and "status.json" in note and "waiting" in note for note in summary.notes)
    assert any("full, seed 1; full, seed 2" in note and "curves.csv" in note for note in summary.notes)
    assert report.errors == {}
    assert "status.json" in page_html([report], study.path)


def test_a_result_that_is_no_number_is_told(tmp_path: Path) -> None:
    study = write_study(tmp_path / "grid", grid_plan(1, 1))
    path = next(study.path.glob("runs/full/*/result.json"))
    path.write_text('{"metrics": {"test_accuracy": "high"}}')
    with pytest.raises(StoreError) as caught:
        RunFolder(path.parent).result()
    assert str(path) in str(caught.value) and "got `str`" in str(caught.value)


def test_the_links_of_a_page_of_several_studies_lead_to_their_files(tmp_path: Path) -> None:
    first = write_study(tmp_path / "first #1", grid_plan(1, 3))
    second = write_study(tmp_path / "second", grid_plan(2, 3), epochs=5)
    second.diagrams.mkdir()
    (second.diagrams / "full.svg").write_text('<svg width="10pt"></svg>')
    folder = compare([first, second], tmp_path / "outputs" / "both", figures=["effects"]).folder
    assert not first.figures.exists()  # the studies themselves are not changed
    text = folder.page.read_text()
    links = [unquote(link) for link in re.findall(r'href="([^"#][^"]*)"', text) if ":" not in link]
    assert {"figures/first #1/effects.pdf", "figures/second/effects.svg", "../../second/diagrams/full.svg"} <= {*links}
    assert [link for link in links if not (folder.path / link).exists()] == []
    assert text.count('<img src="data:image/') >= 3
