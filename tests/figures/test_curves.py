from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure as Sheet
from scipy import stats
from toy_studies import DATA, caption_of, study_of

from ablate.analysis import SequentialRule, summarise
from ablate.figures import FIGURES, curves, difference_curves
from ablate.figures.registry import PAGE_WIDTHS
from ablate.study import Cell


def learning(cell: Cell, seed: int, epoch: int) -> Sequence[float]:
    """Training loss falls for ever; without a validation loss turns at epoch 6; without b it trains as in full."""
    turns = max(0, epoch - 6) if "a" in cell.changed else 0
    noise = 0.01 * np.sin(17 * seed + 5 * epoch)
    loss = 2 / (epoch + 1) + 0.02 * seed
    return loss, loss + 0.1 * turns * (1 + 0.1 * seed) + noise, 0.5, 0.9 - 0.02 * turns + noise + 0.01 * seed


def test_curves_have_means_and_t_bands_of_training_and_validation() -> None:
    summary = study_of()
    data = curves.prepare(summary)
    assert list(dict.fromkeys(zip(data["metric"], data["split"], strict=True))) == [
        ("train_accuracy", "training"),
        ("val_accuracy", "validation"),
        ("train_loss", "training"),
        ("val_loss", "validation"),
    ]
    one = data[(data["metric"] == "val_loss") & (data["cell"] == "w/o a") & (data["epoch"] == 2)].iloc[0]
    raw = summary.curves.query("cell == 'w/o a' and epoch == 2")["val_loss"]
    low, high = stats.t.interval(0.95, 2, raw.mean(), stats.sem(raw))
    assert (one["n"], one["mean"], one["low"], one["high"]) == (3, *map(pytest.approx, (raw.mean(), low, high)))


def test_curves_draw_a_line_and_a_band_a_cell() -> None:
    data = curves.prepare(study_of())
    axes = Sheet().subplots(2, 2)
    curves.draw(axes, data)
    for ax, metric in zip(axes.flat, ("train accuracy", "val accuracy", "train loss", "val loss"), strict=True):
        assert ax.get_ylabel() == metric
        assert [line.get_label() for line in ax.get_lines()] == ["full", "w/o a", "w/o b"]
        assert len(ax.collections) == 3
        styles = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in ax.get_lines()}
        assert len(styles) == 3
    mean = data[(data["metric"] == "val_loss") & (data["cell"] == "w/o b")]["mean"]
    assert list(axes[1, 1].get_lines()[2].get_ydata()) == list(mean)
    low, high = axes[1, 1].get_ylim()
    assert low <= data.loc[data["metric"] == "val_loss", "mean"].min()
    assert high >= data.loc[data["metric"] == "val_loss", "mean"].max()


def test_training_and_validation_stand_beside_each_other_on_one_scale() -> None:
    sheet = curves.compose(curves.prepare(study_of()))
    left, right, *_ = sheet.axes
    assert (left.get_ylabel(), right.get_ylabel()) == ("train accuracy", "val accuracy")
    assert left.get_ylim() == right.get_ylim()
    assert sheet.get_figwidth() == 6.75
    alone = curves.compose(curves.prepare(study_of(columns=("val_loss", "val_accuracy"))))
    assert len(alone.axes) == 2 and alone.get_figwidth() == 3.35


def test_no_band_suggests_shares_beyond_nought_and_one() -> None:
    def sure(cell: Cell, seed: int, epoch: int) -> Sequence[float]:
        return 0.1, 0.1, 0.99 + 0.01 * (seed == 1), 0.6 + 0.2 * seed

    sheet = curves.compose(curves.prepare(study_of(curve=sure)))
    accuracy = sheet.axes[1]
    assert accuracy.collections[0].get_paths()[0].vertices[:, 1].max() == 1.0
    assert 1 <= accuracy.get_ylim()[1] < 1.1


def test_overfitting_is_ringed_where_it_is_shown() -> None:
    summary = study_of(seeds=4, epochs=15, curve=learning)
    data = curves.prepare(summary)
    onset = data[data["metric"] == "val_loss"].groupby("cell")["onset"].first()
    assert onset["w/o a"] == 6 and onset[["full", "w/o b"]].isna().all()
    assert data.loc[data["metric"] != "val_loss", "onset"].isna().all()
    sheet = curves.compose(data)
    rings = [line for line in sheet.axes[3].get_lines() if line.get_label() == "_onset"]
    lowest = data.query("metric == 'val_loss' and cell == 'w/o a' and epoch == 6")["mean"].iloc[0]
    assert [(ring.get_xdata()[0], ring.get_ydata()[0]) for ring in rings] == [(6, lowest)]
    assert "overfitting begins" in [text.get_text() for text in sheet.legends[0].get_texts()]
    assert "Rings, where overfitting begins: the lowest mean val_loss" in caption_of(curves, summary)


