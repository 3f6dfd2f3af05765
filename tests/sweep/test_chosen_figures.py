"""Which figures a command asks for: checked before the first run, remembered, no part of a run."""

from __future__ import annotations

from typing import Any

import pytest

from ablate.app.main import VERBS, main
from ablate.errors import ConfigError
from ablate.figures.registry import FIGURES, PAGE_WIDTHS

NAMES = ", ".join(sorted(FIGURES))
Drawn = list[tuple[Any, Any]]


@pytest.fixture
def drawn(toy_here: Any, monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """What figures are asked for, instead of drawing them."""
    seen: Drawn = []
    monkeypatch.setattr("ablate.figures.write_figures", lambda _, __, names, width, ___: seen.append((names, width)))
    return seen


def test_a_foreign_application_chooses_in_the_sweeper(toy_here: Any, drawn: Drawn) -> None:
    chosen = ["hydra.sweeper.figures=[forest,curves]", "hydra.sweeper.width=icml"]
    assert toy_here.call("depth=2,3", *chosen).code == 0
    assert drawn == [(["forest", "curves"], "icml")]
    assert toy_here.study().existing_record().report == {"figures": ["forest", "curves"], "width": "icml"}
    assert toy_here.call("depth=2,3", "hydra.sweeper.figures=seeds").code == 0
    assert toy_here.call("depth=2,3", "hydra.sweeper.figures=null").code == 0
    assert drawn[1:] == [(["seeds"], "auto"), (None, "auto")]
    assert len(toy_here.trained()) == 4  # a choice makes no new run


def test_a_wrong_choice_costs_no_training(toy_here: Any, drawn: Drawn) -> None:
    ended = toy_here.call("depth=2,3", "hydra.sweeper.figures=[forest,kurves]", "hydra.sweeper.width=nips")
    assert (ended.code, toy_here.trained(), drawn) == (2, [], [])
    assert ended.err == (
        f"Unknown figure 'kurves'. Figures: {NAMES}. Did you mean 'curves'?\n"
        f"Unknown width 'nips'. Widths: {', '.join(PAGE_WIDTHS)}. Did you mean 'neurips'?\n"
    )


def test_an_application_with_a_report_of_its_own_is_left_alone(toy_here: Any, drawn: Drawn) -> None:
    path = toy_here.folder / "conf" / "config.yaml"
    path.write_text(path.read_text() + "report:\n  figures: true\n  width: 80\n")
    assert toy_here.call("depth=2,3").code == 0
    assert drawn == [(["effects"], "auto")]  # as its own file says of the sweeper


def test_the_report_is_drawn_otherwise_on_request(toy_here: Any, drawn: Drawn) -> None:
    toy_here.call("depth=2,3", "hydra.sweeper.figures=[forest]")
    assert VERBS["report"].run([str(toy_here.study().path), "--figures", "curves, seeds", "--width=two"]) == 0
    assert VERBS["report"].run([str(toy_here.study().path)]) == 0
    assert drawn[1:] == [(["curves", "seeds"], "two"), (["forest"], "auto")]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--figures=forrest", f"Unknown figure 'forrest'. Figures: {NAMES}. Did you mean 'forest'?"),
        ("--figures=", f"Unknown figure ''. Figures: {NAMES}."),
        ("--width=", f"Unknown width ''. Widths: {', '.join(PAGE_WIDTHS)}."),
    ],
)
def test_a_report_of_unknown_figures(word: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        VERBS["report"].run(["somewhere", word])
    assert str(error.value) == message


def test_our_application_checks_the_choice_of_a_single_run_too(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, call: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = call(main, "report.figures=[pie]", "report.width=icml")
    assert (ended.code, ended.err) == (2, f"Unknown figure 'pie'. Figures: {NAMES}.\n")


def test_what_cannot_change_a_result_is_no_factor(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, call: Any) -> None:
    monkeypatch.chdir(tmp_path)
    ended = call(main, "-m", "residual=true,false", "report.figures=forest,curves", "study.preflight=null")
    assert (ended.code, ended.err) == (
        2,
        "report.figures=forest,curves: report.figures cannot change a result, so there is nothing to compare. A list "
        "is written in brackets: 'report.figures=[a,b]'.\n",
    )
