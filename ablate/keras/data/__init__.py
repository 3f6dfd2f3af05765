"""Data sets: where labelled images come from.

A source is one file, which loads NumPy, TensorFlow and the like only when it reads:

- ``SETTINGS``: the keys of the ``data`` section that it alone has, and ``DEFAULTS``: those keys that all sources have
  (`ablate.keras.settings.DATA_SETTINGS`) whose default differs for it;
- ``FORMS``: the forms of labels that it has (`ablate.keras.data.forms.LabelForm`);
- ``read(values, size)``: all its examples, as a `ablate.keras.data.dataset.Pool`; a source of several forms is told as
  a third argument which one the task needs.

`ablate.keras.data.loading.load` returns the images of a configuration, split for a seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from ablate.keras.data import arrays, builder, diabetes, digit_pairs, digits, folder, masks, shapes, table, tfds, waves

__all__ = ["SOURCES"]

SOURCES: Mapping[str, ModuleType] = {
    "arrays": arrays,
    "builder": builder,
    "diabetes": diabetes,
    "digit_pairs": digit_pairs,
    "digits": digits,
    "folder": folder,
    "masks": masks,
    "shapes": shapes,
    "table": table,
    "tfds": tfds,
    "waves": waves,
}
"""All sources, by the name that ``data.source`` gives them."""
