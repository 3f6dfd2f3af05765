"""Every setting that is accepted acts, by the command line and by ``ablate.run``, or is refused where it cannot."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import ablate
from ablate.errors import AblateError, DesignError
from ablate.report import summary_of
from ablate.store import StudyFolder
from ablate.study import make_plan
from ablate.study.factor import Factor, Level
from ablate.study.settings import RUN_SETTINGS, StudySettings


def score(config: Mapping[str, Any]) -> dict[str, float]:
    if config.get("seed") == 1 and config.get("fails"):
        raise ValueError("no")
    noise = 0.01 * ((config["seed"] * 7 + 3 * config["a"]) % 5)
    return {"acc": 0.7 + 0.05 * config["a"] + 0.02 * config["b"] + noise, "loss": 0.5 + noise}


AB = {"a": [True, False], "b": [True, False]}


def outcome(
    folder: Path, factors: Mapping[str, Any] = AB, config: Mapping[str, Any] | None = None, **settings: Any
) -> Any:
    """What a study of these settings is: its plan as plain values, its summary and its folder."""
    values = {"name": "s", "metric": "acc", **settings}
    summary = ablate.run(score, factors, config=config, outputs=folder, **values)
    return summary


Changed = Callable[[Any, Any, Path], bool]

CASES: dict[str, tuple[dict[str, Any], Changed]] = {
    "name": ({"name": "other"}, lambda before, after, path: after.study.name == "other"),
    "design": ({"design": "leave_one_out"}, lambda before, after, path: len(after.plan.cells) == 3),
    "seeds": ({"seeds": [4, 9]}, lambda before, after, path: after.study.seeds == (4, 9)),
    "max_seeds": ({"seeds": "auto", "max_seeds": 4}, lambda before, after, path: len(after.study.seeds) == 4),
    "metric": ({"metric": "loss"}, lambda before, after, path: after.study.direction == "min"),
    "direction": (
        {"direction": "min"},
        lambda before, after, path: (after.effects["contribution"] == -before.effects["contribution"]).all(),
    ),
    "margin": ({"margin": 0.5}, lambda before, after, path: after.study.margin == 0.5),
    "failures": (
        {"failures": 0.0, "config": {"fails": True}},
        lambda before, after, path: after.values["full"][1] == 0.0,
    ),
    "resplit": (
        {"resplit": 0.25},
        lambda before, after, path: set(after.effects["test"]) == {"corrected t"},
    ),
    "resolution": (
        {"design": "fractional", "resolution": 3, "factors": {name: [True, False] for name in "abc"}},
        lambda before, after, path: len(after.plan.cells) == 4,
    ),
    "cells": ({"design": "optimal", "cells": 4}, lambda before, after, path: len(after.plan.cells) == 4),
    "keep_going": (
        {"keep_going": False, "config": {"fails": True}},
        lambda before, after, path: bool((after.runs["state"] == "waiting").any()),
    ),
    "requires": ({"requires": {"b": {"a": True}}}, lambda before, after, path: len(after.plan.cells) == 3),
    "forbidden": (
        {"forbidden": [{"a": False, "b": False}]},
        lambda before, after, path: len(after.plan.cells) == 3,
    ),
    "labels": (
        {"labels": {"a": "skip connections"}},
        lambda before, after, path: "skip connections" in after.sentences["w/o a"],
    ),
    "blocks": (
        {"blocks": ["b"]},
        lambda before, after, path: after.effects["factor"].tolist() == ["a", "a"],
    ),
    "figures": (
        {"figures": ["forest"]},
        lambda before, after, path: [file.name for file in (path / "figures").glob("*.png")] == ["forest.png"],
    ),
    "width": (
        {"figures": ["forest"], "width": "ieee"},
        lambda before, after, path: png_width(path / "figures" / "forest.png") == round(3.5 * 300),
    ),
    "statements": (
        {"statements": {"epoch selection": "the last epoch"}},
        lambda before, after, path: "the last epoch" in (path / "checklist.md").read_text(),
    ),
}


def png_width(path: Path) -> int:
    return int.from_bytes(path.read_bytes()[16:20], "big")


def test_every_setting_has_a_case() -> None:
    of_further_runs = {"retry_failed", "confirms", "changed_code"}  # test_methods, test_earlier_runs
    assert CASES.keys() | of_further_runs == RUN_SETTINGS.keys()
    assert not CASES.keys() & of_further_runs


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The outcome without any of the settings."""
    return outcome(tmp_path_factory.mktemp("before"), figures=[])


