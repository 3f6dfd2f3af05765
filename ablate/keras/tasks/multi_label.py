"""Multi-label classification: an example has any number of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ablate.keras.data.forms import LabelForm
from ablate.keras.tasks.task import Encoding, Objective, Task
from ablate.study.setting import Setting, fraction

if TYPE_CHECKING:
    import numpy as np

    from ablate.keras.data.dataset import Dataset, Pool


class MultiLabel(Task):
    """Any number of classes an example; the network gives a probability for each class, or its logit."""

    name = "multi_label"
    description = "any number of classes an example: binary cross-entropy; accuracy, F1, exact matches, AUROC, mAP"
    form = LabelForm.CLASSES
    curves = ("label_accuracy",)
    recorded = ("macro_f1", "micro_f1", "exact_match", "auroc", "map")
    metric = "test_macro_f1"
    baselines = ("baseline_label_accuracy",)
    defaults: ClassVar[Mapping[str, str]] = {"model": "mini_xception", "data": "digit_pairs"}
    ending = "sigmoid"
    smooths_labels = True
    own_settings: ClassVar[Mapping[str, Setting]] = {
        "threshold": Setting(0.5, fraction(), "the probability from which on a class counts as predicted"),
    }

    def label_faults(self, pool: Pool, settings: Mapping[str, Any]) -> list[str]:
        """Classes that no example has."""
        absent = [name for name, count in zip(pool.class_names, pool.labels.sum(axis=0), strict=True) if not count]
        if not absent:
            return []
        return [f"Data set '{pool.name}': no example has the class {', '.join(absent[:5])}. Leave it out."]

    def outputs(self, pool: Pool) -> int:
        """A number for each class."""
        return len(pool.class_names)

    def check_network(self, model: Any, dataset: Dataset, settings: Mapping[str, Any]) -> None:
        """A number for each class, behind a sigmoid or nothing."""
        from ablate.errors import NetworkError
        from ablate.keras.outputs import ending_of, last_operation

        shape, count = tuple(model.outputs[0].shape), dataset.classes
        advice = f'end it in Dense({count}, activation="sigmoid")'
        if shape != (None, count):
            raise NetworkError(
                f"Model '{model.name}' gives {shape} in {last_operation(model)}; data set '{dataset.name}' has {count} "
                f"classes, of which an example may have several: {advice}."
            )
        if (ending := ending_of(model)) not in ("sigmoid", "linear"):
            raise NetworkError(
                f"Model '{model.name}' ends in {last_operation(model)}, a {ending}, as if an example had one class; "
                f"here it may have several: {advice}, or for logits in Dense({count})."
            )

    def objective(
        self, model: Any, dataset: Dataset, settings: Mapping[str, Any], train: Mapping[str, Any]
    ) -> Objective:
        """Binary cross-entropy, and the share of right answers over examples and classes."""
        import math

        import keras

        from ablate.keras.outputs import ending_of
        from ablate.keras.tasks.keras_objects import loss_of, metrics_of

        logits = ending_of(model) == "linear"
        threshold = settings["threshold"]
        if settings["loss"] is None:
            chosen = keras.losses.BinaryCrossentropy(from_logits=logits, label_smoothing=train["label_smoothing"])
        else:
            chosen = loss_of(settings["loss"], logits)
        accuracy = keras.metrics.BinaryAccuracy(
            "label_accuracy", threshold=math.log(threshold / (1 - threshold)) if logits else threshold
        )
        metrics = [accuracy, *metrics_of(settings["metrics"])]
        return Objective(chosen, metrics, Encoding(dtype="float32"), kind="logits" if logits else "probabilities")

    def scores(self, kept: np.ndarray, dataset: Dataset, settings: Mapping[str, Any], kind: Any) -> dict[str, float]:
        """All of `recorded`; AUROC and average precision are means over the classes in which they are defined."""
        import numpy as np
        from scipy.special import expit

        from ablate.keras.tasks import scores

        labels = dataset.test.labels.astype(bool)
        shares = expit(kept.astype(np.float64)) if kind == "logits" else kept.astype(np.float64)
        predicted = shares > settings["threshold"]
        hits, total = (labels & predicted).sum(axis=0), labels.sum(axis=0) + predicted.sum(axis=0)
        f1 = np.divide(2.0 * hits, total, out=np.full(len(total), np.nan), where=total > 0)
        classes = range(dataset.classes)
        return {
            "macro_f1": scores.mean_of(f1),
            "micro_f1": float(2 * hits.sum() / total.sum()) if total.sum() else float("nan"),
            "exact_match": float((labels == predicted).all(axis=1).mean()),
            "auroc": scores.mean_of(np.array([scores.auroc(labels[:, one], shares[:, one]) for one in classes])),
            "map": scores.mean_of(
                np.array([scores.average_precision(labels[:, one], shares[:, one]) for one in classes])
            ),
        }

    def baseline(self, dataset: Dataset, settings: Mapping[str, Any]) -> dict[str, float]:
        """What the more frequent answer for each class in the training part scores."""
        guess = dataset.train.labels.mean(axis=0) > 0.5
        return {"baseline_label_accuracy": float((dataset.test.labels.astype(bool) == guess).mean())}
