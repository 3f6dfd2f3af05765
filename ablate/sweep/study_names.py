"""Names of studies, which are names of folders on every file system."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence

from ablate.characters import folded, is_reserved
from ablate.errors import DesignError, StoreError
from ablate.store import StudyFolder

_MAX_LENGTH = 100
_SPECIAL = "._,=+- "
"""What the name of a study may contain besides letters and digits."""
_RESERVED = ("example", "single")


def default_name(names: Sequence[str]) -> str:
    """A study's name, made of the names of its factors.

    Example:
        >>> default_name(["residual", "model@net"])
        'residual-model.net'
    """
    joined = "-".join(re.sub(r"[^A-Za-z0-9_.]", ".", name).strip(".") for name in names)
    digits = hashlib.sha256(json.dumps(list(names)).encode()).hexdigest()[:8]
    if joined in _RESERVED or is_reserved(joined):
        return f"study-{joined}"
    if not joined.strip("-"):
        return f"study-{digits}"
    return joined if len(joined) <= _MAX_LENGTH else f"{joined[:60]}-and-more-{digits}"


def check_name(name: str) -> str:
    """A study's name in the composed form of Unicode, if it can be the name of a folder.

    Raises:
        DesignError: If it cannot; the message says what a name may hold.

    Example:
        >>> check_name("residual-bias")
        'residual-bias'
    """
    name = unicodedata.normalize("NFC", name)
    faults = []
    if not name or len(name.encode()) > _MAX_LENGTH:
        faults.append(f"it has {len(name.encode())} bytes of 1 to {_MAX_LENGTH}")
    if strange := sorted({letter for letter in name if not (letter.isalnum() or letter in _SPECIAL)}):
        faults.append(f"it contains {' '.join(map(repr, strange[:5]))}")
    if name[:1] in (".", " ", "-") or name[-1:] in (".", " "):
        faults.append("it begins with a dot, a blank or a dash, or ends with a dot or a blank")
    elif is_reserved(name):
        faults.append("Windows keeps it for a device")
    if faults:
        shortened = name if len(name) <= 60 else name[:57] + "..."
        raise DesignError(
            f"study.name={shortened!r} cannot be the name of a folder: {'; '.join(faults)}. "
            f"Allowed: letters, digits and {' '.join(_SPECIAL.strip())}."
        )
    return name


def check_siblings(folder: StudyFolder) -> None:
    """Refuse a new study beside one that only differs from it in the case or the Unicode form of its name.

    Where case does not count, as on macOS and Windows, both would be one folder.

    Args:
        folder: The folder of the new study.

    Raises:
        StoreError: If there is such a folder; the message names it.
    """
    siblings = folder.path.parent.iterdir() if folder.path.parent.is_dir() else ()
    for path in siblings:
        if path.name != folder.name and folded(path.name) == folded(folder.name):
            raise StoreError(
                f"The study '{folder.name}' would be in one folder with '{path}' where case does not count. "
                f"Call it {path.name} to go on with that one, or give it another name, such as {free_name(folder)}."
            )


def free_name(folder: StudyFolder) -> str:
    """The name of a study beside another one, with the first number that no folder there has.

    Args:
        folder: The folder of the other study, such as ``outputs/depth``: the name is ``depth-2`` or ``depth-3``.
    """
    siblings = folder.path.parent.iterdir() if folder.path.parent.is_dir() else ()
    taken = {folded(path.name) for path in siblings}
    number = 2
    while folded(f"{folder.name}-{number}") in taken:
        number += 1
    return f"{folder.name}-{number}"
