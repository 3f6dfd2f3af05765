"""What a study says in words: sentences for a paper, and what a report must disclose."""

from __future__ import annotations

from collections.abc import Mapping

from ablate.analysis import Summary
from ablate.tables.markdown import escape_markdown

__all__ = ["checklist_markdown", "refusal_markdown", "sentences_markdown"]


def sentences_markdown(summary: Summary) -> str:
    """A sentence a cell, and what a reader must know beside them."""
    lines = [f"- {escape_markdown(text)}" for text in summary.sentences.values()]
    if summary.notes:
        lines += ["", "Notes:", "", *(f"- {escape_markdown(note)}" for note in summary.notes)]
    return "\n".join(lines) + "\n"


def checklist_markdown(items: Mapping[str, str]) -> str:
    """What a report must disclose, an item a line.

    Example:
        >>> print(checklist_markdown({"margin": "0.01 in units of accuracy."}), end="")
        - **margin**: 0.01 in units of accuracy.
    """
    return "".join(f"- **{escape_markdown(name)}**: {escape_markdown(text)}\n" for name, text in items.items())


def refusal_markdown(title: str, why: str) -> str:
    """In place of a table, why there is none.

    Example:
        >>> print(refusal_markdown("Shapley values", "Cells are missing."), end="")
        Shapley values: none. Cells are missing.
    """
    return f"{title}: none. {escape_markdown(why)}\n"
