"""Every command of docs/hydra.md, typed in an application with the files of the template that the page takes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hydra.md"

FILES = {
    "src/train.py": """
import os
import random
import sys
from pathlib import Path

import hydra

os.environ["PROJECT_ROOT"] = str(Path(__file__).resolve().parents[1])
sys.path.insert(0, os.environ["PROJECT_ROOT"])

from src.metrics import get_metric_value


@hydra.main(version_base="1.3", config_path="../configs", config_name="train.yaml")
def main(cfg):
    if not cfg.get("seed"):
        raise ValueError("unseeded")
    score = 0.8 + cfg.model.net.lin2_size / 10000 - cfg.model.optimizer.weight_decay
    score += 0.01 * ("early_stopping" in (cfg.get("callbacks") or {})) + 0.001 * random.Random(cfg.seed).random()
    Path(cfg.paths.output_dir, "notes.txt").write_text(str(cfg.data.batch_size))
    return get_metric_value({"val/acc_best": score}, cfg.get("optimized_metric"))


if __name__ == "__main__":
    main()
""",
    "src/__init__.py": "",
    "src/metrics.py": """
def get_metric_value(metric_dict, metric_name):
    return metric_dict[metric_name] if metric_name else None
""",
    "configs/train.yaml": """
# @package _global_
defaults:
  - _self_
  - data: mnist
  - model: mnist
  - callbacks: default
  - logger: null
  - trainer: default
  - paths: default
  - hydra: default
  - experiment: null
  - hparams_search: null
  - optional local: default
  - debug: null
task_name: train
tags: [dev]
train: true
ckpt_path: null
seed: null
""",
    "configs/data/mnist.yaml": "batch_size: 64\n",
    "configs/model/mnist.yaml": "optimizer: {lr: 0.001, weight_decay: 0.0}\nnet: {lin1_size: 64, lin2_size: 128}\n",
    "configs/callbacks/default.yaml": "defaults: [early_stopping, _self_]\n",
    "configs/callbacks/early_stopping.yaml": "early_stopping: {patience: 100}\n",
    "configs/callbacks/none.yaml": "",
    "configs/trainer/default.yaml": "default_root_dir: ${paths.output_dir}\nmax_epochs: 10\n",
    "configs/paths/default.yaml": """
root_dir: ${oc.env:PROJECT_ROOT}
log_dir: ${paths.root_dir}/logs/
output_dir: ${hydra:runtime.output_dir}
work_dir: ${hydra:runtime.cwd}
""",
    "configs/hydra/default.yaml": """
run:
  dir: ${paths.log_dir}/${task_name}/runs/${now:%Y-%m-%d}_${now:%H-%M-%S}
sweep:
  dir: ${paths.log_dir}/${task_name}/multiruns/${now:%Y-%m-%d}_${now:%H-%M-%S}
  subdir: ${hydra.job.num}
job_logging:
  handlers:
    file:
      filename: ${hydra.runtime.output_dir}/${task_name}.log
""",
    "configs/experiment/example.yaml": "# @package _global_\nmodel: {net: {lin1_size: 32}}\n",
    "configs/hparams_search/mnist_optuna.yaml": """
# @package _global_
defaults:
  - override /hydra/sweeper: optuna
optimized_metric: val/acc_best
hydra:
  mode: MULTIRUN
  sweeper:
    _target_: hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper
    storage: null
    study_name: null
    n_jobs: 1
    direction: maximize
    n_trials: 20
    sampler:
      _target_: optuna.samplers.TPESampler
      seed: 1234
    params:
      model.optimizer.lr: interval(0.0001, 0.1)
      data.batch_size: choice(32, 64)
      model.net.lin2_size: choice(64, 128, 256)
""",
}


def commands() -> list[list[str]]:
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line) for line in lines if not line.startswith("pip ")]


@pytest.mark.slow
def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    printed = []
    for program, *words in commands():
        assert program == "python"
        quiet = ["hydra.sweeper.figures=[effects]"] if words[0] == "src/train.py" else []
        ended = subprocess.run(
            [sys.executable, *words, *quiet],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert ended.returncode == 0, (words, ended.stdout, ended.stderr)
        printed.append(ended.stdout)
    assert "Bit-identical" in printed[-2]
    assert "model.optimizer.lr=interval(0.0001, 0.1) in hydra.sweeper.params is a range" in printed[-1]
    effects = pd.read_csv(tmp_path / "outputs" / "parts" / "effects.csv").set_index("cell")["difference"]
    assert effects.round(6).to_dict() == {
        "callbacks=none": -0.01,
        "model.optimizer.weight_decay=0.1": -0.1,
        "model.net.lin2_size=16": -0.0112,
    }
