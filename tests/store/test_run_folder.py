from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.errors import StoreError
from ablate.store import FAILED, FINISHED, RUNNING, WAITING, Result, RunFolder, Status
from ablate.store.curves import read_curves


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "runs" / "full" / "0-abc")


def test_a_folder_that_is_not_there_is_a_waiting_run(folder: RunFolder) -> None:
    assert folder.status() == Status()
    assert folder.status().state == WAITING
    assert folder.settled_status() == Status()
    assert folder.result() is None
    assert folder.curves() == []
    assert not folder.is_held()
    assert not folder.path.exists()


def test_status_and_result_survive_the_way(folder: RunFolder) -> None:
    status = Status(FAILED, "raised", "ValueError: größer", 1, 10.5, 12.0, 77, "here", 3)
    folder.write_status(status)
    assert folder.status() == status
    result = Result({"accuracy": 0.1 + 0.2, "seconds": 4.0}, {"python": "3.11"}, {"note": "fine", "none": None})
    folder.write_result(result)
    assert folder.result() == result


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"state": ', "null"])
def test_a_broken_status_is_a_waiting_run(text: str, folder: RunFolder) -> None:
    folder.path.mkdir(parents=True)
    (folder.path / "status.json").write_text(text)
    status = folder.status()
    assert (status.state, status.reason) == ("waiting", "unreadable") and "status.json" in status.error


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, ""),
        ("", ""),
        ("epoch,loss\n", ""),
        ("epoch,loss\n1,0.5\n2,0.", ""),
        ("step,loss\n1,0.5\n", "has no column 'epoch' (its columns: step, loss)"),
        ("epoch,loss\n1\n2\n", "has no row with the number of an epoch and as many fields as columns"),
    ],
)
def test_what_keeps_a_curve_from_being_drawn_is_said(text: str | None, fault: str, folder: RunFolder) -> None:
    folder.path.mkdir(parents=True)
    if text is not None:
        (folder.path / "curves.csv").write_text(text)
    assert read_curves([folder]).missing == ({0: f"curves.csv {fault}"} if fault else {})


def test_a_status_of_a_later_version_keeps_what_is_known(folder: RunFolder) -> None:
    folder.path.mkdir(parents=True)
    (folder.path / "status.json").write_text('{"state": "finished", "colour": "blue"}')
    assert folder.status() == Status(FINISHED)


def test_a_broken_result_is_told(folder: RunFolder) -> None:
    folder.path.mkdir(parents=True)
    (folder.path / "result.json").write_text('{"metrics"')
    with pytest.raises(StoreError) as caught:
        folder.result()
    assert str(caught.value).startswith(f"Cannot read the result '{folder.path / 'result.json'}': ")


def test_a_running_run_that_is_held_runs(folder: RunFolder) -> None:
    folder.write_status(Status(RUNNING, attempts=2))
    with folder.hold() as held:
        assert held
        assert folder.settled_status().state == RUNNING


def test_dead_once_waits_dead_twice_failed(folder: RunFolder) -> None:
    folder.write_status(Status(RUNNING, attempts=1, pid=5))
    once = folder.settled_status()
    assert (once.state, once.reason, once.pid) == (WAITING, "killed", None)
    assert once.error == "The process ended without a word (attempt 1)."
    folder.write_status(Status(RUNNING, attempts=2, pid=5))
    twice = folder.settled_status()
    assert (twice.state, twice.reason) == (FAILED, "killed")
    assert twice.error == "The process ended without a word (attempt 2)."


@pytest.mark.parametrize("state", [WAITING, FINISHED, FAILED])
def test_what_is_not_running_settles_as_it_is(state: str, folder: RunFolder) -> None:
    status = Status(state, "raised" if state == FAILED else "", attempts=2)
    folder.write_status(status)
    assert folder.settled_status() == status


