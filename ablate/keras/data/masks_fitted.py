"""Masks brought to the size of their images, class by class and without mixing them."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps


def fitted_mask(mask: np.ndarray, size: tuple[int, int] | None, fit: str, void: int) -> np.ndarray:
    """A mask in the size that `ablate.keras.data.images.fitted` gives its image; each pixel keeps a class of the mask.

    Args:
        mask: (height, width), whole numbers from 0 to 255.
        size: Height and width, or None to keep them.
        fit: ``stretch`` to the size, ``crop`` the middle, or ``pad``, with void.
        void: The value of pixels that belong to no class.

    Returns:
        (height, width), whole numbers from 0 to 255.

    Example:
        >>> fitted_mask(np.array([[1, 2]], np.uint8), (2, 2), "pad", 255).tolist()
        [[1, 2], [255, 255]]
    """
    if size is None or mask.shape == tuple(size):
        return mask
    image = Image.fromarray(mask)
    width_height = (size[1], size[0])
    if fit == "crop":
        image = ImageOps.fit(image, width_height, Image.Resampling.NEAREST)
    elif fit == "pad":
        image = ImageOps.pad(image, width_height, Image.Resampling.NEAREST, color=void)
    else:
        image = image.resize(width_height, Image.Resampling.NEAREST)
    return np.asarray(image, np.uint8)
