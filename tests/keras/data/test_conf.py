"""The ready data sets of ``conf/data``: every one is checked, and brings what suits it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

pytest.importorskip("keras")

from ablate.app.schema import conf_dir, register
from ablate.keras.run_config import validate
from ablate.keras.settings import check_data

pytestmark = pytest.mark.keras

READY = sorted(path.stem for path in (Path(conf_dir()) / "data").glob("*.yaml"))
NEEDED = {
    "tfds": ["data.name=mnist"],
    "folder": ["data.path=photos"],
    "masks": ["data.path=photos"],
    "builder": ["data.builder=my.sets.make"],
    "arrays": ["data.path=digits.npz"],
    "table": ["data.path=houses.csv", "data.target=price"],
}


def composed(*overrides):
    register()
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        config = compose("config", list(overrides))
    return OmegaConf.to_container(config, resolve=True)


@pytest.mark.parametrize("name", READY)
def test_every_ready_set_is_without_fault_and_sets_epochs_and_batch_size(name):
    config = composed(f"data={name}", *NEEDED.get(name, []))
    assert check_data(config["data"])[1] == []
    validate({key: value for key, value in config.items() if key not in ("study", "trainer")})
    assert config["train"]["epochs"] == config["data"]["epochs"]
    assert config["train"]["batch_size"] == config["data"]["batch_size"]


def test_what_is_set_for_training_wins_over_what_suits_the_set():
    config = composed("data=telugu", "train.epochs=3", "train=cosine")
    assert (config["train"]["epochs"], config["train"]["batch_size"]) == (3, 32)
    assert config["train"]["schedule"] == "cosine"


def test_a_set_may_bring_a_schedule_that_a_short_training_bears():
    train = composed("data=fashion_mnist", "train.epochs=1")["train"]
    assert (train["schedule"], train["learning_rate"], train["epochs"]) == ("cosine", 0.005, 1)
    assert composed("data=fashion_mnist", "train.schedule=constant")["train"]["schedule"] == "constant"
    other = composed("data=digits")["train"]
    assert (other["schedule"], other["learning_rate"], other["warmup_epochs"]) == ("constant", 0.001, 0)


def test_the_lecture_sets_are_there():
    assert {"fashion_mnist", "cifar10", "tf_flowers", "rock_paper_scissors", "cats_vs_dogs", "beans", "telugu"} <= set(
        READY
    )
