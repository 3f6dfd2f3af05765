from __future__ import annotations

import itertools
import zlib

import numpy as np
import pytest
from matplotlib.container import BarContainer
from matplotlib.figure import Figure as Sheet
from toy_studies import DATA, caption_of, study_of

from ablate.analysis import summarise
from ablate.figures import FIGURES, datasets, interactions
from ablate.figures.figure import figure_style
from ablate.figures.registry import PAGE_WIDTHS
from ablate.figures.waterfall import ROADMAP, SHAPLEY, compose_steps, draw_steps
from ablate.study import Cell, Factor, Level


def lossy(cell: Cell, seed: int) -> float:
    """a costs 0.10, b 0.04, both together only 0.11; c nothing but noise."""
    lost = {(): 0.0, ("a",): 0.10, ("b",): 0.04, ("a", "b"): 0.11}
    noise = np.random.default_rng([seed, zlib.crc32(cell.label.encode())]).normal()
    gone = tuple(name for name in ("a", "b") if name in cell.changed)
    return 0.9 - lost[gone] + 0.001 * noise + 0.01 * seed


def test_the_roadmap_leads_from_the_empty_network_to_the_full_one() -> None:
    summary = study_of("ab", design="cumulative", seeds=4, score=lossy)
    data = ROADMAP.prepare(summary)
    assert list(data["label"]) == ["none", "+ a", "+ b"]
    means = summary.cells.set_index("cell")["mean"]
    assert list(data["end"]) == [means["w/o a, w/o b"], means["w/o b"], means["full"]]
    assert list(data["start"].iloc[1:]) == list(data["end"].iloc[:-1])
    assert list(data["change"].iloc[1:]) == pytest.approx([0.07, 0.04], abs=0.002)
    ax = Sheet().subplots()
    draw_steps(ax, data)
    bars = [bar.patches[0] for bar in ax.containers if isinstance(bar, BarContainer)]
    assert [bar.get_x() for bar in bars] == list(data["start"].iloc[1:])
    assert [bar.get_width() for bar in bars] == pytest.approx(list(data["change"].iloc[1:]))
    whiskers = [tuple(line.get_xdata()) for line in ax.get_lines()]
    for row in data.iloc[1:].itertuples():
        assert (row.start + row.low, row.start + row.high) in whiskers
    assert ax.get_xlim()[0] > 0.5  # bars float: the axis need not begin at zero
    assert [text.get_text() for text in ax.texts][-1] == "step (n = 4)"
    assert "the steps that differ from zero are: a, b." in caption_of(ROADMAP, summary)


def test_a_factor_has_the_same_colour_in_roadmap_and_shapley() -> None:
    summary = study_of("abc", design="factorial+cumulative", seeds=3, score=lossy)
    steps = ROADMAP.prepare(summary).set_index("label")["colour"]
    shares = SHAPLEY.prepare(summary).set_index("label")["colour"]
    assert [steps[f"+ {name}"] for name in "abc"] == [shares[name] for name in "abc"]


def test_shapley_values_lead_exactly_from_none_to_full() -> None:
    summary = study_of("abc", design="factorial", seeds=3, score=lossy)
    runs = summary.runs.copy()
    runs.loc[runs["cell"].eq("w/o c") & runs["seed"].eq(2), "state"] = "failed"
    data = SHAPLEY.prepare(summarise(summary.plan, runs, summary.curves))
    assert list(data["label"])[:3] == ["none", "a", "b"] and list(data["label"])[-1] == "full"
    assert set(data["n"]) == {2}  # the seed that one cell lost counts nowhere
    assert data["end"].iloc[-2] == pytest.approx(data["end"].iloc[-1])
    assert list(data["change"].iloc[1:3]) == pytest.approx([0.085, 0.025], abs=0.002)
    assert (data["low"].iloc[1:-1] < data["change"].iloc[1:-1]).all()
    assert "over all orders of building the network up" in caption_of(SHAPLEY, summary)


def test_a_design_that_does_not_answer_says_why() -> None:
    summary = study_of()
    for name in ("roadmap", "shapley", "interactions"):
        assert FIGURES[name].load().prepare(summary).empty
        assert FIGURES[name].absence(summary).startswith("the design 'leave_one_out'")


