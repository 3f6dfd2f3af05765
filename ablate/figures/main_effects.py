"""Main effects: what each level contributes on average over all settings of the other factors."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ablate.analysis import Summary
from ablate.captions import change_label, contributions, inference_sentences, margin_sentence
from ablate.figures import forest
from ablate.figures.panels import ordered_rows
from ablate.figures.registry import Figure
from ablate.formatting import seed_count

_COLUMNS = "block label pairs contribution low high n verdict quantity metric margin".split()


def prepare(summary: Summary) -> pd.DataFrame:
    """The rows of the plot.

    Args:
        summary: The summary of a study whose design answers the question.

    Returns:
        A row for every level that is not the reference, the largest contribution first: ``block`` (empty), the
        ``label`` of what contributes, number of ``pairs`` of cells averaged over, ``contribution`` (positive where
        the reference level is good) and its interval ``low`` to ``high``, ``n`` seeds, ``verdict``, ``metric``,
        ``margin``.
    """
    estimates = summary.answers.given.get("main_effects")
    if estimates is None:
        return pd.DataFrame(columns=_COLUMNS)
    table = estimates.table[estimates.table["n"] > 0]
    factors = {factor.name: factor for factor in summary.plan.factors}
    changes = zip(table["factor"], table["level"], strict=True)
    labels = [change_label(factors[name], level) for name, level in changes]
    data = contributions(table, summary).assign(block="", label=labels, quantity="average contribution")
    return ordered_rows(data, _COLUMNS, -data["contribution"], np.arange(len(data)))


def caption(summary: Summary, data: pd.DataFrame) -> str:
    """What the plot shows: estimand, n, interval, test.

    Args:
        summary: The summary that the data come from.
        data: What :func:`prepare` returned, with at least one row.

    Returns:
        Sentences in plain text, without the name of the figure.
    """
    sentences = [
        f"Main effects on {summary.study.metric} in the study {summary.study.name} ({summary.study.design}): what the "
        "reference level of a factor contributes, averaged over all settings of the other factors in which both cells "
        f"exist, paired by seed ({seed_count(data['n'])}). Under interaction this is not what the factor contributes "
        "to the full network."
    ]
    stated = "Markers: mean; lines: {interval}. Verdicts: {test}; hollow: undecided."
    estimates = summary.answers.given["main_effects"]
    sentences.append(inference_sentences(estimates, data["low"], len(data), stated, "effect"))
    return " ".join([*sentences, *margin_sentence(summary)])


MAIN_EFFECTS = Figure(prepare, forest.draw, forest.compose, caption)
