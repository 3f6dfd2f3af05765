"""Pictures of two of scikit-learn's digits side by side: an example has the classes of both; nothing to download."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ablate.keras.data.forms import LabelForm
from ablate.study.setting import Setting, text, whole

if TYPE_CHECKING:
    from ablate.keras.data.dataset import Pool

SETTINGS = {
    "name": Setting("digit_pairs", text(), "what tables call the set"),
    "count": Setting(898, whole(20, 898), "how many pictures are made"),
}
DEFAULTS: dict[str, Any] = {"size": [16, 32], "channels": 1, "epochs": 30}
FORMS = (LabelForm.CLASSES,)

_SEED = 20  # of the one set that everybody gets; runs split it by their own


def read(values: dict[str, Any], size: tuple[int, int] | None) -> Pool:
    """The pictures.

    Args:
        values: The checked data section.
        size: Height and width of a picture, or None for 8 x 16.

    Returns:
        All pictures; there is no official test part. No digit of the 1,797 is in two pictures, so that no part holds
        one of another.
    """
    import numpy as np
    from sklearn.datasets import load_digits

    from ablate.keras.data.array_pool import ArrayPart, Reading, pool_of_arrays

    digits = load_digits()
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)
    rng = np.random.default_rng(_SEED)
    chosen = rng.permutation(len(pixels))[: 2 * values["count"]].reshape(-1, 2)
    images = np.concatenate([pixels[chosen[:, 0]], pixels[chosen[:, 1]]], axis=2)
    labels = np.zeros((values["count"], 10), np.uint8)
    for place in (0, 1):
        labels[np.arange(len(labels)), digits.target[chosen[:, place]]] = 1
    reading = Reading(
        "data=digit_pairs", values["name"], LabelForm.CLASSES, "images", size, values["channels"], values["fit"]
    )
    return pool_of_arrays({"train": ArrayPart(images, labels)}, reading, [str(one) for one in digits.target_names])
