"""Studies of functions: ablate.run."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ablate
from ablate.errors import AblateError, DesignError
from ablate.store import StudyFolder
from ablate.store.study_folder import StudyRecord
from ablate.study.settings import RUN_SETTINGS


def train(config: dict[str, object]) -> dict[str, float]:
    score = 0.9 + 0.05 * bool(config["residual"]) + 0.001 * int(config["seed"]) * (1 + bool(config["residual"]))  # type: ignore[call-overload]
    return {"accuracy": score, "weights": 10}


@pytest.mark.usefixtures("no_figures")
def test_a_study_trains_each_run_once_and_grows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained = []

    def counted(config: dict[str, object]) -> dict[str, float]:
        trained.append((config["residual"], config["seed"]))
        return train(config)

    first = ablate.run(counted, {"residual": [True, False]}, metric="accuracy", outputs=tmp_path)
    assert trained == [(True, 0), (True, 1), (True, 2), (False, 0), (False, 1), (False, 2)]
    assert first.effects["verdict"].tolist() == ["helps"]
    assert first.effects["cell"].tolist() == ["w/o residual"]
    assert (tmp_path / "residual" / "effects.csv").is_file()
    grown = ablate.run(counted, {"residual": [True, False]}, metric="accuracy", outputs=tmp_path, seeds=4)
    assert trained[6:] == [(True, 3), (False, 3)]
    assert any("Seeds 3 were added after results had been seen" in note for note in grown.notes)
    capsys.readouterr()


@pytest.mark.usefixtures("no_figures")
def test_the_reference_is_what_the_config_has(tmp_path: Path) -> None:
    found = ablate.run(
        train, {"residual": [True, False]}, config={"residual": False}, metric="accuracy", outputs=tmp_path
    )
    assert [cell.label for cell in found.plan.cells] == ["residual=false", "with residual"]


@pytest.mark.usefixtures("no_figures")
def test_a_failing_run_is_recorded_and_the_others_go_on(tmp_path: Path) -> None:
    def fragile(config: dict[str, object]) -> float:
        if config["seed"] == 1 and not config["residual"]:
            raise ValueError("boom")
        return train(config)["accuracy"]

    found = ablate.run(fragile, {"residual": [True, False]}, outputs=tmp_path)
    assert found.runs["state"].tolist().count("failed") == 1
    assert found.runs["state"].tolist().count("finished") == 5


@pytest.mark.slow
@pytest.mark.usefixtures("no_figures")
def test_workers_give_the_same_bytes(tmp_path: Path) -> None:
    for workers, name in ((1, "one"), (2, "two")):
        ablate.run(train, {"residual": [True, False]}, metric="accuracy", outputs=tmp_path / name, workers=workers)
    one, two = (tmp_path / name / "residual" / "effects.csv" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"factors": {}}, "A study needs at least one factor. Sweep a key, for example residual=true,false."),
        ({"factors": {"a": [1]}}, "Factor 'a' has nothing to compare: its only level is 1."),
        ({"factors": {"a": []}}, "Factor 'a' has no levels."),
        (
            {"factors": {"a": [1, 2]}, "config": {"a": 3}},
            "config has a=3, which is none of the levels 1, 2.",
        ),
        (
            {"factors": {"a": [1, 2]}, "seeds": 0},
            "seeds=0: must be a whole number from 1 to 100000, or a list of whole numbers ([0,7,9]), or auto.",
        ),
        (
            {"factors": {"a": [1, 2]}, "sedes": 2},
            "ablate.run has no argument 'sedes'. Did you mean 'seeds'?",
        ),
        (
            {"factors": {"depth": [1, 2]}, "labels": {"dept": "Depth"}, "blocks": ["data"]},
            "blocks names 'data', which is no factor. Factors: depth.\n"
            "labels names 'dept', which is no factor. Factors: depth. Did you mean 'depth'?",
        ),
        ({"factors": {"a": [1, 2]}, "figures": "pie"}, "Unknown figure 'pie'."),
        ({"factors": {"a": [1, 2]}, "preflight": "os.path.join"}, "ablate.run has no argument 'preflight'."),
    ],
)
def test_bad_input(tmp_path: Path, arguments: dict[str, object], words: str) -> None:
    with pytest.raises(DesignError) as caught:
        ablate.run(train, outputs=tmp_path, **arguments)  # type: ignore[arg-type]
    assert str(caught.value).startswith(words)


def test_another_study_in_the_folder_is_refused(tmp_path: Path) -> None:
    def quick(config: dict[str, object]) -> float:
        return 1.0 + int(config["seed"])  # type: ignore[call-overload]

    ablate.run(quick, {"a": [1, 2]}, config={"b": 1}, outputs=tmp_path, seeds=1)
    with pytest.raises(AblateError, match="b: 1 -> 2"):
        ablate.run(quick, {"a": [1, 2]}, config={"b": 2}, outputs=tmp_path, seeds=1)


@pytest.mark.usefixtures("no_figures")
def test_seeds_are_taken_one_at_a_time_until_the_verdicts_stand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained: list[int] = []

    def noisy(config: dict[str, object]) -> float:
        trained.append(int(config["seed"]))  # type: ignore[call-overload]
        noise = random.Random(f"{config['seed']}{config['residual']}").gauss(0, 0.01)
        return 0.9 + 0.05 * bool(config["residual"]) + noise

    found = ablate.run(noisy, {"residual": [True, False]}, outputs=tmp_path, seeds="auto", margin=0.01)
    assert found.effects["verdict"].tolist() == ["helps"]
    assert 3 <= max(trained) + 1 < 20
    assert sorted(trained) == sorted([*range(max(trained) + 1)] * 2)
    assert any("saved (" in note for note in found.notes)
    assert "After 3 seeds no further verdict; 1 undecided, 2 runs more.\n" in capsys.readouterr().out
    again = ablate.run(noisy, {"residual": [True, False]}, outputs=tmp_path, seeds="auto", margin=0.01)
    assert again.effects.equals(found.effects)
    assert len(trained) == len(found.runs)


@pytest.mark.usefixtures("no_figures")
def test_what_was_found_dispensable_is_confirmed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def redundant(config: dict[str, object]) -> float:
        noise = random.Random(str(sorted(config.items()))).gauss(0, 0.001)
        return 0.9 - 0.2 * (not config["a"] and not config["b"]) + noise

    factors = {"a": [True, False], "b": [True, False]}
    asked = {"design": "leave_one_out", "margin": 0.02, "metric": "accuracy", "outputs": tmp_path}
    ablate.run(redundant, factors, name="pair", seeds=9, **asked)  # type: ignore[arg-type]
    found = ablate.run(redundant, factors, name="pair", confirms=str(tmp_path / "pair"), **asked)  # type: ignore[arg-type]
    assert [cell.label for cell in found.plan.cells] == ["full", "w/o a, w/o b"]
    assert found.study.seeds == (9, 10, 11, 12, 13)
    assert "Refuted: removing a and b changes accuracy on this test set by −20." in capsys.readouterr().out
    assert json.loads((tmp_path / "pair" / "confirmation.json").read_text())["confirmed"] is False
    with pytest.raises(AblateError, match="The configuration is not the one that the study had:\n  width: absent -> 8"):
        ablate.run(redundant, factors, name="pair", confirms=str(tmp_path / "pair"), config={"width": 8}, **asked)  # type: ignore[arg-type]


def test_the_signature_shows_every_setting_with_its_type_and_default() -> None:
    parameters = inspect.signature(ablate.run).parameters
    shown = {name: one.default for name, one in parameters.items() if name in RUN_SETTINGS}
    assert shown == {name: setting.default for name, setting in RUN_SETTINGS.items()}
    assert parameters["seeds"].annotation == "int | str | tuple[int, ...]"
    assert not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
    for name, setting in RUN_SETTINGS.items():
        assert f"``{name}``: {setting.description}" in str(ablate.run.__doc__)


# For every keyword of `ablate.run` a value, and what it changes in what the study's folder says.
ACTS: dict[str, tuple[Any, Callable[[StudyRecord], Any], Any]] = {
    "name": ("other", lambda record: record.plan.study.name, "other"),
    "design": ("leave_one_out", lambda record: record.plan.study.design, "leave_one_out"),
    "seeds": ([5, 7], lambda record: record.plan.study.seeds, (5, 7)),
    "max_seeds": (4, lambda record: len(record.plan.study.seeds), 4),
    "metric": ("weights", lambda record: record.plan.study.metric, "weights"),
    "direction": ("min", lambda record: record.plan.study.direction, "min"),
    "margin": (0.01, lambda record: record.plan.study.margin, 0.01),
    "failures": ("worst", lambda record: record.plan.study.failures, "worst"),
    "resplit": (0.25, lambda record: record.plan.study.resplit, 0.25),
    "cells": (4, lambda record: len(record.plan.cells), 4),
    "requires": ({"b": {"a": 1}}, lambda record: len(record.plan.cells), 3),
    "forbidden": ([{"a": 2, "b": 2}], lambda record: len(record.plan.cells), 3),
    "labels": ({"a": "an ingredient"}, lambda record: record.plan.factors[0].label, "an ingredient"),
    "blocks": (["a"], lambda record: record.plan.factors[0].block, True),
    "figures": (["forest"], lambda record: record.report["figures"], ["forest"]),
    "width": ("icml", lambda record: record.report["width"], "icml"),
    "statements": ({"task": "toy"}, lambda record: record.report["statements"], {"task": "toy"}),
}
ELSEWHERE = {"retry_failed", "keep_going", "confirms", "changed_code"}  # tested by what they train
ELSEWHERE |= {"resolution"}  # of a fraction, which takes three factors: tested in test_every_setting_acts
ELSEWHERE |= {"changed_code"}  # tested in test_earlier_runs
TOGETHER: list[dict[str, Any]] = [
    {"design": "leave_one_out", "name": "other", "seeds": [5, 7], "requires": None, "metric": "weights"},
    {"seeds": "auto", "max_seeds": 4, "direction": "min", "margin": 0.01, "labels": None, "blocks": None},
    {"design": "optimal", "cells": 4, "failures": "worst", "resplit": None},
    {"forbidden": None, "figures": None, "width": None, "statements": None},
]
APPLICATION = """
from pathlib import Path

