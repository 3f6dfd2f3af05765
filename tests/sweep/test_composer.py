from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from ablate.errors import ConfigError
from ablate.sweep import composer as composer_module
from ablate.sweep import config_template
from ablate.sweep.composer import Composer
from ablate.sweep.identity import resolved_values


class Loader:
    """Hydra's loader of an application without config groups."""

    def get_group_options(self, *given: Any) -> list[str]:
        return []


@pytest.fixture
def resolvers() -> Iterator[None]:
    OmegaConf.register_new_resolver("toy_half", lambda: 7)
    OmegaConf.register_new_resolver("toy_sum", lambda *keys, _root_: sum(_root_[key] or 0 for key in keys))
    yield
    OmegaConf.clear_resolver("toy_half")
    OmegaConf.clear_resolver("toy_sum")


def composer_of(text: str) -> Composer:
    config = OmegaConf.create(text)
    assert isinstance(config, DictConfig)
    config.hydra = {"sweep": {"dir": "x"}}
    OmegaConf.set_struct(config, True)
    loader: Any = Loader()
    return Composer(loader, config, (), Path("study"))


def outcome(compose: Callable[[list[str]], dict[str, Any]], lines: list[str]) -> dict[str, Any] | str:
    """What comes of some overrides, or why nothing does."""
    try:
        return compose(lines)
    except ConfigError as error:
        return str(error)


LINES = [
    ["x=1", "seed=3"],
    ["x=2", "seed=3"],
    ["x=1", "seed=11"],
    ["seed=11"],
    ["x=[1,2]"],
    ["x=null"],
    ["x={a:1}"],
    ["x='${seed}'", "seed=4"],
    ["x=a b"],
]


@pytest.mark.parametrize(
    "text",
    [
        "{seed: 0, x: 0}",
        "{seed: 0, x: 0, split: '${seed}', y: [1, {z: 'run-${seed}'}]}",
        "{seed: 0, x: 0, y: '${x}', z: '${oc.select:w,3}'}",
        "{seed: 0, x: 0, y: '${oc.select:seed,3}'}",
        "{seed: 0, x: 0, name: see, y: '${oc.select:${name}d}'}",
        "{seed: 0, x: 0, y: '${toy_half:}'}",
        "{seed: 0, x: 0, y: '${toy_sum:x,seed}'}",
        "{seed: 0, x: 0, where: '${now:%H}', who: '${oc.env:USER}'}",
        "{seed: 0, x: 0, gone: '${nowhere}'}",
        "{seed: null, x: 0}",
        "{seed: '0', x: 0}",
        "{seed: 0, x: '???'}",
        "{seed: 0, x: {a: 0, b: 1}, y: '${x}'}",
        "{seed: 0, x: 0, at: {seed: 1, y: '${.seed}', z: '${..seed}', w: '${.n.x}', n: {x: 5}}}",
        "{seed: 0, x: 0, at: {x: 1, y: '${at.x}', z: '${oc.select:at.seed,2}'}}",
        "{seed: 0, x: [1, 2], y: '${x[0]}', z: '${x.1}'}",
        "{seed: 0, x: {a: 0, b: 1}}",
    ],
)
def test_what_is_put_together_is_what_would_be_composed(text: str, resolvers: None) -> None:
    own = composer_of(text)
    for lines in LINES:
        assert outcome(own.configuration, lines) == outcome(lambda given: resolved_values(own._task(given)), lines)


@pytest.mark.parametrize(
    "lines",
    [
        ["net.width=3", "net.depth=9"],
        ["net.width=3", "net={width:4}"],
        ["net={width:4}", "net.width=3"],
        ["+net.extra=1", "net.extra=2", "net.width=3"],
        ["+net.extra={a:1}", "net.width=3"],
        ["~net.depth", "net.width=3"],
        ["net.width=3", "~net.width"],
        ["width=5", "net.width=3"],
        ["net.of.deep=[1]", "net.list=[2]", "width=7"],
    ],
)
def test_lines_that_meet_count_in_their_order(lines: list[str]) -> None:
    own = composer_of("{seed: 0, width: 1, net: {width: 1, depth: 2, list: [], of: {deep: 1}}, copy: '${.width}'}")
    composed = outcome(lambda given: resolved_values(own._task(given)), lines)
    assert [outcome(own.configuration, lines) for _ in range(2)] == [composed] * 2  # at first, and from memory


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["y=1", "x=1"], "y=1 x=1: Key 'y' is not in struct"),
        (["+y=1", "y.b=2"], "+y=1 y.b=2: Key 'b' is not in struct"),
        (["x=1", "~q"], "x=1 ~q: Could not delete from config. 'q' does not exist."),
    ],
)
def test_what_does_not_compose_is_told_whole(lines: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        composer_of("{seed: 0, x: 0}").configuration(lines)
    assert str(caught.value) == message


def test_a_thousand_cells_cost_a_handful_of_compositions(monkeypatch: pytest.MonkeyPatch) -> None:
    own = composer_of("{seed: 0, x: 0, z: 0, note: '${title}', title: a}")
    composed: list[object] = []
    for module in (composer_module, config_template):
        monkeypatch.setattr(module, "resolved_values", lambda *given: composed.append(given) or resolved_values(*given))
    found = [own.configuration([f"x={x}", f"z={z}", "seed=1"]) for x in range(10) for z in range(100)]
    assert found[205] == {"seed": 1, "x": 2, "z": 5, "note": "a", "title": "a"}
    assert len(composed) == 1 + 10 + 100 + 1  # the base, and each line once
    found[0]["x"] = "spoilt"
    assert own.configuration(["x=0", "z=0", "seed=1"])["x"] == 0