def test_a_run_that_ends_between_two_looks_is_not_called_dead(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write_status(Status(RUNNING, attempts=1))

    def ended(self: RunFolder) -> bool:
        self.write_status(Status(FINISHED))
        return False

    monkeypatch.setattr(RunFolder, "is_held", ended)
    assert folder.settled_status().state == FINISHED


def test_curves_append_and_read_back(folder: RunFolder) -> None:
    folder.path.mkdir(parents=True)
    folder.append_curves(1, {"loss": 0.1 + 0.2, "accuracy": 1})
    folder.append_curves(2, {"loss": 1e-300, "accuracy": 0.5})
    assert folder.curves() == [
        {"epoch": 1.0, "loss": 0.1 + 0.2, "accuracy": 1.0},
        {"epoch": 2.0, "loss": 1e-300, "accuracy": 0.5},
    ]
    assert (folder.path / "curves.csv").read_text().splitlines()[:2] == [
        "epoch,loss,accuracy",
        f"1,{0.1 + 0.2!r},1",
    ]


def test_a_new_column_rewrites_the_file_and_a_missing_one_stays_empty(folder: RunFolder) -> None:
    folder.append_curves(1, {"loss": 0.5})
    folder.append_curves(2, {"loss": 0.4, "rate": 0.01})
    folder.append_curves(3, {"rate": 0.02})
    assert folder.curves() == [
        {"epoch": 1.0, "loss": 0.5},
        {"epoch": 2.0, "loss": 0.4, "rate": 0.01},
        {"epoch": 3.0, "rate": 0.02},
    ]


def test_truncating_forgets_later_epochs(folder: RunFolder) -> None:
    for epoch in (1, 2, 3):
        folder.append_curves(epoch, {"loss": 1 / epoch})
    folder.truncate_curves(2)
    assert [row["epoch"] for row in folder.curves()] == [1.0, 2.0]
    folder.append_curves(3, {"loss": 0.25})
    assert folder.curves()[-1] == {"epoch": 3.0, "loss": 0.25}
    folder.truncate_curves(0)
    assert folder.curves() == []
    folder.append_curves(1, {"loss": 2.0})
    assert folder.curves() == [{"epoch": 1.0, "loss": 2.0}]


def test_truncating_what_is_not_there_does_nothing(folder: RunFolder) -> None:
    folder.truncate_curves(0)
    assert not folder.path.exists()


LINE = "3,0.3333333333333333,0.75"


@pytest.mark.parametrize("length", range(len(LINE) + 1))
def test_a_half_written_last_line_is_no_row_wherever_it_was_cut(length: int, folder: RunFolder) -> None:
    for epoch in (1, 2):
        folder.append_curves(epoch, {"loss": 1 / epoch, "accuracy": 0.5})
    whole = folder.curves()
    with (folder.path / "curves.csv").open("a") as file:
        file.write(LINE[:length])
    assert folder.curves() == whole


@pytest.mark.parametrize("tail", ["3,0.3", "3", "3,0.3333333333333333,0.75"])
def test_a_row_after_a_half_written_line_is_not_lost(tail: str, folder: RunFolder) -> None:
    for epoch in (1, 2):
        folder.append_curves(epoch, {"loss": 1 / epoch, "accuracy": 0.5})
    with (folder.path / "curves.csv").open("a") as file:
        file.write(tail)
    folder.append_curves(3, {"loss": 0.25, "accuracy": 0.625})
    assert folder.curves()[2:] == [{"epoch": 3.0, "loss": 0.25, "accuracy": 0.625}]


@given(st.lists(st.floats(allow_nan=False, width=64), min_size=1, max_size=5))
def test_numbers_keep_every_bit(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    for epoch, value in enumerate(values, 1):
        folder.append_curves(epoch, {"loss": value})
    assert [row["loss"] for row in folder.curves()] == values


def test_nan_in_a_curve_is_kept(folder: RunFolder) -> None:
    folder.append_curves(1, {"loss": math.nan})
    assert math.isnan(folder.curves()[0]["loss"])


def test_attempts_are_part_of_the_status(folder: RunFolder) -> None:
    folder.write_status(replace(Status(RUNNING), attempts=1))
    assert folder.status().attempts == 1
