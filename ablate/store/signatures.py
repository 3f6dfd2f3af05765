"""Signatures that tell what a user's own commands wrote from what came from elsewhere.

Each user has a secret key, made when it is first needed. A signature is an HMAC-SHA256 under this key; nobody without
the key can make one, and moving or copying what was signed does not matter.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablate.errors import StoreError

_KEY_SIZE = 32  # bytes


def key_path() -> Path:
    """Where the key is: ``$XDG_STATE_HOME/ablate/key``, or ``~/.local/state/ablate/key``.

    Raises:
        StoreError: If the user has no home folder.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    if state.startswith("/"):  # the standard has relative paths ignored
        return Path(state) / "ablate" / "key"
    try:
        return Path.home() / ".local" / "state" / "ablate" / "key"
    except RuntimeError as error:
        raise StoreError("There is no home folder for the key that signs your studies.") from error


def make_key() -> None:
    """Make the key where there is none.

    Raises:
        StoreError: If it cannot be made or read.
    """
    path = key_path()
    if path.exists():
        _read_key()
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)  # with O_EXCL, for the user alone
        try:
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(_KEY_SIZE))
                file.flush()
                os.fsync(file.fileno())
            # Unlike a rename, a link replaces no key that another process has made meanwhile.
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"Cannot make the key '{path}' that signs your studies: {error.strerror or error}.") from error


def sign(values: Mapping[str, Any]) -> str:
    """The signature of plain values.

    Args:
        values: What JSON can hold.

    Raises:
        StoreError: If there is no key; :func:`make_key` makes it.
    """
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hmac.new(_read_key(), text.encode(), hashlib.sha256).hexdigest()


def is_signed(values: Mapping[str, Any], signature: object) -> bool:
    """Whether a signature of plain values was made with this user's key; False where there is no key."""
    if not isinstance(signature, str):
        return False
    try:
        return hmac.compare_digest(sign(values).encode(), signature.encode(errors="replace"))
    except (StoreError, ValueError, TypeError, RecursionError):
        return False


def _read_key() -> bytes:
    path = key_path()
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            text = file.read(2 * _KEY_SIZE + 2) if stat.S_ISREG(status.st_mode) else b""
    except OSError as error:
        raise StoreError(f"Cannot read the key '{path}' that signs your studies: {error.strerror or error}.") from error
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise StoreError(f"The key '{path}' must be yours alone: chown it to yourself, and chmod 600.")
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != _KEY_SIZE:
        raise StoreError(f"The key '{path}' is damaged. Delete it; studies signed with it then count as foreign.")
    return key
