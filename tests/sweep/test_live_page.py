"""The page while a study goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ablate.store import PlannedRun, Result, Status, StudyFolder
from ablate.store.study_folder import StudyRecord
from ablate.study import Factor, Level, Study, make_plan
from ablate.sweep.events import RunEnded, StudyEnded, StudyStarted
from ablate.sweep.live_page import LivePage, write_live


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    """A study of two cells with two seeds, one of whose runs still waits."""
    depth = Factor("depth", (Level("2"), Level("3")), "2")
    plan = make_plan(Study("live", "factorial", (0, 1), "test_accuracy"), [depth])
    runs = tuple(PlannedRun(f"{seed:012x}", cell.name, seed) for cell in plan.cells for seed in plan.study.seeds)
    folder = StudyFolder(tmp_path / "live")
    folder.write_record(StudyRecord(plan, runs, {}))
    for number, run in enumerate(runs[:3]):
        folder.run(run).path.mkdir(parents=True)
        folder.run(run).write_result(Result({"test_accuracy": 0.9 + 0.01 * number, "seconds": 1.0}))
        folder.run(run).write_status(Status("finished"))
    return folder


def ended(study: StudyFolder) -> RunEnded:
    record = study.existing_record()
    return RunEnded(record.runs[3], record.plan.cells[1], "failed", "raised")


@pytest.fixture
def page(study: StudyFolder) -> Iterator[LivePage]:
    """An observer whose study has started, and which is ended with the test."""
    page = LivePage(interval=0.01)
    page.on_event(StudyStarted(study.path, study.existing_record().plan))
    yield page
    if page._thread.is_alive():
        page.on_event(StudyEnded(0, 0))


def test_it_is_written_again_after_each_run(study: StudyFolder, page: LivePage, until: Callable[..., None]) -> None:
    until(lambda: study.page.exists() and "1 waiting" in study.page.read_text())
    assert '<body data-live="5">' in study.page.read_text()
    study.run(study.existing_record().runs[3]).path.mkdir(parents=True)
    study.run(study.existing_record().runs[3]).write_status(Status("failed", "raised"))
    page.on_event(ended(study))
    until(lambda: "1 failed" in study.page.read_text())


def test_nothing_is_written_without_an_event(
    study: StudyFolder, until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[StudyFolder] = []
    monkeypatch.setattr("ablate.sweep.live_page.write_live", lambda study: written.append(study) or True)
    page = LivePage(interval=0.01)
    waits: list[float] = []
    wait = page._stop.wait
    monkeypatch.setattr(page._stop, "wait", lambda pause: waits.append(pause) or wait(pause))
    page.on_event(StudyStarted(study.path, study.existing_record().plan))
    until(lambda: len(waits) > 5)
    assert len(written) == 1
    page.on_event(ended(study))
    until(lambda: len(written) == 2)
    page.on_event(StudyEnded(0, 1))


def test_a_page_takes_a_twentieth_of_the_time(
    study: StudyFolder, until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 3))  # each page takes three seconds
    monkeypatch.setattr("ablate.sweep.live_page.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("ablate.sweep.live_page.write_live", lambda study: True)
    page = LivePage(interval=0.01)
    waits: list[float] = []

    def wait(pause: float) -> bool:
        waits.append(pause)
        page._changed.set()
        return len(waits) > 3

    monkeypatch.setattr(page._stop, "wait", wait)
    page.on_event(StudyStarted(study.path, study.existing_record().plan))
    page._thread.join(10)
    assert waits == [0.01, 0.01, 60, 60]  # the first page, which loads the libraries, does not count


def test_a_short_study_has_no_live_page(study: StudyFolder) -> None:
    page = LivePage()
    page.on_event(StudyStarted(study.path, study.existing_record().plan))
    page.on_event(StudyEnded(4, 0))
    assert not study.page.exists()


def test_after_an_interruption_the_page_stops_waiting(
    study: StudyFolder, page: LivePage, until: Callable[..., None]
) -> None:
    until(study.page.exists)
    page.on_event(StudyEnded(3, 0, interrupted=True))
    assert "<body>" in study.page.read_text()
    assert "The same command resumes the study." in study.page.read_text()


def test_what_no_page_can_be_made_of_stops_no_study(study: StudyFolder, caplog: pytest.LogCaptureFixture) -> None:
    for planned in study.existing_record().runs[:3]:
        study.run(planned).write_result(Result({"other": 1.0}))
    with caplog.at_level("DEBUG", logger="ablate.sweep.live_page"):
        assert not write_live(study)
    assert "has the metric 'test_accuracy'" in caplog.text
    assert not study.page.exists()
