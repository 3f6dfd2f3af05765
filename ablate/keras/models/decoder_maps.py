"""Maps of a decoder brought to the size of the encoder's."""

from __future__ import annotations

from typing import Any

from keras import layers


def enlarged_to(x: Any, reference: Any, name: str) -> Any:
    """A map that was halved with rounding up and doubled again, without the row and column that it may have too many.

    Args:
        x: (images, height, width, channels).
        reference: A map of the size that it had.
        name: The name of the layer that crops, if one is needed.
    """
    excess = [have - want for have, want in zip(x.shape[1:3], reference.shape[1:3], strict=True)]
    if not any(excess):
        return x
    return layers.Cropping2D([(0, one) for one in excess], name=name)(x)
