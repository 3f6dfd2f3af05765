from __future__ import annotations

import json
from pathlib import Path

import pytest

from ablate import run
from ablate.errors import DesignError, StoreError
from ablate.store import StudyFolder, write_json
from ablate.study import Factor, Level, Plan, Study, make_plan
from ablate.study.settings import StudySettings
from ablate.sweep.same_study import check_same_study
from ablate.sweep.study_names import check_name, default_name
from ablate.sweep.study_record import enter_study

pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["residual", "model@net"], "residual-model.net"),
        (["example"], "study-example"),
        (["aux"], "study-aux"),
        (["con.x"], "study-con.x"),
        (["a@"], "a"),
        (["rate."], "rate"),
    ],
)
def test_a_default_name_is_made_of_the_factors(names: list[str], expected: str) -> None:
    assert default_name(names) == check_name(expected)


def test_default_names_of_any_factors_can_be_folders() -> None:
    names = [default_name(factors) for factors in (["층"], ["層"], ["x" * 300], ["x" * 301], ["@", "@"])]
    assert len(set(names)) == len(names)
    assert [check_name(name) for name in names] == names


@pytest.mark.parametrize("name", ["con", "AUX", "nul.txt", "com1", "study.", "study ", "..", ""])
def test_a_name_that_some_system_has_no_folder_for_is_refused(name: str) -> None:
    with pytest.raises(DesignError):
        check_name(name)


def test_a_name_has_one_unicode_form() -> None:
    assert check_name("re\u0301sidu") == "résidu"


def score(config: dict[str, object]) -> float:
    return 0.5 if config["model"] == "vgg" else 0.75


FACTORS = {"model": ["vgg", "ResNet"]}


def test_studies_whose_names_differ_by_case_alone_are_refused(tmp_path: Path) -> None:
    run(score, FACTORS, name="Model", seeds=1, outputs=tmp_path)
    with pytest.raises(StoreError, match=str(tmp_path / "Model")):
        run(score, FACTORS, name="model", seeds=1, outputs=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["Model"]
    run(score, FACTORS, name="Model", seeds=1, outputs=tmp_path)


def test_a_study_goes_on_in_the_folders_that_an_earlier_version_named(tmp_path: Path) -> None:
    run(score, FACTORS, name="old", seeds=1, outputs=tmp_path)
    study = StudyFolder(tmp_path / "old")
    (cell,) = [cell for cell in study.existing_record().plan.cells if not cell.is_reference]
    values = json.loads(study.plan.read_text().replace(cell.name, "model=ResNet"))
    write_json(study.plan, {key: value for key, value in values.items() if key != "checksum"})
    (study.path / "runs" / cell.name).rename(study.path / "runs" / "model=ResNet")
    before = json.loads(study.plan.read_text())

    trained = []
    grown = run(lambda config: trained.append(config) or score(config), FACTORS, name="old", seeds=2, outputs=tmp_path)

    assert [(config["model"], config["seed"]) for config in trained] == [("vgg", 1), ("ResNet", 1)]
    assert grown.effects["n"].tolist() == [2]
    assert sorted(path.name for path in (study.path / "runs").iterdir()) == ["full", "model=ResNet"]
    assert json.loads(study.plan.read_text())["plan"]["cells"] == before["plan"]["cells"]


def plan_of(lines: list[str]) -> Plan:
    level, other = Level("photos", tuple(lines)), Level("digits", ("data=digits", "data.sets=null"))
    sets = Factor("data", (other, level), "digits", block=True)
    residual = Factor("residual", (Level("true", ("residual=true",)), Level("false", ("residual=false",))), "true")
    return make_plan(Study("s", "factorial", (0,), "acc"), [sets, residual])


def test_a_level_that_stands_for_something_else_than_before_is_refused(tmp_path: Path) -> None:
    """Runs of two data sets of one name would be in one cell."""
    folder = StudyFolder(tmp_path / "s")
    before = ["data=folder", "data.path=a", "data.sets=null"]
    record = enter_study(folder, plan_of(before), [], {}, command=[], settings=StudySettings())
    check_same_study(folder, record, plan_of(before), {})
    with pytest.raises(StoreError, match=r"data=photos: data=folder data\.path=a .*-> data=folder data\.path=b"):
        check_same_study(folder, record, plan_of(["data=folder", "data.path=b", "data.sets=null"]), {})
