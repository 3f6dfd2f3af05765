"""The picture of a network: its blocks from top to bottom, and for a cell what was taken away."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from ablate.figures.style import literal_text, rc_params
from ablate.keras.diagram_parts import Branches, Item, Piece, Repeat, Row, parts
from ablate.keras.diagram_words import sizes
from ablate.keras.graph import Graph
from ablate.store.atomic import write_bytes

__all__ = ["draw", "write_diagram"]

_FORMATS: dict[str, dict[str, Any]] = {
    "svg": {"metadata": {"Date": None, "Creator": None}},
    "pdf": {"metadata": {"CreationDate": None, "Creator": None, "Producer": None}},
}
_COLUMN = 3.3
_LEFT, _WIDTH, _RIGHT = 0.72, 1.92, 0.62
_ROW, _GAP, _FRAME = 0.17, 0.07, 0.06
_PAGE = 9.3
# Colour, line and words: any one tells the states apart.
_COLOURS = {"kept": "#000000", "gone": "#D55E00", "changed": "#0072B2", "new": "#009E73"}
_LEGEND = {"gone": "taken away", "changed": "changed", "new": "added"}


def write_diagram(full: Graph, cell: Graph | None, title: str, stem: Path) -> list[Path]:
    """Writes the diagram of a network as SVG and PDF.

    Args:
        full: The network in its full form.
        cell: The network without something, which is marked; None to draw the full form.
        title: What stands on top.
        stem: The files without their endings; the folder is made if need be.

    Returns:
        The files.

    Raises:
        StoreError: If the folder cannot be written.
    """
    written = []
    with style.context(["default", dict(rc_params())]):
        figure = draw(parts(full, cell), title)
        FigureCanvasAgg(figure)
        for form, options in _FORMATS.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=form, **options)
            path = stem.with_name(f"{stem.name}.{form}")
            write_bytes(path, buffer.getvalue())
            written.append(path)
    return written


def draw(items: Sequence[Item], title: str = "") -> Figure:
    """Draws the parts of a network, on as many columns as a page needs.

    Args:
        items: What `ablate.keras.diagram_parts.parts` returned.
        title: What stands on top.

    Returns:
        The figure; one column is as wide as that of a paper.
    """
    columns = _columns(items)
    states = {piece.state for piece in _pieces(items)} - {"kept"}
    head = (0.22 if title else 0.05) + (0.2 if states else 0)
    tallest = max(sum(_height(item) + _GAP for item in column) for column in columns)
    width, height = _COLUMN * len(columns), head + tallest + 0.08
    figure = Figure(figsize=(width, height))
    pen = _Pen(figure.add_axes((0, 0, 1, 1)))
    pen.axes.set(xlim=(0, width), ylim=(height, 0))
    pen.axes.axis("off")
    if title:
        pen.write(_LEFT, 0.13, title, weight="bold", size=8)
    for number, state in enumerate(sorted(states)):
        pen.write(_LEFT + 0.75 * number, head - 0.1, _LEGEND[state], color=_COLOURS[state], bbox=_edge(state))
    shape = ""
    for number, column in enumerate(columns):
        y, left = head, number * _COLUMN + _LEFT
        for item in column:
            if y > head:
                pen.line([left + _WIDTH / 2] * 2, [y - _GAP, y])
            pen.item(item, left, y, _WIDTH)
            y += _height(item)
            if _places(item) not in ("", shape):
                shape = _places(item)
                pen.write(left - 0.05, y - 0.07, shape, size=4.8, ha="right", color="#666666")
            y += _GAP
    return figure


def _columns(items: Sequence[Item]) -> list[list[Item]]:
    """The parts on as few columns as a page needs, of about the same height."""
    total = sum(_height(item) + _GAP for item in items)
    target = total / math.ceil(total / _PAGE)
    columns: list[list[Item]] = [[]]
    used = 0.0
    for item in items:
        size = _height(item) + _GAP
        if columns[-1] and used + size / 2 > target * len(columns):
            columns.append([])
        columns[-1].append(item)
        used += size
    return columns


def _height(item: Item) -> float:
    if isinstance(item, Row):
        return _ROW
    if isinstance(item, Repeat):
        title = _ROW if item.title else 0.0
        return title + _stacked(item.items) + (0 if _is_plain(item) else 2 * _FRAME)
    join = _ROW + _GAP if item.join else 0.0
    return sum(_stacked(way) for way in (item.main, *_beside(item))) + _GAP * len(_beside(item)) + 2 * _FRAME + join


def _stacked(items: Sequence[Item]) -> float:
    return sum(_height(item) for item in items) + _GAP * max(0, len(items) - 1)


def _is_plain(item: Repeat) -> bool:
    """Whether a frame of its own would say nothing: one part, which has a box anyway."""
    return len(item.items) == 1 and not item.title


def _beside(item: Branches) -> list[tuple[Item, ...]]:
    """The ways that are drawn with boxes of their own."""
    return [side for side in item.sides if not _is_shortcut(side)]


def _is_shortcut(side: Sequence[Item]) -> bool:
    """Whether a way is short enough to be told at a line on the side."""
    return len(side) <= 1 and all(isinstance(item, Row) and len(item.pieces) <= 2 for item in side)


def _pieces(items: Sequence[Item]) -> Iterator[Piece]:
    for item in items:
        if isinstance(item, Row):
            yield from item.pieces
        elif isinstance(item, Repeat):
            yield from _pieces(item.items)
        else:
            yield from _pieces([*item.main, *([item.join] if item.join else [])])
            for side, gone in zip(item.sides, item.gone, strict=True):
                yield from _pieces(side)
                yield from [Piece("", "gone")] if gone else []


def _places(item: Item) -> str:
    """Height and width of what comes out, as words; empty where there are none."""
    if isinstance(item, Repeat):
        return _places(item.items[-1]) if item.items else ""
    row = item if isinstance(item, Row) else item.join
    shape = row.shape if row else ()
    return sizes(shape) if len(shape) > 2 else ""


def _edge(state: str) -> dict[str, Any]:
    return {
        "boxstyle": "square,pad=0.12",
        "facecolor": "white",
        "edgecolor": _COLOURS[state],
        "linewidth": 0.6,
        "linestyle": "--" if state == "gone" else "-",
    }


@dataclass(frozen=True)
class _Pen:
    """Draws parts at a place; lengths in inches, y downwards."""

    axes: Any

    def write(self, x: float, y: float, text: str, **options: Any) -> Any:
        return self.axes.text(x, y, literal_text(text), va="center", **{"size": 6.3, **options})

    def line(self, xs: Sequence[float], ys: Sequence[float], gone: bool = False) -> None:
        colour, dash = (_COLOURS["gone"], "--") if gone else ("#444444", "-")
        self.axes.plot(xs, ys, color=colour, linestyle=dash, linewidth=0.7, solid_capstyle="butt")

    def frame(self, x: float, y: float, width: float, height: float, face: str, edge: str = "#888888") -> None:
        box = FancyBboxPatch(
            (x, y), width, height, boxstyle="round,pad=0,rounding_size=0.04", fc=face, ec=edge, linewidth=0.6
        )
        self.axes.add_patch(box)

    def item(self, item: Item, x: float, y: float, width: float) -> None:
        if isinstance(item, Row):
            self.row(item, x, y, width)
        elif isinstance(item, Repeat):
            self.repeat(item, x, y, width)
        else:
            self.branches(item, x, y, width)

    def stack(self, items: Sequence[Item], x: float, y: float, width: float) -> float:
        for number, item in enumerate(items):
            if number:
                self.line([x + width / 2] * 2, [y - _GAP, y])
            self.item(item, x, y, width)
            y += _height(item) + _GAP
        return y - _GAP

    def row(self, item: Row, x: float, y: float, width: float) -> None:
        states = {piece.state for piece in item.pieces}
        edge = _COLOURS[next(iter(states))] if len(states) == 1 else "#888888"
        self.frame(x, y, width, _ROW, "white", edge)
        texts = [piece.text for piece in item.pieces]
        length = sum(map(len, texts)) + 3 * (len(texts) - 1)
        room = 0.1 if states <= {"kept"} else 0.3
        size = min(6.3, 6.3 * width / (0.049 * length + room))
        step = 0.0495 * size / 6.3
        at = x + width / 2 - step * length / 2
        for number, piece in enumerate(item.pieces):
            if number:
                self.write(at + 1.5 * step, y + _ROW / 2, "·", size=size, ha="center")
                at += 3 * step
            own = step * len(piece.text)
            marked = {} if piece.state == "kept" else {"bbox": _edge(piece.state)}
            colour = _COLOURS[piece.state]
            self.write(at + own / 2, y + _ROW / 2, piece.text, size=size, ha="center", color=colour, **marked)
            at += own

    def repeat(self, item: Repeat, x: float, y: float, width: float) -> None:
        height = _height(item)
        inset = 0 if _is_plain(item) else _FRAME
        if inset:
            self.frame(x, y, width, height, "#F7F7F7")
        if item.title:
            self.write(x + width / 2, y + _ROW / 2 + 0.02, item.title, ha="center", style="italic")
        self.stack(item.items, x + inset, y + inset + (_ROW if item.title else 0), width - 2 * inset)
        if item.times > 1:
            self.write(x - 0.09, y + height / 2, f"× {item.times}", ha="right", weight="bold", size=7)

    def branches(self, item: Branches, x: float, y: float, width: float) -> None:
        height = _height(item)
        self.frame(x, y, width, height, "#EFEFEF")
        end = self.stack(item.main, x + _FRAME, y + _FRAME, width - 2 * _FRAME)
        for side in _beside(item):
            self.line([x + _FRAME, x + width - _FRAME], [end + _GAP / 2] * 2)
            end = self.stack(side, x + _FRAME, end + _GAP, width - 2 * _FRAME)
        if item.join:
            self.line([x + width / 2] * 2, [end, end + _GAP])
            self.row(item.join, x + _FRAME, end + _GAP, width - 2 * _FRAME)
        shortcuts = [(side, gone) for side, gone in zip(item.sides, item.gone, strict=True) if _is_shortcut(side)]
        for number, (side, gone) in enumerate(shortcuts):
            out = x + width + 0.1 + 0.16 * number
            middle = x + width / 2
            top, bottom = y - _GAP / 2, y + height + _GAP / 2
            close = middle
            if item.join:
                bottom, close = end + _GAP + _ROW / 2, x + width - _FRAME
            self.line([middle, out, out, close], [top, top, bottom, bottom], gone)
            told = " · ".join(piece.text for one in side if isinstance(one, Row) for piece in one.pieces)
            if told:
                colour = _COLOURS["gone"] if gone else "#000000"
                size = min(5.4, 5.4 * (bottom - top) / (0.042 * len(told)))
                self.write(out + 0.07, (top + bottom) / 2, told, rotation=90, ha="center", size=size, color=colour)
