from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.container import BarContainer
from matplotlib.figure import Figure as Sheet
from toy_studies import NO_CURVES, caption_of, study_of

from ablate.analysis import summarise
from ablate.figures import effects


def bars(ax: mpl.axes.Axes) -> list[BarContainer]:
    return [container for container in ax.containers if isinstance(container, BarContainer)]


def test_effects_are_sorted_by_what_the_ingredient_contributes() -> None:
    data = effects.prepare(study_of())
    assert list(dict.fromkeys(data["cell"])) == ["w/o a", "w/o b"]
    assert list(data["value"]) == pytest.approx([-0.10, -0.09, -0.11, 0.01, 0.0, 0.02])
    assert list(dict.fromkeys(effects.prepare(study_of(direction="min"))["cell"])) == ["w/o b", "w/o a"]


def test_effects_draw_bars_intervals_and_every_seed() -> None:
    summary = study_of()
    ax = Sheet().subplots()
    effects.draw(ax, effects.prepare(summary))
    drawn = {label.get_text(): bar.patches[0] for label, bar in zip(ax.get_yticklabels(), bars(ax), strict=True)}
    assert list(drawn) == ["w/o a", "w/o b"]
    assert drawn["w/o a"].get_width() == pytest.approx(-0.10)
    assert drawn["w/o b"].get_width() == pytest.approx(0.01)
    assert drawn["w/o a"].get_y() < drawn["w/o b"].get_y() and ax.yaxis_inverted()
    assert sorted(np.concatenate([dots.get_offsets()[:, 0] for dots in ax.collections])) == pytest.approx(
        sorted(summary.pairs["difference"])
    )
    ends = [tuple(line.get_xdata()) for line in ax.get_lines()]
    for low, high in summary.effects[["low", "high"]].itertuples(index=False):
        assert (low, high) in ends
    assert (0, 0) in ends  # the zero line
    # helps: full colour of the factor; undecided: pale
    assert drawn["w/o a"].get_facecolor()[:3] == pytest.approx(to_rgb("#D55E00"))
    assert sum(drawn["w/o b"].get_facecolor()[:3]) > sum(to_rgb("#0072B2"))


@pytest.mark.parametrize(("direction", "words"), [("max", "← worse      better →"), ("min", "← better      worse →")])
def test_effects_say_which_side_is_better(direction: str, words: str) -> None:
    ax = Sheet().subplots()
    effects.draw(ax, effects.prepare(study_of(direction=direction)))
    assert ax.get_xlabel() == f"difference in test accuracy\n{words}"


def test_effects_of_one_seed_have_no_interval() -> None:
    summary = study_of(seeds=1)
    ax = Sheet().subplots()
    effects.draw(ax, effects.prepare(summary))
    assert len(ax.get_lines()) == 1
    assert "No interval or test" in caption_of(effects, summary)


def test_effects_show_the_margin_and_unequal_numbers_of_seeds() -> None:
    summary = study_of(margin=0.02)
    runs = summary.runs.copy()
    runs.loc[1, "state"] = "waiting"
    runs.loc[5, "state"] = "failed"
    found = summarise(summary.plan, runs, NO_CURVES)
    ax = Sheet().subplots()
    effects.draw(ax, effects.prepare(found))
    assert sorted(label.get_text() for label in ax.get_yticklabels()) == ["w/o a (n\xa0=\xa01)", "w/o b (n\xa0=\xa02)"]
    band = next(patch for patch in ax.patches if patch.get_width() == pytest.approx(0.04))
    assert band.get_x() == pytest.approx(-0.02)
    assert caption_of(effects, found).endswith("Grey band: the margin of ±0.02.")


def test_a_cell_keeps_its_colour_whatever_is_drawn_beside_it() -> None:
    data = effects.prepare(study_of())
    alone = Sheet().subplots()
    effects.draw(alone, data[data["cell"] == "w/o b"])
    both = Sheet().subplots()
    effects.draw(both, data)
    assert bars(alone)[0].patches[0].get_edgecolor() == bars(both)[1].patches[0].get_edgecolor()


def test_of_very_many_cells_the_largest_effects_are_shown() -> None:
    summary = study_of(names="abcdef", seeds=2, epochs=0, design="factorial")
    data = effects.prepare(summary)
    assert data["cell"].nunique() == 45
    hidden = summary.effects[~summary.effects["cell"].isin(data["cell"])]
    assert hidden["difference"].abs().max() <= data["difference"].abs().min()
    assert "Only the 45 largest of 63 differences are shown." in caption_of(effects, summary)
    assert effects.compose(data).get_figheight() < 10.5
