"""The pictures of a study's folder, put into the page itself."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.store import StudyFolder
from ablate.study import Cell

__all__ = ["Picture", "diagrams", "figures"]

_ONE_COLUMN = 330
_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}


@dataclass(frozen=True)
class Picture:
    """A picture.

    Args:
        name: What it is called.
        alt: What it shows, in words.
        source: A ``data:`` address that holds it; empty where the page has no room left for it.
        files: Names of its files and their addresses relative to the page.
        is_wide: Whether it was drawn for the width of two columns.
    """

    name: str
    alt: str
    source: str
    files: tuple[tuple[str, str], ...]
    is_wide: bool = False


def figures(study: StudyFolder, room: int) -> list[Picture]:
    """The figures that were written, in the order of ``captions.md``, each with its caption.

    Args:
        study: The study's folder.
        room: How many bytes they may take together.
    """
    found = []
    for name, caption in _captions(study.figures / "captions.md"):
        files = [path for path in _files(study.figures, name) if path.is_file()]
        picture = _picture(name, caption, files, study.path, room)
        if picture is not None:
            room -= len(picture.source)
            found.append(picture)
    return found


def diagrams(study: StudyFolder, cells: Sequence[Cell], room: int) -> list[Picture]:
    """The diagrams of the networks, that of the full one first.

    Args:
        study: The study's folder.
        cells: The cells in the order of the plan.
        room: How many bytes they may take together.
    """
    folder = study.path / "diagrams"
    found = []
    for cell in cells:
        words = "the full network" if cell.is_reference else f"the network of the cell {cell.label}"
        picture = _picture(cell.label, f"Diagram of {words}.", _files(folder, cell.name), study.path, room)
        if picture is not None:
            room -= len(picture.source)
            found.append(picture)
    return found


def _files(folder: Path, name: str) -> list[Path]:
    return [path for form in ("svg", "png", "pdf") if (path := folder / f"{name}.{form}").is_file()]


def _picture(name: str, alt: str, files: Sequence[Path], here: Path, room: int) -> Picture | None:
    if not files:
        return None
    links = tuple((path.suffix.removeprefix("."), path.relative_to(here).as_posix()) for path in files)
    contents = [(path.read_bytes(), _TYPES[path.suffix]) for path in files if path.suffix in _TYPES]
    source = ""
    if contents:
        content, kind = min(contents, key=lambda pair: len(pair[0]))
        source = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    is_wide = any(_width(content) > _ONE_COLUMN for content, kind in contents if kind.startswith("image/svg"))
    return Picture(name, alt, source if len(source) <= room else "", links, is_wide)


def _width(drawing: bytes) -> float:
    """The width that an SVG gives itself, in points."""
    found = re.search(rb'<svg[^>]*\swidth="([\d.]+)pt"', drawing[:5000])
    return float(found[1]) if found else 0.0


def _captions(path: Path) -> Iterator[tuple[str, str]]:
    """Names and captions from the file that is written beside the figures."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return
    for paragraph in text.split("\n\n"):
        found = re.match(r"\*\*(.+?)\*\*: (.*)", paragraph.strip(), re.DOTALL)
        if found:
            yield found[1], " ".join(found[2].split())
