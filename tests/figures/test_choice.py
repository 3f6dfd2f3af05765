from __future__ import annotations

import subprocess
import sys

import pytest
from toy_studies import DATA, study_of

from ablate.figures import FIGURES
from ablate.figures.registry import PAGE_WIDTHS, choice_faults, default_figures

ALWAYS = {"forest", "effects", "curves", "difference_curves", "seeds", "cost"}


@pytest.mark.parametrize(
    ("names", "design", "further"),
    [
        ("ab", "leave_one_out", set()),
        ("ab", "cumulative", {"roadmap"}),
        ("ab", "factorial", {"main_effects", "interactions", "shapley", "half_normal"}),
        ("a", "factorial", set()),
        ("abc", "fractional", {"main_effects", "half_normal"}),
        ("ab", "pairs", {"main_effects", "interactions"}),
        ("ab", "cumulative+leave_one_out", {"roadmap"}),
        ([DATA, "a"], "leave_one_out", {"datasets"}),
    ],
)
def test_the_design_says_which_figures(names: list[str], design: str, further: set[str]) -> None:
    plan = study_of(names, design=design, seeds=1, epochs=0).plan
    assert set(default_figures(plan)) == ALWAYS | further
    assert default_figures(plan)[0] == "forest"


def test_a_wrong_choice_is_answered_with_all_faults_at_once() -> None:
    names = ", ".join(sorted(FIGURES))
    assert choice_faults(["curve", "forest", "pie"], "nips") == [
        f"Unknown figure 'curve'. Figures: {names}. Did you mean 'curves'?",
        f"Unknown figure 'pie'. Figures: {names}.",
        f"Unknown width 'nips'. Widths: {', '.join(PAGE_WIDTHS)}. Did you mean 'neurips'?",
    ]
    assert choice_faults(7) == [f"Unknown figure '7'. Figures: {names}."]
    assert choice_faults(None) == choice_faults("forest", "icml") == choice_faults(("forest", "cost")) == []


def test_checking_a_choice_loads_no_matplotlib() -> None:
    code = (
        "import sys, ablate.figures.registry; print([n for n in ('matplotlib', 'pandas', 'numpy') if n in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
