"""A summary as a notebook shows it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ablate.analysis import Summary
from ablate.tables import effects_table, html

__all__ = ["Shown", "shown"]


class Shown(Summary):
    """A summary that shows in a notebook by itself: as the table of its effects, with its notes."""

    def __repr__(self) -> str:
        finished = int((self.runs["state"] == "finished").sum())
        return f"<study {self.study.name}: {len(self.plan.cells)} cells, {finished} of {len(self.runs)} runs finished>"

    def _repr_html_(self) -> str:
        return html(effects_table(self))


def shown(summary: Summary, **changes: Any) -> Shown:
    """A summary that shows in a notebook.

    Args:
        summary: What it says.
        changes: Values of fields that shall be others, by name.
    """
    return Shown(**{item.name: getattr(summary, item.name) for item in fields(summary)} | changes)
