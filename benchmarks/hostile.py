"""Hostile folders and texts: nothing outside of the output folder is read, changed or executed.

    python benchmarks/hostile.py [--jobs 2] [--sample 100] [--only 'received|link tables|report'] [--by command]

Three groups of cases, each in a forked process:

received   a study's folder from elsewhere: links, pipes, hard links and devices in every place, paths in names and ids,
           a task that would execute something; under every command
adopted    results of other tools, made to harm who adopts them
texts      labels, names, levels, errors and logs that HTML, SVG, Markdown, LaTeX, CSV or a terminal would obey

A case is right where the command ends well and said where it ends with a message. It is silent if anything outside the
studies that the command writes was created, changed or deleted, if a secret from there is in what was printed or
written, or if an output obeys a text. Traceback, hang and the exit code are those of ``damage.py``.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from battery import (
    RIGHT,
    SAID,
    SILENT,
    Verdict,
    call_forked,
    last_error,
    run_cases,
    run_command_line,
)
from damages import CANARY
from hostile_sources import SOURCES, TEXTS
from obedience import obeyed
from toy_study import COMMANDS, RUNS, ablate, cell_seed, copy_study, make_study, prepare_process, warm_up

Change = Callable[[Path, Path], object]
"""Makes a study's folder hostile, given the folder and one outside of it."""

EXECUTING = ("again", "confirm", "rerun")
"""The commands that carry a task out; all others must not."""

PLACES = (
    *("runs", "runs/CELL", "runs/CELL/RUN", "runs/CELL/RUN/.hydra", "tables", "figures", "diagrams", ".cache"),
    *("plan.json", "report.html", "effects.csv", "checklist.md", "costs.json", "confirmation.json", ".lock"),
    *(f"runs/CELL/RUN/{name}" for name in ("status.json", "result.json", "curves.csv", "run.log", ".lock", "reruns")),
    *("runs/CELL/RUN/.hydra/config.yaml", "tables/effects.md", "figures/forest.png", "figures/captions.md"),
    *("diagrams/full.svg", ".cache/files.json", ".cache/summary.json", "runs.csv", "curves.csv", ".halt"),
)


def _place(study: Path, place: str) -> Path:
    cell, seed = RUNS["RUN"]
    run = next((study / "runs" / cell).glob(f"{seed}-*")).name
    return study / place.replace("CELL", cell).replace("RUN", run)


def _move_out(study: Path, outside: Path, place: str) -> tuple[Path, Path]:
    """Move what is in a place outside, with a canary in every file; returns both paths."""
    path = _place(study, place)
    moved = outside / "moved"
    if path.is_dir() or place in ("runs/CELL/RUN/reruns",):
        if path.is_dir():
            shutil.copytree(path, moved)
            shutil.rmtree(path)
        else:
            moved.mkdir()
        for file in [file for file in moved.rglob("*") if file.is_file()]:
            _plant(file)
    else:
        moved.write_bytes(path.read_bytes() if path.exists() else b"")
        path.unlink(missing_ok=True)
        _plant(moved, path.suffix)
    return path, moved


def _plant(file: Path, suffix: str = "") -> None:
    """A canary that shows wherever the contents of a file are used."""
    suffix = suffix or file.suffix
    data = file.read_bytes()
    if suffix == ".json" and data:
        values = sign(json.loads(data))
        for part in (values, values.get("metrics")):
            if isinstance(part, dict):
                part[CANARY] = 1.0
        data = json.dumps(values).encode()
    elif suffix == ".csv" and data:
        lines = data.decode().splitlines()
        data = "\n".join(f"{line},{number or CANARY}" for number, line in enumerate(lines)).encode()
    else:
        data += f"\n{CANARY}: 1\n".encode()
    file.write_bytes(data)


def _link(place: str) -> Change:
    def change(study: Path, outside: Path) -> None:
        path, moved = _move_out(study, outside, place)
        path.symlink_to(moved, target_is_directory=moved.is_dir())

    return change


def _hard_link(place: str) -> Change:
    def change(study: Path, outside: Path) -> None:
        path = _place(study, place)
        if path.is_dir() or not path.exists():
            path = study / "tables" / "effects.tex"
        path.unlink(missing_ok=True)
        os.link(outside / "secret.txt", path)

    return change


def _instead(place: str, make: Callable[[Path, Path], object]) -> Change:
    def change(study: Path, outside: Path) -> None:
        path = _place(study, place)
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        make(path, outside)

    return change


