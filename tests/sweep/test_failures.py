"""What becomes of a study when runs, workers or the whole command end badly."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from launchers import LAUNCHERS, need

BASIC, WORKERS, ISOLATED = (LAUNCHERS[name] for name in ("basic", "workers", "isolated"))
RUNS = {"full/0": "2-0", "full/1": "2-1", "depth=3/0": "3-0", "depth=3/1": "3-1"}


@pytest.mark.parametrize(
    ("launcher", "kind", "reason"),
    [(BASIC, "raise", "raised"), (BASIC, "exit", "exited"), (WORKERS, "raise", "raised")],
    ids=["basic raises", "basic exits", "workers raise"],
)
def test_four_runs_of_which_one_fails(launcher: tuple[str, ...], kind: str, reason: str, toy_here: Any) -> None:
    toy_here.trouble("2-1", kind)
    ended = toy_here.call("depth=2,3", *launcher)
    assert ended.code == 1
    assert toy_here.states() == {
        "full/0": "finished",
        "full/1": f"failed {reason}",
        "depth=3/0": "finished",
        "depth=3/1": "finished",
    }
    assert "3 finished, 1 failed:" in ended.out
    assert f"depth=2, seed 1: {reason}: " in ended.out
    runs = pd.read_csv(toy_here.study().path / "runs.csv", keep_default_na=False)
    assert runs["reason"].tolist() == ["", reason, "", ""]
    # Failed for a reason of its own, it is not tried again unless asked.
    assert toy_here.call("depth=2,3", *launcher).code == 1
    assert Counter(toy_here.trained()) == {"2-0": 1, "2-1": 1, "3-0": 1, "3-1": 1}
    toy_here.mend("2-1")
    assert toy_here.call("depth=2,3", "hydra.sweeper.retry_failed=true", *launcher).code == 0
    assert Counter(toy_here.trained()) == {"2-0": 1, "2-1": 2, "3-0": 1, "3-1": 1}
    assert set(toy_here.states().values()) == {"finished"}


@pytest.mark.parametrize("launcher", [WORKERS, ISOLATED], ids=lambda names: names[0].split("=")[1])
def test_runs_that_end_badly_in_every_way_end_alone(launcher: tuple[str, ...], toy_here: Any) -> None:
    bad = {
        "full/1": ("2-1", "raise", "raised", 1),
        "depth=3/0": ("3-0", "exit", "exited", 1),
        "depth=3/1": ("3-1", "kill", "killed", 2),
        "depth=4/0": ("4-0", "die", "exited", 1),
    }
    for run, kind, _, _ in bad.values():
        toy_here.trouble(run, kind)
    ended = toy_here.call("depth=2,3,4", *launcher)
    assert ended.code == 1
    assert "2 finished, 4 failed:" in ended.out
    outcome = {cell: f"failed {reason}" for cell, (_, _, reason, _) in bad.items()}
    assert toy_here.states() == {"full/0": "finished", "depth=4/1": "finished", **outcome}
    starts = {run: times for run, _, _, times in bad.values()}
    assert Counter(toy_here.trained()) == {"2-0": 1, "4-1": 1, **starts}


def test_a_failure_tells_where_its_traceback_is(toy_here: Any) -> None:
    toy_here.trouble("3-1", "raise")
    ended = toy_here.call("depth=2,3", *BASIC)
    study = toy_here.study()
    run = next(run for run in study.existing_record().runs if (run.cell, run.seed) == ("depth=3", 1))
    log = study.run(run).log
    assert str(log.relative_to(toy_here.folder)) in ended.out
    assert "ValueError: a bad day" in log.read_text()
    assert "Traceback" not in ended.err


def test_a_run_that_takes_too_long_is_ended(toy_here: Any) -> None:
    toy_here.trouble("2-0", "hang")
    ended = toy_here.call("depth=2,3", *WORKERS, "hydra.launcher.timeout=6")
    assert ended.code == 1
    assert toy_here.states() == dict.fromkeys(RUNS, "finished") | {"full/0": "failed timed out"}
    assert "The run took longer than 6 s." in ended.out


def test_keep_going_false_stops_and_counts_only_what_has_finished(toy_here: Any) -> None:
    toy_here.trouble("2-1", "raise")
    ended = toy_here.call("depth=2,3", *BASIC, "hydra.sweeper.keep_going=false")
    assert ended.code == 1
    assert toy_here.trained() == ["2-0", "2-1"]
    assert toy_here.states() == {
        "full/0": "finished",
        "full/1": "failed raised",
        "depth=3/0": "waiting",
        "depth=3/1": "waiting",
    }
    assert "1 finished, 1 failed" in ended.out


@pytest.mark.parametrize("launcher", [WORKERS, ISOLATED], ids=lambda names: names[0].split("=")[1])
@pytest.mark.parametrize("kind", ["raise", "die"])
def test_keep_going_false_lets_what_is_under_way_end_and_starts_no_other(
    launcher: tuple[str, ...], kind: str, toy: Any, until: Callable[..., None]
) -> None:
    for name in ("hold", "wait"):
        (toy.folder / name).touch()
    toy.trouble("2-0", kind)
    process = toy.start("depth=2,3,4", *launcher, "hydra.sweeper.keep_going=false")
    until(lambda: len(toy.trained()) == 2)
    (toy.folder / "hold").unlink()
    until(lambda: "failed" in "".join(toy.states().values()))
    (toy.folder / "wait").unlink()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert len(toy.trained()) == 2
    assert sorted(state.split()[0] for state in toy.states().values()) == ["failed", "finished", *["waiting"] * 4]
    assert "1 finished, 1 failed:" in out


def test_a_study_of_which_everything_failed_still_reports(toy_here: Any) -> None:
    for name in RUNS.values():
        toy_here.trouble(name, "raise")
    ended = toy_here.call("depth=2,3", *BASIC)
    assert ended.code == 1
    assert "0 finished, 4 failed:" in ended.out
    assert (toy_here.study().path / "effects.csv").is_file()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("launcher", ["joblib", "submitit", "ray"])
def test_launchers_of_others_carry_runs_that_raise_exit_and_are_killed(launcher: str, toy: Any) -> None:
    need(launcher)
    for name, kind in (("2-1", "raise"), ("3-0", "kill"), ("4-1", "exit")):
        toy.trouble(name, kind)
    ended = toy.run("depth=2,3,4", *LAUNCHERS[launcher], timeout=200)
    assert ended.code == 1, ended.err
    assert toy.states() == {
        "full/0": "finished",
        "full/1": "failed raised",
        "depth=3/0": "failed killed",
        "depth=3/1": "finished",
        "depth=4/0": "finished",
        "depth=4/1": "failed exited",
    }
    assert "3 finished, 3 failed:" in ended.out
    starts = Counter(toy.trained())
    assert starts.keys() == set("2-0 2-1 3-0 3-1 4-0 4-1".split())
    # A killed process takes what runs beside it with it under joblib, which ends all of its processes.
    assert starts["3-0"] == 2
    assert max(starts.values()) == 2


@pytest.mark.slow
def test_a_kill_under_basic_needs_at_most_two_more_commands(toy: Any) -> None:
    toy.trouble("2-1", "kill")
    codes = [toy.run("depth=2,3", *BASIC).code for _ in range(3)]
    assert codes[0] == -signal.SIGKILL
    assert codes[-1] == 1
    assert toy.states() == dict.fromkeys(RUNS, "finished") | {"full/1": "failed killed"}
    assert Counter(toy.trained()) == {"2-0": 1, "2-1": 2, "3-0": 1, "3-1": 1}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [BASIC, WORKERS], ids=lambda names: names[0].split("=")[1])
def test_a_killed_command_goes_on_and_ends_as_if_undisturbed(
    launcher: tuple[str, ...], toy: Any, undisturbed: dict[str, bytes], until: Callable[..., None]
) -> None:
    (toy.folder / "wait").touch()
    process = toy.start("depth=2,3", *launcher)
    # The first runs wait in their middle when the parent is killed.
    until(toy.trained)
    process.kill()
    process.communicate()
    (toy.folder / "wait").unlink()
    until(lambda: "running" not in toy.states().values())
    begun = set(toy.trained())
    finished = {RUNS[name] for name, state in toy.states().items() if state == "finished"}
    ended = toy.run("depth=2,3", *launcher)
    assert ended.code == 0, ended.err
    assert toy.collected() == undisturbed
    counts = Counter(toy.trained())
    assert set(counts) == set(RUNS.values())
    assert all(counts[name] == 1 for name in finished)
    assert all(counts[name] == 1 + (name in begun and name not in finished) for name in counts)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [BASIC, WORKERS], ids=lambda names: names[0].split("=")[1])
def test_an_interrupted_command_says_so_and_goes_on(
    launcher: tuple[str, ...], toy: Any, until: Callable[..., None]
) -> None:
    (toy.folder / "wait").touch()
    for begun in (1, 2):  # interrupting is not dying: it may be done again
        process = toy.start("depth=2,3", *launcher)
        until(lambda begun=begun: toy.trained().count("2-0") == begun)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert err.endswith("Interrupted. What has finished is kept; the same command goes on from here.\n")
        assert "Traceback" not in err
        assert not {"running", "failed killed"} & set(toy.states().values())
    (toy.folder / "wait").unlink()
    assert toy.run("depth=2,3", *launcher).code == 0
    assert set(toy.states().values()) == {"finished"}


@pytest.mark.slow
def test_two_shells_with_the_same_command_share_the_work(toy: Any, until: Callable[..., None]) -> None:
    (toy.folder / "wait").touch()
    shells = [toy.start("depth=2,3,4", *WORKERS) for _ in range(2)]
    until(lambda: len(toy.trained()) >= 2)
    (toy.folder / "wait").unlink()
    for shell in shells:
        _, err = shell.communicate(timeout=60)
        assert shell.returncode == 0, err
    assert Counter(toy.trained()) == {f"{depth}-{seed}": 1 for depth in (2, 3, 4) for seed in (0, 1)}
    assert set(toy.states().values()) == {"finished"}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [BASIC, WORKERS], ids=lambda names: names[0].split("=")[1])
def test_editing_the_yaml_files_does_not_reach_runs_that_start_later(
    launcher: tuple[str, ...], toy: Any, until: Callable[..., None]
) -> None:
    (toy.folder / "wait").touch()
    process = toy.start("model=small,large", "seed=0,1,2", *launcher)
    until(toy.trained)
    for name in ("small", "large"):
        (toy.folder / "conf" / "model" / f"{name}.yaml").write_text("bonus: 100.0\n")
    path = toy.folder / "conf" / "config.yaml"
    path.write_text(path.read_text().replace("depth: 2", "depth: 50"))
    (toy.folder / "wait").unlink()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    runs = pd.read_csv(toy.study("model").path / "runs.csv")
    assert runs["score"].round(6).tolist() == [0.52, 0.54, 0.56, 0.645, 0.665, 0.685]
    assert {name.split("-")[0] for name in toy.trained()} == {"2"}


SCRIPT = """
from dataclasses import dataclass, field

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

