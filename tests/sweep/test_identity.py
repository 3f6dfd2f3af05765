from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from ablate.sweep.identity import difference_lines, drop_keys, flatten, resolved_values, run_id


def of(text: str) -> dict[str, Any]:
    return resolved_values(OmegaConf.create(text))


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TOY_HOME", "here")
    yield


def test_hydra_is_left_out() -> None:
    assert of("{seed: 0, hydra: {job: {name: x}}}") == {"seed": 0}


def test_interpolations_are_resolved() -> None:
    assert of("{a: 1, b: '${a}', c: {d: '${b}-${.e}', e: 2}}") == {"a": 1, "b": 1, "c": {"d": "1-2", "e": 2}}


@pytest.mark.parametrize(
    "text",
    ["${now:%H-%M-%S}", "${oc.env:TOY_HOME}", "${oc.env:TOY_MISSING}", "${hydra:runtime.cwd}", "${python_version:}"],
)
def test_volatile_resolvers_stay_as_they_are_written(text: str, home: None) -> None:
    assert of(f"{{a: 1, where: '{text}'}}")["where"] == text


def test_a_volatile_part_leaves_the_rest_resolved() -> None:
    assert of("{a: 1, name: '${a}-${now:%H}'}") == {"a": 1, "name": "1-${now:%H}"}


def test_the_arguments_of_a_volatile_resolver_are_resolved() -> None:
    assert of("{key: X, where: '${oc.env:${key}}'}")["where"] == "${oc.env:X}"


def test_resolvers_work_again_afterwards(home: None) -> None:
    of("{where: '${oc.env:TOY_HOME}'}")
    assert OmegaConf.create("{where: '${oc.env:TOY_HOME}'}").where == "here"


def test_resolvers_of_the_application_are_called() -> None:
    OmegaConf.register_new_resolver("toy_double", lambda value: 2 * value)
    try:
        assert of("{a: 2, b: '${toy_double:${a}}'}") == {"a": 2, "b": 4}
    finally:
        OmegaConf.clear_resolver("toy_double")


def test_what_only_a_job_can_resolve_is_kept_as_text() -> None:
    assert of("{a: 1, folder: '${hydra.runtime.output_dir}'}") == {"a": 1, "folder": "${hydra.runtime.output_dir}"}


def test_keys_are_dropped_at_any_depth() -> None:
    values = {"a": 1, "train": {"rate": 0.1, "backup": True}, "wandb": {"on": True}}
    assert drop_keys(values, ("wandb", "train.backup", "none.such")) == {"a": 1, "train": {"rate": 0.1}}


class Colour(Enum):
    RED = 1


@dataclass
class Inner:
    where: Path = Path("data")
    colour: Colour = Colour.RED
    schedule: dict[int, float] = field(default_factory=lambda: {0: 0.1, 30: 0.01})
    blob: bytes = b"x"


@dataclass
class Outer:
    seed: int = 0
    inner: Inner = field(default_factory=Inner)
    mixed: Any = field(default_factory=lambda: {1: "a", "b": "c"})


def test_values_of_every_kind_survive_json() -> None:
    values = resolved_values(OmegaConf.structured(Outer))
    assert json.loads(json.dumps(values)) == values
    assert len(run_id(values)) == 12
    assert values["inner"]["where"] == "data"
    assert values["inner"]["colour"] == "RED"


def test_a_missing_value_is_no_error() -> None:
    assert of("{a: '???', b: 1}") == {"a": "???", "b": 1}


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
CONFIGURATIONS = st.dictionaries(st.text(max_size=5), PLAIN, max_size=4)


@given(CONFIGURATIONS)
def test_an_id_does_not_depend_on_the_order_of_keys(values: dict[str, Any]) -> None:
    assert run_id(dict(reversed(values.items()))) == run_id(values)


@given(CONFIGURATIONS)
def test_an_id_survives_json(values: dict[str, Any]) -> None:
    assert run_id(json.loads(json.dumps(values))) == run_id(values)


@given(CONFIGURATIONS)
def test_a_configuration_does_not_differ_from_itself(values: dict[str, Any]) -> None:
    assert difference_lines(values, json.loads(json.dumps(values))) == []


def test_one_and_true_and_text_are_different() -> None:
    assert len({run_id({"a": value}) for value in (1, True, "1", 1.0)}) == 4
    assert difference_lines({"a": 1}, {"a": True}) == ["a: 1 -> true"]


def test_differences_go_key_by_key() -> None:
    old = {"train": {"epochs": 5, "rate": 0.1}, "name": "a", "list": [1, 2], "gone": None}
    new = {"train": {"epochs": 9, "rate": 0.1}, "name": "b", "list": [1, 3], "fresh": {"x": 1}}
    assert difference_lines(old, new) == [
        "fresh.x: absent -> 1",
        "gone: null -> absent",
        "list: [1, 2] -> [1, 3]",
        "name: a -> b",
        "train.epochs: 5 -> 9",
    ]


def test_not_a_number_is_equal_to_itself() -> None:
    assert difference_lines({"a": float("nan")}, {"a": float("nan")}) == []


def test_drop_keys_leaves_its_argument_alone() -> None:
    values = {"a": {"b": 1, "c": 2}}
    assert drop_keys(values, ["a.b"]) == {"a": {"c": 2}}
    assert values == {"a": {"b": 1, "c": 2}}


def test_flatten_keeps_empty_nodes() -> None:
    assert flatten({"a": {}, "b": {"c": {}}}) == {"a": {}, "b.c": {}}
