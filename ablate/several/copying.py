"""Run folders from one study to another."""

from __future__ import annotations

import shutil
from pathlib import Path

from ablate.errors import StoreError
from ablate.store import RunFolder, write_bytes

__all__ = ["copy_result", "copy_run"]

_KEPT = (".json", ".csv")


def copy_run(source: RunFolder, target: RunFolder) -> None:
    """Copy all of a run, and put it in place whole or not at all.

    Args:
        source: The run; nobody may be at work on it.
        target: Where it goes; what is there is replaced.

    Raises:
        StoreError: If a file cannot be read or written.
    """
    place = target.path
    half, old = (place.with_name(f".{place.name}.{word}") for word in ("half", "old"))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        for rest in (half, old):
            shutil.rmtree(rest, ignore_errors=True)
        shutil.copytree(source.path, half, ignore=shutil.ignore_patterns(".lock", "*.tmp"), symlinks=True)
        if place.exists():
            place.rename(old)
        half.rename(place)
        shutil.rmtree(old, ignore_errors=True)
    except (OSError, shutil.Error) as error:
        raise StoreError(f"Cannot copy '{source.path}' to '{place}': {error}.") from error


def copy_result(source: RunFolder, target: RunFolder) -> None:
    """Copy what a run says of itself, its numbers and its curves; a file that is the same already stays as it is."""
    try:
        files = sorted(path for path in source.path.iterdir() if path.suffix in _KEPT and path.is_file())
    except OSError:
        return
    for path in files:
        goal = target.path / path.name
        content = path.read_bytes()
        if not goal.is_file() or goal.read_bytes() != content:
            write_bytes(goal, content)


def names_of(folders: list[Path]) -> list[str]:
    """What to call folders: their own names, and as many of the names above as it takes to tell them apart.

    Example:
        >>> names_of([Path("/laptop/outputs/residual"), Path("/server/outputs/residual")])
        ['laptop-outputs-residual', 'server-outputs-residual']
    """
    parts = [[part for part in folder.resolve().parts if part != "/"] for folder in folders]
    longest = max(map(len, parts))
    for count in range(1, longest + 1):
        names = ["-".join(own[-count:]) for own in parts]
        if len(set(names)) == len(names):
            return names
    raise StoreError(f"The same folder stands twice: {', '.join(map(str, folders))}.")
