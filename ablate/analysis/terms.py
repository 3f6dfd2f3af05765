"""The terms of a linear model of factors, and the columns that represent them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ablate.analysis.boundary import Floats
from ablate.errors import AnalysisError, suggestion

SQUARES = {
    "partial": "partial (type III): each term given all others, factors coded to sum to zero",
    "sequential": "sequential (type I): each term given the block and the terms above it",
}
"""Sums of squares that an analysis of variance can have."""

TINY = 1e-9
"""Relative length below which a column adds nothing to others."""


def check_table(
    table: pd.DataFrame, response: str | None, factors: Mapping[str, Sequence[object]], block: str | None, squares: str
) -> None:
    """Refuse a table that lacks columns, has other levels, or numbers that are not finite; all faults at once."""
    faults = []
    for name in [*factors, *([response] if response is not None else []), *([block] if block is not None else [])]:
        if name not in table.columns:
            known = [str(column) for column in table.columns]
            faults.append(f"The table has no column '{name}'. Columns: {', '.join(known)}.{suggestion(name, known)}")
    for name, levels in factors.items():
        if name in table.columns:
            foreign = sorted({str(value) for value in table[name]} - {str(level) for level in levels})
            if foreign or not table[name].isin(list(levels)).all():
                faults.append(
                    f"Column '{name}' has other levels than {', '.join(map(str, levels))}: {', '.join(foreign)}."
                )
    if squares not in SQUARES:
        faults.append(
            f"Unknown sums of squares '{squares}'. Allowed: {', '.join(SQUARES)}.{suggestion(squares, SQUARES)}"
        )
    if not len(table):
        faults.append("The table is empty.")
    elif response in table.columns and not np.isfinite(pd.to_numeric(table[response], errors="coerce")).all():
        faults.append(
            f"Column '{response}' has values that are not finite numbers; leave these rows out or repeat the runs."
        )
    if faults:
        raise AnalysisError("\n".join(faults))


def occurring(
    table: pd.DataFrame, factors: Mapping[str, Sequence[object]]
) -> tuple[dict[str, tuple[object, ...]], list[str]]:
    """The levels that occur, by factor, and the factors of which only one does."""
    levels = {name: tuple(level for level in known if (table[name] == level).any()) for name, known in factors.items()}
    used = {name: present for name, present in levels.items() if len(present) > 1}
    return used, [name for name in levels if name not in used]


def term_names(factors: Mapping[str, Sequence[object]], order: int | None, terms: Sequence[str] | None) -> list[str]:
    """The terms of a model from low order to high: those asked for, or all up to an order."""
    known = [":".join(names) for size in range(1, len(factors) + 1) for names in itertools.combinations(factors, size)]
    if terms is None:
        return [term for term in known if order is None or term.count(":") < order]
    unknown = [term for term in terms if term not in known]
    if unknown:
        raise AnalysisError(
            "\n".join(f"Unknown term '{term}'. Terms: {', '.join(known)}.{suggestion(term, known)}" for term in unknown)
        )
    return [term for term in known if term in terms]


def coded(values: pd.Series, levels: Sequence[object]) -> Floats:
    """Columns that sum to zero over the levels; for two levels a single one, -1 and +1."""
    # Sum coding: the first level is minus the sum of the others, so that a main effect is one around the mean and
    # partial sums of squares do not depend on which level comes first.
    position = {level: index for index, level in enumerate(levels)}
    index = values.map(position).to_numpy(dtype=int)
    coding = np.vstack([-np.ones((1, len(levels) - 1)), np.eye(len(levels) - 1)])
    return np.asarray(coding[index], dtype=float)


def term_columns(table: pd.DataFrame, factors: Mapping[str, Sequence[object]], term: str) -> Floats:
    """The columns of a term: products of its factors' columns."""
    product = np.ones((len(table), 1))
    for name in factors_in(term, factors):
        columns = coded(table[name], tuple(factors[name]))
        product = np.einsum("ij,ik->ijk", product, columns).reshape(len(table), -1)
    return product


def factors_in(term: str, factors: Mapping[str, Sequence[object]]) -> tuple[str, ...]:
    """The factors that a term names."""
    # Factor names may contain colons themselves, so that the term cannot simply be split.
    for size in range(1, len(factors) + 1):
        for names in itertools.combinations(factors, size):
            if ":".join(names) == term:
                return names
    raise AnalysisError(f"Unknown term '{term}'.")


def new_directions(columns: Floats, basis: Floats) -> Floats:
    """An orthonormal basis of what columns add to a space that is spanned by an orthonormal basis."""
    if not columns.shape[1]:
        return columns
    size = np.linalg.norm(columns, axis=0).max(initial=0.0)
    if size == 0:
        return columns[:, :0]
    # Relative to the columns' length, so that a column of rounding noise is recognised as nothing new.
    directions, strength, _ = np.linalg.svd(_orthogonal(columns, basis) / size, full_matrices=False)
    new = _orthogonal(directions[:, strength > TINY], basis)
    return np.linalg.qr(new)[0] if new.shape[1] else new


def _orthogonal(columns: Floats, basis: Floats) -> Floats:
    # One projection leaves what rounding makes of nearly parallel columns; the second one removes that ("twice is
    # enough", Kahan).
    for _ in range(2):
        columns = columns - basis @ (basis.T @ columns)
    return columns
