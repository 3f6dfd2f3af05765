"""Whether a command is about the study that its folder holds, and what to type where it is not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.errors import StoreError
from ablate.store import StudyFolder
from ablate.store.records import StudyRecord
from ablate.study import Factor, Plan, Study
from ablate.study.setting import written
from ablate.study.settings import AUTO
from ablate.sweep.identity import ABSENT, difference_lines, differences
from ablate.sweep.study_names import check_siblings, free_name

_MOST_KEYS = 5
_TO_GO_ON = "To go on with it, let these have the values it has."
_PLAIN = re.compile(r"[\w./:@%+-]+(,[\w./:@%+-]+)*|\[[\w./:@%+,-]*\]")
"""Values that are typed as they are, in a shell and in Hydra's grammar."""
_DATE = re.compile(r"\d{4}[-_./]?\d\d[-_./]?\d\d|\d\d[-_:]\d\d[-_:]\d\d")
_LABELS = re.compile(
    r"(^|_)(comments?|description|dir(ectory)?|entity|folder|host|id|log(ger|ging)?|notes?|path|project|tags?|time(stamp)?"
    r"|date|user|uuid|verbos(e|ity)|workers)$|^(run|exp|experiment|job|task|project)_?name$"
)
"""Last parts of keys that usually say where a run is or what it is called."""


@dataclass(frozen=True)
class Spelling:
    """How a command names a study and its settings, for messages that say what to type.

    Args:
        section: What stands before a setting, such as ``study``; empty for arguments of a Python function.
        fixed: The overrides that hold for every run, as they were typed.
        by_path: Whether the command names the study's folder itself (``hydra.sweep.dir``), which has precedence.
    """

    section: str = "study"
    fixed: Sequence[str] = ()
    by_path: bool = False

    def setting(self, key: str, value: object) -> str:
        """A setting as it is typed."""
        if not self.section:
            return f"{key}={value!r}"
        return f"{self.section}.{key}={written(value)}"

    def named(self, folder: StudyFolder, name: str) -> str:
        """What gives a study that name, beside the one that a folder holds."""
        if self.by_path:
            return f"hydra.sweep.dir={folder.path.parent / name}"
        return self.setting("name", name)


def check_same_study(
    folder: StudyFolder,
    old: StudyRecord | None,
    plan: Plan,
    reference: Mapping[str, Any],
    spelling: Spelling = Spelling(),
) -> None:
    """Refuse a plan that is not about the study that a folder holds.

    Args:
        folder: The study's folder.
        old: What it holds, or None.
        plan: What the command asks for.
        reference: The unswept configuration.
        spelling: How the command names things.

    Raises:
        StoreError: If the folder holds a study with another reference, metric, direction, margin or policy for
            failed runs; the message has the difference key by key, and what to type to go on with that study, to
            compare both values, or to begin another one. If it is a new study, see
            :func:`~ablate.sweep.study_names.check_siblings`.
    """
    if old is None:
        check_siblings(folder)
        return
    changed = differences(old.reference, reference)
    declared = dict(_declared(folder, old, plan))
    levels = _changed_levels(old.plan.factors, plan.factors)
    if not changed and not declared and not levels:
        return
    prefix = f"{spelling.section}." if spelling.section else ""
    faults = [
        *difference_lines(old.reference, reference),
        *(f"{prefix}{key}: {written(was)} -> {written(now)}" for key, (was, now) in declared.items()),
        *levels,
    ]
    advice = [_TO_GO_ON if levels else _to_go_on(old.reference, changed, declared, spelling)]
    if len(changed) == 1 and not declared and not levels and spelling.section:
        advice += _to_compare(folder, changed, spelling)
    advice.append(f"For a study of its own: {spelling.named(folder, free_name(folder))}.")
    if spelling.section and (labels := [key for key, pair in changed.items() if _is_label(key, *pair)]):
        ignore = spelling.setting("ignore", labels)
        advice.append(
            f"If {', '.join(labels)} changes no result, a study that takes any value of it: {ignore} "
            f"{spelling.named(folder, free_name(folder))}."
        )
    raise StoreError(
        "\n".join([f"The folder '{folder.path}' holds another study:", *(f"  {line}" for line in faults), *advice])
    )


def _changed_levels(old: Sequence[Factor], new: Sequence[Factor]) -> list[str]:
    """A line for each level with a name of its own that stands for something else than before."""
    before = {(factor.name, level.label): level.overrides for factor in old for level in factor.levels}
    return [
        f"{factor.name}={level.label}: {' '.join(earlier)} -> {' '.join(level.overrides)}"
        for factor in new
        for level in factor.levels
        # A level that sets its own key alone is what its label says.
        if (earlier := before.get((factor.name, level.label))) and max(len(earlier), len(level.overrides)) > 1
        if earlier != level.overrides
    ]


