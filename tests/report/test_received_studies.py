"""Study folders that were damaged, or forged: nothing outside of them is touched, and each fault is said."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_studies import grid_plan, write_study

from ablate.errors import StoreError
from ablate.merging import compare, merge
from ablate.report import collect
from ablate.report.study_report import read_report
from ablate.store import FINISHED, RunFolder, Status, StudyFolder
from ablate.store.files import check_inside, read_file
from ablate.store.snapshot import read_snapshot
from ablate.sweep.console import status_lines


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    """A study of two cells with three seeds, all finished."""
    return write_study(tmp_path / "outputs" / "grid", grid_plan(1, 3))


@pytest.fixture
def run(study: StudyFolder) -> RunFolder:
    """The run of the full network with seed 0."""
    return study.run(study.existing_record().runs[0])


def edit(path: Path, change: Callable[[Any], object]) -> None:
    """Change a JSON file as one who forges it does, without its checksum."""
    values = json.loads(path.read_text())
    values.pop("checksum")
    change(values)
    path.write_text(json.dumps(values))


def forge(key: str, value: object) -> Callable[[Any], object]:
    return lambda values: values["runs"][0].update({key: value})


@pytest.mark.parametrize(
    "change",
    [
        *(
            forge("id", value)
            for value in ("x/../../../../../pkg", "../../../../pk", "..", "", 7, None, "a" * 12 + "\n")
        ),
        *(forge("cell", value) for value in ("..", "../../../pkg", "/etc", "full/../..", "other", 3)),
        *(forge("seed", value) for value in ("0", 0.5, True, None, [0], 99, 10**400, "../..")),
        lambda values: values.update(runs={}),
        lambda values: values.update(format=2),
        lambda values: values["runs"].append({**values["runs"][0], "id": "f" * 12}),
        lambda values: values["plan"].update(cells=values["plan"]["cells"][1:]),
        lambda values: values["plan"]["cells"].append(values["plan"]["cells"][1]),
        lambda values: values["plan"]["factors"][0].update(reference="maybe"),
        lambda values: values["plan"]["cells"][1]["levels"].update(part_a="maybe"),
        lambda values: values["plan"]["study"].update(margin="wide"),
        lambda values: values["plan"]["study"].update(direction="up"),
        lambda values: values["history"].append("merge"),
        lambda values: values["history"][0].update(notes="one"),
        lambda values: values.pop("reference"),
    ],
)
def test_a_forged_plan_is_refused_and_nothing_is_deleted(
    change: Callable[[Any], object], study: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "mine.py").write_text("x = 1\n")
    own = write_study(tmp_path / "own", grid_plan(1, 3))
    edit(study.plan, change)
    for command in (
        lambda: collect(study),
        lambda: merge([study.path], "outputs/merged"),
        lambda: merge([own.path, study.path], "outputs/merged", keep="last"),
        lambda: compare([own.path, study.path], "outputs/both"),
    ):
        with pytest.raises(StoreError) as caught:
            command()
        assert str(study.plan) in str(caught.value)
    assert (tmp_path / "pkg" / "mine.py").read_text() == "x = 1\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outputs", "own", "pkg"]


@pytest.mark.parametrize("name", ["plan.json", "status.json", "result.json"])
def test_a_changed_digit_is_noticed(name: str, study: StudyFolder, run: RunFolder) -> None:
    path = study.plan if name == "plan.json" else run.path / name
    text = path.read_text()
    place = next(index for index in range(len(text) - 80, 0, -1) if text[index] in "12345678")
    path.write_text(f"{text[:place]}{int(text[place]) + 1}{text[place + 1 :]}")
    if name == "plan.json":
        with pytest.raises(StoreError, match="checksum"):
            read_snapshot(study)
        return
    report = read_report(study)
    assert report.summary.runs["reason"].tolist() == ["unreadable", "", "", "", "", ""]
    assert any(name in note and "full, seed 0" in note for note in report.summary.notes)


@pytest.mark.parametrize(
    "values",
    [{"state": "Finished"}, {"state": 3}, {"attempts": "2"}, {"started": "now"}, {"error": None}, {"epochs": 1.5}],
)
def test_a_status_that_cannot_be_understood_is_named(
    values: dict[str, object], study: StudyFolder, run: RunFolder
) -> None:
    edit(run.path / "status.json", lambda old: old.update(values))
    status = run.status()
    assert (status.state, status.reason) == ("waiting", "unreadable")
    assert "status.json" in status.error
    assert any("full, seed 0" in note for note in read_report(study).summary.notes)


@pytest.mark.parametrize(
    "metrics", [{"test_accuracy": 10**400}, {"test_accuracy": "0.5"}, {"test_accuracy": None}, [], {"a": {"b": 1}}]
)
def test_a_result_of_the_wrong_type_costs_only_its_run(metrics: object, study: StudyFolder, run: RunFolder) -> None:
    edit(run.path / "result.json", lambda old: old.update(metrics=metrics))
    summary = read_report(study).summary
    assert summary.runs["reason"].tolist() == ["unreadable", "", "", "", "", ""]
    assert summary.effects["n"].tolist() == [2]


def test_a_result_that_is_gone_is_said_to_be_gone(study: StudyFolder, run: RunFolder) -> None:
    (run.path / "result.json").unlink()
    report = read_report(study)
    assert "missing" in report.errors["full", 0]
    assert report.summary.runs["state"].tolist()[0] == "failed"


@pytest.mark.parametrize("what", ["missing", "empty", "cut", "digit"])
def test_a_curve_that_changed_after_the_end_is_left_out_and_said(what: str, study: StudyFolder, run: RunFolder) -> None:
    path = run.path / "curves.csv"
    data = path.read_bytes()
    if what == "missing":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "cut": data[:-20], "digit": data.replace(b"0.9", b"0.8", 1)}[what])
    snapshot = read_snapshot(study)
    assert snapshot.curves[["cell", "seed"]].drop_duplicates().to_numpy().tolist()[0] == ["full", 1]
    assert any("full, seed 0" in note and "curves.csv" in note for note in read_report(study).summary.notes)


def test_costs_that_cannot_be_read_are_said(study: StudyFolder) -> None:
    study.write_costs({"full": {"weights": 10.0, "weights_ratio": 1.0}})
    assert read_snapshot(study).costs["weights"].tolist() == [10.0]
    path = study.path / "costs.json"
    path.write_text(path.read_text().replace("10.0", "20.0"))
    summary = read_report(study).summary
    assert summary.costs.empty
    assert any("costs.json" in note for note in summary.notes)


@pytest.mark.parametrize("name", ["status.json", "result.json", "curves.csv"])
@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "huge", "deep", "zero"])
def test_only_regular_files_of_a_sane_size_are_read(
    kind: str, name: str, study: StudyFolder, run: RunFolder, tmp_path: Path
) -> None:
    path = run.path / name
    path.unlink()
    if kind == "link":
        (tmp_path / "elsewhere").write_text('{"state": "finished"}')
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "huge":
        with path.open("wb") as file:
            file.truncate(10**10)
    elif kind == "deep":
        path.write_text("[" * 200_000 + "]" * 200_000)
    else:
        path.symlink_to("/dev/zero")
    summary = read_report(study).summary
    assert summary.runs["reason"].tolist()[1:] == [""] * 5
    assert any("full, seed 0" in note and name in note for note in summary.notes)
    assert len(summary.curves[["cell", "seed"]].drop_duplicates()) >= 5


@pytest.mark.parametrize("name", ["runs", "runs/full", "run", "tables", "figures", "diagrams", ".cache"])
def test_nothing_is_read_or_written_through_a_link_to_a_folder(
    name: str, study: StudyFolder, run: RunFolder, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    path = run.path if name == "run" else study.path / name
    if path.exists():
        path.rename(outside)
    else:
        outside.mkdir()
    path.symlink_to(outside)
    before = {file: file.stat().st_mtime_ns for file in outside.rglob("*")}
    if name in ("tables", "figures", "diagrams", ".cache"):
        with pytest.raises(StoreError, match="link"):
            collect(study)
    else:
        states = read_snapshot(study).runs["state"].tolist()
        assert states.count("finished") == {"runs": 0, "runs/full": 3, "run": 5}[name]
        with pytest.raises(StoreError, match="link"):
            study.check_folders(study.existing_record().runs)
    assert {file: file.stat().st_mtime_ns for file in outside.rglob("*")} == before


def test_a_link_among_the_diagrams_is_neither_embedded_nor_copied(study: StudyFolder, tmp_path: Path) -> None:
    secret = tmp_path / "secret.svg"
    secret.write_text("<svg>canary</svg>")
    study.diagrams.mkdir()
    (study.diagrams / "full.svg").symlink_to(secret)
    run = study.run(study.existing_record().runs[0])
    (run.path / "weights").symlink_to(tmp_path)
    (run.path / "notes.csv").symlink_to(secret)
    summary = collect(study)
    assert "Y2FuYXJ5" not in study.page.read_text() and "canary" not in study.page.read_text()
    assert any("diagrams/full.svg" in note and "notes.csv" in note for note in summary.notes)
    merged = merge([study.path], tmp_path / "merged")
    assert any("weights" in message for message in merged.messages)
    assert not [path for path in merged.folder.path.rglob("*") if path.is_symlink()]


def test_locks_and_logs_are_not_opened_through_links(study: StudyFolder, run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    (run.path / "curves.csv").unlink()
    (run.path / "curves.csv").symlink_to(tmp_path / "precious")
    run.append_curves(1, {"loss": 0.5})
    (study.path / ".lock").unlink(missing_ok=True)
    (study.path / ".lock").symlink_to(tmp_path / "made")
    with pytest.raises(StoreError), study.lock():
        pass
    assert (tmp_path / "precious").read_text() == "x"
    assert not (tmp_path / "made").exists()


def test_a_path_that_leads_out_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path / "a" / ".." / ".." / "b", tmp_path.parent, Path("/etc")):
        with pytest.raises(StoreError):
            check_inside(folder, tmp_path)
    check_inside(tmp_path / "not" / "yet", tmp_path)
    assert read_file(tmp_path / "nothing", tmp_path) is None


def test_what_earlier_versions_wrote_is_still_read(study: StudyFolder, run: RunFolder) -> None:
    for path in (study.plan, run.path / "status.json", run.path / "result.json"):
        edit(path, lambda values: values.pop("files", None))
    assert read_snapshot(study).runs["state"].tolist() == ["finished"] * 6
    assert run.status().state == FINISHED


def test_a_status_survives_half_of_a_surrogate_pair(run: RunFolder) -> None:
    run.write_status(Status(FINISHED, error="name \udcff 🙂"))
    assert run.status().error == "name \\udcff 🙂"


@pytest.mark.parametrize("name", ["status.json", "result.json"])
def test_a_file_of_another_run_is_not_taken_for_its_own(name: str, study: StudyFolder, run: RunFolder) -> None:
    other = study.run(study.existing_record().runs[4])
    (run.path / name).write_bytes((other.path / name).read_bytes())
    summary = read_report(study).summary
    assert summary.runs["reason"].tolist() == ["unreadable", "", "", "", "", ""]
    assert any(name in note and "another run" in note for note in summary.notes)


def test_a_field_of_any_length_costs_only_a_curve(study: StudyFolder, run: RunFolder) -> None:
    (run.path / "result.json").unlink()
    (run.path / "curves.csv").write_text("epoch,loss\n1," + "9" * 300_000 + "\n")
    assert len(run.curves()) == 1
    assert len(read_snapshot(study).curves["seed"].unique()) == 3


def test_files_that_changed_after_the_end_are_listed(run: RunFolder) -> None:
    result = run.result()
    assert result is not None and list(result.files) == [".hydra/config.yaml", "curves.csv"]
    assert run.changed_files(result) == []
    (run.path / ".hydra" / "config.yaml").write_text("seed: 9\n")
    (run.path / "curves.csv").unlink()
    assert run.changed_files(result) == [".hydra/config.yaml", "curves.csv"]


def test_a_lost_status_is_said(study: StudyFolder, run: RunFolder) -> None:
    (run.path / "status.json").unlink()
    summary = read_report(study).summary
    assert summary.runs["reason"].tolist() == ["unreadable", "", "", "", "", ""]
    assert any("full, seed 0" in note and "status.json" in note for note in summary.notes)


def test_runs_that_the_plan_does_not_have_are_said(study: StudyFolder, tmp_path: Path) -> None:
    other = write_study(tmp_path / "other", grid_plan(1, 2))
    study.plan.write_bytes(other.plan.read_bytes())
    assert len(read_snapshot(study).unplanned) == 2
    assert any("plan.json" in note and "runs/full/2-" in note for note in read_report(study).summary.notes)
    assert any("runs/full/2-" in line for line in status_lines(study))
