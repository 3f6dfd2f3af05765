"""The application's own code as fingerprints: a short hash of each of its files that a run has loaded.

File by file, and not one hash of all, since a cell may load a module of which the others know nothing; and of what was
loaded, not of all that lies there, so that a script for plots does not count.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.characters import one_line

THING = "code"
"""What the names of these fingerprints begin with."""

_PACKAGE = Path(__file__).resolve().parents[1]
_MARKERS = (".git", ".project-root", "pyproject.toml", "setup.py", "setup.cfg")
_PACKAGES = {"site-packages", "dist-packages"}
_OTHERS = {*_PACKAGES, "node_modules", "outputs", "multirun", "hydra_plugins"}
_LARGEST = 10_000_000  # bytes


@dataclass(frozen=True)
class SourceCode:
    """The code of an application.

    Args:
        root: The folder below which a file counts as the application's own.
        main: The fingerprints of what runs are handed by value, since their processes do not load it: the script that
            was started, or a function typed into a notebook.
    """

    root: Path
    main: Mapping[str, str]

    def loaded(self) -> dict[str, str]:
        """The fingerprints of the application's code in this process, as it was when it was first looked at."""
        return {**self.main, **_fingerprints(self.root, _module_files())}

    def now(self, names: Iterable[str]) -> dict[str, str]:
        """Fingerprints as they are on disk now.

        Args:
            names: Which; those that stand for no file are as they are in ``main``.
        """
        current = {}
        for name in names:
            if name in self.main:
                current[name] = self.main[name]
            elif name.startswith(f"{THING}/"):
                current[name] = _hash_of(self.root / name.partition("/")[2])
        return current


def source_code(task: Callable[..., Any]) -> SourceCode:
    """The code of the application that a task belongs to.

    It is what lies below the nearest folder that looks like a project's (with ``.git``, ``pyproject.toml`` and the
    like), else below that of the task's file; without what is installed, and without this package. A task that a
    library wraps, as hydra-zen's ``zen(function)`` is, belongs to the application of the function in it, or else to
    that of the program that was started.

    Args:
        task: The train function.
    """
    layers = list(_layers(task))
    files = [file for layer in layers if (file := _defining_file(layer))]
    if not files or not files[-1].is_file():
        return SourceCode(Path.cwd(), _typed_source(layers[-1]))
    program = getattr(sys.modules.get("__main__"), "__file__", None)
    started = [Path(program).resolve()] if program else []
    file = next((file for file in (*files, *started) if file.is_file() and not _is_installed(file)), files[0])
    if file.is_relative_to(_PACKAGE):
        return SourceCode(Path.cwd(), {})
    root = _project_folder(file)
    return SourceCode(root, _fingerprints(root, map(str, started)))


def _layers(task: Any) -> Iterator[Any]:
    """A task without the decorators that say so, and the functions that it holds, as ``functools.partial`` does."""
    while callable(task):
        yield (task := inspect.unwrap(task))
        task = getattr(task, "func", None)


def _defining_file(task: Any) -> Path | None:
    try:
        file = inspect.getsourcefile(task)
    except TypeError:  # an object that is no function
        file = getattr(sys.modules.get(getattr(task, "__module__", "")), "__file__", None)
    return Path(file).resolve() if file else None


def _is_installed(file: Path) -> bool:
    installed = {Path(folder) for folder in sysconfig.get_paths().values()}
    return not _PACKAGES.isdisjoint(file.parts) or not installed.isdisjoint(file.parents)


def _project_folder(file: Path) -> Path:
    home = Path.home()
    for folder in file.parents:
        if folder == home or folder == folder.parent:
            break
        if any((folder / marker).exists() for marker in _MARKERS):
            return folder
    folder = file.parent
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        folder = folder.parent
    return folder


def _typed_source(function: Any) -> dict[str, str]:
    """The fingerprint of a function whose source is no file, as in a notebook; none where it cannot be had."""
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        return {}
    return {f"{THING}/{one_line(getattr(function, '__qualname__', 'task'))}": _digest(source.encode())}


def _module_files() -> list[str]:
    files = []
    for module in list(sys.modules.values()):
        try:
            file = module.__file__
        except Exception:  # a module may compute its attributes
            continue
        if isinstance(file, str):
            files.append(file)
    return files


def _fingerprints(root: Path, files: Iterable[str]) -> dict[str, str]:
    return {
        f"{THING}/{name}": digest
        for file in files
        if (name := _own_name(file, str(root))) and (digest := _first_hash(file))
    }


@functools.cache
def _own_name(file: str, root: str) -> str:
    """A file relative to the root, if it is the application's own; else an empty text."""
    path = Path(file).resolve()
    installed = {Path(folder) for folder in sysconfig.get_paths().values()}
    is_own = (
        path.is_relative_to(root)
        and not path.is_relative_to(_PACKAGE)
        and _OTHERS.isdisjoint(path.relative_to(root).parts)
        and not any(folder in installed for folder in path.parents if folder.is_relative_to(root))
    )
    return one_line(path.relative_to(root).as_posix()) if is_own else ""


@functools.cache
def _first_hash(file: str) -> str:
    """The hash of a file when this process first looked at it: editing it later does not change what was loaded."""
    return _hash_of(Path(file))


def _hash_of(path: Path) -> str:
    """Twelve hexadecimal digits, the same for either kind of line ends; an empty text where there is no such file."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return ""
        return _digest(path.read_bytes())
    except OSError:
        return ""


def _digest(data: bytes) -> str:
    return hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest()[:12]
