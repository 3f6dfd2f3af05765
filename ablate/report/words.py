"""What the page says about a study in words and lists, put together from its plan, its runs and its checklist."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ablate.report.part import Part
from ablate.store import FAILED, FINISHED

if TYPE_CHECKING:
    from ablate.analysis import Summary

__all__ = ["Entry", "cards", "commands", "compute", "headline", "methods", "settings", "versions"]

Entry = tuple[str, str]
"""A term and what it stands for."""

_VERDICTS = {
    "helps": "earns its place",
    "hurts": "does harm",
    "no effect": "has no effect that matters",
    "dispensable": "is dispensable",
    "undecided": "is undecided",
}
_PLURALS = {
    "helps": "earn their place",
    "hurts": "do harm",
    "no effect": "have no effect that matters",
    "dispensable": "are dispensable",
    "undecided": "are undecided",
}
_GROUPS = {"data": "Data", "model": "Network", "train": "Training"}


def headline(summary: Summary) -> str:
    """The verdicts in one sentence.

    Example:
        >>> import pandas as pd
        >>> from types import SimpleNamespace
        >>> effects = pd.DataFrame({"verdict": ["helps", "undecided", "undecided"], "n": 3})
        >>> headline(SimpleNamespace(effects=effects))
        'Of 3 changes to the reference, 1 shows a part that earns its place, 2 are undecided.'
    """
    counts = Counter(summary.effects["verdict"])
    if not (summary.effects["n"] > 0).any():
        return "There is nothing to compare yet."
    total = sum(counts.values())
    said = []
    for verdict, words in _VERDICTS.items():
        if (count := counts[verdict]) == 0:
            continue
        if verdict == "undecided":
            said.append(f"{count} {'is' if count == 1 else 'are'} undecided")
        else:
            part = f"shows a part that {words}" if count == 1 else f"show parts that {_PLURALS[verdict]}"
            said.append(f"{count} {part}")
    return f"Of {total} change{'' if total == 1 else 's'} to the reference, {', '.join(said)}."


def methods(summary: Summary, items: Mapping[str, str]) -> str:
    """The paragraph of methods for a paper.

    Args:
        summary: The summary.
        items: The checklist of the study, see :func:`ablate.analysis.checklist`.
    """
    study, plan = summary.study, summary.plan
    factors = ", ".join(factor.name for factor in plan.factors if not factor.block)
    blocks = ", ".join(factor.name for factor in plan.factors if factor.block)
    better = "larger" if study.direction == "max" else "smaller"
    sentences = [
        f"We compared {len(plan.cells)} configurations of {factors} (design: {study.design.replace('_', ' ')}) by "
        f"{study.metric.replace('_', ' ')} ({better} is better).",
        *([f"Configurations were compared within each level of {blocks} only."] if blocks else []),
        items["seeds"],
        "Every configuration was trained with the same seeds, and each was compared with the reference by the "
        "difference within a seed.",
        f"Intervals are {items['error bars']}",
        items["test"],
        *([f"Margin of equivalence: {items['margin']}"] if study.margin is not None else []),
        items["failures"],
    ]
    return " ".join(sentence.strip() for sentence in sentences)


def cards(part: Part) -> list[tuple[str, list[Entry]]]:
    """What was trained on what: a title and entries for the data, the network and the training."""
    reference = part.record.reference
    check = part.record.checks.get("full", {})
    found = []
    for group, title in _GROUPS.items():
        values = reference.get(group)
        if isinstance(values, Mapping):
            found.append((title, list(_flat(values))))
    told = [
        (name.replace("_", " "), _value(check[name]))
        for name in ("input_shape", "classes", "weights")
        if check.get(name) is not None
    ]
    sites = check.get("sites")
    if isinstance(sites, Mapping):
        present = [f"{name} ({count})" for name, count in sites.items() if count]
        told.append(("ingredients and how often", ", ".join(present) or "none"))
    if check.get("absent"):
        told.append(("not in this network", ", ".join(map(str, check["absent"]))))
    if told:
        found.append(("Found before the first run", told))
    return found


def settings(part: Part) -> list[Entry]:
    """The reference configuration beside what the cards show, key by key."""
    rest = {name: value for name, value in part.record.reference.items() if name not in _GROUPS}
    return list(_flat(rest))


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[Entry]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        elif value is not None and value != {} and value != []:
            yield f"{prefix}{name}", _value(value)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return (
            " × ".join(map(str, value)) if all(isinstance(item, int) for item in value) else ", ".join(map(str, value))
        )
    return f"{value:,}" if isinstance(value, int) and value > 9999 else str(value)


def commands(part: Part) -> list[str]:
    """The commands that made the study, and the one that writes this page again."""
    made = []
    for event in part.record.history:
        words = [str(word) for word in event.get("command", ())]
        if words[:1] == ["ablate.run"]:
            made.append("ablate.run(...)  # called from Python")
        elif words:
            made.append(f"{_program(event)} {shlex.join(words)}")
    return [*made, f"ablate report {shlex.quote(part.folder.name)}"]


def _program(event: Mapping[str, Any]) -> str:
    task = event.get("task")
    task = task if isinstance(task, Mapping) else {}
    module, file = str(task.get("module") or "ablate"), str(task.get("file") or "")
    if module.startswith("ablate"):
        return "python -m ablate"
    return f"python {shlex.quote(file.rpartition('/')[2] or module)}"


def versions(summary: Summary) -> list[Entry]:
    """With which versions the runs were made; several where they differ."""
    names = ("python", "backend", "tensorflow", "keras", "torch", "jax", "scikit-learn", "numpy", "code")
    found = []
    for name in names:
        if name in summary.runs.columns:
            values = sorted({str(value) for value in summary.runs[name].dropna()})
            if values:
                found.append((name, " and ".join(values)))
    return found


def compute(part: Part) -> list[Entry]:
    """How long the runs took, failed ones included."""
    from ablate.formatting import duration

    took = {FINISHED: [0.0, 0], FAILED: [0.0, 0]}
    for status in part.statuses.values():
        if status.state in took and status.started is not None and status.ended is not None:
            took[status.state][0] += status.ended - status.started
            took[status.state][1] += 1
    total = sum(seconds for seconds, _ in took.values())
    hosts = {status.host for status in part.statuses.values() if status.host}
    found = [("all runs", f"{duration(total)} in {sum(int(count) for _, count in took.values())} runs")]
    if took[FAILED][1]:
        found.append(("of these failed", f"{duration(took[FAILED][0])} in {int(took[FAILED][1])} runs"))
    if hosts:
        found.append(("machines", str(len(hosts))))
    return found