OmegaConf.register_new_resolver("twice", lambda value: 2 * value)


@dataclass
class Model:
    depth: int = 2
    width: str = "${twice:${.depth}}"


@dataclass
class Settings:
    seed: int = 0
    model: Model = field(default_factory=Model)


class Odd(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


ConfigStore.instance().store(name="settings", node=Settings)


@hydra.main(config_path=None, config_name="settings", version_base="1.3")
def main(settings: Settings):
    if settings.model.depth == 4:
        raise Odd(1, 2)
    return float(settings.model.width) + settings.seed


main()
"""


@pytest.mark.slow
def test_a_script_with_its_schema_resolvers_and_errors_in_main_runs_in_workers(toy: Any) -> None:
    (toy.folder / "toy_application.py").write_text(SCRIPT)
    ended = toy.run("model.depth=2,3,4", "hydra/sweeper=ablation", "hydra.sweeper.seeds=[0,1]", *WORKERS)
    assert ended.code == 1, ended.err
    assert "4 finished, 2 failed:" in ended.out
    assert "model.depth=4, seed 0: raised: Odd: 1 2" in ended.out
    runs = pd.read_csv(toy.study("model.depth").path / "runs.csv")
    assert runs["value"].dropna().tolist() == [4.0, 5.0, 6.0, 7.0]
