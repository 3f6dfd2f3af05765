"""scikit-learn's handwritten digits: 1,797 images of 8 x 8 pixels in ten classes; nothing to download."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ablate.keras.data.forms import LabelForm
from ablate.study.setting import Setting, text

if TYPE_CHECKING:
    from ablate.keras.data.dataset import Pool

SETTINGS = {"name": Setting("digits", text(), "what tables call the set")}
DEFAULTS = {"size": 16, "channels": 1}
FORMS = (LabelForm.CLASS,)


def read(values: dict[str, Any], size: tuple[int, int] | None) -> Pool:
    """The digits.

    Args:
        values: The checked data section, of which ``channels`` and ``fit`` are read here.
        size: Height and width to which the 8 x 8 pixels are scaled, or ``None`` to keep them.

    Returns:
        All images; there is no official test part.
    """
    import hashlib

    import numpy as np
    from sklearn.datasets import load_digits

    from ablate.keras.data.dataset import Pool
    from ablate.keras.data.images import fitted, picture

    digits = load_digits()
    # scikit-learn's pixels go from 0 to 16.
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)
    images = np.stack([fitted(picture(image), size, values["channels"], values["fit"]) for image in pixels])
    labels = digits.target.astype(np.int64)
    names = tuple(str(name) for name in digits.target_names)
    sizes = np.full((len(labels), 2), 8, np.int32)
    origin = hashlib.blake2b(pixels.tobytes() + labels.tobytes(), digest_size=6).hexdigest()
    official = {"train": np.arange(len(labels))}
    return Pool(values["name"], images, labels, names, official, sizes, origin={"data/digits": origin})
