from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.container import BarContainer
from matplotlib.figure import Figure as Sheet
from scipy import stats

from ablate.analysis import Summary, summarise
from ablate.errors import AnalysisError
from ablate.figures import FIGURES, curves, effects, write_figures
from ablate.figures.style import cell_style, rc_params, shown, wrapped
from ablate.study import Factor, Level, Study, make_plan

NO_CURVES = pd.DataFrame(columns=["study", "cell", "seed", "epoch"])
SCORES = {"full": [0.90, 0.92, 0.91], "w/o a": [0.80, 0.83, 0.80], "w/o b": [0.91, 0.92, 0.93]}


def summary_of(
    names: str = "ab",
    seeds: int = 3,
    epochs: int = 4,
    design: str = "leave_one_out",
    metric: str = "test_accuracy",
    direction: str = "max",
    margin: float | None = None,
    columns: Sequence[str] = ("train_loss", "val_loss", "val_accuracy"),
) -> Summary:
    factors = [Factor(name, (Level("true"), Level("false")), "true") for name in names]
    plan = make_plan(Study("demo", design, tuple(range(seeds)), metric, direction, margin), factors)
    rng = np.random.default_rng(0)
    rows, lines = [], []
    for cell in plan.cells:
        for seed in range(seeds):
            score = SCORES[cell.label][seed] if cell.label in SCORES and seed < 3 else rng.normal(0.9, 0.02)
            rows.append(("demo", cell.label, seed, "finished", "", score))
            values = rng.normal(0.5, 0.1, (epochs, len(columns)))
            lines += [("demo", cell.label, seed, epoch + 1, *values[epoch]) for epoch in range(epochs)]
    runs = pd.DataFrame(rows, columns=["study", "cell", "seed", "state", "reason", metric])
    frame = pd.DataFrame(lines, columns=["study", "cell", "seed", "epoch", *columns])
    return summarise(plan, runs, frame if epochs else NO_CURVES)


def bars(ax: mpl.axes.Axes) -> list[BarContainer]:
    return [container for container in ax.containers if isinstance(container, BarContainer)]


def test_effects_are_sorted_by_what_the_ingredient_contributes() -> None:
    data = effects.prepare(summary_of())
    assert list(dict.fromkeys(data["cell"])) == ["w/o a", "w/o b"]
    assert list(data["value"]) == pytest.approx([-0.10, -0.09, -0.11, 0.01, 0.0, 0.02])
    assert list(dict.fromkeys(effects.prepare(summary_of(direction="min"))["cell"])) == ["w/o b", "w/o a"]


def test_effects_draw_bars_intervals_and_every_seed() -> None:
    summary = summary_of()
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
    # helps: full colour; undecided: pale
    assert drawn["w/o a"].get_facecolor()[:3] == pytest.approx(to_rgb(cell_style(1).colour))
    assert sum(drawn["w/o b"].get_facecolor()[:3]) > sum(to_rgb(cell_style(2).colour))


@pytest.mark.parametrize(("direction", "words"), [("max", "← worse      better →"), ("min", "← better      worse →")])
def test_effects_say_which_side_is_better(direction: str, words: str) -> None:
    ax = Sheet().subplots()
    effects.draw(ax, effects.prepare(summary_of(direction=direction)))
    assert ax.get_xlabel() == f"difference in test accuracy\n{words}"


def test_effects_of_one_seed_have_no_interval() -> None:
    summary = summary_of(seeds=1)
    ax = Sheet().subplots()
    effects.draw(ax, effects.prepare(summary))
    assert len(ax.get_lines()) == 1
    assert "No interval or test" in effects.caption(summary)


def test_effects_show_the_margin_and_unequal_numbers_of_seeds() -> None:
    summary = summary_of(margin=0.02)
    runs = summary.runs.copy()
    runs.loc[1, "state"] = "waiting"
    runs.loc[5, "state"] = "failed"
    found = summarise(summary.plan, runs, NO_CURVES)
    ax = Sheet().subplots()
    effects.draw(ax, effects.prepare(found))
    assert sorted(label.get_text() for label in ax.get_yticklabels()) == ["w/o a (n\xa0=\xa01)", "w/o b (n\xa0=\xa02)"]
    band = next(patch for patch in ax.patches if patch.get_width() == pytest.approx(0.04))
    assert band.get_x() == pytest.approx(-0.02)
    assert effects.caption(found).endswith("Grey band: the margin of ±0.02.")