@pytest.mark.parametrize("key", CASES)
def test_a_setting_of_run_acts(key: str, before: Any, tmp_path: Path) -> None:
    settings, has_acted = CASES[key]
    settings = dict(settings)
    factors, config = settings.pop("factors", AB), settings.pop("config", None)
    quick = {} if "figures" in settings else {"figures": []}
    after = outcome(tmp_path, factors, config, **quick, **settings)
    assert has_acted(before, after, tmp_path / settings.get("name", "s"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"cells": 5}, "cells=5 has no effect: it belongs to design=optimal"),
        ({"resolution": 5}, "resolution=5 has no effect: it belongs to design=fractional"),
        ({"max_seeds": 30}, "max_seeds=30 has no effect: it belongs to seeds=auto"),
        ({"metric": "zorp"}, "Nothing in the name 'zorp' says whether higher or lower is better"),
        ({"blocks": ["data"]}, "blocks names 'data', which is no factor"),
    ],
)
def test_what_cannot_act_is_refused_before_anything_is_trained(
    settings: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(AblateError, match=said):
        outcome(tmp_path, **settings)
    assert not list(tmp_path.iterdir())


def test_a_number_without_a_name_is_taken_as_better_when_higher_and_this_can_be_corrected(tmp_path: Path) -> None:
    def number(config: Mapping[str, Any]) -> float:
        return score(config)["acc"]

    first = ablate.run(number, {"a": [True, False]}, config={"b": 1}, outputs=tmp_path, name="s")
    assert first.study.direction == "max"
    assert any("Nothing says whether higher or lower value is better" in note for note in first.notes)
    second = ablate.run(number, {"a": [True, False]}, config={"b": 1}, outputs=tmp_path, name="s", direction="min")
    assert second.study.direction == "min"
    assert not any("Nothing says" in note for note in second.notes)


def test_the_direction_follows_from_the_name_that_the_runs_report(tmp_path: Path) -> None:
    def loss(config: Mapping[str, Any]) -> dict[str, float]:
        return {"val_loss": score(config)["loss"] + 0.3 * (not config["a"])}

    ablate.run(loss, {"a": [True, False]}, config={"b": 1}, outputs=tmp_path, name="s")
    summary = summary_of(StudyFolder(tmp_path / "s"))
    assert (summary.study.direction, summary.effects["verdict"].tolist()) == ("min", ["helps"])
    assert any("its name says 'loss'" in note for note in summary.notes)


def test_the_command_line_reads_the_same_declarations() -> None:
    # Hydra hands the sweeper plain values, which go through the same class; what is planned from them is the same.
    factors = [Factor(name, (Level("true"), Level("false")), "true") for name in "abc"]
    for key, (settings, _) in CASES.items():
        plain = {name: value for name, value in settings.items() if name not in ("factors", "config", "name")}
        read = StudySettings.from_values({"metric": "acc", **plain})
        study = read.study("s", "factorial", "acc")
        if key not in ("requires", "forbidden"):
            assert make_plan(study, factors, read.constraints()).cells
    with pytest.raises(DesignError, match="cells=5 has no effect"):
        StudySettings.from_values({"cells": 5}).study("s", "factorial", "acc")


PLANNED: dict[str, tuple[list[str], Callable[[dict[str, Any]], bool]]] = {
    "name": (["name=other"], lambda plan: plan["study"]["name"] == "other"),
    "design": (["design=leave_one_out"], lambda plan: len(plan["cells"]) == 3),
    "seeds": (["seeds=[4,9]"], lambda plan: plan["study"]["seeds"] == [4, 9]),
    "max_seeds": (["seeds=auto", "max_seeds=4"], lambda plan: len(plan["study"]["seeds"]) == 4),
    "metric": (["metric=val_loss"], lambda plan: plan["study"]["direction"] == "min"),
    "direction": (["direction=min"], lambda plan: plan["study"]["direction"] == "min"),
    "margin": (["margin=0.5"], lambda plan: plan["study"]["margin"] == 0.5),
    "failures": (["failures=0.25"], lambda plan: plan["study"]["failures"] == 0.25),
    "resplit": (["resplit=0.25"], lambda plan: plan["study"]["resplit"] == 0.25),
    "cells": (["design=optimal", "cells=4"], lambda plan: len(plan["cells"]) == 4),
    "requires": (["requires={depth: {model: small}}"], lambda plan: len(plan["cells"]) == 3),
    "forbidden": (["forbidden=[{depth: 3, model: large}]"], lambda plan: len(plan["cells"]) == 3),
    "labels": (["labels={depth: blocks}"], lambda plan: plan["factors"][0]["label"] == "blocks"),
    "blocks": (["blocks=[depth]"], lambda plan: plan["factors"][0]["block"] is True),
}
"""By key, what to type behind ``hydra.sweeper.``, and what the plan then says. What shows only in runs and reports is
tested where these are: retries and stops in test_failures, figures in test_chosen_figures, confirmations in
test_confirm_study."""


@pytest.mark.parametrize("key", PLANNED)
def test_a_setting_of_the_command_line_acts(key: str, toy_here: Any) -> None:
    typed, has_acted = PLANNED[key]
    ended = toy_here.call(
        "depth=2,3", "model=small,large", *(f"hydra.sweeper.{each}" for each in typed), "hydra.sweeper.dry_run=json"
    )
    assert ended.code == 0, ended.err
    assert has_acted(json.loads(ended.out))


@pytest.mark.parametrize("typed", ["cells=5", "resolution=5", "max_seeds=30", "metric=zorp"])
def test_the_command_line_refuses_what_cannot_act(typed: str, toy_here: Any) -> None:
    ended = toy_here.call("depth=2,3", f"hydra.sweeper.{typed}")
    assert ended.code == 2
    assert typed.replace("metric=", "name '").rstrip("'") in ended.err
    assert not toy_here.trained()
