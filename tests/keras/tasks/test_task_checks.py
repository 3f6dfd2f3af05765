"""What does not fit a task is refused before training; runs of tasks go on where they were interrupted."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from interruptions import Interrupted, interrupt_after
from test_task_oracles import config_of

keras = pytest.importorskip("keras")

from ablate.keras.preflight import check  # noqa: E402
from ablate.keras.settings import faults  # noqa: E402
from ablate.keras.tasks import (  # noqa: E402
    TASKS,
    check_task,
    scores,
)
from ablate.keras.train import train  # noqa: E402
from ablate.store.run_folder import RunFolder  # noqa: E402
from ablate.study.metric import METRICS, direction_of, metric_of  # noqa: E402

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]


def changed(name, **sections):
    config = copy.deepcopy(config_of(name))
    for section, values in sections.items():
        config[section] = {**config[section], **values}
    return config


def error_of(name, **sections):
    return check([changed(name, **sections)])[0]["error"]


@pytest.mark.parametrize("name", ["classification", "regression", "multi_label", "segmentation"])
def test_what_fits_is_allowed(name):
    assert error_of(name) is None


def test_a_last_layer_that_does_not_fit_is_named_with_the_one_that_is_wanted():
    message = error_of("regression", model={"args": {"activation": "sigmoid"}})
    assert "Dense 'out' with activation sigmoid" in message and "Dense(1)" in message
    message = error_of("multi_label", model={"args": {"activation": "softmax"}})
    assert "Dense 'out' with activation softmax" in message and 'Dense(10, activation="sigmoid")' in message
    message = error_of("segmentation", model={"builder": "task_networks.images"})
    assert "(None, 4) in Dense 'out'" in message and "Conv2D(4, 1" in message
    message = error_of("segmentation", model={"args": {"activation": "sigmoid"}})
    assert "Conv2D 'out' with activation sigmoid" in message


def test_a_loss_or_metric_that_cannot_be_computed_is_refused():
    assert "Did you mean 'F1Score'?" in error_of("classification", task={"metrics": ["F1Scor"]})
    assert "Did you mean 'Huber'?" in error_of("regression", task={"loss": "Hubr"})
    message = error_of("classification", task={"metrics": ["F1Score"]})
    assert "f1_score cannot be computed on labels of (2,)" in message and "task.one_hot=true" in message
    one_hot = {"one_hot": True, "metrics": ["F1Score"]}
    assert "gives more than one number" in error_of("classification", task=one_hot)
    assert "measures 'mae' itself" in error_of("regression", task={"metrics": ["mae"]})
    assert "Did you mean 'disc'?" in error_of("segmentation", task={"class_weights": {"disk": 2.0}})


def test_losses_and_metrics_of_keras_are_in_curves_and_results(tmp_path):
    task = {"loss": {"name": "Huber", "delta": 0.5}, "metrics": {"cosine": "CosineSimilarity", "logcosh": "log_cosh"}}
    result = train(changed("regression", task=task, train={"epochs": 1}), RunFolder(tmp_path))
    row = RunFolder(tmp_path).curves()[0]
    assert {"train_cosine", "val_cosine", "train_logcosh", "val_logcosh"} <= set(row)
    assert result["val_cosine"] == row["val_cosine"] and np.isfinite(result["test_logcosh"])
    numbers = check_task({"name": "regression", **task})
    assert {"test_cosine", "val_logcosh"} <= set(numbers[0].numbers(numbers[1]))


def test_the_metric_of_a_study_is_one_of_its_task():
    def messages(**values):
        return faults({"task": {"name": "regression"}, **values})

    assert messages(study={"metric": "test_rmse"}) == []
    (message,) = messages(study={"metric": "test_rsme"})
    assert "Did you mean 'test_rmse'?" in message
    assert "test_accuracy" in messages(study={"metric": "test_accuracy"})[0]
    assert "label_smoothing" in messages(train={"label_smoothing": 0.1})[0]
    assert "Did you mean 'regression'?" in faults({"task": {"name": "regresion"}})[0]
    assert "task has no key 'los'" in faults({"task": {"los": "mse"}})[0]


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_metric_of_a_task_has_a_direction(task):
    _, settings, _ = check_task({"name": task.name})
    for name in ("loss", *task.curves, *task.recorded_metrics(settings)):
        assert name in METRICS or direction_of(name) is not None, name
    others = {"loss", "nll", "mae", "rmse", "r2"}
    units = {name: metric_of(f"test_{name}").unit for name in (*task.curves, *task.recorded_metrics(settings))}
    assert units == {name: "" if name in others else "points" for name in units}


@pytest.mark.parametrize(
    ("name", "sections"),
    [("regression", {}), ("segmentation", {"model": {"builder": "task_networks.flipped"}})],
    ids=["regression", "segmentation"],
)
def test_an_interrupted_run_of_a_task_goes_on_with_the_same_bits(name, sections, tmp_path, monkeypatch):
    monkeypatch.setattr("ablate.keras.train._BACKUP_PAUSE", 0)
    config = changed(name, **sections, train={"epochs": 3, "epoch": "best_val"})
    whole = train(config, RunFolder(tmp_path / "whole"))
    part = RunFolder(tmp_path / "part")
    with pytest.raises(Interrupted):
        train(config, part, interrupt_after(2))
    resumed = train(config, part)
    plain = [{key: value for key, value in one.items() if "seconds" not in key} for one in (whole, resumed)]
    assert plain[0] == plain[1]
    assert (part.path / "curves.csv").read_bytes() == (tmp_path / "whole/curves.csv").read_bytes()
    column, sign = f"val_{TASKS[name].curves[0]}", TASKS[name].best_sign
    curve = [sign * row[column] for row in part.curves()]
    assert curve[whole["epoch"] - 1] == max(curve)


def test_areas_and_precisions_are_those_of_scikit_learn():
    from sklearn.metrics import average_precision_score, roc_auc_score

    rng = np.random.default_rng(0)
    for _ in range(20):
        labels, values = rng.random(30) < 0.4, rng.integers(0, 8, 30) / 8  # with ties
        assert scores.auroc(labels, values) == pytest.approx(roc_auc_score(labels, values))
        assert scores.average_precision(labels, values) == pytest.approx(average_precision_score(labels, values))


def test_the_calibration_error_is_the_mean_gap_of_fifteen_bins():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.55, 0.45]])
    labels = np.array([0, 1, 1, 0])
    # Gaps: |1/2 - 0.9| of two, |1 - 0.7| of one, |1 - 0.55| of one.
    assert scores.expected_calibration_error(labels, probabilities) == pytest.approx((2 * 0.4 + 0.3 + 0.45) / 4)
