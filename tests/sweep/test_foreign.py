"""Applications that know nothing of ablate: their own configuration, their own framework, every design."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest
import warm_process

QUIET = ("hydra/hydra_logging=none", "hydra/job_logging=none", "hydra.sweeper.figures=[effects]")

PLAIN = """
import csv
import os
import random

import hydra
from hydra.core.hydra_config import HydraConfig


@hydra.main(config_path="conf", config_name="config", version_base=None)
def main(config):
    chance = random.Random(f"{config.experiment.seed}")
    parts = config.parts
    score = 0.1 * parts.a + 0.05 * parts.b - 0.02 * parts.c + 0.03 * (parts.a and parts.b)
    score += 0.5 + 0.01 * chance.random()
    with open(os.path.join(HydraConfig.get().runtime.output_dir, "log.csv"), "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "error"])
        writer.writerows([epoch, (1 - score) / epoch] for epoch in (1, 2, 3))
    return score


if __name__ == "__main__":
    main()
"""
PLAIN_CONFIG = """
experiment: {seed: 0}
parts: {a: true, b: true, c: true, depth: 4}
"""

SKLEARN = """
import hydra
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler


@hydra.main(config_path="conf", config_name="config", version_base="1.3")
def main(config):
    x, y = load_wine(return_X_y=True)
    x, held, y, truth = train_test_split(x, y, test_size=0.4, random_state=config.random_state, stratify=y)
    scale = StandardScaler() if config.scale else FunctionTransformer()
    if config.model.name == "knn":
        model = KNeighborsClassifier(config.model.neighbours)
    else:
        model = RandomForestClassifier(config.model.trees, random_state=config.random_state)
    fitted = make_pipeline(scale, model).fit(x, y)
    return {
        "accuracy": accuracy_score(truth, fitted.predict(held)),
        "loss": log_loss(truth, fitted.predict_proba(held)),
    }


if __name__ == "__main__":
    main()
"""

TORCH = """
import hydra
import torch


@hydra.main(config_path="conf", config_name="config", version_base="1.3")
def main(config):
    torch.manual_seed(config.seed)
    x = torch.randn(128, 4)
    y = (x[:, :1] * x[:, 1:2] > 0).float()
    layers = [torch.nn.Linear(4, 16)]
    layers += [torch.nn.BatchNorm1d(16)] if config.norm else []
    layers += [torch.nn.ReLU(), torch.nn.Linear(16, 1)]
    model = torch.nn.Sequential(*layers)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.rate)
    loss_of = torch.nn.BCEWithLogitsLoss()
    for _ in range(20):
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
    return loss


if __name__ == "__main__":
    main()
"""


def application(folder: Path, script: str, files: dict[str, str]) -> Path:
    """Write an application into a folder of its own."""
    (folder / "train.py").write_text(script)
    for name, text in files.items():
        path = folder / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def run(folder: Path, *words: str) -> str:
    """Type a command there; returns what it printed."""
    command = [sys.executable, "train.py", *words, *QUIET]
    ended = warm_process.run(command, cwd=folder, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def effects(folder: Path, study: str) -> pd.DataFrame:
    return pd.read_csv(folder / "outputs" / study / "effects.csv").set_index("cell")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("design", "cells"),
    [
        ("leave_one_out+add_one_in+cumulative", 8),
        ("one_factor_at_a_time+pairs", 7),
        ("factorial", 8),
        ("fractional", 4),
        ("screening", 4),
        ("optimal", 6),
    ],
)
def test_a_plain_application_under_every_design(design: str, cells: int, tmp_path: Path) -> None:
    folder = application(tmp_path, PLAIN, {"config": PLAIN_CONFIG})
    resolution = ["hydra.sweeper.resolution=3"] if design == "fractional" else []
    run(
        folder,
        *("-m", "hydra/sweeper=ablation", f"hydra.sweeper.design={design}", *resolution),
        *("hydra.sweeper.seed_key=experiment.seed", "hydra.sweeper.name=plain", "hydra.sweeper.seeds=[0,1]"),
        *("parts.a=true,false", "parts.b=true,false", "parts.c=true,false"),
    )
    found = effects(folder, "plain")
    assert len(found) == cells - 1
    # The draw is that of the seed, so it cancels within the pairs and the effects are exact.
    for cell, row in found.iterrows():
        gone = {name for name in "abc" if f"w/o parts.{name}" in str(cell)}
        expected = -0.1 * ("a" in gone) - 0.05 * ("b" in gone) + 0.02 * ("c" in gone) - 0.03 * bool(gone & {"a", "b"})
        assert row["difference"] == pytest.approx(expected, abs=1e-12)
    curves = pd.read_csv(folder / "outputs" / "plain" / "curves.csv")
    assert len(curves) == cells * 2 * 3
    assert curves.columns.tolist() == ["study", "cell", "seed", "epoch", "error"]


@pytest.mark.slow
def test_a_study_file_of_ones_own_makes_the_whole_command(tmp_path: Path) -> None:
    study = """
# @package _global_
defaults:
  - override /hydra/sweeper: ablation
  - override /hydra/launcher: workers
hydra:
  mode: MULTIRUN
  sweeper:
    name: wine
    design: one_factor_at_a_time
    seeds: [0, 1]
    seed_key: random_state
    metric: loss
    direction: min
    margin: 0.05
    factors:
      scale: [true, false]
      model: [forest, knn]
      size:
        usual: []
        small: [model.trees=2]
    requires:
      size: {model: forest}
"""
    files = {
        "config": "defaults:\n  - model: forest\n  - _self_\nrandom_state: 0\nscale: true\n",
        "model/forest": "name: forest\ntrees: 10\n",
        "model/knn": "name: knn\nneighbours: 5\n",
        "study/wine": study,
    }
    folder = application(tmp_path, SKLEARN, files)
    printed = run(folder, "+study=wine")
    assert "Study 'wine': 4 cells (one_factor_at_a_time), seeds 0, 1; metric loss, lower is better." in printed
    found = effects(folder, "wine")
    assert list(found.index) == ["w/o scale", "model=knn", "size=small"]
    assert found["n"].tolist() == [2, 2, 2]
    runs = pd.read_csv(folder / "outputs" / "wine" / "runs.csv")
    assert {"accuracy", "loss", "scikit-learn"} <= set(runs.columns)
    assert "8 runs: 8 done, 0 to train." in run(folder, "+study=wine")


@pytest.mark.slow
def test_a_pytorch_application(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    folder = application(tmp_path, TORCH, {"config": "seed: 0\nnorm: true\nrate: 0.01\n"})
    words = ("-m", "hydra/sweeper=ablation", "norm=true,false", "rate=0.01,0.1", "hydra.sweeper.metric=loss")
    run(folder, *words, "hydra.sweeper.direction=min", "hydra.sweeper.seeds=[0,1]", "hydra/launcher=workers")
    assert len(effects(folder, "norm-rate")) == 3
    runs = pd.read_csv(folder / "outputs" / "norm-rate" / "runs.csv")
    assert runs["torch"].notna().all()