def _edit_plan(edit: Callable[[dict[str, Any]], object]) -> Change:
    def change(study: Path, outside: Path) -> None:
        path = study / "plan.json"
        values = json.loads(path.read_text())
        edit(values)
        path.write_text(json.dumps(sign(values)))

    return change


def sign(values: dict[str, Any]) -> dict[str, Any]:
    """Values of a file without a checksum: a file that has none is read, and whoever makes one could compute it."""
    values.pop("checksum", None)
    return values


_PATHS = {
    **{name: TEXTS[name] for name in ("path", "absolute", "backslashes", "NUL", "long", "terminal", "line breaks")},
    "dots": "..",
    "dot": ".",
    "empty": "",
    "a number": 7,
    "null": None,
}


def _fields(name: str, value: Any) -> Change:
    def edit(plan: dict[str, Any]) -> None:
        run, cell = plan["runs"][5], plan["cells"][0] if "cells" in plan else plan["plan"]["cells"][1]
        if name == "run id":
            run["id"] = value
        elif name == "run cell":
            run["cell"] = value
        elif name == "seed":
            run["seed"] = value
        elif name == "cell name":
            cell["name"] = value
            for other in plan["runs"]:
                other["cell"] = value if other["cell"] == "norm=none" else other["cell"]
        elif name == "level":
            cell["levels"]["norm"] = value
        elif name == "study name":
            plan["plan"]["study"]["name"] = value
        elif name == "metric":
            plan["plan"]["study"]["metric"] = value
        else:
            plan["report"] = {"figures": [value], "width": value}

    return _edit_plan(edit)


_CODE = f"import pathlib, os\nopen(os.environ['CANARY_FILE'], 'w').write('{CANARY}')\ndef train(*a): return 1.0\n"


def _task(kind: str) -> Change:
    def change(study: Path, outside: Path) -> None:
        (study / "evil.py").write_text(_CODE)
        (study / "runs" / "conftest.py").write_text(_CODE)
        file = str(study / "evil.py")
        tasks = {
            "script": {"module": "__main__", "name": "train", "file": file},
            "module": {"module": "evil", "name": "train", "file": file},
            "system": {"module": "os", "name": "system", "file": file},
        }
        path = study / "plan.json"
        plan = json.loads(path.read_text())
        for event in plan["history"]:
            event["task"] = tasks[kind]
            event["command"] = ["hydra/launcher=basic"]
        path.write_text(json.dumps(sign(plan)))

    return change


def _text_places() -> dict[str, Callable[[Path, str], object]]:
    """By what it is: how a text gets into a study's folder."""

    def in_json(place: str, edit: Callable[[dict[str, Any], str], object]) -> Callable[[Path, str], object]:
        def change(study: Path, text: str) -> None:
            path = _place(study, place)
            values = json.loads(path.read_text())
            edit(values, text)
            path.write_text(json.dumps(sign(values)))

        return change

    def in_file(place: str) -> Callable[[Path, str], object]:
        def change(study: Path, text: str) -> None:
            with _place(study, place).open("ab") as file:
                file.write(f"\n{text}\n".encode(errors="surrogateescape"))

        return change

    def rename_factor(study: Path, text: str) -> None:
        from ablate.errors import AblateError
        from ablate.study import Plan

        path = study / "plan.json"
        values = json.loads(path.read_text())
        plan = values["plan"]
        before = [cell.name for cell in Plan.from_dict(plan).cells]
        for cell in plan["cells"]:
            cell["levels"] = {text if name == "norm" else name: level for name, level in cell["levels"].items()}
        plan["factors"][0]["name"] = text
        try:
            cells = Plan.from_dict(plan).cells
        except AblateError:  # the commands are to refuse it as well
            cells = ()
        # A cell is called after its factors, and so is its folder.
        for old, cell in zip(before, cells, strict=False):
            (study / "runs" / old).rename(study / "runs" / cell.name)
            for run in values["runs"]:
                run["cell"] = cell.name if run["cell"] == old else run["cell"]
        path.write_text(json.dumps(sign(values)))

    def fail(status: dict[str, Any], text: str) -> None:
        status |= {"state": "failed", "reason": "raised", "error": text}

    return {
        "factor": rename_factor,
        "label of a factor": in_json("plan.json", lambda plan, text: plan["plan"]["factors"][0].update(label=text)),
        "label of a cell": in_json("plan.json", lambda plan, text: plan["plan"]["cells"][1].update(label=text)),
        "reference": in_json("plan.json", lambda plan, text: plan["reference"].update({text: text})),
        "command": in_json("plan.json", lambda plan, text: plan["history"][0].update(command=[text])),
        "notes": in_json("plan.json", lambda plan, text: plan["history"][0].update(notes=[text])),
        "error": in_json("runs/CELL/RUN/status.json", fail),
        "reason": in_json("runs/CELL/RUN/status.json", lambda status, text: status.update(state="failed", reason=text)),
        "host": in_json("runs/CELL/RUN/status.json", lambda status, text: status.update(host=text)),
        "metric": in_json("runs/CELL/RUN/result.json", lambda result, text: result["metrics"].update({text: 1.0})),
        "version": in_json("runs/CELL/RUN/result.json", lambda result, text: result["versions"].update({text: text})),
        "confirmation": in_json("confirmation.json", lambda values, text: values.update(text=text)),
        "curve": lambda study, text: _place(study, "runs/CELL/RUN/curves.csv").write_bytes(
            b'epoch,"' + text.replace('"', '""').encode(errors="surrogateescape") + b'"\n1,1\n2,2\n'
        ),
        "log": in_file("runs/CELL/RUN/run.log"),
        "configuration": in_file("runs/CELL/RUN/.hydra/config.yaml"),
        "diagram": lambda study, text: _place(study, "diagrams/full.svg").write_bytes(
            f'<svg xmlns="http://www.w3.org/2000/svg">{text}<script>alert(1)</script></svg>'.encode(
                errors="surrogateescape"
            )
        ),
    }


