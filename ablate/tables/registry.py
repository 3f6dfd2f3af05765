"""Which tables there are. A further one is a function and one line of registration."""

from __future__ import annotations

from ablate.analysis import Summary
from ablate.objects import Registry
from ablate.tables.anova import anova_table, least_squares_table, ranks_table
from ablate.tables.answers import INTERACTIONS, MAIN_EFFECTS, POOLED_EFFECTS, ROADMAP, SHAPLEY
from ablate.tables.effects import by_dataset_table, effects_table, robustness_table
from ablate.tables.runs import costs_table
from ablate.tables.table import Table, TableKind

TABLES: Registry[TableKind] = Registry("table")
"""The tables that studies may have, by name, in the order in which they are shown."""

register_table = TABLES.register

for _kind in (
    TableKind("effects", "Effects", effects_table),
    TableKind("by_dataset", "By data set", by_dataset_table),
    TableKind("robustness", "Robustness", robustness_table),
    ROADMAP,
    MAIN_EFFECTS,
    INTERACTIONS,
    SHAPLEY,
    POOLED_EFFECTS,
    TableKind("anova", "Analysis of variance", anova_table),
    TableKind("least_squares", "Least squares", least_squares_table),
    TableKind("ranks", "Ranks", ranks_table),
    TableKind("costs", "Costs", costs_table),
):
    register_table(_kind)


def study_tables(summary: Summary) -> dict[str, Table]:
    """Every table of a study by name: its effects, and what else its design answers.

    Args:
        summary: The summary of the study.
    """
    tables = {name: kind.build(summary) for name, kind in TABLES.items()}
    return {name: table for name, table in tables.items() if table is not None}
