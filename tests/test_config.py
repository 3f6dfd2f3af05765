from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ablate import config
from ablate.config import Config, StudyConfig, conf_dir, faults
from ablate.errors import ConfigError

CONF = Path(conf_dir())


def test_the_folder_of_the_yaml_files_is_found() -> None:
    assert (CONF / "config.yaml").is_file()
    for group in ("model", "data", "train", "study"):
        assert list((CONF / group).glob("*.yaml"))


def test_missing_yaml_files_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(config, "__file__", str(tmp_path / "ablate" / "config.py"))
    with pytest.raises(ConfigError) as caught:
        conf_dir()
    assert str(caught.value) == (
        f"The configuration files of ablate are missing beside '{tmp_path / 'ablate'}'. Install ablate-study again."
    )


def test_the_schema_and_the_yaml_files_have_the_same_keys_and_defaults() -> None:
    given = yaml.safe_load((CONF / "config.yaml").read_text())
    schema = vars(Config())
    assert given.keys() - {"defaults", "hydra"} <= schema.keys()
    for key, value in given.items():
        if key not in ("defaults", "hydra") and not isinstance(value, dict):
            assert schema[key] == value, key
    study = yaml.safe_load((CONF / "study" / "ingredients.yaml").read_text())
    assert set(study) <= set(vars(StudyConfig()))
    for key in ("name", "design", "seeds", "metric", "direction", "margin", "workers", "retry_failed", "keep_going"):
        assert vars(StudyConfig())[key] == study[key], key


def test_the_first_level_of_every_ingredient_is_the_default() -> None:
    study = yaml.safe_load((CONF / "study" / "ingredients.yaml").read_text())
    assert {name: levels[0] for name, levels in study["factors"].items()} == {
        name: getattr(Config(), name) for name in study["factors"]
    }


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"head": "flat"}, ["head=flat: allowed are gap, gmp, flatten. Did you mean 'flatten'?"]),
        ({"bn_placement": "none"}, ["bn_placement=none: allowed are before, after."]),
        ({"train": {"epochs": 0}}, ["train.epochs=0: must be a whole number of at least 1."]),
        ({"train": {"epochs": 1.5}}, ["train.epochs=1.5: must be a whole number of at least 1."]),
        ({"train": {"epochs": True}}, ["train.epochs=True: must be a whole number of at least 1."]),
        ({"train": {"batch_size": -4}}, ["train.batch_size=-4: must be a whole number of at least 1."]),
        ({"train": {"threads": 0}}, ["train.threads=0: must be a whole number of at least 1."]),
        ({"train": {"learning_rate": 0}}, ["train.learning_rate=0: must be a positive number."]),
        ({"train": {"learning_rate": float("nan")}}, ["train.learning_rate=nan: must be a positive number."]),
        ({"train": {"learning_rate": "fast"}}, ["train.learning_rate=fast: must be a positive number."]),
        (
            {"batch_norm": False, "bn_placement": "after"},
            ["bn_placement=after: without batch norm there is nothing to place. Leave it out, or set batch_norm=true."],
        ),
        (
            {"batch_norm": False, "bias": True},
            [
                "bias=true: without batch norm all convolutions have a bias anyway. "
                "Leave it out, or set batch_norm=true."
            ],
        ),
        ({"batch_norm": False, "bn_placement": "before", "bias": False}, []),
        ({"batch_norm": True, "bn_placement": "after", "bias": True}, []),
        ({"train": None}, []),
    ],
)
def test_faults_are_sentences_that_say_what_is_allowed(values: dict[str, Any], expected: list[str]) -> None:
    assert faults(values) == expected


@pytest.mark.parametrize(
    ("chosen", "missing", "expected"),
    [
        ("", (), []),
        ("jax", (), []),
        ("jaxx", (), ["KERAS_BACKEND=jaxx: networks are trained with jax, tensorflow, torch. Did you mean 'jax'?"]),
        ("torch", ("torch",), ["KERAS_BACKEND=torch is not installed: pip install 'ablate-study[torch]'."]),
    ],
)
def test_a_back_end_that_cannot_train_is_refused(
    chosen: str, missing: tuple[str, ...], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", chosen)
    monkeypatch.setattr("ablate.config.find_spec", lambda name: None if name in missing else name)
    assert faults({}) == expected
    assert faults({"task": "ablate.analysis.anything"}) == []


def test_all_faults_come_at_once() -> None:
    assert len(faults({"head": "flat", "bn_placement": "x", "train": {"epochs": -1, "learning_rate": -1}})) == 4


def test_a_void_level_that_nobody_asked_for_is_no_fault() -> None:
    assert faults({"batch_norm": False, "bn_placement": "after", "bias": True}, explicit=False) == []
