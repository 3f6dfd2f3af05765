"""A disk that fills up while an application appends to its log costs time and no result."""

from __future__ import annotations

import os
import runpy
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "full_disk.py"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


@pytest.fixture(autouse=True)
def right_to_mount(tmp_path: Path) -> None:
    """Skip where no small file system can be had."""
    if os.geteuid() != 0:
        pytest.skip("only the administrator can mount a small file system")
    (tmp_path / "disk").mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "tmpfs", str(tmp_path / "disk")], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    subprocess.run(["umount", str(tmp_path / "disk")], check=True)


def test_with_room_again_the_numbers_are_those_of_an_undisturbed_study(tmp_path: Path) -> None:
    benchmark = runpy.run_path(str(SCRIPT))
    studies = {}
    for size in (benchmark["ROOM"], 80):
        folder = tmp_path / str(size)
        folder.mkdir()
        studies[size] = benchmark["finished_study"](folder, size, benchmark["ROOM"])
    (_, _, expected), (code, _, files) = studies.values()
    assert code in (1, 2)
    assert files == expected and len(expected) == 2
