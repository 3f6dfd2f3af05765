from __future__ import annotations

import contextlib
import math
import signal
import sys
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ablate.errors import Diverged, RunError
from ablate.store import FAILED, FINISHED, RUNNING, WAITING, RunFolder, Status
from ablate.sweep.recorder import portable_error, record
from ablate.sweep.returned import sort_results


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run")


def test_a_number_becomes_the_metric(folder: RunFolder) -> None:
    metrics = record(lambda: 0.75, folder, "score", "abc+")
    assert metrics is not None
    assert metrics["score"] == 0.75
    result = folder.result()
    assert result is not None
    assert result.metrics == metrics
    assert result.metrics["seconds"] >= 0
    assert result.versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert result.versions["code"] == "abc+"
    status = folder.status()
    assert (status.state, status.reason, status.error, status.pid) == (FINISHED, "", "", None)
    assert status.started is not None
    assert status.ended is not None
    assert status.ended >= status.started


def test_while_it_runs_the_status_says_so_and_the_run_is_held(folder: RunFolder) -> None:
    seen = []

    def task() -> float:
        seen.append((folder.status().state, folder.is_held(), folder.settled_status().state))
        return 1.0

    record(task, folder)
    assert seen == [(RUNNING, True, RUNNING)]
    assert not folder.is_held()


def test_a_run_that_is_held_is_left_alone(folder: RunFolder) -> None:
    with folder.hold() as held:
        assert held
        assert record(lambda: pytest.fail("it ran"), folder) is None


def test_a_finished_run_is_not_run_again(folder: RunFolder) -> None:
    first = record(lambda: 1.0, folder)
    assert record(lambda: pytest.fail("it ran"), folder) == first


@pytest.mark.parametrize(
    ("error", "reason", "words"),
    [
        (ValueError("größer"), "raised", "ValueError: größer"),
        (MemoryError(), "raised", "MemoryError: "),
        (Diverged("loss is nan"), "diverged", "Diverged: loss is nan"),
    ],
)
def test_an_exception_is_recorded_with_its_traceback(
    error: Exception, reason: str, words: str, folder: RunFolder
) -> None:
    def task() -> float:
        raise error

    with pytest.raises(type(error)):
        record(task, folder)
    status = folder.status()
    assert (status.state, status.reason, status.error) == (FAILED, reason, words)
    log = folder.log.read_text()
    assert log.startswith("Traceback")
    assert "raise error" in log
    assert folder.result() is None


@pytest.mark.parametrize("code", [0, 3, None, "no data"])
def test_an_exit_is_recorded_and_does_not_end_the_others(code: Any, folder: RunFolder) -> None:
    with pytest.raises(RunError) as caught:
        record(lambda: sys.exit(code), folder)
    assert str(caught.value) == f"The run called sys.exit({code!r})."
    status = folder.status()
    assert (status.state, status.reason, status.error) == (FAILED, "exited", f"sys.exit({code!r})")


def test_an_interruption_leaves_the_run_waiting_and_counts_no_attempt(folder: RunFolder) -> None:
    def task() -> float:
        signal.raise_signal(signal.SIGINT)
        return 1.0

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            record(task, folder)
        status = folder.settled_status()
        assert (status.state, status.reason) == (WAITING, "interrupted")
    record(lambda: 1.0, folder)
    assert folder.status().state == FINISHED


def test_a_second_start_without_progress_is_a_second_attempt(folder: RunFolder) -> None:
    attempts = []
    for _ in range(2):
        record_and_die(folder, attempts)
    assert attempts == [1, 2]
    assert folder.settled_status().state == FAILED


def test_a_start_after_progress_is_a_first_attempt(folder: RunFolder) -> None:
    attempts: list[int] = []
    for epoch in (1, 2, 3):
        record_and_die(folder, attempts)
        folder.append_curves(epoch, {"loss": 1.0})
    record_and_die(folder, attempts)
    assert attempts == [1, 1, 1, 1]
    assert folder.settled_status().state == WAITING


def record_and_die(folder: RunFolder, attempts: list[int]) -> None:
    """Leave the status that a killed process leaves."""
    kept: list[Status] = []

    def task() -> float:
        kept.append(folder.status())
        return 1.0

    record(task, folder)
    attempts.append(kept[0].attempts)
    (folder.path / "result.json").unlink()
    folder.write_status(kept[0])


# --- what a train function may return ---


class Tensor:
    """Like a tensor of torch: `size` is a method, `float()` works for a single element."""

    def __init__(self, *values: float) -> None:
        self.values = values

    def size(self) -> int:
        return len(self.values)

    def item(self) -> float:
        return float(self)

    def __float__(self) -> float:
        if len(self.values) != 1:
            raise RuntimeError("a Tensor with 2 elements cannot be converted to Scalar")
        return self.values[0]


@pytest.mark.parametrize(
    "value", [0.5, np.float32(0.5), np.float64(0.5), np.array(0.5), np.array([0.5]), Fraction(1, 2), Tensor(0.5)]
)
def test_scalars_of_all_kinds_are_numbers(value: Any) -> None:
    metrics, _ = sort_results(value, "score")
    assert metrics == {"score": 0.5}
    assert isinstance(metrics["score"], float)


def test_whole_numbers_and_truth_values() -> None:
    metrics, _ = sort_results({"weights": 12, "numpy": np.int64(3), "converged": True}, "score")
    assert metrics == {"weights": 12, "numpy": 3, "converged": 1}


