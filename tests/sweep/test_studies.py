"""Whole studies of a third-party application, in this process and without figures."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

LAUNCHERS = [["hydra/launcher=basic"], ["hydra/launcher=workers", "hydra.launcher.workers=2"]]
CELLS = ["full/0", "full/1", "depth=3/0", "depth=3/1"]


def declare(toy: Any, factors: str) -> None:
    """Declare factors in the application's own configuration."""
    path = toy.folder / "conf" / "config.yaml"
    path.write_text(f"{path.read_text()}    factors:\n      {factors}\n")


def test_a_study_from_the_command_line_to_the_effects(toy_here: Any) -> None:
    ended = toy_here.call("depth=2,3")
    assert ended.code == 0, ended.err
    assert toy_here.states() == dict.fromkeys(CELLS, "finished")
    effects = pd.read_csv(toy_here.study().path / "effects.csv")
    assert effects[["study", "cell", "factor", "metric", "n"]].to_numpy().tolist() == [
        ["depth", "depth=3", "depth", "score", 2]
    ]
    # score = .5 + .01 depth (1 + seed): the differences are .01 and .02
    assert effects["difference"].iloc[0] == pytest.approx(0.015)
    curves = pd.read_csv(toy_here.study().path / "curves.csv")
    assert list(curves.columns) == ["study", "cell", "seed", "epoch", "val_loss"]
    assert len(curves) == 4 * 3


@pytest.mark.parametrize("launcher", LAUNCHERS, ids=["basic", "workers"])
def test_the_same_command_trains_nothing_and_writes_the_same_bytes(launcher: list[str], toy_here: Any) -> None:
    first = toy_here.call("depth=2,3", *launcher)
    collected = toy_here.collected()
    second = toy_here.call("depth=2,3", *launcher)
    assert (first.code, second.code) == (0, 0)
    assert sorted(toy_here.trained()) == ["2-0", "2-1", "3-0", "3-1"]
    assert toy_here.collected() == collected
    assert "4 runs: 4 done, 0 to train." in second.out
    table = first.out.split("verdict")[1]
    assert table in second.out


def test_a_study_grows_by_seeds_and_by_levels(toy_here: Any) -> None:
    toy_here.call("depth=2,3")
    assert toy_here.call("depth=2,3", "hydra.sweeper.seeds=[0,1,2]").code == 0
    assert sorted(toy_here.trained()) == ["2-0", "2-1", "2-2", "3-0", "3-1", "3-2"]
    assert toy_here.call("depth=2,3,4", "hydra.sweeper.seeds=[0,1,2]").code == 0
    assert sorted(toy_here.trained()) == ["2-0", "2-1", "2-2", "3-0", "3-1", "3-2", "4-0", "4-1", "4-2"]
    assert set(toy_here.states().values()) == {"finished"}


def test_a_larger_design_trains_only_what_is_missing(toy_here: Any) -> None:
    common = ("depth=2,3", "model=small,large", "seed=0,7")
    toy_here.call(*common, "hydra.sweeper.design=leave_one_out")
    assert len(toy_here.trained()) == 6
    assert toy_here.call(*common, "hydra.sweeper.design=factorial").code == 0
    assert len(toy_here.trained()) == 8
    assert len(toy_here.states("depth-model")) == 8


def test_a_smaller_command_keeps_the_larger_study(toy_here: Any) -> None:
    toy_here.call("depth=2,3", "hydra.sweeper.seeds=[0,1,2]")
    assert toy_here.call("depth=2,3", "hydra.sweeper.seeds=[0,1]").code == 0
    assert len(toy_here.states()) == 6
    assert len(toy_here.trained()) == 6


def test_another_reference_is_refused_key_by_key(toy_here: Any) -> None:
    toy_here.call("depth=2,3", "hydra.sweeper.direction=max")  # one that only the metric's name says may be corrected
    before = toy_here.collected()
    refused = toy_here.call("depth=2,3", "rate=0.2", "width=9", "hydra.sweeper.direction=min")
    assert refused.code == 2
    assert (
        "holds another study:\n  rate: 0.1 -> 0.2\n  width: 8 -> 9\n  hydra.sweeper.direction: max -> min\n"
        in refused.err
    )
    assert "hydra.sweeper.name=depth-2" in refused.err
    assert len(toy_here.trained()) == 4
    assert toy_here.collected() == before