def test_interactions_whose_interval_holds_zero_are_pale() -> None:
    summary = study_of("abc", design="factorial", seeds=4, score=lossy)
    data = interactions.prepare(summary)
    assert list(zip(data["column_label"], data["row_label"], strict=True)) == [
        ("w/o a", "w/o b"),
        ("w/o a", "w/o c"),
        ("w/o b", "w/o c"),
    ]
    assert data["difference"].iloc[0] == pytest.approx(0.03, abs=0.002)
    ax = Sheet().subplots()
    interactions.draw(ax, data)
    faces = [tuple(patch.get_facecolor()[:3]) for patch in ax.patches]
    pale = (247 / 255,) * 3
    clear = (data["low"] > 0) | (data["high"] < 0)
    assert [face != pytest.approx(pale) for face in faces] == list(clear) and clear.iloc[0] and not clear.all()
    assert ax.texts[0].get_text() == "+.0300*" or ax.texts[0].get_text().endswith("*")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["w/o b", "w/o c"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["w/o a", "w/o b"]
    assert "Pale: the interval includes zero (95% t intervals, unadjusted)." in caption_of(interactions, summary)


def test_heads_of_very_long_names_stand_beside_each_other() -> None:
    names = [f"an_ingredient_whose_name_goes_on_for_well_over_fifty_letters_{end}" for end in "abcd"]
    data = interactions.prepare(study_of(names, design="pairs"))
    with figure_style():
        sheet = interactions.compose(data, PAGE_WIDTHS["acl"])
        sheet.fix_layout()
    boxes = sorted((label.get_window_extent() for label in sheet.axes[0].get_xticklabels()), key=lambda box: box.x0)
    assert len(boxes) == 3
    assert all(left.x1 <= right.x0 for left, right in itertools.pairwise(boxes))
    rows = sorted((label.get_window_extent() for label in sheet.axes[0].get_yticklabels()), key=lambda box: box.y0)
    assert all(low.y1 <= high.y0 for low, high in itertools.pairwise(rows))


def test_interactions_of_names_with_colons_and_several_levels() -> None:
    one = Factor("a:b", (Level("x:y"), Level("z"), Level("w:")), "x:y")
    data = interactions.prepare(study_of([one, "c:d"], design="factorial", seeds=2))
    assert list(data["column_label"]) == ["a:b=z", "a:b=w:"]
    assert set(data["row_label"]) == {"w/o c:d"}


def test_data_sets_stand_beside_each_other_with_the_pooled_effect() -> None:
    summary = study_of([DATA, "a", "b"], seeds=4, score=lossy)
    data = datasets.prepare(summary)
    assert list(data["label"]) == ["a"] * 3 + ["b"] * 3
    assert list(data["block"]) == ["digits", "telugu", datasets.POOLED] * 2
    assert list(data["contribution"]) == pytest.approx([0.1] * 3 + [0.04] * 3, abs=0.002)
    ax = Sheet().subplots()
    datasets.draw(ax, data)
    markers = [line.get_marker() for line in ax.get_lines() if len(line.get_xdata()) == 1]
    assert markers == ["o", "s", "D"] * 2
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    legend = datasets.compose(data).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["digits", "telugu", "all together"]
    said = caption_of(datasets, summary)
    assert "mean over 2 data sets as a sample of others, each with the same weight" in said
    assert "2 data sets say little about others" in said


def test_data_sets_with_one_seed_are_pooled_since_the_data_set_is_the_unit() -> None:
    summary = study_of([DATA, "a"], seeds=1)
    assert datasets.prepare(summary)["pooled"].sum() == 1
    assert "runs on one data set: no factor is a block" in FIGURES["datasets"].absence(study_of())


def test_every_block_has_a_roadmap_of_its_own() -> None:
    summary = study_of([DATA, "a", "b"], design="cumulative", seeds=2, score=lossy)
    data = ROADMAP.prepare(summary)
    assert list(dict.fromkeys(data["block"])) == ["digits", "telugu"]
    sheet = compose_steps(data)
    assert [ax.get_title() for ax in sheet.axes] == ["digits", "telugu"]