def test_one_seed_and_no_overfitting_are_said() -> None:
    single = study_of(seeds=1)
    axes = Sheet().subplots(2, 2)
    curves.draw(axes, curves.prepare(single))
    assert not axes[0, 0].collections
    assert caption_of(curves, single).endswith(
        "No bands: one seed has no interval. Overfitting is not marked: in one seed a rise cannot be told from noise."
    )
    assert "No cell is shown to overfit; marked would be" in caption_of(curves, study_of())


def test_curves_on_the_wrong_number_of_axes() -> None:
    with pytest.raises(ValueError) as error:
        curves.draw(Sheet().subplots(), curves.prepare(study_of(columns=("val_loss", "val_accuracy"))))
    assert str(error.value) == "2 panels (val_accuracy, val_loss) need as many axes, not 1."


def test_curves_end_with_the_shortest_run_and_leave_out_failed_ones() -> None:
    summary = study_of()
    stopped = summary.curves.query("not (cell == 'w/o a' and seed == 2 and epoch > 2)")
    runs = summary.runs.copy()
    runs.loc[runs["cell"].eq("w/o b") & runs["seed"].eq(0), "state"] = "failed"
    found = summarise(summary.plan, runs, stopped)
    data = curves.prepare(found)
    assert data.groupby("cell")["epoch"].max().to_dict() == {"full": 4, "w/o a": 2, "w/o b": 4}
    assert data.groupby("cell")["n"].unique().map(list).to_dict() == {"full": [3], "w/o a": [3], "w/o b": [2]}
    assert "A line ends where the first run of its cell ends." in caption_of(curves, found)


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
    data = curves.prepare(study_of(metric=metric, columns=columns))
    assert tuple(dict.fromkeys(data.loc[data["split"] == "validation", "metric"])) == expected


def test_of_many_cells_the_reference_and_the_single_changes_stand_out() -> None:
    summary = study_of("abcd", design="factorial")
    data = curves.prepare(summary)
    outstanding = set(data.loc[data["highlighted"], "cell"])
    assert len(outstanding) == 8 and {"full", "w/o a", "w/o b", "w/o c", "w/o d"} <= outstanding
    texts = [text.get_text() for text in curves.compose(data).legends[0].get_texts()]
    assert len(texts) == 9 and texts[-1] == "8 other cells"
    assert "Coloured: 8 of 16 cells" in caption_of(curves, summary)


def test_every_data_set_has_panels_of_its_own_and_cells_share_the_legend() -> None:
    data = curves.prepare(study_of([DATA, "a"], seeds=2))
    sheet = curves.compose(data)
    assert [ax.get_title() for ax in sheet.axes] == ["digits"] * 4 + ["telugu"] * 4
    assert [text.get_text() for text in sheet.legends[0].get_texts()] == ["full", "w/o a"]


def test_differences_are_paired_by_seed() -> None:
    summary = study_of()
    data = difference_curves.prepare(summary)
    table = summary.curves.pivot_table("val_accuracy", ["cell", "epoch"], "seed")
    raw = (table.loc["w/o a"] - table.loc["full"]).loc[2]
    low, high = stats.t.interval(0.95, 2, raw.mean(), stats.sem(raw))
    one = data[(data["cell"] == "w/o a") & (data["epoch"] == 2)].iloc[0]
    assert (one["n"], one["mean"], one["low"], one["high"]) == (3, *map(pytest.approx, (raw.mean(), low, high)))


