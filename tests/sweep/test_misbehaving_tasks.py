"""Whatever a task does, its run has the right outcome, all others finish, and the report is there."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from launchers import LAUNCHERS, need
from misbehaving_tasks import KINDS
from warm_process import WarmProcess

from ablate.store import Result, Status, StudyFolder

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]

APPLICATION = """
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from misbehaving_tasks import KINDS

ConfigStore.instance().store("settings", {"seed": 0, "kind": "fine"})


@hydra.main(config_path=None, config_name="settings", version_base="1.3")
def main(config):
    with (Path(__file__).parent / "starts").open("a") as file:
        file.write(config.kind + "\\n")
    return KINDS[config.kind].task()


if __name__ == "__main__":
    main()
"""


@dataclass(frozen=True)
class Study:
    """A study whose levels are kinds of misbehaviour, after its command has ended."""

    folder: Path
    code: int
    err: str
    seconds: float

    @property
    def path(self) -> Path:
        return self.folder / "outputs" / "kind"

    @property
    def starts(self) -> Counter[str]:
        return Counter((self.folder / "starts").read_text().split())

    def outcomes(self) -> dict[str, tuple[Status, Result | None]]:
        """Status and result of each run by its kind."""
        study = StudyFolder(self.path)
        folders = {run.cell.rpartition("=")[2]: study.run(run) for run in study.existing_record().runs}
        return {kind: (folder.settled_status(), folder.result()) for kind, folder in folders.items()}

    def states(self) -> dict[str, str]:
        kinds = {"full": "fine"}
        return {kinds.get(k, k): f"{s.state} {s.reason}".strip() for k, (s, _) in self.outcomes().items()}


def run_study(folder: Path, kinds: list[str], *arguments: str, timeout: float = 550) -> Study:
    """Run the study of some kinds as a user does."""
    (folder / "application.py").write_text(APPLICATION)
    command = [sys.executable, "application.py", "-m", f"kind={','.join(kinds)}", "hydra/sweeper=ablation"]
    command += ["hydra.sweeper.seeds=[0]", "hydra.sweeper.figures=[effects]", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)]), "MPLBACKEND": "agg"}
    began = time.monotonic()
    with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        with WarmProcess(command, cwd=folder, env=environment, stdout=out, stderr=err) as process:
            try:
                code = process.wait(timeout)
            finally:
                process.kill()
    return Study(folder, code, (folder / "err").read_text(errors="replace"), time.monotonic() - began)


HARMLESS = [kind for kind, one in KINDS.items() if not one.kills]
KILLERS = [kind for kind, one in KINDS.items() if one.kills]


STUDIES: dict[str, Study] = {}


@pytest.fixture
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """All kinds under one launcher, in one study; those that would end the whole command are left out."""
    launcher = request.param
    need(launcher)
    if launcher not in STUDIES:
        kinds = [*HARMLESS, *(KILLERS if launcher in ("workers", "isolated") else [])]
        STUDIES[launcher] = run_study(tmp_path_factory.mktemp(launcher), kinds, *LAUNCHERS[launcher])
    return STUDIES[launcher]


CASES = [
    pytest.param(launcher, kind, id=f"{launcher}-{kind}", marks=[pytest.mark.slow] if is_slow else [])
    for launcher, is_slow in (("basic", False), ("workers", False), ("isolated", True), ("joblib", True))
    for kind in KINDS
    if not (KINDS[kind].kills and launcher in ("basic", "joblib"))
]


@pytest.mark.parametrize(("study", "kind"), CASES, indirect=["study"])
def test_the_run_has_the_right_outcome(study: Study, kind: str) -> None:
    status, result = study.outcomes()["full" if kind == "fine" else kind]
    assert study.states()[kind] == KINDS[kind].state, f"{status.error}\n{study.err[-3000:]}"
    assert len(status.error) < 5000
    if status.state == "finished":
        assert result is not None
        assert result.metrics["value"] == 1.0
    else:
        assert status.error
    assert study.starts[kind] == (2 if KINDS[kind].state == "failed killed" else 1)


@pytest.mark.parametrize(
    "study",
    ["basic", "workers", *(pytest.param(name, marks=pytest.mark.slow) for name in ("isolated", "joblib"))],
    indirect=True,
)
def test_the_command_ends_by_itself_with_its_report(study: Study) -> None:
    assert study.code == 1, study.err[-3000:]
    assert (study.path / "effects.csv").is_file()
    assert (study.path / "report.html").is_file()
    assert (study.path / "figures" / "effects.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["os_exit", "kill", "stack", "segmentation_fault"])
def test_a_run_that_ends_the_whole_command_ends_two_at_most(kind: str, tmp_path: Path) -> None:
    kinds = ["fine", "raises_at_exit", kind, "umask"]
    studies = [run_study(tmp_path, kinds, *LAUNCHERS["basic"]) for _ in range(3)]
    assert studies[-1].code == 1
    assert studies[-1].states() == {one: "finished" for one in kinds} | {kind: "failed killed"}
    assert studies[-1].starts == {one: 1 for one in kinds} | {kind: 2}
    assert (studies[-1].path / "report.html").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KILLERS)
def test_a_run_that_ends_a_process_of_joblib_ends_no_other_run(kind: str, tmp_path: Path) -> None:
    need("joblib")
    kinds = ["fine", "raises_at_exit", kind, "umask"]
    study = run_study(tmp_path, kinds, *LAUNCHERS["joblib"])
    assert study.code == 1, study.err[-3000:]
    assert study.states() == {one: "finished" for one in kinds} | {kind: "failed killed"}
    assert (study.path / "report.html").is_file()
