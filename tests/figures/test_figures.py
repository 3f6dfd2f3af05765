"""What all figures have in common: their files, their style, what they survive."""

from __future__ import annotations

import itertools
import math
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from toy_studies import DATA, NO_CURVES, caption_of, study_of

import ablate
from ablate.analysis import Summary, summarise
from ablate.errors import AblateError, AnalysisError
from ablate.figures import FIGURES, write_figures
from ablate.figures.figure import figure_style
from ablate.figures.registry import PAGE_WIDTHS
from ablate.figures.style import literal_text, wrapped
from ablate.study import Factor, Level

HOSTILE = ["a_b&c%", "$x$", "<script>alert(1)</script>", "잔차_연결", "_hidden", "x" * 70]
RATE = Factor("lr", (Level("0.001"), Level("$5&%#_{}^~\\")), "0.001")


def test_names_are_shown_literally() -> None:
    assert literal_text("$a$") == r"\$a\$"
    assert wrapped("w/o residual, head=flatten", 14) == "w/o residual,\nhead=flatten"
    long = "w/o optimizer.learning_rate_schedule"
    assert wrapped(long, 20).replace("\n", "") == long
    assert max(len(line) for line in wrapped("x" * 50, 20).splitlines()) == 20


def failed(summary: Summary) -> Summary:
    """The same study with a failed, a running and an unreadable run."""
    runs = summary.runs.copy()
    runs.loc[1, "state"], runs.loc[4, "state"] = "failed", "running"
    runs.loc[5, summary.study.metric] = math.nan
    curves = summary.curves.copy()
    curves.loc[::3, "val_loss"] = math.nan
    return summarise(summary.plan, runs, curves)


def lost_reference() -> Summary:
    summary = study_of()
    runs = summary.runs.copy()
    runs.loc[runs["cell"] == "full", "state"] = "failed"
    return summarise(summary.plan, runs, summary.curves)


ROWS = ("forest", "effects", "seeds", "cost")
LINES = ("curves", "difference_curves")
GRID = ("main_effects", "interactions", "shapley")
STUDIES: dict[str, tuple[Callable[[], Summary], tuple[str, ...]]] = {
    "one cell": (lambda: study_of(["residual"]), (*ROWS, *LINES)),
    "long names": (lambda: study_of([f"{'long' * 6}_{i}" for i in range(9)], seeds=2), (*ROWS, *LINES)),
    "one seed": (lambda: study_of("abc", seeds=1, design="factorial"), ("forest", "roadmap", "seeds", *GRID)),
    "failures": (lambda: failed(study_of("abc")), (*ROWS, *LINES)),
    "no reference": (lost_reference, ("seeds", "curves")),
    "hostile": (
        lambda: study_of([*HOSTILE, RATE], design="cumulative+leave_one_out", seeds=2),
        (*ROWS, *LINES, "roadmap"),
    ),
    "hostile grid": (lambda: study_of(HOSTILE[:3], design="factorial", seeds=2, epochs=0), GRID),
    "seconds": (
        lambda: study_of(
            "abc",
            design="factorial",
            epochs=0,
            metric="fit",
            direction="min",
            score=lambda cell, seed: 3600.0 + seed**2,
        ),
        ("forest", "roadmap", "seeds", *GRID),
    ),
    "alike": (
        lambda: study_of("ab", design="factorial", epochs=0, score=lambda cell, seed: 0.5),
        ("forest", "effects", "roadmap", *GRID),
    ),
    "tiny": (
        lambda: study_of(
            "ab", design="factorial", epochs=0, score=lambda cell, seed: 1e-9 * (3 + seed**2 * len(cell.changed))
        ),
        ("forest", "roadmap", "shapley", "interactions"),
    ),
    "data sets": (
        lambda: study_of([DATA, "a", "b"], design="factorial+cumulative", seeds=2),
        ("forest", "roadmap", "datasets", "curves", "seeds", "cost"),
    ),
    "64 cells": (lambda: study_of("abcdef", design="factorial", seeds=2, epochs=2), ("forest", "curves", "cost")),
}


