"""What wraps the train function in every run, under every launcher: it records how the run went."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import platform
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig

from ablate.errors import Diverged, RunError
from ablate.store import FAILED, FINISHED, MOST_ATTEMPTS, RUNNING, WAITING, Result, RunFolder, Status
from ablate.store.run_folder import set_current_run

_LIBRARIES = ("tensorflow", "keras", "torch", "jax", "sklearn", "numpy")


def record_job(
    task: Callable[[Any], Any], metric: str, code: str, halt: Path | None, config: Any
) -> Mapping[str, float] | None:
    """Carry out a job of Hydra's as a run in its output folder; see :func:`record`.

    It records in the process of the job, so that nothing has to come back from there: what a launcher returns or loses
    does not matter.

    Args:
        task: From a composed configuration to a number, or to numbers by name.
        metric: What to call a single number.
        code: Version of the code, recorded with the result.
        halt: A file that a failed run creates and that stops further runs from starting, or None to let them start.
        config: The composed configuration.
    """
    folder = RunFolder(Path(HydraConfig.get().runtime.output_dir))
    return record(lambda: task(config), folder, metric, code, halt)


def record(
    task: Callable[[], Any], folder: RunFolder, metric: str = "value", code: str = "", halt: Path | None = None
) -> Mapping[str, float] | None:
    """Carry out one run and leave its outcome in its folder.

    Args:
        task: What to do.
        folder: The run's folder.
        metric: What to call a single number.
        code: Version of the code.
        halt: A file that a failed run creates and that stops further runs from starting, or None to let them start.

    Returns:
        The metrics; None if the run did not start, since another process holds it or the file ``halt`` exists.

    Raises:
        Exception: Whatever the task raised, after it was recorded. A ``SystemExit`` becomes a ``RunError``, since it
            would end the other runs as well.
    """
    with folder.hold() as held:
        if not held or (halt is not None and halt.exists()):
            return None
        before = folder.status()
        if before.state == FINISHED and (done := folder.result()) is not None:
            return done.metrics
        status = _started(before, folder)
        if status.attempts > MOST_ATTEMPTS:
            # A launcher that tries again by itself, as Ray does, must not try for ever.
            error = f"The process ended without a word (attempt {before.attempts})."
            folder.write_status(replace(before, state=FAILED, reason="killed", error=error, pid=None))
            raise RunError(error)
        folder.write_status(status)
        try:
            clock = time.perf_counter()
            with set_current_run(folder):
                value = task()
            seconds = time.perf_counter() - clock
            metrics, other = sort_results(value, metric)
            metrics["seconds"] = seconds
            folder.write_result(Result(metrics, _versions(code), other))
        except KeyboardInterrupt:
            folder.write_status(
                replace(status, state=WAITING, reason="interrupted", attempts=before.attempts, pid=None)
            )
            raise
        except SystemExit as error:
            _fail(folder, status, "exited", f"sys.exit({error.code!r})", halt)
            raise RunError(f"The run called sys.exit({error.code!r}).") from error
        except Exception as error:
            reason = "diverged" if isinstance(error, Diverged) else "raised"
            _fail(folder, status, reason, f"{type(error).__name__}: {error}", halt)
            raise
        folder.write_status(replace(status, state=FINISHED, attempts=0, ended=time.time(), pid=None))
        return metrics


def _started(before: Status, folder: RunFolder) -> Status:
    """The status of a run that starts now; its attempts count the starts in a row without a further epoch."""
    epochs = len(folder.curves())
    # Still marked as running: its process died. If it has written more epochs since, it makes progress all the same.
    stuck = before.state == RUNNING and epochs <= before.epochs
    attempts = before.attempts + 1 if stuck else 1
    return Status(RUNNING, "", "", attempts, time.time(), None, os.getpid(), socket.gethostname(), epochs)


def _fail(folder: RunFolder, status: Status, reason: str, error: str, halt: Path | None) -> None:
    with contextlib.suppress(OSError):  # such as a full disk, which must not keep the status from being written
        if halt is not None:
            halt.touch()
        with folder.log.open("a") as log:
            log.write(traceback.format_exc())
    folder.write_status(replace(status, state=FAILED, reason=reason, error=error, ended=time.time(), pid=None))


def sort_results(value: Any, metric: str) -> tuple[dict[str, float], dict[str, Any]]:
    """Sort what a train function returned.

    Args:
        value: A number, or a mapping; nested mappings become ``outer.inner``.
        metric: What to call a single number.

    Returns:
        Metrics by name, and what is no number by name.

    Raises:
        RunError: If there is no number in it.
        Diverged: If the number that decides is not finite: the one called ``metric``, or the only one there is.

    Example:
        >>> sort_results({"accuracy": 0.5, "note": "fine"}, "value")
        ({'accuracy': 0.5}, {'note': 'fine'})
    """
    metrics: dict[str, float] = {}
    other: dict[str, Any] = {}
    _sort_values(value if isinstance(value, Mapping) else {metric: value}, "", metrics, other)
    if not metrics:
        raise RunError(
            f"The train function returned {value!r}. It must return a number, or a dict with at least one number: "
            "what the study is to compare."
        )
    # Without the named metric, several numbers leave open which one decides, so none is checked.
    decisive = metrics.get(metric, next(iter(metrics.values())) if len(metrics) == 1 else 0.0)
    if not math.isfinite(decisive):
        raise Diverged(f"The run ended with {metric if metric in metrics else next(iter(metrics))} = {decisive}.")
    return metrics, other


def _sort_values(values: Mapping[Any, Any], prefix: str, metrics: dict[str, float], other: dict[str, Any]) -> None:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            _sort_values(value, f"{name}.", metrics, other)
        elif isinstance(value, bool | int | float):
            metrics[name] = value
        elif isinstance(value, str | None):
            other[name] = value
        elif (number := _number(value)) is not None:
            metrics[name] = number
        else:
            other[name] = repr(value)


def _number(value: Any) -> float | None:
    """A scalar of any library, also one in an array of a single element, as a float."""
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, RuntimeError):
        return None


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
            versions[distribution] = str(getattr(sys.modules[library], "__version__", "unknown"))
    if (keras := sys.modules.get("keras")) is not None:
        versions["backend"] = keras.backend.backend()
    return {**versions, "code": code} if code else versions