def test_the_epoch_from_which_an_ingredient_matters_is_marked() -> None:
    def noisy(cell: Cell, seed: int, epoch: int) -> Sequence[float]:
        values = list(learning(cell, seed, epoch))
        values[3] += 0.0007 * np.sin(29 * seed + 3 * epoch + 11 * len(cell.changed))
        return values

    summary = study_of(seeds=5, epochs=12, curve=noisy)
    data = difference_curves.prepare(summary)
    onset = data.groupby("cell")["onset"].first()
    assert onset["w/o a"] == 7 and np.isnan(onset["w/o b"])
    sheet = difference_curves.compose(data)
    first, second = sheet.axes
    assert (first.get_title(), second.get_title()) == ("w/o a", "w/o b")
    assert first.get_ylim() == second.get_ylim()
    assert [text.get_text() for text in first.texts] == ["from 7"] and not second.texts
    assert [7, 7] in [list(line.get_xdata()) for line in first.get_lines()]
    assert sheet.get_supylabel() == "difference in val accuracy\n← worse   better →"
    said = caption_of(difference_curves, summary)
    assert "pointwise: by chance alone one in twenty epochs of a cell without effect excludes zero" in said
    assert "tested from the last epoch backwards, so that the error rate is 5% a cell, not adjusted over cells" in said


def test_differences_without_evidence_say_so() -> None:
    assert "no epoch is marked" in caption_of(difference_curves, study_of(epochs=3))
    assert caption_of(difference_curves, study_of(seeds=1)).endswith("No bands: one pair has no interval.")
    sequential = caption_of(difference_curves, study_of(seeds=4, rule=SequentialRule(4)))
    assert sequential.endswith("The bands do not allow for the looks of the sequential rule.")


def test_under_the_sequential_rule_only_what_has_been_read_is_drawn() -> None:
    def clear(cell: Cell, seed: int) -> float:
        return (
            0.9 - 0.3 * ("a" in cell.changed) - 0.3 * ("b" in cell.changed) + 0.001 * np.sin(9 * seed + len(cell.label))
        )

    summary = study_of(seeds=8, rule=SequentialRule(8), score=clear)
    read = {cell: len(values) for cell, values in summary.values.items()}
    assert max(read.values()) < 8
    data = curves.prepare(summary)
    assert data.groupby("cell")["n"].max().to_dict() == read


def test_a_study_of_one_data_set_alone_has_no_differences() -> None:
    summary = study_of([DATA], seeds=2)
    assert difference_curves.prepare(summary).empty
    assert FIGURES["difference_curves"].absence(summary) == (
        "no cell and its reference both wrote curves with the same seed"
    )


def test_of_many_cells_twelve_differences_are_drawn() -> None:
    summary = study_of("abcde", design="factorial", seeds=2)
    data = difference_curves.prepare(summary)
    assert data["cell"].nunique() == 12 and {f"w/o {name}" for name in "abcde"} <= set(data["cell"])
    assert "12 of 31 cells are shown" in caption_of(difference_curves, summary)
    assert len(difference_curves.compose(data, PAGE_WIDTHS["one"]).axes) == 12


def test_curves_without_numbers_draw_nothing() -> None:
    summary = study_of()
    empty = summarise(
        summary.plan,
        summary.runs,
        summary.curves.assign(val_loss=np.nan, val_accuracy=np.nan)[
            ["study", "cell", "seed", "epoch", "val_loss", "val_accuracy"]
        ],
    )
    assert curves.prepare(empty).empty and difference_curves.prepare(empty).empty
    assert isinstance(curves.prepare(empty), pd.DataFrame)


def test_of_very_many_cells_the_range_of_the_others_is_drawn() -> None:
    summary = study_of("abcdef", design="factorial", seeds=2, epochs=2)
    data = curves.prepare(summary)
    ax, *_ = curves.compose(data).axes
    (grey,) = [area for area in ax.collections if area.get_label() == "_others"]
    others = data[~data["highlighted"] & (data["metric"] == "train_accuracy")].groupby("epoch")["mean"]
    drawn = grey.get_paths()[0].vertices[:, 1]
    assert drawn.min() == others.min().min() and drawn.max() == others.max().max()
    assert not [line for line in ax.get_lines() if line.get_label() == "_other"]
    assert "Grey: the range of the means of the others." in curves.caption(summary, data)


def test_curves_of_infinite_numbers_are_drawn_without_a_warning() -> None:
    def diverging(cell: Cell, seed: int, epoch: int) -> Sequence[float]:
        return 1.7e308, np.nan if epoch % 2 else -np.inf, 0.5, 0.9  # the mean of the first is infinite

    summary = study_of(curve=diverging)
    sheet = curves.compose(curves.prepare(summary))
    assert len(sheet.axes) >= 1