def test_a_cell_keeps_its_colour_whatever_is_drawn_beside_it() -> None:
    data = effects.prepare(summary_of())
    alone = Sheet().subplots()
    effects.draw(alone, data[data["cell"] == "w/o b"])
    both = Sheet().subplots()
    effects.draw(both, data)
    assert bars(alone)[0].patches[0].get_edgecolor() == bars(both)[1].patches[0].get_edgecolor()
    styles = [cell_style(position) for position in range(200)]
    assert len({(style.colour, str(style.line), style.marker) for style in styles}) == 200


def test_of_very_many_cells_the_largest_effects_are_shown() -> None:
    summary = summary_of(names="abcdefg", seeds=2, epochs=0, design="factorial")
    data = effects.prepare(summary)
    assert data["cell"].nunique() == 60
    hidden = summary.effects[~summary.effects["cell"].isin(data["cell"])]
    assert hidden["difference"].abs().max() <= data["difference"].abs().min()
    assert "Only the 60 largest of 127 differences are shown." in effects.caption(summary)
    assert effects.compose(data).get_figheight() < 14


def test_curves_have_means_and_t_bands() -> None:
    summary = summary_of()
    data = curves.prepare(summary)
    assert list(dict.fromkeys(data["metric"])) == ["val_accuracy", "val_loss"]
    one = data[(data["metric"] == "val_loss") & (data["cell"] == "w/o a") & (data["epoch"] == 2)].iloc[0]
    raw = summary.curves.query("cell == 'w/o a' and epoch == 2")["val_loss"]
    low, high = stats.t.interval(0.95, 2, raw.mean(), stats.sem(raw))
    assert (one["n"], one["mean"], one["low"], one["high"]) == (3, *map(pytest.approx, (raw.mean(), low, high)))


def test_curves_draw_a_line_and_a_band_a_cell() -> None:
    data = curves.prepare(summary_of())
    axes = Sheet().subplots(2, 1)
    curves.draw(axes, data)
    for ax, metric in zip(axes, ("val accuracy", "val loss"), strict=True):
        assert ax.get_ylabel() == metric
        assert [line.get_label() for line in ax.get_lines()] == ["full", "w/o a", "w/o b"]
        assert len(ax.collections) == 3
        styles = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in ax.get_lines()}
        assert len(styles) == 3
    mean = data[(data["metric"] == "val_loss") & (data["cell"] == "w/o b")]["mean"]
    assert list(axes[1].get_lines()[2].get_ydata()) == list(mean)
    low, high = axes[1].get_ylim()
    assert low <= data.loc[data["metric"] == "val_loss", "mean"].min()
    assert high >= data.loc[data["metric"] == "val_loss", "mean"].max()


def test_curves_on_the_wrong_number_of_axes() -> None:
    with pytest.raises(ValueError) as error:
        curves.draw(Sheet().subplots(), curves.prepare(summary_of()))
    assert str(error.value) == "2 metrics (val_accuracy, val_loss) need as many axes, not 1."


def test_curves_of_one_seed_have_no_band() -> None:
    summary = summary_of(seeds=1)
    axes = Sheet().subplots(2, 1)
    curves.draw(axes, curves.prepare(summary))
    assert not axes[0].collections
    assert curves.caption(summary).endswith("No bands: one seed has no interval.")


def test_curves_end_with_the_shortest_run_and_leave_out_failed_ones() -> None:
    summary = summary_of()
    stopped = summary.curves.query("not (cell == 'w/o a' and seed == 2 and epoch > 2)")
    runs = summary.runs.copy()
    runs.loc[runs["cell"].eq("w/o b") & runs["seed"].eq(0), "state"] = "failed"
    found = summarise(summary.plan, runs, stopped)
    data = curves.prepare(found)
    assert data.groupby("cell")["epoch"].max().to_dict() == {"full": 4, "w/o a": 2, "w/o b": 4}
    assert data.groupby("cell")["n"].unique().map(list).to_dict() == {"full": [3], "w/o a": [3], "w/o b": [2]}
    assert "A line ends where the first run of its cell ends." in curves.caption(found)


