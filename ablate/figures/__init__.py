"""Figures of a study: each prepares its data as a DataFrame and draws it on the caller's axes."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablate.figures.figure import Figure
    from ablate.figures.files import write_figures
    from ablate.figures.registry import FIGURES

__all__ = ["FIGURES", "Figure", "write_figures"]

_HOMES = {"FIGURES": "registry", "Figure": "figure", "write_figures": "files"}


def __getattr__(name: str) -> Any:
    # A choice of figures is checked before the first run, without the half second that matplotlib takes.
    if name not in _HOMES:
        raise AttributeError(f"module 'ablate.figures' has no attribute {name!r}")
    return getattr(importlib.import_module(f"ablate.figures.{_HOMES[name]}"), name)
