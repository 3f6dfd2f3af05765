"""scikit-learn's diabetes table: 442 patients, ten numbers each, and the progression of the disease after a year.

Source: Efron, Hastie, Johnstone and Tibshirani, Least Angle Regression, Annals of Statistics 32 (2004); it comes with
scikit-learn, and nothing is downloaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ablate.keras.data.forms import LabelForm
from ablate.study.setting import Setting, text

if TYPE_CHECKING:
    from ablate.keras.data.dataset import Pool

SETTINGS = {"name": Setting("diabetes", text(), "what tables call the set")}
DEFAULTS: dict[str, Any] = {"epochs": 40}
FORMS = (LabelForm.NUMBERS,)


def read(values: dict[str, Any], size: tuple[int, int] | None) -> Pool:
    """The table.

    Args:
        values: The checked data section.
        size: Not used: there are no images.

    Returns:
        All rows, in their own units; there is no official test part.
    """
    import numpy as np
    from sklearn.datasets import load_diabetes

    from ablate.keras.data.array_pool import ArrayPart, Reading, pool_of_arrays

    table = load_diabetes(scaled=False)
    reading = Reading("data=diabetes", values["name"], LabelForm.NUMBERS, "numbers")
    part = ArrayPart(table.data.astype(np.float32), table.target)
    return pool_of_arrays({"train": part}, reading, columns=tuple(table.feature_names))
