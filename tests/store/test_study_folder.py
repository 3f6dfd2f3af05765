from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from ablate.errors import StoreError
from ablate.store import FAILED, FINISHED, RUNNING, PlannedRun, Result, Status, StudyFolder, StudyRecord
from ablate.store.snapshot import read_snapshot
from ablate.study import Factor, Level, Study, make_plan


def record_of(seeds: tuple[int, ...] = (0, 1)) -> StudyRecord:
    residual = Factor("residual", (Level("true", ("residual=true",)), Level("false", ("residual=false",))), "true")
    plan = make_plan(Study("demo", "leave_one_out", seeds, "score"), [residual])
    runs = tuple(
        PlannedRun(f"{index:06x}{seed:06x}", cell.name, seed) for index, cell in enumerate(plan.cells) for seed in seeds
    )
    return StudyRecord(
        plan, runs, {"residual": True, "train": {"rate": 0.1}}, ({"command": ["-m"]},), {"full": {"w": 3}}
    )


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    folder = StudyFolder(tmp_path / "outputs" / "demo")
    folder.write_record(record_of())
    return folder


def test_a_record_survives_the_way(study: StudyFolder) -> None:
    assert study.record() == record_of()


def test_no_plan_is_none(tmp_path: Path) -> None:
    assert StudyFolder(tmp_path).record() is None


def test_a_missing_study_names_those_beside_it(study: StudyFolder) -> None:
    missing = StudyFolder(study.path.parent / "dmo")
    with pytest.raises(StoreError) as caught:
        missing.existing_record()
    assert str(caught.value) == (
        f"There is no study in '{missing.path}': it has no plan.json. Studies beside it: demo."
    )


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}', '{"format": 1, "plan": []}', "null"])
def test_a_broken_plan_is_told(text: str, study: StudyFolder) -> None:
    (study.path / "plan.json").write_text(text)
    with pytest.raises(StoreError) as caught:
        study.record()
    assert str(caught.value).startswith(f"Cannot read the plan '{study.path / 'plan.json'}': ")


def test_a_plan_of_another_format_is_told(study: StudyFolder) -> None:
    path = study.path / "plan.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(StoreError) as caught:
        study.record()
    assert "format 99" in str(caught.value) and str(path) in str(caught.value)


def finish(study: StudyFolder, run: PlannedRun, **metrics: float) -> None:
    folder = study.run(run)
    folder.write_result(Result({**metrics, "seconds": 1.5}, {"python": "3.11.7"}))
    folder.write_status(Status(FINISHED))


def test_runs_are_a_row_each_with_metrics_then_timings_then_versions(study: StudyFolder) -> None:
    first, second, third, _ = record_of().runs
    finish(study, first, score=0.9, weights=10)
    finish(study, second, score=0.8)
    study.run(third).write_status(Status(FAILED, "raised"))
    frame = read_snapshot(study).runs
    assert list(frame.columns) == [
        *("study", "cell", "residual", "seed", "state", "reason"),
        *("score", "weights", "seconds", "python"),
    ]
    assert frame["cell"].tolist() == ["full", "full", "w/o residual", "w/o residual"]
    assert frame["residual"].tolist() == ["true", "true", "false", "false"]
    assert frame["seed"].tolist() == [0, 1, 0, 1]
    assert frame["state"].tolist() == ["finished", "finished", "failed", "waiting"]
    assert frame["reason"].tolist() == ["", "", "raised", ""]
    assert frame["score"].tolist()[:2] == [0.9, 0.8]
    assert frame["score"].isna().tolist() == [False, False, True, True]


def test_a_failed_run_shows_no_result_of_an_earlier_life(study: StudyFolder) -> None:
    run = record_of().runs[0]
    finish(study, run, score=0.9)
    study.run(run).write_status(Status(FAILED, "raised"))
    assert "score" not in read_snapshot(study).runs.columns


def test_a_dead_run_is_not_shown_as_running(study: StudyFolder) -> None:
    study.run(record_of().runs[0]).write_status(Status(RUNNING, attempts=1))
    assert read_snapshot(study).runs[["state", "reason"]].iloc[0].tolist() == ["waiting", "killed"]


