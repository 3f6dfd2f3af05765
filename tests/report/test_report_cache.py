from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import pandas as pd
import pytest

from ablate.analysis import Summary
from ablate.report import collect, summary_of
from ablate.store import PlannedRun, StudyFolder, StudyRecord
from ablate.store.snapshot import read_snapshot
from ablate.study import Factor, Level, Study, make_plan

LEVELS = tuple(Level(f"width{index}") for index in range(25))


def write(study: StudyFolder, run: PlannedRun, score: float, epochs: int = 3, note: str = "") -> None:
    """A finished run, without the flush to the disk of a real one."""
    path = study.run(run).path
    path.mkdir(parents=True, exist_ok=True)
    rows = [f"{epoch},{score / epoch!r},{score * epoch!r}{note}" for epoch in range(1, epochs + 1)]
    (path / "curves.csv").write_text("\n".join(["epoch,val_loss,val_score", *rows]) + "\n")
    (path / "result.json").write_text(json.dumps({"metrics": {"score": score, "weights": 10, "seconds": 1.0}}))
    (path / "status.json").write_text(json.dumps({"state": "finished"}))


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    """A study of 200 runs: as many as make a cache worthwhile."""
    folder = StudyFolder(tmp_path / "outputs" / "many")
    plan = make_plan(Study("many", "factorial", tuple(range(8)), "score"), [Factor("model", LEVELS, "width0")])
    runs = tuple(
        PlannedRun(f"{place:06x}{seed:06x}", cell.name, seed)
        for place, cell in enumerate(plan.cells)
        for seed in range(8)
    )
    folder.write_record(StudyRecord(plan, runs, {}))
    for place, run in enumerate(runs):
        write(folder, run, 0.1 + place / 7 + run.seed**2 / 100)
    return folder


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """How often figures were drawn."""
    found: list[Path] = []
    monkeypatch.setattr("ablate.figures.write_figures", lambda _, folder, *__, **___: found.append(folder))
    return found


def same(first: Summary, second: Summary) -> None:
    plain = [item.name for item in fields(Summary) if item.name != "values" and not item.name.startswith("read_")]
    for name in ("curves", *plain):
        a, b = getattr(first, name), getattr(second, name)
        if isinstance(a, pd.DataFrame):
            pd.testing.assert_frame_equal(a, b)
        else:
            assert a == b, name
    assert {cell: dict(found) for cell, found in first.values.items()} == second.values


