"""BibTeX entries of a study and of the tool that made it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from ablate.analysis import Summary
from ablate.tables.table import slug
from ablate.tables.tex_text import escape_tex

__all__ = ["references"]


def references(summary: Summary) -> str:
    """The file ``references.bib``: one entry for the study, one for the tool.

    Args:
        summary: The summary.
    """
    study, states = summary.study, summary.runs["state"]
    name = slug(study.name) or "study"
    finished = int((states == "finished").sum())
    design = escape_tex(study.design.replace("_", " "))
    return f"""@misc{{ablate-{name},
  key = {{ablate-{name}}},
  title = {{Ablation study {{{escape_tex(study.name)}}}}},
  howpublished = {{Runs, tables and figures of the study}},
  note = {{{design}; {len(summary.plan.cells)} cells, {len(study.seeds)} seeds, {finished} of {len(states)} runs \
finished; metric {escape_tex(study.metric)}}},
}}

@misc{{ablate,
  key = {{ablate}},
  title = {{{{ablate-study}}: ablation studies of neural networks in one command}},
  howpublished = {{Python package}},
  note = {{Version {_version()}}},
}}
"""


def _version() -> str:
    try:
        return version("ablate-study")
    except PackageNotFoundError:
        return "unknown"