import hydra

@hydra.main(config_path=str(Path(__file__).parent / "conf"), config_name="config", version_base="1.3")
def main(config):
    return {"accuracy": 0.5 + 0.1 * config.a + 0.01 * config.seed, "weights": config.b}
"""


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_figures: None) -> Iterator[Callable[[], None]]:
    """A Hydra application with the keys a, b and seed."""
    (tmp_path / "conf").mkdir()
    lines = ["hydra/sweeper: ablation", "hydra/hydra_logging: none", "hydra/job_logging: none"]
    defaults = "".join(f"  - override {line}\n" for line in lines)
    (tmp_path / "conf" / "config.yaml").write_text(f"defaults:\n  - _self_\n{defaults}a: 1\nb: 1\nseed: 0\n")
    (tmp_path / "two_keys.py").write_text(APPLICATION)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("two_keys").main
    sys.modules.pop("two_keys")


def test_every_keyword_is_tested() -> None:
    assert set(ACTS) | ELSEWHERE == set(RUN_SETTINGS)
    assert {key for keys in TOGETHER for key in keys} == set(ACTS)


@pytest.mark.parametrize("chosen", TOGETHER)
def test_every_keyword_acts_by_both_entrances(
    chosen: dict[str, Any], application: Callable[[], None], call: Callable[..., Any], tmp_path: Path
) -> None:
    values = {"metric": "accuracy", **{key: ACTS[key][0] if value is None else value for key, value in chosen.items()}}

    def outcome(config: dict[str, Any]) -> dict[str, float]:
        return {"accuracy": 0.5 + 0.1 * config["a"] + 0.01 * config["seed"], "weights": config["b"]}

    ablate.run(outcome, {"a": [1, 2], "b": [1, 2]}, outputs=tmp_path / "function", **values)
    lines = [f"hydra.sweeper.{name}={json.dumps(one).replace(chr(34), '')}" for name, one in values.items()]
    ended = call(application, "-m", "a=1,2", "b=1,2", *lines)
    assert ended.code == 0, ended.err
    for folder in (tmp_path / "function", tmp_path / "outputs"):
        (plan,) = folder.glob("*/plan.json")
        record = StudyFolder(plan.parent).existing_record()
        for key, value in chosen.items():
            _, read, expected = ACTS[key]
            if value is None or value == ACTS[key][0]:
                assert (key, read(record)) == (key, expected)
        assert plan.parent.name == values.get("name", "a-b")


@pytest.mark.usefixtures("no_figures")
def test_failed_runs_are_retried_and_stop_the_others_on_request(tmp_path: Path) -> None:
    broken, trained = {0}, []

    def fragile(config: dict[str, Any]) -> float:
        trained.append(config["seed"])
        if config["seed"] in broken:
            raise ValueError("boom")
        return float(config["seed"] + config["a"])

    with contextlib.suppress(AblateError):
        ablate.run(fragile, {"a": [1, 2]}, outputs=tmp_path, seeds=3, keep_going=False)
    assert trained == [0]
    broken.clear()
    ablate.run(fragile, {"a": [1, 2]}, outputs=tmp_path, seeds=3, retry_failed=True)
    assert sorted(trained) == [0, 0, 0, 1, 1, 2, 2]
