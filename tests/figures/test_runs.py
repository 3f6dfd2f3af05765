"""Figures of single runs and cells: seeds and cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure as Sheet
from toy_studies import DATA, caption_of, study_of

from ablate.figures import FIGURES, cost, seeds

COSTS = pd.DataFrame(
    {
        "cell": ["full", "w/o a", "w/o b"],
        "weights": [10_000, 8_000, 80_000],
        "flops": [2e6, 1.5e6, 2.5e6],
        "latency": [0.002, 0.0025, 0.003],
        "batch": [8, 8, 8],
    }
)


def test_every_run_is_a_dot_and_the_runs_of_a_seed_are_joined() -> None:
    summary = study_of()
    data = seeds.prepare(summary)
    ax = Sheet().subplots()
    seeds.draw(ax, data)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["full", "w/o a", "w/o b"]
    dots = next(found for found in ax.collections if found.get_label() == "_runs")
    assert sorted(dots.get_offsets()[:, 0]) == pytest.approx(sorted(data["value"]))
    (joined,) = (found for found in ax.collections if found.get_label() == "_seeds")
    assert [list(line[:, 0]) for line in joined.get_segments()] == [
        pytest.approx([summary.values[cell][seed] for cell in summary.values]) for seed in range(3)
    ]
    means = [line.get_xdata()[0] for line in ax.get_lines() if line.get_marker() == "|"]
    assert means == list(summary.cells["mean"])


def test_seeds_of_data_sets_stand_beside_each_other_with_short_names() -> None:
    sheet = seeds.compose(seeds.prepare(study_of([DATA, "a"], seeds=2)))
    assert [ax.get_title() for ax in sheet.axes] == ["digits", "telugu"]
    assert [label.get_text() for label in sheet.axes[0].get_yticklabels()] == ["full", "w/o a"]
    assert not sheet.axes[1].get_yticklabels()  # the same rows


def test_seeds_say_how_many_where_cells_differ() -> None:
    summary = study_of()
    less = replace(summary, values={**summary.values, "w/o a": {0: 0.8}}, cells=summary.cells.assign(n=[3, 1, 3]))
    ax = Sheet().subplots()
    seeds.draw(ax, seeds.prepare(less))
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "full (n\xa0=\xa03)",
        "w/o a (n\xa0=\xa01)",
        "w/o b (n\xa0=\xa03)",
    ]


def test_cost_has_a_panel_for_each_measure_and_a_front() -> None:
    summary = replace(study_of(), costs=COSTS)
    data = cost.prepare(summary)
    assert list(dict.fromkeys(data["measure"])) == ["weights", "flops", "latency"]
    front = data[data["front"]].groupby("measure")["cell"].apply(list).to_dict()
    # full .910, w/o a .810, w/o b .920
    assert front == {
        "weights": ["full", "w/o a", "w/o b"],
        "flops": ["full", "w/o a", "w/o b"],
        "latency": ["full", "w/o b"],
    }
    sheet = cost.compose(data)
    weights, flops, latency = sheet.axes
    assert (weights.get_xscale(), flops.get_xscale()) == ("log", "linear")
    assert weights.get_xlabel() == "weights (log scale)"
    assert latency.get_xlabel() == "latency of a batch of 8"
    sheet.draw_without_rendering()
    assert all(label.get_text().endswith("ms") for label in latency.get_xticklabels() if label.get_text())
    line = next(line for line in latency.get_lines() if line.get_label() == "_front")
    assert list(line.get_xdata()) == [0.002, 0.003]
    points = {line.get_label(): line for line in latency.get_lines() if len(line.get_xdata()) == 1}
    assert points["w/o a"].get_markerfacecolor() == "white" and points["full"].get_markerfacecolor() != "white"
    assert "floating-point operations of one image" in caption_of(cost, summary)


def test_the_front_of_a_metric_of_which_less_is_better() -> None:
    data = cost.prepare(replace(study_of(direction="min"), costs=COSTS))
    weights = data[data["measure"] == "weights"].set_index("cell")["front"]
    assert weights.to_dict() == {"full": False, "w/o a": True, "w/o b": False}


def test_without_measured_costs_the_weights_of_the_runs_count() -> None:
    data = cost.prepare(study_of())
    assert set(data["measure"]) == {"weights"}
    alike = study_of()
    alike = replace(alike, cells=alike.cells.assign(weights=100.0))
    assert cost.prepare(alike).empty
    assert FIGURES["cost"].absence(alike) == "no cost was measured in which cells differ"


def test_a_cell_without_result_or_cost_is_no_point() -> None:
    summary = replace(study_of(), costs=COSTS.assign(weights=[10_000.0, np.nan, 80_000.0]))
    data = cost.prepare(summary)
    assert list(data.loc[data["measure"] == "weights", "cell"]) == ["full", "w/o b"]


def test_of_very_many_cells_the_caption_says_whose_seeds_are_shown() -> None:
    summary = study_of("abcdef", design="factorial", seeds=2, epochs=0)
    data = seeds.prepare(summary)
    assert data["cell"].nunique() == 45
    assert data["cell"].iloc[0] == "full"
    words = "45 of 64 cells are shown: the reference and those with the largest differences to it."
    assert words in caption_of(seeds, summary)
    assert "are shown" not in caption_of(seeds, study_of("ab", design="factorial", seeds=2, epochs=0))