def test_a_reference_level_that_is_not_listed_is_added_and_said(toy_here: Any) -> None:
    ended = toy_here.call("depth=3,4")
    assert ended.code == 0
    assert list(dict.fromkeys(name.split("/")[0] for name in toy_here.states())) == ["full", "depth=3", "depth=4"]
    assert "depth=2 is the reference: the configuration has it, so it was added to the levels." in ended.out


def test_config_groups_are_swept(toy_here: Any) -> None:
    assert toy_here.call("model=small,large").code == 0
    effects = pd.read_csv(toy_here.study("model").path / "effects.csv")
    assert effects["difference"].tolist() == pytest.approx([0.125])


def test_seeds_are_chosen_by_sweeping_the_seed(toy_here: Any) -> None:
    assert toy_here.call("depth=2,3", "seed=0,7,9").code == 0
    assert sorted(toy_here.trained()) == ["2-0", "2-7", "2-9", "3-0", "3-7", "3-9"]


def test_one_seed_alone_is_a_list_of_one(toy_here: Any) -> None:
    assert toy_here.call("depth=2,3", "seed=5").code == 0
    assert sorted(toy_here.trained()) == ["2-5", "3-5"]


def test_declared_factors_with_named_levels(toy_here: Any) -> None:
    declare(toy_here, "size: {normal: [], tiny: [depth=1, width=4]}")
    ended = toy_here.call()
    assert ended.code == 0, ended.err
    runs = pd.read_csv(toy_here.study("toy_application").path / "runs.csv")
    assert runs["cell"].tolist() == ["size=normal", "size=normal", "size=tiny", "size=tiny"]
    assert sorted(toy_here.trained()) == ["1-0", "1-1", "2-0", "2-1"]


def test_the_output_folder_can_be_chosen(toy_here: Any) -> None:
    assert toy_here.call("depth=2,3", "hydra.sweep.dir=elsewhere/here").code == 0
    assert (toy_here.folder / "elsewhere" / "here" / "effects.csv").is_file()
    assert not (toy_here.folder / "outputs").exists()


def test_a_dry_run_says_the_plan_and_leaves_nothing_behind(toy_here: Any) -> None:
    ended = toy_here.call("depth=2,3", "hydra.sweeper.dry_run=true")
    assert ended.code == 0
    assert "4 runs: 0 done, 4 to train." in ended.out
    assert toy_here.trained() == []
    # Another reference is no conflict, since nothing was trained.
    assert toy_here.call("depth=2,3", "width=16").code == 0


