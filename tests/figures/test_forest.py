from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure as Sheet
from toy_studies import DATA, caption_of, study_of

from ablate.analysis.verdict_words import About, verdict_about
from ablate.analysis.verdicts import VERDICTS
from ablate.figures import FIGURES, forest
from ablate.figures.colours import VERDICT_STYLES
from ablate.study import Factor, Level

HEAD = Factor("head", (Level("gap"), Level("flatten")), "gap")
BIAS = Factor("bias", (Level("false"), Level("true")), "false")


def test_contributions_have_the_sign_that_makes_a_good_ingredient_positive() -> None:
    summary = study_of()
    data = forest.prepare(summary)
    assert list(data["label"]) == ["a", "b"]
    assert list(data["contribution"]) == pytest.approx([0.10, -0.01])
    effects = summary.effects.set_index("cell")
    for row in data.itertuples():
        assert (row.low, row.high) == (-effects.loc[row.cell, "high"], -effects.loc[row.cell, "low"])
        assert row.low < row.contribution < row.high
    less_is_better = forest.prepare(study_of(direction="min"))
    assert list(less_is_better["label"]) == ["b", "a"]
    assert list(less_is_better["contribution"]) == pytest.approx([0.01, -0.10])


def test_parts_are_named_by_themselves_and_levels_by_what_is_set() -> None:
    summary = study_of([HEAD, BIAS, "a"], design="pairs", seeds=2)
    data = forest.prepare(summary)
    assert {"head: flatten, not gap", "with bias", "a", "head=flatten, with bias", "with bias, w/o a"} <= set(
        data["label"]
    )
    # Positive is good for what the label names: a part loses what goes with it, a level gains what it brings.
    differences = summary.effects.set_index("cell")["difference"]
    rows = data.set_index("cell")
    assert rows.loc["w/o a", "contribution"] == pytest.approx(-differences["w/o a"])
    assert rows.loc["with bias", "contribution"] == pytest.approx(differences["with bias"])
    assert rows["is_part"].to_dict()["w/o a"] and not rows["is_part"].to_dict()["with bias"]
    ax = Sheet().subplots()
    forest.draw(ax, data)
    assert ax.get_xlabel().endswith("← hurts, worse      helps, better →")


def test_a_row_has_marker_interval_verdict_and_number_of_seeds() -> None:
    moves = {"w/o a": -0.1, "w/o b": 0.005}
    noise = dict(zip(("full", *moves), np.random.default_rng(1).normal(0, 0.012, (3, 9)), strict=True))
    summary = study_of(
        margin=0.02,
        seeds=9,
        score=lambda cell, seed: 0.9 + moves.get(cell.label, 0.0) + float(noise[cell.label][seed]),
    )
    data = forest.prepare(summary)
    ax = Sheet().subplots()
    forest.draw(ax, data)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["helps", "no effect", "9", "9", "n"]
    assert to_rgb(ax.texts[0].get_color()) == to_rgb(VERDICT_STYLES["helps"].colour)
    lines = ax.get_lines()
    spans = [
        tuple(line.get_xdata()) for line in lines if len(set(line.get_ydata())) == 1 and len(line.get_xdata()) == 2
    ]
    assert spans == list(zip(data["low"], data["high"], strict=True))
    points = {line.get_xdata()[0]: line for line in lines if len(line.get_xdata()) == 1}
    assert list(points) == list(data["contribution"])
    assert [(point.get_marker(), point.get_markerfacecolor()) for point in points.values()] == [
        (VERDICT_STYLES[verdict].marker, VERDICT_STYLES[verdict].colour) for verdict in ("helps", "no effect")
    ]
    band = next(patch for patch in ax.patches if patch.get_width() == pytest.approx(0.04))
    assert band.get_x() == pytest.approx(-0.02)
    assert ax.get_xlabel() == "contribution to test accuracy\n← hurts      helps →"