def test_nested_dicts_are_joined_by_dots() -> None:
    value = OrderedDict(test={"accuracy": 0.5, "loss": {"total": 1.0}}, val={"accuracy": 0.25})
    assert sort_results(value, "score")[0] == {"test.accuracy": 0.5, "test.loss.total": 1.0, "val.accuracy": 0.25}


@pytest.mark.parametrize(
    "extra",
    [
        "a note",
        None,
        [1, 2],
        np.zeros((2, 2)),
        pd.Series([1.0, 2.0]),
        Tensor(1.0, 2.0),
        object(),
        "0.9",
        np.array(["x"]),
    ],
    ids=["text", "none", "list", "array", "series", "tensor", "object", "number in words", "array of text"],
)
def test_what_is_no_number_is_kept_beside_the_numbers(extra: Any, folder: RunFolder) -> None:
    record(lambda: {"score": 0.5, "extra": extra}, folder)
    result = folder.result()
    assert result is not None
    assert set(result.metrics) == {"score", "seconds"}
    assert set(result.other) == {"extra"}


@pytest.mark.parametrize("value", [None, "fine", {}, {"note": "fine"}, [0.5, 0.6]])
def test_no_number_at_all_is_told(value: Any) -> None:
    with pytest.raises(RunError) as caught:
        sort_results(value, "score")
    assert str(caught.value) == (
        f"The train function returned {value!r}. It must return a number, or a dict with at least one number: "
        "what the study is to compare."
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_a_deciding_number_that_is_not_finite_is_a_divergence(value: Any, folder: RunFolder) -> None:
    with pytest.raises(Diverged):
        record(lambda: value, folder, "score")
    assert (folder.status().state, folder.status().reason) == (FAILED, "diverged")
    with pytest.raises(Diverged):
        sort_results({"score": value, "other": 1.0}, "score")


def test_a_side_number_that_is_not_finite_spoils_nothing(folder: RunFolder) -> None:
    record(lambda: {"score": 0.5, "f1_of_a_class_without_images": math.nan}, folder, "score")
    assert folder.status().state == FINISHED
    result = folder.result()
    assert result is not None
    assert result.metrics["score"] == 0.5


def test_names_of_our_own_columns_are_stored_as_they_are(folder: RunFolder) -> None:
    names = ("cell", "python", "seed", "state", "reason", "study")
    record(lambda: {"score": 0.5} | dict.fromkeys(names, 2.0), folder, "score")
    result = folder.result()
    assert result is not None
    assert dict.fromkeys(names, 2.0).items() <= result.metrics.items()


def test_names_that_no_table_can_hold_are_changed_and_stored_beside_the_result() -> None:
    metrics, other = sort_results({"score": 0.5, "": 1.0, "a\nb": 2.0, "x" * 1000: 3.0, 1: 4.0, "1": 5.0}, "score")
    assert len(metrics) == 6
    assert sorted(metrics.values()) == [0.5, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert metrics["a\\nb"] == 2.0
    assert {metrics["1"], metrics["1 (2)"]} == {4.0, 5.0}
    assert all(len(name) < 250 and name.isprintable() and name for name in metrics)
    assert other["names as returned"]["a\\nb"] == "a\nb"


def test_a_number_that_no_float_can_hold_is_stored_as_text() -> None:
    metrics, other = sort_results({"score": 0.5, "huge": 10**400, "huger": 10**5000, "large": 2**60}, "score")
    assert metrics == {"score": 0.5, "large": 2.0**60}
    assert "401 digits" in other["huge"]
    assert "bits" in other["huger"]
    with pytest.raises(Diverged, match="too large"):
        sort_results({"score": 10**400, "other": 1.0}, "score")


def test_seconds_of_the_task_do_not_hide_our_own(folder: RunFolder) -> None:
    metrics = record(lambda: {"score": 0.5, "seconds": -1.0}, folder, "score")
    assert metrics is not None
    assert metrics["seconds"] >= 0
    assert metrics["seconds_returned"] == -1.0


@pytest.mark.parametrize("error", [KeyboardInterrupt(), GeneratorExit(), BaseException("base")])
def test_what_is_no_exception_fails_the_run_alone(error: BaseException, folder: RunFolder) -> None:
    def task() -> float:
        raise error

    with pytest.raises(RunError):
        record(task, folder)
    assert (folder.status().state, folder.status().reason) == (FAILED, "raised")
    assert type(error).__name__ in folder.status().error


def test_an_interruption_that_the_task_swallows_does_not_finish_the_run(folder: RunFolder) -> None:
    def task() -> float:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return 1.0

    with pytest.raises(KeyboardInterrupt):
        record(task, folder)
    assert (folder.status().state, folder.status().reason) == (WAITING, "interrupted")


def test_a_long_error_is_cut_in_the_status_and_in_the_log(folder: RunFolder) -> None:
    def task() -> float:
        raise ValueError("x" * 10**6 + "\udcff")

    with pytest.raises(ValueError):
        record(task, folder)
    assert folder.status().error.startswith("ValueError: xxx")
    assert len(folder.status().error) < 3000
    assert folder.log.stat().st_size < 200_000


def test_an_error_that_no_other_process_can_read_goes_as_text() -> None:
    class Odd(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} {two}")

    error = portable_error(Odd(1, 2))
    assert (type(error), str(error)) == (RunError, "Odd: 1 2")
    plain = ValueError("no data")
    assert portable_error(plain) is plain
