"""Tables of what a design answers beside the effect of each cell."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

from ablate.analysis import Estimates, Summary
from ablate.analysis.intervals import LEVEL
from ablate.analysis.notes import seed_count
from ablate.analysis.verdicts import ALPHA
from ablate.tables.table import Column, Estimate, Row, Table, Value, label_of

__all__ = ["TITLES", "answer_tables", "better", "refusals"]

TITLES = {
    "roadmap": "Roadmap",
    "main_effects": "Main effects",
    "interactions": "Interactions",
    "shapley": "Shapley values",
    "datasets": "Effects over data sets",
}

Found = Mapping[Hashable, Any]


def answer_tables(summary: Summary) -> dict[str, Table]:
    """A table a question that the study answers, by the question's name.

    Args:
        summary: The summary.

    Returns:
        The tables in the order of :data:`TITLES`; none where only one ingredient is varied on one data set, whose
        effect is the whole answer.
    """
    varied = [factor for factor in summary.plan.factors if not factor.block]
    given = summary.answers.given
    return {
        question: _table(question, given[question], summary)
        for question in TITLES
        if question in given and (len(varied) > 1 or question == "datasets")
    }


def refusals(summary: Summary) -> dict[str, str]:
    """Why a question that one asks of such a design has no answer, by the question's name."""
    from ablate.analysis import expected

    wanted = expected(summary.plan)
    return {question: why for question, why in summary.answers.refused.items() if question in wanted}


def better(summary: Summary) -> str:
    """The metric and which way is good, as captions say it."""
    return f"{summary.study.metric} ({'larger' if summary.study.direction == 'max' else 'smaller'} is better)"


def _table(question: str, found: Estimates, summary: Summary) -> Table:
    rows = found.table.to_dict("records")
    columns = [column for column in _COLUMNS[question] if _is_known(column, rows)]
    blocks = [factor.name for factor in summary.plan.factors if factor.block and factor.name in found.table.columns]
    heads = [Column(name, "text") for name in blocks]
    return Table(
        columns=(*heads, *(column for column, _ in columns)),
        rows=tuple(Row((*(row[name] for name in blocks), *(value(row) for _, value in columns))) for row in rows),
        caption=" ".join(_caption(question, found, summary)),
        label=label_of(summary.study.name, question),
        notes=found.notes,
    )


def _is_known(column: tuple[Column, Callable[[Found], Value]], rows: list[dict[Hashable, Any]]) -> bool:
    # Verdicts of a study without margin or interval would be a column of "undecided".
    head, value = column
    return head.kind != "p" or any(value(row) == value(row) for row in rows)


def _field(name: str) -> Callable[[Found], Value]:
    return lambda row: row[name]


def _difference(row: Found) -> Value:
    return Estimate(row["difference"], row["low"], row["high"])


def _contribution(row: Found) -> Value:
    turned = row["contribution"] != row["difference"]
    low, high = (-row["high"], -row["low"]) if turned else (row["low"], row["high"])
    return Estimate(row["contribution"], low, high)


_SEEDS = (Column("seeds", "count", in_caption=True), _field("n"))
_P = (Column("p (Holm)", "p"), _field("p_adjusted"))
_VERDICT = (Column("verdict", "text"), _field("verdict"))

_COLUMNS: dict[str, list[tuple[Column, Callable[[Found], Value]]]] = {
    "roadmap": [
        (Column("step", "count"), _field("step")),
        (Column("added", "text"), _field("added")),
        (Column("mean", "mean"), lambda row: Estimate(row["mean"])),
        (Column("difference", "difference"), _difference),
        _P,
        _SEEDS,
    ],
    "main_effects": [
        (Column("factor", "text"), _field("factor")),
        (Column("level", "text"), _field("level")),
        (Column("pairs", "count"), _field("pairs")),
        (Column("difference", "difference"), _difference),
        _P,
        _VERDICT,
        _SEEDS,
    ],
    "interactions": [
        (Column("factors", "text"), _field("factor")),
        (Column("levels", "text"), _field("level")),
        (Column("squares", "count"), _field("pairs")),
        (Column("interaction", "difference"), _difference),
        _P,
        _SEEDS,
    ],
    "shapley": [
        (Column("factor", "text"), _field("factor")),
        (Column("Shapley value", "difference"), _contribution),
        _P,
        _VERDICT,
        _SEEDS,
    ],
    "datasets": [
        (Column("factor", "text"), _field("factor")),
        (Column("level", "text"), _field("level")),
        (Column("data sets", "count"), _field("blocks")),
        (Column("difference", "difference"), _difference),
        _P,
        (Column("sd between", "number"), _field("between")),
        (Column("I²", "ratio"), _field("i2")),
    ],
}


def _caption(question: str, found: Estimates, summary: Summary) -> Iterator[str]:
    study, table = summary.study, found.table
    seeds = "" if question == "datasets" else f"; {seed_count(table['n'])}"
    yield f"{TITLES[question]} of the study {study.name} ({study.design}{seeds})."
    yield f"{found.estimand} {better(summary)}."
    if not table["low"].notna().any():
        yield "No interval or test."
        return
    if question == "datasets":
        yield (
            f"{LEVEL:.0%} interval of Hartung and Knapp for a mean over data sets, unadjusted; sd between: standard "
            "deviation of the true effects between data sets; I²: share of the spread that is not noise."
        )
    elif summary.rule is not None:
        yield (
            f"{LEVEL:.0%} repeated confidence interval over seeds, valid at whatever seed the sequential rule stopped, "
            "unadjusted."
        )
    else:
        yield f"{LEVEL:.0%} t interval over seeds, each seed giving one number, unadjusted."
    kind = "sequential p values" if summary.rule is not None and question != "datasets" else "p values"
    margin = "" if study.margin is None or "verdict" not in table else f", margin {study.margin:g}"
    rows = f"{len(table)} row{'s' if len(table) > 1 else ''}"
    yield f"{kind[0].upper()}{kind[1:]} Holm-adjusted over the {rows} of this table, α = {ALPHA:g}{margin}."
