from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from ablate.sweep import composer as room
from ablate.sweep.composer import Composer


class Loader:
    """Hydra's loader of an application without config groups."""

    def get_group_options(self, *given: Any) -> list[str]:
        return []


@pytest.fixture
def halved() -> Iterator[None]:
    OmegaConf.register_new_resolver("toy_half", lambda: 7)
    yield
    OmegaConf.clear_resolver("toy_half")


def composer_of(text: str, ignore: tuple[str, ...] = ()) -> Composer:
    config = OmegaConf.create(text)
    assert isinstance(config, DictConfig)
    config.hydra = {"sweep": {"dir": "x"}}
    OmegaConf.set_struct(config, True)
    loader: Any = Loader()
    return Composer(loader, config, (), Path("study"), ignore)


@pytest.mark.parametrize(
    "text",
    [
        "{seed: 0, x: 0}",
        "{seed: 0, x: 0, split: '${seed}', y: [1, {z: 'run-${seed}'}]}",
        "{seed: 0, x: 0, y: '${x}', z: '${oc.select:w,3}'}",
        "{seed: 0, x: 0, y: '${oc.select:seed,3}'}",
        "{seed: 0, x: 0, name: see, y: '${oc.select:${name}d}'}",
        "{seed: 0, x: 0, y: '${toy_half:}'}",
        "{seed: 0, x: 0, where: '${now:%H}'}",
        "{seed: null, x: 0}",
        "{seed: '0', x: 0}",
    ],
)
def test_the_runs_of_a_cell_are_those_composed_one_by_one(text: str, halved: None) -> None:
    own = composer_of(text)
    seeds = (0, 3, 11)
    assert own.identities(["x=1"], "seed", seeds) == [own.identity(["x=1", f"seed={seed}"]) for seed in seeds]


def test_a_seed_within_a_section_or_without_a_part_in_the_identity_is_composed() -> None:
    inner = composer_of("{train: {seed: 0}, x: 0}")
    assert inner.identities(["x=1"], "train.seed", (0, 3)) == [{"train": {"seed": seed}, "x": 1} for seed in (0, 3)]
    ignored = composer_of("{seed: 0, x: 0}", ("seed",))
    assert ignored.identities(["x=1"], "seed", (0, 3)) == [{"x": 1}, {"x": 1}]


def test_seeds_from_which_nothing_is_derived_cost_no_composing(monkeypatch: pytest.MonkeyPatch) -> None:
    own = composer_of("{seed: 0, x: 0, y: '${x}'}")
    composed: list[object] = []
    resolving = room.identity
    monkeypatch.setattr(room, "identity", lambda *given: composed.append(given) or resolving(*given))
    assert [run["seed"] for run in own.identities(["x=1"], "seed", tuple(range(50)))] == list(range(50))
    assert len(composed) == 1
