from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy
from studies import factor, plan_of, values_of

from ablate.analysis import aliases, anova
from ablate.analysis.factorial import analyse_factorial
from ablate.errors import AnalysisError
from ablate.study import Plan

DOE = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "doe"
NIST = Path(scipy.__file__).parent / "stats" / "tests" / "data" / "nist_anova"

needs_doe = pytest.mark.skipif(not DOE.is_dir(), reason="the published designs are not beside the project")


def design(name: str) -> tuple[dict[str, Any], pd.DataFrame, dict[str, tuple[object, ...]]]:
    described = json.loads((DOE / "expected.json").read_text())["designs"][name]
    table = pd.read_csv(DOE / described["file"])
    return described, table, {key: tuple(sorted(table[key].unique())) for key in described["factors"]}


NAMES = ("bhh_pilot_2x3", "montgomery_filtration_2x4", "montgomery_toollife_2x3x3rep", "r_npk")


def printed(value: float) -> float:
    """Half a unit of the last printed digit."""
    digits = repr(value).partition("e")[0].partition(".")[2]
    return 0.5 * 10.0 ** -(0 if digits == "0" else len(digits)) * (1 + 1e-9)


@needs_doe
@pytest.mark.parametrize("name", NAMES)
def test_published_effects(name: str) -> None:
    described, table, levels = design(name)
    found = analyse_factorial(table, described["response"], levels, described["block"])
    effects = found.effects.set_index("term")["effect"]
    for kind in ("published", "computed"):
        for term, value in described[kind].get("effects", {}).items():
            if term != "mean":
                tolerance = printed(value) if kind == "published" else 1e-6 * abs(value) + 1e-9
                assert effects[term] == pytest.approx(value, abs=tolerance), (kind, term)


MODELS = [
    ("montgomery_filtration_2x4", "anova_A_C_D", ("A", "C", "D"), None),
    ("montgomery_toollife_2x3x3rep", "anova_full", ("A", "B", "C"), None),
    ("montgomery_toollife_2x3x3rep", "anova_full_blocks", ("A", "B", "C"), "replicate"),
    ("r_npk", "anova_blocks", ("N", "P", "K"), "block"),
]


@needs_doe
@pytest.mark.parametrize(("name", "model", "used", "block"), MODELS, ids=[model[1] for model in MODELS])
def test_published_analyses_of_variance(name: str, model: str, used: tuple[str, ...], block: str | None) -> None:
    described, table, levels = design(name)
    kept = {key: levels[key] for key in used}
    found = analyse_factorial(table, described["response"], kept, block)
    anova = found.anova.set_index("term")
    treatments = anova.drop(["Residual", "Total", *(["block"] if block else [])])
    df, ss = treatments["df"].sum(), treatments["ss"].sum()
    f = ss / df / anova.loc["Residual", "ms"]
    anova.loc["Model", ["df", "ss", "F", "p"]] = [df, ss, f, scipy.special.fdtrc(df, anova.loc["Residual", "df"], f)]
    anova = anova.rename(index={"block": "Blocks"} if "Blocks" in described["computed"][model] else {})
    compared = 0
    for kind in ("published", "computed"):
        for term, numbers in described[kind].get(model, {}).items():
            for column, value in numbers.items():
                if kind == "published":
                    tolerance = printed(value)
                else:
                    tolerance = 1e-6 * abs(value)
                assert anova.loc[term, column] == pytest.approx(value, abs=tolerance), (kind, term, column)
                compared += 1
    assert compared > 20


@needs_doe
def test_published_standard_error_and_coefficients() -> None:
    described, table, levels = design("r_npk")
    found = analyse_factorial(table, "yield", levels, "block")
    residual = found.anova.set_index("term").loc["Residual", "ms"]
    assert math.sqrt(residual) == pytest.approx(described["published"]["residual_standard_error"], abs=5e-7)
    assert found.mixed == {"N:P:K": ("block",)}
    assert found.notes == ("N:P:K cannot be told apart from block.",)
    described, table, levels = design("montgomery_toollife_2x3x3rep")
    found = analyse_factorial(table, "life", levels)
    effects = found.effects.set_index("term")["effect"]
    published = described["published"]["coefficients_reduced_model"]
    # The design is orthogonal: leaving terms out changes no other coefficient.
    for term in ("A", "B", "C", "A:C"):
        assert effects[term] / 2 == pytest.approx(published[term], abs=5e-6)


@needs_doe
def test_without_residual_effects_are_tested_by_lenths_method() -> None:
    described, table, levels = design("montgomery_filtration_2x4")
    found = analyse_factorial(table, described["response"], levels)
    assert found.anova["F"].isna().all()
    # D. C. Montgomery, Design and Analysis of Experiments, section 6.5: pseudo standard error 2.625, margin of error
    # 6.75; A, C, D, A:C and A:D stand out.
    assert found.effects["error"].tolist() == pytest.approx([2.625] * 15)
    assert ((found.effects["high"] - found.effects["low"]) / 2).tolist() == pytest.approx([6.748] * 15, abs=0.001)
    clear = found.effects[found.effects["effect"].abs() > 6.75]["term"].tolist()
    assert clear == ["A", "C", "D", "A:C", "A:D"]
    assert found.test == "Lenth's test"


