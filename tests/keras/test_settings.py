"""The declared settings of training and data, and the check of a command line that needs no Keras."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml

pytest.importorskip("keras")

from ablate.app.schema import conf_dir
from ablate.keras.data import SOURCES
from ablate.keras.settings import DATA_SETTINGS, TRAIN_SETTINGS, TRAINING_KEYS, data_settings, faults
from ablate.study.setting import Setting, setting_fault

pytestmark = pytest.mark.keras


def conf(name):
    with open(f"{conf_dir()}/{name}.yaml") as file:  # noqa: PTH123
        return yaml.safe_load(file)


def test_declarations_load_neither_networks_nor_numbers():
    program = (
        "import sys, json\nfrom ablate.keras.settings import data_settings\nfrom ablate.keras.data import SOURCES\n"
        "for source in SOURCES: data_settings(source)\nprint(json.dumps([*sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {"tensorflow", "keras", "numpy", "PIL", "pandas"}


def test_the_configuration_files_have_the_declared_keys_and_defaults():
    for source in SOURCES:
        settings, node = data_settings(source), conf(f"data/{source}")
        # A set may bring these, and no source has to.
        optional = set(TRAINING_KEYS) - {"epochs", "batch_size"}
        assert set(node) == set(settings) - optional
        for key, value in node.items():
            assert value in (settings[key].default, "???"), key


@pytest.mark.parametrize("settings", [TRAIN_SETTINGS, *map(data_settings, SOURCES)])
def test_every_setting_has_a_description_and_allows_its_default(settings: dict[str, Setting]):
    for key, setting in settings.items():
        assert setting.description, key
        assert setting.default is None or setting_fault(key, setting.default, setting) is None


def test_training_keys_of_the_data_section_follow_those_of_training():
    assert set(TRAINING_KEYS) == {"epochs", "batch_size", "schedule", "learning_rate", "warmup_epochs"}
    assert all(DATA_SETTINGS[key].default == TRAIN_SETTINGS[key].default for key in TRAINING_KEYS)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"head": "flat"}, ["head=flat: allowed are gap, gmp, flatten. Did you mean 'flatten'?"]),
        ({"residual": "yes"}, ["residual=yes: allowed are true, false."]),
        ({"train": {"epochs": True}}, ["train.epochs=true: must be a whole number of at least 1."]),
        ({"train": {"epoch": "best"}}, ["train.epoch=best: must be one of best_val, last. Did you mean 'best_val'?"]),
        ({"train": {"epochs": 1, "warmup_epochs": 1}}, ["train.warmup_epochs=1: must be below train.epochs=1."]),
        ({"train": {"epocs": 1}}, ["train has no key 'epocs'. Did you mean 'epochs'?"]),
        ({"train": {"epocs": 1}, "trainer": "ablate.analysis.anything"}, []),
        ({"train": {"epochs": 0}, "trainer": "json.dumps"}, ["train.epochs=0: must be a whole number of at least 1."]),
        (
            {"trainer": "no_such_module.train"},
            ["trainer=no_such_module.train: there is no such module. Name a function by its dotted path."],
        ),
    ],
)
def test_faults_are_sentences_that_say_what_is_allowed(values, expected):
    assert faults(values) == expected


def test_a_metric_that_no_run_reports_is_refused_with_those_that_are():
    (fault,) = faults({"study": {"metric": "test_acuracy"}})
    assert fault.startswith("study.metric=test_acuracy: a run reports test_accuracy, test_loss, ")
    assert fault.endswith("Did you mean 'test_accuracy'?")
    assert faults({"study": {"metric": "anything"}, "trainer": "json.dumps"}) == []


@pytest.mark.parametrize(
    ("backend", "missing", "expected"),
    [
        ("jax", (), []),
        ("jaxx", (), ["KERAS_BACKEND=jaxx: networks are trained with jax, tensorflow, torch. Did you mean 'jax'?"]),
        ("torch", ("torch",), ["KERAS_BACKEND=torch is not installed: pip install 'ablate-study[torch]'."]),
        ("", ("keras",), ["Training networks needs TensorFlow and Keras: pip install 'ablate-study[keras]'."]),
    ],
)
def test_what_is_not_installed_is_refused(backend, missing, expected, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.setattr("ablate.keras.settings.find_spec", lambda name: None if name in missing else name)
    assert faults({}) == expected


class Child:
    """Stands for an ingredient that changes nothing without another one."""

    levels = ("before", "after")
    requires = {"parent": (True,)}  # noqa: RUF012

    def allows(self, level):
        return level in self.levels

    def allowed(self):
        return self.levels


def test_a_level_without_effect_is_refused_only_where_somebody_asked_for_it(monkeypatch):
    monkeypatch.setattr("ablate.keras.rewrites.registry.INGREDIENTS", {"child": Child()})
    void = {"parent": False, "child": "after"}
    assert faults(void) == ["child=after: has no effect with parent=false. Leave it out, or set parent=true."]
    assert faults(void, explicit=False) == []
    assert faults({"parent": False, "child": "before"}) == faults({"parent": True, "child": "after"}) == []
