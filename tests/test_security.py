"""What docs/security.md promises: what only reads executes nothing, whatever a folder names."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import ablate
from ablate.app.main import VERBS
from ablate.store import write_json
from ablate.store.signatures import key_path
from ablate.sweep import frozen

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def traps(toy_here: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """Two studies that came from elsewhere; whatever they name leaves a file `sprung` when it is imported."""
    (toy_here.folder / "trap.py").write_text("from pathlib import Path\nPath('sprung').touch()\nfire = main = print\n")
    paths = []
    for name in ("one", "two"):
        assert toy_here.call("depth=2,3", f"hydra.sweeper.name={name}").code == 0
        study = toy_here.study(name)
        plan = json.loads(study.plan.read_text())
        plan["history"][-1]["task"] = {"module": "trap", "name": "main", "file": "trap.py"}
        plan["history"][-1]["command"] = ["trainer=trap.fire", "study.preflight=trap.fire"]
        plan["plan"]["factors"][0]["levels"]["3"] = ["trainer=trap.fire"]
        plan["reference"] |= {"trainer": "trap.fire", "note": "${oc.env:HOME}", "model": {"_target_": "trap.fire"}}
        write_json(study.plan, {key: value for key, value in plan.items() if key != "checksum"})
        for run in study.existing_record().runs:
            (study.run(run).path / ".hydra" / "config.yaml").write_text(
                "seed: 0\ndepth: !!python/object/apply:trap.fire []\n"
            )
        paths.append(study.path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    return paths


def test_what_only_reads_executes_nothing(traps: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    one, two = map(str, traps)
    assert VERBS["status"].run([one]) == 0
    assert VERBS["show"].run([one, "full/0"]) == 0
    assert VERBS["report"].run([one]) == 0
    assert VERBS["report"].run([one, two, "--into", "both"]) == 0
    assert VERBS["merge"].run([one, two, "--into", "merged"]) == 0
    study = ablate.load(one)
    assert ablate.table(study, "latex")
    for words in (["rerun", one, "full/0"], ["rerun", "merged", "full/0"], ["confirm", one]):
        with pytest.raises(ablate.errors.AblateError):
            VERBS[words[0]].run(words[1:])
    assert "trap" not in sys.modules
    assert not Path("sprung").exists()
    assert not key_path().exists()


def test_adopting_executes_nothing(traps: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    for run in traps[0].glob("runs/*/*"):
        (run / "history.csv").write_text("epoch,score\n1,0.5\n")
    with pytest.raises(ablate.errors.AblateError):
        VERBS["adopt"].run([str(traps[0] / "runs"), "metric=score", "study.name=adopted"])
    assert "trap" not in sys.modules
    assert not Path("sprung").exists()


# Modules that may run what they read, and why.
EXECUTING = {
    "ablate.figures.files": {"pickle"},  # for a digest; nothing is loaded
    "ablate.sweep.config_template": {"pickle"},  # plain values that this process has pickled itself
    "ablate.sweep.pickled_value": {"pickle", "cloudpickle"},  # the same of configurations
    "ablate.sweep.recorder": {"cloudpickle"},  # whether an error that a run raised can be sent to another process
    "ablate.sweep.pool": {"cloudpickle"},  # pipes to worker processes
    "ablate.sweep.worker": {"cloudpickle"},  # the other ends
    "ablate.sweep.task_origin": {"runpy"},  # a script of the user's, or one that was agreed to
}


def test_only_listed_modules_can_execute_what_they_read() -> None:
    dangerous = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "runpy", "code"}
    found: dict[str, set[str]] = {}
    for path in (ROOT / "ablate").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            modules = set()
            if isinstance(node, ast.Import):
                modules = {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules = {(node.module or "").partition(".")[0]}
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
                modules = {node.func.id}
            elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant) and node.value.value is False, name
            if modules & (dangerous | {"eval", "exec"}):
                found.setdefault(name, set()).update(modules & (dangerous | {"eval", "exec"}))
    assert found == EXECUTING


def test_the_page_says_the_bounds_there_are() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    assert f"up to {frozen._LARGEST / 1e6:g} MB, no links" in text
    assert f"at most {frozen._MOST_ALIASES} aliases" in text
    assert "--trust" in "".join(option.name for name in ("rerun", "confirm") for option in VERBS[name].options)


def test_a_page_allows_only_its_own_scripts(traps: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert VERBS["report"].run([str(traps[0])]) == 0
    page = (traps[0] / "report.html").read_text()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.replace("&#39;", "'").split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert re.fullmatch(r"'sha256-[\w+/=]+' 'sha256-[\w+/=]+'", rules["script-src"])
    assert set(rules) == {"default-src", "base-uri", "form-action", "script-src", "img-src", "style-src"}
