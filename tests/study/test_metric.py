from __future__ import annotations

import pytest

from ablate.study import METRICS, Metric, metric_of
from ablate.study.metric import POINTS


@pytest.mark.parametrize("prefix", ["", "test_", "val_", "train_", "validation_"])
def test_a_metric_is_known_whatever_data_it_is_measured_on(prefix: str) -> None:
    assert metric_of(f"{prefix}accuracy") is METRICS["accuracy"]
    assert metric_of(f"{prefix}loss").direction == "min"


def test_a_metric_that_nobody_declared_takes_unit_and_direction_of_its_kind() -> None:
    kind = metric_of("val_top_5_accuracy")
    assert (kind.name, kind.label, kind.unit, kind.direction) == ("top_5_accuracy", "", POINTS, "max")
    assert metric_of("hinge_loss").direction == "min"
    assert metric_of("accumulated") == Metric("accumulated")


def test_a_metric_is_added_by_one_line() -> None:
    iou = METRICS.register(Metric("iou", "intersection over union", unit=POINTS))
    try:
        assert metric_of("test_iou") is iou
        assert metric_of("mean_iou").unit == POINTS
    finally:
        METRICS.unregister("iou")
    assert metric_of("test_iou") == Metric("iou")
