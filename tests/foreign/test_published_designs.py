"""Published experiments adopted by one command give R's analysis."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from published_designs import (
    BATTERY,
    FATIGUE,
    FATIGUE_EFFECTS,
    NPK,
    OATS,
    PAPER,
    POISONS,
    ROCKET,
    TOOTH_GROWTH,
    UNBALANCED,
    WARPBREAKS,
    Published,
)

from ablate.analysis import Summary, anova
from ablate.errors import AblateError
from ablate.foreign.request import AdoptSettings
from ablate.foreign.study import adopt_folder
from ablate.report import summary_of

DESIGNS = {
    "oats": OATS,
    "battery": BATTERY,
    "warpbreaks": WARPBREAKS,
    "warpbreaks, unbalanced": UNBALANCED,
    "tooth growth": TOOTH_GROWTH,
    "poisons": POISONS,
    "npk": NPK,
    "rocket": ROCKET,
    "paper": PAPER,
    "fatigue": FATIGUE,
}


def adopted(published: Published, folder: Path, order: list[int] | None = None, **settings: object) -> Summary:
    values = {"name": "study", **published.settings, **settings}
    return summary_of(adopt_folder(published.write(folder, order), AdoptSettings.from_values(values), folder))


@pytest.mark.parametrize("name", DESIGNS)
def test_f_and_p_are_those_of_r(name: str, tmp_path: Path) -> None:
    published = DESIGNS[name]
    summary = adopted(published, tmp_path)
    frame = anova(summary.plan, summary.values).anova
    rows = frame.drop_duplicates("term").set_index("term")
    for term, (f, p) in published.tests.items():
        assert rows.loc[term, "F"] == pytest.approx(f, rel=1e-7)
        assert rows.loc[term, "p"] == pytest.approx(p, rel=1e-7)
    assert frame[frame["term"] == "Residual"]["df"].iloc[-1] == published.residual
    for term, stratum in published.strata.items():
        assert rows.loc[term, "stratum"] == stratum
    assert not any("waiting" in note or "still" in note for note in summary.notes)


def test_a_split_plot_has_an_error_for_whole_plots_and_one_within_them(tmp_path: Path) -> None:
    summary = adopted(OATS, tmp_path)
    effects = summary.answers.given["main_effects"].table.set_index(["factor", "level"])
    # Standard errors of differences of means: sqrt(2 * 601.33 / 24) for varieties, sqrt(2 * 177.08 / 18) for nitrogen.
    assert effects.loc[("V", "Golden.rain"), "high"] - effects.loc[("V", "Golden.rain"), "low"] == pytest.approx(
        2 * 2.228139 * 7.0789, rel=1e-4
    )
    assert effects.loc[("N", "0.6cwt"), "difference"] == pytest.approx(44.0)
    assert effects.loc[("N", "0.6cwt"), "high"] - effects.loc[("N", "0.6cwt"), "low"] == pytest.approx(
        2 * 2.014103 * 4.4358, rel=1e-4
    )
    assert "anew in every run" in summary.answers.refused["shapley"]


def test_a_plackett_burman_plan_gives_a_verdict_an_ingredient(tmp_path: Path) -> None:
    summary = adopted(FATIGUE, tmp_path)
    assert (summary.study.design, summary.study.paired) == ("screening", False)
    table = summary.answers.given["main_effects"].table.set_index("factor")
    assert table["difference"].to_dict() == pytest.approx(FATIGUE_EFFECTS, rel=1e-6)
    assert table["p"].to_dict() == pytest.approx({term: p for term, (_, p) in FATIGUE.tests.items()}, rel=1e-7)


def test_a_latin_square_and_incomplete_blocks_are_called_what_they_are(tmp_path: Path) -> None:
    assert (
        adopted(ROCKET, tmp_path / "a" if (tmp_path / "a").mkdir() is None else tmp_path).study.design == "latin_square"
    )
    (tmp_path / "b").mkdir()
    summary = adopted(NPK, tmp_path / "b")
    assert summary.study.design == "factorial"
    assert "Incomplete blocks: every seed has 4 of the 8 cells, and every cell equally many seeds." in summary.notes
    row = summary.answers.given["main_effects"].table.set_index("factor").loc["N"]
    # The same model.
    assert row["p"] == pytest.approx(0.0043718118, rel=1e-7)


@pytest.mark.parametrize("published", [WARPBREAKS, POISONS])
def test_replicates_that_form_no_pairs_may_stand_in_any_order(published: Published, tmp_path: Path) -> None:
    results = []
    for number in range(3):
        order = list(range(len(published.rows)))
        random.Random(number).shuffle(order)
        folder = tmp_path / str(number)
        folder.mkdir()
        reference = {"wool": "A", "tension": "L"} if published is WARPBREAKS else {"treat": "A", "poison": "1"}
        summary = adopted(published, folder, order if number else None, reference=reference)
        main = summary.answers.given["main_effects"].table.set_index(["factor", "level"]).sort_index()
        results.append((summary.effects.set_index("cell").sort_index(), main))
        assert not summary.study.paired and not summary.effects["paired"].any()
        assert summary.test_name == "Welch t test"
    for effects, main in results[1:]:
        for column in ("difference", "low", "high", "p", "p_adjusted"):
            assert effects[column].tolist() == results[0][0][column].tolist()
            assert main[column].tolist() == pytest.approx(results[0][1][column].tolist(), rel=1e-12)


def test_seeds_nested_in_a_factor_have_their_stratum(tmp_path: Path) -> None:
    # Each seed has one model, and every step of it: the model is compared between seeds.
    lines = ["model,steps,seed,acc"]
    for place, (model, seed) in enumerate((model, seed) for model in "ab" for seed in range(4)):
        lines += [
            f"{model},{steps},{4 * (model == 'b') + seed},{0.5 + 0.1 * (place * 7 % 5) + steps}" for steps in (1, 2)
        ]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    settings = {"metric": "acc", "name": "nested", "factors": ["model", "steps"]}
    summary = summary_of(adopt_folder(tmp_path / "t.csv", AdoptSettings.from_values(settings), tmp_path))
    frame = anova(summary.plan, summary.values).anova.set_index(["stratum", "term"])
    assert frame.loc[("seed", "model"), "df"] == 1 and frame.loc[("seed", "Residual"), "df"] == 6
    assert ("within", "steps") in frame.index
    # Cells of one model are paired by seed, those of two are not.
    assert dict(zip(summary.effects["cell"], summary.effects["paired"], strict=True))["steps=2"]
    assert not dict(zip(summary.effects["cell"], summary.effects["paired"], strict=True))["model=b"]


def test_seed_and_fold_together_are_the_repetition(tmp_path: Path) -> None:
    lines = ["model,seed,fold,acc"]
    lines += [
        f"{model},{seed},{fold},{0.8 + 0.01 * seed + 0.02 * fold + 0.05 * (model == 'b') * (1 + seed)}"
        for model in "ab"
        for seed in range(2)
        for fold in range(3)
    ]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    settings = AdoptSettings.from_values({"metric": "acc", "name": "folds"})
    summary = summary_of(adopt_folder(tmp_path / "t.csv", settings, tmp_path))
    assert [factor.name for factor in summary.plan.factors] == ["model"]
    assert summary.effects["n"].tolist() == [6]
    assert any("seed and fold together" in note for note in summary.notes)


def test_the_direction_of_an_unknown_metric_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(AblateError, match="Nothing in the name 'breaks' says whether higher or lower is better"):
        adopted(WARPBREAKS, tmp_path, direction=None)


def test_factors_that_are_named_as_plots_or_blocks_must_be_factors(tmp_path: Path) -> None:
    with pytest.raises(AblateError, match=r"whole_plots names B, which is no factor\. Factors: V, N"):
        adopted(OATS, tmp_path, whole_plots=["B"])
    with pytest.raises(AblateError, match="names all factors"):
        adopted(OATS, tmp_path, whole_plots=["V", "N"])
