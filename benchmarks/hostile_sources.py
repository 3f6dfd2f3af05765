"""Folders of results made to harm whoever adopts them, and texts made to harm whoever shows them."""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Callable
from pathlib import Path

from damages import CANARY

TEXTS = {
    "script": f"<script>document.title='{CANARY}'</script>",
    "closing script": "</script><img src=x onerror=alert(1)>",
    "attribute": "\" onmouseover='alert(1)' x=\"",
    "link": "[x](javascript:alert(1))",
    "entity": "&lt;b&gt;&#x22;",
    "comment": "<!-- --> ]]> <![CDATA[",
    "LaTeX": r"\input{/etc/passwd}\write18{touch executed}%$#_&~^{}",
    "formula": "=cmd|' /C calc'!A0",
    "formula @": "@SUM(1+1)*cmd",
    "pipe": "a|b\\|c",
    "terminal": "\x1b]0;taken\x07\x1b[2J\x1b[31mred",
    "line breaks": "a\nb\r\nc\u2028d",
    "right to left": "abc\u202egnp.exe",
    "NUL": "a\0b",
    "surrogate": "a\udc80b",
    "long": "x" * 20_000,
    "markup": "[red]a[/red] [link=file:///etc/passwd]b[/link]",
    "format": "%s%n{0}{__class__}${oc.env:HOME}",
    "path": "../../../outside/planted",
    "absolute": "/tmp/planted-by-a-battery",
    "backslashes": "..\\..\\outside\\planted",
    "combining": "Z" + "\u0351" * 500,
}
"""Hostile texts by kind."""


def _hydra(folder: Path, config: str | bytes, result: str | bytes = '{"score": 9}') -> Path:
    hidden = folder / ".hydra"
    hidden.mkdir(parents=True)
    (hidden / "config.yaml").write_bytes(config if isinstance(config, bytes) else config.encode())
    (hidden / "overrides.yaml").write_text("[]\n")
    (hidden / "hydra.yaml").write_text("hydra: {runtime: {choices: {}}}\n")
    (folder / "m.json").write_bytes(result if isinstance(result, bytes) else result.encode())
    return folder


def _two_runs(folder: Path) -> None:
    for depth in (2, 3):
        _hydra(folder / str(depth), f"depth: {depth}\n", f'{{"score": {depth}}}')


Source = Callable[[Path, Path], object]
"""Makes a source in a folder, given a folder outside of it that holds what nobody may read."""


def _with_runs(make: Source) -> Source:
    """A source beside two good runs of Hydra."""

    def source(folder: Path, outside: Path) -> None:
        _two_runs(folder)
        make(folder, outside)

    return source


def _config(text: str | bytes) -> Source:
    return _with_runs(lambda folder, outside: _hydra(folder / "9", text))


def _result(text: str | bytes) -> Source:
    return _with_runs(lambda folder, outside: _hydra(folder / "9", "depth: 9\n", text))


def _csv(make: Callable[[], bytes]) -> Source:
    return _with_runs(lambda folder, outside: (folder / "2" / "more.csv").write_bytes(make()))


def _table(make: Callable[[], bytes]) -> Source:
    return lambda folder, outside: (folder / "table.csv").write_bytes(make())


def _sparse(path: Path, size: int = 10 * 10**9) -> None:
    with path.open("wb") as file:
        file.truncate(size)


_STRANGE: dict[str, Callable[[Path, Path], object]] = {
    "FIFO": lambda path, outside: os.mkfifo(path),
    "10 GB": lambda path, outside: _sparse(path),
    "/dev/zero": lambda path, outside: path.symlink_to("/dev/zero"),
    "/proc/self/mem": lambda path, outside: path.symlink_to("/proc/self/mem"),
    "link out": lambda path, outside: path.symlink_to(outside / "secret.json"),
    "dangling": lambda path, outside: path.symlink_to("nowhere"),
    "loop": lambda path, outside: path.symlink_to(path.name),
    "folder": lambda path, outside: path.mkdir(),
    "closed": lambda path, outside: (path.touch(), path.chmod(0)),
}
_PLACES = ("9/m.json", "9/.hydra/config.yaml", "9/.hydra/overrides.yaml", "9/.hydra/hydra.yaml", "9/log.csv")


def _strange_place(place: str, kind: str) -> Source:
    def make(folder: Path, outside: Path) -> None:
        _hydra(folder / "9", "depth: 9\n")
        (folder / place).unlink(missing_ok=True)
        _STRANGE[kind](folder / place, outside)

    return _with_runs(make)


