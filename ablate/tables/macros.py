r"""The numbers of a study as LaTeX macros, so that the prose of a paper follows the data."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ablate import __version__
from ablate.analysis import Summary
from ablate.analysis.estimates import ESTIMATE_COLUMNS
from ablate.analysis.verdicts import ALPHA
from ablate.characters import folded
from ablate.formatting import count, fixed, p_value
from ablate.study import Plan
from ablate.tables.cells import Estimate, estimate_places, estimate_texts
from ablate.tables.latex import COMMANDS
from ablate.tables.table import study_key
from ablate.tables.tex_text import escape_tex

_QUANTITIES = {
    "Effect": ("effect", "difference to the reference"),
    "Size": ("size", "the same without its sign"),
    "Low": ("low", "lower end of its interval"),
    "High": ("high", "upper end of its interval"),
    "Interval": ("interval", "both ends"),
    "EffectPoints": ("effect-points", "difference in hundredths, with the word: -1.2 points"),
    "SizePoints": ("size-points", "the same without its sign: 1.2 points"),
    "IntervalPoints": ("interval-points", "both ends in hundredths"),
    "P": ("p", "adjusted p value"),
    "N": ("n", "number of paired seeds"),
    "Verdict": ("verdict", "the verdict"),
    "Sentence": ("sentence", "all of it as a sentence"),
    "Mean": ("mean", "mean of the metric"),
    "Half": ("half", "half of its interval"),
    "Score": ("score", "mean with half of its interval, or with its ends where a bound of shares cut one off"),
    "Weights": ("weights", "number of weights"),
    "Study": ("study", "of the study: cells, runs, finished, failed, seeds, comparisons, alpha, margin, metric, name"),
}

_DEFINITIONS = r"""\makeatletter
\providecommand{\ablUse}[1]{\def\abl@study{#1}}
\providecommand{\ablNumber}[3][\abl@study]{%
  \ifcsname abl@#1@#2@#3\endcsname
    \csname abl@#1@#2@#3\endcsname
  \else
    \PackageError{ablate}{The study '#1' has no '#2' of '#3'}{%
      The file of its numbers lists the keys and the quantities that there are.}%
    \textbf{??}%
  \fi}
\providecommand{\abl@set}[4]{\expandafter\gdef\csname abl@#1@#2@#3\endcsname{#4}}
"""


def keys(plan: Plan) -> dict[str, tuple[str, ...]]:
    """By cell label, the keys under which LaTeX finds the numbers of a cell; the shortest first.

    A cell is known by its name, which is that of its folder and has no character that LaTeX minds; a cell that is the
    only one to change a certain factor, and changes nothing else, also by the name of that factor.

    Example:
        >>> from ablate.study import Factor, Level, Study, make_plan
        >>> residual = Factor("residual", (Level("true"), Level("false")), "true")
        >>> keys(make_plan(Study("demo", "leave_one_out", (0,), "score"), [residual]))
        {'full': ('full',), 'w/o residual': ('residual', 'residual=false')}
    """
    only_change = {cell.label: _key(cell.changed[0]) for cell in plan.cells if len(cell.changed) == 1}
    # Keys that differ by case alone would be mistaken for each other.
    uses = Counter(map(folded, only_change.values()))
    names = {cell.name for cell in plan.cells}
    cell_keys: dict[str, tuple[str, ...]] = {}
    for cell in plan.cells:
        key = only_change.get(cell.label, "")
        is_unique = bool(key) and uses[folded(key)] == 1 and folded(key) not in names
        cell_keys[cell.label] = (key, cell.name) if is_unique else (cell.name,)
    return cell_keys


def _key(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-")


def macros(summary: Summary) -> str:
    r"""The file ``numbers.tex``: every number of a study as a macro, found by key.

    ``\ablEffect{residual}`` prints the effect of the cell without ``residual``; an unknown key is an error that names
    it, and prints two question marks. Several studies go into one paper: ``\ablUse{name}`` chooses one from there on,
    ``\ablEffect[name]{residual}`` once. What a design answers besides stands under its question, as in
    ``\ablNumber{shapley.contribution}{residual}``.

    Args:
        summary: The summary.

    Returns:
        LaTeX source that needs no package; numbers are rounded to two digits of half their interval.
    """
    study = study_key(summary.study.name)
    names = keys(summary.plan)
    lines = [
        f"% Numbers of the ablation study {study}. Written by ablate; edit the study, not this file.",
        "% \\input it in the preamble, then write for example "
        f"\\ablEffect{{{names[summary.plan.cells[-1].label][0]}}} in the text.",
        "% Keys:",
        *(f"%   {', '.join(names[cell.label])}" for cell in summary.plan.cells),
        "% Commands, each with a key, and optionally with a study in brackets before it:",
        *(f"%   \\abl{name}{' ' * (16 - len(name))}{what}" for name, (_, what) in _QUANTITIES.items()),
        *COMMANDS.splitlines(),
        *_DEFINITIONS.splitlines(),
        *(
            f"\\providecommand{{\\abl{name}}}[2][\\abl@study]{{\\ablNumber[#1]{{{quantity}}}{{#2}}}}"
            for name, (quantity, _) in _QUANTITIES.items()
        ),
        f"\\ablUse{{{study}}}",
    ]
    values = [*_study_numbers(summary), *_cell_numbers(summary, names)]
    values += [*_effect_numbers(summary, names), *_answer_numbers(summary)]
    lines += [f"\\abl@set{{{study}}}{{{quantity}}}{{{key}}}{{{text}}}" for quantity, key, text in values]
    return "\n".join([*lines, "\\makeatother"]) + "\n"


Number = tuple[str, str, str]


def _study_numbers(summary: Summary) -> Iterator[Number]:
    study, states = summary.study, summary.runs["state"]
    yield "study", "name", escape_tex(study.name)
    yield "study", "metric", escape_tex(study.metric.replace("_", " "))
    yield "study", "design", escape_tex(study.design.replace("_", " "))
    yield "study", "cells", str(len(summary.plan.cells))
    yield "study", "seeds", str(len(study.seeds))
    yield "study", "runs", str(len(states))
    yield "study", "finished", str((states == "finished").sum())
    yield "study", "failed", str((states == "failed").sum())
    yield "study", "comparisons", str(len(summary.effects))
    yield "study", "alpha", _math(f"{ALPHA:g}")
    if study.margin is not None:
        yield "study", "margin", _math(f"{study.margin:g}")


def _cell_numbers(summary: Summary, names: Mapping[str, tuple[str, ...]]) -> Iterator[Number]:
    for row in summary.cells.to_dict("records"):
        estimate = Estimate(row["mean"], row["low"], row["high"])
        mean, low, high, half = estimate_texts(estimate)
        for key in names[row["cell"]]:
            if math.isfinite(estimate.value):
                yield "mean", key, _math(mean)
                if math.isfinite(estimate.half) and not estimate.is_symmetric:
                    yield "score", key, f"{_math(mean)} [{_math(low)}, {_math(high)}]"
                elif math.isfinite(estimate.half):
                    yield "half", key, _math(half)
                    yield "score", key, _math(f"{mean} \\pm {half}")
                else:
                    yield "score", key, _math(mean)
            if math.isfinite(row["weights"]):
                yield "weights", key, count(row["weights"]).replace(",", "{,}")


def _effect_numbers(summary: Summary, names: Mapping[str, tuple[str, ...]]) -> Iterator[Number]:
    means = summary.cells["mean"].dropna()
    is_share = bool(len(means)) and bool(means.between(0, 1).all())
    for row in summary.effects.to_dict("records"):
        for key in names[row["cell"]]:
            for quantity, text in _effect_texts(row, is_share):
                yield quantity, key, text
            yield "n", key, str(int(row["n"]))
            yield "verdict", key, escape_tex(row["verdict"])
            if row["cell"] in summary.sentences:
                yield "sentence", key, escape_tex(summary.sentences[row["cell"]])


def _effect_texts(row: Mapping[Any, Any], is_share: bool) -> Iterator[tuple[str, str]]:
    estimate = Estimate(row["difference"], row["low"], row["high"])
    if not math.isfinite(estimate.value):
        return
    effect, low, high, _ = estimate_texts(estimate)
    # In hundredths the same digits are left.
    places = estimate_places(estimate) - 2
    points = [fixed(100 * number, places) for number in (estimate.value, estimate.low, estimate.high)]
    yield "effect", _math(effect)
    yield "size", _math(effect.lstrip("-"))
    if is_share:
        yield "effect-points", f"{_math(points[0])}~points"
        yield "size-points", f"{_math(points[0].lstrip('-'))}~points"
    if math.isfinite(estimate.half):
        yield "low", _math(low)
        yield "high", _math(high)
        yield "interval", _math(f"[{low}, {high}]")
        if is_share:
            yield "interval-points", f"{_math(points[1])} to {_math(points[2])}~points"
    if math.isfinite(row["p_adjusted"]):
        yield "p", _math(p_value(row["p_adjusted"]))


def _answer_numbers(summary: Summary) -> Iterator[Number]:
    for question, estimates in summary.answers.given.items():
        table = estimates.table
        columns = table.select_dtypes(exclude="number").columns
        names = [str(name) for name in columns if name not in (*ESTIMATE_COLUMNS, "of")]
        names = [name for name in names if name != "cell"] or names
        rows = table.to_dict("records")
        for row, key in zip(rows, _unique_keys([[str(row[name]) for name in names] for row in rows]), strict=True):
            estimate = Estimate(row["difference"], row["low"], row["high"])
            places = estimate_places(estimate)
            for quantity in ("difference", "low", "high", "contribution"):
                if quantity in row and math.isfinite(row[quantity]):
                    yield f"{question}.{quantity}", key, _math(fixed(row[quantity], places))
            if math.isfinite(row["p_adjusted"]):
                yield f"{question}.p", key, _math(p_value(row["p_adjusted"]))


def _unique_keys(rows: Sequence[Sequence[str]]) -> list[str]:
    """A key from the texts of each row; where several rows would have one, each with a hash of its texts."""
    plain = ["+".join(map(_key, row)) for row in rows]
    uses = Counter(map(folded, plain))
    return [
        key if uses[folded(key)] == 1 else f"{key}-{hashlib.sha256(json.dumps(row).encode()).hexdigest()[:8]}"
        for key, row in zip(plain, rows, strict=True)
    ]


def _math(text: str) -> str:
    return f"\\ensuremath{{{text}}}"


def references(summary: Summary) -> str:
    """The file ``references.bib``: one entry for the study, one for the tool.

    Args:
        summary: The summary.
    """
    study, states = summary.study, summary.runs["state"]
    name = study_key(study.name)
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
  note = {{Version {__version__}}},
}}
"""
