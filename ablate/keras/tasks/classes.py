"""What tasks with classes share: names, weights of classes, checks of whole-number labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ablate.errors import ConfigError, suggestion
from ablate.formatting import listing

if TYPE_CHECKING:
    import numpy as np


def class_weights(setting: Any, class_names: tuple[str, ...], counts: np.ndarray) -> np.ndarray | None:
    """The weight of each class in the loss.

    Args:
        setting: The value of ``task.class_weights``: ``balanced``, weights by name, or None.
        class_names: Names of the classes.
        counts: (classes,), examples or pixels of each class in the training part.

    Returns:
        (classes,), 32 bits; None where all count alike. ``balanced`` is all / (classes * own), as in scikit-learn; a
        class that does not occur there has weight 0.

    Raises:
        ConfigError: A class is named that there is not.

    Example:
        >>> import numpy as np
        >>> class_weights("balanced", ("a", "b"), np.array([1, 3])).tolist()
        [2.0, 0.6666666865348816]
    """
    import numpy as np

    if setting is None:
        return None
    if setting == "balanced":
        total = counts.sum() / (counts > 0).sum()
        return np.divide(total, counts, out=np.zeros(len(counts)), where=counts > 0).astype(np.float32)
    unknown = [str(name) for name in setting if str(name) not in class_names]
    if unknown:
        near = suggestion(unknown[0], class_names)
        raise ConfigError(
            f"task.class_weights names {listing(unknown, 5)}: the classes are {listing(class_names, 20)}.{near}"
        )
    weights: Mapping[str, Any] = {str(name): value for name, value in setting.items()}
    return np.array([weights.get(name, 1.0) for name in class_names], np.float32)
