"""What a reader must know of what was adopted: what is missing, unread, averaged, left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from ablate.adopt.material import ForeignRun, Material
from ablate.adopt.repeats import Placed
from ablate.adopt.request import Request
from ablate.adopt.results import Choice, Outcome, outcome

__all__ = ["ledger", "on_missing", "on_rows", "on_unread"]

_LISTED = 8


def counts(
    material: Material, runs: Sequence[ForeignRun], found: Mapping[str, Outcome], left_out: Sequence[ForeignRun]
) -> str:
    done = sum(bool(found[run.place].metrics) for run in runs)
    words = [f"{len(material.runs)} runs found"]
    words += [f"{len(left_out)} left out by only.KEY"] if left_out else []
    return ", ".join([*words, f"{done} with a result"])


def on_missing(
    material: Material, runs: Sequence[ForeignRun], found: Mapping[str, Outcome], request: Request, choice: Choice
) -> list[str]:
    """All runs without a result, also those that were left out: a reader must know of them."""
    missing: dict[str, list[str]] = {}
    for run in material.runs:
        got = found.get(run.place) or outcome(run, choice, request)
        if not got.metrics:
            missing.setdefault(got.trouble, []).append(run.place)
    return [
        f"{len(places)} run{'s' if len(places) > 1 else ''} without a result ({reason}): {_listing(places)}."
        for reason, places in missing.items()
    ]


def on_unread(material: Material) -> list[str]:
    """What could not be read, and what was read in another way than it stands there, each with its reason."""
    heads = {False: "Not read, or not whole", True: "Read in another way than it stands there"}
    found = {
        head: [f"{item.place}: {item.reason}" for item in material.unread if item.otherwise is otherwise]
        for otherwise, head in heads.items()
    }
    return [f"{head}: {_listing(items, '; ')}." for head, items in found.items() if items]


def on_rows(kept: Sequence[Placed], choice: Choice) -> list[str]:
    """That rows were averaged, and how many."""
    counts = sorted({one.outcome.rows for one in kept if one.outcome.metrics})
    if choice.kind != "rows" or not counts:
        return []
    rows = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return [
        f"{' and '.join(choice.files)} holds {rows} rows a run; they are averaged, since rows of one run are no seeds."
    ]


def _listing(words: Sequence[str], joint: str = ", ") -> str:
    more = f"{joint}and {len(words) - _LISTED} more (adopted.csv)" if len(words) > _LISTED else ""
    return joint.join(words[:_LISTED]) + more


def ledger(
    material: Material, left_out: Sequence[ForeignRun], found: Mapping[str, Outcome], kept: Sequence[Placed]
) -> pd.DataFrame:
    """What became of every run and of every file that could not be read."""
    used = {place: one for one in kept for place in (one.place, *one.others)}
    out = {run.place for run in left_out}
    rows = []
    for run in material.runs:
        one = used.get(run.place)
        got = found.get(run.place)
        if run.place in out:
            state, reason = "left out", "by only.KEY"
        elif got is not None and not got.metrics:
            state, reason = "no result", got.trouble
        elif one is not None and one.place != run.place:
            state, reason = "repeated", f"{one.place} counts"
        else:
            state, reason = "adopted", ""
        rows.append((run.place, state, reason))
    rows += [(item.place, "read otherwise" if item.otherwise else "not read", item.reason) for item in material.unread]
    return pd.DataFrame(rows, columns=["place", "state", "reason"])
