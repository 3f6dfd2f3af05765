"""The public functions for notebooks and scripts: a study as DataFrames, its figures on one's own axes, its tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.errors import AblateError, suggestion
from ablate.report import summary_of
from ablate.store import StudyFolder

if TYPE_CHECKING:
    from ablate.analysis import Summary


def load(path: str | Path) -> Summary:
    """Read a study.

    Args:
        path: Its folder, such as ``outputs/residual``.

    Returns:
        The summary: DataFrames ``runs``, ``curves``, ``cells``, ``effects`` and ``pairs``, the ``plan``, and ``notes``
        on what is missing. In a notebook it shows by itself, as the table of its effects.

    Raises:
        StoreError: If there is no study in the folder.
    """
    return summary_of(StudyFolder(Path(path)))


def draw(figure: str, study: Summary, ax: Any = None, width: str = "auto") -> Any:
    """Draw a figure of a study.

    Args:
        figure: Its name: ``"forest"``, ``"effects"``, ``"curves"``, ...; a wrong one is answered with all of them.
        study: What :func:`load` returned.
        ax: Axes to draw on (some figures need a sequence of them; the message says so), or None for a new figure.
        width: How wide a new figure is: ``"one"`` or ``"two"`` columns, or a venue's name.

    Returns:
        The matplotlib figure that was drawn on; a new one shows in a notebook by itself.

    Raises:
        AblateError: If there is no such figure or width, or nothing to draw.
    """
    from ablate.figures.figure import figure_style
    from ablate.figures.registry import FIGURES, PAGE_WIDTHS, choice_faults

    if faults := choice_faults([figure], width):
        raise AblateError("\n".join(faults))
    kind = FIGURES[figure]
    chosen = kind.load()
    data = chosen.prepare(study)
    if data.empty:
        raise AblateError(f"Nothing to draw: {kind.absence(study)}")
    if ax is None:
        with figure_style():
            return chosen.compose(data, PAGE_WIDTHS[width])
    chosen.draw(ax, data)
    axes = ax if hasattr(ax, "figure") else next(iter(getattr(ax, "flat", ax)))
    return axes.figure


def table(study: Summary, form: str = "markdown", name: str = "effects") -> str:
    """A table of a study as text.

    Args:
        study: What :func:`load` returned.
        form: ``"markdown"``, ``"csv"``, ``"html"`` or ``"latex"``.
        name: Which one: ``"effects"``, or what its design answers beside them, such as ``"shapley"``.

    Raises:
        AblateError: If there is no such form or table; the message says what there is.
    """
    from ablate import tables

    forms = {"markdown": tables.markdown, "csv": tables.csv, "html": tables.html, "latex": tables.latex}
    if form not in forms:
        raise AblateError(f"Unknown form '{form}'. Forms: {', '.join(sorted(forms))}.{suggestion(form, forms)}")
    known = tables.study_tables(study)
    if name not in known:
        raise AblateError(f"There is no table '{name}'. Tables: {', '.join(known)}.{suggestion(name, known)}")
    return forms[form](known[name])