def received() -> dict[str, Change]:
    """Hostile study folders by name."""
    changes: dict[str, Change] = {}
    for place in PLACES:
        changes[f"link {place}"] = _link(place)
        changes[f"FIFO {place}"] = _instead(place, lambda path, outside: os.mkfifo(path))
        changes[f"/dev/zero {place}"] = _instead(place, lambda path, outside: path.symlink_to("/dev/zero"))
        changes[f"hard link {place}"] = _hard_link(place)
        changes[f"loop {place}"] = _instead(place, lambda path, outside: path.symlink_to(path.name))
        changes[f"new file {place}"] = _instead(place, lambda path, outside: path.symlink_to(outside / "planted"))
    for name in ("run id", "run cell", "seed", "cell name", "level", "study name", "metric", "report"):
        changes |= {f"{name} is {kind}": _fields(name, value) for kind, value in _PATHS.items()}
    changes |= {f"task {kind}": _task(kind) for kind in ("script", "module", "system")}
    return changes


_TEXTS = (".csv", ".md", ".tex", ".html", ".svg", ".json", ".yaml", ".log", ".bib")
RECEIVED = received()
TEXT_PLACES = _text_places()


def _put_text(place: str, kind: str, study: Path, outside: Path) -> None:
    TEXT_PLACES[place](study, TEXTS[kind])


def snapshot(root: Path, left_out: tuple[Path, ...]) -> dict[str, tuple[Any, ...]]:
    """Everything below a folder: times, sizes, kinds and contents, by path; links are not followed."""
    entries: dict[str, tuple[Any, ...]] = {}
    for path in _walk(root, left_out):
        status = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() and not path.is_symlink() else ""
        modified = 0 if path in (root, root / "outputs") else status.st_mtime_ns
        entries[str(path)] = (status.st_mode, modified, content and status.st_size, content)
    return entries


def _walk(root: Path, left_out: tuple[Path, ...]) -> Iterator[Path]:
    yield root
    for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
        path = Path(entry.path)
        if path in left_out:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, left_out)
        else:
            yield path


@dataclass(frozen=True)
class Hostilities:
    """The study that is made hostile.

    Args:
        root: The folder with the application and the output folder.
        limit: Seconds of a case.
    """

    root: Path
    limit: float

    def judge(self, case: tuple[str, ...]) -> Verdict:
        """Make a copy hostile, carry the command out, and look at what it touched and wrote."""
        group, name, command = case
        root = self.root.with_name(f"case-{os.getpid()}")
        outside, study, foreign = root / "outside", root / "outputs" / "toy", root / "foreign"
        copy_study(self.root, root)
        try:
            _make_outside(outside)
            foreign.mkdir()
            if group == "received":
                RECEIVED[name](study, outside)
            elif group == "adopted":
                SOURCES[name](foreign, outside)
            else:
                place, _, kind = name.partition(": ")
                _put_text(place, kind, study, outside)
            own = tuple(root / "outputs" / name for name in ("toy", "both", "merged", "toy-confirm", "foreign"))
            before = snapshot(root, (*own, foreign))
            names = _names(foreign)
            ended = call_forked(functools.partial(_call, command, outside), root, self.limit)
            after = snapshot(root, (*own, foreign))
            if ended.fault:
                return Verdict(case, ended.fault, last_error(ended.output))
            if changed := sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path)):
                return Verdict(case, SILENT, f"outside: {', '.join(changed)[:200]}".replace(str(root), ""))
            if names != _names(foreign):
                return Verdict(case, SILENT, "the adopted folder was changed")
            texts = {"output": ended.output, **_written(own, study, outside)}
            if group != "texts" and (leak := next((name for name, text in texts.items() if _leaks(text, case)), "")):
                return Verdict(case, SILENT, f"a secret is in {leak}")
            if fault := next((fault for name, text in texts.items() if (fault := obeyed(name, text))), ""):
                return Verdict(case, SILENT, fault[:200])
            return Verdict(case, SAID if re.search(r"\bnot\b|cannot|link|damaged", ended.output, re.I) else RIGHT)
        finally:
            subprocess.run(["rm", "-rf", str(root)], check=False)


