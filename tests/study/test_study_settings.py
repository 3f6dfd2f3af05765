from __future__ import annotations

from typing import Any

import pytest

from ablate.errors import DesignError
from ablate.study import Forbidden, Requires
from ablate.study.settings import RUN_SETTINGS, STUDY_SETTINGS, StudySettings


def test_the_defaults_are_three_seeds_and_higher_is_better() -> None:
    settings = StudySettings.from_values({})
    assert settings.seed_list() == (0, 1, 2)
    assert settings.study("demo", "factorial", "value").direction == "max"
    assert (settings.direction, settings.keep_going, settings.retry_failed) == (None, True, False)
    assert settings.dry_run is False


@pytest.mark.parametrize(("seeds", "expected"), [(2, (0, 1)), ([7, 0], (7, 0)), ([3], (3,)), ("auto", range(20))])
def test_seeds_by_number_or_by_list(seeds: Any, expected: Any) -> None:
    assert StudySettings.from_values({"seeds": seeds}).seed_list() == tuple(expected)


def test_constraints_become_rules() -> None:
    settings = StudySettings.from_values(
        {
            "requires": {"bias": {"norm": ["batch", "layer"]}, "place": {"norm": True}},
            "forbidden": [{"a": False, "b": None, "reason": "small"}],
        }
    )
    assert settings.constraints() == [
        Requires("bias", "norm", ("batch", "layer")),
        Requires("place", "norm", ("true",)),
        Forbidden((("a", "false"), ("b", "null")), "small"),
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("margin", 10**400),
        ("failures", -(10**400)),
        ("seeds", 10**9),
        ("seeds", 0),
        ("seeds", True),
        ("seeds", 2.5),
        ("seeds", [0, "a"]),
        ("margin", "big"),
        ("keep_going", "maybe"),
        ("retry_failed", "maybe"),
        ("dry_run", 7),
        ("design", 3),
        ("requires", {"bias": True}),
        ("requires", True),
        ("forbidden", ["x"]),
        ("forbidden", "x"),
        ("factors", "x"),
        ("ignore", {"a": 1}),
    ],
)
def test_a_value_that_is_not_allowed_is_refused(key: str, value: Any) -> None:
    with pytest.raises(DesignError) as caught:
        StudySettings.from_values({key: value})
    assert str(caught.value).startswith(f"study.{key}=")


def test_all_faults_come_at_once() -> None:
    with pytest.raises(DesignError) as caught:
        StudySettings.from_values({"seeds": 0, "margin": "big"})
    assert len(str(caught.value).splitlines()) == 2


def test_what_ablate_run_takes_is_declared_like_all_else() -> None:
    assert set(RUN_SETTINGS) < set(STUDY_SETTINGS)
    assert all(setting.description for setting in STUDY_SETTINGS.values())
