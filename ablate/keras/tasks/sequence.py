"""Sequence labelling: every step of a series or text has a class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ablate.keras.data.forms import LabelForm
from ablate.keras.tasks.segmentation import Segmentation, pixel_scores

if TYPE_CHECKING:
    import numpy as np

    from ablate.keras.data.dataset import Dataset, Pool


class Sequence(Segmentation):
    """A class for each step; the network gives a number for each class at each step."""

    name = "sequence"
    description = (
        "a class for each step of a series or text: cross-entropy; step accuracy, macro F1; void steps left out"
    )
    form = LabelForm.STEPS
    curves = ("step_accuracy",)
    recorded = ("macro_f1",)
    metric = "test_step_accuracy"
    baselines = ("baseline_step_accuracy",)
    defaults: ClassVar[Mapping[str, str]] = {"model": "lstm", "data": "waves"}
    places = "steps"
    last_layer = 'Dense({classes}, activation="softmax") at every step'

    def _misfit(self, pool: Pool) -> str | None:
        if pool.labels.shape[1] == pool.images.shape[1]:
            return None
        return f"labels have {pool.labels.shape[1]} steps and series {pool.images.shape[1]}"

    def _metrics(self, classes: int, void: int | None) -> list[Any]:
        from ablate.keras.tasks.place_metrics import PlaceAccuracy

        return [PlaceAccuracy("step_accuracy", void)]

    def scores(self, kept: np.ndarray, dataset: Dataset, settings: Mapping[str, Any], kind: Any) -> dict[str, float]:
        """Accuracy and macro F1 over all steps of the test part."""
        return _step_scores(self.confusion(kept, dataset, settings, kind))

    def baseline(self, dataset: Dataset, settings: Mapping[str, Any]) -> dict[str, float]:
        """What the most frequent class of the training part scores, predicted everywhere."""
        table = self._majority_table(dataset, settings)
        return {"baseline_step_accuracy": _step_scores(table)["step_accuracy"]}


def _step_scores(counts: np.ndarray) -> dict[str, float]:
    scored = pixel_scores(counts)
    return {"step_accuracy": scored["pixel_accuracy"], "macro_f1": scored["dice"]}
