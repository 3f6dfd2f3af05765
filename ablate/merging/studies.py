"""The studies that are merged or compared, each read once, and their run folders copied from one to another."""

from __future__ import annotations

import contextlib
import shutil
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ablate.errors import StoreError
from ablate.store import Result, RunFolder, Status, StudyFolder, write_bytes
from ablate.store.curve_file import UnusableCurve, parse_curve
from ablate.store.files import check_inside, read_file
from ablate.store.json_files import InvalidFile, parse_json
from ablate.store.run_folder import COLLECTED_CURVE
from ablate.store.snapshot import Snapshot, read_snapshot

StudyPath = str | Path | StudyFolder
"""What names a study: its folder."""

Studies = Mapping[str, Snapshot]
"""Studies by the names that distinguish them."""

_RESULT_FILES: Mapping[str, Callable[[bytes], object]] = {
    "status.json": lambda data: parse_json(data, Status),
    "result.json": lambda data: parse_json(data, Result),
}


def read_studies(folders: Iterable[StudyFolder], known: Iterable[Snapshot] = ()) -> Studies:
    """Studies by name: the name of the folder, with as many of its parent folders as make all names different.

    Args:
        folders: Folders of studies that are to be read.
        known: Studies that have been read already; they come last.

    Raises:
        StoreError: If there is no study in a folder, or a folder is named twice.
    """
    studies = [*map(read_snapshot, folders), *known]
    if not studies:
        raise StoreError("Name at least one study.")
    parts = [study.folder.path.resolve().parts[1:] for study in studies]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["-".join(names[-count:]) for names in parts]
        if len(set(names)) == len(names):
            return dict(zip(names, studies, strict=True))
    paths = ", ".join(str(study.folder.path) for study in studies)
    raise StoreError(f"The same folder stands twice: {paths}.")


def as_folder(path: StudyPath) -> StudyFolder:
    """The folder of a study that is named by its path or is one already."""
    return path if isinstance(path, StudyFolder) else StudyFolder(Path(path))


def same_folder(folder: StudyFolder, others: Sequence[StudyFolder]) -> bool:
    """Whether a folder is one of several, however their paths are written."""
    return folder.path.resolve() in {other.path.resolve() for other in others}


def copy_run(source: RunFolder, target: RunFolder) -> list[str]:
    """Copy the files of a run; the target is replaced only once all of them are copied.

    Args:
        source: The run; no process may be at work on it.
        target: Where it goes; what is there is replaced.

    Returns:
        What was not copied, as paths: links, which may lead anywhere, and what is neither file nor folder.

    Raises:
        StoreError: If a file cannot be read or written, or either folder lies behind a link.
    """
    path = target.path
    left_out: list[str] = []

    def ignored(folder: str, names: list[str]) -> list[str]:
        odd = [name for name in names if _is_odd(Path(folder, name))]
        left_out.extend(str(Path(folder, name)) for name in odd)
        return [*odd, *(name for name in names if name == ".lock" or name.endswith(".tmp"))]

    _check_inside(source)
    _check_inside(target)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent, prefix=".") as temporary:
            copy = Path(temporary, "copy")
            shutil.copytree(source.path, copy, ignore=ignored, symlinks=True)
            if path.exists():
                path.rename(Path(temporary, "replaced"))
            copy.rename(path)
    except (OSError, shutil.Error) as error:
        raise StoreError(f"Cannot copy '{source.path}' to '{path}': {error}.") from error
    return left_out


def _is_odd(path: Path) -> bool:
    mode = path.lstat().st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _check_inside(folder: RunFolder) -> None:
    if folder.root is not None:
        check_inside(folder.path, folder.root)


def copy_result(source: RunFolder, target: RunFolder) -> None:
    """Copy a run's status, result and curves, and not what was saved of its network.

    A file that cannot be read, or is not what its name says, is left out: the note on its run is that of a study
    without it.
    """
    _check_inside(target)
    for file in source.path.glob("*"):
        parse = parse_curve if file.suffix == ".csv" else _RESULT_FILES.get(file.name)
        if parse is None or (data := read_file(file, source.root, strict=False)) is None:
            continue
        with contextlib.suppress(InvalidFile, UnusableCurve):
            if (file.name, data) != (COLLECTED_CURVE, b"epoch\n"):  # which says that the run's files give no curve
                parse(data)
            write_bytes(target.path / file.name, data)