@pytest.mark.parametrize(
    ("metric", "columns", "expected"),
    [
        ("test_accuracy", ("loss", "val_accuracy", "val_loss"), ("val_accuracy", "val_loss")),
        ("test_loss", ("val_accuracy", "val_loss"), ("val_loss",)),
        ("reward", ("reward", "loss"), ("reward", "loss")),
        ("reward", ("speed", "heat", "noise"), ("speed", "heat")),
    ],
)
def test_which_columns_of_the_curves_are_drawn(
    metric: str, columns: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert curves.curve_metrics(summary_of(metric=metric, columns=columns)) == expected


def test_of_many_cells_the_reference_and_the_largest_effects_stand_out() -> None:
    summary = summary_of(names="abcd", design="factorial")
    data = curves.prepare(summary)
    outstanding = set(data.loc[data["highlighted"], "cell"])
    assert len(outstanding) == 8 and "full" in outstanding
    sheet = curves.compose(data)
    texts = [text.get_text() for text in sheet.legends[0].get_texts()]
    assert len(texts) == 9 and texts[-1] == "8 other cells"


def test_names_are_shown_literally() -> None:
    assert shown("$a$") == r"\$a\$"
    assert wrapped("w/o residual, head=flatten", 14) == "w/o residual,\nhead=flatten"
    long = "w/o optimizer.learning_rate_schedule"
    assert wrapped(long, 20).replace("\n", "") == long
    assert max(len(line) for line in wrapped("x" * 50, 20).splitlines()) == 20


@pytest.mark.parametrize(("names", "seeds"), [(["residual"], 3), ([f"{'long' * 6}_{i}" for i in range(9)], 2)])
def test_nothing_is_cut_off(names: list[str], seeds: int) -> None:
    summary = summary_of(names=names, seeds=seeds)  # type: ignore[arg-type]
    for figure in FIGURES.values():
        with style.context(["default", dict(rc_params())]):
            sheet = figure.compose(figure.prepare(summary))
            FigureCanvasAgg(sheet).draw()
            tight, size = sheet.get_tightbbox(), sheet.get_size_inches()
            assert tight.x0 >= -0.02 and tight.y0 >= -0.02
            assert tight.x1 <= size[0] + 0.02 and tight.y1 <= size[1] + 0.02
            for ax in sheet.axes:
                boxes = [label.get_window_extent() for label in ax.get_yticklabels() if label.get_text()]
                boxes.sort(key=lambda box: box.y0)
                assert all(below.y1 <= above.y0 + 1 for below, above in itertools.pairwise(boxes))


def test_the_files_are_the_same_bytes_and_leave_the_settings_alone(tmp_path: Path) -> None:
    summary = summary_of(names=["a", "$b$", "_층"])  # type: ignore[arg-type]
    before = dict(mpl.rcParams)
    files = write_figures(summary, tmp_path / "one")
    names = ["effects.png", "effects.svg", "effects.pdf", "curves.png", "curves.svg", "curves.pdf", "captions.md"]
    assert [path.name for path in files] == names
    with mpl.rc_context({"lines.linewidth": 9, "font.size": 30}):
        again = write_figures(summary, tmp_path / "two")
    assert [path.read_bytes() for path in files] == [path.read_bytes() for path in again]
    assert dict(mpl.rcParams) == before
    svg = (tmp_path / "one" / "effects.svg").read_text()
    assert "w/o $b$" in svg and "<dc:date>" not in svg
    assert "w/o _층" in svg
    assert b"/FontFile2" in (tmp_path / "one" / "effects.pdf").read_bytes()


def test_a_figure_without_data_is_left_out_and_named(tmp_path: Path) -> None:
    files = write_figures(summary_of(epochs=0), tmp_path)
    assert [path.name for path in files] == ["effects.png", "effects.svg", "effects.pdf", "captions.md"]
    assert "**curves**: left out, because no finished run wrote curves." in (tmp_path / "captions.md").read_text()


def test_a_study_that_has_not_begun(tmp_path: Path) -> None:
    summary = summary_of()
    waiting = summarise(summary.plan, summary.runs.assign(state="waiting", test_accuracy=math.nan), NO_CURVES)
    assert [path.name for path in write_figures(waiting, tmp_path)] == ["captions.md"]


def test_unknown_figures_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError) as error:
        write_figures(summary_of(), tmp_path, names=["curve", "effects", "pie"])
    assert str(error.value) == (
        "Unknown figure 'curve'. Figures: curves, effects. Did you mean 'curves'?\n"
        "Unknown figure 'pie'. Figures: curves, effects."
    )
    assert not list(tmp_path.iterdir())


def test_importing_the_room_does_not_load_pyplot() -> None:
    heavy = "('tensorflow', 'keras', 'matplotlib.pyplot', 'seaborn')"
    code = f"import sys, ablate.figures; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
