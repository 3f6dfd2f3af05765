"""Applications as strangers write them: optional groups, no seed, keys of other sweepers, structured configurations."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import warm_process
from launchers import LAUNCHERS, need

from ablate.store.records import StudyRecord

ONE = "hydra.sweeper.seeds=1"


def configure(toy: Any, change: dict[str, str]) -> None:
    """Replace texts in the application's configuration."""
    path = toy.folder / "conf" / "config.yaml"
    text = path.read_text()
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def add_group(toy: Any, group: str, **files: str) -> None:
    for name, text in files.items():
        path = toy.folder / "conf" / group / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def record(toy: Any, name: str) -> StudyRecord:
    return toy.study(name).existing_record()  # type: ignore[no-any-return]


def frozen(toy: Any, name: str, cell: str) -> str:
    (path,) = toy.study(name).path.glob(f"runs/{cell}/1-*/.hydra/config.yaml")
    return path.read_text()  # type: ignore[no-any-return]


# --- with or without ---


@pytest.mark.parametrize(
    ("defaults", "reference"),
    [
        ("  - model: small\n", "null"),
        ("  - model: small\n  - aug: null\n", "null"),
        ("  - model: small\n  - optional aug: strong\n", "strong"),
        ("  - model: small\n  - aug: strong\n", "strong"),
    ],
    ids=["not in the defaults", "null in the defaults", "optional", "in the defaults"],
)
def test_a_group_is_tried_with_and_without(defaults: str, reference: str, toy_here: Any) -> None:
    add_group(toy_here, "aug", strong="strength: 3")
    configure(toy_here, {"  - model: small\n": defaults})
    plus = "+" if "aug" not in defaults else ""
    ended = toy_here.call(f"{plus}aug=null,strong", ONE)
    assert ended.code == 0, ended.err
    (factor,) = record(toy_here, "aug").plan.factors
    assert (factor.labels, factor.reference) == (("null", "strong"), reference)
    other = "aug=null" if reference == "strong" else "aug=strong"
    assert ("strength" in frozen(toy_here, "aug", "full")) == (reference == "strong")
    assert ("strength" in frozen(toy_here, "aug", other)) == (reference == "null")


# --- keys that are added or taken away ---


def test_a_key_is_added_by_its_levels(toy_here: Any) -> None:
    ended = toy_here.call("+extra.deep=1,2", ONE)
    assert ended.code == 0, ended.err
    assert "deep: 1" in frozen(toy_here, "extra.deep", "full")
    assert "deep: 2" in frozen(toy_here, "extra.deep", "extra.deep=2")


def test_a_mapping_is_added_by_its_levels_and_merged_into_the_one_that_is_there(toy_here: Any) -> None:
    configure(toy_here, {"rate: 0.1": "rate: 0.1\ntrainer: {epochs: 3}"})
    ended = toy_here.call("+trainer={a:1},{a:4}", ONE)
    assert ended.code == 0, ended.err
    assert len(record(toy_here, "trainer").plan.cells) == 2
    assert "epochs: 3\n  a: 1" in frozen(toy_here, "trainer", "full")


def test_a_key_that_resembles_another_is_added_only_by_two_pluses(toy_here: Any) -> None:
    assert "'++dpth=2,3'" in toy_here.call("+dpth=2,3", ONE).err
    assert toy_here.call("++dpth=2,3", ONE).code == 0


def test_a_key_is_taken_away_for_all_runs(toy_here: Any) -> None:
    ended = toy_here.call("~note", "model=small,large", ONE)
    assert ended.code == 0, ended.err
    assert "note" not in frozen(toy_here, "model", "full") + frozen(toy_here, "model", "model=large")


# --- seeds ---


@pytest.fixture
def seedless(toy_here: Any) -> Any:
    """The application without the key of a seed in its configuration."""
    configure(toy_here, {"\nseed: 0\n": "\n"})
    path = toy_here.folder / "toy_application.py"
    path.write_text(path.read_text().replace("config.seed", "config.get('seed', 0)"))
    return toy_here


