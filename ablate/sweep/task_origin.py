"""Where the task of a study comes from, in plain values that outlive the process, and how it is found again."""

from __future__ import annotations

import functools
import importlib
import inspect
import runpy
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hydra

from ablate.errors import StoreError
from ablate.objects import load_object

Task = Callable[..., Any]


def task_origin(task: Task) -> dict[str, str]:
    """Where a task comes from.

    Args:
        task: Any callable: what ``@hydra.main`` decorates is mostly a function, but may be an object that has no name,
            as hydra-zen's ``zen(function)`` is.

    Returns:
        Its ``module``, its ``name`` there, and the ``file``; ``package`` where the program was started by
        ``python -m package``; ``started`` where only starting the program again brings the task.
    """
    function = inspect.unwrap(task)
    named = function if hasattr(function, "__qualname__") else type(function)
    origin = {"module": str(named.__module__), "name": named.__qualname__, "file": _source_file(function)}
    main = sys.modules["__main__"]
    if is_started := not _is_named(task, origin):
        origin |= {"module": "__main__", "started": "true", "file": str(Path(getattr(main, "__file__", "")).absolute())}
    spec = getattr(main, "__spec__", None)
    if spec is not None and (is_started or function.__module__ == "__main__"):
        origin["package"] = spec.name.removesuffix(".__main__")
    return origin


def started_program(origin: Mapping[str, str]) -> str:
    """How the program of a task was called.

    Example:
        >>> started_program({"module": "__main__", "file": "/home/me/train.py"})
        'python train.py'
    """
    if package := origin.get("package"):
        return f"python -m {package}"
    return f"python {shlex.quote(Path(origin.get('file') or origin['module']).name)}"


def load_task(origin: Mapping[str, str], command: Sequence[str]) -> Task:
    """The task itself: from its module, or from the program, which is run as far as its call of ``@hydra.main``.

    Args:
        origin: What :func:`task_origin` returned.
        command: The arguments that the program was given.

    Raises:
        StoreError: If the program is not there any more, or does not come to the task.
        ConfigError: If the module does not have it.
    """
    if origin["module"] != "__main__":
        return _undecorated(load_object(f"{origin['module']}.{origin['name']}"))  # type: ignore[no-any-return]
    is_started = "started" in origin
    with _caught_tasks() as caught:
        before, sys.argv = sys.argv, [origin["file"], *command]
        try:
            names = run_program(origin, "__main__" if is_started else "ablate_rerun_task")
        except _TaskCaughtError:
            return caught[0]
        finally:
            sys.argv = before
    if is_started:
        raise StoreError(f"'{origin['file']}' ended without coming to its task.")
    try:
        function: Any = functools.reduce(getattr, origin["name"].split("."), SimpleNamespace(**names))
    except AttributeError:
        raise StoreError(f"'{origin['file']}' has no '{origin['name']}' any more.") from None
    return _undecorated(function)  # type: ignore[no-any-return]


def run_program(origin: Mapping[str, str], name: str) -> dict[str, Any]:
    """Run the program of a task as a module of that name.

    Returns:
        Its global names.

    Raises:
        StoreError: If there is no such program.
    """
    path, package = Path(origin["file"]), origin.get("package", "")
    if not path.is_file():
        raise StoreError(
            f"The script of the study is not there: '{path}'. Put it back; or give the command that made the study "
            "once more where the script is now, which trains nothing again and records the new place."
        )
    if not package:
        sys.path.insert(0, str(path.parent))
        return runpy.run_path(str(path), run_name=name)
    depth = len(package.split(".")) - (path.name != "__main__.py")
    sys.path.insert(0, str(path.parents[depth]))
    return runpy.run_module(package, run_name=name, alter_sys=True)


class _TaskCaughtError(BaseException):
    """Ends a program at the point where it would hand its task to Hydra; no ``except Exception`` may stop it."""


@contextmanager
def _caught_tasks() -> Iterator[list[Task]]:
    """Tasks that a program hands to Hydra are caught instead of carried out."""
    module: Any = importlib.import_module("hydra.main")
    run_hydra, caught = module._run_hydra, []

    def catch(*arguments: Any, task_function: Task, **options: Any) -> None:
        caught.append(task_function)
        raise _TaskCaughtError

    module._run_hydra = catch
    try:
        yield caught
    finally:
        module._run_hydra = run_hydra


def _undecorated(function: Any) -> Any:
    """What ``@hydra.main`` decorated; other decorators belong to the task."""
    outer = function
    while outer is not None:
        code = getattr(outer, "__code__", None)
        outer = getattr(outer, "__wrapped__", None)
        if code is not None and outer is not None and code.co_filename == hydra.main.__code__.co_filename:
            return outer
    return function


def _is_named(task: Task, origin: Mapping[str, str]) -> bool:
    """Whether the global name of a task leads to it again."""
    first, *names = origin["name"].split(".")
    try:
        named = functools.reduce(getattr, names, getattr(sys.modules[origin["module"]], first))
    except (KeyError, AttributeError):
        return False
    return _undecorated(named) is task


def _source_file(function: Any) -> str:
    try:
        return str(Path(inspect.getsourcefile(function) or "").absolute())
    except TypeError:  # an object, which has no source
        return ""
