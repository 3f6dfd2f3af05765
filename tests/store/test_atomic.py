from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ablate.errors import StoreError
from ablate.store import make_folder, write_bytes, write_json, write_text
from ablate.store.atomic import replacing
from ablate.store.json_files import parse_json


def test_a_file_is_made_with_its_folders(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "c.txt", "größer\n")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "größer\n".encode()


def test_json_survives_the_way(tmp_path: Path) -> None:
    value = {"α": [1, 2.5, None, True], "nested": {"x": "y"}}
    write_json(tmp_path / "x.json", value)
    assert parse_json((tmp_path / "x.json").read_bytes(), dict) == value


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_an_interruption_leaves_the_old_file_and_no_rubbish(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "effects.csv"
    write_text(path, "old")

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_bytes(path, b"a new text")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


KILLED_IN_THE_MIDDLE = """
import os, signal, sys
from pathlib import Path
from ablate.store import write_text
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
write_text(Path(sys.argv[1]), "new " * 1000)
"""


def test_a_kill_in_the_middle_leaves_the_old_file_and_does_not_hinder_the_next(tmp_path: Path) -> None:
    path = tmp_path / "effects.csv"
    write_text(path, "old")
    killed = subprocess.run([sys.executable, "-c", KILLED_IN_THE_MIDDLE, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    write_text(path, "newer")
    assert path.read_text() == "newer"


def test_a_full_disk_is_told_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "plan.json"
    write_text(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError) as caught:
        write_text(path, "new")
    assert str(caught.value) == f"Cannot write '{path}': No space left on device."
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("I am a file")
    with pytest.raises(StoreError) as caught:
        make_folder(tmp_path / "outputs" / "study")
    assert (
        str(caught.value) == f"Cannot write to the output folder '{tmp_path / 'outputs' / 'study'}': Not a directory."
    )
    with pytest.raises(StoreError) as caught:
        write_text(tmp_path / "outputs" / "x.csv", "")
    assert str(caught.value) == f"Cannot write '{tmp_path / 'outputs' / 'x.csv'}': File exists."


def test_a_folder_without_permission_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write everywhere, so the refusal itself is put in place.
    import tempfile

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(StoreError) as caught:
        make_folder(tmp_path / "study")
    assert str(caught.value) == f"Cannot write to the output folder '{tmp_path / 'study'}': Permission denied."


def test_making_a_folder_leaves_it_empty(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_library_that_writes_to_a_path_replaces_a_file_only_when_it_is_done(tmp_path: Path) -> None:
    path = tmp_path / "a" / "model.keras"
    with replacing(path, path.suffix) as temporary:
        temporary.write_text("old")
        assert temporary.suffix == ".keras"
        assert not path.exists()
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("new")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_what_must_survive_a_power_failure_is_synced_with_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").readlink()))
    with replacing(tmp_path / "backup", durable=True) as temporary:
        temporary.write_text("new")
    assert synced == [temporary, tmp_path]
