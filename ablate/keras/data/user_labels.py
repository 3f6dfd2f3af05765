"""Labels of any kind that a user's data function returned: whole numbers, texts, one-hot vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ablate.errors import NetworkError
from ablate.formatting import listing


class Labels:
    """Codes labels in the order of their first appearance, and maps the codes to classes at the end.

    The classes are known only when all labels have been seen.

    Args:
        where: What the messages call the source of the labels.
        names: Names of the classes, if known; otherwise the classes are named after their labels.
    """

    def __init__(self, where: str, names: Sequence[Any] | None) -> None:
        self.where = where
        self.names = None if names is None else tuple(str(name) for name in names)
        self._codes: dict[int | str, int] = {}
        self._width: int | None = None  # of one-hot labels
        self._are_flags = True  # truth values alone

    def code(self, label: Any) -> int:
        """The code of a label: a whole number (of any type), a text or a one-hot vector.

        Raises:
            NetworkError: The label is none of these.
        """
        value = np.asarray(label)
        self._are_flags = self._are_flags and value.dtype.kind == "b"
        key: int | str
        if value.size == 1 and value.dtype.kind in "iubf" and float(value.item()).is_integer():
            key = int(value.item())
        elif value.size == 1 and value.dtype.kind in "USO":
            text = value.item()
            key = text.decode() if isinstance(text, bytes) else str(text)
        elif value.ndim == 1 and np.count_nonzero(value) == 1 and value.max() == 1:
            key = int(value.argmax())
            if self._width not in (None, value.size):
                raise NetworkError(
                    f"{self.where} gives one-hot labels of {self._width} classes and of {value.size}: the parts count "
                    "different classes. Give each part the same class_names, or return the names as labels."
                )
            self._width = value.size
            self.names = self.names or tuple(map(str, range(value.size)))
        else:
            raise NetworkError(
                f"{self.where} gives the label {label!r}: whole numbers, texts or one-hot vectors are needed."
            )
        return self._codes.setdefault(key, len(self._codes))

    def classes(self) -> tuple[np.ndarray, tuple[str, ...]]:
        """The class of each code, and the names of the classes.

        Raises:
            NetworkError: Numbers and texts together, a label that the names do not have, or a single class.
        """
        keys = list(self._codes)
        if len({type(key) for key in keys}) > 1:
            raise NetworkError(f"{self.where} gives numbers and texts as labels: {', '.join(sorted(map(str, keys)))}.")
        if self.names is None:
            known: list[int | str] = sorted(keys)
        else:
            known = list(range(len(self.names)) if isinstance(keys[0], int) else self.names)
        names = self.names or tuple(("false", "true")[int(key)] if self._are_flags else str(key) for key in known)
        unknown = [str(key) for key in keys if key not in known]
        if unknown:
            raise NetworkError(
                f"{self.where} gives labels that its {len(names)} classes ({listing(names, 20)}) do not have: "
                f"{listing(sorted(unknown), 5)}."
            )
        if len(names) < 2:
            raise NetworkError(f"{self.where} gives one class alone: {names[0]}. At least two are needed.")
        numbers = {key: number for number, key in enumerate(known)}
        return np.array([numbers[key] for key in keys], np.int64), names
