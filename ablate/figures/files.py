"""The figure files of a study."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterable
from pathlib import Path

from ablate.analysis import Summary
from ablate.characters import printable
from ablate.errors import AnalysisError
from ablate.figures.figure import FORMATS, figure_style
from ablate.figures.registry import DEFAULT_WIDTH, FIGURES, PAGE_WIDTHS, choice_faults, default_figures
from ablate.store.atomic import write_bytes, write_text


def write_figures(
    summary: Summary,
    folder: Path,
    names: Iterable[str] | None = None,
    width: str = DEFAULT_WIDTH,
    digests: dict[str, str] | None = None,
) -> list[Path]:
    """Write figures as PNG, SVG and PDF, and what they show as ``captions.md``.

    A figure for which the summary has no data is left out; ``captions.md`` says why. Figures of an earlier call that
    this one does not write are removed: all files in the folder are of one call.

    Args:
        summary: The summary of the study.
        folder: Where to write; made if need be.
        names: Names of :data:`FIGURES`; by default those that the design calls for.
        width: How wide, a name of :data:`ablate.figures.registry.PAGE_WIDTHS`.
        digests: Digests of what earlier calls of this process drew in this folder, by figure, to which this one's are
            added: a figure of the same data is left as it is.

    Returns:
        The files written.

    Raises:
        AnalysisError: If a name is unknown.
        StoreError: If the folder cannot be written.
    """
    chosen = list(default_figures(summary.plan) if names is None else dict.fromkeys(names))
    if faults := choice_faults(chosen, width):
        raise AnalysisError("\n".join(faults))
    cached = {} if digests is None else digests
    written: list[Path] = []
    captions = []
    for name in chosen:
        kind = FIGURES[name]
        figure = kind.load()
        data = figure.prepare(summary)
        if data.empty:
            captions.append(f"**{name}**: left out, because {kind.absence(summary)}.")
            continue
        captions.append(f"**{name}**: {figure.caption(summary, data)}")
        paths = {form: folder / f"{name}.{form}" for form in FORMATS}
        written += paths.values()
        digest = hashlib.sha256(pickle.dumps((width, data))).hexdigest()
        if cached.get(name) == digest and all(path.is_file() for path in paths.values()):
            continue
        with figure_style():
            canvas = figure.compose(data, PAGE_WIDTHS[width])
            canvas.fix_layout()
        for form, path in paths.items():
            write_bytes(path, canvas.to_bytes(form))
        cached[name] = digest
    for path in (folder / f"{name}.{form}" for name in FIGURES for form in FORMATS):
        if path not in written:
            path.unlink(missing_ok=True)
    write_text(folder / "captions.md", printable("\n\n".join(captions)) + "\n")
    return [*written, folder / "captions.md"]