def _strange_log(name: str, kind: str) -> Source:
    """Logs of the formats without Hydra, one of them strange."""

    def make(folder: Path, outside: Path) -> None:
        for lr in (1, 2):
            (folder / f"lr={lr}").mkdir()
            (folder / f"lr={lr}" / "log.csv").write_text(f"epoch,acc\n1,0.{lr}\n")
        _STRANGE[kind](folder / "lr=2" / name, outside)

    return make


def _bomb(width: int = 9, depth: int = 9) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"[:depth]
    first = f"a: &a [{', '.join(['x'] * width)}]"
    rest = [f"{name}: &{name} [{', '.join([f'*{before}'] * width)}]" for before, name in itertools.pairwise(letters)]
    return "\n".join([first, *rest]) + "\n"


def _deep_folders(folder: Path, outside: Path) -> None:
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(folder)
        for _ in range(5_000):
            Path("d").mkdir()
            os.chdir("d")
    finally:
        os.fchdir(here)
        os.close(here)


def _many_files(folder: Path, outside: Path) -> None:
    (folder / "many").mkdir()
    for number in range(100_000):
        os.close(os.open(folder / "many" / f"{number}.txt", os.O_CREAT | os.O_WRONLY))


def _name(name: bytes) -> Source:
    def make(folder: Path, outside: Path) -> None:
        _hydra(folder / os.fsdecode(name) / "run", "depth: 9\n")

    return _with_runs(make)


def _csv_name(name: bytes) -> Source:
    def make(folder: Path, outside: Path) -> None:
        for number in (b"1", b"2"):
            (folder / os.fsdecode(name + b"_" + number + b".csv")).write_bytes(b"epoch,acc\n1,0." + number + b"\n")

    return make


def _events(*records: tuple[int, bytes]) -> Source:
    def make(folder: Path, outside: Path) -> None:
        for lr in (1, 2):
            (folder / f"lr={lr}").mkdir()
            with (folder / f"lr={lr}" / "events.out.tfevents.1").open("wb") as file:
                for length, data in records:
                    file.write(struct.pack("<Q", length) + bytes(4) + data + bytes(4))

    return make


def _folder_links(folder: Path, outside: Path) -> None:
    (folder / "up").symlink_to("..", target_is_directory=True)
    (folder / "out").symlink_to(outside, target_is_directory=True)
    (folder / "self").symlink_to(".", target_is_directory=True)
    (folder / "root").symlink_to("/", target_is_directory=True)


def _hidden_link(folder: Path, outside: Path) -> None:
    (folder / "9").mkdir()
    (folder / "9" / ".hydra").symlink_to(outside / "run" / ".hydra", target_is_directory=True)
    (folder / "9" / "m.json").write_text('{"score": 9}')


_YAML = {
    "alias bomb": _bomb(),
    "alias bomb of texts": f"a: &a {'x' * 10_000}\nb: &b [{'*a, ' * 2000}]\nc: [{'*b, ' * 2000}]\n",
    "merge bomb": "a: &a {x: 1}\n" + "".join(f"k{i}: &k{i} {{<<: [*a, *a], y{i}: *a}}\n" for i in range(500)),
    "recursion": "a: &a [*a]\n",
    "tag": f"a: !!python/object/apply:os.system ['touch executed-{CANARY}']\n",
    "tag of a name": "a: !!python/name:os.system\n",
    "nested lists": "a: " + "[" * 200_000 + "]" * 200_000,
    "nested blocks": "- " * 200_000 + "x",
    "nested 900": "a: " + "[" * 900 + "]" * 900,
    "sexagesimal": "a: 1" + ":1" * 1_000_000,
    "long number": "a: " + "9" * 4_000,
    "hexadecimal": "a: 0x" + "f" * 5_000,
    "float": "a: 1e999\nb: .nan\nc: -.inf\n",
    "environment": "a: ${oc.env:SECRET}\n",
    "shell": "a: ${shell:touch executed}\n",
    "resolver": "a: ${oc.decode:'{oc.env:SECRET}'}\n",
    "target": "a: {_target_: os.system, _args_: ['touch executed']}\n",
    "NUL": b"a: \0\n",
    "UTF-16": "depth: 4\n".encode("utf-16"),
    "dates": "a: 2001-99-99\nb: 0000-01-01 99:99:99\n",
    "many keys": "".join(f"k{i}: {i}\n" for i in range(100_000)),
    "binary": "a: !!binary '====='\n",
    "a set": "a: !!set {x, y}\nb: !!omap [x: 1]\n",
    "keys of lists": "? [1, 2]\n: 3\n",
}
_JSON = {
    "nested": "[" * 200_000 + "]" * 200_000,
    "nested objects": '{"a":' * 200_000 + "1" + "}" * 200_000,
    "nested 900": '{"a":' * 900 + "1" + "}" * 900,
    "long number": '{"score": ' + "9" * 400 + "}",
    "longer number": '{"score": ' + "9" * 100_000 + "}",
    "1e999": '{"score": 1e999}',
    "NaN": '{"score": NaN}',
    "many keys": "{" + ",".join(f'"k{i}": {i}' for i in range(100_000)) + "}",
    "rows": "[" + ",".join('{"score": 1}' for _ in range(100_000)) + "]",
    "4 MB of brackets": "[" + "[]," * 1_300_000 + "[]]",
    "not UTF-8": b'{"score\xff": 1}',
}
_TABLES: dict[str, Callable[[], bytes]] = {
    "10 million columns": lambda: b"a," * 10_000_000 + b"b\n",
    "a line of 200 MB": lambda: b"epoch,acc\n1," + b"9" * 200_000_000 + b"\n",
    "a header of 200 MB": lambda: b"a" * 200_000_000 + b"\n1\n",
    "NUL bytes": lambda: b"epoch,acc\n1,0.5\n" + bytes(1000),
    "100 million rows": lambda: b"x\n" + b"1\n" * 100_000_000,
    "quotes": lambda: b'epoch,acc\n"' + b"1,0.5\n" * 100_000,
    "400 digits": lambda: b"epoch,acc\n1," + b"9" * 400 + b"\n",
    "epoch of 400 digits": lambda: b"epoch,acc\n" + b"9" * 400 + b",1\n",
    "infinite epochs": lambda: b"epoch,acc\ninf,1\nnan,2\n1e300,3\n",
    "same columns": lambda: b"acc,acc,acc\n1,2,3\n",
    "no names": lambda: b",,,\n1,2,3,4\n",
    "one kind of bytes": lambda: bytes([255]) * 10_000,
    "formula": lambda: b"model,seed,acc\n=cmd|'/C calc'!A0,0,1\n@SUM(1),0,2\n",
}


