"""Diagrams of networks: their blocks from top to bottom, and for a cell of a study what it takes away."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.keras import device  # noqa: F401  isort: skip  (it must come before everything that imports TensorFlow)

from matplotlib import font_manager, style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from ablate.errors import AblateError
from ablate.keras.data.loading import load_run_data
from ablate.keras.diagram_blocks import Block, Branches, LayerRow, Repeat, State, diagram_blocks
from ablate.keras.graph import Graph
from ablate.keras.graph_reader import graph_of
from ablate.keras.graph_writer import sketch
from ablate.keras.layer_labels import joined_sizes
from ablate.keras.networks import FullModelCache, cell_graph
from ablate.keras.run_config import prepare_process
from ablate.store.atomic import write_bytes

# As `ablate.figures.style` sets them: text stays text, in an embedded font, and files depend on their content alone.
_STYLE = {"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "ablate"}
_FONTS = ("DejaVu Sans", "Noto Sans CJK KR", "Noto Sans CJK JP", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo")

_FORMATS: dict[str, dict[str, Any]] = {
    "svg": {"metadata": {"Date": None, "Creator": None}},
    "pdf": {"metadata": {"CreationDate": None, "Creator": None, "Producer": None}},
}
_COLUMN = 3.3
_LEFT, _WIDTH, _RIGHT = 0.72, 1.92, 0.62
_ROW, _GAP, _FRAME = 0.17, 0.07, 0.06
_PAGE = 9.3
# Colour, line style and legend: each alone distinguishes the states.
_COLOURS = {"unchanged": "#000000", "removed": "#D55E00", "changed": "#0072B2", "added": "#009E73"}
_LEGEND = {"removed": "taken away", "changed": "changed", "added": "added"}


def write_cells(cells: Sequence[tuple[str, str]], configs: Sequence[Mapping[str, Any]], folder: str) -> list[str]:
    """Draws the networks of the cells of a study as SVG and PDF.

    Args:
        cells: Name (of the files) and label (the title of the diagram) of each cell.
        configs: Their resolved configs as plain values.
        folder: Where to write.

    Returns:
        A sentence for each network that could not be drawn.
    """
    faults = []
    models = FullModelCache()
    for (name, label), config in zip(cells, configs, strict=True):
        try:
            values = prepare_process(config)
            full = models.get(config, load_run_data(config)[0], values["mixed_precision"])
            graph = cell_graph(full, config)
            cell = None if graph is None else graph_of(sketch(graph))
            write_diagram(graph_of(full), cell, label, Path(folder) / name)
        except AblateError as error:
            faults.append(f"{label} is not drawn: {error}")
    return faults


def write_diagram(full: Graph, cell: Graph | None, title: str, stem: Path) -> list[Path]:
    """Writes the diagram of a network as SVG and PDF.

    Args:
        full: The network in its full form.
        cell: The network of a cell, whose differences are marked; ``None`` to draw the full form.
        title: The title.
        stem: The files without their endings; the folder is made if need be.

    Returns:
        The files.

    Raises:
        StoreError: If the folder cannot be written.
    """
    written = []
    installed = set(font_manager.get_font_names())
    fonts = [name for name in _FONTS if name in installed]
    with style.context(["default", {**_STYLE, "font.family": fonts}]):
        figure = draw(diagram_blocks(full, cell), title)
        FigureCanvasAgg(figure)
        for form, options in _FORMATS.items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format=form, **options)
            path = stem.with_name(f"{stem.name}.{form}")
            write_bytes(path, buffer.getvalue())
            written.append(path)
    return written


def draw(blocks: Sequence[Block], title: str = "") -> Figure:
    """Draws the blocks of a network, in as many columns as a page needs.

    Args:
        blocks: The result of `ablate.keras.diagram_blocks.diagram_blocks`.
        title: The title.

    Returns:
        The figure; one column is as wide as that of a paper.
    """
    columns = _columns(blocks)
    states = set(_states(blocks)) - {"unchanged"}
    head = (0.22 if title else 0.05) + (0.2 if states else 0)
    tallest = max(sum(_height(block) + _GAP for block in column) for column in columns)
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
        for block in column:
            if y > head:
                pen.line([left + _WIDTH / 2] * 2, [y - _GAP, y])
            pen.block(block, left, y, _WIDTH)
            y += _height(block)
            if _output_size(block) not in ("", shape):
                shape = _output_size(block)
                pen.write(left - 0.05, y - 0.07, shape, size=4.8, ha="right", color="#666666")
            y += _GAP
    return figure


def _columns(blocks: Sequence[Block]) -> list[list[Block]]:
    """The blocks in as few columns as a page needs, of about the same height."""
    total = sum(_height(block) + _GAP for block in blocks)
    target = total / math.ceil(total / _PAGE)
    columns: list[list[Block]] = [[]]
    used = 0.0
    for block in blocks:
        size = _height(block) + _GAP
        if columns[-1] and used + size / 2 > target * len(columns):
            columns.append([])
        columns[-1].append(block)
        used += size
    return columns


def _height(block: Block) -> float:
    if isinstance(block, LayerRow):
        return _ROW
    if isinstance(block, Repeat):
        title = _ROW if block.title else 0.0
        return title + _stack_height(block.blocks) + 2 * _inset(block)
    boxed = _boxed_sides(block)
    join = _ROW + _GAP if block.join else 0.0
    return sum(_stack_height(path) for path in (block.main, *boxed)) + _GAP * len(boxed) + 2 * _FRAME + join


def _stack_height(blocks: Sequence[Block]) -> float:
    return sum(_height(block) for block in blocks) + _GAP * max(0, len(blocks) - 1)


def _inset(block: Repeat) -> float:
    """Space of the frame around repeated blocks; a single one has a box anyway."""
    return 0.0 if len(block.blocks) == 1 and not block.title else _FRAME


def _boxed_sides(block: Branches) -> list[tuple[Block, ...]]:
    """The paths that are drawn as boxes below the main path."""
    return [side for side in block.sides if not _is_shortcut(side)]


def _is_shortcut(side: Sequence[Block]) -> bool:
    """Whether a path is short enough to be drawn as a line at the side, with its layers along it."""
    return len(side) <= 1 and all(isinstance(block, LayerRow) and len(block.labels) <= 2 for block in side)


def _states(blocks: Sequence[Block]) -> Iterator[State]:
    for block in blocks:
        if isinstance(block, LayerRow):
            yield from (label.state for label in block.labels)
        elif isinstance(block, Repeat):
            yield from _states(block.blocks)
        else:
            yield from _states([*block.main, *([block.join] if block.join else [])])
            for side, removed in zip(block.sides, block.removed, strict=True):
                yield from _states(side)
                yield from ["removed"] if removed else []


def _output_size(block: Block) -> str:
    """Height, width and channels of the output; empty where it is no image."""
    if isinstance(block, Repeat):
        return _output_size(block.blocks[-1]) if block.blocks else ""
    row = block if isinstance(block, LayerRow) else block.join
    shape = row.shape if row else ()
    return joined_sizes(shape) if len(shape) > 2 else ""


def _edge(state: str) -> dict[str, Any]:
    return {
        "boxstyle": "square,pad=0.12",
        "facecolor": "white",
        "edgecolor": _COLOURS[state],
        "linewidth": 0.6,
        "linestyle": "--" if state == "removed" else "-",
    }


@dataclass(frozen=True)
class _Pen:
    """Draws blocks at a position; lengths in inches, y downwards."""

    axes: Any

    def write(self, x: float, y: float, text: str, **options: Any) -> Any:
        return self.axes.text(x, y, text, va="center", parse_math=False, **{"size": 6.3, **options})

    def line(self, xs: Sequence[float], ys: Sequence[float], removed: bool = False) -> None:
        colour, dash = (_COLOURS["removed"], "--") if removed else ("#444444", "-")
        self.axes.plot(xs, ys, color=colour, linestyle=dash, linewidth=0.7, solid_capstyle="butt")

    def frame(self, x: float, y: float, width: float, height: float, face: str, edge: str = "#888888") -> None:
        box = FancyBboxPatch(
            (x, y), width, height, boxstyle="round,pad=0,rounding_size=0.04", fc=face, ec=edge, linewidth=0.6
        )
        self.axes.add_patch(box)

    def block(self, block: Block, x: float, y: float, width: float) -> None:
        if isinstance(block, LayerRow):
            self.row(block, x, y, width)
        elif isinstance(block, Repeat):
            self.repeat(block, x, y, width)
        else:
            self.branches(block, x, y, width)

    def stack(self, blocks: Sequence[Block], x: float, y: float, width: float) -> float:
        """Draws blocks below one another and returns where they end."""
        for number, block in enumerate(blocks):
            if number:
                self.line([x + width / 2] * 2, [y - _GAP, y])
            self.block(block, x, y, width)
            y += _height(block) + _GAP
        return y - _GAP

    def row(self, row: LayerRow, x: float, y: float, width: float) -> None:
        states = {label.state for label in row.labels}
        edge = _COLOURS[next(iter(states))] if len(states) == 1 else "#888888"
        self.frame(x, y, width, _ROW, "white", edge)
        length = sum(len(label.text) for label in row.labels) + 3 * (len(row.labels) - 1)
        # Boxes around labels need more space than their text; about 0.049 inches a character at 6.3 points.
        padding = 0.1 if states <= {"unchanged"} else 0.3
        size = min(6.3, 6.3 * width / (0.049 * length + padding))
        step = 0.0495 * size / 6.3
        left = x + width / 2 - step * length / 2
        for number, label in enumerate(row.labels):
            if number:
                self.write(left + 1.5 * step, y + _ROW / 2, "·", size=size, ha="center")
                left += 3 * step
            text_width = step * len(label.text)
            box = {} if label.state == "unchanged" else {"bbox": _edge(label.state)}
            colour = _COLOURS[label.state]
            self.write(left + text_width / 2, y + _ROW / 2, label.text, size=size, ha="center", color=colour, **box)
            left += text_width

    def repeat(self, block: Repeat, x: float, y: float, width: float) -> None:
        height, inset = _height(block), _inset(block)
        if inset:
            self.frame(x, y, width, height, "#F7F7F7")
        if block.title:
            self.write(x + width / 2, y + _ROW / 2 + 0.02, block.title, ha="center", style="italic")
        self.stack(block.blocks, x + inset, y + inset + (_ROW if block.title else 0), width - 2 * inset)
        if block.times > 1:
            self.write(x - 0.09, y + height / 2, f"× {block.times}", ha="right", weight="bold", size=7)

    def branches(self, block: Branches, x: float, y: float, width: float) -> None:
        height = _height(block)
        self.frame(x, y, width, height, "#EFEFEF")
        end = self.stack(block.main, x + _FRAME, y + _FRAME, width - 2 * _FRAME)
        for side in _boxed_sides(block):
            self.line([x + _FRAME, x + width - _FRAME], [end + _GAP / 2] * 2)
            end = self.stack(side, x + _FRAME, end + _GAP, width - 2 * _FRAME)
        if block.join:
            self.line([x + width / 2] * 2, [end, end + _GAP])
            self.row(block.join, x + _FRAME, end + _GAP, width - 2 * _FRAME)
        sides = zip(block.sides, block.removed, strict=True)
        for number, (side, removed) in enumerate((side, removed) for side, removed in sides if _is_shortcut(side)):
            right = x + width + 0.1 + 0.16 * number
            middle = x + width / 2
            top, bottom = y - _GAP / 2, y + height + _GAP / 2
            target = middle
            if block.join:
                bottom, target = end + _GAP + _ROW / 2, x + width - _FRAME
            self.line([middle, right, right, target], [top, top, bottom, bottom], removed)
            text = " · ".join(label.text for row in side if isinstance(row, LayerRow) for label in row.labels)
            if text:
                colour = _COLOURS["removed"] if removed else "#000000"
                size = min(5.4, 5.4 * (bottom - top) / (0.042 * len(text)))
                self.write(right + 0.07, (top + bottom) / 2, text, rotation=90, ha="center", size=size, color=colour)
