"""Arrays in a file of NumPy (``.npz``, ``.npy``) or HDF5 (``.h5``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import NetworkError, suggestion
from ablate.keras.data.forms import LabelForm
from ablate.study.setting import Setting, choice, list_of, number, optional, text

if TYPE_CHECKING:
    from ablate.keras.data.array_pool import ArrayPart
    from ablate.keras.data.dataset import Pool

_NAMES = list_of(text(), "a list of names: [ground, disc]")

SETTINGS = {
    "path": Setting(None, text(), "the file: .npz or .h5 with arrays of examples and labels, or .npy of examples"),
    "name": Setting(None, optional(text()), "what tables call the set; null is the file's name"),
    "x": Setting(None, optional(text()), "its array of examples; null finds x, images, inputs, data or features"),
    "y": Setting(
        None, optional(text()), "its array of labels, or a .npy file of them; null finds y, labels, targets or masks"
    ),
    "sample_weights": Setting(None, optional(text()), "its array of weights in the loss of training; null: none"),
    "group": Setting(None, optional(text()), "its array of groups, such as patients: none is in two drawn parts"),
    "order": Setting(None, optional(text()), "its array of times: drawn parts follow each other, training first"),
    "class_names": Setting(None, optional(_NAMES), "names of the classes, by number; null: their numbers"),
    "inputs": Setting(
        "auto",
        choice(("auto", "images", "indices", "numbers")),
        "images | numbers | indices (of tokens, from 0); auto goes by type and shape, and says what it took",
    ),
    "white": Setting(None, optional(number(0, open_low=True)), "what white is in images of 16 bits or floats"),
}
DEFAULTS: dict[str, Any] = {}
FORMS = tuple(LabelForm)

_X, _Y = ("x", "X", "images", "inputs", "data", "features"), ("y", "Y", "labels", "targets", "target", "masks", "label")
_PARTS = {"train": ("train", "training"), "validation": ("val", "valid", "validation"), "test": ("test", "testing")}


def read(values: dict[str, Any], size: tuple[int, int] | None, form: LabelForm) -> Pool:
    """The arrays of the file.

    Args:
        values: The checked data section.
        size: Height and width of images, or None where all have the same.
        form: What the labels are to be.

    Returns:
        All examples. Arrays ``x_train``, ``y_train``, ``x_val``, ``y_val``, ``x_test``, ``y_test`` are official parts.

    Raises:
        NetworkError: There is no such file or array, or the arrays do not fit.
    """
    import numpy as np

    from ablate.keras.data.array_pool import Reading, pool_of_arrays
    from ablate.keras.data.order_and_groups import group_numbers, time_numbers

    path = Path(values["path"]).expanduser()
    key = f"data.path={values['path']}"
    arrays = _arrays(key, path)
    if path.suffix.lower() == ".npy":
        labels = values["y"]
        if labels is None:
            raise NetworkError(f"{key} holds the examples alone: name the file of labels, data.y=labels.npy.")
        arrays["y"] = _arrays(f"data.y={labels}", _beside(path, labels))["x"]
        values = {**values, "y": "y"}
    parts = _parts(key, arrays, values)
    chosen = {}
    for name, convert in (("group", group_numbers), ("order", time_numbers)):
        if values[name] is not None:
            if len(parts) > 1:
                raise NetworkError(f"{key}: data.{name} needs parts that are drawn, and the file has its own.")
            column = _named(key, f"data.{name}", arrays, values[name])
            if len(column) != len(parts["train"].labels):
                raise NetworkError(
                    f"data.{name}={values[name]}: {len(column)} entries for {len(parts['train'].labels)} examples."
                )
            chosen[name] = convert(f"data.{name}={values[name]}", np.asarray(column))
    reading = Reading(
        key,
        values["name"] or path.stem,
        form,
        values["inputs"],
        size,
        values["channels"],
        values["fit"],
        values["white"],
    )
    return pool_of_arrays(parts, reading, values["class_names"], groups=chosen.get("group"), times=chosen.get("order"))


def _arrays(key: str, path: Path) -> dict[str, Any]:
    import numpy as np

    ending = path.suffix.lower()
    if not path.is_file():
        raise NetworkError(f"{key}: there is no such file (looked from {Path.cwd()}).")
    try:
        if ending == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        if ending == ".npy":
            return {"x": np.load(path, allow_pickle=False)}
        if ending in (".h5", ".hdf5"):
            import h5py

            with h5py.File(path, "r") as file:
                found: dict[str, Any] = {}
                file.visititems(lambda name, item: found.update({name: item[()]}) if hasattr(item, "dtype") else None)
                return found
    except Exception as error:  # of NumPy or h5py
        raise NetworkError(f"{key} cannot be read: {type(error).__name__}: {error}") from error
    raise NetworkError(f"{key}: must end in .npz, .npy, .h5 or .hdf5. A CSV file is data=table.")


def _beside(path: Path, name: str) -> Path:
    other = Path(name).expanduser()
    return other if other.is_absolute() or other.exists() else path.parent / other


def _named(key: str, setting: str, arrays: Mapping[str, Any], name: str) -> Any:
    if name not in arrays:
        listed = ", ".join(f"{one} {array.shape}" for one, array in arrays.items())
        raise NetworkError(f"{setting}={name}: {key} has {listed}.{suggestion(name, arrays)}")
    return arrays[name]


def _parts(key: str, arrays: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, ArrayPart]:
    from ablate.keras.data.array_pool import ArrayPart

    stems = {kind: [values[kind]] if values[kind] else list(names) for kind, names in (("x", _X), ("y", _Y))}
    parts = {}
    for part, endings in _PARTS.items():
        pair = [
            next(
                (f"{stem}_{ending}" for stem in stems[kind] for ending in endings if f"{stem}_{ending}" in arrays), None
            )
            for kind in ("x", "y")
        ]
        examples, labels = pair
        if examples is not None and labels is not None:
            parts[part] = ArrayPart(arrays[examples], arrays[labels])
    if "train" in parts:
        return parts
    chosen = []
    for kind in ("x", "y"):
        if values[kind]:
            chosen.append(_named(key, f"data.{kind}", arrays, values[kind]))
            continue
        name = next((stem for stem in stems[kind] if stem in arrays), None)
        if name is None:
            listed = ", ".join(f"{one} {array.shape}" for one, array in arrays.items())
            what = "examples" if kind == "x" else "labels"
            raise NetworkError(f"{key} has {listed}: which are the {what}? Name them, data.{kind}=...")
        chosen.append(arrays[name])
    weights = values["sample_weights"]
    column = None if weights is None else _named(key, "data.sample_weights", arrays, weights)
    examples, labels = chosen
    return {"train": ArrayPart(examples, labels, column)}
