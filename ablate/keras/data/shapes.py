"""Generated pictures with their masks: discs, squares and triangles on a noisy ground; nothing to download."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ablate.keras.data.forms import LabelForm
from ablate.study.setting import Setting, text, whole

if TYPE_CHECKING:
    import numpy as np

    from ablate.keras.data.dataset import Pool

SETTINGS = {
    "name": Setting("shapes", text(), "what tables call the set"),
    "count": Setting(400, whole(20), "how many pictures are drawn"),
    "shapes": Setting(3, whole(1, 10), "the most shapes in a picture"),
}
DEFAULTS = {"size": 32}
FORMS = (LabelForm.MASK,)

CLASSES = ("ground", "disc", "square", "triangle")
_SEED = 20  # of the one set that everybody gets; runs split it by their own
_BORDER = 255


def read(values: dict[str, Any], size: tuple[int, int] | None) -> Pool:
    """The pictures.

    Args:
        values: The checked data section.
        size: Height and width of a picture; None is 32.

    Returns:
        All pictures with their masks; there is no official test part. The border of each shape, a pixel wide, is void.
    """
    import numpy as np

    from ablate.keras.data.array_pool import ArrayPart, Reading, pool_of_arrays

    height, width = size or (32, 32)
    rng = np.random.default_rng(_SEED)
    drawn = [_picture(rng, height, width, values["shapes"]) for _ in range(values["count"])]
    images, masks = (np.stack(one) for one in zip(*drawn, strict=True))
    reading = Reading("data=shapes", values["name"], LabelForm.MASK, "images", None, values["channels"])
    return pool_of_arrays({"train": ArrayPart(images, masks)}, reading, CLASSES)


def _picture(rng: np.random.Generator, height: int, width: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture of bytes and its mask."""
    import numpy as np

    rows, columns = np.mgrid[:height, :width] + 0.5
    pixels = np.broadcast_to(rng.uniform(40, 130, 3), (height, width, 3)).copy()
    mask = np.zeros((height, width), np.uint8)
    side = min(height, width)
    for _ in range(rng.integers(1, most + 1)):
        number = int(rng.integers(1, len(CLASSES)))
        radius = rng.uniform(0.12, 0.25) * side
        y, x = rng.uniform(radius, height - radius), rng.uniform(radius, width - radius)
        distance = _distance(CLASSES[number], rows - y, columns - x, radius, rng.uniform(0, 2 * np.pi))
        colour = rng.uniform(60, 255, 3)
        pixels[distance < 0] = colour
        mask[distance < 0] = number
        mask[np.abs(distance) < 0.5] = _BORDER
    pixels += rng.normal(0, 18, pixels.shape)
    return np.clip(np.round(pixels), 0, 255).astype(np.uint8), mask


def _distance(kind: str, y: np.ndarray, x: np.ndarray, radius: float, angle: float) -> np.ndarray:
    """About how far pixels are from the border of a shape; below 0 inside."""
    import numpy as np

    if kind == "disc":
        return np.hypot(y, x) - radius
    # A square and a triangle are what lies behind none of their sides.
    sides, inner = (4, 0.8) if kind == "square" else (3, 0.6)
    directions = angle + 2 * np.pi * np.arange(sides) / sides
    return np.max([x * np.cos(one) + y * np.sin(one) for one in directions], axis=0) - inner * radius