def _sources() -> dict[str, Source]:
    sources: dict[str, Source] = {}
    for kind in _STRANGE:
        sources |= {f"hydra {place} is {kind}": _strange_place(place, kind) for place in _PLACES}
        for name in ("more.csv", "config.yaml", "events.out.tfevents.1"):
            sources[f"logs {name} is {kind}"] = _strange_log(name, kind)
    sources |= {f"config {name}": _config(text) for name, text in _YAML.items()}
    sources |= {f"result {name}": _result(text) for name, text in _JSON.items()}
    sources |= {f"csv {name}": _csv(data) for name, data in _TABLES.items()}
    sources |= {f"table {name}": _table(data) for name, data in _TABLES.items()}
    for name, text in TEXTS.items():
        quoted = "".join(letter if letter.isalnum() else f"\\u{ord(letter):04x}" for letter in text)
        sources[f"level {name}"] = _config(f'depth: "{quoted}"\n')
        sources[f"key {name}"] = _config(f'"{quoted}": 1\ndepth: 9\n')
        sources[f"metric {name}"] = _result(f'{{"score": 1, "{quoted}": 2}}')
        cell = text.replace('"', '""').encode(errors="surrogateescape")
        rows = b'model,seed,acc\n"' + cell + b'",0,1\n"' + cell + b'",1,2\nb,0,3\nb,1,4\n'
        sources[f"table level {name}"] = _table(lambda rows=rows: rows)
    names = (
        b"a\x1b[2Jb",
        b"line\nbreak",
        b"\xff\xfe",
        b"=cmd()",
        b"..x",
        b"a\\b",
        b"<script>",
        "\u202egnp".encode(),
        b"x" * 250,
    )
    sources |= {f"folder name {name!r:.20}": _name(name) for name in names}
    sources |= {f"file name {name!r:.20}": _csv_name(name[:200]) for name in names}
    sources |= {
        "links of folders": _with_runs(_folder_links),
        "link of .hydra": _with_runs(_hidden_link),
        "5,000 deep": _with_runs(_deep_folders),
        "100,000 files": _with_runs(_many_files),
        "event of a giant length": _events((1 << 62, b"x")),
        "event of 2 GB": _events((1 << 31, b"x")),
        "event of 200 MB": _events((200_000_000, b"x" * 1000)),
        "event of zeros": _events((0, b""), (1000, bytes(1000))),
        "event of noise": _events((64, bytes(range(64)))),
        "itself a link": lambda folder, outside: (folder.rmdir(), folder.symlink_to(outside, target_is_directory=True)),
        "itself a FIFO": lambda folder, outside: (folder.rmdir(), os.mkfifo(folder)),
        "itself a loop": lambda folder, outside: (folder.rmdir(), folder.symlink_to(folder.name)),
        "empty": lambda folder, outside: None,
    }
    return sources


SOURCES = _sources()
"""By name what makes a hostile folder of results."""
