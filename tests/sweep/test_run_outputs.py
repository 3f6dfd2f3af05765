"""What runs write beside their metric: a curve or a note, the metric where none is returned, and no cost for it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import warm_process
from launchers import LAUNCHERS, need

from ablate.errors import MissingMetric
from ablate.report.study_report import read_report
from ablate.store import Result, RunFolder, StudyFolder
from ablate.store.curves import read_curves
from ablate.sweep.output_metric import MetricSource
from ablate.sweep.recorder import record

ROOT = Path(__file__).parents[2]


def table(folder: Path, name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def recorded(folder: Path, write: Callable[[Path], Any], source: MetricSource | None = None) -> tuple[Result, Any]:
    """The result of a run that writes something, and its curve as columns."""
    run = RunFolder(folder / "run")

    def task() -> Any:
        return write(run.path)

    record(task, run, (source.metric if source else None) or "score", metric_source=source, settings={"lr"})
    result = run.result()
    assert result is not None
    curves = read_curves([run], [result.files])
    assert curves.missing == {}
    return result, curves.table.drop(columns=[name for name in ("run",) if name in curves.table]).to_dict("list")


def three_rows(folder: Path) -> float:
    rows = [[epoch, part, loss] for epoch in (0, 1) for part, loss in (("train", 3 - epoch), ("val", 4 - epoch))]
    table(folder, "log.csv", ["epoch", "phase", "loss"], rows)
    return 0.5


def half_epochs(folder: Path) -> float:
    table(folder, "log.csv", ["epoch", "loss"], [[0.5, 2], [1.0, 1]])
    return 0.5


def half_epochs_with_steps(folder: Path) -> float:
    table(folder, "log.csv", ["epoch", "step", "loss"], [[0.5, 10, 2], [1.0, 20, 1]])
    return 0.5


def predictions(folder: Path) -> float:
    table(folder, "log.csv", ["Epoch", "loss"], [[0, 2], [1, 1]])
    rows = [[epoch, number, number % 2, 0.5] for epoch in (0, 1) for number in range(9)]
    table(folder, "predictions.csv", ["epoch", "id", "target", "prediction"], rows)
    return 0.5


def header_only(folder: Path) -> float:
    table(folder, "log.csv", ["epoch", "loss"], [])
    return 0.5


def text_among_epochs(folder: Path) -> float:
    rows = [[0, 2], ["best", 9], ["epoch", "loss"], [1, "oops"], [2, 1]]
    table(folder, "log.csv", ["epoch", "loss"], rows)
    return 0.5


def steps_below(folder: Path) -> float:
    table(folder, "a/b/steps.csv", ["step", "loss"], [[0, 2], [500, 1]])
    return 0.5


def two_files(folder: Path) -> float:
    table(folder, "train.csv", ["epoch", "loss"], [[0, 2], [1, 1]])
    table(folder, "val.csv", ["epoch", "loss", "acc"], [[0, 4, 0.1], [1, 3, 0.2]])
    return 0.5


def json_lines(folder: Path) -> float:
    lines = [json.dumps({"epoch": epoch, "train": {"loss": 2 - epoch}}) for epoch in (0, 1)]
    (folder / "log.json").write_text("\n".join([*lines, "done", ""]))
    return 0.5


def history(folder: Path) -> float:
    (folder / "history.json").write_text(json.dumps({"loss": [2.0, 1.0]}))
    return 0.5


def versions_of_a_logger(folder: Path) -> float:
    table(folder, "csv/version_0/metrics.csv", ["epoch", "step", "loss", "val"], [[0, 9, 7, ""]])
    rows = [[0, 4, 3, ""], [0, 9, 2, ""], [0, 9, "", 5], [1, 19, 1, ""], [1, 19, "", 4]]
    table(folder, "csv/version_1/metrics.csv", ["epoch", "step", "loss", "val"], rows)
    return 0.5


def curves_of_its_own(folder: Path) -> float:
    table(folder, "curves.csv", ["epoch", "loss", "note"], [[0, 2, "x"], [0, 3, "y"], [1, 1, "z"]])
    return 0.5


def damage(folder: Path) -> float:
    (folder / "log.csv").write_bytes(b'epoch,"loss\n\xff\xfe\0,1\n' * 3)
    (folder / "metrics.json").write_text('{"a": ')
    (folder / "deep.json").write_text("[" * 5000)
    (folder / "events.out.tfevents.1.host").write_bytes(b"\1" * 40)
    (folder / "to nowhere.csv").symlink_to("/proc/self/mem")
    return 0.5


WRITTEN: dict[Callable[[Path], float], tuple[dict[str, list[float]], str]] = {
    three_rows: ({"epoch": [0, 1], "train_loss": [3, 2], "val_loss": [4, 3]}, "told apart by 'phase'"),
    half_epochs: ({}, "parts of epochs (0.5)"),
    half_epochs_with_steps: ({"epoch": [10, 20], "loss": [2, 1]}, "counts 'step'"),
    predictions: ({"epoch": [0, 1], "loss": [2, 1]}, "predictions.csv has many rows of an epoch"),
    header_only: ({}, ""),
    text_among_epochs: ({"epoch": [0, 1, 2], "loss": [2, None, 1]}, "without a number in 'epoch'"),
    steps_below: ({"epoch": [0, 500], "loss": [2, 1]}, "counts 'step' of a/b/steps.csv"),
    two_files: ({"epoch": [0, 1], "train_loss": [2, 1], "val_loss": [4, 3], "acc": [0.1, 0.2]}, ""),
    json_lines: ({"epoch": [0, 1], "train.loss": [2, 1]}, "1 line without an object"),
    history: ({"epoch": [1, 2], "loss": [2, 1]}, "counted from 1"),
    versions_of_a_logger: ({"epoch": [0, 1], "step": [9, 19], "loss": [2, 1], "val": [5, 4]}, "an earlier start"),
    curves_of_its_own: ({"epoch": [0, 1], "loss": [3, 1]}, "more than one row for epoch 0"),
    damage: ({}, "metrics.json: is no JSON"),
}


@pytest.mark.parametrize("write", WRITTEN, ids=lambda write: write.__name__)
def test_what_a_run_writes_gives_a_curve_or_a_note_and_never_costs_the_metric(
    write: Callable[[Path], float], tmp_path: Path
) -> None:
    expected, phrase = WRITTEN[write]
    result, curve = recorded(tmp_path, write)
    assert result.metrics["score"] == 0.5
    found = {name: [None if value != value else value for value in values] for name, values in curve.items()}
    assert {name: values for name, values in found.items() if values} == expected
    assert phrase in "; ".join(result.notes)
    assert bool(result.notes) == bool(phrase)


def test_a_task_that_writes_its_curve_with_our_interface_keeps_it(tmp_path: Path) -> None:
    def write(folder: Path) -> float:
        RunFolder(folder).append_curves(1, {"loss": 0.25})
        return 0.5

    result, curve = recorded(tmp_path, write)
    assert curve == {"epoch": [1], "loss": [0.25]}
    assert result.notes == ()


def summary_file(folder: Path, values: dict[str, Any]) -> None:
    path = folder / "wandb" / "offline-run-20260101_101010-ab12cd34" / "files" / "wandb-summary.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(values))


def test_w_and_b_offline_gives_the_metric_without_what_it_keeps_for_itself(tmp_path: Path) -> None:
    result, _ = recorded(
        tmp_path,
        lambda folder: summary_file(folder, {"_step": 9, "_wandb": {"runtime": 3}, "test/acc": 0.75, "lr": 0.1}),
        MetricSource("test/acc"),
    )
    assert {name for name in result.metrics if not name.startswith("seconds")} == {"test/acc"}
    assert result.metrics["test/acc"] == 0.75
    assert "wandb-summary.json" in result.notes[0]


def message(number: int, content: bytes) -> bytes:
    """A field of a protobuf message; numbers and lengths below 128 take one byte, 16 takes two as a tag."""
    tag = number << 3 | 2
    head = bytes([tag]) if tag < 128 else bytes([tag & 127 | 128, tag >> 7])
    return head + bytes([len(content)]) + content


def wandb_log(folder: Path, rows: Sequence[dict[str, float]]) -> None:
    """A log of W&B in offline mode: one fragment a record, whose checksum is not looked at."""
    path = folder / "wandb" / "offline-run-20260101_101010-ab12cd34" / "run-ab12cd34.wandb"
    path.parent.mkdir(parents=True)
    data = b":W&B\xe1\xbe\0"
    for row in rows:
        items = [message(1, message(1, name.encode()) + message(16, json.dumps(row[name]).encode())) for name in row]
        record = message(2, b"".join(items))
        data += b"\0" * 4 + len(record).to_bytes(2, "little") + b"\1" + record
    path.write_bytes(data + b"\0" * 4 + b"\xff\0\1cut off")


def test_the_log_of_w_and_b_offline_is_a_curve_and_gives_the_metric(tmp_path: Path) -> None:
    rows = [{"epoch": epoch, "test/acc": 0.5 + epoch / 8, "_step": epoch, "_runtime": 0.1} for epoch in (0, 1)]
    result, curve = recorded(tmp_path, lambda folder: wandb_log(folder, rows), MetricSource("test/acc"))
    assert result.metrics["test/acc"] == 0.625
    assert curve == {"epoch": [0, 1], "test/acc": [0.5, 0.625]}
    assert "wandb/run-*/run-*.wandb" in result.notes[0]
    assert any("cut off or damaged" in note for note in result.notes)


def test_a_file_with_the_result_counts_before_the_last_row_of_a_curve(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        table(folder, "log.csv", ["epoch", "acc"], [[0, 0.1], [1, 0.2]])
        (folder / "metrics.json").write_text('{"acc": 0.9, "lr": 0.1}')

    result, curve = recorded(tmp_path, write, MetricSource("acc"))
    assert result.metrics["acc"] == 0.9
    assert curve["acc"] == [0.1, 0.2]


def test_the_last_line_of_a_log_that_fits_a_pattern_gives_the_metric(tmp_path: Path) -> None:
    def write(folder: Path) -> str:
        (folder / "train.log").write_text("[INFO] accuracy: 12.5%\n[INFO] accuracy: 93.5%\nbye\n")
        return "done"

    result, _ = recorded(tmp_path, write, MetricSource("accuracy", pattern="accuracy: ([0-9.]+%)"))
    assert result.metrics["accuracy"] == 93.5
    assert "train.log" in result.notes[0]


@pytest.mark.parametrize(
    ("write", "source", "phrase"),
    [
        (lambda folder: None, MetricSource(), "hydra.sweeper.metric_pattern="),
        (lambda folder: {"path": str(folder)}, MetricSource("acc"), "hydra.job.chdir=true"),
        (lambda folder: (folder / "m.json").write_text('{"loss": 1}') and None, MetricSource("acc"), "It has loss"),
        (lambda folder: None, MetricSource("acc", pattern="acc: (.*)"), "hydra/launcher=workers"),
        (
            lambda folder: [(folder / f"{n}.json").write_text(f'{{"acc": {n}}}') for n in (1, 2)] and None,
            MetricSource("acc"),
            "hydra.sweeper.results=1.json",
        ),
        (
            lambda folder: (folder / "m.json").write_text('{"loss": 1}') and None,
            MetricSource("loss", results="n.json"),
            "m.json",
        ),
    ],
)
def test_a_run_without_a_metric_says_what_to_do(
    write: Callable[[Path], Any], source: MetricSource, phrase: str, tmp_path: Path
) -> None:
    run, stop = RunFolder(tmp_path / "run"), tmp_path / ".no-metric"
    with pytest.raises(MissingMetric) as caught:
        record(lambda: write(run.path), run, metric_source=source, no_metric=stop)
    assert phrase in str(caught.value)
    assert run.status().reason == "no metric"
    assert record(lambda: pytest.fail("it ran"), RunFolder(tmp_path / "next"), no_metric=stop) is None


def test_a_column_of_two_logs_is_named_as_in_their_curve(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        for name, reward in (("train", 1), ("eval", 9)):
            table(folder, f"{name}.csv", ["episode", "episode_reward", "step"], [[0, 0.5, 0], [1, reward, 500]])

    result, curve = recorded(tmp_path, write, MetricSource("eval_episode_reward"))
    assert result.metrics["eval_episode_reward"] == 9
    assert curve["epoch"] == [0, 500] and curve["train_episode_reward"] == [0.5, 1]
    with pytest.raises(MissingMetric, match="metric=eval_episode_reward or train_episode_reward"):
        recorded(tmp_path / "again", write, MetricSource("episode_reward"))


APPLICATION = """
import json
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig

