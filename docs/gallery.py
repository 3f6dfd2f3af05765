"""Writes gallery.md and its pictures from made-up numbers: python docs/gallery.py"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ablate.analysis import Summary, summarise
from ablate.figures import FIGURES
from ablate.figures.figure import figure_style
from ablate.figures.registry import PAGE_WIDTHS
from ablate.study import Cell, Factor, Level, Requires, Study, make_plan

HERE = Path(__file__).resolve().parent
DPI = 140
EPOCHS = 30

# What each change costs in accuracy, and how many times the weights of the full network there are without it.
CHANGES: Mapping[str, tuple[float, float]] = {
    "residual=false": (0.018, 0.8),
    "batch_norm=false": (0.052, 0.98),
    "bn_placement=after": (-0.004, 1.0),
    "separable=false": (-0.011, 5.5),
    "head=flatten": (0.001, 1.15),
    "bias=true": (0.0, 1.03),
}
TOGETHER = -0.02
"""What residual and batch norm cost together beyond the sum: each does part of what the other does."""


def factor(name: str, *labels: str, block: bool = False) -> Factor:
    """A factor whose first level is the reference."""
    return Factor(name, tuple(Level(label) for label in labels), labels[0], block)


SIX = (
    factor("residual", "true", "false"),
    factor("batch_norm", "true", "false"),
    factor("bn_placement", "before", "after"),
    factor("separable", "true", "false"),
    factor("head", "gap", "flatten"),
    factor("bias", "false", "true"),
)


def loss_of(cell: Cell) -> tuple[float, float]:
    """What a cell loses against the full network, and how many times its weights it has."""
    changed = [f"{name}={level}" for name, level in cell.levels.items() if f"{name}={level}" in CHANGES]
    lost = sum(CHANGES[change][0] for change in changed)
    if {"residual=false", "batch_norm=false"} <= set(changed):
        lost += TOGETHER
    return lost, float(np.prod([CHANGES[change][1] for change in changed]))


def study(
    name: str,
    design: str,
    factors: tuple[Factor, ...],
    seeds: int = 5,
    margin: float | None = None,
    costs: bool = False,
) -> Summary:
    """A study of made-up runs: seeds differ by a common and an own part, validation loss rises in the end."""
    rules = [Requires("bn_placement", "batch_norm", ("true",)), Requires("bias", "batch_norm", ("true",))]
    names = {each.name for each in factors}
    known = [rule for rule in rules if {rule.child, rule.parent} <= names]
    plan = make_plan(Study(name, design, tuple(range(seeds)), "test_accuracy", "max", margin), factors, known)
    rng = np.random.default_rng(7)
    common = rng.normal(0, 0.006, seeds)
    runs, curves, measured = [], [], []
    for cell in plan.cells:
        lost, times = loss_of(cell)
        hard = sum(0.05 * each.labels.index(cell.levels[each.name]) for each in factors if each.block)
        for seed in range(seeds):
            best = 0.94 - hard - lost + common[seed] + rng.normal(0, 0.004)
            runs.append((name, cell.label, seed, "finished", "", best, round(14_090 * times)))
            for epoch in range(1, EPOCHS + 1):
                speed = (5 if "batch_norm=false" not in str(cell.levels) else 9) * (0.7 if times > 2 else 1.0)
                grown = 1 - np.exp(-epoch / speed)
                over = max(0.0, epoch - (11 if times > 2 else 18)) * (0.012 if times > 2 else 0.006)
                noise = rng.normal(0, 0.01, 2)
                accuracy = 0.1 + (best - 0.1) * grown + noise[0] * 0.8 - over * 0.1
                train_accuracy = 0.1 + (min(best + 0.05, 0.995) - 0.1) * grown
                losses = 2.3 * (1 - grown) + 0.1, 2.3 * (1 - grown) + 0.2 + 2 * lost + over + noise[1] * 2
                curves.append((name, cell.label, seed, epoch, losses[0], train_accuracy, losses[1], accuracy))
        flops = 2.1e6 * times**1.3
        measured.append((cell.label, 14_090 * times, flops, 3e4, 0.0021 * (0.6 + 0.4 * times**0.2), 0.02, 8))
    columns = ["study", "cell", "seed", "epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy"]
    summary = summarise(
        plan,
        pd.DataFrame(runs, columns=["study", "cell", "seed", "state", "reason", "test_accuracy", "weights"]),
        pd.DataFrame(curves, columns=columns),
    )
    names_of_costs = ["cell", "weights", "flops", "activations", "latency", "step", "batch"]
    return replace(summary, costs=pd.DataFrame(measured, columns=names_of_costs)) if costs else summary


def with_confusions(summary: Summary) -> Summary:
    """The study with made-up predictions: shirts are taken for pullovers, and worse networks err more often."""
    names = ("boot", "coat", "pullover", "shirt", "trousers")
    mistaken = {"coat": ("pullover", 1.0), "pullover": ("coat", 0.9), "shirt": ("pullover", 2.0), "boot": ("coat", 0.1)}
    rng = np.random.default_rng(3)
    rows = []
    for run in summary.runs.to_dict("records"):
        wrong = 100 * (1 - run["test_accuracy"])
        for name in names:
            other, times = mistaken.get(name, ("shirt", 0.1))
            errors = int(np.clip(round(wrong * times + rng.normal(0, 1)), 0, 100))
            rows += [(run["cell"], run["seed"], name, name, 100 - errors)]
            rows += [(run["cell"], run["seed"], name, other, errors)] if errors else []
    table = pd.DataFrame(rows, columns=["cell", "seed", "class", "predicted", "images"])
    return replace(summary, read_confusions=lambda: table)


def pictures() -> dict[str, Summary]:
    """Which study each figure is drawn from, in the order of the page."""
    leave_one_out = study("ingredients", "leave_one_out", SIX, 8, margin=0.005, costs=True)
    grid = study("grid", "factorial", (SIX[0], SIX[1], SIX[3], SIX[4]), 4)
    data = factor("data", "digits", "telugu", "bangla", block=True)
    few = with_confusions(study("homework", "leave_one_out", (SIX[0], SIX[3]), 5))
    return {
        **dict.fromkeys(("forest", "effects", "curves", "difference_curves", "seeds", "cost"), leave_one_out),
        **dict.fromkeys(("losses", "confusion", "class_accuracy"), few),
        **dict.fromkeys(("main_effects", "interactions", "shapley"), grid),
        "half_normal": study("one run a cell", "factorial", (SIX[0], SIX[1], SIX[3], SIX[4]), 1),
        "roadmap": study("roadmap", "cumulative", (SIX[0], SIX[1], SIX[3], SIX[4])),
        "datasets": study("datasets", "leave_one_out", (data, SIX[0], SIX[1], SIX[3])),
    }


HEAD = """\
# Gallery

