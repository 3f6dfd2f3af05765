from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ablate.errors import RunError, StoreError
from ablate.store import FAILED, FINISHED, RUNNING, WAITING, PlannedRun, Result, Status, StudyFolder
from ablate.sweep import engine
from ablate.sweep.engine import Job, run_jobs, run_statuses
from ablate.sweep.recorder import record

Launch = Callable[[Sequence[Job]], BaseException | None]


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "study")


JOBS = [Job(PlannedRun(f"{index}{seed}ab", cell, seed), ()) for index, cell in enumerate("ab") for seed in (0, 1)]


class Launcher:
    """Stands in for a launcher: each run does what `acts` says for its first, second, ... start, then finishes."""

    def __init__(self, study: StudyFolder, acts: dict[int, list[str]] | None = None, keep_going: bool = True) -> None:
        self.study, self.acts = study, acts or {}
        self.halt = None if keep_going else study.halt
        self.batches: list[list[int]] = []
        self.starts: Counter[int] = Counter()

    def __call__(self, batch: Sequence[Job]) -> BaseException | None:
        numbers = [JOBS.index(job) for job in batch]
        self.batches.append(numbers)
        for number in numbers:
            acts = self.acts.get(number, [])
            act = acts[self.starts[number]] if self.starts[number] < len(acts) else "finish"
            self.starts[number] += 1
            folder = self.study.run(JOBS[number].run)
            if act == "die":
                before = folder.status()
                folder.write_status(Status(RUNNING, attempts=before.attempts + 1, started=time.time()))
            elif act == "nothing":
                continue
            elif act == "raise":
                with pytest.raises(ValueError):
                    record(lambda: int("x"), folder, halt=self.halt)
            else:
                record(lambda: 1.0, folder, halt=self.halt)
        return None


def states(study: StudyFolder) -> list[str]:
    return [f"{s.state} {s.reason}".strip() for s in run_statuses(study, [job.run for job in JOBS]).values()]


def test_all_runs_are_launched_together_once(study: StudyFolder) -> None:
    launch = Launcher(study)
    run_jobs(study, JOBS, launch)
    assert launch.batches == [[0, 1, 2, 3]]
    assert states(study) == ["finished"] * 4


def test_what_has_finished_is_not_launched(study: StudyFolder) -> None:
    record(lambda: 1.0, study.run(JOBS[1].run))
    launch = Launcher(study)
    run_jobs(study, JOBS, launch)
    assert launch.batches == [[0, 2, 3]]
    run_jobs(study, JOBS, launch)
    assert len(launch.batches) == 1


def test_dead_once_is_launched_again(study: StudyFolder) -> None:
    launch = Launcher(study, {2: ["die"]})
    run_jobs(study, JOBS, launch)
    assert launch.batches == [[0, 1, 2, 3], [2]]
    assert states(study) == ["finished"] * 4


def test_dead_twice_is_failed_and_the_others_finish(study: StudyFolder) -> None:
    launch = Launcher(study, {0: ["die", "die", "die"]})
    ended = run_jobs(study, JOBS, launch)
    assert launch.starts == {0: 2, 1: 1, 2: 1, 3: 1}
    assert states(study) == ["failed killed", "finished", "finished", "finished"]
    assert ended[JOBS[0].run].error == "The process ended without a word (attempt 2)."


def test_the_dead_do_not_take_new_neighbours_along(study: StudyFolder) -> None:
    launch = Launcher(study, {0: ["die"], 1: ["die"]})
    run_jobs(study, JOBS, launch)
    assert states(study) == ["finished"] * 4
    assert launch.batches[0] == [0, 1, 2, 3]
    assert sorted(number for batch in launch.batches[1:] for number in batch) == [0, 1]


def test_a_failure_stops_nothing(study: StudyFolder) -> None:
    launch = Launcher(study, {0: ["raise"]})
    run_jobs(study, JOBS, launch)
    assert states(study) == ["failed raised", "finished", "finished", "finished"]
    assert launch.starts[0] == 1


