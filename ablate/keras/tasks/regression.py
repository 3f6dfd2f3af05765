"""Regression: an example has one number or several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from ablate.keras.data.forms import LabelForm
from ablate.keras.tasks.task import Encoding, Objective, Task
from ablate.study.setting import Setting, choice

if TYPE_CHECKING:
    import numpy as np

    from ablate.keras.data.dataset import Dataset, Pool

STANDARD = "standard"


class Regression(Task):
    """Numbers to predict. The network is trained on standardised ones; metrics are in the units of the data."""

    name = "regression"
    description = "numbers to predict: mean squared error on standardised targets; MAE, RMSE and R2 in their own units"
    form = LabelForm.NUMBERS
    curves = ("mae", "rmse", "r2")
    metric = "test_mae"
    baselines = ("baseline_mae", "baseline_rmse", "baseline_r2")
    defaults: ClassVar[Mapping[str, str]] = {"model": "mlp", "data": "diabetes"}
    ending = None
    own_settings: ClassVar[Mapping[str, Setting]] = {
        "target_scaling": Setting(
            STANDARD,
            choice((STANDARD, "none")),
            "standard: the network learns targets of mean 0 and deviation 1 in the training part; none: as they are",
        ),
    }

    def label_faults(self, pool: Pool, settings: Mapping[str, Any]) -> list[str]:
        """Targets that are no finite numbers."""
        import numpy as np

        wrong = int((~np.isfinite(pool.labels)).any(axis=1).sum())
        if not wrong:
            return []
        return [
            f"Data set '{pool.name}': the targets of {wrong} of {len(pool.labels)} examples are not finite numbers. "
            "Leave these examples out, or fill in their targets."
        ]

    def prepared(self, dataset: Dataset, settings: Mapping[str, Any]) -> Dataset:
        """Mean and deviation of the targets of the training part."""
        if settings["target_scaling"] != STANDARD:
            return dataset
        targets = dataset.train.labels
        deviation = targets.std(axis=0)
        deviation[deviation == 0] = 1.0
        return replace(dataset, label_offset=targets.mean(axis=0), label_deviation=deviation)

    def outputs(self, pool: Pool) -> int:
        """A number for each target."""
        return int(pool.labels.shape[1])

    def check_network(self, model: Any, dataset: Dataset, settings: Mapping[str, Any]) -> None:
        """A number for each target, behind no activation that bounds it."""
        from ablate.errors import NetworkError
        from ablate.keras.outputs import ending_of, last_operation

        given, count = tuple(model.outputs[0].shape), self.outputs(dataset.pool)
        if given != (None, count):
            raise NetworkError(
                f"Model '{model.name}' gives {given} in {last_operation(model)}; data set '{dataset.name}' has {count} "
                f"target{'s' * (count > 1)}: end it in Dense({count})."
            )
        if (ending := ending_of(model)) in ("softmax", "sigmoid") and settings["target_scaling"] == STANDARD:
            raise NetworkError(
                f"Model '{model.name}' ends in {last_operation(model)}, a {ending}, whose numbers are between 0 and 1; "
                f"standardised targets are not: end it in Dense({count}), or set task.target_scaling=none."
            )

    def objective(
        self, model: Any, dataset: Dataset, settings: Mapping[str, Any], train: Mapping[str, Any]
    ) -> Objective:
        """Mean squared error on standardised targets; metrics in the units of the data."""
        import keras

        from ablate.keras.tasks.keras_objects import loss_of, metrics_of
        from ablate.keras.tasks.units import InUnits, LabelUnits

        chosen = settings["loss"]
        chosen_loss = keras.losses.MeanSquaredError() if chosen is None else loss_of(chosen)
        metrics = [
            keras.metrics.MeanAbsoluteError(name="mae"),
            keras.metrics.RootMeanSquaredError(name="rmse"),
            keras.metrics.R2Score(name="r2"),
            *metrics_of(settings["metrics"]),
        ]
        standardised = settings["target_scaling"] == STANDARD
        if not standardised:
            return Objective(chosen_loss, metrics, Encoding(dtype="float32"))
        units = LabelUnits(self.outputs(dataset.pool))
        return Objective(
            chosen_loss,
            [InUnits(metric, units) for metric in metrics],
            Encoding(standardised=True, dtype="float32"),
            units=units,
        )

    def scores(self, kept: np.ndarray, dataset: Dataset, settings: Mapping[str, Any], kind: Any) -> dict[str, float]:
        """MAE, RMSE and R2 of the test part, each the mean over targets, from predictions in 64 bits."""
        return errors_of(dataset.test.labels, in_units(kept, dataset))

    def baseline(self, dataset: Dataset, settings: Mapping[str, Any]) -> dict[str, float]:
        """What the mean of the training part scores as a prediction."""
        import numpy as np

        labels = dataset.test.labels
        guess = np.broadcast_to(dataset.train.labels.mean(axis=0), labels.shape)
        return {f"baseline_{name}": value for name, value in errors_of(labels, guess).items()}


def in_units(outputs: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Predictions in the units of the data.

    Args:
        outputs: (examples, targets), what the network gives.
        dataset: The data; its `label_offset` and `label_deviation` count where it has them.
    """
    import numpy as np

    values = outputs.astype(np.float64)
    if dataset.label_offset is None or dataset.label_deviation is None:
        return values
    return values * dataset.label_deviation + dataset.label_offset


def errors_of(labels: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """MAE, RMSE and R2, each the mean over targets, as scikit-learn's with ``multioutput="uniform_average"``.

    Args:
        labels: (examples, targets).
        predicted: The same shape.

    Returns:
        By name; R2 is missing where a target does not vary.
    """
    import numpy as np

    residual = predicted - labels
    squares = np.square(residual).mean(axis=0)
    variance = labels.var(axis=0)
    errors = {"mae": float(np.abs(residual).mean()), "rmse": float(np.sqrt(squares).mean())}
    if (variance > 0).all():
        errors["r2"] = float((1 - squares / variance).mean())
    return errors