def test_few_effects_say_nothing_of_noise() -> None:
    table = pd.DataFrame({"a": [0, 1, 0, 1], "b": [0, 0, 1, 1], "y": [1.0, 3.0, 2.0, 8.0]})
    found = analyse_factorial(table, "y", {"a": (0, 1), "b": (0, 1)})
    assert found.effects["p"].isna().all()
    assert found.notes == ("As many terms as observations: no residual, so no standard errors and no F tests.",)


def certified(path: Path) -> tuple[str, float, pd.DataFrame]:
    lines = path.read_text().splitlines()
    f = next(float(line.split()[-1]) for line in lines if line.startswith("Between"))
    difficulty = next(line.split()[0] for line in lines if "Level of Difficulty" in line)
    rows = [line.split() for line in lines[60:] if line.strip()]
    return difficulty, f, pd.DataFrame(rows, columns=["group", "y"]).astype({"y": float})


# The digits of the hard sets are lost when the data (10^12 + 0.4) become floating-point numbers, see the test below.
DIGITS = {"Lower": 13, "Average": 10, "Higher": 4}
NIST_FILES = sorted(NIST.glob("*.dat"))


def test_all_nist_files_are_there() -> None:
    assert len(NIST_FILES) == 11


@pytest.mark.parametrize("path", NIST_FILES, ids=lambda path: path.stem)
def test_certified_f_of_nist(path: Path) -> None:
    difficulty, f, table = certified(path)
    found = analyse_factorial(table, "y", {"group": tuple(table["group"].unique())})
    assert found.anova.set_index("term").loc["group", "F"] == pytest.approx(f, rel=10.0 ** -DIGITS[difficulty])


def test_exact_arithmetic_reaches_no_more_digits_on_the_hard_sets() -> None:
    _, f, table = certified(NIST / "SmLs07.dat")
    groups = [[Fraction(value) for value in group] for _, group in table.groupby("group")["y"]]
    n, k = sum(map(len, groups)), len(groups)
    mean = sum(sum(group) for group in groups) / n
    centres = [sum(group) / len(group) for group in groups]
    between = sum(len(group) * (centre - mean) ** 2 for group, centre in zip(groups, centres, strict=True)) / (k - 1)
    within = sum((x - c) ** 2 for group, c in zip(groups, centres, strict=True) for x in group) / (n - k)
    exact = float(between / within)
    assert abs(exact - f) / f > 1e-5
    found = analyse_factorial(table, "y", {"group": tuple(table["group"].unique())})
    assert found.anova.set_index("term").loc["group", "F"] == pytest.approx(exact, rel=1e-9)


def unbalanced() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    table = pd.DataFrame(
        {
            "a": rng.choice(["no", "yes"], 60),
            "b": rng.choice(["x", "y", "z"], 60),
            "s": rng.choice(["1", "2", "3"], 60),
        }
    )
    return table.assign(y=rng.normal(size=60) + (table["a"] == "yes") + 0.5 * (table["b"] == "z"))


def test_unbalanced_data_agree_with_statsmodels() -> None:
    import statsmodels.api as sm
    import statsmodels.formula.api as smf

    table = unbalanced()
    levels = {"a": ("no", "yes"), "b": ("x", "y", "z")}
    found = analyse_factorial(table, "y", levels, "s").anova.set_index("term")
    fit = smf.ols("y ~ C(s, Sum) + C(a, Sum) * C(b, Sum)", table).fit()
    oracle = sm.stats.anova_lm(fit, typ=3)
    names = {"a": "C(a, Sum)", "b": "C(b, Sum)", "a:b": "C(a, Sum):C(b, Sum)"}
    for term, name in names.items():
        assert found.loc[term, "ss"] == pytest.approx(oracle.loc[name, "sum_sq"])
        assert found.loc[term, "F"] == pytest.approx(oracle.loc[name, "F"])
        assert found.loc[term, "p"] == pytest.approx(oracle.loc[name, "PR(>F)"])
    effect = analyse_factorial(table, "y", levels, "s").effects.set_index("term").loc["a"]
    low, high = fit.conf_int().loc["C(a, Sum)[S.no]"]
    assert effect["effect"] == pytest.approx(-2 * fit.params["C(a, Sum)[S.no]"])
    assert (effect["low"], effect["high"]) == pytest.approx((-2 * high, -2 * low))