@pytest.mark.parametrize(
    ("words", "seeds"),
    [(["+seed=0", "hydra.sweeper.seeds=3"], [0, 1, 2]), (["+seed=4,5"], [4, 5]), (["++seed=7,8"], [7, 8])],
)
def test_the_key_of_the_seed_is_added(words: list[str], seeds: list[int], seedless: Any) -> None:
    ended = seedless.call(*words, "model=small,large")
    assert ended.code == 0, ended.err
    trained = [int(name.rpartition("-")[2]) for name in seedless.trained()]
    if words[0] == "+seed=0":  # how many seeds there are is the setting's affair
        assert len(set(trained)) == len(seeds)
    else:
        assert sorted(set(trained)) == seeds
    assert len(trained) == 2 * len(seeds)
    assert "6 done, 0" in seedless.call(*words, "model=small,large").out or len(seeds) == 2


def test_a_task_without_a_seed_has_replicates(seedless: Any) -> None:
    command = ("hydra.sweeper.seed_key=null", "hydra.sweeper.seeds=3", "model=small,large")
    ended = seedless.call(*command)
    assert ended.code == 0, ended.err
    assert "are replicates" in ended.out
    study = record(seedless, "model")
    assert not study.plan.study.paired
    assert len({run.id for run in study.runs}) == len(study.runs) == 6
    assert len(seedless.trained()) == 6
    assert "6 done, 0 to train" in seedless.call(*command).out
    refused = seedless.call("hydra.sweeper.seed_key=null", "hydra.sweeper.seeds=auto", "model=small,large")
    assert (refused.code, "seed_key" in refused.err) == (2, True)


def test_replicates_that_are_copies_are_called_runs_and_not_seeds(seedless: Any) -> None:
    ended = seedless.call("hydra.sweeper.seed_key=null", "hydra.sweeper.seeds=2", "model=small,large")
    assert ended.code == 0, ended.err
    said = ended.out + (seedless.study("model").path / "tables" / "sentences.md").read_text()
    assert "All runs of a cell gave the same score" in said
    assert said.count(" all 2 runs") >= 2  # below the table, and in the paper
    assert not [text for text in ("all 2 seeds", "read its seed", "share no seed") if text in said]


def test_a_missing_seed_names_both_ways_out(seedless: Any) -> None:
    refused = seedless.call("model=small,large")
    assert refused.code == 2
    assert "+seed=0" in refused.err
    assert "hydra.sweeper.seed_key=null" in refused.err


# --- what an application has for other sweepers ---

PARAMS = """
    n_trials: 20
    study_name: search
    direction: minimize
    sampler: {_target_: optuna.samplers.TPESampler, seed: 1}
    params:
      model: choice(small, large)
      rate: interval(0.001, 1)
      width: 16
      depth: 2,3
"""


def test_sweeps_in_the_configuration_are_factors_and_keys_of_others_are_left(toy_here: Any) -> None:
    configure(toy_here, {"    seeds: [0, 1]\n": f"    seeds: 1{PARAMS}"})
    ended = toy_here.call()
    assert ended.code == 0, ended.err
    study = record(toy_here, "model-depth")
    assert [factor.name for factor in study.plan.factors] == ["model", "depth"]
    assert study.plan.study.direction == "min"
    assert study.reference["width"] == 16
    assert "hydra.sweeper.{n_trials,study_name,sampler}" in ended.out
    assert "rate=interval(0.001, 1)" in ended.out
    assert "From hydra.sweeper.params: model=choice(small, large), width=16, depth=2,3." in ended.out


def test_what_is_typed_comes_before_the_configuration(toy_here: Any) -> None:
    configure(toy_here, {"    seeds: [0, 1]\n": f"    seeds: 1{PARAMS}"})
    assert toy_here.call("depth=4,5", "model=small", "hydra.sweeper.name=typed").code == 0
    assert record(toy_here, "typed").plan.factors[0].labels == ("2", "4", "5")


