from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from studies import factor, plan_of, runs_of

from ablate.analysis import SequentialRule, Summary, summarise
from ablate.analysis.curves import (
    curve_columns,
    difference_curves,
    end_window,
    mean_curves,
    onsets,
    overfitting,
    tracks,
)

PLAN = plan_of(factor("a"))


def frame(values: dict[str, np.ndarray], column: str = "val_loss") -> pd.DataFrame:
    """Curves from an array a cell: a row a seed, a column an epoch."""
    rows = [
        (cell, seed, epoch + 1, value)
        for cell, table in values.items()
        for seed, line in enumerate(table)
        for epoch, value in enumerate(line)
    ]
    return pd.DataFrame(rows, columns=["cell", "seed", "epoch", column])


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        (("loss", "val_loss", "val_accuracy", "accuracy"), [("val_accuracy", "accuracy"), ("val_loss", "loss")]),
        (("train_loss", "valid_loss"), [("valid_loss", "train_loss")]),
        (("loss", "accuracy"), [("accuracy", None), ("loss", None)]),
        (("x", "y", "z"), [("x", None), ("y", None)]),
    ],
)
def test_training_curves_are_found_beside_those_of_validation(columns: tuple[str, ...], found: list[object]) -> None:
    curves = pd.DataFrame({name: [1.0] for name in ("epoch", *columns)})
    assert [(track.validation, track.training) for track in tracks(curves, "test_accuracy")] == found


def test_means_are_those_of_all_runs_at_every_epoch() -> None:
    table = noise(4, 6)
    found = mean_curves(frame({"full": table}), "val_loss")
    low, high = stats.t.interval(0.95, 3, table.mean(axis=0), stats.sem(table, axis=0))
    assert found["mean"].to_numpy() == pytest.approx(table.mean(axis=0))
    assert found["low"].to_numpy() == pytest.approx(low) and found["high"].to_numpy() == pytest.approx(high)


def test_means_of_many_columns_are_named_by_column() -> None:
    curves = frame({"full": noise(2, 3)}).assign(loss=1.0, note="text")
    assert curve_columns(curves) == ("val_loss", "loss")
    found = mean_curves(curves, *curve_columns(curves))
    assert found.groupby("metric", sort=False).size().to_dict() == {"val_loss": 3, "loss": 3}
    assert mean_curves(curves).empty


def test_curves_of_runs_beyond_the_last_look_or_without_an_end_do_not_count() -> None:
    # Three seeds decide about w/o a, so that the others are not read. The fifth run of the reference failed.
    plan = plan_of(factor("a"), seeds=range(8))
    scores = {"full": [0.9, 0.91, 0.9, 0.92, 0.91], "w/o a": [0.1, 0.12, 0.1, 0.13, 0.11]}
    runs = runs_of(scores)
    runs.loc[4, "state"] = "failed"
    curves = frame({cell: noise(5, 4, seed=place) for place, cell in enumerate(scores)})

    def seeds_of(summary: Summary) -> dict[str, list[int]]:
        return summary.counted_curves.groupby("cell")["seed"].unique().map(list).to_dict()

    fixed = summarise(plan, runs, curves)
    assert seeds_of(fixed) == {"full": [0, 1, 2, 3], "w/o a": [0, 1, 2, 3, 4]}
    assert dict(zip(fixed.convergence["cell"], fixed.convergence["n"], strict=True)) == {"full": 4, "w/o a": 5}
    summary = summarise(plan, runs, curves, SequentialRule(8))
    assert summary.effects["n"].tolist() == [3]
    assert seeds_of(summary) == {"full": [0, 1, 2], "w/o a": [0, 1, 2]}
    assert set(mean_curves(summary.counted_curves, "val_loss")["n"]) == {3}
    assert set(summary.convergence["n"]) == {3}


def test_runs_without_spread_have_no_interval_and_gaps_no_mean() -> None:
    table = np.full((3, 4), 0.1 + 0.2)
    table[1, 2] = np.nan
    found = mean_curves(frame({"full": table}), "val_loss")
    assert list(found["epoch"]) == [1, 2, 4] and found["low"].isna().all()


