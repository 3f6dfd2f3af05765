"""The figures and diagrams of a study's folder as images that are embedded in its page."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.store import StudyFolder
from ablate.study import Cell

_ONE_COLUMN = 330  # points; a wider figure was drawn for two columns
# What a page can embed, by ending.
_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}


@dataclass(frozen=True)
class Image:
    """An image of a page.

    Args:
        name: Its title.
        alt: Its caption.
        source: A ``data:`` URL with its contents; empty where they would exceed the limit of the page.
        files: For each of its files the format and the path relative to the study's folder.
        is_wide: Whether it was drawn for the width of two columns.
    """

    name: str
    alt: str
    source: str
    files: tuple[tuple[str, str], ...]
    is_wide: bool = False


def figure_images(study: StudyFolder, limit: int) -> list[Image]:
    """The figures in a study's folder, in the order of ``captions.md``, each with its caption.

    Args:
        study: The study's folder.
        limit: How many characters their ``data:`` URLs may have in all.
    """
    captions = _captions(study.figures / "captions.md")
    return _images(study.path, ((name, caption, study.figures / name) for name, caption in captions), limit)


def diagram_images(study: StudyFolder, cells: Sequence[Cell], limit: int) -> list[Image]:
    """The diagrams of the networks, in the order of the cells.

    Args:
        study: The study's folder.
        cells: The cells in the order of the plan.
        limit: How many characters their ``data:`` URLs may have in all.
    """
    diagrams = []
    for cell in cells:
        network = "the full network" if cell.is_reference else f"the network of the cell {cell.label}"
        diagrams.append((cell.label, f"Diagram of {network}.", study.diagrams / cell.name))
    return _images(study.path, diagrams, limit)


def _images(root: Path, named: Iterable[tuple[str, str, Path]], limit: int) -> list[Image]:
    """Images from their titles, captions and paths without ending.

    One without files is left out. The smallest format that a page can embed is embedded, unless that would exceed the
    limit; then the image has only links.
    """
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
    """The width that an SVG declares, in points; 0 where it declares none."""
    match = re.search(rb'<svg[^>]*\swidth="([\d.]+)pt"', svg[:5000])
    return float(match[1]) if match else 0.0


def _captions(path: Path) -> list[tuple[str, str]]:
    """Names and captions of figures from ``captions.md``, those of figures that were left out among them."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return []
    paragraphs = re.findall(r"\*\*(.+?)\*\*: (.+?)(?:\n\n|\Z)", text, re.DOTALL)
    return [(name, " ".join(caption.split())) for name, caption in paragraphs]