def test_an_unchanged_study_is_not_summarised_again(
    study: StudyFolder, drawn: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = collect(study)
    monkeypatch.setattr("ablate.report.study_report.summarise", None)
    files = {path: path.stat().st_mtime_ns for path in study.path.rglob("*") if path.is_file()}
    again = collect(study)
    assert drawn == [study.figures]
    assert {path: path.stat().st_mtime_ns for path in study.path.rglob("*") if path.is_file()} == files
    same(fresh, again)


@pytest.mark.parametrize("what", ["result", "status", "curves", "plan", "new file"])
def test_what_has_changed_is_collected_again(what: str, study: StudyFolder, drawn: list[Path]) -> None:
    before = collect(study)
    run = study.existing_record().runs[9]
    folder = study.run(run).path
    if what == "result":
        write(study, run, 99.0)
    elif what == "status":
        (folder / "status.json").write_text(json.dumps({"state": "failed", "reason": "raised"}))
    elif what == "curves":
        write(study, run, float(before.runs["score"].iloc[9]), epochs=4)
    elif what == "plan":
        record = study.existing_record()
        question = replace(record.plan.study, direction="min")
        study.write_record(replace(record, plan=replace(record.plan, study=question)))
    else:
        (folder / "other.csv").write_text("x\n1\n")
    after = collect(study)
    assert len(drawn) == 2
    changed = {
        "result": after.runs["score"].iloc[9] == 99.0,
        "status": after.runs["state"].iloc[9] == "failed",
        "curves": len(after.curves) == len(before.curves) + 1,
        "plan": after.study.direction == "min",
        "new file": True,
    }
    assert changed[what]
    assert "99.0" in (study.path / "runs.csv").read_text() or what != "result"


def test_files_that_were_lost_or_edited_are_written_again(study: StudyFolder, drawn: list[Path]) -> None:
    collect(study)
    whole = (study.path / "effects.csv").read_bytes()
    (study.path / "effects.csv").unlink()
    (study.tables / "effects.md").write_text("edited")
    collect(study)
    assert (study.path / "effects.csv").read_bytes() == whole
    assert (study.tables / "effects.md").read_text() != "edited"
    assert len(drawn) == 2


@pytest.mark.parametrize("name", ["summary.json", "runs.arrow", "curves.arrow", "pairs.arrow"])
@pytest.mark.parametrize("damage", ["missing", "foreign", "cut off", "empty"])
def test_a_damaged_cache_is_made_again(name: str, damage: str, study: StudyFolder, drawn: list[Path]) -> None:
    fresh = collect(study)
    path = study.path / ".cache" / name
    if damage == "missing":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes({"foreign": b"null", "cut off": content[: len(content) // 2], "empty": b""}[damage])
    same(fresh, summary_of(study))
    same(fresh, summary_of(study))


def test_the_files_are_written_again_without_a_note_of_them(study: StudyFolder, drawn: list[Path]) -> None:
    collect(study)
    (study.path / ".cache" / "files.json").write_text("null")
    collect(study)
    assert len(drawn) == 2


def test_a_study_at_work_is_not_cached(study: StudyFolder, drawn: list[Path]) -> None:
    run = study.existing_record().runs[0]
    (study.run(run).path / "status.json").write_text(json.dumps({"state": "running", "attempts": 1}))
    with study.run(run).hold():
        assert collect(study).runs["state"].iloc[0] == "running"
    # No file has changed since: only the lock is gone.
    assert summary_of(study).runs["state"].iloc[0] == "waiting"


def test_curves_read_again_and_for_the_first_time_are_the_same_bytes(study: StudyFolder, drawn: list[Path]) -> None:
    runs = study.existing_record().runs
    path = study.run(runs[0]).path / "curves.csv"
    path.write_text("epoch,rate,val_loss,val_score\n1,0.1,0.5,\n2,0.01,nan,0.25\n")
    collect(study)
    write(study, runs[1], 0.75)
    collect(study)
    warm = (study.path / "curves.csv").read_bytes()
    for file in (study.path / ".cache").iterdir():
        file.unlink()
    collect(study)
    assert (study.path / "curves.csv").read_bytes() == warm
    assert warm.startswith(b"study,cell,seed,epoch,rate,val_loss,val_score\nmany,model=width0,0,1,0.1,0.5,\n")


def test_the_lines_of_the_runs_are_the_numbers_of_the_frame(study: StudyFolder, drawn: list[Path]) -> None:
    frame = collect(study).curves
    found = pd.read_csv(study.path / "curves.csv")
    assert found["cell"].tolist() == frame["cell"].tolist()
    for name in ("seed", "epoch", "val_loss", "val_score"):
        assert found[name].tolist() == frame[name].tolist()


def test_odd_curves_among_many_are_read_one_by_one(study: StudyFolder) -> None:
    runs = study.existing_record().runs
    texts = {
        0: "epoch,val_loss,val_score\n1,0.5,0.5\n2,0.5\n3,0.5,x\n4,0.25,0.75\n5,0.1",
        1: "val_loss,epoch\n0.5,1\n",
        2: "",
        3: 'epoch,"a,b"\n1,0.5\n',
    }
    for place, text in texts.items():
        (study.run(runs[place]).path / "curves.csv").write_text(text)
    (study.run(runs[4]).path / "curves.csv").unlink()
    (study.run(runs[4]).path / "log.csv").write_text("epoch,loss\n0,9\n1,8\n")
    frame = read_snapshot(study).curves
    first = frame[(frame["cell"] == "model=width0") & (frame["seed"] < 5)].drop(columns=["study", "cell"])
    assert first["seed"].tolist() == [0, 0, 0, 1, 3, 4, 4]
    assert first["epoch"].tolist() == [1, 3, 4, 1, 1, 0, 1]
    assert first["val_loss"].tolist()[:4] == [0.5, 0.5, 0.25, 0.5]
    assert first["val_score"].isna().tolist()[:3] == [False, True, False]
    assert first["a,b"].tolist()[4] == 0.5
    assert first["loss"].tolist()[5:] == [9.0, 8.0]
    assert "2 lines" in read_snapshot(study).changed_curves[runs[0]]