def test_a_chosen_sampler_is_no_error(toy_here: Any) -> None:
    configure(
        toy_here,
        {
            "  - override hydra/sweeper: ablation": "  - override hydra/sweeper: ablation\n"
            "  - override hydra/sweeper/sampler: tpe"
        },
    )
    assert toy_here.call("depth=2,3", ONE).code == 0


@pytest.mark.parametrize("where", ["typed", "configuration"])
def test_a_misspelt_key_is_an_error_all_the_same(where: str, toy_here: Any) -> None:
    if where == "configuration":
        configure(toy_here, {"    seeds: [0, 1]\n": "    sedes: 2\n"})
    ended = toy_here.call("depth=2,3", *(["+hydra.sweeper.sedes=2"] if where == "typed" else []))
    assert ended.code == 2
    assert "Did you mean 'seeds'?" in ended.err


@pytest.mark.parametrize("text", ["study: {seeds: 9, name: mine, metric: other}", "study: mine", "study: [1]"])
def test_a_section_study_of_the_application_means_something_else(text: str, toy_here: Any) -> None:
    configure(toy_here, {"rate: 0.1": f"rate: 0.1\n{text}", "    seeds: [0, 1]\n": ""})
    assert toy_here.call("depth=2,3").code == 0
    plan = record(toy_here, "depth").plan
    assert len(plan.study.seeds) == 3
    assert plan.study.metric == "score"


# --- values ---


def test_a_value_that_changes_each_time_is_part_of_no_identity(toy_here: Any) -> None:
    configure(toy_here, {"note: a": "note: ${changing:}\ncopy: ${note}"})
    path = toy_here.folder / "toy_application.py"
    resolver = "import random\nfrom omegaconf import OmegaConf\n"
    resolver += "OmegaConf.register_new_resolver('changing', lambda: random.random(), replace=True)\n"
    path.write_text(resolver + path.read_text())
    ended = toy_here.call("depth=2,3", ONE)
    assert ended.code == 0, ended.err
    assert "copy, note" in ended.out
    assert "2 done, 0 to train" in toy_here.call("depth=2,3", ONE).out


def test_a_difference_names_the_key_that_ignores_it(toy_here: Any) -> None:
    assert toy_here.call("depth=2,3", ONE).code == 0
    assert "hydra.sweeper.ignore=[note]" in toy_here.call("depth=2,3", "note=b", ONE).err


def test_levels_may_hold_what_only_a_job_can_resolve(toy_here: Any) -> None:
    configure(toy_here, {"note: a": "note: ${hydra:runtime.cwd}/a"})
    ended = toy_here.call("note=${hydra:runtime.cwd}/a,${hydra:runtime.cwd}/b", ONE)
    assert ended.code == 0, ended.err
    assert len(record(toy_here, "note").plan.cells) == 2


@pytest.mark.parametrize(
    "file",
    ["${hydra.run.dir}/${hydra.job.id}/of_run.log", "${hydra:sweep.dir}/${hydra.job.num}/of_run.log"],
    ids=["of a single run", "by number"],
)
@pytest.mark.parametrize("launcher", ["basic", "workers"])
def test_a_log_in_the_folder_of_a_run_is_in_that_of_the_study(file: str, launcher: str, toy: Any) -> None:
    text = f"defaults: [default]\nhandlers:\n  file:\n    filename: {file}\n"
    add_group(toy, "hydra/job_logging", **{"own": text})
    # In a process of its own: setting up logging closes all handlers, and those of TensorFlow close their stream.
    ended = toy.run("depth=2,3", ONE, "hydra/job_logging=own", *LAUNCHERS[launcher])
    assert ended.code == 0, ended.err
    assert len(list(toy.study().path.glob("runs/*/*/of_run.log"))) == 2


# --- help ---


