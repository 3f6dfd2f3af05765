"""The sentences and lists of a study's page: its verdicts, methods, configuration, commands and environment."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ablate.formatting import better_direction, count, duration, enumeration, plural
from ablate.report.provenance import VERSIONS
from ablate.store import FAILED, FINISHED
from ablate.store.fingerprints import version_column

if TYPE_CHECKING:
    from ablate.analysis import Conduct, Summary
    from ablate.store.snapshot import Snapshot

Entry = tuple[str, str]
"""A line of a list on the page: what it is about, and the text."""

# What one cell with a verdict shows, and what several do.
_VERDICTS = {
    "helps": ("shows a part that earns its place", "show parts that earn their place"),
    "helps, below the margin": (
        "shows a part that helps by less than the margin",
        "show parts that help by less than the margin",
    ),
    "hurts": ("shows a part that does harm", "show parts that do harm"),
    "hurts, below the margin": (
        "shows a part that does harm by less than the margin",
        "show parts that do harm by less than the margin",
    ),
    "no effect": ("shows a part that has no effect that matters", "show parts that have no effect that matters"),
    "dispensable": ("shows a part that is dispensable", "show parts that are dispensable"),
    "better": ("is a better level", "are better levels"),
    "better, below the margin": (
        "is a level that is better by less than the margin",
        "are levels that are better by less than the margin",
    ),
    "worse": ("is a worse level", "are worse levels"),
    "worse, below the margin": (
        "is a level that is worse by less than the margin",
        "are levels that are worse by less than the margin",
    ),
    "no difference": (
        "is a level that makes no difference that matters",
        "are levels that make no difference that matters",
    ),
    "not worse": ("is a level that is not worse by the margin", "are levels that are not worse by the margin"),
    "undecided": ("is undecided", "are undecided"),
}
# The groups of the configuration that have a card, and its title.
_GROUPS = {"data": "Data", "model": "Network", "train": "Training"}


def headline(summary: Summary) -> str:
    """How many cells have each verdict, as a sentence.

    Example:
        >>> import pandas as pd
        >>> from types import SimpleNamespace
        >>> effects = pd.DataFrame({"verdict": ["helps", "undecided", "undecided"], "n": 3})
        >>> headline(SimpleNamespace(effects=effects, scope=" on this test set"))
        'Of 3 changes to the reference on this test set, 1 shows a part that earns its place, 2 are undecided.'
    """
    if not (summary.effects["n"] > 0).any():
        return "There is nothing to compare yet."
    counts = Counter(summary.effects["verdict"])
    phrases = [
        f"{number} {singular if number == 1 else several}"
        for verdict, (singular, several) in _VERDICTS.items()
        if (number := counts[verdict])
    ]
    return f"Of {plural(counts.total(), 'change')} to the reference{summary.scope}, {', '.join(phrases)}."


def methods_paragraph(summary: Summary, items: Mapping[str, str], conduct: Conduct) -> str:
    """The paragraph on methods for a paper.

    Args:
        summary: The summary.
        items: The checklist of the study, see :func:`ablate.analysis.checklist`.
        conduct: How the study came about.
    """
    from ablate.analysis.checklist import population_sentence
    from ablate.analysis.conduct import pairing_sentence

    study, plan = summary.study, summary.plan
    factors = ", ".join(factor.name for factor in plan.factors if not factor.block)
    blocks = ", ".join(factor.name for factor in plan.factors if factor.block)
    sentences = [
        f"We compared {len(plan.cells)} configurations of {factors} (design: {study.design.replace('_', ' ')}) by "
        f"{study.metric.replace('_', ' ')} ({better_direction(study.direction)}).",
        *([f"Configurations were compared within each level of {blocks} only."] if blocks else []),
        items["seeds"],
        *([f"Results are those of other tools ({enumeration(conduct.sources)})."] if conduct.is_adopted else []),
        pairing_sentence(conduct, plan, summary.are_paired.tolist()),
        population_sentence(summary),
        f"Intervals are {items['error bars']}",
        items["test"],
        *([f"Margin of equivalence: {items['margin']}"] if study.margin is not None else []),
        items["failures"],
    ]
    return " ".join(sentence.strip() for sentence in sentences)


def setup_cards(snapshot: Snapshot) -> list[tuple[str, list[Entry]]]:
    """The cards of the setup, each a title and entries: data, network, training, and what was checked beforehand."""
    reference, checks = snapshot.record.reference, snapshot.record.checks.get("full", {})
    groups = [
        (title, list(_flattened(values)))
        for group, title in _GROUPS.items()
        if isinstance(values := reference.get(group), Mapping)
    ]
    checked = [
        (name.replace("_", " "), _value(checks[name]))
        for name in ("input_shape", "classes", "weights")
        if checks.get(name) is not None
    ]
    if isinstance(sites := checks.get("sites"), Mapping):
        present = [f"{name} ({number})" for name, number in sites.items() if number]
        checked.append(("ingredients and how often", ", ".join(present) or "none"))
    if isinstance(inaccessible := checks.get("inaccessible"), Mapping) and inaccessible:
        texts = [f"{name}: {places}" for name, places in inaccessible.items()]
        checked.append(("inside layers of your own, not removable", "; ".join(texts)))
    if checks.get("absent"):
        checked.append(("nothing to remove of", ", ".join(map(str, checks["absent"]))))
    return [*groups, ("Checked before the first run", checked)] if checked else groups


def other_keys(snapshot: Snapshot) -> list[Entry]:
    """The keys of the reference configuration that the cards do not show."""
    return list(_flattened({name: value for name, value in snapshot.record.reference.items() if name not in _GROUPS}))


def _flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[Entry]:
    """The keys of a nested configuration with dots, each with its value; what is None or empty is left out."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flattened(value, f"{prefix}{name}.")
        elif value is not None and value != {} and value != []:
            yield f"{prefix}{name}", _value(value)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return (" × " if all(isinstance(item, int) for item in value) else ", ").join(map(str, value))
    return count(value) if isinstance(value, int) and value > 9999 else str(value)


