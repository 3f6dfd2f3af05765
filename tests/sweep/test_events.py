"""What observers are notified of, under every way to carry out a study."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import ablate
from ablate.store import FAILED, FINISHED, RUNNING, PlannedRun, Result, Status, StudyFolder
from ablate.store.study_folder import StudyRecord
from ablate.study import Factor, Level, Study, make_plan
from ablate.sweep.events import (
    EpochEnded,
    Event,
    RoundStarted,
    RunEnded,
    RunStarted,
    StudyEnded,
    StudyStarted,
    Watcher,
)


class Notes:
    """An observer that keeps all events."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def check_complete(events: Sequence[Event], runs: Sequence[tuple[str, int]]) -> None:
    """Each run has started before it ended, and has ended once, within the study."""
    assert isinstance(events[0], StudyStarted)
    assert isinstance(events[1], RoundStarted)
    assert isinstance(events[-1], StudyEnded)
    ends = [event for event in events if isinstance(event, RunEnded)]
    assert Counter((event.run.cell, event.run.seed) for event in ends) == Counter(runs)
    assert events[-1].finished == sum(event.state == FINISHED for event in ends)
    assert events[-1].failed == sum(event.state == FAILED for event in ends)
    planned = [run for event in events if isinstance(event, RoundStarted) for run in event.runs]
    for end in ends:
        own = [event for event in events if getattr(event, "run", None) == end.run]
        assert isinstance(own[0], RunStarted)
        assert own[-1] is end
        assert end.run in planned
        assert end.cell.name == end.run.cell


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Notes:
    """Observes the studies that the sweeper carries out in this process."""
    notes = Notes()
    monkeypatch.setattr("ablate.sweep.execution.LivePage", lambda: notes)
    return notes


@pytest.mark.parametrize(
    "launcher",
    ["basic", pytest.param("workers", marks=pytest.mark.slow), pytest.param("isolated", marks=pytest.mark.slow)],
)
def test_every_run_ends_once_under_every_launcher(toy_here: Any, notes: Notes, launcher: str) -> None:
    toy_here.trouble("3-1", "raise")
    ended = toy_here.call("depth=2,3", f"hydra/launcher={launcher}")
    assert ended.code == 1, ended.err
    cells = [cell.name for cell in toy_here.study().existing_record().plan.cells]
    check_complete(notes.events, [(cell, seed) for cell in cells for seed in (0, 1)])
    (failed,) = [event for event in notes.of(RunEnded) if event.state == FAILED]
    assert (failed.cell.levels, failed.run.seed, failed.reason) == ({"depth": "3"}, 1, "raised")
    assert failed.error == "ValueError: a bad day"
    (best,) = [event for event in notes.of(RunEnded) if event.run.seed == 0 and event.cell.levels == {"depth": "3"}]
    assert best.metrics["score"] == pytest.approx(0.53)
    assert notes.of(StudyEnded) == [StudyEnded(3, 1)]


def test_what_has_ended_before_is_not_reported_again(toy_here: Any, notes: Notes) -> None:
    toy_here.trouble("3-1", "raise")
    toy_here.call("depth=2,3", "hydra/launcher=basic")
    notes.events.clear()
    toy_here.call("depth=2,3", "hydra/launcher=basic", "hydra.sweeper.seeds=[0,1,2]")
    assert sorted(event.run.seed for event in notes.of(RunEnded)) == [2, 2]
    notes.events.clear()
    toy_here.mend("3-1")
    toy_here.call("depth=2,3", "hydra/launcher=basic", "hydra.sweeper.seeds=[0,1,2]", "hydra.sweeper.retry_failed=true")
    assert [(event.run.seed, event.state) for event in notes.of(RunEnded)] == [(1, FINISHED)]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["workers", "isolated"])
def test_a_run_that_is_always_killed_starts_twice_and_fails_once(toy_here: Any, notes: Notes, launcher: str) -> None:
    toy_here.trouble("3-1", "kill")
    assert toy_here.call("depth=2,3", f"hydra/launcher={launcher}").code == 1
    cells = [cell.name for cell in toy_here.study().existing_record().plan.cells]
    check_complete(notes.events, [(cell, seed) for cell in cells for seed in (0, 1)])
    (failed,) = [event for event in notes.of(RunEnded) if event.state == FAILED]
    assert failed.reason == "killed"
    assert notes.of(RunStarted)


