"""The shape of each JSON file of a study, as types against which it is checked when it is read."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

from msgspec import Meta

from ablate.study import Study

Number = int | float | None

RunId = Annotated[str, Meta(pattern=r"\A[0-9a-f]{12}\Z", description="12 hexadecimal digits")]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class FactorShape(TypedDict):
    """A factor in ``plan.json``; ``levels`` are overrides by label."""

    name: str
    reference: str
    block: bool
    label: NotRequired[str]
    levels: dict[str, list[str]]


class CellShape(TypedDict):
    """A cell in ``plan.json``."""

    name: str
    label: str
    levels: dict[str, str]
    void: list[str]


class PlanShape(TypedDict):
    """What :meth:`ablate.study.Plan.to_dict` returns."""

    study: Study
    factors: list[FactorShape]
    cells: list[CellShape]
    notes: list[str]


class EventShape(TypedDict, total=False):
    """An entry of the history: a command that made or enlarged a study."""

    time: str
    command: list[str]
    design: str
    seeds: list[Seed]
    declared: str
    finished: int
    section: str
    task: dict[str, str]
    overrides: list[str]
    signature: str
    notes: list[str]
    adopted: str
    source: str
    merged: list[str]
    compared: list[str]
    direction: str
    retried: list[str]


class CheckShape(TypedDict, total=False):
    """What the check before the first run said of a cell, besides what only the application knows."""

    error: str | None
    absent: list[str]
    notes: list[str]


class ReportShape(TypedDict, total=False):
    """What the last command chose for the report."""

    figures: list[str] | None
    width: str | None
    statements: dict[str, str] | None
    costs: bool


class RunShape(TypedDict):
    """A planned run."""

    id: RunId
    cell: str
    seed: Seed


class RecordShape(TypedDict):
    """``plan.json``."""

    format: int
    plan: PlanShape
    runs: list[RunShape]
    reference: dict[str, Any]
    history: list[EventShape]
    checks: dict[str, CheckShape]
    report: NotRequired[ReportShape]


class CostsShape(TypedDict, total=False):
    """What the network of a cell costs, or an ``error``; each measure with its ratio to that of the reference cell."""

    error: str
    batch: Number
    weights: Number
    weights_ratio: Number
    flops: Number
    flops_ratio: Number
    activations: Number
    activations_ratio: Number
    latency: Number
    latency_ratio: Number
    step: Number
    step_ratio: Number


COSTS = tuple(name for name in CostsShape.__annotations__ if f"{name}_ratio" in CostsShape.__annotations__)
"""The measures of a network: the number of its weights; operations and activations for one image; seconds of a forward
pass and of a training step."""


class CostsFileShape(TypedDict):
    """``costs.json``: what the network of each cell costs, by the cell's name."""

    format: int
    cells: dict[str, CostsShape]


class ConfirmationShape(TypedDict):
    """``confirmation.json``; of the rest of it only ``text`` is read again."""

    text: str
