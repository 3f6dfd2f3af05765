"""What a report must disclose, filled in as far as the data tell."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from ablate.analysis.conduct import Conduct, declaration_sentence, retry_sentence, seeds_sentence
from ablate.analysis.estimates import several
from ablate.analysis.growth import levels_of
from ablate.analysis.intervals import LEVEL
from ablate.analysis.observations import metrics_of
from ablate.analysis.summary import Summary
from ablate.analysis.verdicts import ALPHA, adjusted_over
from ablate.formatting import better_direction, enumeration, fixed, percent, plural, seed_count, typographic

_ASKED = "To be stated"


def checklist(
    summary: Summary, statements: Mapping[str, str] | None = None, conduct: Conduct | None = None
) -> dict[str, str]:
    """The items that the NeurIPS checklist asks for under "experiment statistical significance" and "compute".

    Args:
        summary: The summary of a study.
        statements: By item, what only the application knows of its runs; used where the data do not answer it, or
            for a further item.
        conduct: How the study came about; None where that is not recorded.

    Returns:
        One sentence per item. An item that neither the data nor ``statements`` answer begins with ``"To be stated"``.
    """
    study, effects = summary.study, summary.effects
    rule, conduct = summary.rule, conduct or Conduct()
    is_late = conduct.is_adopted and not conduct.first_plans
    looks = "" if rule is None else " (valid at any look)"
    seeds = (
        seeds_sentence(conduct, summary.plan)
        if rule is None
        else f"3 to {rule.max_seeds} seeds, a look after each (Wang-Tsiatis boundary, shape 0.25) until decided."
    )
    margin = (
        f"{study.margin:g} in units of {study.metric}, declared {_moment(conduct)}."
        if study.margin is not None
        else "None declared: no effect is called negligible."
    )
    counts = [int(n) for n in effects["n"]]
    items = {
        "design": f"{study.design}: {len(summary.plan.cells)} cells, {plural(len(effects), 'comparison')}.",
        "declared": declaration_sentence(conduct, summary.plan),
        "primary metric": f"{study.metric}, {better_direction(study.direction)}.",
        "seeds": seeds + (f" {_differences(summary)}: {seed_count(counts, summary.counted)}." if counts else ""),
        "error bars": f"{percent(LEVEL)} {several(summary.interval_name)}{looks} of the {_difference(summary)}, "
        "unadjusted.",
        "assumptions": _assumptions(summary),
        "test": f"{summary.test_name.capitalize()}, {adjusted_over(summary.correction, len(effects))}, "
        f"alpha = {ALPHA:g}.{_growth(summary, conduct)}",
        "margin": margin,
        "sources of variability": "To be stated: what the seed draws (initialisation, order, augmentation, split).",
        "pairing": _pairing(summary),
        "failures": _failures(summary, conduct, is_late),
        "convergence": _convergence(summary.convergence),
        "epoch selection": "To be stated: the rule by which the reported epoch was chosen.",
        "compute": _compute(summary.runs),
        "versions": _versions(summary),
        "limitations": (
            f"{population_sentence(summary)} "
            "Each effect is conditional on the other ingredients of its reference, on the data and on the training "
            "budget; ingredients dispensable one by one may be needed together."
        ),
    }
    stated = {item: text for item, text in (statements or {}).items() if items.get(item, _ASKED).startswith(_ASKED)}
    return {**items, **stated}


def _moment(conduct: Conduct) -> str:
    """When the margin was declared."""
    if conduct.is_comparison:
        return "before the runs of each study"
    if conduct.is_adopted:
        return "after runs that were adopted" if conduct.first_plans else "after the runs, when they were adopted"
    return "before the runs" if conduct.first_plans else "with the plan"


def _growth(summary: Summary, conduct: Conduct) -> str:
    """What verdicts after the first look had to be tested at, where seeds were added to results."""
    levels = () if summary.rule is not None else levels_of(conduct.looks, len(summary.study.seeds))
    if not levels:
        return ""
    counts, shares = (enumeration([f"{each:g}" for each in column]) for column in zip(*levels, strict=True))
    return f" Results were seen at {counts} seeds, where claims were tested at {shares} times alpha."


def population_sentence(summary: Summary) -> str:
    """Over what intervals and tests are, and on which data."""
    ratio = summary.study.resplit
    if ratio is None:
        return f"Intervals and tests are over {summary.counted}s,{summary.scope}."
    return (
        f"Intervals and tests are over seeds that each split one data set anew ({ratio:g} test examples for each "
        "training example, by the correction of Nadeau and Bengio)."
    )


def _difference(summary: Summary) -> str:
    return "paired difference" if summary.are_paired.all() else "difference"


def _differences(summary: Summary) -> str:
    return f"{_difference(summary).capitalize()}s"


def _assumptions(summary: Summary) -> str:
    robustness = summary.robustness
    text = "Differences independent between seeds and roughly normal"
    if not summary.study.paired:
        return "Runs independent of each other and roughly normal in each cell, with spreads that may differ."
    if not len(robustness):
        return f"{text}; no effect to check."
    skewed = [str(cell) for cell in robustness.loc[robustness["skewed"].astype(bool), "cell"]]
    also_given = "Sign-flip and Welch p values" if summary.study.resplit is None else "Corrected Welch p values"
    return f"{text}; skewed: {', '.join(skewed) if skewed else 'none flagged'}. {also_given} beside."


def _pairing(summary: Summary) -> str:
    robustness = summary.robustness
    if not summary.study.paired:
        return "None: runs of different cells share nothing that is recorded."
    correlations = [float(value) for value in robustness["correlation"].dropna()] if len(robustness) else []
    if not correlations:
        return "Correlation of paired runs not measurable with so few seeds."
    low, high = (typographic(fixed(value, 2)) for value in (min(correlations), max(correlations)))
    return f"Measured correlation of paired runs {low} to {high}."


def _failures(summary: Summary, conduct: Conduct, is_late: bool) -> str:
    count = int((summary.runs["state"] == "failed").sum())
    unreadable = int((summary.runs["reason"] == "unreadable").sum())
    failures = summary.study.failures
    policies = {
        "drop": "their seeds are left out of the pairs concerned",
        "fail": "no result until they are repaired",
        "worst": "they count as " + ("the worst run of their block" if isinstance(failures, str) else f"{failures:g}"),
    }
    declared = policies[summary.study.failure_policy]
    damaged = f" Files of {plural(unreadable, 'run')} could not be read." if unreadable else ""
    retried = retry_sentence(conduct)
    if is_late:
        return f"{count} of {len(summary.runs)} runs have no result: {declared}.{damaged}{retried}"
    moment = "declared before the runs" if conduct.first_plans else "as set"
    return f"{count} of {len(summary.runs)} runs failed; {moment}: {declared}.{damaged}{retried}"


def _convergence(convergence: pd.DataFrame) -> str:
    if not len(convergence):
        return "No validation curves to judge by."
    improving = [str(cell) for cell in convergence.loc[convergence["improving"].astype(bool), "cell"]]
    metric = convergence["metric"].iloc[0]
    if improving:
        return f"{metric} still improving at the end: {', '.join(improving)}."
    return f"{metric} had settled in all cells."


def _compute(runs: pd.DataFrame) -> str:
    if "seconds" not in runs.columns:
        return "To be stated: hardware and time of all runs, failed ones included."
    seconds = pd.to_numeric(runs["seconds"], errors="coerce").dropna()
    total = math.fsum(seconds)
    machines = sorted({str(name) for name in runs["hardware"].dropna()}) if "hardware" in runs.columns else []
    on = f"On {' and '.join(machines)}." if machines else f"{_ASKED}: hardware."
    return f"{total / 3600:.3g} hours in {len(seconds)} runs that report it, failed ones included. {on}"


def _versions(summary: Summary) -> str:
    runs = summary.runs
    timings = [index for index, name in enumerate(runs.columns) if str(name).startswith("seconds")]
    names = list(runs.columns[timings[-1] + 1 :]) if timings else []
    metric_names = set(metrics_of(runs, summary.plan))
    versions = []
    for name in names:
        values = sorted({str(value) for value in runs[name].dropna()})
        if name not in metric_names and values:
            versions.append(f"{name} {' and '.join(values)}")
    return ", ".join(versions) + "." if versions else f"{_ASKED}."
