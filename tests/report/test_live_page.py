"""The page while a study goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fake_studies import grid_plan, write_study

from ablate.report.live import LivePage, write_live
from ablate.store import FINISHED, StudyFolder, write_json


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    return write_study(tmp_path / "live", grid_plan(1, 2), states=["waiting"])


def test_it_is_written_again_after_each_run(study: StudyFolder, until: Callable[..., None]) -> None:
    runs = study.existing_record().runs
    with LivePage(study, runs, interval=0.01):
        until(lambda: study.page.exists() and "1 waiting" in study.page.read_text())
        assert '<body data-live="5">' in study.page.read_text()
        study.run(runs[0]).write_status(replace(study.run(runs[0]).status(), state="failed", reason="raised"))
        until(lambda: "1 failed" in study.page.read_text())


def test_nothing_is_written_while_nothing_happens(study: StudyFolder, until: Callable[..., None]) -> None:
    with LivePage(study, study.existing_record().runs, interval=0.01) as live:
        until(study.page.exists)
        until(lambda: live._shown is not None)
        before = study.page.stat().st_mtime_ns
        stood = live._looks
        until(lambda: live._looks > stood + 3)
        assert study.page.stat().st_mtime_ns == before


def test_a_short_study_has_no_live_page(study: StudyFolder) -> None:
    with LivePage(study, study.existing_record().runs):
        pass
    assert not study.page.exists()


def test_after_an_interruption_the_page_stops_waiting(study: StudyFolder, until: Callable[..., None]) -> None:
    with pytest.raises(KeyboardInterrupt), LivePage(study, study.existing_record().runs, interval=0.01):
        until(study.page.exists)
        raise KeyboardInterrupt
    assert "<body>" in study.page.read_text()
    assert "The same command resumes the study." in study.page.read_text()


def test_what_no_page_can_be_made_of_stops_no_study(study: StudyFolder, caplog: pytest.LogCaptureFixture) -> None:
    run = study.existing_record().runs[1]
    assert study.run(run).status().state == FINISHED
    for planned in study.existing_record().runs:
        write_json(study.run(planned).path / "result.json", {"metrics": {"other": 1.0}, "versions": {}})
    with caplog.at_level("DEBUG", logger="ablate.report.live"):
        assert not write_live(study)
    assert "has the metric 'test_accuracy'" in caplog.text
    assert not study.page.exists()