Every figure of a study, drawn from **made-up numbers** by `python docs/gallery.py`, which writes this page, too. A real
study has the same figures as PNG, SVG and PDF in `outputs/<study>/figures`, with these captions beside them in
`captions.md`.

Which figures a study gets follows from its design; another choice, and the width of a venue:
```bash
python -m ablate -m 'report.figures=[forest,curves]' report.width=neurips ...
python -m ablate report outputs/NAME --figures forest,curves --width icml      # of a study that is there
python train.py -m hydra/sweeper=ablation 'hydra.sweeper.figures=[forest,curves]' ...
```
Widths: {widths}.

A factor has the same colour in all figures of a study; a cell in which several factors differ is grey, a reference
black. Lines, markers and words say the same as colours.
"""


def text(drawn: dict[str, Summary]) -> str:
    """The page.

    Args:
        drawn: What :func:`pictures` returned.
    """
    parts = [HEAD.format(widths=", ".join(f"`{name}`" for name in PAGE_WIDTHS))]
    for name, summary in drawn.items():
        figure = FIGURES[name].load()
        caption = figure.caption(summary, figure.prepare(summary)).replace("_", "\\_").replace("*", "\\*")
        parts.append(f"## {name}\n![{name}](gallery/{name}.png)\n\n{caption}\n")
    return "\n".join(parts)


def main() -> None:
    """Write the page, and a small PNG a figure."""
    drawn = pictures()
    (HERE / "gallery").mkdir(exist_ok=True)
    for name, summary in drawn.items():
        figure = FIGURES[name].load()
        with figure_style():
            canvas = figure.compose(figure.prepare(summary))
            canvas.fix_layout()
            canvas.savefig(HERE / "gallery" / f"{name}.png", dpi=DPI, metadata={"Software": None})
    (HERE / "gallery.md").write_text(text(drawn), encoding="utf-8")


if __name__ == "__main__":
    main()
