from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import ablate
from ablate.app.schema import compose_config, conf_dir, data_settings, faults, ingredients, sections
from ablate.errors import ConfigError

CONF = Path(conf_dir())


def read(group: str, name: str) -> dict[str, Any]:
    """A YAML file of the configuration with the files that it starts from."""
    values: dict[str, Any] = yaml.safe_load((CONF / group / f"{name}.yaml").read_text()) or {}
    bases = [base for base in values.pop("defaults", ()) if base != "_self_"]
    return {key: value for base in bases for key, value in read(group, base).items()} | values


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def test_the_folder_of_the_yaml_files_is_found() -> None:
    assert (CONF / "config.yaml").is_file()
    for group in ("model", "data", "train", "study"):
        assert choices(group)


def test_missing_yaml_files_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ablate, "__file__", str(tmp_path / "ablate" / "__init__.py"))
    with pytest.raises(ConfigError) as caught:
        conf_dir()
    assert str(caught.value) == (
        f"The configuration files of ablate are missing beside '{tmp_path / 'ablate'}'. Install ablate-study again."
    )


@pytest.mark.parametrize("name", choices("data"))
def test_every_key_of_a_data_file_is_declared(name: str) -> None:
    values = read("data", name)
    assert values.keys() <= data_settings()[values["source"]].keys()


@pytest.mark.parametrize("section", ["study", "report"])
def test_every_key_of_a_section_is_declared_and_its_ready_values_are_allowed(section: str) -> None:
    for name in choices(section):
        values = read(section, name)
        assert values.keys() <= sections()[section].keys()
        assert all(sections()[section][key].rule.allows(value) for key, value in values.items())


def test_the_ready_study_varies_declared_ingredients_from_their_full_form() -> None:
    factors = read("study", "ingredients")["factors"]
    assert {name: levels[0] for name, levels in factors.items()} == {
        name: ingredients()[name].levels[0] for name in factors
    }


def test_the_configuration_follows_from_the_declarations() -> None:
    values = compose_config(["data=telugu"])
    assert list(values)[:3] == ["seed", "residual", "batch_norm"]
    assert values["train"]["epochs"] == values["data"]["epochs"] == 15
    assert values["train"].keys() == sections()["train"].keys()
    assert values["study"]["requires"] == {"bn_placement": {"batch_norm": True}, "bias": {"batch_norm": True}}
    assert values["study"]["labels"]["residual"] == "residual connections"
    assert (values["study"]["workers"], values["study"]["width"]) == ("auto", "auto")
    assert set(values["only"]) == {name for name, one in ingredients().items() if one.limited}


# What is wrong with a configuration: the sentences of levels and of training are those of the Keras layer.


@pytest.mark.parametrize(
    ("values", "starts"),
    [
        ({}, []),
        ({"head": "flat"}, ["head=flat: allowed are gap, gmp, flatten. Did you mean 'flatten'?"]),
        ({"train": {"epochs": 0}}, ["train.epochs=0: must be a whole number of at least 1."]),
        ({"train": {"learning_rate": float("nan")}}, ["train.learning_rate=nan: "]),
        ({"batch_norm": False, "bn_placement": "after"}, ["bn_placement=after: "]),
        ({"batch_norm": False, "bias": True}, ["bias=true: "]),
        ({"batch_norm": False, "bn_placement": "before", "bias": False}, []),
        ({"batch_norm": True, "bn_placement": "after", "bias": True}, []),
        ({"train": None, "study": None, "report": None}, []),
        ({"residul": 1}, ["Unknown key 'residul': nothing reads it. Did you mean 'residual'?"]),
        ({"study": {"sedes": 3}}, ["study has no key 'sedes'. Did you mean 'seeds'?"]),
        ({"study": {"max_seeds": 2}}, ["study.max_seeds=2: must be a whole number from 3 to 50."]),
        ({"study": {"workers": 0}}, ["study.workers=0: must be auto, or a whole number of at least 1."]),
        ({"report": {"width": "nips"}}, ["Unknown width 'nips'. "]),
        ({"study": {"metric": "test_acuracy"}}, ["study.metric=test_acuracy: a run reports test_accuracy, "]),
        ({"ingredients": {"mine": "a.b.C"}, "mine": True}, []),
        ({"trainer": "no_such_package.train"}, ["trainer=no_such_package.train: there is no such module."]),
    ],
)
def test_faults_are_sentences_that_say_what_is_allowed(values: dict[str, Any], starts: list[str]) -> None:
    messages = faults(values)
    assert len(messages) == len(starts)
    for message, start in zip(messages, starts, strict=True):
        assert message.startswith(start)


@pytest.mark.parametrize(
    ("backend", "missing", "expected"),
    [
        ("", (), []),
        ("jax", (), []),
        ("jaxx", (), ["KERAS_BACKEND=jaxx: networks are trained with jax, tensorflow, torch. Did you mean 'jax'?"]),
        ("torch", ("torch",), ["KERAS_BACKEND=torch is not installed: pip install 'ablate-study[torch]'."]),
    ],
)
def test_a_back_end_that_cannot_train_is_refused(
    backend: str, missing: tuple[str, ...], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.setattr("ablate.keras.settings.find_spec", lambda name: None if name in missing else name)
    assert faults({}) == expected
    assert faults({"trainer": "ablate.analysis.anything"}) == []


def test_all_faults_come_at_once() -> None:
    assert len(faults({"head": "flat", "bn_placement": "x", "train": {"epochs": -1, "learning_rate": -1}, "z": 1})) == 5


def test_a_void_level_that_nobody_asked_for_is_no_fault() -> None:
    assert faults({"batch_norm": False, "bn_placement": "after", "bias": True}, explicit=False) == []


@pytest.mark.keras
@pytest.mark.parametrize("name", choices("model"))
def test_every_key_of_a_model_file_is_declared(name: str) -> None:
    pytest.importorskip("keras")
    from ablate.keras.models import NETWORKS

    assert read("model", name).keys() <= {"name", "input_shape", *NETWORKS[name].settings()}


def test_a_configuration_is_composed_without_the_application() -> None:
    program = "from ablate.app.schema import compose_config\nprint(compose_config([])['train']['epochs'])\n"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "10\n"), ended.stderr
