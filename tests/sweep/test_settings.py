from __future__ import annotations

from typing import Any

import pytest
from omegaconf import OmegaConf

from ablate.errors import DesignError
from ablate.study import Forbidden, Requires
from ablate.sweep.settings import Settings


def of(text: str) -> Settings:
    node: Any = OmegaConf.create(text)
    return Settings.from_config({str(key): node[key] for key in node})


def test_nothing_said_is_three_seeds_and_more_is_better() -> None:
    settings = Settings.from_config({})
    assert settings.seed_list() == (0, 1, 2)
    assert (settings.direction, settings.keep_going, settings.retry_failed, settings.dry_run) == (
        "max",
        True,
        False,
        False,
    )


@pytest.mark.parametrize(
    ("text", "seeds"), [("{seeds: 2}", (0, 1)), ("{seeds: [7, 0]}", (7, 0)), ("{seeds: [3]}", (3,))]
)
def test_seeds_by_number_or_by_list(text: str, seeds: tuple[int, ...]) -> None:
    assert of(text).seed_list() == seeds


def test_constraints_become_rules() -> None:
    settings = of(
        "{requires: {bias: {norm: [batch, layer]}, place: {norm: true}}, "
        "forbidden: [{a: false, b: null, reason: small}]}"
    )
    assert settings.constraints() == [
        Requires("bias", "norm", ("batch", "layer")),
        Requires("place", "norm", ("true",)),
        Forbidden((("a", "false"), ("b", "null")), "small"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{seeds: 0}", "study.seeds=0: a study needs at least one seed."),
        ("{seeds: true}", "study.seeds=True: write a number of seeds (3), list them ([0,7,9]), or auto."),
        ("{seeds: 2.5}", "study.seeds=2.5: write a number of seeds (3), list them ([0,7,9]), or auto."),
        ("{seeds: [0, a]}", "seeds are whole numbers."),
        ("{margin: big}", "study.margin=big: write a number in units of the metric, or null."),
        ("{keep_going: maybe}", "keep_going=maybe"),
        ("{retry_failed: maybe}", "retry_failed=maybe"),
        ("{dry_run: 7}", "dry_run=7"),
        ("{design: 3}", "design=3"),
        ("{requires: {bias: true}}", "requires"),
        ("{requires: true}", "requires"),
        ("{forbidden: [x]}", "forbidden"),
        ("{forbidden: x}", "forbidden"),
        ("{factors: x}", "factors"),
        ("{ignore: {a: 1}}", "ignore"),
    ],
)
def test_values_without_sense_are_refused(text: str, words: str) -> None:
    with pytest.raises(DesignError) as caught:
        of(text)
    assert words in str(caught.value)


def test_all_faults_come_at_once() -> None:
    with pytest.raises(DesignError) as caught:
        of("{seeds: 0, margin: big}")
    assert len(str(caught.value).splitlines()) == 2