def test_a_metric_does_not_overwrite_the_columns_that_say_which_run_it_is(study: StudyFolder) -> None:
    run = record_of().runs[0]
    finish(study, run, **{"score": 0.9, "residual": 1.0, "seed": 5.0, "state": 3.0, "cell": 1.0, "reason": 2.0})
    row = read_snapshot(study).runs.iloc[0]
    assert row[["study", "cell", "residual", "seed", "state"]].tolist() == ["demo", "full", "true", 0, "finished"]
    assert row["score"] == 0.9


def test_curves_are_a_row_an_epoch(study: StudyFolder) -> None:
    first, _, third, _ = record_of().runs
    study.run(first).append_curves(1, {"val_loss": 0.5})
    study.run(first).append_curves(2, {"val_loss": 0.25})
    study.run(third).append_curves(1, {"val_loss": 0.75, "rate": 0.1})
    frame = read_snapshot(study).curves
    assert list(frame.columns) == ["study", "cell", "seed", "epoch", "val_loss", "rate"]
    assert frame[["cell", "seed", "epoch", "val_loss"]].to_numpy().tolist() == [
        ["full", 0, 1, 0.5],
        ["full", 0, 2, 0.25],
        ["w/o residual", 0, 1, 0.75],
    ]


def test_no_curves_is_an_empty_frame(study: StudyFolder) -> None:
    assert list(read_snapshot(study).curves.columns) == ["study", "cell", "seed", "epoch"]
    assert read_snapshot(study).curves.empty


def test_curves_of_a_foreign_task_are_found_in_its_own_csv(study: StudyFolder) -> None:
    folder = study.run(record_of().runs[0])
    folder.path.mkdir(parents=True)
    (folder.path / "a_table.csv").write_text("x,y\n1,2\n")
    (folder.path / "metrics.csv").write_text("epoch,loss,note\n0,0.5,first\n1,0.25,second\n")
    frame = read_snapshot(study).curves
    assert frame[["seed", "epoch", "loss"]].to_numpy().tolist() == [[0, 0, 0.5], [0, 1, 0.25]]


def test_columns_of_a_foreign_csv_do_not_displace_ours(study: StudyFolder) -> None:
    folder = study.run(record_of().runs[1])
    folder.path.mkdir(parents=True)
    (folder.path / "log.csv").write_text("epoch,seed,cell,study,loss\n1,99,7,8,0.5\n")
    frame = read_snapshot(study).curves
    assert frame[["study", "cell", "seed", "epoch", "loss"]].to_numpy().tolist() == [["demo", "full", 1, 1, 0.5]]


def test_a_broken_foreign_csv_is_left_alone(study: StudyFolder) -> None:
    folder = study.run(record_of().runs[0])
    folder.path.mkdir(parents=True)
    (folder.path / "a.csv").write_text("")
    (folder.path / "b.csv").write_bytes(b"\xff\xfe\x00epoch")
    assert read_snapshot(study).curves.empty


def test_run_folders_stay_inside_the_study(study: StudyFolder) -> None:
    for run in record_of().runs:
        assert study.run(run).path.is_relative_to(study.path / "runs")


def test_the_same_runs_give_the_same_bytes(study: StudyFolder) -> None:
    for run in record_of().runs:
        finish(study, run, score=0.5 + run.seed / 3)
    assert read_snapshot(study).runs.to_csv() == read_snapshot(study).runs.to_csv()
    assert isinstance(read_snapshot(study).runs, pd.DataFrame)


def test_a_metric_called_like_another_column_has_a_column_of_its_own(study: StudyFolder) -> None:
    for run in record_of().runs:
        finish(study, run, score=0.9, residual=0.25 + run.seed, seed=7.0, python=3.0)
    frame = read_snapshot(study).runs
    assert frame["residual"].tolist() == ["true", "true", "false", "false"]
    assert frame["metric.residual"].tolist() == [0.25, 1.25, 0.25, 1.25]
    assert frame["metric.seed"].tolist() == [7.0] * 4
    assert frame["metric.python"].tolist() == [3.0] * 4
    assert frame["python"].tolist() == ["3.11.7"] * 4


def test_a_metric_that_only_repeats_the_level_is_no_metric(study: StudyFolder) -> None:
    for run in record_of().runs:
        finish(study, run, score=0.9, residual=run.cell == "full")
    assert "metric.residual" not in read_snapshot(study).runs
