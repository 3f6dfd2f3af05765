"""Generated series of waves, each step of one of four kinds: sine, square, saw tooth and noise; nothing to download."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ablate.keras.data.forms import LabelForm
from ablate.study.setting import Setting, text, whole

if TYPE_CHECKING:
    import numpy as np

    from ablate.keras.data.dataset import Pool

SETTINGS = {
    "name": Setting("waves", text(), "what tables call the set"),
    "count": Setting(400, whole(20), "how many series are drawn"),
    "steps": Setting(48, whole(16), "how long each is"),
}
DEFAULTS: dict[str, Any] = {"epochs": 40, "batch_size": 16}
FORMS = (LabelForm.STEPS,)

CLASSES = ("sine", "square", "saw", "noise")
_SEED = 20  # of the one set that everybody gets; runs split it by their own


def read(values: dict[str, Any], size: tuple[int, int] | None) -> Pool:
    """The series: two to four stretches of waves, with noise over all.

    Args:
        values: The checked data section.
        size: Not used: there are no images.

    Returns:
        All series; there is no official test part.
    """
    import numpy as np

    from ablate.keras.data.array_pool import ArrayPart, Reading, pool_of_arrays

    rng = np.random.default_rng(_SEED)
    drawn = [_series(rng, values["steps"]) for _ in range(values["count"])]
    series, labels = (np.stack(one) for one in zip(*drawn, strict=True))
    reading = Reading("data=waves", values["name"], LabelForm.STEPS, "numbers")
    return pool_of_arrays({"train": ArrayPart(series[..., None].astype(np.float32), labels)}, reading, CLASSES)


def _series(rng: np.random.Generator, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """(steps,) values, and (steps,) classes."""
    import numpy as np

    stretches = int(rng.integers(2, 5))
    # A stretch is no shorter than four steps.
    ends = np.sort(rng.choice(np.arange(1, steps // 4), stretches - 1, replace=False)) * 4
    labels = np.zeros(steps, np.int64)
    values = np.zeros(steps)
    for begin, end in zip([0, *ends], [*ends, steps], strict=True):
        kind = int(rng.integers(len(CLASSES)))
        phase = rng.uniform(0, 1) + np.arange(end - begin) / rng.uniform(6, 12)
        wave = {
            "sine": np.sin(2 * np.pi * phase),
            "square": np.sign(np.sin(2 * np.pi * phase)),
            "saw": 2 * (phase % 1) - 1,
            "noise": rng.uniform(-1, 1, end - begin),
        }[CLASSES[kind]]
        labels[begin:end], values[begin:end] = kind, wave
    return values + rng.normal(0, 0.1, steps), labels
