"""JSON files of a study: written with a checksum, parsed with every check that does not depend on the kind of file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ablate.store.atomic import write_bytes

T = TypeVar("T")

_CHECKSUM = "checksum"


class InvalidFile(ValueError):
    """A file whose contents are not what they must be; the text is a phrase whose subject is the file."""


def json_bytes(values: Mapping[str, Any]) -> bytes:
    r"""A JSON object as the bytes of a file, ending with a checksum over its values.

    Args:
        values: Plain values.

    Example:
        >>> print(json_bytes({"epoch": 1}).decode())
        {
         "epoch": 1,
         "checksum": "8d388f7872e05501ba67cfdb11ca1eab"
        }
        <BLANKLINE>
    """
    text = json.dumps(dict(values), indent=1, ensure_ascii=False)
    checksum = _checksum(json.loads(text))  # of what a reader gets: keys are texts, tuples are lists
    separator = ",\n" if values else "\n"
    text = f'{text.removesuffix("}").rstrip()}{separator} "{_CHECKSUM}": "{checksum}"\n}}\n'
    # Half of a surrogate pair, as in a name that is no UTF-8, becomes an escape that JSON reads back.
    return text.encode(errors="backslashreplace")


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON file with a checksum atomically; see :func:`ablate.store.atomic.replacing`."""
    write_bytes(path, json_bytes(values))


def parse_json(data: bytes, shape: type[T], version: int | None = None) -> T:
    """Parse a JSON file.

    Args:
        data: Its bytes.
        shape: The type of its contents: a dataclass or a ``TypedDict``. Keys that it does not have are left out.
        version: See :func:`load_json`.

    Raises:
        InvalidFile: See :func:`load_json`; also if it is not of this type.
    """
    return check_shape(load_json(data, version), shape)


def load_json(data: bytes, version: int | None = None) -> Any:
    """The plain values of a JSON file.

    Args:
        data: Its bytes.
        version: The only version of its format, under the key ``format``, that can be read; None where it has none.

    Raises:
        InvalidFile: If it is no JSON, is nested too deeply, has another format, or was changed after it was written. A
            file without a checksum, as earlier versions wrote them, is not checked for one.
    """
    try:
        values = json.loads(data)
        if version is not None and isinstance(values, dict) and (written := values.get("format")) != version:
            raise InvalidFile(f"has format {written!r}; this version of ablate reads {version}")
        if isinstance(values, dict) and _CHECKSUM in values and values.pop(_CHECKSUM) != _checksum(values):
            raise InvalidFile(
                f"was changed after it was written: its checksum does not fit. Whoever changed it on purpose deletes "
                f'the line "{_CHECKSUM}" at its end'
            )
        return _as_unicode(values) if b"\\ud" in data.lower() else values
    except RecursionError as error:
        raise InvalidFile("is nested too deeply") from error
    except InvalidFile:
        raise
    except ValueError as error:
        raise InvalidFile(f"is no JSON: {error}") from error


def check_shape(values: Any, shape: type[T]) -> T:
    """Plain values as a type.

    Args:
        values: Plain values.
        shape: A dataclass or a ``TypedDict``.

    Raises:
        InvalidFile: If they are not of this type; the text says where and what is there instead.
    """
    try:
        return msgspec.convert(values, shape)
    except msgspec.ValidationError as error:
        raise InvalidFile(f"is not valid: {error}") from error
    except RecursionError as error:
        raise InvalidFile("is nested too deeply") from error


def _as_unicode(value: Any) -> Any:
    """Plain values in which half of a surrogate pair, which no file and no table can hold, is written as its escape."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_as_unicode(key): _as_unicode(item) for key, item in value.items()}
    return [_as_unicode(item) for item in value] if isinstance(value, list) else value


def _checksum(values: Any) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
