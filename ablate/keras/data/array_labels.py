"""Labels in arrays, brought to the form that a task needs, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ablate.errors import NetworkError
from ablate.formatting import listing
from ablate.keras.data.forms import LabelForm
from ablate.keras.data.user_labels import Labels

VOID = 255
"""What pixels of no class are in masks, where nothing else is said (as in PASCAL VOC)."""

_SHAPES = {
    LabelForm.CLASS: "(examples,) whole numbers or texts, or one-hot vectors",
    LabelForm.CLASSES: "(examples, classes) of 0 and 1, or a list of names for each example",
    LabelForm.NUMBERS: "(examples,) or (examples, targets) numbers",
    LabelForm.MASK: "(examples, height, width) whole numbers from 0 to 255",
    LabelForm.STEPS: "(examples, steps) whole numbers",
}


def labels_of_form(
    where: str, labels: Any, form: LabelForm, names: Sequence[Any] | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels in the form in which `ablate.keras.data.dataset.Pool` holds them.

    Args:
        where: What messages call the source.
        labels: An array, or a list with an entry an example.
        form: What the task needs.
        names: Names of the classes, if they are known.

    Returns:
        The labels, and the names of the classes; none for numbers.

    Raises:
        NetworkError: The labels have another form; the message says which and what is needed.

    Example:
        >>> labels_of_form("toy", [1.5, 2.5], LabelForm.NUMBERS)[0].tolist()
        [[1.5], [2.5]]
        >>> labels_of_form("toy", [["a"], ["b", "a"]], LabelForm.CLASSES)
        (array([[1, 0],
               [1, 1]], dtype=uint8), ('a', 'b'))
    """
    if form is LabelForm.CLASS:
        codes = Labels(where, names)
        numbers = [codes.code(label) for label in labels]
        classes, class_names = codes.classes()
        return classes[numbers], class_names
    if form is LabelForm.CLASSES:
        return _several_classes(where, labels, names)
    values = np.asarray(labels)
    if form is LabelForm.NUMBERS:
        if values.dtype.kind not in "iufb" or values.ndim not in (1, 2):
            raise _other_form(where, values, form)
        return values.reshape(len(values), -1).astype(np.float64), ()
    if form is LabelForm.MASK and values.ndim == 4 and values.shape[-1] == 1:
        values = values[..., 0]
    whole = values.dtype.kind in "iub" or (values.dtype.kind == "f" and np.equal(values, np.round(values)).all())
    if not whole or values.ndim != (3 if form is LabelForm.MASK else 2) or not values.size:
        raise _other_form(where, values, form)
    if values.min() < 0 or values.max() > VOID:
        raise NetworkError(
            f"{where}: classes of {'pixels' if form is LabelForm.MASK else 'steps'} are from 0 to {VOID}, not from "
            f"{values.min():g} to {values.max():g}."
        )
    classes = values.astype(np.uint8)
    return classes, tuple(map(str, names)) if names is not None else names_of_places(classes)


def names_of_places(classes: np.ndarray) -> tuple[str, ...]:
    """Names of the classes of pixels or steps, by their numbers: up to the largest that is not void.

    Args:
        classes: Whole numbers of any shape.
    """
    counts = np.bincount(classes.ravel(), minlength=VOID + 1)[:VOID]
    return tuple(map(str, range(max(2, int(np.flatnonzero(counts).max(initial=0)) + 1))))


def _several_classes(where: str, labels: Any, names: Sequence[Any] | None) -> tuple[np.ndarray, tuple[str, ...]]:
    if isinstance(labels, np.ndarray) and labels.dtype.kind in "iufb":
        if labels.ndim != 2 or not np.isin(labels, (0, 1)).all():
            raise _other_form(where, labels, LabelForm.CLASSES)
        class_names = tuple(map(str, names if names is not None else range(labels.shape[1])))
        if len(class_names) != labels.shape[1]:
            raise NetworkError(f"{where}: {labels.shape[1]} classes an example and {len(class_names)} names.")
        return labels.astype(np.uint8), class_names
    rows = list(labels)
    if not all(isinstance(row, list | tuple | set | np.ndarray) for row in rows):
        raise _other_form(where, np.asarray(labels), LabelForm.CLASSES)
    if rows and all(np.asarray(row).dtype.kind in "iufb" and len(row) == len(rows[0]) for row in rows):
        stacked = np.asarray(rows)
        if np.isin(stacked, (0, 1)).all():
            return _several_classes(where, stacked, names)
    found = sorted({str(one) for row in rows for one in row})
    class_names = tuple(map(str, names)) if names is not None else tuple(found)
    if unknown := [one for one in found if one not in class_names]:
        raise NetworkError(f"{where} gives classes that class_names lacks: {listing(unknown, 5)}.")
    places = {name: place for place, name in enumerate(class_names)}
    table = np.zeros((len(rows), len(class_names)), np.uint8)
    for number, row in enumerate(rows):
        table[number, [places[str(one)] for one in row]] = 1
    return table, class_names


def _other_form(where: str, labels: np.ndarray, form: LabelForm) -> NetworkError:
    return NetworkError(
        f"{where} gives labels of shape {labels.shape} and type {labels.dtype}; the task needs {form.value}: "
        f"{_SHAPES[form]}."
    )
