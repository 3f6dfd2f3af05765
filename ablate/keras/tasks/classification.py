"""Classification: an example has one class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from ablate.keras.data.forms import LabelForm
from ablate.keras.tasks.classes import class_weights
from ablate.keras.tasks.task import CLASS_WEIGHTS, Encoding, Objective, Task
from ablate.study.setting import Setting, flag, optional, whole

if TYPE_CHECKING:
    import numpy as np

    from ablate.keras.data.dataset import Dataset, Pool


class Classification(Task):
    """One class an example; the network gives a number for each class, or one for the second of two."""

    name = "classification"
    description = "one class an example: cross-entropy; accuracy, top-k, macro F1, balanced accuracy, AUROC, NLL, ECE"
    form = LabelForm.CLASS
    curves = ("accuracy",)
    recorded = ("macro_f1", "balanced_accuracy", "auroc", "nll", "ece")
    metric = "test_accuracy"
    baselines = ("majority_accuracy",)
    smooths_labels = True
    defaults: ClassVar[Mapping[str, str]] = {"model": "mini_xception", "data": "digits"}
    own_settings: ClassVar[Mapping[str, Setting]] = {
        "class_weights": CLASS_WEIGHTS,
        "one_hot": Setting(False, flag(), "labels as vectors, for losses and metrics that need them"),
        "top_k": Setting(5, optional(whole(2)), "also how often the class is among the k most probable; null: not"),
    }

    def recorded_metrics(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Those of every network, and the top-k accuracy."""
        top = () if settings["top_k"] is None else (f"top_{settings['top_k']}_accuracy",)
        return (*top, *self.recorded)

    def strata(self, pool: Pool) -> np.ndarray:
        """The classes themselves."""
        return pool.labels

    def prepared(self, dataset: Dataset, settings: Mapping[str, Any]) -> Dataset:
        """The weights of the classes, from the training part."""
        import numpy as np

        counts = np.bincount(dataset.train.labels, minlength=dataset.classes)
        weights = class_weights(settings["class_weights"], dataset.class_names, counts)
        return dataset if weights is None else replace(dataset, class_weights=weights)

    def outputs(self, pool: Pool) -> int:
        """A number for each class."""
        return len(pool.class_names)

    def check_network(self, model: Any, dataset: Dataset, settings: Mapping[str, Any]) -> None:
        """A number for each class, or one for two of them, behind a softmax, a sigmoid or nothing."""
        from ablate.errors import NetworkError
        from ablate.keras.outputs import output_kind

        given, needed = tuple(model.outputs[0].shape), [(None, dataset.classes)]
        if dataset.classes == 2:
            needed.append((None, 1))
        if given not in needed:
            or_one = ", or (None, 1), one for the second class" if dataset.classes == 2 else ""
            raise NetworkError(
                f"Model '{model.name}' gives {given}; data set '{dataset.name}' needs {needed[0]}, a number for each "
                f"class{or_one}."
            )
        output_kind(model)  # refuses a network for images of several classes

    def objective(
        self, model: Any, dataset: Dataset, settings: Mapping[str, Any], train: Mapping[str, Any]
    ) -> Objective:
        """Cross-entropy and accuracy."""
        from ablate.keras.outputs import OutputKind, accuracy, loss, output_kind
        from ablate.keras.tasks.keras_objects import loss_of, metrics_of

        kind = output_kind(model)
        one_hot = (bool(train["label_smoothing"]) or settings["one_hot"]) and not kind.is_single
        chosen = settings["loss"]
        if chosen is None:
            chosen_loss = loss(train, kind, one_hot)
        else:
            chosen_loss = loss_of(chosen, kind in (OutputKind.LOGITS, OutputKind.LOGIT))
        encoding = Encoding(
            one_hot=dataset.classes if one_hot else None, class_weights=dataset.class_weights is not None
        )
        return Objective(chosen_loss, [accuracy(kind), *metrics_of(settings["metrics"])], encoding, kind)

    def scores(self, kept: np.ndarray, dataset: Dataset, settings: Mapping[str, Any], kind: Any) -> dict[str, float]:
        """All of `recorded_metrics`, by the definitions of `ablate.keras.tasks.scores`."""
        import numpy as np

        from ablate.keras.outputs import probabilities
        from ablate.keras.tasks import scores

        labels, counts = dataset.test.labels, self.confusion(kept, dataset, settings, kind)
        shares = probabilities(kept.astype(np.float64), kind)
        # One class against the others; of two classes it is the same for both.
        areas = [scores.auroc(labels == number, shares[:, number]) for number in range(dataset.classes)]
        k = settings["top_k"]
        top = {} if k is None else {f"top_{k}_accuracy": scores.top_k_accuracy(labels, shares, k)}
        return {
            **top,
            "macro_f1": scores.mean_of(scores.f1_by_class(counts)),
            "balanced_accuracy": scores.mean_of(scores.recall_by_class(counts)),
            "auroc": scores.mean_of(np.array(areas)),
            "nll": scores.negative_log_likelihood(labels, shares),
            "ece": scores.expected_calibration_error(labels, shares),
        }

    def confusion(self, kept: np.ndarray, dataset: Dataset, settings: Mapping[str, Any], kind: Any) -> np.ndarray:
        """How often each class of the test part was taken for which."""
        from ablate.keras.outputs import most_probable_classes
        from ablate.keras.tasks.scores import confusion_counts

        predicted = most_probable_classes(kept, kind)
        return confusion_counts(dataset.test.labels, predicted, dataset.classes)

    def baseline(self, dataset: Dataset, settings: Mapping[str, Any]) -> dict[str, float]:
        """What guessing the largest class of the training part scores."""
        from ablate.keras.data.quality import chance

        return {"majority_accuracy": chance(dataset)}
