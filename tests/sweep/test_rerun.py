"""Running again what a folder names: the user's own without a question, what came from elsewhere after one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ablate.app import study_verbs
from ablate.app.main import VERBS
from ablate.errors import AblateError, StoreError
from ablate.merging import merge
from ablate.store import PlannedRun, StudyFolder, write_json
from ablate.store.signatures import key_path
from ablate.sweep.rerun import rerun

CONFIRMED = ("rate=0.1,0.2", "hydra.sweeper.seeds=[0,1,2,3,4,5,6,7,8]", "hydra.sweeper.margin=0.05")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rerun")


@pytest.fixture
def toy(place: Path, make_toy: Callable[[Path], Any]) -> Any:
    """The application, in the same folder for each test, since a study names the folder of its command."""
    shutil.rmtree(place / "toy", ignore_errors=True)
    return make_toy(place / "toy")


@pytest.fixture
def trained(toy_here: Any, place: Path) -> Any:
    """The application with a study of two cells, a seed each, trained once for all tests."""
    if (place / "trained").exists():
        shutil.copytree(place / "trained", toy_here.folder, dirs_exist_ok=True, symlinks=True)
    else:
        assert toy_here.call("depth=2,3", "hydra.sweeper.seeds=[0]").code == 0
        shutil.copytree(toy_here.folder, place / "trained", symlinks=True)
    return toy_here


def first_run(study: StudyFolder) -> PlannedRun:
    return study.existing_record().runs[0]


def frozen(study: StudyFolder) -> Path:
    return study.run(first_run(study)).path / ".hydra"


def edit_plan(study: StudyFolder, change: Callable[[dict[str, Any]], None]) -> None:
    values = json.loads(study.plan.read_text())
    change(values)
    write_json(study.plan, {key: value for key, value in values.items() if key != "checksum"})


def as_another_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))


def test_an_own_run_is_run_again_without_a_question(trained: Any, capsys: pytest.CaptureFixture[str]) -> None:
    study = trained.study()
    assert VERBS["rerun"].run([str(study.path), "full/0"]) == 0
    assert "Bit-identical" in capsys.readouterr().out
    assert key_path().stat().st_mode & 0o777 == 0o600


def test_two_reruns_within_a_second_have_folders_of_their_own(trained: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablate.sweep.rerun.time.strftime", lambda _: "now")
    study = trained.study()
    folders = [rerun(study, first_run(study)).folder for _ in range(3)]
    assert [folder.name for folder in folders] == ["now", "now-2", "now-3"]
    assert all((folder / "result.json").is_file() for folder in folders)


def test_a_copied_or_moved_study_stays_own(trained: Any, tmp_path: Path) -> None:
    shutil.copytree(trained.study().path, tmp_path / "copy")
    (tmp_path / "copy").rename(tmp_path / "moved")
    study = StudyFolder(tmp_path / "moved")
    assert not rerun(study, first_run(study)).different


def changed_task(study: StudyFolder) -> None:
    edit_plan(study, lambda plan: plan["history"][-1]["task"].update(name="main.other"))


def changed_command(study: StudyFolder) -> None:
    edit_plan(study, lambda plan: plan["history"][-1]["command"].append("note=b"))


def changed_overrides(study: StudyFolder) -> None:
    edit_plan(study, lambda plan: plan["history"][-1]["overrides"].append("note=b"))


def no_signature(study: StudyFolder) -> None:
    edit_plan(study, lambda plan: plan["history"][-1].pop("signature"))


def changed_configuration(study: StudyFolder) -> None:
    path = frozen(study) / "config.yaml"
    path.write_text(path.read_text().replace("note: a", "note: os.system"))


def changed_hydra(study: StudyFolder) -> None:
    with (frozen(study) / "hydra.yaml").open("a") as file:
        file.write("# changed\n")


def no_run_signature(study: StudyFolder) -> None:
    (frozen(study) / "signature").unlink()


def linked_signature(study: StudyFolder) -> None:
    (frozen(study) / "signature").rename(study.path / "elsewhere")
    (frozen(study) / "signature").symlink_to(study.path / "elsewhere")


CHANGES = (
    *(changed_task, changed_command, changed_overrides, no_signature),
    *(changed_configuration, changed_hydra, no_run_signature, linked_signature),
)


@pytest.mark.parametrize("change", CHANGES, ids=[change.__name__ for change in CHANGES])
def test_whatever_is_changed_makes_a_run_foreign(trained: Any, change: Callable[[StudyFolder], None]) -> None:
    study = trained.study()
    change(study)
    before = trained.trained()
    with pytest.raises(StoreError) as caught:
        rerun(study, first_run(study))
    assert f"type: ablate rerun {study.path} full/0 --trust" in str(caught.value)
    assert str(frozen(study) / "config.yaml") in str(caught.value)
    assert "toy_application" in str(caught.value)
    assert ("note=os.system" in str(caught.value)) == (change is changed_configuration)
    assert trained.trained() == before
    assert not (study.run(first_run(study)).path / "reruns").exists()


def test_trust_is_not_remembered(
    trained: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    as_another_user(monkeypatch, tmp_path)
    study = trained.study()
    assert VERBS["rerun"].run([str(study.path), "full/0", "--trust"]) == 0
    assert not rerun(study, first_run(study), trust=True).different
    assert not key_path().exists()
    with pytest.raises(StoreError):
        VERBS["rerun"].run([str(study.path), "full/0"])


def test_a_user_at_a_terminal_is_asked(
    trained: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    as_another_user(monkeypatch, tmp_path)
    for stream in ("stdin", "stdout"):
        monkeypatch.setattr(f"{study_verbs.__name__}.sys.{stream}.isatty", lambda: True, raising=False)
    study, before = trained.study(), trained.trained()
    monkeypatch.setattr("builtins.input", lambda _: "")
    with pytest.raises(StoreError, match="Nothing was executed"):
        VERBS["rerun"].run([str(study.path), "full/0"])
    assert trained.trained() == before
    monkeypatch.setattr("builtins.input", lambda _: "y")
    assert VERBS["rerun"].run([str(study.path), "full/0"]) == 0
    assert "toy_application" in capsys.readouterr().out


def test_what_is_shown_cannot_hide_behind_control_characters(trained: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    study = trained.study()
    edit_plan(study, lambda plan: plan["history"][-1]["task"].update(name="evil\x1b[2K\rmain\nharmless"))
    with pytest.raises(StoreError) as caught:
        rerun(study, first_run(study))
    assert "evil\\x1b[2K\\x0dmain\\nharmless" in str(caught.value)


def test_merging_keeps_own_runs_own_and_foreign_ones_foreign(
    toy_here: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patched:
        as_another_user(patched, tmp_path)
        assert toy_here.call("depth=2,3", "hydra.sweeper.seeds=[1]", "hydra.sweeper.name=theirs").code == 0
    assert toy_here.call("depth=2,3", "hydra.sweeper.seeds=[0]", "hydra.sweeper.name=ours").code == 0
    parts = [toy_here.study(name).path for name in ("ours", "theirs")]
    study = merge(parts, tmp_path / "both").folder
    runs = {run.seed: run for run in study.existing_record().runs if run.cell == "full"}
    assert not rerun(study, runs[0]).different
    with pytest.raises(StoreError, match="--trust"):
        rerun(study, runs[1])
    # The other way round, the foreign command is the last one.
    study = merge(parts[::-1], tmp_path / "reverse").folder
    assert not rerun(study, runs[0]).different
    with pytest.raises(StoreError, match="--trust"):
        rerun(study, runs[1])


def test_the_same_command_of_another_user_makes_what_it_trains_own(
    trained: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    as_another_user(monkeypatch, tmp_path)
    study = trained.study()
    (study.run(first_run(study)).path / "status.json").unlink()
    command = ("depth=2,3", "hydra.sweeper.seeds=[0]")
    assert trained.call(*command).code == 0
    assert not rerun(study, first_run(study)).different
    with pytest.raises(StoreError, match="--trust"):
        rerun(study, study.existing_record().runs[1])
    plan = study.plan.read_bytes()
    assert trained.call(*command).code == 0
    assert study.plan.read_bytes() == plan


def test_a_command_from_a_new_place_is_the_one_that_counts(trained: Any, make_toy: Any, tmp_path: Path) -> None:
    study = trained.study()
    script = str(trained.folder / "toy_application.py")
    ended = trained.run("depth=2,3", "hydra.sweeper.seeds=[0]")  # now as a script, where it was a module
    assert ended.code == 0, ended.err
    assert study.existing_record().history[-1]["task"]["file"] == script
    (trained.folder / "toy_application.py").unlink()
    with pytest.raises(StoreError) as caught:
        rerun(study, first_run(study), trust=True)
    assert f"'{script}'" in str(caught.value)


def test_without_a_key_studies_are_trained_unsigned_and_this_is_said(
    toy_here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (toy_here.folder / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(toy_here.folder / "file"))
    ended = toy_here.call("depth=2,3", "hydra.sweeper.seeds=[0]")
    assert ended.code == 0
    assert str(key_path()) in ended.err
    study = toy_here.study()
    assert "signature" not in study.existing_record().history[0]
    with pytest.raises(StoreError, match="--trust"):
        rerun(study, first_run(study))
    assert not rerun(study, first_run(study), trust=True).different
    plan = study.plan.read_bytes()
    assert toy_here.call("depth=2,3", "hydra.sweeper.seeds=[0]").code == 0
    assert study.plan.read_bytes() == plan


def test_hydras_folder_is_signed_only_where_hydra_wrote_it(toy_here: Any) -> None:
    assert toy_here.call("depth=2,3", "hydra.sweeper.seeds=[0]", "hydra.output_subdir=null").code == 0
    study = toy_here.study()
    shutil.rmtree(study.path / "runs")
    frozen(study).mkdir(parents=True)
    (frozen(study) / "config.yaml").write_text("note: planted")
    (frozen(study) / "hydra.yaml").write_text("{}")
    assert toy_here.call("depth=2,3", "hydra.sweeper.seeds=[0]", "hydra.output_subdir=null").code == 0
    with pytest.raises(StoreError, match="--trust"):
        rerun(study, first_run(study))


BOMB = "a: &a [x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "data",
    [
        b"a: !!python/object/apply:os.system ['touch executed']\n",
        BOMB.encode(),
        b"x: " + b"a" * 5_000_000,
        b"[" * 5000,
        b"\xff\xfe\x00",
        b"- a\n- b\n",
        b"a: ${",
        b"",
        b"hydra: 7\n",
    ],
    ids=["object", "aliases", "large", "deep", "bytes", "list", "interpolation", "empty", "hydra"],
)
@pytest.mark.parametrize("name", ["config.yaml", "hydra.yaml"])
def test_a_strange_configuration_is_an_error_and_executes_nothing(
    trained: Any, data: bytes, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = trained.study()
    (frozen(study) / name).write_bytes(data)
    with pytest.raises(AblateError):  # damaged, or else foreign
        rerun(study, first_run(study))
    assert not Path("executed").exists()
    try:
        rerun(study, first_run(study), trust=True)
    except Exception as error:
        assert isinstance(error, AblateError) or name == "config.yaml"  # which the task itself may stumble over
    assert not Path("executed").exists()


@pytest.mark.parametrize("kind", ["file", "folder", "pipe", "missing"])
def test_links_and_pipes_are_not_read(trained: Any, kind: str, tmp_path: Path) -> None:
    study = trained.study()
    folder = frozen(study)
    target = tmp_path / "elsewhere"
    if kind == "folder":
        folder.rename(target)
        folder.symlink_to(target)
    else:
        (folder / "config.yaml").rename(target)
        if kind == "file":
            (folder / "config.yaml").symlink_to(target)
        elif kind == "pipe":
            os.mkfifo(folder / "config.yaml")
    with pytest.raises(StoreError, match=r"config\.yaml|\.hydra"):
        rerun(study, first_run(study), trust=True)


def test_a_study_of_a_python_function_names_nothing_to_execute(tmp_path: Path, no_figures: None) -> None:
    import ablate

    ablate.run(lambda config: config["a"] + config["seed"], {"a": [0, 1]}, seeds=2, name="s", outputs=tmp_path)
    study = StudyFolder(tmp_path / "s")
    assert "task" not in study.existing_record().history[0]
    with pytest.raises(StoreError, match=r"Call ablate\.run"):
        rerun(study, first_run(study), trust=True)


@pytest.mark.parametrize("entry", [{"task": 1}, {"task": {}}, {"task": {"module": "os"}, "command": "x"}])
def test_a_damaged_history_is_an_error(trained: Any, entry: dict[str, Any]) -> None:
    study = trained.study()
    edit_plan(study, lambda plan: plan.update(history=[entry]))
    with pytest.raises(StoreError):
        rerun(study, first_run(study), trust=True)


@pytest.fixture
def dispensable(toy_here: Any) -> Any:
    """The application with a study in which a change of the rate does next to nothing to its score."""
    path = toy_here.folder / "toy_application.py"
    noise = 'return {"score": __import__("random").Random(f"{config.seed}{config.rate}").random() / 1000, "old":'
    path.write_text(path.read_text().replace('return {"score":', noise))
    assert toy_here.call(*CONFIRMED).code == 0
    return toy_here


def confirm(toy: Any, *words: str) -> int:
    return VERBS["confirm"].run([str(toy.study("rate").path), "--seeds", "3", *words])


def test_a_foreign_study_is_confirmed_only_with_trust(
    dispensable: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    as_another_user(monkeypatch, tmp_path)
    before = dispensable.trained()
    with pytest.raises(StoreError) as caught:
        confirm(dispensable)
    assert f"type: ablate confirm {dispensable.study('rate').path} --trust" in str(caught.value)
    assert " ".join(CONFIRMED) in str(caught.value).replace("'", "")
    assert "rate=0.2" in str(caught.value)
    assert dispensable.trained() == before
    assert confirm(dispensable, "--trust") == 0
    assert len(dispensable.trained()) == len(before) + 6
    # What was trusted once has not become the user's own.
    confirmation = dispensable.study("rate-confirm")
    assert "signature" not in confirmation.existing_record().history[0]
    with pytest.raises(StoreError, match="--trust"):
        rerun(confirmation, first_run(confirmation))


def test_overrides_that_were_slipped_into_an_own_plan_are_not_applied(dispensable: Any) -> None:
    study = dispensable.study("rate")

    def slip_in(plan: dict[str, Any]) -> None:
        (factor,) = plan["plan"]["factors"]
        factor["levels"]["0.2"] = ["rate=0.2", "note=os.system"]

    edit_plan(study, slip_in)
    before = dispensable.trained()
    with pytest.raises(StoreError) as caught:
        confirm(dispensable)
    assert "note=os.system" in str(caught.value)
    # The command itself, typed with what it confirms, does not apply them either.
    ended = dispensable.call(*CONFIRMED, f"hydra.sweeper.confirms='{study.path}'")
    assert ended.code == 2
    assert "note=os.system" in ended.err
    assert dispensable.trained() == before


def test_what_a_run_shows_is_bounded_and_printable(
    trained: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study = trained.study()
    (tmp_path / "secret").write_text("a secret")
    (frozen(study) / "config.yaml").unlink()
    (frozen(study) / "config.yaml").symlink_to(tmp_path / "secret")
    with study.run(first_run(study)).log.open("wb") as log:
        log.truncate(3_000_000_000)
        log.seek(0, os.SEEK_END)
        log.write(b"\nlast\x1b[2J line\n")
    assert VERBS["show"].run([str(study.path), "full/0"]) == 0
    out = capsys.readouterr().out
    assert "a secret" not in out
    assert "last\\x1b[2J line" in out
    assert len(out) < 5_000_000


def networks_module(folder: str) -> str:
    """A module whose functions note what they were called with."""
    return f"""