def test_what_is_undecided_is_hollow() -> None:
    ax = Sheet().subplots()
    forest.draw(ax, forest.prepare(study_of()))
    faces = [line.get_markerfacecolor() for line in ax.get_lines() if len(line.get_xdata()) == 1]
    assert faces == [VERDICT_STYLES["helps"].colour, "white"]


def test_every_verdict_has_a_look_of_its_own_in_colour_or_marker() -> None:
    looks = {(look.colour, look.marker) for look in VERDICT_STYLES.values()}
    abouts: tuple[About, ...] = ("part", "level")
    # A verdict about a level looks like the one about a part that says the same.
    assert len(looks) == 7 and VERDICT_STYLES["better"] == VERDICT_STYLES["helps"]
    assert set(VERDICT_STYLES) == {verdict_about(claim, about) for claim in VERDICTS for about in abouts}


def test_the_caption_says_estimand_number_interval_and_test() -> None:
    assert caption_of(forest, study_of(margin=0.02)) == (
        "What each ingredient contributes to test_accuracy in the study demo (leave_one_out): against the cell with "
        "everything at its reference level, paired by seed (n = 3 seeds), with the sign that makes what is good "
        "positive. Markers: mean; lines: 95% t intervals, unadjusted. Verdicts: paired t tests, "
        "Bonferroni-adjusted over 2 comparisons (α = 0.05), on this test set; hollow: undecided. Grey band: the margin "
        "of ±0.02."
    )
    assert "No interval or test" in caption_of(forest, study_of(seeds=1))


def test_blocks_stay_together_and_are_named() -> None:
    data = forest.prepare(study_of([DATA, "a", "b"], seeds=2))
    assert list(data["block"]) == ["digits", "digits", "telugu", "telugu"]
    ax = Sheet().subplots()
    forest.draw(ax, data)
    assert {label.get_text() for label in ax.get_yticklabels()} == {
        "a (digits)",
        "b (digits)",
        "a (telugu)",
        "b (telugu)",
    }


def test_wide_plots_write_the_estimates_out() -> None:
    from ablate.figures.registry import PAGE_WIDTHS

    sheet = forest.compose(forest.prepare(study_of()), PAGE_WIDTHS["neurips"])
    texts = [text.get_text() for text in sheet.axes[0].texts]
    assert "0.100 [0.075, 0.125]" in texts
    assert sheet.get_figwidth() == 5.5


def test_main_effects_are_averages_over_the_other_factors() -> None:
    def score(cell: object, seed: int) -> float:
        levels = cell.levels  # type: ignore[attr-defined]
        return 0.9 - 0.04 * (levels["a"] == "false") * (1 if levels["b"] == "true" else 0.5) + 0.001 * seed**2

    summary = study_of("ab", design="factorial", seeds=4, score=score)
    data = forest.MAIN_EFFECTS.prepare(summary)
    assert list(data["label"]) == ["a", "b"]
    assert list(data["contribution"]) == pytest.approx([0.03, -0.01])
    ax = Sheet().subplots()
    forest.draw(ax, data)
    assert ax.get_xlabel().startswith("average contribution to test accuracy")
    assert "averaged over all settings of the other factors" in caption_of(forest.MAIN_EFFECTS, summary)


def test_a_design_without_main_effects_says_why() -> None:
    summary = study_of()
    assert forest.MAIN_EFFECTS.prepare(summary).empty
    assert FIGURES["main_effects"].absence(summary).startswith("the design 'leave_one_out' has no main effects")


def test_nothing_to_tell_apart_is_drawn_at_zero() -> None:
    summary = study_of("ab", score=lambda cell, seed: 0.5)
    data = forest.prepare(summary)
    assert list(data["contribution"]) == [0, 0] and not np.signbit(data["contribution"]).any()
    ax = Sheet().subplots()
    forest.draw(ax, data)
    assert [text.get_text() for text in ax.texts][:2] == ["undecided", "undecided"]
