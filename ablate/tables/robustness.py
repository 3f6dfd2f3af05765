"""Beside each effect: what does not rest on the t test, for a reader who doubts it."""

from __future__ import annotations

from ablate.analysis import Summary
from ablate.tables.table import Column, Row, Table, label_of

__all__ = ["robustness_table"]

_ONLY_FIRST = (
    " The sign-flip and Welch tests are those of a number of seeds fixed in advance; only the first p value counts the "
    "looks."
)


def robustness_table(summary: Summary) -> Table:
    """Standardised effect, p values of three tests, pairing correlation and flags, a row an effect."""
    sequential = summary.rule is not None
    rows = [
        Row(
            (
                row["cell"],
                row["n"],
                row["d_z"],
                row["p"],
                row["p_sign_flip"],
                row["p_welch"],
                row["correlation"],
                row["skewness"],
                _flags(bool(row["skewed"]), str(row["outliers"])),
            )
        )
        for row in summary.robustness.to_dict("records")
    ]
    return Table(
        columns=(
            Column("cell", "text"),
            Column("seeds", "count"),
            Column("d_z", "ratio"),
            Column("p (sequential)" if sequential else "p (paired t)", "p"),
            Column("p (sign flip)", "p"),
            Column("p (Welch)", "p"),
            Column("correlation", "ratio"),
            Column("skewness", "ratio"),
            Column("flags", "text"),
        ),
        rows=tuple(rows),
        caption=(
            f"Robustness of the effects on {summary.study.metric} in the study {summary.study.name}. d_z: mean "
            "contribution in standard deviations of the paired difference, positive where the reference level is good. "
            "No p value here is adjusted. p (sign flip): exact under all sign patterns, never below 2^(1−n). p "
            "(Welch): without pairing. Correlation: of the paired runs; skewness: of their differences."
            + (_ONLY_FIRST if sequential else "")
        ),
        label=label_of(summary.study.name, "robustness"),
    )


def _flags(skewed: bool, outliers: str) -> str | None:
    words = [*(["skewed"] if skewed else []), *([f"outlying: seed {outliers}"] if outliers else [])]
    return "; ".join(words) or None
