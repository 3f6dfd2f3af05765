"""A command that is not about the study in its folder: every line of advice, followed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import ablate
from ablate.errors import StoreError
from ablate.sweep.same_study import Spelling

ONE = "hydra.sweeper.seeds=1"


def edit(toy: Any, old: str, new: str) -> None:
    path = toy.folder / "conf" / "config.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def advised(text: str, begin: str) -> list[str]:
    """The overrides that a line of advice names."""
    (line,) = [line for line in text.splitlines() if line.startswith(begin)]
    return [word.rstrip(".") for word in line[len(begin) :].split() if "=" in word or word.startswith("~")]


def refused(toy: Any, *arguments: str) -> str:
    ended = toy.call(*arguments)
    assert ended.code == 2
    return str(ended.err)


def test_a_typed_value_is_left_out_compared_or_given_a_study_of_its_own(toy_here: Any) -> None:
    command = ("depth=2,3", ONE)
    toy_here.call(*command)
    message = refused(toy_here, *command, "rate=0.2")
    assert advised(message, "To go on with it, the same command without") == ["rate=0.2"]
    assert "ignore" not in message
    compare = advised(message, "To compare both in it:")
    assert compare == ["rate=0.1,0.2", "hydra.sweeper.name=depth", "rate=0.2"]  # the last is what it stands in for
    ended = toy_here.call(*command, *compare[:2])
    assert ended.code == 0, ended.err
    assert "4 runs: 2 done, 2 to train" in ended.out
    (name,) = advised(message, "For a study of its own:")
    assert name == "hydra.sweeper.name=depth-2"
    assert toy_here.call(*command, "rate=0.2", name).code == 0
    assert advised(refused(toy_here, *command, "rate=0.3"), "For a study of its own:") == ["hydra.sweeper.name=depth-3"]


def test_an_edited_file_is_overridden_by_what_it_held(toy_here: Any) -> None:
    command = ("depth=2,3", ONE)
    toy_here.call(*command)
    edit(toy_here, "rate: 0.1", "rate: 0.2")
    message = refused(toy_here, *command)
    back = advised(message, "To go on with it, the same command with")
    assert back == ["rate=0.1"]
    assert "2 done, 0 to train" in toy_here.call(*command, *back).out
    compare = advised(message, "To compare both:")
    assert compare == ["rate=0.1,0.2", "hydra.sweeper.name=depth-2"]
    ended = toy_here.call(*command, *compare)
    assert ended.code == 0, ended.err
    assert len(toy_here.states("depth-2")) == 4


@pytest.mark.parametrize(
    ("before", "after", "back"),
    [
        ("rate: 0.1", "rate: 0.1\nextra: {deep: 1}", ["~extra"]),
        ("rate: 0.1\nextra: {deep: 1}", "rate: 0.1\nextra: {}", ["+extra.deep=1"]),
        ("rate: 0.1\nextra: [1, 2]", "rate: 0.1\nextra: [1, 3]", ["extra=[1,2]"]),
    ],
    ids=["added", "taken away", "a list"],
)
def test_a_key_that_came_or_went_is_brought_back(before: str, after: str, back: list[str], toy_here: Any) -> None:
    command = ("depth=2,3", ONE)
    edit(toy_here, "rate: 0.1", before)
    toy_here.call(*command)
    edit(toy_here, before, after)
    message = refused(toy_here, *command)
    advice = advised(message, "To go on with it, the same command with")
    assert advice == back
    assert "2 done, 0 to train" in toy_here.call(*command, *advice).out


def test_what_no_command_line_takes_as_it_is_is_not_proposed(toy_here: Any) -> None:
    edit(toy_here, "note: a", "note: 'a (b) ${oc.env:HOME}'")
    toy_here.call("depth=2,3", ONE)
    edit(toy_here, "note: 'a (b) ${oc.env:HOME}'", "note: c")
    assert "To go on with it, let these have the values it has." in refused(toy_here, "depth=2,3", ONE)


def test_a_label_may_be_ignored_in_a_study_that_takes_any_value_of_it(toy_here: Any) -> None:
    command = ("depth=2,3", ONE)
    toy_here.call(*command)
    ignore = advised(refused(toy_here, *command, "note=b"), "If note changes no result")
    assert ignore[0] == "hydra.sweeper.ignore=[note]"
    assert toy_here.call(*command, "note=b", *ignore).code == 0
    assert "2 done, 0 to train" in toy_here.call(*command, "note=c", *ignore).out


def test_declarations_are_put_back_as_they_are_typed(toy_here: Any) -> None:
    command = ("depth=2,3", "hydra.sweeper.seeds=auto", "hydra.sweeper.max_seeds=3")
    toy_here.call(*command)
    message = refused(toy_here, "depth=2,3", "hydra.sweeper.seeds=3")
    assert "hydra.sweeper.seeds: auto -> [0,1,2]" in message or "hydra.sweeper.seeds: auto -> [1,2,3]" in message
    assert advised(message, "To go on with it, the same command with") == ["hydra.sweeper.seeds=auto"]
    message = refused(toy_here, "depth=2,3", "hydra.sweeper.seeds=auto", "hydra.sweeper.max_seeds=5")
    assert advised(message, "To go on with it, the same command with") == ["hydra.sweeper.max_seeds=3"]


def test_a_folder_that_was_typed_is_another_one_in_the_advice(toy_here: Any) -> None:
    command = ("depth=2,3", ONE)
    toy_here.call(*command, "hydra.sweep.dir=results/first")
    message = refused(toy_here, *command, "hydra.sweep.dir=results/first", "rate=0.2")
    (other,) = advised(message, "For a study of its own:")
    assert other == "hydra.sweep.dir=results/first-2"
    assert toy_here.call(*command, "rate=0.2", other).code == 0


def test_a_python_function_has_arguments(tmp_path: Path) -> None:
    def train(config: dict[str, Any]) -> float:
        return float(config["depth"])

    def start(**more: Any) -> None:
        ablate.run(train, {"depth": [2, 3]}, seeds=2, outputs=tmp_path, figures=[], **more)

    start(config={"rate": 1})
    with pytest.raises(StoreError) as caught:
        start(config={"rate": 2}, margin=0.1)
    message = str(caught.value)
    assert "rate: 1 -> 2" in message and "  margin: null -> 0.1" in message
    assert "name='depth-2'" in message
    assert not re.search(r"study\.|hydra|ignore", message)
    start(config={"rate": 2}, margin=0.1, name="depth-2")


def test_settings_are_spelled_as_they_are_typed() -> None:
    assert Spelling().setting("seeds", [0, 1]) == "study.seeds=[0,1]"
    assert Spelling(section="").setting("name", "a-2") == "name='a-2'"
