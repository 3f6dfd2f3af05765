"""The table files of a study."""

from __future__ import annotations

from pathlib import Path

from ablate.analysis import Summary
from ablate.store.atomic import write_text
from ablate.tables.comma import csv
from ablate.tables.effects import effects_table
from ablate.tables.latex import latex
from ablate.tables.markdown import markdown

__all__ = ["write_tables"]


def write_tables(summary: Summary, folder: Path) -> list[Path]:
    """Write the table of effects as ``effects.md``, ``effects.csv`` and ``effects.tex``.

    The files hold no timings: the same runs give the same bytes.

    Args:
        summary: The summary of the study.
        folder: Where to write; made if need be.

    Returns:
        The files written.

    Raises:
        StoreError: If the folder cannot be written.
    """
    table = effects_table(summary).for_files
    texts = {"effects.md": markdown(table), "effects.csv": csv(table), "effects.tex": latex(table)}
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]