def reported_metrics(folder: StudyFolder, record: StudyRecord) -> Iterator[Mapping[str, float]]:
    """The metrics of each finished run of a study."""
    results = (folder.run(run).result() for run in record.runs)
    return (result.metrics for result in results if result is not None)


def _declared(folder: StudyFolder, old: StudyRecord, plan: Plan) -> Iterator[tuple[str, tuple[object, object]]]:
    """The declarations in which a plan differs from a study, each with both values as they are typed."""
    before, now = old.plan.study, plan.study
    keys = ("metric", *(("direction",) if old.direction_source == "declared" else ()), "margin", "failures", "resplit")
    for key in keys:
        was, is_now = getattr(before, key), getattr(now, key)
        # A metric that no run reports was mistyped, and may be corrected.
        is_mistyped = key == "metric" and not any(was in metrics for metrics in reported_metrics(folder, old))
        if was != is_now and not is_mistyped:
            yield key, (was, is_now)
    # Under the sequential rule the greatest number of seeds is part of what was declared.
    if (before.sequential or now.sequential) and (before.sequential, before.seeds) != (now.sequential, now.seeds):
        if before.sequential and now.sequential and len(before.seeds) != len(now.seeds):
            yield "max_seeds", (len(before.seeds), len(now.seeds))
        else:
            yield "seeds", (_typed_seeds(before), _typed_seeds(now))


def _typed_seeds(study: Study) -> object:
    return AUTO if study.sequential else list(study.seeds)


def _to_go_on(
    reference: Mapping[str, Any],
    changed: Mapping[str, tuple[object, object]],
    declared: Mapping[str, tuple[object, object]],
    spelling: Spelling,
) -> str:
    """What makes a command one of the study that is there."""
    if not spelling.section or len(changed) + len(declared) > _MOST_KEYS:
        return _TO_GO_ON
    dropped: list[str] = []
    lines: list[str] = []
    for key, (was, now) in changed.items():
        typed = [line for line in spelling.fixed if _sets(line, key)]
        dropped += typed
        if not typed:
            lines += _override(reference, key, was, now)
    lines += [spelling.setting(key, was) for key, (was, _) in declared.items()]
    if any(not _PLAIN.fullmatch(line.partition("=")[2]) for line in lines if "=" in line):
        return _TO_GO_ON
    parts = [f"without {' '.join(dict.fromkeys(dropped))}"] if dropped else []
    parts += [f"with {' '.join(dict.fromkeys(lines))}"] if lines else []
    return f"To go on with it, the same command {' and '.join(parts)}."


def _to_compare(folder: StudyFolder, changed: Mapping[str, tuple[object, object]], spelling: Spelling) -> Iterator[str]:
    """What makes a factor of the only key in which a command differs."""
    ((key, (was, now)),) = changed.items()
    if not (_is_level(was) and _is_level(now)):
        return
    levels = f"{key}={written(was)},{written(now)}"
    if typed := [line for line in spelling.fixed if line == f"{key}={written(now)}"]:
        yield f"To compare both in it: {levels} {spelling.named(folder, folder.name)} instead of {typed[0]}."
    else:  # the configuration's own value is the reference, which is another one than that of this study
        yield f"To compare both: {levels} {spelling.named(folder, free_name(folder))}."


def _override(reference: Mapping[str, Any], key: str, was: object, now: object) -> Iterator[str]:
    """The override that gives a key the value that it had; none where those of the keys below it suffice."""
    if was is not ABSENT:
        yield f"{'+' if now is ABSENT else ''}{key}={written(was)}"
        return
    values: Any = reference
    parts = key.split(".")
    for number, part in enumerate(parts, 1):
        if part not in values:
            yield f"~{'.'.join(parts[:number])}"  # with the mapping around it, where that is new, too
            return
        values = values[part]


def _sets(line: str, key: str) -> bool:
    """Whether a typed override may have set a key: its value, a mapping around it, or a config group of that name."""
    name = line.lstrip("+~").partition("=")[0].partition("@")[0].replace("/", ".")
    return f"{key}.".startswith(f"{name}.")


def _is_level(value: object) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and _PLAIN.fullmatch(value) is not None)


def _is_label(key: str, was: object, now: object) -> bool:
    """Whether a key seems to say where or when a run is, or what it is called, and nothing of what it does."""
    dated = all(isinstance(value, str) and _DATE.search(value) for value in (was, now))
    return dated or _LABELS.search(key.rpartition(".")[2].lower()) is not None
