"""Drawing the diagrams of networks, from top to bottom; for a cell of a study, what it changes is marked."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablate.keras import device  # noqa: F401  isort: skip  (it must come before everything that imports TensorFlow)

from matplotlib import font_manager, style
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, HPacker, TextArea
from matplotlib.patches import Rectangle

from ablate.characters import printable
from ablate.errors import AblateError
from ablate.keras.data.loading import load_run_data
from ablate.keras.diagram_blocks import Block, Branches, LayerRow, Repeat, diagram_blocks, states_in
from ablate.keras.graph_reader import graph_of
from ablate.keras.graph_writer import sketch
from ablate.keras.layer_labels import joined_sizes
from ablate.keras.networks import FullModelCache, cell_graph
from ablate.keras.run_config import prepare_process
from ablate.store.atomic import write_bytes

# The last ones have Chinese, Japanese and Korean characters.
_FONTS = ("DejaVu Sans", "Noto Sans CJK KR", "Noto Sans CJK JP", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo")
# As `ablate.figures.style` sets them: text stays text, in an embedded font, and files depend on their content alone.
_FAMILY = [name for name in _FONTS if name in font_manager.get_font_names()]
_SETTINGS = {"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "ablate", "font.family": _FAMILY}
_STYLE: list[Any] = ["default", _SETTINGS]
_METADATA: Mapping[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
# Lengths are inches, font sizes points.
_COLUMN = 3.3
_LEFT, _WIDTH = 0.72, 1.92
_ROW, _GAP, _FRAME = 0.17, 0.07, 0.06
_PAGE = 9.3
_FONT_SIZE = 6.3
_SIZE_WIDTH = 0.47  # of the size of a map beside its block
_CHARACTER = 0.049  # width of an average character at that size
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

    Raises:
        StoreError: If the folder cannot be written.
    """
    faults = []
    models = FullModelCache()
    for (name, label), config in zip(cells, configs, strict=True):
        try:
            values = prepare_process(config)
            full = models.get(config, load_run_data(config)[0], values["mixed_precision"])
            graph = cell_graph(full, config)
            cell = None if graph is None else graph_of(sketch(graph))
            figure = draw(diagram_blocks(graph_of(full), cell), label)
            for form in _METADATA:
                write_bytes(Path(folder) / f"{name}.{form}", image_bytes(figure, form))
        except AblateError as error:
            faults.append(f"{label} is not drawn: {error}")
    return faults


class Diagram(Figure):
    """The picture of a network; it shows in a notebook."""

    def _repr_svg_(self) -> str:
        return image_bytes(self, "svg").decode()


