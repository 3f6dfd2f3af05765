from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from ablate.errors import StoreError
from ablate.store.signatures import is_signed, key_path, make_key, sign


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_a_signature_holds_for_its_values_and_its_key_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert not is_signed({"a": 1}, "")
    make_key()
    signature = sign({"a": 1, "b": ["é", None]})
    assert is_signed({"b": ["é", None], "a": 1}, signature)
    assert not is_signed({"a": 2, "b": ["é", None]}, signature)
    for wrong in (None, 7, "", "é", signature.upper(), signature[:-1]):
        assert not is_signed({"a": 1, "b": ["é", None]}, wrong)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    make_key()
    assert not is_signed({"a": 1, "b": ["é", None]}, signature)


def test_the_key_is_its_users_alone_and_made_once(state: Path) -> None:
    make_key()
    key = key_path()
    assert key == state / "ablate" / "key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    before = key.read_bytes()
    make_key()
    assert key.read_bytes() == before
    assert list(key.parent.iterdir()) == [key]


def _sign(_: int) -> str:
    make_key()
    return sign({"a": 1})


def test_processes_that_make_the_key_at_once_have_the_same() -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(_sign, range(16), chunksize=1))) == 1


@pytest.mark.parametrize("damage", ["readable by all", "short", "no hexadecimal", "a folder"])
def test_a_key_that_is_not_safe_is_not_used(damage: str) -> None:
    make_key()
    key = key_path()
    signature = sign({"a": 1})
    if damage == "readable by all":
        key.chmod(0o644)
    elif damage == "a folder":
        key.unlink()
        key.mkdir(mode=0o700)
    else:
        key.write_text("abc" if damage == "short" else "z" * 64)
    with pytest.raises(StoreError) as caught:
        make_key()
    assert str(key) in str(caught.value)
    assert not is_signed({"a": 1}, signature)


def test_relative_state_folders_are_ignored_as_the_standard_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert key_path() == tmp_path / ".local" / "state" / "ablate" / "key"