def test_equal_configurations_are_found_before_training(toy_here: Any) -> None:
    declare(toy_here, "size: {normal: [], same: [depth=2]}")
    ended = toy_here.call()
    assert ended.code == 2
    assert "resolve to the same configuration" in ended.err
    assert toy_here.trained() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dpth=2,3"], "Unknown key 'dpth': it cannot be swept. Did you mean 'depth'?\n"),
        (["+dpth=2,3"], "Did you mean 'depth'? To add it: '++dpth=2,3'.\n"),
        (["xyzzy=2,3"], "Unknown key 'xyzzy': it cannot be swept. To add it: '+xyzzy=2,3'.\n"),
        (
            ["dpth=2,3", "wdth=1,2"],
            "Unknown key 'dpth': it cannot be swept. Did you mean 'depth'?\n"
            "Unknown key 'wdth': it cannot be swept. Did you mean 'width'?\n",
        ),
        (["rate=interval(0,1)"], "rate=interval(0,1): a continuous range has no levels. List them: rate=a,b,c.\n"),
        (["depth=2,3", "seed=a,b"], "seed=a,b: seeds are whole numbers.\n"),
        (["depth=2,3", "seed=1,1"], "A seed stands twice in [1, 1]; a repeated seed is not a second observation.\n"),
        ([], "Nothing to compare: no key is swept and no factors are declared. Sweep a key, for example key=a,b.\n"),
        (["depth=2"], "Nothing to compare: no key is swept and no factors are declared."),
        (["depth=2,2"], "Factor 'depth' has nothing to compare: its only level is 2.\n"),
        (
            ["depth=2,3", "hydra.sweeper.seeds=0"],
            "hydra.sweeper.seeds=0: must be a whole number from 1 to 100000, or a list of",
        ),
        (
            ["depth=2,3", "hydra.sweeper.seeds=two"],
            "hydra.sweeper.seeds=two: must be a whole number from 1 to 100000, or a list of whole numbers",
        ),
        (["depth=2,3", "hydra.sweeper.direction=up"], "Unknown direction 'up'. Allowed: max, min.\n"),
        (
            ["depth=2,3", "hydra.sweeper.margin=big"],
            "hydra.sweeper.margin=big: must be a number, or null.\n",
        ),
        (["depth=2,3", "hydra.sweeper.name=../.."], "hydra.sweeper.name='../..' cannot be the name of a folder: "),
        (
            ["depth=2,3", "hydra.sweeper.seed_key=sed"],
            "The configuration has no key 'sed' for the seed. Name the right one with hydra.sweeper.seed_key=..., "
            "and let the task read its seed there. This looks like one: seed. +sed=0 adds the key",
        ),
        (
            ["depth=2,3", "hydra/launcher=workers", "hydra.launcher.workers=0"],
            "workers=0: must be auto, or a whole number of at least 1.",
        ),
        (["model=small,lrge"], "lrge"),
    ],
)
def test_bad_input_is_a_message_and_code_2(arguments: list[str], message: str, toy_here: Any) -> None:
    ended = toy_here.call(*arguments)
    assert ended.code == 2
    assert message in ended.err
    assert len(ended.err.splitlines()) <= 5
    assert toy_here.trained() == []


def test_a_metric_that_no_run_reports_is_told_with_those_there_are(toy_here: Any) -> None:
    ended = toy_here.call("depth=2,3", "hydra.sweeper.metric=scor", "hydra.sweeper.direction=max")
    assert ended.code == 2
    assert "No finished run of study 'depth' has the metric 'scor'." in ended.err
    assert "Did you mean 'score'?" in ended.err
    assert "without a number 'scor'; it has score, epochs" in ended.out


# --- what is swept in other ways ---


@pytest.mark.parametrize(
    ("override", "levels"),
    [
        ("depth=range(2,5)", ["2", "3", "4"]),
        ("depth=choice(2,4)", ["2", "4"]),
        ("rate=0.1,1e-3", ["0.1", "0.001"]),
        ("note=a,'b c','x,y'", ["a", "b c", "x,y"]),
        ("model=glob(*)", ["large", "small"]),
        ("note=a,null", ["a", "null"]),
    ],
)
def test_hydras_sweeps(override: str, levels: list[str], toy_here: Any) -> None:
    ended = toy_here.call(override, "hydra.sweeper.seeds=[0]", "hydra.sweeper.name=s")
    assert ended.code == 0, ended.err
    plan = json.loads((toy_here.study("s").path / "plan.json").read_text())["plan"]
    assert list(plan["factors"][0]["levels"]) == levels


def test_a_group_outside_the_defaults_list_is_swept_with_a_plus(toy_here: Any) -> None:
    for name, depth in (("x", 5), ("y", 6)):
        path = toy_here.folder / "conf" / "experiment" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# @package _global_\ndepth: {depth}\n")
    ended = toy_here.call("+experiment=x,y", "hydra.sweeper.seeds=[0]")
    assert ended.code == 0, ended.err
    assert {"5-0", "6-0"} <= set(toy_here.trained())


