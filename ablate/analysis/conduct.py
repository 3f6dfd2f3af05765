"""How a study came about, from the recorded events: what may be said of it in a paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.formatting import enumeration, plural
from ablate.study import Plan
from ablate.study.design import CONFIRMATION


@dataclass(frozen=True)
class Conduct:
    """How a study came about.

    Args:
        first_plan: The hash of the plan that was entered before the first run; empty where none was.
        seed_counts: How many seeds were planned before the first result, then after each time that seeds were added
            when results had been there.
        cells_added: Whether cells were added when results had been there.
        retried: How many runs that had failed were trained again.
        sources: Where adopted results come from; empty for runs of our own.
        parts: How many folders were merged; 0 where none were.
        first_plans: In a merged study, the hashes of the plans of its parts.
        is_comparison: Whether it puts several studies side by side.
    """

    first_plan: str = ""
    seed_counts: tuple[int, ...] = ()
    cells_added: bool = False
    retried: int = 0
    sources: tuple[str, ...] = ()
    parts: int = 0
    first_plans: tuple[str, ...] = ()
    is_comparison: bool = False

    @property
    def is_adopted(self) -> bool:
        """Whether any of the runs were made by other tools, before anything was declared here."""
        return bool(self.sources)

    @property
    def looks(self) -> tuple[int, ...]:
        """At which numbers of seeds results had been seen before the study was given more."""
        return self.seed_counts[:-1]

    @property
    def has_late_seeds(self) -> bool:
        """Whether seeds were added when results had been there."""
        return len(self.seed_counts) > 1


def conduct_of(history: Sequence[Mapping[str, Any]]) -> Conduct:
    """How a study came about.

    Args:
        history: The commands that made or enlarged it, see :class:`ablate.store.StudyRecord`.

    Example:
        >>> first = {"seeds": [0, 1, 2], "finished": 0, "declared": "a1"}
        >>> conduct_of([first, {"seeds": [0, 1, 2, 3, 4], "finished": 6, "declared": "b2"}]).seed_counts
        (3, 5)
        >>> conduct_of([{"adopted": "/logs", "source": "hydra", "seeds": [0, 1]}]).is_adopted
        True
    """
    seeds: set[int] = set()
    counts: list[int] = []
    first_plans: list[str] = []
    cells_added = False
    design = ""
    merged = max((len(event["merged"]) for event in history if event.get("merged")), default=0)
    for event in history:
        if event.get("adopted") or event.get("merged") or event.get("compared"):
            continue
        own = {int(seed) for seed in event.get("seeds", ())}
        has_results = bool(event.get("finished", 0))
        if not has_results and event.get("declared"):
            first_plans.append(str(event["declared"]))
        if has_results and counts:
            cells_added = cells_added or (str(event.get("design", "")) not in ("", design))
            if own - seeds:
                counts.append(len(seeds | own))
        else:
            counts = [*counts[:-1], len(seeds | own)]
        seeds |= own
        design = str(event.get("design", "")) or design
    return Conduct(
        first_plan=first_plans[0] if first_plans and not merged else "",
        seed_counts=tuple(counts),
        cells_added=cells_added,
        retried=len({run for event in history for run in event.get("retried", ())}),
        sources=tuple(dict.fromkeys(str(event.get("source", "files")) for event in history if event.get("adopted"))),
        parts=merged,
        first_plans=tuple(dict.fromkeys(first_plans)),
        is_comparison=any(event.get("compared") for event in history),
    )


def declaration_sentence(conduct: Conduct, plan: Plan) -> str:
    """What was declared when: the item ``declared`` of the checklist.

    Args:
        conduct: How the study came about.
        plan: Its plan.
    """
    what = "the hash of metric, direction, margin, seeds, cells and what failed runs count for"
    digest = plan.digest
    if conduct.is_comparison:
        return f"Plan {digest}, {what}: made of several studies after their runs."
    if conduct.is_adopted and not conduct.first_plans:
        return (
            f"Nothing was declared here before the runs: results of another tool ({enumeration(conduct.sources)}) were "
            f"adopted. Plan {digest}, {what}, was made from them."
        )
    if conduct.parts:
        plans = f" ({', '.join(conduct.first_plans)})" if conduct.first_plans else ""
        adopted = " Some of them hold adopted results, for which nothing was declared." if conduct.is_adopted else ""
        return (
            f"Plan {digest}, {what}: put together from {conduct.parts} folders, whose plans{plans} were entered before "
            f"their first runs.{adopted}"
        )
    if not conduct.first_plan:
        return f"Plan {digest}, {what}; whether it was entered before the first run is not recorded."
    if conduct.first_plan == digest:
        return f"Plan {digest}, {what}, entered in plan.json before the first run."
    return (
        f"Plan {conduct.first_plan}, {what}, entered in plan.json before the first run; with what was added or named "
        f"since it is {digest}."
    )


def seeds_sentence(conduct: Conduct, plan: Plan) -> str:
    """How the seeds came about, where they were not taken one at a time: the beginning of the item ``seeds``.

    Args:
        conduct: How the study came about.
        plan: Its plan.
    """
    count = len(plan.study.seeds)
    # Where runs form no pairs, seeds only number the runs of a cell.
    unit, each_cell = ("seed", "") if plan.study.paired else ("run", " a cell")
    if conduct.is_adopted and not conduct.first_plans:
        if not plan.study.paired:
            return f"Up to {plural(count, 'run')} a cell, which form no pairs, as they were found."
        return f"{plural(count, 'seed')}, as they were found; when they were chosen is not recorded."
    if conduct.is_comparison:
        return f"{plural(count, unit)}{each_cell} in the studies that are put together."
    if plan.study.design == CONFIRMATION:
        used = ", which the confirmed study had not used" if plan.study.paired else ""
        return f"{plural(count, f'fresh {unit}')}{each_cell}{used}, fixed before the runs."
    where = f" in {conduct.parts} folders" if conduct.parts else ""
    if conduct.has_late_seeds:
        first, *later = conduct.seed_counts
        added = enumeration([str(each) for each in later])
        return f"{plural(first, unit)}{each_cell} fixed before the runs{where}; {added} after results had been seen."
    if not conduct.first_plans:
        return f"{plural(count, unit)}{each_cell}{where}."
    return f"{plural(count, unit)}{each_cell} fixed before the runs{where}."


def pairing_sentence(conduct: Conduct, plan: Plan, are_paired: Sequence[bool]) -> str:
    """How cells were compared, for the paragraph on methods.

    Args:
        conduct: How the study came about.
        plan: Its plan.
        are_paired: By effect, whether its runs form pairs.
    """
    if are_paired and not any(are_paired):
        return "Runs form no pairs: each configuration was compared with the reference by the means of their runs."
    if not all(are_paired):
        return (
            "Where a configuration and the reference share seeds, they were compared by the difference within a seed, "
            "otherwise by the means of their runs."
        )
    if plan.study.sequential:
        seeds = "Every configuration took its seeds in the same order, as many as its verdict needed"
    elif conduct.is_adopted or conduct.parts or conduct.is_comparison:
        seeds = "Runs of one seed were taken as a pair"
    else:
        seeds = "Every configuration was trained with the same seeds"
    return f"{seeds}, and each was compared with the reference by the difference within a seed."


def retry_sentence(conduct: Conduct) -> str:
    """What to say of runs that were trained again after a failure; empty where none were."""
    if not conduct.retried:
        return ""
    return (
        f" {plural(conduct.retried, 'run')} that had failed {'was' if conduct.retried == 1 else 'were'} trained again."
    )