from pathlib import Path


def preflight(configurations):
    return [{{"error": None}} for _ in configurations]


def costs(configurations):
    with Path({folder!r}, "described").open("a") as file:
        file.writelines(f"{{configuration['rate']}} {{configuration['note']}}\\n" for configuration in configurations)
    names = ("weights", "flops", "activations", "latency", "step")
    return [dict.fromkeys((*names, *(f"{{name}}_ratio" for name in names), "batch"), 1.0) for _ in configurations]
"""


def test_networks_are_not_described_with_overrides_that_came_from_elsewhere(toy_here: Any) -> None:
    (toy_here.folder / "toy_networks.py").write_text(networks_module(str(toy_here.folder)))
    described = ("hydra.sweeper.preflight=toy_networks.preflight", "hydra.sweeper.costs=toy_networks.costs")
    assert toy_here.call("rate=0.1,0.2", "hydra.sweeper.seeds=[0]", "hydra.sweeper.name=s", *described).code == 0
    noted = toy_here.folder / "described"
    assert noted.read_text().splitlines() == ["0.1 a", "0.2 a"]
    study = toy_here.study("s")

    def slip_in(plan: dict[str, Any]) -> None:
        plan["plan"]["factors"][0]["levels"]["0.2"] = ["rate=0.2", "note=slipped"]

    edit_plan(study, slip_in)
    (study.path / "costs.json").unlink()
    noted.unlink()
    ended = toy_here.call("rate=0.1,0.3", "hydra.sweeper.seeds=[0]", "hydra.sweeper.name=s", *described)
    assert ended.code == 0, ended.err
    assert noted.read_text().splitlines() == ["0.1 a", "0.3 a"]
    assert "came with the study from elsewhere: rate=0.2" in ended.out
