"""What wraps the train function in every run, under every launcher: it records how the run went."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import os
import platform
import socket
import stat
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from ablate.errors import Diverged, MissingMetric, RunError
from ablate.logs.plain_values import flatten
from ablate.store import FAILED, FINISHED, MOST_ATTEMPTS, NO_METRIC, RUNNING, WAITING, Result, RunFolder, Status
from ablate.store.run_folder import set_current_run
from ablate.sweep.interrupts import noted_interrupts
from ablate.sweep.left_threads import end_despite
from ablate.sweep.output_metric import MetricSource, metrics_of_outputs
from ablate.sweep.pickled_value import PickledValue
from ablate.sweep.process_state import preserved_process
from ablate.sweep.returned import has_number, sort_results, split_fingerprints
from ablate.sweep.run_outputs import (
    collect_curve,
    comparable_notes,
    has_curve_to_collect,
    read_outputs,
    reading_note,
)
from ablate.sweep.safe_text import error_line, shortened, text_of
from ablate.sweep.source_code import SourceCode

_LIBRARIES = ("tensorflow", "keras", "torch", "jax", "sklearn", "numpy")
_SECONDS = "seconds"
_LONGEST_TRACEBACK = 100_000
_REASONS: dict[type[Exception], str] = {Diverged: "diverged", MissingMetric: NO_METRIC}


def record_job(
    task: Callable[[Any], Any], recording: Callable[..., Mapping[str, float] | None], config: Any
) -> Mapping[str, float] | None:
    """Carry out a job of Hydra's as a run in its output folder; see :func:`record`.

    It records in the process of the job, so that nothing has to come back from there: what a launcher returns or loses
    does not matter.

    Args:
        task: From a composed configuration to a number, or to numbers by name.
        recording: :func:`record` with all arguments but the first two.
        config: The composed configuration.

    Raises:
        Exception: What the task raised, if it can be sent to another process; otherwise a ``RunError`` with its text.
            A launcher such as joblib's would end all other jobs because of an error that it cannot carry.
    """
    folder = RunFolder(Path(HydraConfig.get().runtime.output_dir))
    values: Any = OmegaConf.to_container(config, resolve=False) if OmegaConf.is_config(config) else {}
    settings = set(flatten(values)) if isinstance(values, Mapping) else set()
    try:
        return recording(lambda: task(config), folder, settings=settings)
    except Exception as error:
        raise portable_error(error) from None


def record(
    task: Callable[[], Any],
    folder: RunFolder,
    metric: str = "value",
    code: str = "",
    halt: Path | None = None,
    *,
    source: SourceCode | None = None,
    metric_source: MetricSource | None = None,
    no_metric: Path | None = None,
    settings: Collection[str] = (),
) -> Mapping[str, float] | None:
    """Carry out one run and leave its outcome in its folder, and the process in order for the next run.

    Args:
        task: What to do.
        folder: The run's folder.
        metric: What to call a single number.
        code: Version of the code.
        halt: A file that a failed run creates and that stops further runs from starting, or None to let them start.
        source: The application's code, whose fingerprints become part of the outcome.
        metric_source: Where the metric is if the task returns no number; None if it must return one.
        no_metric: A file in the study's folder that a run without a metric creates, unless another run has one, and
            that stops further runs from starting; or None.
        settings: Keys of the run's configuration: numbers of the same name in its files are no results.

    Returns:
        The metrics; None if the run did not start, since another process holds it or the file ``halt`` exists.

    Raises:
        Exception: Whatever the task raised, after it was recorded. What is no ``Exception`` (such as ``SystemExit``)
            becomes a ``RunError``, since it would end the other runs as well.
        KeyboardInterrupt: If the user interrupted the process; the run waits then, and the attempt does not count.
    """
    with folder.hold() as held:
        if not held or any(stop is not None and stop.exists() for stop in (halt, no_metric)):
            return None
        before = folder.status()
        if before.state == FINISHED and (done := folder.result()) is not None:
            return done.metrics
        status = replace(_started(before, folder), fingerprints=_fingerprints(source))
        if status.attempts > MOST_ATTEMPTS:
            # A launcher that tries again by itself, as Ray does, must not try for ever.
            error_text = f"The process ended without a word (attempt {before.attempts})."
            folder.write_status(replace(before, state=FAILED, reason="killed", error=error_text, pid=None))
            raise RunError(error_text)
        folder.remove_unfinished_lines()
        folder.remove_collected_curve()
        folder.write_status(status)
        waiting = replace(status, state=WAITING, reason="interrupted", attempts=before.attempts, pid=None)
        with noted_interrupts(lambda: folder.write_status(waiting)) as interrupts:
            try:
                returned, seconds = _carry_out(task, folder)
                if interrupts:  # the task has caught the interruption and returned early
                    raise KeyboardInterrupt
                result = _result(returned, folder, metric, metric_source, settings)
                result = replace(result, metrics=_with_seconds(result.metrics, metric, seconds))
                fingerprints = {**result.fingerprints, **_fingerprints(source)}
                folder.write_result(replace(result, versions=_versions(code), fingerprints=fingerprints))
            except BaseException as error:
                status = replace(status, fingerprints=_fingerprints(source))
                if interrupts:
                    folder.write_status(waiting)
                    raise KeyboardInterrupt from None
                if isinstance(error, SystemExit):
                    _fail(folder, status, "exited", f"sys.exit({text_of(error.code)})", halt)
                    raise RunError(f"The run called sys.exit({text_of(error.code)}).") from error
                reason = next((reason for kind, reason in _REASONS.items() if isinstance(error, kind)), "raised")
                _fail(folder, status, reason, error_line(error), halt)
                if reason == NO_METRIC and no_metric is not None and not _is_measured(no_metric.parent):
                    no_metric.touch()
                if isinstance(error, Exception):
                    raise
                raise RunError(f"The run raised {error_line(error)}.") from error
        ended = replace(status, state=FINISHED, attempts=0, ended=time.time(), pid=None, fingerprints={})
        folder.write_status(ended)
        return result.metrics


def _fingerprints(source: SourceCode | None) -> dict[str, str]:
    return source.loaded() if source is not None else {}


def _carry_out(task: Callable[[], Any], folder: RunFolder) -> tuple[Any, float]:
    """What the task returned, and how many seconds it took."""
    pid, threads = os.getpid(), set(threading.enumerate())
    with preserved_process():
        try:
            clock = time.perf_counter()
            with set_current_run(folder):
                # In a copy of the context, so that settings such as those of decimal numbers end with the run.
                value = contextvars.copy_context().run(task)
            seconds = time.perf_counter() - clock
        finally:
            if os.getpid() != pid:
                os._exit(0)  # a child that the task forked and let return; the run is its parent's
            _mend_folder(folder.path)
            end_despite([thread for thread in threading.enumerate() if thread not in threads and not thread.daemon])
    return value, seconds


def _result(
    value: Any, folder: RunFolder, metric: str, source: MetricSource | None, settings: Collection[str]
) -> Result:
    """What the task returned, and, where that is no number, the metrics in the files that it wrote; and its curve."""
    value, fingerprints = split_fingerprints(value)
    notes: list[str] = []
    is_measured = source is None or has_number(value)
    outputs = None
    try:
        if not is_measured or has_curve_to_collect(folder):
            outputs = read_outputs(folder)
            notes = collect_curve(folder, outputs)
    except Exception as error:  # what a run writes beside its metric may cost its curve, and never the metric
        notes.append(reading_note(error))
    if source is None or is_measured:
        metrics, other = sort_results(value, metric)
    elif outputs is None:
        raise MissingMetric(f"The task returned no number, and {notes[-1]}.")
    else:
        numbers, places = metrics_of_outputs(folder, outputs, source, settings)
        notes = [*places, *notes]
        metrics, _ = sort_results(numbers, metric)
        other = {} if value is None else sort_results(value, metric, strict=False)[1]
    return Result(metrics, other=other, fingerprints=fingerprints, notes=comparable_notes(notes))


def _with_seconds(metrics: Mapping[str, float], metric: str, seconds: float) -> dict[str, float]:
    """The metrics with the time that the task took, unless that is the metric itself."""
    timed = dict(metrics)
    if metric != _SECONDS:
        if _SECONDS in timed:
            timed[f"{_SECONDS}_returned"] = timed[_SECONDS]
        timed[_SECONDS] = seconds
    return timed


def _mend_folder(path: Path) -> None:
    """Make the folder of a run writable again, which its task may have locked up, replaced or deleted."""
    with contextlib.suppress(OSError):
        if path.exists() and not path.is_dir():
            path.unlink()
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(path.stat().st_mode | stat.S_IRWXU)


def _started(before: Status, folder: RunFolder) -> Status:
    """The status of a run that starts now; its attempts count the starts in a row without a further epoch."""
    epochs = len(folder.curves())
    # Still marked as running: its process died. If it has written more epochs since, it makes progress all the same.
    stuck = before.state == RUNNING and epochs <= before.epochs
    attempts = before.attempts + 1 if stuck else 1
    return Status(RUNNING, "", "", attempts, time.time(), None, os.getpid(), socket.gethostname(), epochs)


def _is_measured(study: Path) -> bool:
    """Whether any run of a study has a metric: then a run without one says nothing about the others."""
    return next(study.glob("runs/*/*/result.json"), None) is not None


def _fail(folder: RunFolder, status: Status, reason: str, error: str, halt: Path | None) -> None:
    with contextlib.suppress(OSError):  # such as a full disk, which must not keep the status from being written
        if halt is not None:
            halt.touch()
        with folder.log.open("ab") as log:
            log.write(shortened(traceback.format_exc(), _LONGEST_TRACEBACK).encode())
    folder.write_status(replace(status, state=FAILED, reason=reason, error=error, ended=time.time(), pid=None))


def portable_error(error: Exception) -> Exception:
    """The error itself if other processes can read it; otherwise a ``RunError`` with its text."""
    try:
        cloudpickle.dumps(error)
        PickledValue(error).copy()
        str(error)
    except Exception:
        return RunError(error_line(error))
    return error


@functools.cache
def _hardware() -> str:
    """The processor, its cores, and the graphics cards that a run may use."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(errors="replace").splitlines() if cpu.is_file() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    parts = [model or platform.machine(), f"{os.cpu_count()} cores"]
    return ", ".join([*parts, f"GPU {gpus}"] if gpus not in ("", "-1") else parts)


def _versions(code: str) -> dict[str, str]:
    versions = {"python": platform.python_version(), "hardware": _hardware()}
    for library in _LIBRARIES:
        if library in sys.modules:
            distribution = "scikit-learn" if library == "sklearn" else library
            versions[distribution] = shortened(str(getattr(sys.modules[library], "__version__", "unknown")), 100)
    if (keras := sys.modules.get("keras")) is not None:
        versions["backend"] = keras.backend.backend()
    return {**versions, "code": code} if code else versions
