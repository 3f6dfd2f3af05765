"""Kinds of damage that a file of a study's folder may come to."""

from __future__ import annotations

import csv
import io
import json
import os
import random
from collections.abc import Callable, Iterator, MutableMapping, MutableSequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CANARY = "CANARY-7f3a"
"""What stands in files outside of the study that a link points to."""


class NotApplicable(Exception):
    """A damage that a file of this kind cannot come to."""


@dataclass(frozen=True)
class Target:
    """A file about to be damaged.

    Args:
        path: The file.
        data: What it holds.
        twin: A file of the same kind, of another run or study.
        outside: A file outside of the study.
        rng: What draws places, keys and bytes.
    """

    path: Path
    data: bytes
    twin: Path
    outside: Path
    rng: random.Random


def _replace(change: Callable[[Target], bytes]) -> Callable[[Target], None]:
    """A damage that leaves other bytes in the file."""

    def damage(target: Target) -> None:
        data = change(target)
        if data == target.data:
            raise NotApplicable
        target.path.write_bytes(data)

    return damage


def _instead(make: Callable[[Target], object]) -> Callable[[Target], None]:
    """A damage that leaves something else than a file of its own."""

    def damage(target: Target) -> None:
        target.path.unlink()
        make(target)

    return damage


def _cut_last_line(target: Target) -> bytes:
    lines = target.data.splitlines(keepends=True)
    if len(lines) < 2:
        raise NotApplicable
    return b"".join(lines[:-1])


def _position(target: Target, allowed: bytes = b"") -> int:
    places = [place for place, byte in enumerate(target.data) if not allowed or byte in allowed]
    if not places:
        raise NotApplicable
    return target.rng.choice(places)


def _flip_byte(target: Target) -> bytes:
    data = bytearray(target.data)
    data[_position(target)] ^= 1 << target.rng.randrange(8)
    return bytes(data)


def _change_digit(target: Target) -> bytes:
    place = _position(target, b"0123456789")
    others = [digit for digit in b"0123456789" if digit != target.data[place]]
    return target.data[:place] + bytes([target.rng.choice(others)]) + target.data[place + 1 :]


def _insert_digit(target: Target) -> bytes:
    place = _position(target, b"0123456789")
    return target.data[:place] + str(target.rng.randint(1, 9)).encode() + target.data[place:]


def _latin1(target: Target) -> bytes:
    place = _position(target)
    return target.data[:place] + "größe".encode("latin-1") + target.data[place:]


def _utf16(target: Target) -> bytes:
    try:
        return target.data.decode().encode("utf-16")
    except UnicodeDecodeError as error:
        raise NotApplicable from error


def _crlf(target: Target) -> bytes:
    if b"\0" in target.data:
        raise NotApplicable
    return target.data.replace(b"\n", b"\r\n")


def _twin(target: Target) -> bytes:
    if not target.twin.is_file():
        raise NotApplicable
    return target.twin.read_bytes()


Place = tuple[MutableMapping[str, Any] | MutableSequence[Any], Any]