def test_the_guide_has_the_words_of_the_application(toy_here: Any, capsys: pytest.CaptureFixture[str]) -> None:
    ended = toy_here.call("hydra.sweeper.help=true")
    assert ended.code == 0
    assert "model=large,small" in ended.out
    assert "hydra.sweeper.seed_key=seed" in ended.out
    assert toy_here.trained() == []


# --- odd programs, started as they are ---

STRUCTURED = """
import enum
from dataclasses import dataclass, field, fields
from typing import Any, List, Optional

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf


class Kind(enum.Enum):
    big = 1
    small = 2


@dataclass
class Optimizer:
    rates: List[float] = field(default_factory=lambda: [0.5])


@dataclass
class Adam(Optimizer):
    epsilon: float = 0.25


@dataclass
class Model:
    width: int = 8
    kind: Kind = Kind.big
    layers: List[int] = field(default_factory=lambda: [1, 2])


@dataclass
class Config:
    defaults: List[Any] = field(default_factory=lambda: ["_self_", {"optimizer": "plain"}])
    model: Model = field(default_factory=Model)
    other: Optional[Model] = None
    optimizer: Optimizer = MISSING
    seed: int = 0


store = ConfigStore.instance()
store.store("config", Config)
store.store("plain", Optimizer, group="optimizer")
store.store("adam", Adam, group="optimizer")


@hydra.main(config_path=None, config_name="config", version_base="1.3")
def main(config):
    assert isinstance(config.model.kind, Kind)
    model = OmegaConf.to_object(config.model)
    assert type(model) is Model and len(fields(Model)) == 3
    assert OmegaConf.structured(Model).layers == [1, 2]
    return model.width + len(model.layers) + config.optimizer.get("epsilon", 0) + config.seed


if __name__ == "__main__":
    main()
"""

INSTANCE = """
import hydra


class Trainer:
    def __call__(self, config):
        return config.width + 0.5 * config.seed


hydra.main(config_path="conf", config_name="config", version_base="1.3")(Trainer())()
"""

RELATIVE = """
import hydra

from .score import score


@hydra.main(config_path="../conf", config_name="config", version_base="1.3")
def main(config):
    return score(config)


if __name__ == "__main__":
    main()
"""


def run(folder: Path, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, *words]
    ended = warm_process.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


ABLATION = ("-m", "hydra/sweeper=ablation", "hydra.sweeper.name=s", "hydra.sweeper.figures=[effects]")


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib", "workers", "isolated"])
def test_structured_configurations_of_a_script(launcher: str, tmp_path: Path) -> None:
    need(launcher)
    (tmp_path / "train.py").write_text(STRUCTURED)
    words = ("model.width=8,16", "optimizer=plain,adam", "hydra.sweeper.seeds=1", *LAUNCHERS[launcher])
    # A fresh interpreter, since what is defined in `__main__` is the question.
    ended = subprocess.run(
        [sys.executable, "train.py", *ABLATION, *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    runs = pd.read_csv(tmp_path / "outputs" / "s" / "runs.csv")
    assert sorted(runs["value"] - runs["seed"]) == [10.0, 10.25, 18.0, 18.25]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["instance", "relative"])
def test_programs_whose_task_has_no_global_name_are_trained_and_run_again(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text("{width: 8, seed: 0}\n")
    program = ["train.py"] if kind == "instance" else ["-m", "program.train"]
    (tmp_path / "train.py").write_text(INSTANCE)
    (tmp_path / "program").mkdir()
    for name, text in (
        ("__init__", ""),
        ("score", "def score(config):\n    return config.width\n"),
        ("train", RELATIVE),
    ):
        (tmp_path / "program" / f"{name}.py").write_text(text)
    run(tmp_path, *program, *ABLATION, "width=8,16", "hydra.sweeper.seeds=1", "hydra/launcher=basic")
    assert "Bit-identical" in run(tmp_path, "-m", "ablate", "rerun", "outputs/s", "full/1")