@pytest.mark.slow
def test_a_run_that_is_killed_once_ends_once(
    toy_here: Any, notes: Notes, until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Someone kills the worker from outside, while it trains."""
    (toy_here.folder / "wait").touch()
    pids: list[int] = []

    def kill() -> None:
        study = toy_here.study()
        until(lambda: study.plan.exists() and any(run_status(study).values()))
        until(lambda: len(notes.of(RunStarted)) >= 1)
        run, pid = next((run, pid) for run, pid in run_status(study).items() if pid)
        pids.append(pid)
        os.kill(pid, signal.SIGKILL)
        until(lambda: not study.run(run).is_held())
        (toy_here.folder / "wait").unlink()

    def run_status(study: StudyFolder) -> dict[PlannedRun, int | None]:
        return {run: study.run(run).status().pid for run in study.existing_record().runs}

    thread = threading.Thread(target=kill)
    thread.start()
    ended = toy_here.call("depth=2,3", "hydra/launcher=workers", "hydra.launcher.workers=1")
    thread.join()
    assert ended.code == 0, ended.err
    assert pids
    cells = [cell.name for cell in toy_here.study().existing_record().plan.cells]
    check_complete(notes.events, [(cell, seed) for cell in cells for seed in (0, 1)])
    assert notes.of(StudyEnded) == [StudyEnded(4, 0)]
    starts = Counter((event.run.cell, event.run.seed) for event in notes.of(RunStarted))
    assert sorted(starts.values()) == [1, 1, 1, 2]
    assert sorted(event.attempt for event in notes.of(RunStarted))[-1] in (1, 2)


def train(config: dict[str, Any]) -> float:
    return 0.9 + 0.05 * config["residual"] + 0.001 * config["seed"] ** (1 + config["residual"])


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_study_of_a_function_is_observed_too(tmp_path: Path, workers: int) -> None:
    notes = Notes()
    summary = ablate.run(
        train, {"residual": [True, False]}, seeds=2, outputs=tmp_path, workers=workers, observers=[notes]
    )
    cells = [cell.name for cell in summary.plan.cells]
    check_complete(notes.events, [(cell, seed) for cell in cells for seed in (0, 1)])
    assert notes.of(StudyStarted)[0].folder == tmp_path / "residual"
    again = Notes()
    ablate.run(train, {"residual": [True, False]}, seeds=2, outputs=tmp_path, observers=[again])
    assert [type(event) for event in again.events] == [StudyStarted, StudyEnded]


@pytest.mark.usefixtures("no_figures")
def test_under_the_sequential_rule_every_run_of_every_round_ends_once(tmp_path: Path) -> None:
    notes = Notes()

    def noisy(config: dict[str, Any]) -> float:
        return 0.9 + random.Random(str(sorted(config.items()))).gauss(0, 0.01)

    factors, limits = {"residual": [True, False]}, {"margin": 0.01, "max_seeds": 5}
    summary = ablate.run(noisy, factors, seeds="auto", outputs=tmp_path, observers=[notes], **limits)
    runs = summary.runs[["cell", "seed"]].to_numpy().tolist()
    names = {cell.label: cell.name for cell in summary.plan.cells}
    check_complete(notes.events, [(names[cell], seed) for cell, seed in runs])
    assert len(notes.of(RoundStarted)) > 1


class Raises:
    """An observer that raises at the first run that ends."""

    def __init__(self) -> None:
        self.count = 0

    def on_event(self, event: Event) -> None:
        if isinstance(event, RunEnded):
            self.count += 1
            raise ConnectionError("no server")


@pytest.mark.usefixtures("no_figures")
def test_an_observer_that_raises_is_reported_once_and_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, notes = Raises(), Notes()
    ablate.run(train, {"residual": [True, False]}, seeds=2, outputs=tmp_path, observers=[broken, notes])
    assert broken.count == 1
    assert len(notes.of(RunEnded)) == 4
    message = "Raises failed and gets no further events: ConnectionError: no server\n"
    assert capsys.readouterr().err == message


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    """A study of two planned runs."""
    depth = Factor("depth", (Level("2"), Level("3")), "2")
    plan = make_plan(Study("s", "factorial", (0,), "score"), [depth])
    folder = StudyFolder(tmp_path / "s")
    folder.write_record(StudyRecord(plan, tuple(PlannedRun("a" * 12, cell.name, 0) for cell in plan.cells), {}))
    return folder


def test_epochs_are_reported_once_and_in_order_and_again_where_they_are_repeated(
    study: StudyFolder, until: Callable[..., None]
) -> None:
    notes, record = Notes(), study.existing_record()
    run = record.runs[0]
    folder = study.run(run)
    folder.path.mkdir(parents=True)
    with Watcher(study, record.plan, [notes], interval=0.01) as watcher:
        watcher.start_round([run])
        folder.write_status(Status(RUNNING, attempts=1, started=1.0))
        folder.append_curves(1, {"loss": 0.5})
        folder.append_curves(2, {"loss": 0.25})
        until(lambda: len(notes.of(EpochEnded)) == 2)
        folder.write_status(Status(RUNNING, attempts=2, started=2.0))
        until(lambda: len(notes.of(RunStarted)) == 2)
        folder.append_curves(3, {"loss": 0.125})
        folder.write_result(Result({"score": 1.0}))
        folder.write_status(Status(FINISHED, started=2.0))
        watcher.end_round({run: folder.settled_status()})
    assert [(event.epoch, event.values) for event in notes.of(EpochEnded)] == [
        (1, {"loss": 0.5}),
        (2, {"loss": 0.25}),
        (3, {"loss": 0.125}),
    ]
    assert [event.attempt for event in notes.of(RunStarted)] == [1, 2]
    assert [event.metrics for event in notes.of(RunEnded)] == [{"score": 1.0}]


def test_a_result_that_cannot_be_read_is_a_failure(study: StudyFolder) -> None:
    notes, record = Notes(), study.existing_record()
    run = record.runs[0]
    study.run(run).path.mkdir(parents=True)
    study.run(run).write_status(Status(FINISHED, started=1.0))
    (study.run(run).path / "result.json").write_text("{")
    with Watcher(study, record.plan, [notes]) as watcher:
        watcher.start_round([run])
    assert [(event.state, event.reason) for event in notes.of(RunEnded)] == [(FAILED, "unreadable")]


def test_reading_takes_a_tenth_of_the_time(study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 2))  # each reading takes two seconds
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    watcher = Watcher(study, study.existing_record().plan, [], interval=0.01)
    waits: list[float] = []
    monkeypatch.setattr(watcher._stop, "wait", lambda pause: waits.append(pause) or len(waits) > 2)
    watcher._watch()
    assert waits == [0.01, 20, 20]


def test_an_interruption_ends_the_study_for_observers_too(study: StudyFolder) -> None:
    notes, record = Notes(), study.existing_record()
    with pytest.raises(KeyboardInterrupt), Watcher(study, record.plan, [notes]) as watcher:
        watcher.start_round(record.runs)
        raise KeyboardInterrupt
    assert notes.events[-1] == StudyEnded(0, 0, interrupted=True)
