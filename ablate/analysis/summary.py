"""The summary of a study: everything that tables, figures and the page show, computed once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from ablate.analysis.answers import Answers, answers
from ablate.analysis.boundary import SequentialRule
from ablate.analysis.checks import convergence
from ablate.analysis.comparisons import best_cells
from ablate.analysis.curves import counted_curves
from ablate.analysis.decisions import MODERATED, NAMES, SIGN_FLIP, WELCH, T
from ablate.analysis.effects import effects_frame, paired_effects, pairs_frame
from ablate.analysis.estimates import name_of_interval, name_of_test
from ablate.analysis.intervals import t_interval, truncated
from ablate.analysis.notes import notes_on
from ablate.analysis.observations import Observations, blocks_of, fill, lost_seeds, mean_of, observe, ordered
from ablate.analysis.resplit import corrected, scope
from ablate.analysis.robustness import robustness_frame
from ablate.analysis.rounds import Round, read_values, round_of
from ablate.analysis.sentences import sentence
from ablate.analysis.verdicts import correction_of
from ablate.study import Plan, Study
from ablate.study.metric import share_top


def no_confusions() -> pd.DataFrame:
    """The table of a study whose runs do not say which classes they confuse."""
    kinds = {"cell": "str", "seed": "int64", "class": "str", "predicted": "str", "images": "int64"}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})


@dataclass(frozen=True, eq=False)
class Summary:
    """What the runs of a study say.

    Args:
        plan: The plan, with the study.
        cells: One row per cell in the order of the plan: ``cell``, one column per factor (the level's label), ``n``
            finished seeds, ``mean`` of the metric and the ``half`` width, ``low`` and ``high`` end of its 95% t
            interval (of a share they end at its bounds, which ``half`` does not), ``best`` (not separable from the best
            cell), mean number of ``weights``, mean ``seconds`` a run, number of ``failed`` runs. A factor that has the
            name of one of these columns is shown as ``"n (factor)"``.
        effects: A row for every cell that has a reference to be compared with, see
            :data:`ablate.analysis.effects.EFFECT_COLUMNS`.
        pairs: A row for every cell and seed shared with its reference: ``cell``, ``seed``, ``reference``, ``value``,
            ``difference``.
        runs: All runs of planned cells, ordered by cell and seed.
        read_curves: Returns :attr:`curves`. Deferred, because they can be a million rows that many commands do not
            need.
        notes: What is missing, failed or excluded, a sentence each.
        values: The metric by cell label and seed, as analysed: failed runs count as declared, unread runs are left out.
        robustness: How much each effect rests on the assumptions of the t test, see
            :func:`ablate.analysis.robustness.robustness_frame`.
        sentences: By cell label, the effect as a sentence for a paper.
        convergence: How much cells still gained at the end of training, see
            :data:`ablate.analysis.checks.CONVERGENCE_COLUMNS`.
        round: The state of the study under the sequential rule; None where the seeds were fixed.
        costs: One row per cell whose network was measured, in the order of the plan: ``cell``, ``weights``, ``flops``
            of one image, ``activations`` (numbers handed on for one image), ``latency`` (seconds of a forward pass of
            ``batch`` images), ``step`` (seconds of a training step), and for each of these but ``batch`` a column
            ``<name>_ratio`` to the reference cell, of times the median within rounds. No rows where nothing was.
        read_confusions: Returns a row for each run and pair of classes: ``cell``, ``seed``, ``class``, ``predicted``,
            ``images``. Deferred, since few commands need them.
    """

    plan: Plan
    cells: pd.DataFrame
    effects: pd.DataFrame
    pairs: pd.DataFrame
    runs: pd.DataFrame
    read_curves: Callable[[], pd.DataFrame]
    notes: tuple[str, ...]
    values: Observations = field(default_factory=dict)
    robustness: pd.DataFrame = field(default_factory=pd.DataFrame)
    sentences: Mapping[str, str] = field(default_factory=dict)
    convergence: pd.DataFrame = field(default_factory=pd.DataFrame)
    round: Round | None = None
    costs: pd.DataFrame = field(default_factory=pd.DataFrame)
    read_confusions: Callable[[], pd.DataFrame] = no_confusions

    @cached_property
    def confusions(self) -> pd.DataFrame:
        """How often the runs that count took images of each class for which; read when they are first used."""
        return counted_curves(self.read_confusions(), self.runs, self.plan, self.round)

    @cached_property
    def curves(self) -> pd.DataFrame:
        """The curves of the runs, ordered by cell, seed and epoch; read when they are first used."""
        return self.read_curves()

    @cached_property
    def answers(self) -> Answers:
        """The answers to further questions, computed when they are first used."""
        return answers(self.plan, self.values, self.rule)

    @cached_property
    def counted_curves(self) -> pd.DataFrame:
        """The curves of the runs that count; see :func:`ablate.analysis.curves.counted_curves`."""
        return counted_curves(self.curves, self.runs, self.plan, self.round)

    @property
    def rule(self) -> SequentialRule | None:
        """The sequential rule under which the seeds were taken; None where their number was fixed."""
        return None if self.round is None else self.round.state.rule

    @property
    def scope(self) -> str:
        """Of which data its verdicts speak, see :func:`ablate.analysis.resplit.scope`."""
        return scope(self.study.resplit, len(blocks_of(self.plan)))

    @property
    def interval_name(self) -> str:
        """What the intervals of differences are."""
        if self.rule is None and SIGN_FLIP in self.tests:
            return "t interval or sign-flip interval" if len(self.tests) > 1 else "sign-flip interval"
        return name_of_interval(self.rule)

    @property
    def test_name(self) -> str:
        """What the p values of differences are of."""
        return name_of_test(self.rule, " or ".join(NAMES[test] for test in self.tests))

    @property
    def tests(self) -> tuple[str, ...]:
        """The tests that the p values of differences are of, see :data:`ablate.analysis.decisions.NAMES`.

        Before there is any, the one that is to be expected.
        """
        used = set(self.effects.loc[self.effects["p"].notna(), "test"])
        return tuple(test for test in NAMES if test in used) or (T if self.study.paired else WELCH,)

    @property
    def is_moderated(self) -> bool:
        """Whether any variance was estimated together with those of other cells."""
        return MODERATED in self.tests

    @property
    def correction(self) -> str:
        """How p values are adjusted, see :func:`ablate.analysis.verdicts.correction_of`."""
        return correction_of(self.study.margin, self.is_moderated)

    @property
    def are_paired(self) -> pd.Series:
        """By effect, whether the runs that it compares form pairs."""
        return self.effects["paired"].astype(bool) if len(self.effects) else pd.Series([self.study.paired])

    @property
    def counted(self) -> str:
        """What numbers ``n`` of effects count: seeds, or runs where these form no pairs."""
        return "seed" if self.study.paired else "run"

    @property
    def pairing(self) -> str:
        """How runs are compared, as captions say it."""
        paired = self.are_paired
        if paired.all():
            return "paired by seed"
        return "without pairing" if not paired.any() else "paired by seed where runs share one"

    @property
    def study(self) -> Study:
        """What the study asks."""
        return self.plan.study


def summarise(
    plan: Plan,
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    rule: SequentialRule | None = None,
    looks: Sequence[int] = (),
) -> Summary:
    """Summarise a study, finished or not.

    Args:
        plan: The plan of the study.
        runs: One row per run in any order: ``cell`` (label), ``seed``, ``state``, ``reason``, then metrics, timings
            whose names begin with ``seconds``, versions. Planned runs without a row count as waiting.
        curves: One row per epoch of a run: ``cell``, ``seed``, ``epoch`` from 1, then numbers; may be empty.
        rule: The sequential rule under which the study took its seeds; None where their number was fixed.
        looks: Numbers of seeds at which a study of fixed seeds had results before it grew, see
            :attr:`ablate.analysis.conduct.Conduct.looks`; what is claimed after them must be the surer.

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
    values = fill(observe(table, plan), table, plan)
    lost = lost_seeds(table, values)
    round = None if rule is None else round_of(plan, table, values, rule)
    if round is not None:
        values = read_values(plan, values, round.read)
    state = None if round is None else round.state
    effects = paired_effects(values, plan, state, lost, looks)
    robustness = robustness_frame(effects, plan.study.resplit)
    rows = ordered(curves, plan, ("seed", "epoch"))
    gains = convergence(counted_curves(rows, table, plan, round), plan)
    return Summary(
        plan=plan,
        cells=_cells_frame(plan, table, values),
        effects=effects_frame(effects, plan),
        pairs=pairs_frame(effects),
        runs=table,
        read_curves=lambda: rows,
        notes=notes_on(plan, table, len(runs) - len(table), values, effects, robustness, gains, round, looks),
        values=values,
        robustness=robustness,
        sentences={effect.cell.label: sentence(effect, plan, len(effects), state) for effect in effects},
        convergence=gains,
        round=round,
    )


def _cells_frame(plan: Plan, runs: pd.DataFrame, values: Observations) -> pd.DataFrame:
    weights, seconds = mean_of(runs, "weights"), mean_of(runs, "seconds")
    failed = runs.loc[runs["state"] == "failed", "cell"].value_counts()
    best = best_cells(values, plan)
    top = share_top(plan.study.metric, (value for by_seed in values.values() for value in by_seed.values()))
    rows = []
    for cell in plan.cells:
        score = truncated(corrected(t_interval(list(values[cell.label].values())), plan.study.resplit or 0.0), top)
        measures = {
            "n": score.n,
            "mean": score.mean,
            "half": score.half,
            "low": score.low,
            "high": score.high,
            "best": cell.label in best,
            "weights": weights.get(cell.label, math.nan),
            "seconds": seconds.get(cell.label, math.nan),
            "failed": int(failed.get(cell.label, 0)),
        }
        levels = {
            f"{name} (factor)" if name in ("cell", *measures) else name: level for name, level in cell.levels.items()
        }
        rows.append({"cell": cell.label, **levels, **measures})
    return pd.DataFrame(rows)
