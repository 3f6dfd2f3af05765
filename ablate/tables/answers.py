"""Tables of what a design answers beside the effect of each cell, one a question."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ablate.analysis import Estimates, Summary
from ablate.captions import inference, metric_direction
from ablate.formatting import seed_count
from ablate.tables.cells import Column, Estimate, Value
from ablate.tables.table import Table, TableKind, table_of

AnswerColumn = tuple[Column, Callable[[Mapping[Any, Any]], Value]]
"""A column, and its value in a row of the estimates."""


def answer_table(question: str, title: str, columns: Sequence[AnswerColumn], explanation: str = "") -> TableKind:
    """The table of a question of :data:`ablate.analysis.answers.QUESTIONS`.

    Args:
        question: The name of the question, which is that of the table, too.
        title: Its heading.
        columns: Its columns; a column of p values is left out where there are none.
        explanation: What the caption says of columns beside difference, interval and test.

    Returns:
        A table for studies with an answer, in which more than one ingredient is varied: else its effect is the whole
        answer. A mean over data sets says more than that of one ingredient, too.
    """

    def build(summary: Summary) -> Table | None:
        estimates = summary.answers.given.get(question)
        varied = [factor for factor in summary.plan.factors if not factor.block]
        if estimates is None or (len(varied) < 2 and "blocks" not in estimates.table):
            return None
        rows = estimates.table.to_dict("records")
        blocks = [factor.name for factor in summary.plan.factors if factor.block and factor.name in estimates.table]
        all_columns = [*((Column(name, "text"), _field(name)) for name in blocks), *columns]
        filled = [(column, [value(row) for row in rows]) for column, value in all_columns]
        known = [(column, values) for column, values in filled if column.kind != "p" or any(p == p for p in values)]
        caption = " ".join(_caption(title, estimates, summary, explanation))
        return table_of(summary, question, known, caption, estimates.notes)

    return TableKind(question, title, build)


def _caption(title: str, estimates: Estimates, summary: Summary, explanation: str) -> Iterator[str]:
    study, table = summary.study, estimates.table
    seeds = f"; {seed_count(table['n'])}" if "n" in table else ""
    yield f"{title} of the study {study.name} ({study.design}{seeds})."
    yield f"{estimates.estimand} {metric_direction(summary)}."
    if table["low"].notna().any():
        stated = inference(estimates, len(table), "row", study.margin if "verdict" in table else None)
        yield f"{stated.interval}; {stated.test}{explanation}."
    else:
        yield "No interval or test."


def _field(name: str) -> Callable[[Mapping[Any, Any]], Value]:
    return lambda row: row[name]


def _difference(row: Mapping[Any, Any]) -> Value:
    return Estimate(row["difference"], row["low"], row["high"])


def _contribution(row: Mapping[Any, Any]) -> Value:
    is_turned = row["contribution"] != row["difference"]
    low, high = (-row["high"], -row["low"]) if is_turned else (row["low"], row["high"])
    return Estimate(row["contribution"], low, high)


_FACTOR = (Column("factor", "text"), _field("factor"))
_LEVEL = (Column("level", "text"), _field("level"))
_DIFFERENCE = (Column("difference", "difference"), _difference)
_P = (Column("p (Holm)", "p"), _field("p_adjusted"))
_VERDICT = (Column("verdict", "text"), _field("verdict"))
_SEEDS = (Column("seeds", "count", in_caption=True), _field("n"))

ROADMAP = answer_table(
    "roadmap",
    "Roadmap",
    [
        (Column("step", "count"), _field("step")),
        (Column("added", "text"), _field("added")),
        (Column("mean", "mean"), lambda row: Estimate(row["mean"])),
        *(_DIFFERENCE, _P, _SEEDS),
    ],
)
MAIN_EFFECTS = answer_table(
    "main_effects",
    "Main effects",
    [_FACTOR, _LEVEL, (Column("pairs", "count"), _field("pairs")), _DIFFERENCE, _P, _VERDICT, _SEEDS],
)
INTERACTIONS = answer_table(
    "interactions",
    "Interactions",
    [
        (Column("factors", "text"), _field("factor")),
        (Column("levels", "text"), _field("level")),
        (Column("squares", "count"), _field("pairs")),
        (Column("interaction", "difference"), _difference),
        *(_P, _SEEDS),
    ],
)
SHAPLEY = answer_table(
    "shapley", "Shapley values", [_FACTOR, (Column("Shapley value", "difference"), _contribution), _P, _VERDICT, _SEEDS]
)
POOLED_EFFECTS = answer_table(
    "datasets",
    "Effects over data sets",
    [
        *(_FACTOR, _LEVEL),
        (Column("data sets", "count"), _field("blocks")),
        *(_DIFFERENCE, _P),
        (Column("sd between", "number"), _field("between")),
        (Column("I²", "ratio"), _field("i2")),
    ],
    "; sd between: standard deviation of the true effects between data sets; I²: share of the spread that is not noise",
)
