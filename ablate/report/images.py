"""The figures and diagrams of a study's folder as images that a page holds itself."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.store import StudyFolder
from ablate.study import Cell

_ONE_COLUMN = 330  # points
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
    return _images(study.path, ((name, caption, study.figures / name) for name, caption in captions), limit)


def diagram_images(study: StudyFolder, cells: Sequence[Cell], limit: int) -> list[Image]:
    """The diagrams of the networks, that of the full one first.

    Args:
        study: The study's folder.
        cells: The cells in the order of the plan.
        limit: How many bytes they may take together.
    """
    diagrams = []
    for cell in cells:
        network = "the full network" if cell.is_reference else f"the network of the cell {cell.label}"
        diagrams.append((cell.label, f"Diagram of {network}.", study.diagrams / cell.name))
    return _images(study.path, diagrams, limit)


def _images(root: Path, named: Iterable[tuple[str, str, Path]], limit: int) -> list[Image]:
    """Images by title, caption and path without ending; those that would exceed the limit have links alone."""
    images = []
    for name, alt, stem in named:
        paths = [path for form in ("svg", "png", "pdf") if (path := stem.with_name(f"{stem.name}.{form}")).is_file()]
        if not paths:
            continue
        links = tuple((path.suffix.removeprefix("."), path.relative_to(root).as_posix()) for path in paths)
        contents = {path.suffix: path.read_bytes() for path in paths if path.suffix in _TYPES}
        source = ""
        if contents:
            suffix, content = min(contents.items(), key=lambda item: len(item[1]))
            source = f"data:{_TYPES[suffix]};base64,{base64.b64encode(content).decode()}"
        if len(source) > limit:
            source = ""
        limit -= len(source)
        images.append(Image(name, alt, source, links, _width(contents.get(".svg", b"")) > _ONE_COLUMN))
    return images


def _width(svg: bytes) -> float:
    """The width that an SVG declares, in points."""
    match = re.search(rb'<svg[^>]*\swidth="([\d.]+)pt"', svg[:5000])
    return float(match[1]) if match else 0.0


def _captions(path: Path) -> list[tuple[str, str]]:
    """Names and captions of the figures that were written."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return []
    paragraphs = re.findall(r"\*\*(.+?)\*\*: (.+?)(?:\n\n|\Z)", text, re.DOTALL)
    return [(name, " ".join(caption.split())) for name, caption in paragraphs]