def commands(snapshot: Snapshot) -> list[str]:
    """The commands that made the study, and the one that writes this page again."""
    lines = []
    for event in snapshot.record.history:
        arguments = [str(argument) for argument in event.get("command", ())]
        if arguments[:1] == ["ablate.run"]:
            lines.append("ablate.run(...)  # called from Python")
        elif arguments:
            lines.append(f"{_program(event)} {shlex.join(arguments)}")
    return [*lines, f"ablate report {shlex.quote(snapshot.folder.name)}"]


def _program(event: Mapping[str, Any]) -> str:
    """How a command was called: our own application, or the script or module of the user's."""
    task = event.get("task")
    task = task if isinstance(task, Mapping) else {}
    module, file = str(task.get("module") or "ablate"), str(task.get("file") or "")
    if module.startswith("ablate"):
        return "python -m ablate"
    if package := str(task.get("package") or ""):
        return f"python -m {shlex.quote(package)}"
    return f"python {shlex.quote(file.rpartition('/')[2] or module)}"


def versions(summary: Summary) -> list[Entry]:
    """The versions that the runs used, by name; several values where runs differ."""
    return [
        (name, enumeration(values))
        for name in (*VERSIONS, *(name for name in summary.runs.columns if str(name).endswith(version_column(""))))
        if name in summary.runs.columns and (values := sorted({str(value) for value in summary.runs[name].dropna()}))
    ]


def compute_time(snapshot: Snapshot) -> list[Entry]:
    """How long finished and failed runs took, and on how many machines."""
    seconds: dict[str, list[float]] = {FINISHED: [], FAILED: []}
    for status in snapshot.statuses.values():
        if status.state in seconds and status.started is not None and status.ended is not None:
            seconds[status.state].append(status.ended - status.started)
    entries = [("all runs", _total(seconds[FINISHED] + seconds[FAILED]))]
    if seconds[FAILED]:
        entries.append(("of these failed", _total(seconds[FAILED])))
    if hosts := {status.host for status in snapshot.statuses.values() if status.host}:
        entries.append(("machines", str(len(hosts))))
    return entries


def _total(seconds: list[float]) -> str:
    return f"{duration(sum(seconds))} in {plural(len(seconds), 'run')}"
