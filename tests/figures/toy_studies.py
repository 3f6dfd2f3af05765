"""Studies with made-up numbers, for figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ablate.analysis import SequentialRule, Summary, summarise
from ablate.study import Cell, Factor, Level, Study, make_plan

NO_CURVES = pd.DataFrame(columns=["study", "cell", "seed", "epoch"])
SCORES = {"full": [0.90, 0.92, 0.91], "w/o a": [0.80, 0.83, 0.80], "w/o b": [0.91, 0.92, 0.93]}
CURVES = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
DATA = Factor("data", (Level("digits"), Level("telugu")), "digits", block=True)


def switch(name: str) -> Factor:
    """A factor that is there or not."""
    return Factor(name, (Level("true"), Level("false")), "true")


def study_of(
    names: Sequence[str | Factor] = "ab",
    seeds: int = 3,
    epochs: int = 4,
    design: str = "leave_one_out",
    metric: str = "test_accuracy",
    direction: str = "max",
    margin: float | None = None,
    columns: Sequence[str] = CURVES,
    score: Callable[[Cell, int], float] | None = None,
    rule: SequentialRule | None = None,
    curve: Callable[[Cell, int, int], Sequence[float]] | None = None,
) -> Summary:
    """A finished study; where SCORES has a cell its metric is from there, else random but always the same."""
    factors = [name if isinstance(name, Factor) else switch(name) for name in names]
    plan = make_plan(
        Study("demo", design, tuple(range(seeds)), metric, direction, margin, sequential=rule is not None), factors
    )
    rng = np.random.default_rng(0)
    rows, lines = [], []
    for cell in plan.cells:
        for seed in range(seeds):
            value = SCORES[cell.label][seed] if cell.label in SCORES and seed < 3 else rng.normal(0.9, 0.02)
            value = value if score is None else score(cell, seed)
            rows.append(("demo", cell.label, seed, "finished", "", value, 1000 * (1 + len(cell.changed))))
            for epoch in range(1, epochs + 1):
                numbers = rng.normal(0.5, 0.1, len(columns)) if curve is None else curve(cell, seed, epoch)
                lines.append(("demo", cell.label, seed, epoch, *numbers))
    runs = pd.DataFrame(rows, columns=["study", "cell", "seed", "state", "reason", metric, "weights"])
    frame = pd.DataFrame(lines, columns=["study", "cell", "seed", "epoch", *columns])
    return summarise(plan, runs, frame if epochs else NO_CURVES, rule)


def caption_of(figure: Any, summary: Summary) -> str:
    """The caption of a figure, or of the module of one."""
    caption: str = figure.caption(summary, figure.prepare(summary))
    return caption
