"""Data sets: where labelled images come from.

A source is one file, which loads NumPy, TensorFlow and the like only when it reads:

- ``SETTINGS``: the keys of the ``data`` section that it alone has, and ``DEFAULTS``: those keys that all sources have
  (`ablate.keras.settings.DATA_SETTINGS`) whose default differs for it;
- ``read(values, size)``: all its images, as a `ablate.keras.data.dataset.Pool`.

`ablate.keras.data.loading.load` returns the images of a configuration, split for a seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from ablate.keras.data import builder, digits, folder, tfds

__all__ = ["SOURCES"]

SOURCES: Mapping[str, ModuleType] = {"builder": builder, "digits": digits, "folder": folder, "tfds": tfds}
"""All sources, by the name that ``data.source`` gives them."""