def test_differences_pair_the_seeds_that_both_cells_have() -> None:
    full, gone = noise(4, 3), noise(4, 3, seed=1)
    curves = frame({"full": full, "w/o a": gone})
    curves = curves[~((curves["cell"] == "full") & (curves["seed"] == 3))]
    found = difference_curves(curves, PLAN, "val_loss")
    differences = (gone - full)[:3]
    low, high = stats.t.interval(0.95, 2, differences.mean(axis=0), stats.sem(differences, axis=0))
    assert list(found["n"]) == [3, 3, 3]
    assert found["mean"].to_numpy() == pytest.approx(differences.mean(axis=0))
    assert found["low"].to_numpy() == pytest.approx(low) and found["high"].to_numpy() == pytest.approx(high)


def test_an_onset_needs_every_later_epoch_on_the_same_side() -> None:
    def of(*sides: int) -> dict[str, int]:
        low = [0.1 if side > 0 else -0.3 if side < 0 else -0.1 for side in sides]
        high = [0.3 if side > 0 else -0.1 if side < 0 else 0.1 for side in sides]
        return onsets(pd.DataFrame({"cell": "x", "epoch": range(1, len(sides) + 1), "low": low, "high": high}))

    assert of(1, 0, 1, 1) == {"x": 3}
    assert of(-1, 1, 1) == {"x": 2}
    assert of(1, 1, 1) == {"x": 1}
    assert (
        of(1, 1, 0) == {}
        and onsets(pd.DataFrame({"cell": ["x"], "epoch": [1], "low": [np.nan], "high": [np.nan]})) == {}
    )


def test_without_effect_an_onset_is_named_for_few_cells() -> None:
    # 2000 cells without effect: the rate is that of the last epoch, 5 %, however many epochs there are.
    differences = noise(2000, 4, 8)
    low, high = stats.t.interval(0.95, 3, differences.mean(axis=1), stats.sem(differences, axis=1))
    cells = np.repeat([f"cell {number}" for number in range(2000)], 8)
    intervals = pd.DataFrame(
        {"cell": cells, "epoch": np.tile(range(8), 2000), "low": low.ravel(), "high": high.ravel()}
    )
    assert stats.binom.ppf(0.001, 2000, 0.05) <= len(onsets(intervals)) <= stats.binom.ppf(0.999, 2000, 0.05)


def curves_of(validation: np.ndarray, training: np.ndarray) -> pd.DataFrame:
    both = frame({"full": validation})
    return both.assign(loss=frame({"full": training})["val_loss"])


def test_overfitting_begins_where_validation_turns_while_training_falls() -> None:
    epochs = np.arange(20)
    valley = 0.02 * (epochs - 8.0) ** 2 + 1 + 0.01 * noise(5, 20)
    falling = np.broadcast_to(2.0 / (1 + epochs), (5, 20))
    found = overfitting(curves_of(valley, falling), "val_loss", "loss").iloc[0]
    assert found["shown"] and 8 <= found["epoch"] <= 10 and found["n"] == 5
    window = end_window(20)
    assert window == 3
    assert found["rise"] == pytest.approx(valley[:, -window:].mean() - valley.mean(axis=0).min(), abs=0.02)


def test_a_rise_of_both_losses_or_of_one_seed_is_no_overfitting() -> None:
    epochs = np.arange(20)
    valley = 0.02 * (epochs - 8.0) ** 2 + 1 + 0.01 * noise(5, 20)
    assert not overfitting(curves_of(valley, valley), "val_loss", "loss")["shown"].any()
    assert overfitting(curves_of(valley[:1], 2.0 / (1 + epochs[None])), "val_loss", "loss").empty


def test_noise_alone_is_rarely_called_overfitting() -> None:
    # The epoch of the lowest mean was picked: a naive test of the rise from there would nearly always find one.
    falling = np.broadcast_to(2.0 / (1 + np.arange(15)), (4, 15))
    cells = {f"cell {number}": noise(4, 15, seed=number) for number in range(150)}
    curves = frame(cells).assign(loss=frame(dict.fromkeys(cells, falling))["val_loss"])
    found = overfitting(curves, "val_loss", "loss")["shown"]
    assert len(found) == 150 and found.sum() <= stats.binom.ppf(0.999, 150, 0.05)