def test_keep_going_false_stops_at_the_first_failure(study: StudyFolder) -> None:
    launch = Launcher(study, {1: ["raise"]}, keep_going=False)
    run_jobs(study, JOBS, launch, keep_going=False)
    assert states(study) == ["finished", "failed raised", "waiting", "waiting"]
    # All were handed over at once: a launcher of many slots fills them.
    assert launch.batches == [[0, 1, 2, 3]]


def test_after_a_stop_at_the_first_failure_the_rest_can_be_asked_for(study: StudyFolder) -> None:
    run_jobs(study, JOBS, Launcher(study, {1: ["raise"]}, keep_going=False), keep_going=False)
    run_jobs(study, JOBS, Launcher(study, keep_going=False), keep_going=False, retry_failed=True)
    assert states(study) == ["finished"] * 4


def test_failures_stay_unless_they_are_asked_for_again(study: StudyFolder) -> None:
    launch = Launcher(study, {1: ["raise"]})
    run_jobs(study, JOBS, launch)
    run_jobs(study, JOBS, launch)
    assert launch.starts[1] == 1
    run_jobs(study, JOBS, launch, retry_failed=True)
    assert launch.starts == {0: 1, 1: 2, 2: 1, 3: 1}
    assert states(study) == ["finished"] * 4


def test_a_run_that_was_killed_twice_can_be_asked_for_again(study: StudyFolder) -> None:
    run_jobs(study, JOBS, Launcher(study, {3: ["die", "die"]}))
    run_jobs(study, JOBS, Launcher(study), retry_failed=True)
    assert states(study) == ["finished"] * 4


def test_a_run_in_another_process_is_waited_for_and_not_launched(study: StudyFolder) -> None:
    taken = study.run(JOBS[0].run)
    begun, go = threading.Event(), threading.Event()

    def other() -> None:
        def task() -> float:
            begun.set()
            go.wait(30)
            return 2.0

        record(task, taken)

    thread = threading.Thread(target=other)
    thread.start()
    begun.wait(30)
    launch = Launcher(study)
    threading.Timer(0.3, go.set).start()
    run_jobs(study, JOBS, launch, poll=0.02)
    thread.join()
    assert launch.batches == [[1, 2, 3]]
    assert states(study) == ["finished"] * 4
    result = taken.result()
    assert result is not None
    assert result.metrics["value"] == 2.0


def test_a_launcher_that_never_starts_a_run_is_told(study: StudyFolder) -> None:
    calls = []

    def launch(batch: Sequence[Job]) -> BaseException:
        calls.append(batch)
        return ConnectionError("no cluster")

    with pytest.raises(RunError) as caught:
        run_jobs(study, JOBS, launch)
    assert len(calls) == 2
    assert str(caught.value) == (
        "The launcher returned twice without starting a run: ConnectionError: no cluster. "
        f"The first was '{study.run(JOBS[0].run).path}'."
    )


def test_a_launcher_that_loses_a_part_of_the_batch_is_asked_again(study: StudyFolder) -> None:
    whole = Launcher(study)
    asked = []

    def launch(batch: Sequence[Job]) -> BaseException | None:
        asked.append(len(batch))
        whole(batch[:1])
        return RuntimeError("a neighbour died")

    run_jobs(study, JOBS, launch)
    assert states(study) == ["finished"] * 4
    assert asked == [4, 3, 2, 1]


def test_each_run_has_its_status(study: StudyFolder) -> None:
    study.run(JOBS[0].run).write_result(Result({"value": 1.0}))
    study.run(JOBS[0].run).write_status(Status(FINISHED))
    study.run(JOBS[1].run).write_status(Status(RUNNING, attempts=1))
    study.run(JOBS[2].run).write_status(Status(FAILED, "raised"))
    found = run_statuses(study, [job.run for job in JOBS])
    assert [status.state for status in found.values()] == [FINISHED, WAITING, FAILED, WAITING]


