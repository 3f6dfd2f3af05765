"""The command line of our own application, with a stand-in for the training."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from ablate.app.main import main
from ablate.app.schema import conf_dir
from ablate.store import RunFolder, StudyFolder
from ablate.store.snapshot import read_snapshot

TRAINING = """
import json
import os
import signal
import sys
import time
from pathlib import Path

INGREDIENTS = {"residual": 0.02, "batch_norm": 0.1, "separable": -0.01}


def train(values, folder, progress=None):
    here = Path(os.environ["TOY_FOLDER"])
    with (here / "trained").open("a") as file:
        file.write(json.dumps([values[name] for name in (*INGREDIENTS, "seed")]) + "\\n")
    while (here / "wait").exists():
        time.sleep(0.01)
    lost = sum(worth for name, worth in INGREDIENTS.items() if not values[name])
    score = 0.9 + 0.001 * (values["seed"] + 1) - lost * (1 + values["seed"] / 10) - 0.01 * (values["head"] == "flatten")
    for epoch in (1, 2):
        row = {"val_accuracy": score - 0.1 / epoch, "val_loss": 0.5 / epoch}
        folder.append_curves(epoch, row)
        if progress is not None:
            progress(epoch, 2, row)
    if values["model"].get("width") == 666:
        raise ValueError("it does not learn")
    return {"test_accuracy": score, "test_loss": 1 - score, "weights": 1000, "seconds_fit": 0.5}


def check(configurations):
    print("looking at", len(configurations))
    return [
        {"absent": ["residual"] if one["model"]["name"] == "vgg" else [], "weights": 1000}
        for one in configurations
    ]


def refuse(configurations):
    return [{"error": None if one["residual"] else "no way back"} for one in configurations]


def refuse_data(configurations):
    return [{"error": f"there is no {one['data'].get('path', 'way back')}"} for one in configurations]


def die(configurations):
    os._exit(9)


def found(configuration):
    return {name: {"true": [], "false": [f"+blocks.{name}=false"]} for name in ("block1", configuration["head"])}


def nothing_found(configuration):
    raise ValueError("there is no block")


def measure(configurations):
    print("measuring", len(configurations))
    return [
        {"weights": 4, "flops": 8, "activations": 2, "latency": 0.5, "step": 1.0, "batch": 8}
        | {f"{name}_ratio": 1.0 for name in ("weights", "flops", "activations", "latency", "step")}
        if one["residual"] else {"error": "out of memory"}
        for one in configurations
    ]


def draw(cells, configurations, folder):
    Path(folder).mkdir(exist_ok=True)
    for name, label in cells:
        (Path(folder) / f"{name}.svg").write_text(label)
    return ["w/o residual is drawn without its weights"]
