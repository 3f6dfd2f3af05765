"""Semantic segmentation: every pixel of an image has a class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from ablate.keras.data.forms import LabelForm
from ablate.keras.tasks.classes import class_weights
from ablate.keras.tasks.task import CLASS_WEIGHTS, Encoding, Objective, Task
from ablate.study.setting import Setting, optional, whole

if TYPE_CHECKING:
    import numpy as np

    from ablate.keras.data.dataset import Dataset, Pool


class Segmentation(Task):
    """A class for each pixel; the network gives a number for each class at each pixel."""

    name = "segmentation"
    description = "a class for each pixel: cross-entropy; mean IoU, Dice, pixel accuracy; void pixels are left out"
    form = LabelForm.MASK
    curves: ClassVar[tuple[str, ...]] = ("mean_iou", "pixel_accuracy")
    recorded: ClassVar[tuple[str, ...]] = ("dice",)
    metric = "test_mean_iou"
    baselines: ClassVar[tuple[str, ...]] = ("baseline_mean_iou", "baseline_pixel_accuracy")
    defaults: ClassVar[Mapping[str, str]] = {"model": "unet", "data": "shapes"}
    per_place = True
    places: ClassVar[str] = "pixels"
    """What has a class, for messages."""
    last_layer: ClassVar[str] = 'Conv2D({classes}, 1, activation="softmax") at the size of the image'
    """The layer that is wanted at the end of a network, for messages."""
    own_settings: ClassVar[Mapping[str, Setting]] = {
        "class_weights": CLASS_WEIGHTS,
        "void": Setting(
            255,
            optional(whole(0, 255)),
            "the value of pixels that belong to no class, such as borders; null: none has it",
        ),
    }

    def label_faults(self, pool: Pool, settings: Mapping[str, Any]) -> list[str]:
        """Masks of another size than the images, and classes beyond those that are declared."""
        import numpy as np

        if misfit := self._misfit(pool):
            return [f"Data set '{pool.name}': {misfit}: they must agree."]
        counts = np.bincount(pool.labels.ravel(), minlength=256)
        classes = len(pool.class_names)
        void = settings["void"]
        beyond = [number for number in np.flatnonzero(counts).tolist() if number >= classes and number != void]
        if not beyond:
            return []
        listed = ", ".join(f"{number} ({counts[number]} {self.places})" for number in beyond[:5])
        return [
            f"Data set '{pool.name}' has {classes} classes (0 to {classes - 1}), and its {self.places} also hold "
            f"{listed}. Name all classes (class_names), or say with task.void=... which value stands for no class."
        ]

    def prepared(self, dataset: Dataset, settings: Mapping[str, Any]) -> Dataset:
        """The weights of the classes, from the pixels of the training part."""
        if settings["class_weights"] is None:
            return dataset
        counts = self._pixels(dataset.train.labels, dataset.classes, settings)
        return replace(dataset, class_weights=class_weights(settings["class_weights"], dataset.class_names, counts))

    def outputs(self, pool: Pool) -> int:
        """A number for each class."""
        return len(pool.class_names)

    def check_network(self, model: Any, dataset: Dataset, settings: Mapping[str, Any]) -> None:
        """A number for each class at each pixel, behind a softmax or nothing."""
        from ablate.errors import NetworkError
        from ablate.keras.outputs import ending_of, last_operation

        shape, expected = tuple(model.outputs[0].shape), self.signature(dataset.pool).output_shape
        end = f"end it in {self.last_layer.format(classes=dataset.classes)}"
        sides = zip(shape[1:-1], expected[:-1], strict=False)
        fits = len(shape) == len(expected) + 1 and all(one in (None, size) for one, size in sides)
        if not fits or shape[-1] != dataset.classes:
            raise NetworkError(
                f"Model '{model.name}' gives {shape} in {last_operation(model)}; data set '{dataset.name}' needs "
                f"{(None, *expected)}, a number for each class at each of its {self.places}: {end}."
            )
        if (ending := ending_of(model)) not in ("softmax", "linear", "other"):
            raise NetworkError(
                f"Model '{model.name}' ends in {last_operation(model)}, a {ending} for each of {dataset.classes} "
                f"classes, as if one of its {self.places} could have several; here it has one: {end}."
            )

    def objective(
        self, model: Any, dataset: Dataset, settings: Mapping[str, Any], train: Mapping[str, Any]
    ) -> Objective:
        """Cross-entropy, mean IoU and the share of right pixels, without void ones."""
        import keras

        from ablate.keras.outputs import ending_of
        from ablate.keras.tasks.keras_objects import loss_of, metrics_of

        logits = ending_of(model) != "softmax"
        void = settings["void"]
        if settings["loss"] is None:
            chosen = keras.losses.SparseCategoricalCrossentropy(from_logits=logits, ignore_class=void)
        else:
            chosen = loss_of(settings["loss"], logits)
        metrics = [*self._metrics(dataset.classes, void), *metrics_of(settings["metrics"])]
        return Objective(chosen, metrics, Encoding(class_weights=dataset.class_weights is not None, dtype="int32"))

    def kept(self, outputs: Any, kind: Any) -> Any:
        """The most probable class of each pixel, in a byte."""
        import keras

        return keras.ops.cast(keras.ops.argmax(outputs, axis=-1), "uint8")

    def scores(self, kept: np.ndarray, dataset: Dataset, settings: Mapping[str, Any], kind: Any) -> dict[str, float]:
        """Mean IoU, mean Dice coefficient and pixel accuracy over all pixels of the test part.

        The means are over the classes that occur or are predicted there.
        """
        return pixel_scores(self.confusion(kept, dataset, settings, kind))

    def confusion(self, kept: np.ndarray, dataset: Dataset, settings: Mapping[str, Any], kind: Any) -> np.ndarray:
        """How many pixels of each class were taken for which."""
        from ablate.keras.tasks.scores import confusion_counts

        labels = dataset.test.labels
        counted = labels < dataset.classes
        if (void := settings["void"]) is not None:
            counted &= labels != void
        return confusion_counts(labels[counted], kept[counted], dataset.classes)

    def baseline(self, dataset: Dataset, settings: Mapping[str, Any]) -> dict[str, float]:
        """What the most frequent class of the training part scores, predicted everywhere."""
        scored = pixel_scores(self._majority_table(dataset, settings))
        return {f"baseline_{name}": scored[name] for name in ("mean_iou", "pixel_accuracy")}

    def _misfit(self, pool: Pool) -> str | None:
        """What is wrong with the sizes of labels."""
        sizes, needed = (" x ".join(map(str, one)) for one in (pool.labels.shape[1:], pool.images.shape[1:3]))
        return None if sizes == needed else f"masks have {sizes} pixels and images {needed}"

    def _metrics(self, classes: int, void: int | None) -> list[Any]:
        """The metrics in `curves`."""
        import keras

        from ablate.keras.tasks.place_metrics import PlaceAccuracy

        iou = keras.metrics.MeanIoU(classes, name="mean_iou", ignore_class=void, sparse_y_pred=False)
        return [iou, PlaceAccuracy("pixel_accuracy", void)]

    def _majority_table(self, dataset: Dataset, settings: Mapping[str, Any]) -> np.ndarray:
        """The confusion of a prediction of the most frequent class of the training part everywhere."""
        import numpy as np

        train, test = (self._pixels(part.labels, dataset.classes, settings) for part in (dataset.train, dataset.test))
        table = np.zeros((dataset.classes, dataset.classes), np.int64)
        table[:, train.argmax()] = test
        return table

    @staticmethod
    def _pixels(labels: np.ndarray, classes: int, settings: Mapping[str, Any]) -> np.ndarray:
        """Pixels of each class, without void ones."""
        import numpy as np

        counts = np.bincount(labels.ravel(), minlength=256)
        if settings["void"] is not None:
            counts[settings["void"]] = 0
        return counts[:classes]


def pixel_scores(counts: np.ndarray) -> dict[str, float]:
    """Mean IoU, mean Dice coefficient and pixel accuracy.

    Args:
        counts: (classes, classes), how many pixels of each class were taken for which.

    Example:
        >>> import numpy as np
        >>> {name: round(value, 3) for name, value in pixel_scores(np.array([[2, 1], [0, 1]])).items()}
        {'mean_iou': 0.583, 'dice': 0.733, 'pixel_accuracy': 0.75}
    """
    from ablate.keras.tasks import scores

    return {
        "mean_iou": scores.mean_of(scores.iou_by_class(counts)),
        "dice": scores.mean_of(scores.f1_by_class(counts)),
        "pixel_accuracy": float(counts.diagonal().sum() / counts.sum()) if counts.sum() else float("nan"),
    }