def _places(value: Any) -> Iterator[Place]:
    """Every key and index within plain values, with the container that it is in."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def _parse(target: Target) -> Any:
    """The values of a file that has keys: JSON, YAML, or the rows of a CSV."""
    text = target.data.decode(errors="replace")
    if target.path.suffix == ".json":
        return json.loads(text)
    if target.path.suffix == ".yaml":
        return yaml.safe_load(text)
    if target.path.suffix == ".csv":
        return list(csv.reader(io.StringIO(text)))
    raise NotApplicable


def _dump(target: Target, value: Any) -> bytes:
    if target.path.suffix == ".json":
        return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
    if target.path.suffix == ".yaml":
        return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).encode()
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(value)
    return text.getvalue().encode()


def _edit(accept: Callable[[Any, Any], bool], change: Callable[[Any, Any, random.Random], None]) -> Any:
    """A damage at one key, drawn from those that are accepted."""

    def edited(target: Target) -> bytes:
        value = _parse(target)
        places = [place for place in _places(value) if accept(*place)]
        if not places:
            raise NotApplicable
        container, key = target.rng.choice(places)
        change(container, key, target.rng)
        return _dump(target, value)

    return _replace(edited)


def _remove_key(container: Any, key: Any, rng: random.Random) -> None:
    del container[key]


def _rename_key(container: Any, key: Any, rng: random.Random) -> None:
    if isinstance(container, dict):
        container[f"{key}x"] = container.pop(key)
    else:  # a name in the header of a CSV
        container[key] = f"{container[key]}x"


def _retype(container: Any, key: Any, rng: random.Random) -> None:
    value = container[key]
    others = [None, [1, 2], {"a": 1}, "text", 7, 0.5, True]
    container[key] = rng.choice([other for other in others if type(other) is not type(value)])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number_place(container: Any, key: Any) -> bool:
    value = container[key]
    return _is_number(value) or (isinstance(value, str) and value.replace(".", "").isdigit())


def _odd_number(text: str) -> Callable[[Target], None]:
    """A damage that puts a number in the place of another which no plain format has."""

    def edited(target: Target) -> bytes:
        value = _parse(target)
        places = [place for place in _places(value) if _number_place(*place)]
        if not places:
            raise NotApplicable
        container, key = target.rng.choice(places)
        container[key] = marker = "@odd@"
        data = _dump(target, value)
        for quoted in (json.dumps(marker).encode(), f"'{marker}'".encode(), marker.encode()):
            if quoted in data:
                return data.replace(quoted, text.encode())
        raise NotApplicable

    return _replace(edited)


def _unknown_word(container: Any, key: Any, rng: random.Random) -> None:
    container[key] = "bewildered"


def _is_word(container: Any, key: Any) -> bool:
    value = container[key]
    return key in ("state", "reason", "direction", "design", "format") or (
        isinstance(value, str) and value.isidentifier() and isinstance(container, dict)
    )


def _sparse(target: Target) -> None:
    with target.path.open("wb") as file:
        file.truncate(10 * 10**9)


def _close(target: Target) -> None:
    target.path.chmod(0)


def _nest(target: Target) -> bytes:
    return (
        b"[" * 200_000 + b"]" * 200_000 if target.path.suffix != ".json" else b'{"a":' * 200_000 + b"1" + b"}" * 200_000
    )


DAMAGES: dict[str, Callable[[Target], None]] = {
    "missing": _instead(lambda target: None),
    "empty": _replace(lambda target: b""),
    "cut in half": _replace(lambda target: target.data[: len(target.data) // 2]),
    "last line cut": _replace(_cut_last_line),
    "last byte missing": _replace(lambda target: target.data[:-1]),
    "bit flipped": _replace(_flip_byte),
    "digit changed": _replace(_change_digit),
    "digit inserted": _replace(_insert_digit),
    "zeroed": _replace(lambda target: bytes(len(target.data))),
    "random bytes": _replace(lambda target: target.rng.randbytes(max(64, len(target.data)))),
    "UTF-16": _replace(_utf16),
    "Latin-1 bytes": _replace(_latin1),
    "byte order mark": _replace(lambda target: b"\xef\xbb\xbf" + target.data),
    "CRLF": _replace(_crlf),
    "another's file": _replace(_twin),
    "garbage appended": _replace(lambda target: target.data + target.rng.randbytes(64)),
    "contents twice": _replace(lambda target: 2 * target.data),
    "JSON null": _replace(lambda target: b"null\n"),
    "JSON list": _replace(lambda target: b"[1, 2]\n"),
    "JSON string": _replace(lambda target: b'"text"\n'),
    "JSON number": _replace(lambda target: b"17\n"),
    "key removed": _edit(lambda container, key: True, _remove_key),
    "key renamed": _edit(
        lambda container, key: isinstance(container, dict) or isinstance(container[key], str), _rename_key
    ),
    "wrong type": _edit(lambda container, key: isinstance(container, dict), _retype),
    "unknown word": _edit(_is_word, _unknown_word),
    "NaN": _odd_number("NaN"),
    "1e999": _odd_number("1e999"),
    "10**400": _odd_number("1" + 400 * "0"),
    "nested": _replace(_nest),
    "a folder": _instead(lambda target: target.path.mkdir()),
    "a FIFO": _instead(lambda target: os.mkfifo(target.path)),
    "link elsewhere": _instead(lambda target: target.path.symlink_to(target.outside)),
    "link to a copy": _instead(lambda target: _link_to_copy(target)),
    "dangling link": _instead(lambda target: target.path.symlink_to(target.outside.with_name("nowhere"))),
    "link to /dev/zero": _instead(lambda target: target.path.symlink_to("/dev/zero")),
    "10 GB": _sparse,
    "closed": _close,
}
"""By name what damages a file; it raises :class:`NotApplicable` where the file cannot come to that."""


def _link_to_copy(target: Target) -> None:
    """The file itself, moved elsewhere, with a link in its place."""
    copy = target.outside.with_name(f"moved{target.path.suffix}")
    copy.write_bytes(target.data)
    target.path.symlink_to(copy)
