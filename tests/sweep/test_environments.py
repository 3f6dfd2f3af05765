"""Terminals, folders and neighbours that a command can come upon."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ASKED = ("depth=2,3", "hydra/launcher=basic", "hydra.sweeper.figures=[]")


def shell(folder: Path, line: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line of a shell in a folder, with `$python` for the interpreter."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "python": sys.executable, "TOY_FOLDER": str(folder)}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=folder,
        env={**environment, **variables},
        capture_output=True,
        errors="replace",
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_costs_nothing(closed: str, toy: Any) -> None:
    ended = shell(toy.folder, f"$python toy_application.py -m {' '.join(ASKED)} {closed}")
    assert ended.returncode == 0, ended.stderr
    assert set(toy.states().values()) == {"finished"}
    assert (toy.study().path / "effects.csv").is_file()


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_stream_that_cannot_encode_a_letter_costs_nothing(encoding: str, toy: Any) -> None:
    ended = shell(toy.folder, f"$python toy_application.py -m {' '.join(ASKED)}", PYTHONIOENCODING=encoding)
    assert ended.returncode == 0, ended.stderr
    assert "undecided" in ended.stdout


@pytest.mark.parametrize("lines", [1, 8])
def test_a_reader_that_stops_early_causes_no_traceback(lines: int, toy: Any) -> None:
    ended = shell(toy.folder, f"$python toy_application.py -m {' '.join(ASKED)} | head -{lines}")
    assert "Traceback" not in ended.stderr
    assert "failed" not in "".join(toy.states().values())
    assert toy.run(*ASKED).code == 0


def test_a_dangling_link_is_a_message(toy: Any) -> None:
    (toy.folder / "outputs").symlink_to("/nonexistent/folder")
    ended = shell(toy.folder, f"$python toy_application.py -m {' '.join(ASKED)}")
    assert ended.returncode == 2
    assert "outputs" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_folder_that_is_gone_is_a_message(tmp_path: Path) -> None:
    ended = shell(tmp_path, "mkdir gone; cd gone; rmdir ../gone; $python -m ablate plan residual=true,false")
    assert ended.returncode == 2
    assert "folder" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_module_that_hides_the_package_is_named(toy: Any) -> None:
    (toy.folder / "ablate.py").write_text("")
    ended = shell(toy.folder, f"$python toy_application.py -m {' '.join(ASKED)}")
    assert ended.returncode != 0
    assert f"'{toy.folder / 'ablate.py'}' hides the package ablate" in ended.stderr


def test_the_command_works_beside_a_module_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "ablate.py").write_text("raise SystemExit('the wrong one')")
    call = "import sys; sys.argv[0] = 'ablate'; from ablate.app.main import main; main()"
    ended = shell(tmp_path, f'$python -P -c "{call}" plan residual=true,false')
    assert ended.returncode == 0, ended.stderr
    assert "w/o residual" in ended.stdout