def test_a_run_that_comes_back_waiting_three_times_has_failed(study: StudyFolder) -> None:
    starts: Counter[int] = Counter()

    def launch(batch: Sequence[Job]) -> None:
        for number in map(JOBS.index, batch):
            starts[number] += 1
            folder = study.run(JOBS[number].run)
            if number == 1:
                folder.write_status(Status(WAITING, "interrupted", started=float(starts[number])))
            else:
                record(lambda: 1.0, folder)

    ended = run_jobs(study, JOBS, launch)
    assert starts == {0: 1, 1: 3, 2: 1, 3: 1}
    assert states(study) == ["finished", "failed interrupted", "finished", "finished"]
    assert "3 times" in ended[JOBS[1].run].error


def test_a_run_that_gets_further_every_time_may_come_back_often(study: StudyFolder) -> None:
    folder, starts = study.run(JOBS[0].run), []

    def launch(batch: Sequence[Job]) -> None:
        starts.append(1)
        if len(starts) == 6:
            record(lambda: 1.0, folder)
        else:
            folder.write_status(Status(RUNNING, attempts=1, started=float(len(starts)), epochs=len(starts) - 1))

    run_jobs(study, JOBS[:1], launch)
    assert len(starts) == 6
    assert folder.status().state == FINISHED


@pytest.mark.parametrize("data", ['{"state": "paused"}', '{"state": 5}', "[]"])
def test_a_status_that_cannot_be_understood_costs_no_run(data: str, study: StudyFolder) -> None:
    folder = study.run(JOBS[1].run)
    folder.path.mkdir(parents=True)
    (folder.path / "status.json").write_text(data)
    run_jobs(study, JOBS, Launcher(study))
    assert states(study) == ["finished"] * 4


class OneByOne(Launcher):
    """Like Hydra's basic launcher: runs go on in turn, and what a run's folder raises ends the launch."""

    def __call__(self, batch: Sequence[Job]) -> BaseException | None:
        try:
            return super().__call__(batch)
        except StoreError as error:
            return error


@pytest.mark.parametrize("bad", [0, 1, 3])
@pytest.mark.parametrize("spoil", ["folder", "status"])
def test_a_run_whose_folder_cannot_be_written_costs_no_other(bad: int, spoil: str, study: StudyFolder) -> None:
    folder = study.run(JOBS[bad].run)
    if spoil == "folder":
        folder.path.parent.mkdir(parents=True)
        folder.path.write_text("a file where the folder should be")
    else:
        (folder.path / "status.json").mkdir(parents=True)
    ended = run_jobs(study, JOBS, OneByOne(study))
    assert [ended[job.run].state for job in JOBS] == [FAILED if number == bad else FINISHED for number in range(4)]
    assert str(folder.path) in ended[JOBS[bad].run].error


@pytest.mark.parametrize("bad", [[0], [2], [3], [0, 1], [1, 3]])
def test_runs_that_never_start_cost_no_other(bad: list[int], study: StudyFolder) -> None:
    whole = Launcher(study)

    def launch(batch: Sequence[Job]) -> BaseException | None:
        for job in batch:
            if JOBS.index(job) in bad:
                return ValueError("not this one")
            whole([job])
        return None

    ended = run_jobs(study, JOBS, launch)
    assert [ended[job.run].state for job in JOBS] == [FAILED if number in bad else FINISHED for number in range(4)]
    assert all("not this one" in ended[JOBS[number].run].error for number in bad)


def test_a_lock_that_a_dead_process_left_to_its_child_is_not_waited_for(study: StudyFolder) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    folder = study.run(JOBS[0].run)
    folder.write_status(Status(RUNNING, attempts=1, pid=dead.pid, host=socket.gethostname()))
    with folder.hold():
        ended = run_jobs(study, JOBS, Launcher(study), poll=0.01)
    assert (ended[JOBS[0].run].state, ended[JOBS[0].run].reason) == (FAILED, "killed")
    assert [ended[job.run].state for job in JOBS[1:]] == [FINISHED] * 3


def test_a_run_that_is_held_in_silence_is_not_waited_for_without_an_end(
    study: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PATIENCE", 0.1)
    with study.run(JOBS[2].run).hold():
        ended = run_jobs(study, JOBS, Launcher(study), poll=0.01)
    assert [ended[job.run].state for job in JOBS] == [FINISHED, FINISHED, FAILED, FINISHED]
