"""The figures and diagrams of a study's folder as images that are embedded in its page."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ablate.store import StudyFolder
from ablate.store.files import read_file
from ablate.study import Cell

_ONE_COLUMN = 330  # points; a wider figure was drawn for two columns
_LARGEST_IMAGE = 50_000_000  # bytes
# What a page can embed, by ending.
_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
# How a complete file of a format is recognised, by ending; a damaged one would show as a broken image.
_SIGNATURES: Mapping[str, Callable[[bytes], bool]] = {
    ".svg": lambda data: b"<svg" in data[:5000] and data.rstrip().endswith(b"</svg>"),
    ".png": lambda data: data.startswith(b"\x89PNG\r\n\x1a\n") and b"IEND" in data[-12:],
    ".pdf": lambda data: data.startswith(b"%PDF-") and b"%%EOF" in data[-1024:],
}


@dataclass(frozen=True)
class Image:
    """An image of a page.

    Args:
        name: Its title.
        alt: Its caption.
        source: A ``data:`` URL with its contents; empty where they would exceed the limit of the page.
        files: For each of its files the format and its address relative to the page.
        is_wide: Whether it was drawn for the width of two columns.
    """

    name: str
    alt: str
    source: str
    files: tuple[tuple[str, str], ...]
    is_wide: bool = False


def figure_images(figures: Path, here: Path, limit: int) -> list[Image]:
    """The figures in a folder, in the order of its ``captions.md``, each with its caption.

    Args:
        figures: The folder of the figures.
        here: The folder of the page.
        limit: How many characters their ``data:`` URLs may have in all.
    """
    captions = _captions(figures / "captions.md")
    return _images(here, ((name, caption, figures / name) for name, caption in captions), limit)


def diagram_images(study: StudyFolder, cells: Sequence[Cell], here: Path, limit: int) -> list[Image]:
    """The diagrams of the networks, in the order of the cells.

    Args:
        study: The study's folder.
        cells: The cells in the order of the plan.
        here: The folder of the page.
        limit: How many characters their ``data:`` URLs may have in all.
    """
    diagrams = []
    for cell in cells:
        network = "the full network" if cell.is_reference else f"the network of the cell {cell.label}"
        diagrams.append((cell.label, f"Diagram of {network}.", study.diagrams / cell.name))
    return _images(here, diagrams, limit)


def relative_url(path: Path, here: Path) -> str:
    """The address of a file in a page in the folder ``here``."""
    return quote(Path(os.path.relpath(path, here)).as_posix())


def _images(here: Path, named: Iterable[tuple[str, str, Path]], limit: int) -> list[Image]:
    """Images from their titles, captions and paths without ending.

    One without files is left out, and so are links, which may lead anywhere. The smallest format that a page can embed
    is embedded, unless that would exceed the limit; then the image has only links.
    """
    images = []
    for name, alt, stem in named:
        paths = [stem.with_name(f"{stem.name}.{form}") for form in ("svg", "png", "pdf")]
        files = {path: data for path in paths if (data := _image_bytes(path, stem.parent)) is not None}
        if not files:
            continue
        links = tuple((path.suffix.removeprefix("."), relative_url(path, here)) for path in files)
        contents = {path.suffix: data for path, data in files.items() if path.suffix in _TYPES}
        source = ""
        if contents:
            suffix, content = min(contents.items(), key=lambda item: len(item[1]))
            source = f"data:{_TYPES[suffix]};base64,{base64.b64encode(content).decode()}"
        if len(source) > limit:
            source = ""
        limit -= len(source)
        images.append(Image(name, alt, source, links, _width(contents.get(".svg", b"")) > _ONE_COLUMN))
    return images


def _image_bytes(path: Path, folder: Path) -> bytes | None:
    """The contents of an image in a study's folder; None where there is none, or it is no image of its format."""
    data = read_file(path, folder.parent, strict=False, limit=_LARGEST_IMAGE)
    return data if data is not None and _SIGNATURES[path.suffix](data) else None


def _width(svg: bytes) -> float:
    """The width that an SVG declares, in points; 0 where it declares none."""
    match = re.search(rb'<svg[^>]*\swidth="([\d.]+)pt"', svg[:5000])
    return float(match[1]) if match else 0.0


def _captions(path: Path) -> list[tuple[str, str]]:
    """Names and captions of figures from ``captions.md``, those of figures that were left out among them."""
    text = (read_file(path, path.parent.parent, strict=False) or b"").decode(errors="replace")
    paragraphs = re.findall(r"\*\*(.+?)\*\*: (.+?)(?:\n\n|\Z)", text, re.DOTALL)
    return [(name, " ".join(caption.split())) for name, caption in paragraphs]
