"""Losses of each cell in one panel, confusion matrices, accuracies by class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from toy_studies import caption_of, study_of

from ablate.analysis import Summary
from ablate.figures import class_accuracy, confusion, losses
from ablate.figures.rows import RowGroups

COLUMNS = ["cell", "seed", "class", "predicted", "images"]


def confused(rows: list[tuple[str, int, str, str, int]]) -> Summary:
    return replace(study_of("a"), read_confusions=lambda: pd.DataFrame(rows, columns=COLUMNS))


def two_classes() -> Summary:
    rows = []
    for cell, right in (("full", 9), ("w/o a", 6)):
        for seed in range(3):
            rows += [(cell, seed, "cat", "cat", right - seed), (cell, seed, "cat", "dog", 10 - right + seed)]
            rows += [(cell, seed, "dog", "dog", 5)]
    return confused(rows)


def test_shares_of_a_class_are_means_over_seeds() -> None:
    data = confusion.prepare(two_classes())
    shares = {tuple(row[:3]): row[3] for row in data[["label", "class", "predicted", "share"]].to_numpy().tolist()}
    assert shares[("full", "cat", "cat")] == pytest.approx(0.8)
    assert shares[("w/o a", "cat", "dog")] == pytest.approx(0.5)
    assert shares[("full", "dog", "dog")] == 1.0
    assert list(dict.fromkeys(data["class"])) == ["cat", "dog"]


def test_accuracies_by_class_have_intervals_and_begin_with_the_hardest() -> None:
    data = class_accuracy.prepare(two_classes())
    assert list(dict.fromkeys(data["class"])) == ["cat", "dog"]
    cat = data[(data["class"] == "cat") & (data["cell"] == "full")].iloc[0]
    # 0.9, 0.8, 0.7: mean 0.8, standard error 0.1 / sqrt(3), t quantile of 2 degrees of freedom 4.3027.
    assert (cat["accuracy"], cat["n"]) == (pytest.approx(0.8), 3)
    assert cat["accuracy"] - cat["low"] == pytest.approx(4.302653 * 0.1 / np.sqrt(3))
    assert cat["high"] == 1.0


def test_of_many_classes_those_that_are_confused_most_are_shown() -> None:
    rows = []
    for number in range(40):
        wrong = number if number < 30 else 0
        rows += [("full", 0, f"c{number:02d}", f"c{number:02d}", 100 - wrong)]
        rows += [("full", 0, f"c{number:02d}", f"c{(number + 1) % 40:02d}", wrong)] if wrong else []
    summary = confused(rows)
    shown = set(confusion.prepare(summary)["class"])
    assert len(shown) == 20 and {"c29", "c28"} <= shown
    assert "20 of 40 classes" in caption_of(confusion, summary)


def test_cells_that_are_not_shown_are_counted_with_the_reason() -> None:
    """A cell whose runs have not finished has no small difference."""
    summary = confused([("full", 0, "cat", "cat", 9), ("full", 0, "dog", "dog", 9)])
    for figure, noun in ((confusion, "matrix"), (class_accuracy, "row")):
        assert caption_of(figure, summary).endswith(
            f"1 cell has no {noun}: no finished run there has counts of its classes."
        )
        assert "smaller differences" not in caption_of(figure, summary)
    whole = two_classes()
    assert "1 cell" not in caption_of(confusion, whole) + caption_of(class_accuracy, whole)


def test_groups_of_rows_do_not_touch_and_have_room_for_their_labels() -> None:
    groups = RowGroups(["a", "a label of several lines, longer than a few rows of one group are high", "b"], [3, 1, 2])
    ax = Figure().subplots()
    places = list(groups.draw(ax))
    assert [len(rows) for rows in places] == [3, 1, 2]
    assert np.allclose(np.diff(places[0]), groups.step)
    flat = np.concatenate(places)
    assert (np.diff(flat) >= groups.step - 1e-9).all()
    assert flat[0] > 0 and flat[-1] < groups.height == ax.get_ylim()[0]
    lines = ax.get_yticklabels()[1].get_text().count("\n") + 1
    assert places[2].mean() - places[0].mean() > lines * 0.1


def test_runs_without_predictions_have_no_such_figures() -> None:
    assert confusion.prepare(study_of("a")).empty
    assert class_accuracy.prepare(study_of("a")).empty


def test_overfitting_is_marked_in_the_panel_of_its_cell() -> None:
    def curve(cell, seed, epoch):
        over = max(0, epoch - 5) * 0.1 if "a" in cell.changed else 0.0
        return 2 / epoch, 2 / epoch + 0.2 + over * (1 + 0.05 * seed), 0.5, 0.5

    summary = study_of("a", epochs=20, curve=curve)
    data = losses.prepare(summary)
    onsets = data.drop_duplicates("label").set_index("label")["onset"]
    assert np.isnan(onsets["full"]) and onsets["w/o a"] == 5
    assert set(data["split"]) == {"training", "validation"}
    assert "1 of 2 panels" in caption_of(losses, summary)


def test_a_study_without_both_losses_has_no_panels() -> None:
    assert losses.prepare(study_of("a", epochs=0)).empty


@pytest.mark.parametrize("figure", [losses, confusion, class_accuracy])
def test_each_is_drawn(figure) -> None:
    canvas = figure.compose(figure.prepare(two_classes()))
    assert canvas.axes
