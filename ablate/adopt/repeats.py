"""Several runs of one cell with one seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ablate.adopt.results import Outcome
from ablate.errors import DesignError

__all__ = ["Placed", "settle_repeats"]

_LISTED = 5


@dataclass(frozen=True, eq=False)
class Placed:
    """A foreign run in its cell.

    Args:
        place: Where it was found.
        levels: Its level of each factor.
        seed: Its seed.
        outcome: What it has.
        age: When it was written, in seconds since the epoch.
        others: Where the runs were found for which it stands.
    """

    place: str
    levels: dict[str, str]
    seed: int
    outcome: Outcome
    age: float
    others: tuple[str, ...] = ()


def settle_repeats(
    runs: Sequence[Placed], policy: str | None, ordered_by_time: bool, seeded: bool
) -> tuple[list[Placed], list[str]]:
    """One run for every cell and seed.

    Runs without a result give way to one with a result, equal runs count once; where numbers differ the policy decides.

    Args:
        runs: The runs in their cells.
        policy: ``latest``, ``mean``, ``replicates``, or None: the latest, if the order is known.
        ordered_by_time: Whether it is.
        seeded: Whether runs of a cell are told apart by a seed.

    Returns:
        The runs that count, and what a user should know, a sentence each.

    Raises:
        DesignError: If runs disagree and nothing says which of them counts.
    """
    groups: dict[tuple[tuple[str, ...], int], list[Placed]] = {}
    for run in runs:
        groups.setdefault((tuple(run.levels.values()), run.seed), []).append(run)
    kept: list[Placed] = []
    equal: list[str] = []
    differing: list[list[Placed]] = []
    for group in groups.values():
        done = [run for run in group if run.outcome.metrics]
        if len(done) < 2:
            best = done[0] if done else group[-1]
            kept.append(replace(best, others=tuple(run.place for run in group if run is not best)))
        elif len({tuple(sorted(_numbers(run).items())) for run in done}) == 1 and policy != "replicates":
            kept.append(replace(done[-1], others=tuple(run.place for run in group if run is not done[-1])))
            equal.append(done[-1].place)
        else:
            differing.append(done)
            kept += _settled(group, done, policy, ordered_by_time, seeded)
    notes = (
        [f"{_cells(len(equal))} repeated with the same numbers, which count once: {_listing(equal)}."] if equal else []
    )
    if differing:
        places = [f"{group[-1].place} and {len(group) - 1} more" for group in differing]
        what = {
            "mean": "their mean counts",
            "replicates": "each counts as a replicate, as declared; without seeds they are paired by their order",
        }.get(policy or "", "the latest counts; repeats=mean or repeats=replicates takes all")
        notes.append(f"{_cells(len(differing))} repeated with other numbers, and {what}: {_listing(places)}.")
    return kept, notes


def _settled(
    group: list[Placed], done: list[Placed], policy: str | None, ordered_by_time: bool, seeded: bool
) -> list[Placed]:
    if policy is None and not ordered_by_time:
        first, second = done[:2]
        levels = ", ".join(f"{name}={label}" for name, label in first.levels.items())
        raise DesignError(
            f"{first.place} and {second.place} have the same levels ({levels}) and seed with other numbers. Several "
            "rows of one run are no replicates: name the column that tells them apart (seed=COLUMN, or another "
            "factor), take their mean (repeats=mean), or declare that each is a run of its own (repeats=replicates)."
        )
    if policy == "replicates":
        if seeded:
            raise DesignError(
                f"repeats=replicates: {done[0].place} and {done[1].place} have the same seed {done[0].seed}, so the "
                "second is a repetition and no replicate. Use repeats=latest or repeats=mean."
            )
        return [replace(run, seed=number) for number, run in enumerate(done)]
    last = max(enumerate(done), key=lambda item: (item[1].age, item[0]))[1]
    others = tuple(run.place for run in group if run is not last)
    if policy == "mean":
        names = [name for name in last.outcome.metrics if all(name in run.outcome.metrics for run in done)]
        means = {name: sum(run.outcome.metrics[name] for run in done) / len(done) for name in names}
        return [replace(last, outcome=replace(last.outcome, metrics=means, curves=None), others=others)]
    return [replace(last, others=others)]


def _numbers(run: Placed) -> dict[str, float]:
    return {name: value for name, value in run.outcome.metrics.items() if not name.startswith("seconds")}


def _cells(count: int) -> str:
    return f"{count} cell{'s were' if count > 1 else ' was'}"


def _listing(places: Sequence[str]) -> str:
    return ", ".join(places[:_LISTED]) + (f", and {len(places) - _LISTED} more" if len(places) > _LISTED else "")