def _leaks(text: str, case: tuple[str, ...]) -> bool:
    """Whether a text holds what stands outside.

    Some hostile texts name it themselves, and a hard link is no different from a file: it can be read, but what it
    names must not be changed, which the snapshots of what is outside tell.
    """
    return CANARY in text and not any(part in case[1] for part in ("script", "tag", "hard link"))


def _names(folder: Path) -> set[str]:
    """The first names below a folder: all of them could be a hundred thousand."""
    return {entry.name for entry in os.scandir(folder)} if folder.is_dir() and not folder.is_symlink() else set()


def _call(command: str, outside: Path) -> None:
    os.environ["SECRET"] = CANARY
    os.environ["CANARY_FILE"] = str(outside / "executed")
    if command == "adopt":
        ablate("adopt", "foreign")
    elif command == "report foreign":
        ablate("report", "foreign")
    else:
        COMMANDS[command].call(cell_seed(RUNS["RUN"]))


def _make_outside(outside: Path) -> None:
    """What nobody may read or change."""
    outside.mkdir()
    (outside / "secret.txt").write_text(f"{CANARY}\n")
    (outside / "secret.json").write_text(json.dumps({"score": 1.0, CANARY: 1.0}))
    hidden = outside / "run" / ".hydra"
    hidden.mkdir(parents=True)
    (hidden / "config.yaml").write_text(f"depth: {CANARY}\n")


def _written(folders: tuple[Path, ...], study: Path, outside: Path) -> Mapping[str, str]:
    """The texts of what a command may have written, by name.

    What was in the study before is no product: its runs, its diagrams, a hard link to what is outside.
    """
    texts = {}
    inode = (outside / "secret.txt").stat().st_ino
    for folder in folders:
        if not folder.is_dir() or folder.is_symlink():
            continue
        for path in _walk(folder, (folder / "runs", folder / "diagrams") if folder == study else ()):
            status = path.lstat()
            is_product = path.is_file() and not path.is_symlink() and status.st_ino != inode
            if is_product and status.st_size < 10**8 and path.suffix in _TEXTS:
                texts[str(path.relative_to(folder.parent))] = path.read_bytes().decode(errors="replace")
    return texts


def all_cases() -> list[tuple[str, ...]]:
    """Every case: group, what, command."""
    commands = list(COMMANDS)
    cases = [("received", name, command) for name in RECEIVED for command in commands]
    cases += [("adopted", name, command) for name in SOURCES for command in ("adopt", "report foreign")]
    cases += [
        ("texts", f"{place}: {kind}", command)
        for place in TEXT_PLACES
        for kind in TEXTS
        for command in ("report", "show", "status", "merge", "report of two")
    ]
    return cases


def run_battery(
    root: Path, cases: list[tuple[str, ...]], jobs: int, limit: float, log: Path | None = None
) -> list[Verdict]:
    """Make the study and carry cases out on copies of it.

    Args:
        root: An empty folder for all of it.
        cases: Which cases.
        jobs: How many at a time.
        limit: Seconds of a case.
        log: A file to which faults are written as they are met.
    """
    prepare_process()
    whole = root / "whole"
    make_study(whole)
    copy_study(whole, root / "warm")
    warm_up(root / "warm")
    return run_cases(cases, Hostilities(whole, limit).judge, jobs, log)


def main() -> None:
    """Attack, count and print."""
    run_command_line(
        __doc__,
        ("group", "what", "command"),
        all_cases(),
        1500,
        lambda root, cases, options: run_battery(root, cases, options.jobs, options.limit, options.log),
    )


if __name__ == "__main__":
    main()