def test_a_fraction_names_its_aliases() -> None:
    import pydoe

    table = pd.DataFrame(pydoe.fracfact("a b c abc"), columns=list("abcd")).astype(int)
    levels = {name: (-1, 1) for name in "abcd"}
    found = aliases(table, levels)
    assert found.values.tolist() == [["a:b", "c:d", 1.0], ["a:c", "b:d", 1.0], ["a:d", "b:c", 1.0]]
    table["y"] = 1.0 * table["a"] + 0.5 * table["b"] * table["c"]
    fitted = analyse_factorial(table, "y", levels, order=2)
    assert fitted.mixed == {"b:c": ("a:d",), "b:d": ("a:c",), "c:d": ("a:b",)}
    assert "b:c cannot be told apart from a:d." in fitted.notes
    effects = fitted.effects.set_index("term")["effect"]
    assert effects["a"] == pytest.approx(2.0) and effects["a:d"] == pytest.approx(1.0)


def test_a_screening_design_has_partial_aliases() -> None:
    import pydoe

    table = pd.DataFrame(pydoe.pbdesign(11), columns=list("abcdefghijk")).astype(int)
    found = aliases(table[["a", "b", "c"]], {name: (-1, 1) for name in "abc"})
    assert found["correlation"].tolist() == pytest.approx([1 / 3] * 3)


def test_cells_that_constraints_take_away_are_flagged() -> None:
    from ablate.study import Requires

    plan = plan_of(
        factor("norm"),
        factor("place", "before", "after"),
        design="factorial",
        constraints=[Requires("place", "norm", ("true",))],
    )
    values = values_of(
        plan, lambda levels, seed: (levels["norm"] == "true") + 0.1 * (levels["place"] == "after") + seed
    )
    found = anova(plan, values)
    assert found.mixed == {"norm:place": ("norm", "place")}
    assert found.effects.set_index("term")["effect"].to_dict() == pytest.approx({"norm": -1.0, "place": 0.1})


def test_the_study_analysis_agrees_with_the_paired_one() -> None:
    plan = plan_of(factor("a"), factor("b"), design="factorial", seeds=range(5))
    rng = np.random.default_rng(9)
    values = values_of(plan, lambda levels, seed: float(rng.normal() - 2 * (levels["a"] == "false")))
    effect = anova(plan, values).effects.set_index("term").loc["a", "effect"]
    from ablate.analysis import main_effects

    assert main_effects(plan, values).table.set_index("factor").loc["a", "difference"] == pytest.approx(effect)


def test_a_study_without_a_finished_run_has_no_analysis() -> None:
    plan = plan_of(factor("a"), factor("b"), design="factorial")
    with pytest.raises(AnalysisError, match="No run has finished"):
        anova(plan, {cell.label: {} for cell in plan.cells})


def test_levels_that_do_not_occur_do_not_count() -> None:
    table = pd.DataFrame({"a": list("xyxy"), "b": list("uuvv"), "c": ["k"] * 4, "y": [1.0, 2.0, 3.0, 5.0]})
    found = analyse_factorial(table, "y", {"a": "xyz", "b": "uv", "c": "kl"}, order=1)
    assert found.mixed == {}
    assert found.effects.set_index("term")["effect"].to_dict() == pytest.approx({"a": 1.5, "b": 2.5})
    assert found.notes == ("c is at one level everywhere: no effect.",)


def test_aliases_of_a_plan_are_known_before_the_first_run() -> None:
    def of(plan: Plan) -> pd.DataFrame:
        return aliases(pd.DataFrame([cell.levels for cell in plan.cells]), {f.name: f.labels for f in plan.factors})

    assert of(plan_of(factor("a"), factor("b"), factor("norm", "batch", "layer", "none"), design="factorial")).empty
    leave = of(plan_of(factor("a"), factor("b")))
    assert leave.values.tolist() == [["a", "b", 0.5], ["a", "a:b", 0.5], ["b", "a:b", 0.5]]


def test_many_factors_take_no_minutes() -> None:
    import itertools
    import time

    table = pd.DataFrame(list(itertools.product((-1, 1), repeat=7)), columns=list("abcdefg"))
    table["y"] = 2.0 * table["a"] * table["g"]
    started = time.perf_counter()
    found = analyse_factorial(table, "y", {name: (-1, 1) for name in "abcdefg"})
    assert time.perf_counter() - started < 10
    effects = found.effects.set_index("term")["effect"]
    assert len(effects) == 127 and effects["a:g"] == pytest.approx(4.0)
    assert effects.drop("a:g").abs().max() < 1e-12


def test_numbers_without_sums_of_squares_are_refused() -> None:
    table = pd.DataFrame({"a": [0, 1, 0, 1], "b": [0, 0, 1, 1], "y": [1.0, 3.0, 2.0, -1e200]})
    with pytest.raises(
        AnalysisError, match=r"^Numbers of y reach 1e\+200: above 1e\+150 they have no sums of squares\.$"
    ):
        analyse_factorial(table, "y", {"a": (0, 1), "b": (0, 1)})
