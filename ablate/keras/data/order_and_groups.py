"""Keys that say which examples belong together, and which come later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ablate.errors import NetworkError
from ablate.study.setting import Setting, optional, text

if TYPE_CHECKING:
    import numpy as np

GROUP = Setting(
    None, optional(text()), "what names the group of each example, such as a patient: no group is in two drawn parts"
)
"""The key ``group``."""

ORDER = Setting(
    None, optional(text()), "what says when each example was taken: drawn parts follow each other, training first"
)
"""The key ``order``."""


def group_numbers(key: str, values: Any) -> np.ndarray:
    """Groups as whole numbers from 0.

    Args:
        key: What messages begin with, such as ``data.group=patient``.
        values: The group of each example: numbers or texts.

    Raises:
        NetworkError: A group is missing, or there are fewer than three, one a part.
    """
    import numpy as np
    import pandas as pd

    codes, names = pd.factorize(np.asarray(values), sort=True)
    if (codes < 0).any():
        raise NetworkError(f"{key}: {int((codes < 0).sum())} of {len(codes)} examples have no group.")
    if len(names) < 3:
        raise NetworkError(f"{key}: {len(names)} groups cannot fill a training, a validation and a test part.")
    return codes.astype(np.int64)


def time_numbers(key: str, values: Any) -> np.ndarray:
    """Times as numbers in their order.

    Args:
        key: What messages begin with, such as ``data.order=time``.
        values: The time of each example: numbers, or dates as text.

    Raises:
        NetworkError: A time is missing, or texts are no dates.
    """
    import numpy as np
    import pandas as pd

    times = np.asarray(values)
    if times.dtype.kind in "OUS":
        try:
            times = pd.to_datetime(pd.Series(times.ravel())).to_numpy()
        except (ValueError, TypeError) as error:
            first_line = str(error).splitlines()[0]
            raise NetworkError(f"{key}: neither numbers nor dates: {first_line}") from error
    missing = pd.isna(times.ravel())
    if missing.any():
        raise NetworkError(f"{key}: {int(missing.sum())} of {len(times)} examples have no time.")
    return times.ravel().astype("datetime64[ns]").astype(np.int64) if times.dtype.kind == "M" else times.ravel()
