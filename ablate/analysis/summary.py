"""The summary of a study: everything that tables, figures and the page show, computed once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from ablate.analysis.effects import best_cells, effects_frame, paired_effects, pairs_frame
from ablate.analysis.intervals import t_interval
from ablate.analysis.notes import notes_on
from ablate.analysis.observations import Observations, mean_of, observe, ordered
from ablate.study import Plan, Study

__all__ = ["CELL_MEASURES", "Summary", "summarise"]

CELL_MEASURES = ("n", "mean", "half", "low", "high", "best", "weights", "seconds", "failed")


@dataclass(frozen=True, eq=False)
class Summary:
    """What the runs of a study say.

    Args:
        plan: The plan, with the study.
        cells: A row a cell in the order of the plan: ``cell``, one column a factor (the level's label), ``n``
            finished seeds, ``mean`` of the metric and the ``half`` width, ``low`` and ``high`` end of its 95 % t
            interval, ``best`` (not separable from the best cell), mean number of ``weights``, mean ``seconds`` a run,
            number of ``failed`` runs. A factor that is called like one of these columns is shown as ``"n (factor)"``.
        effects: A row for every cell that has a reference to be compared with, see
            :data:`ablate.analysis.effects.EFFECT_COLUMNS`.
        pairs: A row for every cell and seed shared with its reference: ``cell``, ``seed``, ``reference``, ``value``,
            ``difference``.
        runs: All runs of planned cells, ordered by cell and seed.
        curves: Their curves, ordered by cell, seed and epoch.
        notes: What is missing, failed or excluded, a sentence each.
    """

    plan: Plan
    cells: pd.DataFrame
    effects: pd.DataFrame
    pairs: pd.DataFrame
    runs: pd.DataFrame
    curves: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def study(self) -> Study:
        """What the study asks."""
        return self.plan.study


def summarise(plan: Plan, runs: pd.DataFrame, curves: pd.DataFrame) -> Summary:
    """Summarise a study, finished or not.

    Args:
        plan: The plan of the study.
        runs: A row a run in any order: ``cell`` (label), ``seed``, ``state``, ``reason``, then metrics, timings whose
            names begin with ``seconds``, versions. Planned runs without a row count as waiting.
        curves: A row an epoch of a run: ``cell``, ``seed``, ``epoch`` from 1, then numbers; may be empty.

    Raises:
        AnalysisError: If columns are missing, a run has several rows, or finished runs lack the study's metric.

    Example:
        >>> from ablate.study import Factor, Level, make_plan
        >>> residual = Factor("residual", (Level("true"), Level("false")), "true")
        >>> plan = make_plan(Study("demo", "leave_one_out", (0, 1, 2), "score"), [residual])
        >>> rows = [("full", 0, 0.97), ("full", 1, 0.98), ("full", 2, 0.96),
        ...         ("w/o residual", 0, 0.95), ("w/o residual", 1, 0.95), ("w/o residual", 2, 0.94)]
        >>> runs = pd.DataFrame(rows, columns=["cell", "seed", "score"]).assign(state="finished", reason="")
        >>> summary = summarise(plan, runs, pd.DataFrame(columns=["cell", "seed", "epoch"]))
        >>> summary.effects[["cell", "n", "difference", "low", "high", "verdict"]].round(3).values.tolist()
        [['w/o residual', 3, -0.023, -0.038, -0.009, 'helps']]
    """
    table = ordered(runs, plan, ("seed",), ("state", "reason"))
    values = observe(table, plan)
    effects = paired_effects(values, plan)
    return Summary(
        plan=plan,
        cells=_cells_frame(plan, table, values),
        effects=effects_frame(effects, plan),
        pairs=pairs_frame(effects),
        runs=table,
        curves=ordered(curves, plan, ("seed", "epoch")),
        notes=notes_on(plan, runs, values, effects),
    )


def _cells_frame(plan: Plan, runs: pd.DataFrame, values: Observations) -> pd.DataFrame:
    weights, seconds = mean_of(runs, "weights"), mean_of(runs, "seconds")
    failed = runs.loc[runs["state"] == "failed", "cell"].value_counts()
    best = best_cells(values, plan)
    columns = {
        factor.name: f"{factor.name} (factor)" if factor.name in ("cell", *CELL_MEASURES) else factor.name
        for factor in plan.factors
    }
    rows = []
    for cell in plan.cells:
        score = t_interval(list(values[cell.label].values()))
        measures = (
            score.n,
            score.mean,
            score.half,
            score.low,
            score.high,
            cell.label in best,
            weights.get(cell.label, math.nan),
            seconds.get(cell.label, math.nan),
            int(failed.get(cell.label, 0)),
        )
        rows.append((cell.label, *(cell.levels[name] for name in columns), *measures))
    return pd.DataFrame(rows, columns=["cell", *columns.values(), *CELL_MEASURES])
