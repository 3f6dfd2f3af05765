"""The command line: Hydra's, with some verbs before it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra

from ablate.config import conf_dir, faults, register
from ablate.errors import AblateError, ConfigError
from ablate.spelling import spelled

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from ablate.store import RunFolder

__all__ = ["VERBS", "application", "main"]

VERBS = ("plan", "status", "report", "show", "rerun", "confirm", "adopt", "merge", "ingredients", "data", "predict")

register()


@hydra.main(config_path=conf_dir(), config_name="config", version_base="1.3")
def application(config: DictConfig) -> Any:
    """One run: Hydra calls this for a single run, and once a run of a study."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from ablate.objects import load_object
    from ablate.store import RunFolder
    from ablate.sweep.recorder import record

    job = HydraConfig.get()
    folder = RunFolder(Path(job.runtime.output_dir))
    values: dict[str, Any] = OmegaConf.to_container(config, resolve=True, enum_to_str=True)  # type: ignore[assignment]
    if job.mode is not None and job.mode.name == "MULTIRUN":
        task = load_object(str(config.task))
        if str(job.sweeper._target_).startswith("hydra_plugins.ablate_sweeper."):
            return task(values, folder)
        return record(lambda: task(values, folder), folder)
    # A SystemExit passes through Hydra; an exception would be announced by it as well.
    try:
        _check_single(values)
        return _single(values, folder, load_object(str(config.task)))
    except AblateError as error:
        raise SystemExit(_complain(str(error), 2)) from None
    except Exception as error:
        words = f"The run failed: {type(error).__name__}: {error}\nThe traceback is in {folder.log}"
        raise SystemExit(_complain(words, 1)) from None


def _check_single(values: Mapping[str, Any]) -> None:
    if found := faults(values):
        raise ConfigError("\n".join(found))
    from ablate.objects import load_object

    preflight = values["study"]["preflight"]
    if preflight is not None:
        error = load_object(preflight)([values])[0].get("error")
        if error:
            raise ConfigError(str(error))


def _single(values: Mapping[str, Any], folder: RunFolder, task: Callable[..., Any]) -> None:
    from ablate.formatting import duration
    from ablate.sweep.console import say
    from ablate.sweep.progress import EpochBar
    from ablate.sweep.recorder import record

    with EpochBar() as bar:
        metrics = record(lambda: task(values, folder, progress=bar.update), folder) or {}
    shown = {name: value for name, value in metrics.items() if not name.startswith("seconds")}
    metric = values["study"]["metric"]
    say(f"{metric} {shown.get(metric, float('nan')):.4f}")
    say(", ".join(f"{name} {value:.6g}" for name, value in shown.items() if name != metric))
    say(f"{duration(metrics['seconds'])}; {folder.path}")


def main() -> None:
    """Entry point of ``ablate`` and ``python -m ablate``; ends the process with its exit code."""
    arguments = sys.argv[1:] = [spelled(word) for word in sys.argv[1:]]
    if {"--help", "-h"} & set(arguments):
        from ablate.guide import guide

        sys.stdout.write(guide())
        sys.exit(0)
    if _overwritten():
        sys.exit(_complain(_OVERWRITTEN, 2))
    # A console script, unlike python -m, does not look for a user's modules in the current folder.
    if (here := str(Path.cwd())) not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    try:
        code = _verb(arguments) if arguments and arguments[0] in VERBS else _hydra(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 128 + signal.SIGPIPE
    sys.exit(code)


def _overwritten() -> bool:
    """Whether the unrelated distribution ``ablate`` is installed, whose package has the same name."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        distribution("ablate")
    except PackageNotFoundError:
        return False
    return True


_OVERWRITTEN = """\
The unrelated distribution 'ablate' is installed beside 'ablate-study'; each overwrites files of the other.
Mend it with: pip uninstall -y ablate ablate-study && pip install ablate-study"""


def _verb(arguments: Sequence[str]) -> int:
    verb, rest = arguments[0], list(arguments[1:])
    if verb == "plan":
        # The plan as JSON goes to standard output alone, for a program to read.
        as_json = "--json" in rest
        words = [word for word in rest if word not in ("--json", "-m", "--multirun")]
        sys.argv[1:] = ["-m", *words, f"study.dry_run={'json' if as_json else 'true'}"]
        return _hydra(sys.argv[1:])
    from ablate import verbs

    try:
        return int(getattr(verbs, verb)(rest))
    except AblateError as error:
        return _complain(str(error), 2)
    except KeyboardInterrupt:
        return _complain("\nInterrupted.", 130)
    except BrokenPipeError:
        raise
    except Exception as error:
        from ablate.sweep.messages import explain

        if (words_of_hydra := explain(error, rest)) is None:
            raise
        return _complain(words_of_hydra, 2)


def _hydra(arguments: Sequence[str]) -> int:
    asked_for_tracebacks = os.environ.get("HYDRA_FULL_ERROR") == "1"
    # Hydra prints an error and exits with 1; with this set it lets the error through.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    if not asked_for_tracebacks:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        application()
    except AblateError as error:
        return _complain(str(error), 2)
    except KeyboardInterrupt:
        return _complain("\nInterrupted.", 130)
    except BrokenPipeError:
        raise
    except Exception as error:
        if asked_for_tracebacks:
            raise
        from ablate.sweep.messages import explain

        words = explain(error, arguments)
        if words is not None:
            return _complain(words, 2)
        return _complain(f"The run failed: {type(error).__name__}: {error}\nHYDRA_FULL_ERROR=1 shows where.", 1)
    return 0


def _complain(words: str, code: int) -> int:
    sys.stderr.write(f"{words}\n")
    return code
