"""Learning curves: the validation metric and loss by epoch, a mean line and a band a cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Sheet
from matplotlib.ticker import MaxNLocator

from ablate.analysis import Summary
from ablate.analysis.intervals import LEVEL, t_half_width
from ablate.analysis.notes import seed_count
from ablate.figures.figure import Figure
from ablate.figures.style import ONE_COLUMN, cell_style, shown, wrapped

__all__ = ["CURVES", "caption", "compose", "curve_metrics", "draw", "prepare"]

_HIGHLIGHTED = 8
_PANEL_HEIGHT = 1.55
_LINE_HEIGHT = 0.125
_NARROW_LABEL = 26
_WIDE_LABEL = 52


def curve_metrics(summary: Summary) -> tuple[str, ...]:
    """Which columns of the curves are drawn: the validation version of the study's metric, and the validation loss.

    Where the curves have no such columns: the metric itself and ``loss``, or else the first two columns of numbers.
    """
    known = [name for name in summary.curves.columns if name not in ("study", "cell", "seed", "epoch")]
    known = [name for name in known if pd.to_numeric(summary.curves[name], errors="coerce").notna().any()]
    metric = summary.study.metric
    stem = metric.removeprefix("test_").removeprefix("val_")
    scores = [name for name in (f"val_{stem}", f"validation_{stem}", metric, stem) if name in known]
    losses = [name for name in ("val_loss", "validation_loss", "test_loss", "loss") if name in known]
    return tuple(dict.fromkeys([*scores[:1], *losses[:1]])) or tuple(known[:2])


def prepare(summary: Summary) -> pd.DataFrame:
    """The lines and their bands, from the finished runs.

    A cell's line ends with the last epoch that all its finished runs reached: beyond it, the mean would change because
    runs stop and not because they learn.

    Returns:
        A row for every metric, cell and epoch: ``metric``, ``cell``, its ``position`` in the plan, ``epoch``, ``n``
        runs, ``mean`` of the metric, its 95 % t interval ``low`` to ``high`` (NaN for one run), and whether the cell
        is ``highlighted``: in a study of many cells only the reference and the largest effects are.
    """
    columns = ["metric", "cell", "position", "epoch", "n", "mean", "low", "high", "highlighted"]
    finished = summary.runs.loc[summary.runs["state"] == "finished", ["cell", "seed"]]
    curves = summary.curves.merge(finished, on=["cell", "seed"], how="inner")
    runs = finished.groupby("cell").size()
    position = {cell.label: index for index, cell in enumerate(summary.plan.cells)}
    highlighted = _highlighted(summary)
    parts = []
    for metric in curve_metrics(summary):
        rows = curves[["cell", "epoch"]].assign(value=pd.to_numeric(curves[metric], errors="coerce"))
        rows = rows[np.isfinite(rows["value"])]
        means = rows.groupby(["cell", "epoch"])["value"].agg(n="size", mean="mean", spread="std").reset_index()
        means = means[means["n"] == means["cell"].map(runs)]
        several = means["n"] > 1
        half = t_half_width(means["n"].where(several)) * means["spread"] / np.sqrt(means["n"])
        parts.append(
            means.assign(
                metric=metric,
                position=means["cell"].map(position).astype(int),
                low=means["mean"] - half,
                high=means["mean"] + half,
                highlighted=means["cell"].isin(highlighted),
            ).sort_values(["position", "epoch"])
        )
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _highlighted(summary: Summary) -> set[str]:
    labels = [cell.label for cell in summary.plan.cells]
    if len(labels) <= _HIGHLIGHTED:
        return set(labels)
    size = summary.effects["difference"].abs()
    largest = summary.effects.loc[size.sort_values(ascending=False, kind="stable").index, "cell"]
    return {labels[0], *largest.head(_HIGHLIGHTED - 1)}


def draw(axes: Axes | Sequence[Axes], data: pd.DataFrame) -> None:
    """Draw one metric on each of the axes.

    Args:
        axes: As many axes as the data have metrics, or one for a single metric.
        data: What :func:`prepare` returned, or some of its metrics and cells.
    """
    panels = [axes] if isinstance(axes, Axes) else list(axes)
    metrics = list(dict.fromkeys(data["metric"]))
    if len(panels) != len(metrics):
        raise ValueError(f"{len(metrics)} metrics ({', '.join(metrics)}) need as many axes, not {len(panels)}.")
    for ax, metric in zip(panels, metrics, strict=True):
        rows = data[data["metric"] == metric]
        for _, line in rows[~rows["highlighted"].astype(bool)].groupby("position"):
            ax.plot(line["epoch"], line["mean"], color="0.82", linewidth=0.6, zorder=1, label="_other")
        for place, line in rows[rows["highlighted"].astype(bool)].groupby("position"):
            _draw_line(ax, int(place), line)
        _limit(ax, rows)
        ax.set_ylabel(shown(metric.replace("_", " ")))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    panels[-1].set_xlabel("epoch")


def _draw_line(ax: Axes, position: int, line: pd.DataFrame) -> None:
    style = cell_style(position)
    if line["low"].notna().any():
        ax.fill_between(line["epoch"], line["low"], line["high"], color=style.colour, alpha=0.10, linewidth=0, zorder=2)
    epochs = len(line)
    every = max(1, epochs // 6)
    ax.plot(
        line["epoch"],
        line["mean"],
        color=style.colour,
        linestyle=style.line,
        marker=style.marker,
        # Staggered, so that markers of lines on top of each other do not hide each other.
        markevery=(position % every, every),
        zorder=4 if position == 0 else 3,
        label=shown(str(line["cell"].iloc[0])),
    )


def _limit(ax: Axes, rows: pd.DataFrame) -> None:
    """Show all means whole; a band may leave the axes, as with three seeds it can dwarf what it surrounds."""
    low, high = rows["mean"].min(), rows["mean"].max()
    room = 0.25 * (high - low) or 0.05 * abs(high) or 1.0
    bottom, top = np.nanmin([rows["low"].min(), low]), np.nanmax([rows["high"].max(), high])
    edge = 0.2 * room
    ax.set_ylim(max(bottom, low - room) - edge, min(top, high + room) + edge)


def compose(data: pd.DataFrame) -> Sheet:
    """The curves as one column of a paper: the metrics below each other, the legend below them."""
    metrics = list(dict.fromkeys(data["metric"]))
    cells = data.drop_duplicates("cell").sort_values("position")
    pale = int((~cells["highlighted"].astype(bool)).sum())
    names = list(cells.loc[cells["highlighted"].astype(bool), "cell"])
    columns = 2 if max((len(name) for name in names), default=0) <= _NARROW_LABEL else 1
    labels = [wrapped(name, _NARROW_LABEL if columns == 2 else _WIDE_LABEL) for name in names]
    lines = sum(label.count("\n") + 1 for label in labels) + bool(pale)
    height = _PANEL_HEIGHT * len(metrics) + 0.3 + _LINE_HEIGHT * -(-lines // columns)
    sheet = Sheet(figsize=(ONE_COLUMN, height), layout="constrained")
    axes = list(sheet.subplots(len(metrics), 1, sharex=True, squeeze=False)[:, 0])
    draw(axes, data)
    drawn = {line.get_label(): line for ax in axes for line in ax.get_lines()}
    handles = [drawn[shown(name)] for name in names]
    if pale:
        handles.append(drawn["_other"])
        labels.append(f"{pale} other cells" if pale > 1 else "1 other cell")
    sheet.legend(handles, labels, loc="outside lower center", ncols=columns)
    return sheet


def caption(summary: Summary) -> str:
    """What the curves show: whose mean, n, band."""
    data = prepare(summary)
    metrics = " and ".join(dict.fromkeys(data["metric"]))
    sentences = [
        f"Learning curves of the study {summary.study.name}: {metrics} by epoch.",
        f"Lines: mean over {seed_count(data['n'])}.",
    ]
    if data["low"].notna().any():
        sentences.append(f"Bands: pointwise {LEVEL:.0%} t intervals of the mean, cut off at the edge of the axes.")
    else:
        sentences.append("No bands: one seed has no interval.")
    lengths = data.groupby("cell")["epoch"].max()
    if lengths.nunique() > 1:
        sentences.append("A line ends where the first run of its cell ends.")
    if not data["highlighted"].all():
        shown_cells = int(data.loc[data["highlighted"].astype(bool), "cell"].nunique())
        sentences.append(f"Coloured: the reference and the {shown_cells - 1} cells with the largest differences to it.")
    return " ".join(sentences)


def _absence(summary: Summary) -> str:
    return "no finished run wrote curves"


CURVES = Figure("curves", prepare, draw, compose, caption, _absence)
