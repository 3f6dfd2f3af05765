"""Tables of what a design answers besides the effect of each cell, one table a question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ablate.analysis import Estimates, Summary
from ablate.captions import contributions, inference, metric_direction
from ablate.formatting import seed_count
from ablate.tables.cells import Column, Estimate, Value
from ablate.tables.table import Table, TableKind, table_of

AnswerColumn = tuple[Column, str]
"""A column, and that of the estimates whose values it has."""


def answer_table(question: str, title: str, columns: Sequence[AnswerColumn], explanation: str = "") -> TableKind:
    """The table of a question of :data:`ablate.analysis.answers.QUESTIONS`.

    Args:
        question: The name of the question, which is that of the table, too.
        title: Its heading.
        columns: Its columns; a column of p values is left out where there are none.
        explanation: What the caption says of columns other than difference, interval and test.

    Returns:
        A table for studies with an answer, in which more than one ingredient is varied: else its effect is the whole
        answer. A mean over data sets says more than that of one ingredient, too.
    """

    def build(summary: Summary) -> Table | None:
        estimates = summary.answers.given.get(question)
        varied = [factor for factor in summary.plan.factors if not factor.block]
        if estimates is None or (len(varied) < 2 and "blocks" not in estimates.table):
            return None
        frame = estimates.table
        blocks = [factor.name for factor in summary.plan.factors if factor.block and factor.name in frame]
        values: dict[str, list[Value]] = {str(name): frame[name].tolist() for name in frame}
        values["difference"] = list(map(Estimate, frame["difference"], frame["low"], frame["high"]))
        if "contribution" in frame:
            turned = contributions(frame, summary)
            values["contribution"] = list(map(Estimate, turned["contribution"], turned["low"], turned["high"]))
        if "mean" in frame:
            values["mean"] = list(map(Estimate, frame["mean"]))
        listed = [*((Column(name, "text"), name) for name in blocks), *columns]
        present = [
            (replace(column, header=f"{estimates.counted}s") if name == "n" else column, values[name])
            for column, name in listed
            if name in values and (column.kind != "p" or frame[name].notna().any())
        ]
        caption = " ".join(_caption(title, estimates, summary, explanation))
        return table_of(summary, question, present, caption, estimates.notes)

    return TableKind(question, title, build)


def _caption(title: str, estimates: Estimates, summary: Summary, explanation: str) -> Iterator[str]:
    study, table = summary.study, estimates.table
    seeds = f"; {seed_count(table['n'], estimates.counted)}" if "n" in table else ""
    yield f"{title} of the study {study.name} ({study.design}{seeds})."
    yield f"{estimates.estimand} {metric_direction(summary)}."
    if table["low"].notna().any():
        stated = inference(estimates, len(table), "row", study.margin if "verdict" in table else None)
        yield f"{stated.interval}; {stated.test}{explanation}."
    else:
        yield "No interval or test."


_FACTOR = (Column("factor", "text"), "factor")
_LEVEL = (Column("level", "text"), "level")
_DIFFERENCE = (Column("difference", "difference"), "difference")
_P = (Column("p (adjusted)", "p"), "p_adjusted")
_VERDICT = (Column("verdict", "text"), "verdict")
_SEEDS = (Column("seeds", "count", in_caption=True), "n")

ROADMAP = answer_table(
    "roadmap",
    "Roadmap",
    [
        (Column("step", "count"), "step"),
        (Column("added", "text"), "added"),
        (Column("mean", "mean"), "mean"),
        *(_DIFFERENCE, _P, _SEEDS),
    ],
)
MAIN_EFFECTS = answer_table(
    "main_effects",
    "Main effects",
    [_FACTOR, _LEVEL, (Column("pairs", "count"), "pairs"), _DIFFERENCE, _P, _VERDICT, _SEEDS],
)
INTERACTIONS = answer_table(
    "interactions",
    "Interactions",
    [
        (Column("factors", "text"), "factor"),
        (Column("levels", "text"), "level"),
        (Column("squares", "count"), "pairs"),
        (Column("interaction", "difference"), "difference"),
        *(_P, _SEEDS),
    ],
)
SHAPLEY = answer_table(
    "shapley",
    "Shapley values",
    [
        _FACTOR,
        (Column("of level", "text"), "of"),
        (Column("Shapley value", "difference"), "contribution"),
        _P,
        _VERDICT,
        _SEEDS,
    ],
)
POOLED_EFFECTS = answer_table(
    "datasets",
    "Effects over data sets",
    [
        *(_FACTOR, _LEVEL),
        (Column("data sets", "count"), "blocks"),
        *(_DIFFERENCE, _P),
        (Column("sd between", "number"), "between"),
        (Column("I²", "ratio"), "i2"),
    ],
    "; sd between: standard deviation of the true effects between data sets; I²: share of the spread that is not noise",
)
