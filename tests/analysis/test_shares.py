"""Intervals of accuracies end where accuracies do, in every table and figure; differences are not bounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from studies import factor, plan_of, runs_of

from ablate.analysis import Summary, summarise
from ablate.analysis.confusions import class_accuracies
from ablate.analysis.curves import mean_curves
from ablate.captions import bounds_sentence
from ablate.figures.seeds import SEEDS
from ablate.tables.effects import effects_table
from ablate.tables.latex import latex
from ablate.tables.macros import macros
from ablate.tables.text import csv, markdown

HIGH = [0.99, 1.0, 0.97]
LOW = [0.90, 0.91, 0.92]


def summary_of(scale: float = 1.0, metric: str = "test_accuracy", resplit: float | None = None) -> Summary:
    plan = plan_of(factor("a"), metric=metric)
    plan = replace(plan, study=replace(plan.study, resplit=resplit))
    scores = {"full": [scale * value for value in HIGH], "w/o a": [scale * value for value in LOW]}
    curves = pd.DataFrame(
        [
            {"study": "demo", "cell": cell, "seed": seed, "epoch": 1, "val_accuracy": value}
            for cell, values in scores.items()
            for seed, value in enumerate(values)
        ]
    )
    return summarise(plan, runs_of(scores).rename(columns={"score": metric}), curves)


@pytest.mark.parametrize(("scale", "top"), [(1.0, 1.0), (100.0, 100.0)])
def test_the_interval_of_an_accuracy_ends_at_its_bound(scale: float, top: float) -> None:
    rows = summary_of(scale).cells.set_index("cell")
    mean, error = np.mean(HIGH), stats.sem(HIGH)
    low, high = stats.t.interval(0.95, 2, mean, error)
    assert high > 1 and rows.loc["full", "high"] == top
    assert rows.loc["full", "low"] == pytest.approx(scale * low)
    assert rows.loc["w/o a", "high"] - rows.loc["w/o a", "mean"] == pytest.approx(rows.loc["w/o a", "half"])


def test_numbers_that_are_no_shares_have_no_bound() -> None:
    assert summary_of(metric="psnr").cells["high"].max() > 1
    # Neither shares nor percent: nobody knows where the metric ends.
    assert summary_of(scale=200.0).cells["high"].max() > 200


def test_differences_keep_their_interval() -> None:
    row = summary_of().effects.iloc[0]
    low, high = stats.ttest_rel(LOW, HIGH).confidence_interval()
    assert (row["low"], row["high"]) == pytest.approx((low, high))


def test_a_text_with_plus_and_minus_never_leaves_the_bounds() -> None:
    summary = summary_of()
    table = effects_table(summary)
    text, tex = markdown(table), latex(table)
    assert "0.987 \\[0.949, 1.000\\]" in text and "0.987 ±" not in text
    assert "0.910 ± 0.025" in text
    assert "{\\bfseries 0.987 [0.949, 1.000]}" in tex
    assert "{full}{\\ensuremath{0.987} [\\ensuremath{0.949}, \\ensuremath{1.000}]}" in macros(summary)
    assert bounds_sentence(summary.cells)[0] in table.caption
    data = SEEDS.prepare(summary)
    assert data["high"].max() == 1.0 and bounds_sentence(data)[0] in SEEDS.caption(summary, data)
    assert not bounds_sentence(summary.cells[summary.cells["cell"] == "w/o a"])
    assert csv(table).splitlines()[1] == "full,true,0.987,0.038,,,,,3"


def test_curves_and_classes_end_there_too() -> None:
    curves = mean_curves(summary_of().counted_curves, "val_accuracy").set_index("cell")
    assert curves.loc["full", "high"] == 1.0 and curves.loc["w/o a", "high"] < 1
    rows = [("full", seed, "x", "x", round(100 * value)) for seed, value in enumerate(HIGH)]
    rows += [("full", seed, "x", "y", 100 - round(100 * value)) for seed, value in enumerate(HIGH)]
    confusions = pd.DataFrame(rows, columns=["cell", "seed", "class", "predicted", "images"])
    assert class_accuracies(confusions)["high"].tolist() == [1.0]


def test_splits_of_one_data_set_widen_the_intervals_of_means() -> None:
    plain, corrected = (summary_of(resplit=ratio) for ratio in (None, 0.25))
    wider = np.sqrt(1 + 3 * 0.25)
    assert corrected.cells["half"].tolist() == pytest.approx((wider * plain.cells["half"]).tolist())
    bands = [
        mean_curves(each.counted_curves, "val_accuracy", resplit=each.study.resplit) for each in (plain, corrected)
    ]
    below = [(band["mean"] - band["low"]).to_numpy() for band in bands]
    assert below[1] == pytest.approx(wider * below[0])
    rows = pd.DataFrame(
        [("full", seed, "x", name, 50 + seed if name == "x" else 50) for seed in range(3) for name in "xy"],
        columns=["cell", "seed", "class", "predicted", "images"],
    )
    found = [class_accuracies(rows, ratio).iloc[0] for ratio in (None, 0.25)]
    assert found[1]["high"] - found[1]["low"] == pytest.approx(wider * (found[0]["high"] - found[0]["low"]))