def test_a_missing_value_that_is_swept_needs_no_reference_in_the_configuration(toy_here: Any) -> None:
    path = toy_here.folder / "conf" / "config.yaml"
    path.write_text(path.read_text().replace("depth: 2", "depth: ???"))
    ended = toy_here.call("depth=2,3", "hydra.sweeper.seeds=[0]")
    assert ended.code == 0, ended.err
    assert sorted(toy_here.trained()) == ["2-0", "3-0"]
    assert set(toy_here.states()) == {"full/0", "depth=3/0"}


def test_values_that_change_with_the_clock_or_the_machine_do_not_make_new_runs(
    toy_here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = toy_here.folder / "conf" / "config.yaml"
    path.write_text(path.read_text().replace("note: a", "note: ${now:%f}-${oc.env:TOY_WHERE}-${hydra:runtime.cwd}"))
    monkeypatch.setenv("TOY_WHERE", "here")
    toy_here.call("depth=2,3")
    monkeypatch.setenv("TOY_WHERE", "there")
    assert toy_here.call("depth=2,3").code == 0
    assert len(toy_here.trained()) == 4


def test_not_a_number_in_the_configuration_is_no_difference(toy_here: Any) -> None:
    path = toy_here.folder / "conf" / "config.yaml"
    path.write_text(path.read_text().replace("rate: 0.1", "rate: .nan"))
    toy_here.call("depth=2,3")
    assert toy_here.call("depth=2,3").code == 0
    assert len(toy_here.trained()) == 4


def test_the_look_before_the_first_run_sees_ignored_keys_too(toy_here: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (toy_here.folder / "toy_look.py").write_text(
        "def look(configurations):\n    return [{'error': f'note={one[\"note\"]}'} for one in configurations]\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(toy_here.folder))
    monkeypatch.syspath_prepend(str(toy_here.folder))
    ended = toy_here.call("depth=2,3", "hydra.sweeper.ignore=[note]", "hydra.sweeper.preflight=toy_look.look", "note=b")
    assert (ended.code, ended.err.splitlines()[-1]) == (2, "note=b")


def test_ignored_keys_make_no_new_run(toy_here: Any) -> None:
    ignore = "hydra.sweeper.ignore=[note]"
    toy_here.call("depth=2,3", ignore)
    assert toy_here.call("depth=2,3", ignore, "note=b").code == 0
    assert len(toy_here.trained()) == 4


def test_a_seed_key_of_another_place_and_name(toy_here: Any) -> None:
    path = toy_here.folder / "conf" / "config.yaml"
    path.write_text(path.read_text().replace("seed: 0\n", "seed: ${training.random}\ntraining:\n  random: 0\n"))
    key = "hydra.sweeper.seed_key=training.random"
    assert toy_here.call("depth=2,3", key).code == 0
    assert sorted(toy_here.trained()) == ["2-0", "2-1", "3-0", "3-1"]
    # Another default seed in the file is no other study.
    path.write_text(path.read_text().replace("random: 0", "random: 5"))
    assert toy_here.call("depth=2,3", key).code == 0
    assert len(toy_here.trained()) == 4


def test_many_long_keys_still_get_a_folder(toy_here: Any) -> None:
    path = toy_here.folder / "conf" / "config.yaml"
    names = [f"a_rather_long_name_of_a_switch_{index}" for index in range(6)]
    path.write_text(path.read_text() + "\n".join(f"{name}: true" for name in names) + "\n")
    ended = toy_here.call(
        *(f"{name}=true,false" for name in names), "hydra.sweeper.seeds=[0]", "hydra.sweeper.design=leave_one_out"
    )
    assert ended.code == 0, ended.err
    assert len(toy_here.trained()) == 7


def test_a_timing_is_not_part_of_what_must_stay_the_same(toy_here: Any) -> None:
    toy_here.call("depth=2,3")
    assert "seconds" in (toy_here.study().path / "runs.csv").read_text()
    assert all(b"seconds" not in data for data in toy_here.collected().values())


def test_the_plan_says_what_its_seeds_can_find(toy_here: Any) -> None:
    words = ("depth=2,3", "rate=0.1,0.2", "hydra.sweeper.design=leave_one_out", "hydra.sweeper.margin=0.1")
    ended = toy_here.call(*words, "hydra.sweeper.dry_run=true", "hydra.sweeper.seeds=[0,1,2,3,4]")
    assert (
        "  With 5 seeds and 2 comparisons a single effect must be 2.1 times the standard deviation of the paired "
        "difference to be found in 80% of all studies; one of 2 times is found in 78%.\n"
        "  To call anything dispensable takes 9 seeds: fewer exclude no collapse.\n"
        "15 runs: 0 done, 15 to train.\n"
    ) in ended.out
    told = json.loads(
        toy_here.call(*words, "hydra.sweeper.dry_run=json", "hydra.sweeper.seeds=auto", "hydra.sweeper.max_seeds=8").out
    )
    assert told["prospect"]["comparisons"] == 2
    assert told["prospect"]["seeds"] == 8
    assert told["prospect"]["text"].startswith("With 3 to 8 seeds as needed and 2 comparisons, a single effect of ")
    assert list(told["prospect"]["power"]) == ["0.5", "1", "2", "4"]
    assert toy_here.trained() == []


def test_what_failed_runs_count_for_is_declared(toy_here: Any) -> None:
    toy_here.trouble("3-1", "raise")
    command = ("depth=2,3", "hydra.sweeper.seeds=[0,1,2]", "hydra.sweeper.failures=0.1")
    ended = toy_here.call(*command)
    assert ended.code == 1
    assert "Runs without a result count as 0.1, as declared." in ended.out
    effects = pd.read_csv(toy_here.study().path / "effects.csv")
    assert effects["n"].tolist() == [3]
    assert effects["cell_mean"].iloc[0] == pytest.approx((0.53 + 0.1 + 0.59) / 3)
    refused = toy_here.call("depth=2,3", "hydra.sweeper.seeds=[0,1,2]", "hydra.sweeper.failures=worst")
    assert refused.code == 2
    assert refused.err == (
        "The folder 'outputs/depth' holds another study:\n  hydra.sweeper.failures: 0.1 -> worst\n"
        "To go on with it, the same command with hydra.sweeper.failures=0.1.\n"
        "For a study of its own: hydra.sweeper.name=depth-2.\n"
    )


def test_a_study_that_forbids_failures_has_no_result_until_they_are_mended(toy_here: Any) -> None:
    toy_here.trouble("3-1", "raise")
    command = ("depth=2,3", "hydra.sweeper.failures=fail", "hydra.sweeper.seeds=[0,1]")
    ended = toy_here.call(*command)
    assert ended.code == 1
    assert (
        "1 run of study 'depth' ended without a result and the policy for failed runs is 'fail': depth=3, seed 1. "
        "Train again what failed to have a result.\n"
    ) in ended.out
    assert "depth=3, seed 1: raised: ValueError: a bad day" in ended.out
    toy_here.mend("3-1")
    assert toy_here.call(*command, "hydra.sweeper.retry_failed=true").code == 0
    assert (toy_here.study().path / "effects.csv").is_file()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "wurst",
            "hydra.sweeper.failures=wurst: must be one of drop, fail, worst, or the number that failed runs count as. "
            "Did you mean 'worst'?\n",
        ),
        (
            "nan",
            "hydra.sweeper.failures=nan: must be one of drop, fail, worst, or the number that failed runs count as.\n",
        ),
    ],
)
def test_policies_that_make_no_sense(word: str, message: str, toy_here: Any) -> None:
    ended = toy_here.call("depth=2,3", f"hydra.sweeper.failures={word}")
    assert (ended.code, ended.err) == (2, message)


def test_the_worst_run_is_not_known_while_seeds_are_chosen(toy_here: Any) -> None:
    ended = toy_here.call("depth=2,3", "hydra.sweeper.seeds=auto", "hydra.sweeper.failures=worst")
    assert (ended.code, ended.err) == (
        2,
        "With seeds=auto failed runs cannot count as the worst one, which is known only at the end: write the score "
        "that they count as (that of guessing, say) instead of 'worst'.\n",
    )