"""


class Ours:
    """Our application in a folder of its own."""

    def __init__(self, folder: Path, call: Callable[..., Any]) -> None:
        self.folder, self._call = folder, call

    def trained(self) -> list[str]:
        path = self.folder / "trained"
        return path.read_text().splitlines() if path.exists() else []

    def study(self, name: str) -> StudyFolder:
        return StudyFolder(self.folder / "outputs" / name)

    def call(self, *arguments: str, preflight: str = "null", stand_in: bool = True) -> Any:
        """A command in this process; `basic` keeps the runs of a study in it as well."""
        hooks = [f"study.{hook}=null" for hook in ("costs", "diagrams") if preflight != "null"]
        quiet = [line for line in hooks if not any(word.startswith(line[:-4]) for word in arguments)]
        added = ["trainer=stand_in.train", f"study.preflight={preflight}", *quiet] if stand_in else []
        if "-m" in arguments or arguments[:1] == ("plan",):
            added.append("hydra/launcher=basic")
        return self._call(main, *arguments, *added)


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any], no_figures: None) -> Iterator[Ours]:
    (tmp_path / "stand_in.py").write_text(TRAINING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("TOY_FOLDER", str(tmp_path))
    yield Ours(tmp_path, call)
    sys.modules.pop("stand_in", None)


# --- one network ---


def test_a_single_run_prints_its_epochs_and_its_accuracy(ours: Ours) -> None:
    ended = ours.call("residual=false", "seed=3")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == "epoch 1/2  val_accuracy 0.7780  val_loss 0.5000"
    assert "test_accuracy 0.8780" in lines
    assert ours.trained() == ["[false, true, true, 3]"]
    folders = list((ours.folder / "outputs" / "single").iterdir())
    assert len(folders) == 1
    assert str(folders[0]) in ended.out
    run = RunFolder(folders[0])
    assert run.status().state == "finished"
    result = run.result()
    assert result is not None
    assert result.metrics["test_accuracy"] == pytest.approx(0.878)
    assert len(run.curves()) == 2
    assert (folders[0] / ".hydra" / "config.yaml").is_file()


def test_two_single_runs_do_not_share_a_folder(ours: Ours) -> None:
    ours.call()
    ours.call()
    assert len(list((ours.folder / "outputs" / "single").iterdir())) == 2


def test_a_single_run_that_fails_says_where_its_traceback_is(ours: Ours) -> None:
    ended = ours.call("+model.args.width=1", "model.width=666")
    assert ended.code in (1, 2)
    ended = ours.call("++model.width=666")
    assert ended.code == 1
    log = next((ours.folder / "outputs" / "single").rglob("run.log"))
    assert ended.err == f"The run failed: ValueError: it does not learn\nThe traceback is in {log}\n"
    assert "it does not learn" in log.read_text()


# --- studies ---


def test_one_ingredient(ours: Ours) -> None:
    ended = ours.call("-m", "residual=true,false")
    assert (ended.code, ended.err) == (0, "")
    assert len(ours.trained()) == 6
    assert "Study 'residual': 2 cells (factorial), seeds 0, 1, 2; metric test_accuracy, higher is better." in ended.out
    assert "6 runs: 0 done, 6 to train." in ended.out
    effects = pd.read_csv(ours.study("residual").path / "effects.csv")
    assert effects["cell"].tolist() == ["w/o residual"]
    assert effects["difference"].tolist() == pytest.approx([-0.02 * 1.1])
    for name in ("runs.csv", "curves.csv", "tables/effects.md", "tables/effects.csv", "tables/effects.tex"):
        assert (ours.study("residual").path / name).is_file()
    assert "w/o residual" in ended.out.split("verdict")[1]


def test_without_a_factor_it_is_the_leave_one_out_of_all_six(ours: Ours) -> None:
    ended = ours.call("-m", "seed=4")
    assert ended.code == 0, ended.err
    runs = pd.read_csv(ours.study("ingredients").path / "runs.csv")
    assert runs["cell"].tolist() == [
        "full",
        "w/o residual",
        "w/o batch_norm",
        "bn_placement=after",
        "w/o separable",
        "head=flatten",
        "with bias",
    ]
    assert runs["seed"].unique().tolist() == [4]


def test_the_grid_of_all_six_collapses_to_40_cells(ours: Ours) -> None:
    ended = ours.call("plan", "study.design=factorial", "study.name=grid")
    assert ended.code == 0, ended.err
    assert "Study 'grid': 40 cells (factorial), seeds 0, 1, 2;" in ended.out
    assert "bn_placement, bias, void there: trained once." in ended.out
    assert "120 runs: 0 done, 120 to train." in ended.out
    assert ours.trained() == []


def test_the_number_of_seeds_and_their_list(ours: Ours) -> None:
    assert ours.call("-m", "residual=true,false", "study.seeds=2").code == 0
    assert len(ours.trained()) == 4
    assert ours.call("-m", "residual=true,false", "study.seeds=[0,1,7]").code == 0
    assert len(ours.trained()) == 6


def test_keys_beside_the_sweep_hold_for_every_run(ours: Ours) -> None:
    ended = ours.call("-m", "residual=true,false", "separable=false", "study.seeds=1")
    assert ended.code == 0, ended.err
    assert ours.trained() == ["[true, true, false, 0]", "[false, true, false, 0]"]


def test_a_factor_held_fixed_is_not_varied(ours: Ours) -> None:
    ended = ours.call("plan", "residual=false", "study.design=leave_one_out")
    assert ended.code == 0, ended.err
    assert "residual=false is held fixed and not varied." in ended.out
    assert "6 cells (leave_one_out)" in ended.out


def test_children_of_a_parent_that_is_held_fixed_away_are_left_out(ours: Ours) -> None:
    ended = ours.call("plan", "batch_norm=false", "study.design=leave_one_out")
    assert ended.code == 0, ended.err
    assert "4 cells (leave_one_out)" in ended.out
    assert "bn_placement" in ended.out


def test_the_same_command_again_trains_nothing_and_prints_the_same_table(ours: Ours) -> None:
    first = ours.call("-m", "residual=true,false")
    kept = {path.name: path.read_bytes() for path in (ours.study("residual").path / "tables").iterdir()}
    effects = (ours.study("residual").path / "effects.csv").read_bytes()
    second = ours.call("-m", "residual=true,false")
    assert len(ours.trained()) == 6
    assert first.out.split("verdict")[1] == second.out.split("verdict")[1]
    assert {path.name: path.read_bytes() for path in (ours.study("residual").path / "tables").iterdir()} == kept
    assert (ours.study("residual").path / "effects.csv").read_bytes() == effects


def test_backups_and_the_number_of_workers_make_no_other_study(ours: Ours) -> None:
    ours.call("-m", "residual=true,false")
    ended = ours.call("-m", "residual=true,false", "train.backup=false", "study.workers=1")
    assert ended.code == 0, ended.err
    assert len(ours.trained()) == 6


def test_hydras_own_sweeper_works_too(ours: Ours) -> None:
    ended = ours.call("-m", "hydra/sweeper=basic", "hydra.sweep.dir=plain", "residual=true,false")
    assert ended.code == 0, ended.err
    assert len(ours.trained()) == 2
    assert RunFolder(ours.folder / "plain" / "0").status().state == "finished"


# --- the look before the first run ---


@pytest.mark.slow
def test_factors_that_the_model_does_not_have_are_left_out(ours: Ours) -> None:
    ended = ours.call("-m", "model=vgg", "study.seeds=1", preflight="stand_in.check")
    assert ended.code == 0, ended.err
    assert "nothing of it to remove: residual." in ended.out
    assert len(ours.trained()) == 6
    record = ours.study("ingredients").existing_record()
    assert record.checks["full"]["weights"] == 1000
    # It is not looked at again.
    log = (ours.study("ingredients").path / "preflight.log").read_text()
    assert ours.call("-m", "model=vgg", "study.seeds=1", preflight="stand_in.check").code == 0
    assert (ours.study("ingredients").path / "preflight.log").read_text() == log


@pytest.mark.slow
def test_what_the_look_refuses_is_told_before_training(ours: Ours) -> None:
    ended = ours.call("-m", "residual=true,false", preflight="stand_in.refuse")
    assert (ended.code, ended.err) == (2, "w/o residual: no way back\n")
    assert ours.trained() == []
    assert ours.call("residual=false", preflight="stand_in.refuse").err == "no way back\n"


@pytest.mark.slow
def test_a_look_that_dies_is_told_with_its_log(ours: Ours) -> None:
    ended = ours.call("-m", "residual=true,false", preflight="stand_in.die")
    assert ended.code in (1, 2)
    assert "The process of the run ended with exit code 9." in ended.err
    assert str(ours.study("residual").path.relative_to(ours.folder) / "preflight.log") in ended.err
    assert ours.trained() == []


# --- factors found in the network ---


@pytest.mark.slow
def test_blocks_that_a_function_finds_are_factors(ours: Ours) -> None:
    words = ("layers=leave_one_out", "study.factors_from=stand_in.found", "head=gmp")
    planned = ours.call("plan", *words)
    assert planned.out.splitlines()[:4] == [
        "Study 'layers': 3 cells (leave_one_out), seeds 0, 1, 2; metric test_accuracy, higher is better.",
        "  full        the reference",
        "  w/o block1  block1=false",
        "  w/o gmp     gmp=false",
    ]
    assert not (ours.folder / "outputs").exists()
    ended = ours.call("-m", *words, "study.seeds=1")
    assert (ended.code, ended.err) == (0, "")
    (kept,) = (ours.study("layers").path / "runs" / "gmp=false").glob("0-*/.hydra/config.yaml")
    assert yaml.safe_load(kept.read_text())["blocks"] == {"gmp": False}


@pytest.mark.slow
def test_what_goes_wrong_while_factors_are_found_is_told(ours: Ours) -> None:
    words = ("-m", "layers=leave_one_out")
    ended = ours.call(*words, "residual=true,false", "study.factors_from=stand_in.found")
    assert (ended.code, ended.err) == (
        2,
        "The factors come from stand_in.found: residual cannot be swept as well.\n",
    )
    ended = ours.call(*words, "study.factors_from=stand_in.nothing_found")
    assert (ended.code, ended.err) == (2, "there is no block\n")


def test_patterns_of_layer_names_need_no_quotes_of_hydra(ours: Ours) -> None:
    ended = ours.call("residual=false", "residual.only=block[3-5]*", "only.bias=[conv1*,conv2*]")
    assert (ended.code, ended.err) == (0, "")
    (folder,) = (ours.folder / "outputs" / "single").iterdir()
    kept = yaml.safe_load((folder / ".hydra" / "config.yaml").read_text())["only"]
    assert (kept["residual"], kept["bias"]) == ("block[3-5]*", ["conv1*", "conv2*"])


# --- what the networks cost and look like ---


@pytest.mark.slow
def test_networks_are_measured_and_drawn_after_the_last_run_and_only_once(ours: Ours) -> None:
    hooks = ("study.costs=stand_in.measure", "study.diagrams=stand_in.draw")
    words = ("-m", "residual=true,false", "study.seeds=1", *hooks)
    ended = ours.call(*words, preflight="stand_in.check")
    assert ended.code == 0, ended.err
    told = ended.out.splitlines()
    begin = told.index("Measuring what the networks of 2 cells cost.")
    assert told[begin + 1 : begin + 3] == [
        "What w/o residual costs is not known: out of memory",
        "w/o residual is drawn without its weights",
    ]
    assert told[begin - 1].startswith("[2/2]")
    study = ours.study("residual")
    costs = read_snapshot(study).costs
    assert costs["cell"].tolist() == ["full"]
    assert costs[["weights", "flops", "activations", "latency", "step", "batch", "step_ratio"]].values.tolist() == [
        [4, 8, 2, 0.5, 1.0, 8, 1.0]
    ]
    assert sorted(path.name for path in study.diagrams.iterdir()) == ["full.svg", "residual=false.svg"]
    assert (study.diagrams / "residual=false.svg").read_text() == "w/o residual"
    assert (study.tables / "costs.md").read_text().splitlines()[2] == (
        "| full | 4 (1.00 ×) | 0.00000800 (1.00 ×) | 2 (1.00 ×) | 500 (1.00 ×) | 1,000 (1.00 ×) |"
    )
    assert "latency" not in (study.path / "effects.csv").read_text()
    again = ours.call(*words, preflight="stand_in.check")
    assert "Measuring" not in again.out
    assert (study.path / "networks.log").read_text() == "measuring 2\n"


@pytest.mark.slow
def test_measuring_that_fails_leaves_the_study_as_it_is(ours: Ours) -> None:
    hooks = ("study.costs=stand_in.die", "study.diagrams=null")
    ended = ours.call("-m", "residual=true,false", "study.seeds=1", *hooks, preflight="stand_in.check")
    assert (ended.code, ended.err) == (0, "")
    log = ours.study("residual").path.relative_to(ours.folder) / "networks.log"
    assert (
        "The networks are not all described: The process of the run ended with exit code 9.\n"
        f"What was printed: {log}\n" in ended.out
    )
    assert read_snapshot(ours.study("residual")).costs.empty
    assert not (ours.study("residual").tables / "costs.md").exists()


# --- verbs ---


def test_status_counts_and_lists(ours: Ours) -> None:
    ours.call("-m", "residual=true,false", "study.seeds=2")
    ended = ours.call("status", "outputs/residual", stand_in=False)
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert lines[0] == "full          0:finished  1:finished"
    assert "4 finished, 0 running, 0 failed, 0 waiting" in lines
    assert ours.call("status", "residual", stand_in=False).out == ended.out


def test_report_writes_again_what_was_lost(ours: Ours) -> None:
    first = ours.call("-m", "residual=true,false")
    effects = ours.study("residual").path / "effects.csv"
    before = effects.read_bytes()
    effects.unlink()
    ended = ours.call("report", "outputs/residual", stand_in=False)
    assert ended.code == 0
    assert effects.read_bytes() == before
    table, _, paths = ended.out.rpartition("\n\nRemoving residual connections ")
    assert table.split("verdict")[1] in first.out
    assert paths.split("\n", 2)[2] in first.out
    items = (ours.study("residual").path / "checklist.md").read_text()
    assert f"- **declared**: Plan {ours.study('residual').existing_record().plan.digest}, the hash of " in items
    assert "- **failures**: 0 of 6 runs failed; " in items
    assert len(ours.trained()) == 6


def test_confirm_trains_what_is_left_on_fresh_seeds(ours: Ours) -> None:
    swept = ("residual=true,false", "separable=true,false", "study.design=leave_one_out")
    first = ours.call("-m", *swept, "study.seeds=4", "study.margin=0.005", "study.name='a, b'")
    assert first.code == 0
    before = len(ours.trained())
    ended = ours.call("confirm", "outputs/a, b", "--seeds", "3", stand_in=False)
    assert (ended.code, ended.err) == (0, "")
    assert (
        "Confirmed: removing depthwise separable convolutions changes test accuracy on this test set by 1.50 points "
        "(95% CI 1.25 to 1.75, n = 3 fresh seeds), which excludes a turn for the worse by the margin of 0.5 points.\n"
        "written to outputs/a, b/confirmation.json\n"
    ) in ended.out
    assert ours.trained()[before:] == [
        f"[true, true, {separable}, {seed}]" for separable in ("true", "false") for seed in (4, 5, 6)
    ]
    assert (ours.folder / "outputs" / "a, b-confirm" / "plan.json").is_file()


def test_plan_leaves_nothing_behind(ours: Ours) -> None:
    ended = ours.call("plan", "residual=true,false")
    assert ended.code == 0
    assert "6 runs: 0 done, 6 to train." in ended.out
    assert not ours.study("residual").path.exists()


def test_plan_says_that_networks_were_not_built_until_a_study_has_built_them(ours: Ours) -> None:
    words = ("residual=true,false", "study.seeds=1")
    refused = ours.call("plan", *words, preflight="stand_in.refuse")
    assert refused.code == 0
    assert refused.out.splitlines()[-1].startswith("Not checked yet: data and networks.")
    values = json.loads(ours.call("plan", *words, "--json", preflight="stand_in.refuse").out)
    assert list(values["unchecked"]) == [cell["name"] for cell in values["cells"]]
    assert values["unchecked"][values["cells"][0]["name"]] == refused.out.splitlines()[-1]
    assert ours.call("-m", *words, preflight="stand_in.check").code == 0
    checked = ours.call("plan", *words, preflight="stand_in.check")
    assert checked.out.splitlines()[-1] == "2 runs: 2 done, 0 to train."
    assert json.loads(ours.call("plan", *words, "--json", preflight="stand_in.check").out)["unchecked"] == {}


def test_an_argument_of_the_own_builder_is_varied_with_a_plus(ours: Ours) -> None:
    ended = ours.call(
        "plan", "model=builder", "model.builder=nets.make", "+model.args.depth=3", "+model.args.width=16,8"
    )
    assert ended.code == 0, ended.err
    assert "  model.args.width=8   model.args.width=8\n" in ended.out
    said = "model.args.width has no value in the configuration: model.args.width=16, listed first, is the reference."
    assert said in ended.out


@pytest.mark.parametrize("verb", ["status", "report"])
def test_a_verb_without_its_study_says_what_it_wants(verb: str, ours: Ours) -> None:
    ended = ours.call(verb, stand_in=False)
    assert ended.code == 2
    assert "outputs/ingredients" in ended.err
    ours.call("-m", "residual=true,false", "study.seeds=1")
    ended = ours.call(verb, "residul", stand_in=False)
    assert ended.code == 2
    assert ended.err == ("There is no study in 'outputs/residul': it has no plan.json. Studies beside it: residual.\n")


def test_help_is_a_page_with_every_key(ours: Ours) -> None:
    ended = ours.call("--help", stand_in=False)
    assert ended.code == 0
    for words in ("python -m ablate -m residual=true,false", "residual=true", "train.epochs=10", "study.seeds=3"):
        assert words in ended.out
    assert max(map(len, ended.out.splitlines())) <= 140
    assert ours.call("help", stand_in=False).out == ended.out


@pytest.mark.parametrize(
    ("verb", "texts"),
    [
        ("report", ["report STUDY ... [--figures NAMES] [--width WIDTH] [--into NAME]", "neurips"]),
        ("plan", ["[--json]", "study.seeds=3"]),
        ("data", ["data.size", "data.skip_corrupt"]),
        ("ingredients", ["bn_placement=before", "model.batch_norm_momentum"]),
        ("merge", ["--into NAME", "--keep WHICH"]),
    ],
)
def test_a_verb_has_a_help_page_of_its_own(verb: str, texts: list[str], ours: Ours) -> None:
    page = ours.call(verb, "--help", stand_in=False)
    assert (page.code, page.err) == (0, "")
    assert page.out.startswith(f"python -m ablate {verb} ")
    assert f"Example:\n  python -m ablate {verb} " in page.out
    for text in texts:
        assert text in page.out
    assert ours.call("help", verb, stand_in=False).out == page.out


# --- bad input: a message of a few lines, no traceback, nothing trained, exit code 2 ---

DATA_SETS = sorted(path.stem for path in (Path(conf_dir()) / "data").glob("*.yaml"))
NO_CHOICE = f"there is no such choice. Allowed: {', '.join(DATA_SETS)}."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["residual=maybe"], "residual=maybe: Value 'maybe' is not a valid bool (type str)\n"),
        (["-m", "residual=maybe,true"], "residual=maybe: Value 'maybe' is not a valid bool (type str)\n"),
        (["residul=true"], "Unknown key 'residul'. Did you mean 'residual'?\n"),
        (["-m", "residul=true,false"], "Unknown key 'residul': it cannot be swept. Did you mean 'residual'?\n"),
        (["-m", "+residul=true,false"], "Unknown key 'residul': it cannot be swept. Did you mean 'residual'?\n"),
        (
            ["-m", "data=digits,telugu", "data.data_dir=sets", "residual=true,false"],
            "data.data_dir=sets: data=digits has no such key. Make a study of each, and one report of all:\n"
            "  python -m ablate -m data=digits residual=true,false trainer=stand_in.train study.preflight=null "
            "study.name=digits\n"
            "  python -m ablate -m data=telugu data.data_dir=sets residual=true,false trainer=stand_in.train "
            "study.preflight=null study.name=telugu\n"
            "  python -m ablate report digits telugu --into digits_telugu\n",
        ),
        (["-m", "+train.epocs=1,2"], "Unknown key 'train.epocs': it cannot be swept. Did you mean 'train.epochs'?\n"),
        (
            ["-m", "model=builder", "model.args.width=16,8"],
            "Unknown key 'model.args.width': it cannot be swept. To add it: '+model.args.width=16,8'.\n",
        ),
        (["-m", "train.epocs=1,2"], "Unknown key 'train.epocs': it cannot be swept. Did you mean 'train.epochs'?\n"),
        (["+residul=true"], "Unknown key 'residul': nothing reads it. Did you mean 'residual'?\n"),
        (["-m", "+residul=true"], "Unknown key 'residul': nothing reads it. Did you mean 'residual'?\n"),
        (
            ["residual=true,false"],
            "residual=true,false: several levels are a study; add -m:\n"
            "  python -m ablate -m residual=true,false trainer=stand_in.train study.preflight=null\n",
        ),
        (
            ["-m", "residual=true"],
            "Nothing to compare: residual=true is one level only. "
            "Write residual=true,false to compare, or leave it out.\n",
        ),
        (["-m", "study.seeds=0"], "study.seeds=0: "),
        (["-m", "study.seeds=-3"], "study.seeds=-3: "),
        (["train.epochs=-1"], "train.epochs=-1: must be a whole number of at least 1.\n"),
        (["-m", "train.epochs=-1"], "train.epochs=-1: must be a whole number of at least 1.\n"),
        (["-m", "train.epochs=5,-1"], "train.epochs=-1: must be a whole number of at least 1.\n"),
        (["data=nothing"], f"data=nothing: {NO_CHOICE} "),
        (["-m", "data=nothing"], f"data=nothing: {NO_CHOICE} "),
        (["data=digts"], "Did you mean 'digits'?"),
        (["head=flat"], "head=flat: allowed are gap, gmp, flatten. Did you mean 'flatten'?\n"),
        (["-m", "head=gap,flat"], "head=flat: allowed are gap, gmp, flatten. Did you mean 'flatten'?\n"),
        (
            ["bn_placement=after", "batch_norm=false"],
            "bn_placement=after: ",
        ),
        (
            ["-m", "bn_placement=before,after", "batch_norm=false"],
            "bn_placement=after: ",
        ),
        (["-m", "residual=true,false", "study.name=a/b"], "study.name='a/b' cannot be the name of a folder: "),
        (["-m", "study.design=grid"], "Unknown design 'grid'. Designs: leave_one_out, "),
        (["-m", "study.direction=maximal"], "Unknown direction 'maximal'. Allowed: max, min. Did you mean 'max'?\n"),
        (["-m", "study.margin=-1"], "The margin is -1"),
        (["-m", "study.factors.bias=null"], "study.factors.bias=None: list its levels"),
        (["-m", "study.forbidden=[x]"], "study.forbidden"),
        (["-m", "study.requires.bias=true"], "study.requires"),
        (
            ["trainer=stand_in.trian"],
            "trainer=stand_in.trian: module 'stand_in' has no 'trian'. Did you mean 'train'?\n",
        ),
        (["-m", "residual=true,false", "residual=true,false"], "residual"),
        (
            ["-m", "residual=true,false", "study.workers=0", "hydra/launcher=workers"],
            "workers=0: must be auto, or a whole number of at least 1.",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input(arguments: list[str], message: str, ours: Ours) -> None:
    own_task = any(line.startswith("trainer=") for line in arguments)
    added = ["study.preflight=null"] if own_task else ["trainer=stand_in.train", "study.preflight=null"]
    ended = ours._call(main, *arguments, *added)
    assert ended.code == 2, ended
    assert ended.err == message if message.endswith("\n") else message in ended.err
    assert "Traceback" not in ended.err
    assert 1 <= len(ended.err.splitlines()) <= 5
    assert ours.trained() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["report", "--figure", "forest"],
            "Unknown option '--figure' of 'report'. Options: --figures, --width, --into. Did you mean '--figures'?\n",
        ),
        (["status", "-x"], "Unknown option '-x' of 'status'. It has no options.\n"),
        (["report", "x", "--width"], "argument --width: expected one argument. Write report STUDY ... "),
        (["plan", "--jso"], "Unknown option '--jso'. Options: "),
        (["--figure"], "Unknown option '--figure'. Options: "),
        (["reprot", "outputs/x"], "Unknown verb 'reprot'. Verbs: "),
        (["help", "reprot"], "Unknown verb 'reprot'. Verbs: "),
    ],
)
def test_unknown_options_and_verbs(arguments: list[str], message: str, ours: Ours) -> None:
    ended = ours.call(*arguments, stand_in=False)
    assert ended.code == 2
    assert ended.err.startswith(message)
    assert len(ended.err.splitlines()) == 1


def test_an_output_folder_that_cannot_be_written(ours: Ours) -> None:
    (ours.folder / "outputs").write_text("a file is in the way")
    ended = ours.call("-m", "residual=true,false")
    assert ended.code == 2
    assert ended.err == "Cannot write to the output folder 'outputs/residual': Not a directory.\n"
    single = ours.call()
    assert single.code == 2
    assert "Traceback" not in single.err
    assert "outputs" in single.err
    assert ours.trained() == []


def test_a_folder_of_another_study_is_refused_key_by_key(ours: Ours) -> None:
    ours.call("-m", "residual=true,false", "study.seeds=1")
    ended = ours.call("-m", "residual=true,false", "study.seeds=1", "train.epochs=99", "study.metric=test_loss")
    assert ended.code == 2
    assert ended.err == (
        "The folder 'outputs/residual' holds another study:\n"
        "  train.epochs: 10 -> 99\n"
        "  study.metric: test_accuracy -> test_loss\n"
        "To go on with it, the same command without train.epochs=99 and with study.metric=test_accuracy.\n"
        "For a study of its own: study.name=residual-2.\n"
    )
    assert len(ours.trained()) == 2
    assert ours.call("-m", "residual=true,false", "train.epochs=99", "study.name=residual-2").code == 0


def test_a_broken_plan_is_told(ours: Ours) -> None:
    ours.call("-m", "residual=true,false", "study.seeds=1")
    (ours.study("residual").path / "plan.json").write_text("{")
    ended = ours.call("-m", "residual=true,false", "study.seeds=1")
    assert ended.code == 2
    assert ended.err.startswith("Cannot read the plan 'outputs/residual/plan.json': ")


# --- as a user types it ---


@pytest.mark.slow
def test_as_typed_with_workers_and_figures_interrupted_and_again(ours: Ours, until: Callable[..., None]) -> None:
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-m", "ablate", "-m", "residual=true,false"]
    command += ["trainer=stand_in.train", "study.preflight=null", "study.seeds=2"]
    environment = {**os.environ, "PYTHONPATH": str(root), "MPLBACKEND": "agg"}

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=ours.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
        )

    (ours.folder / "wait").touch()
    process = start()
    until(ours.trained)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "\nInterrupted. What has finished is kept; the same command goes on from here.\n"
    (ours.folder / "wait").unlink()
    process = start()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "[4/4]" in out
    figures = {path.name for path in (ours.study("residual").path / "figures").iterdir()}
    assert figures >= {f"{name}.{kind}" for name in ("curves", "effects") for kind in ("png", "svg", "pdf")}


def test_a_metric_that_no_run_has_is_refused_before_any_training(call: Callable[..., Any]) -> None:
    ended = call(main, "plan", "residual=true,false", "study.metric=test_acuracy")
    assert ended.code == 2
    assert ended.err.startswith("study.metric=test_acuracy: a run reports test_accuracy, ")
    assert ended.err.endswith("Did you mean 'test_accuracy'?\n")


def test_data_sets_alone_are_studied_one_by_one(ours: Any) -> None:
    words = ("plan", "data=folder", "data.path=~/a b,~/새", "study.seeds=1")
    planned = ours.call(*words, "residual=true,false")
    assert "data.path=~/새, w/o residual" in planned.out
    assert "w/o data.path" not in planned.out
    of_ingredients = ours.call("plan", "data=digits,telugu", "study.design=leave_one_out")
    assert "data=telugu, w/o residual" in of_ingredients.out


def test_augmentation_is_compared_with_none(ours: Any) -> None:
    planned = ours.call("plan", "augmentation=true,false")
    assert "w/o augmentation" in planned.out
    assert "2 cells" in planned.out


def test_data_of_another_kind_are_pointed_to(ours: Any) -> None:
    assert "data=folder data.path=photos" in ours.call("data", "data.path=photos").err
    assert "data=tfds data.name=cifar100" in ours.call("data", "data=cifar100").err


SETS = "data.sets=[{path: ~/my photos (1)}, digits]"


def test_an_own_folder_beside_a_ready_set_is_a_block(ours: Any) -> None:
    words = ("residual=true,false", "study.seeds=1")
    values = json.loads(ours.call("plan", SETS, *words, "--json").out)
    cells = {cell["label"]: cell for cell in values["cells"]}
    assert list(cells) == ["full", "w/o residual", "data=digits", "data=digits, w/o residual"]
    ids = {run["cell"]: run["id"] for run in values["runs"]}
    alone = json.loads(ours.call("plan", "data=digits", *words, "--json").out)
    of_folder = json.loads(ours.call("plan", "data=folder", "data.path=~/my photos (1)", *words, "--json").out)
    # Each run is what it would be in a study of its set alone.
    assert {run["id"] for run in (*alone["runs"], *of_folder["runs"])} == set(ids.values())
    twice = ours.call("plan", "data=digits", SETS, *words)
    assert twice.code == 2
    assert "data=... and the list of its levels exclude one another" in twice.err
    missing = ours.call("plan", "data.sets=[{path: a}, digts]", *words)
    assert missing.code == 2
    assert "Did you mean 'digits'?" in missing.err


def test_a_study_grows_by_a_set_and_a_changed_set_is_refused(ours: Any) -> None:
    words = ("residual=true,false", "study.seeds=1")
    assert ours.call("-m", "data.sets=[digits, {path: a, name: mine}]", *words).code == 0
    assert ours.call("-m", "data.sets=[digits, {path: a, name: mine}, telugu]", *words).code == 0
    assert len(ours.trained()) == 6
    changed = ours.call("-m", "data.sets=[digits, {path: b, name: mine}]", *words)
    assert changed.code == 2
    assert "data=mine: " in changed.err
    assert len(ours.trained()) == 6
    configuration = (ours.study("data-residual").path / "runs" / "data=mine").glob("*/.hydra/config.yaml")
    text = next(configuration).read_text()
    assert "path: a" in text
    assert "sets: null" in text


@pytest.mark.slow
def test_faults_of_all_data_sets_are_said_at_once(ours: Any) -> None:
    words = ("residual=true,false", "study.seeds=1")
    ended = ours.call("-m", "data.sets=[{path: a}, {path: b}, digits]", *words, preflight="stand_in.refuse_data")
    assert ended.code == 2
    assert ended.err.splitlines() == [
        "data=a: there is no a",
        "data=b: there is no b",
        "data=digits: there is no way back",
    ]
    assert ours.trained() == []