@style.context(_STYLE)
def image_bytes(figure: Figure, form: str) -> bytes:
    """A file of a diagram.

    Args:
        figure: The result of `draw`.
        form: ``"svg"`` or ``"pdf"``.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, metadata=_METADATA[form])
    # Names of layers may hold characters that XML forbids.
    return printable(buffer.getvalue().decode()).encode() if form == "svg" else buffer.getvalue()


@style.context(_STYLE)
def draw(blocks: Sequence[Block], title: str = "") -> Diagram:
    """Draws the blocks of a network, in as many columns as a page needs.

    Args:
        blocks: The result of `ablate.keras.diagram_blocks.diagram_blocks`.
        title: The title.

    Returns:
        The figure; one column is as wide as that of a paper.
    """
    columns = _columns(blocks)
    states = sorted(states_in(blocks) - {"unchanged"})
    head = (0.22 if title else 0.05) + (0.2 if states else 0)
    width = _COLUMN * len(columns)
    height = head + max(_stack_height(column) for column in columns) + _GAP + 0.08
    figure = Diagram(figsize=(width, height))
    pen = _Pen(figure.add_axes((0, 0, 1, 1)))
    pen.axes.set(xlim=(0, width), ylim=(height, 0))
    pen.axes.axis("off")
    pen.write(_LEFT, 0.13, title, weight="bold", size=8)
    for number, state in enumerate(states):
        pen.write(_LEFT + 0.75 * number, head - 0.1, _LEGEND[state], color=_COLOURS[state], bbox=_edge(state))
    size = ""
    for number, column in enumerate(columns):
        left = number * _COLUMN + _LEFT
        y, taken = head, []
        for block in column:
            y += _height(block)
            if _output_size(block) not in ("", size):
                size = _output_size(block)
                taken.append(y - 0.07)
                pen.write(left - 0.05, taken[-1], size, size=4.8, ha="right", color="#666666")
            y += _GAP
        replace(pen, margin=left, taken=tuple(taken)).stack(column, left, head, _WIDTH)
    return figure


def _columns(blocks: Sequence[Block]) -> list[list[Block]]:
    """The blocks in as few columns as a page needs, of about the same height."""
    total = _stack_height(blocks) + _GAP
    columns: list[list[Block]] = [[] for _ in range(math.ceil(total / _PAGE))]
    top = 0.0
    for block in blocks:
        middle = top + (_height(block) + _GAP) / 2
        columns[int(middle / total * len(columns))].append(block)
        top += _height(block) + _GAP
    return [column for column in columns if column]


def _height(block: Block) -> float:
    if isinstance(block, LayerRow):
        return _ROW
    if isinstance(block, Repeat):
        return (_ROW if block.title else 0.0) + _stack_height(block.blocks) + 2 * _inset(block)
    paths = [block.main, *_boxed_sides(block), *([[block.join]] if block.join.labels else [])]
    return sum(_stack_height(path) for path in paths) + _GAP * (len(paths) - 1) + 2 * _FRAME


def _stack_height(blocks: Sequence[Block]) -> float:
    return sum(_height(block) + _GAP for block in blocks) - _GAP


def _inset(block: Repeat) -> float:
    """Space within the frame around repeated blocks; a single one has a box anyway."""
    return 0.0 if len(block.blocks) == 1 and not block.title else _FRAME


def _boxed_sides(block: Branches) -> list[tuple[Block, ...]]:
    """The paths that are drawn as boxes below the main path."""
    return [side for side in block.sides if not _is_shortcut(side)]


def _is_shortcut(side: Sequence[Block]) -> bool:
    """Whether a path is short enough to be drawn as a line at the side, with its layers along it."""
    return len(side) <= 1 and all(isinstance(block, LayerRow) and len(block.labels) <= 2 for block in side)


def _output_size(block: Block) -> str:
    """Height, width and channels of the output; empty where it is no image."""
    if isinstance(block, Repeat):
        return _output_size(block.blocks[-1])
    shape = block.shape if isinstance(block, LayerRow) else block.join.shape
    return joined_sizes(shape) if len(shape) > 2 else ""


def _edge(state: str) -> dict[str, Any]:
    dash = "--" if state == "removed" else "-"
    return {"boxstyle": "square,pad=0.12", "fc": "white", "ec": _COLOURS[state], "linewidth": 0.6, "linestyle": dash}


Point = tuple[float, float]


@dataclass(frozen=True)
class _Pen:
    """Draws blocks at a position; lengths in inches, y downwards.

    Args:
        axes: Where to draw.
        margin: Where the margin of the column ends, in which numbers of repetitions stand.
        taken: Where sizes stand in it.
    """

    axes: Any
    margin: float = 0.0
    taken: tuple[float, ...] = ()

    def write(self, x: float, y: float, text: str, **options: Any) -> None:
        self.axes.text(x, y, text, va="center", parse_math=False, **{"size": _FONT_SIZE, **options})

    def line(self, xs: Sequence[float], ys: Sequence[float], removed: bool = False) -> None:
        colour, dash = (_COLOURS["removed"], "--") if removed else ("#444444", "-")
        self.axes.plot(xs, ys, color=colour, linestyle=dash, linewidth=0.7, solid_capstyle="butt")

    def frame(self, x: float, y: float, width: float, height: float, face: str) -> None:
        self.axes.add_patch(Rectangle((x, y), width, height, fc=face, ec="#888888", linewidth=0.6))

    def stack(self, blocks: Sequence[Block], x: float, y: float, width: float) -> float:
        """Draws blocks below one another and returns where they end."""
        for number, block in enumerate(blocks):
            if number:
                self.line([x + width / 2] * 2, [y - _GAP, y])
            if isinstance(block, LayerRow):
                self.row(block, x, y, width)
            elif isinstance(block, Repeat):
                self.repeat(block, x, y, width)
            else:
                self.branches(block, x, y, width)
            y += _height(block) + _GAP
        return y - _GAP

    def row(self, row: LayerRow, x: float, y: float, width: float) -> None:
        self.frame(x, y, width, _ROW, "white")
        length = len(" · ".join(label.text for label in row.labels))
        # Boxes around labels need more space than their text.
        padding = 0.1 if all(label.state == "unchanged" for label in row.labels) else 0.3
        size = _FONT_SIZE * min(1, width / (_CHARACTER * length + padding))
        texts: list[Artist] = []
        for label in row.labels:
            box = None if label.state == "unchanged" else _edge(label.state)
            options = {"size": size, "parse_math": False, "color": _COLOURS[label.state], "bbox": box}
            texts += [TextArea("·", textprops={"size": size}), TextArea(label.text, textprops=options)]
        packed = HPacker(children=texts[1:], pad=0, sep=size / 3)
        self.axes.add_artist(AnnotationBbox(packed, (x + width / 2, y + _ROW / 2), pad=0, frameon=False))

    def repeat(self, block: Repeat, x: float, y: float, width: float) -> None:
        height, inset = _height(block), _inset(block)
        top = y + inset
        self.frame(x, y, width, height, "#F7F7F7")
        if block.title:
            self.write(x + width / 2, y + _ROW / 2 + 0.02, block.title, ha="center", style="italic")
            top += _ROW
        self.stack(block.blocks, x + inset, top, width - 2 * inset)
        if block.times > 1:
            middle = y + height / 2
            is_taken = any(abs(middle - one) < 0.1 for one in self.taken)
            right = self.margin - (_SIZE_WIDTH if is_taken else 0.09)
            self.write(right, middle, f"× {block.times}", ha="right", weight="bold", size=7)

    def branches(self, block: Branches, x: float, y: float, width: float) -> None:
        bottom = y + _height(block)
        self.frame(x, y, width, bottom - y, "#EFEFEF")
        left, inner = x + _FRAME, width - 2 * _FRAME
        end = self.stack(block.main, left, y + _FRAME, inner)
        for side in _boxed_sides(block):
            self.line([left, left + inner], [end + _GAP / 2] * 2)
            end = self.stack(side, left, end + _GAP, inner)
        middle = x + width / 2
        shortcut_end = (middle, bottom + _GAP / 2)
        if block.join.labels:
            self.line([middle] * 2, [end, end + _GAP])
            self.row(block.join, left, end + _GAP, inner)
            shortcut_end = (left + inner, end + _GAP + _ROW / 2)
        for number, side in enumerate(side for side in block.sides if _is_shortcut(side)):
            right = x + width + 0.1 + 0.16 * number
            self.shortcut(side, block.is_removed(side), (middle, y - _GAP / 2), right, shortcut_end)

    def shortcut(self, side: Sequence[Block], removed: bool, start: Point, right: float, end: Point) -> None:
        self.line([start[0], right, right, end[0]], [start[1], start[1], end[1], end[1]], removed)
        text = " · ".join(label.text for row in side if isinstance(row, LayerRow) for label in row.labels)
        colour = _COLOURS["removed"] if removed else "#000000"
        size = min(5.4, 5.4 * (end[1] - start[1]) / (0.042 * len(text) + 0.01))
        self.write(right + 0.07, (start[1] + end[1]) / 2, text, rotation=90, ha="center", size=size, color=colour)