ConfigStore.instance().store("settings", {"seed": 0, "style": "returned", "silent": False})


@hydra.main(config_path=None, config_name="settings", version_base="1.3")
def main(config):
    with (Path(__file__).parent / "starts").open("a") as file:
        file.write(config.style + "\\n")
    out = Path(HydraConfig.get().runtime.output_dir)
    accuracy = 0.5 + 0.01 * config.seed + 0.1 * (config.style == "csv")
    if config.silent:
        return None
    if config.style == "csv":
        (out / "csv").mkdir()
        (out / "csv" / "metrics.csv").write_text(f"epoch,loss,acc\\n0,2,\\n0,,0.1\\n1,1,\\n1,,{accuracy}\\n")
        return None
    if config.style == "json":
        (out / "metrics.json").write_text(json.dumps({"acc": accuracy}))
        (out / "log.csv").write_text("epoch,loss\\n0.5,2\\n1,1\\n")
        return {"model": "saved"}
    return {"acc": accuracy}


if __name__ == "__main__":
    main()
"""


def command(folder: Path, launcher: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = folder / "app.py"
    if not path.exists():
        path.write_text(APPLICATION)
    words = ("-m", "hydra/sweeper=ablation", *LAUNCHERS[launcher], "hydra.sweeper.seeds=2", "hydra.sweeper.metric=acc")
    return warm_process.run(
        [sys.executable, "app.py", *words, "hydra.sweeper.figures=[effects]", "hydra.sweeper.name=s", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("launcher", ["basic", "joblib", "workers", "isolated"])
def test_applications_that_return_nothing_are_measured_by_what_they_write(launcher: str, tmp_path: Path) -> None:
    need(launcher)
    ended = command(tmp_path, launcher, "style=returned,csv,json")
    assert ended.returncode == 0, ended.stderr
    report = read_report(StudyFolder(tmp_path / "outputs" / "s"))
    assert report.summary.values == {
        "style=returned": {1: 0.51, 2: 0.52},
        "style=csv": {1: 0.61, 2: 0.62},
        "style=json": {1: 0.51, 2: 0.52},
    }
    curves = report.summary.curves
    assert curves["cell"].unique().tolist() == ["style=csv"]
    assert curves["loss"].tolist() == [2, 1, 2, 1]
    assert "csv/metrics.csv" in ended.stdout and "parts of epochs" in ended.stdout


@pytest.mark.parametrize("launcher", ["basic", "joblib", "workers", "isolated"])
def test_where_there_is_nothing_to_read_the_study_stops_after_the_first_runs(launcher: str, tmp_path: Path) -> None:
    need(launcher)
    ended = command(tmp_path, launcher, "style=returned,csv,json", "silent=true")
    assert ended.returncode == 1
    starts = (tmp_path / "starts").read_text().split()
    assert len(starts) <= (1 if launcher == "basic" else 2)
    assert "metric_pattern" in ended.stdout and "no further run was started" in ended.stdout
