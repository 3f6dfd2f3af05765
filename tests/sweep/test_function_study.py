"""Studies of plain functions."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import ablate
from ablate.errors import AblateError, DesignError


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
    assert [cell.label for cell in found.plan.cells] == ["full", "with residual"]


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
        ({"factors": {"a": [1, 2]}, "seeds": 0}, "study.seeds=0: a study needs at least one seed."),
    ],
)
def test_bad_input(tmp_path: Path, arguments: dict[str, object], words: str) -> None:
    with pytest.raises(DesignError) as caught:
        ablate.run(train, outputs=tmp_path, **arguments)  # type: ignore[arg-type]
    assert str(caught.value) == words


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
    ablate.run(redundant, factors, name="pair", seeds=4, **asked)  # type: ignore[arg-type]
    found = ablate.run(redundant, factors, name="pair", confirms=str(tmp_path / "pair"), **asked)  # type: ignore[arg-type]
    assert [cell.label for cell in found.plan.cells] == ["full", "w/o a, w/o b"]
    assert found.study.seeds == (4, 5, 6, 7, 8)
    assert "Refuted: removing a and b changes accuracy by −20." in capsys.readouterr().out
    assert json.loads((tmp_path / "pair" / "confirmation.json").read_text())["confirmed"] is False
    with pytest.raises(AblateError, match="The configuration is not the one that the study had:\n  width: absent -> 8"):
        ablate.run(redundant, factors, name="pair", confirms=str(tmp_path / "pair"), config={"width": 8}, **asked)  # type: ignore[arg-type]