@pytest.mark.parametrize("kind", STUDIES)
def test_nothing_is_cut_off_or_overlaps(kind: str) -> None:
    make, names = STUDIES[kind]
    summary = make()
    for name in names:
        assert "nan" not in caption_of(FIGURES[name].load(), summary)
        with figure_style():
            sheet = FIGURES[name].load().compose(FIGURES[name].load().prepare(summary))
            sheet.fix_layout()
            tight, size = sheet.get_tightbbox(), sheet.get_size_inches()
            where = f"{name} of {kind}"
            assert tight.x0 >= -0.02 and tight.y0 >= -0.02, where
            assert tight.x1 <= size[0] + 0.02 and tight.y1 <= size[1] + 0.02, where
            assert size[1] < 10.5, where  # a page
            for ax in (ax for ax in sheet.axes if ax.axison and ax.get_label() != "<colorbar>"):
                box = ax.get_window_extent()
                assert box.width > 35 and box.height > 18, where
                boxes = [label.get_window_extent() for label in ax.get_yticklabels() if label.get_text()]
                boxes.sort(key=lambda box: box.y0)
                assert all(below.y1 <= above.y0 + 1 for below, above in itertools.pairwise(boxes)), where


@pytest.mark.parametrize("width", ["one", "acl"])
@pytest.mark.parametrize("name", ["effects", "seeds", "roadmap"])
def test_twenty_long_names_fit_into_one_column(name: str, width: str) -> None:
    design = "cumulative" if name == "roadmap" else "leave_one_out"
    summary = study_of([f"{'excitation_' * 3}{i}_with_ratio" for i in range(19)], design=design, epochs=0)
    with figure_style():
        sheet = FIGURES[name].load().compose(FIGURES[name].load().prepare(summary), PAGE_WIDTHS[width])
        sheet.fix_layout()
        assert sheet.get_tightbbox().x1 <= sheet.get_figwidth() + 0.02
        low, high = sheet.axes[0].get_xlim()
        ticks = [tick for tick in sheet.axes[0].xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
        boxes = [tick.label1.get_window_extent() for tick in ticks]
        assert boxes and all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


@pytest.mark.parametrize("width", ["one", "neurips"])
def test_sheets_are_as_wide_as_the_paper_wants_them(width: str) -> None:
    summary = study_of("ab", design="factorial", epochs=2)
    for name, kind in FIGURES.items():
        figure = kind.load()
        data = figure.prepare(summary)
        if len(data):
            with figure_style():
                sheet = figure.compose(data, PAGE_WIDTHS[width])
                sheet.fix_layout()
            assert sheet.get_figwidth() in (PAGE_WIDTHS[width].column, PAGE_WIDTHS[width].text)
            assert sheet.get_tightbbox().x1 <= sheet.get_figwidth() + 0.02, name


def test_the_files_are_the_same_bytes_and_leave_the_settings_alone(tmp_path: Path) -> None:
    summary = study_of(["a", "$b$", "_층"], design="factorial")
    before = dict(mpl.rcParams)
    names = ["effects", "interactions", "curves"]
    files = write_figures(summary, tmp_path / "one", names)
    forms = [f"{name}.{form}" for name in names for form in ("png", "svg", "pdf")]
    assert [path.name for path in files] == [*forms, "captions.md"]
    with mpl.rc_context({"lines.linewidth": 9, "font.size": 30}):
        again = write_figures(summary, tmp_path / "two", names)
    assert [path.read_bytes() for path in files] == [path.read_bytes() for path in again]
    assert dict(mpl.rcParams) == before
    svg = (tmp_path / "one" / "effects.svg").read_text()
    assert "w/o $b$" in svg and "<dc:date>" not in svg
    assert "w/o _층" in svg
    assert b"/FontFile2" in (tmp_path / "one" / "effects.pdf").read_bytes()


def test_what_was_drawn_of_the_same_data_stays_and_the_rest_is_drawn(tmp_path: Path) -> None:
    digests: dict[str, str] = {}
    names = ["effects", "seeds", "forest"]
    write_figures(study_of(), tmp_path, names, digests=digests)
    (tmp_path / "seeds.svg").write_text("as it was")
    (tmp_path / "forest.pdf").unlink()
    write_figures(study_of(), tmp_path, names, digests=digests)
    assert (tmp_path / "seeds.svg").read_text() == "as it was"
    assert (tmp_path / "forest.pdf").is_file()
    other = study_of(score=lambda cell, seed: 0.5 + 0.01 * seed + 0.1 * len(cell.changed))
    for changed in ({"summary": other, "width": "auto"}, {"summary": study_of(), "width": "icml"}):
        files = write_figures(names=names, folder=tmp_path, digests=digests, **changed)
        alone = write_figures(names=names, folder=tmp_path / "alone", **changed)
        assert [path.read_bytes() for path in files] == [path.read_bytes() for path in alone]


def test_a_figure_without_data_is_left_out_and_named(tmp_path: Path) -> None:
    files = write_figures(study_of(epochs=0), tmp_path, ["effects", "curves"])
    assert [path.name for path in files] == ["effects.png", "effects.svg", "effects.pdf", "captions.md"]
    assert "**curves**: left out, because no finished run wrote curves." in (tmp_path / "captions.md").read_text()


def test_without_a_choice_the_design_calls_for_the_figures(tmp_path: Path) -> None:
    summary = study_of(epochs=0)
    runs = summary.runs.assign(state="waiting", test_accuracy=math.nan)
    write_figures(summarise(summary.plan, runs, NO_CURVES), tmp_path)
    said = (tmp_path / "captions.md").read_text()
    assert re.findall(r"\*\*(.+)\*\*", said) == ["forest", "effects", "curves", "difference_curves", "seeds", "cost"]


def test_what_an_earlier_call_drew_does_not_stay_and_other_files_do(tmp_path: Path) -> None:
    summary = study_of(epochs=0)
    write_figures(summary, tmp_path, ["effects"])
    (tmp_path / "diagram.svg").write_text("of somebody else")
    write_figures(summary, tmp_path, ["forest"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "captions.md",
        "diagram.svg",
        "forest.pdf",
        "forest.png",
        "forest.svg",
    ]


def test_a_study_that_has_not_begun(tmp_path: Path) -> None:
    summary = study_of()
    waiting = summarise(summary.plan, summary.runs.assign(state="waiting", test_accuracy=math.nan), NO_CURVES)
    assert [path.name for path in write_figures(waiting, tmp_path, list(FIGURES))] == ["captions.md"]
    assert (tmp_path / "captions.md").read_text().count("left out") == len(FIGURES)


def test_unknown_figures_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError) as error:
        write_figures(study_of(), tmp_path, names=["curve", "effects", "pie"])
    names = ", ".join(sorted(FIGURES))
    assert str(error.value) == (
        f"Unknown figure 'curve'. Figures: {names}. Did you mean 'curves'?\nUnknown figure 'pie'. Figures: {names}."
    )
    assert not list(tmp_path.iterdir())


def test_a_drawn_figure_shows_in_a_notebook_in_figure_style() -> None:
    summary = study_of(["a", "잔차"], epochs=0)
    with mpl.rc_context({"font.size": 30}), warnings.catch_warnings():
        warnings.simplefilter("error")
        sheet = ablate.draw("forest", summary, width="icml")
        picture = sheet._repr_png_()
    assert picture.startswith(b"\x89PNG")
    assert sheet.get_figwidth() == 3.25
    assert sheet.axes[0].xaxis.label.get_fontsize() == 7


def test_drawing_what_there_is_not() -> None:
    with pytest.raises(AblateError) as error:
        ablate.draw("forrest", study_of(epochs=0), width="two_columns")
    first, second = str(error.value).split("\n")
    assert first.endswith("Did you mean 'forest'?") and second.startswith(
        "Unknown width 'two_columns'. Widths: auto, one"
    )
    with pytest.raises(AblateError) as error:
        ablate.draw("curves", study_of(epochs=0))
    assert str(error.value) == "Nothing to draw: no finished run wrote curves"


def test_figures_draw_on_the_axes_of_others() -> None:
    figure = mpl.figure.Figure()
    axes = figure.subplots(2, 2)
    assert ablate.draw("curves", study_of(), ax=axes) is figure
    assert np.ravel(axes)[3].get_ylabel() == "val loss"


def test_importing_the_room_does_not_load_pyplot() -> None:
    heavy = "('tensorflow', 'keras', 'matplotlib.pyplot', 'seaborn')"
    code = f"import sys, ablate.figures; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
