"""The figures and diagrams of a study's folder as images that a page holds itself."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.store import StudyFolder
from ablate.study import Cell

_ONE_COLUMN = 330
_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}


@dataclass(frozen=True)
class Image:
    """An image of a page.

    Args:
        name: Its title.
        alt: Its caption.
        source: A ``data:`` URL that holds it; empty where it would exceed what the page may hold.
        files: Names of its files and their addresses relative to the page.
        is_wide: Whether it was drawn for the width of two columns.
    """

    name: str
    alt: str
    source: str
    files: tuple[tuple[str, str], ...]
    is_wide: bool = False


def figure_images(study: StudyFolder, limit: int) -> list[Image]:
    """The figures that were written, in the order of ``captions.md``, each with its caption.

    Args:
        study: The study's folder.
        limit: How many bytes they may take together.
    """
    captions = _captions(study.figures / "captions.md")
    return _images(study.path, ((name, caption, _files(study.figures, name)) for name, caption in captions), limit)


def diagram_images(study: StudyFolder, cells: Sequence[Cell], limit: int) -> list[Image]:
    """The diagrams of the networks, that of the full one first.

    Args:
        study: The study's folder.
        cells: The cells in the order of the plan.
        limit: How many bytes they may take together.
    """
    images = (
        (
            cell.label,
            f"Diagram of {'the full network' if cell.is_reference else f'the network of the cell {cell.label}'}.",
            _files(study.diagrams, cell.name),
        )
        for cell in cells
    )
    return _images(study.path, images, limit)


def _images(here: Path, named: Iterable[tuple[str, str, list[Path]]], limit: int) -> list[Image]:
    """Images by name, caption and files; those that would exceed the limit only as links."""
    images = []
    for name, alt, files in named:
        if files:
            images.append(_image(name, alt, files, here, limit))
            limit -= len(images[-1].source)
    return images


def _files(folder: Path, name: str) -> list[Path]:
    return [path for form in ("svg", "png", "pdf") if (path := folder / f"{name}.{form}").is_file()]


def _image(name: str, alt: str, files: Sequence[Path], here: Path, limit: int) -> Image:
    links = tuple((path.suffix.removeprefix("."), path.relative_to(here).as_posix()) for path in files)
    contents = [(path.read_bytes(), _TYPES[path.suffix]) for path in files if path.suffix in _TYPES]
    source = ""
    if contents:
        content, media_type = min(contents, key=lambda pair: len(pair[0]))
        source = f"data:{media_type};base64,{base64.b64encode(content).decode()}"
    is_wide = any(_width(content) > _ONE_COLUMN for content, kind in contents if kind.startswith("image/svg"))
    return Image(name, alt, source if len(source) <= limit else "", links, is_wide)


def _width(svg: bytes) -> float:
    """The width that an SVG declares, in points."""
    match = re.search(rb'<svg[^>]*\swidth="([\d.]+)pt"', svg[:5000])
    return float(match[1]) if match else 0.0


def _captions(path: Path) -> Iterator[tuple[str, str]]:
    """Names and captions of the figures that were written."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return
    for paragraph in text.split("\n\n"):
        match = re.match(r"\*\*(.+?)\*\*: (.*)", paragraph.strip(), re.DOTALL)
        if match:
            yield match[1], " ".join(match[2].split())
