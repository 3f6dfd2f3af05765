"""Damaged study folders under every command: is each number right, or is it said what is wrong with it?

    python benchmarks/damage.py [--jobs 2] [--sample 300] [--only 'result.json|digit changed|report'] [--by damage]

A case is one file of a small study's folder, one kind of damage and one command, in a forked process. Its outcome:

right      numbers and lists are those of the undamaged study
said       something differs, and what the command prints or writes names the file or the run
silent     something differs, and nothing is said
traceback  an exception that is no message to the user
hang       more than --limit seconds, or 2 GiB of memory

It exits with 1 unless the last three are 0. The study is that of a Hydra application of a few lines: three cells, four
seeds, one failed run. In ``--only`` a part may be left empty, and parts of names will do.
"""

from __future__ import annotations

import csv
import functools
import itertools
import os
import random
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from battery import (
    RIGHT,
    SAID,
    SILENT,
    TRACEBACK,
    Verdict,
    call_forked,
    last_error,
    run_cases,
    run_command_line,
)
from damages import CANARY, DAMAGES, NotApplicable, Target
from toy_study import COMMANDS, OTHER, RUNS, Command, cell_seed, copy_study, make_study, prepare_process, warm_up


@dataclass(frozen=True)
class StudyFile:
    """A file that is damaged.

    Args:
        path: Relative to the study's folder; ``RUN``, ``OWN`` and ``FAILED`` stand for the folders of runs.
        twin: What is put in its place as another's file.
        run: The name and seed of the run that it belongs to.
    """

    path: str
    twin: str = ""
    run: tuple[str, int] = ("skip=false", 1)


FILES = [
    StudyFile("plan.json", "../part/plan.json"),
    *(
        StudyFile(f"RUN/{name}", f"OTHER/{name}")
        for name in ("status.json", "result.json", "curves.csv", ".hydra/config.yaml", ".hydra/hydra.yaml")
    ),
    StudyFile("RUN/.hydra/overrides.yaml", "OTHER/.hydra/overrides.yaml"),
    StudyFile("OWN/history.csv", "OTHER/curves.csv", RUNS["OWN"]),
    StudyFile("FAILED/status.json", "OTHER/status.json", RUNS["FAILED"]),
    StudyFile("FAILED/run.log", "OTHER/app.log", RUNS["FAILED"]),
    StudyFile("costs.json", "../part/costs.json"),
    StudyFile("confirmation.json", "../part/confirmation.json"),
    *(StudyFile(f".cache/{name}", f"../part/.cache/{name}") for name in ("files.json", "summary.json", "runs.arrow")),
    *(StudyFile(name, f"../part/{name}") for name in ("effects.csv", "runs.csv", "curves.csv", "report.html")),
    *(StudyFile(name, f"../part/{name}") for name in ("tables/effects.md", "tables/numbers.tex", "checklist.md")),
    StudyFile("figures/forest.png", "../part/figures/forest.png"),
    StudyFile("figures/captions.md", "../part/figures/captions.md"),
    StudyFile("diagrams/full.svg", "../part/diagrams/full.svg"),
]


@dataclass(frozen=True)
class Products:
    """What a command gave: its lines in order, and the text of every file that it may have written, by name."""

    lines: tuple[str, ...]
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def facts(self) -> set[tuple[str, str]]:
        """Every line with where it stands."""
        of_files = {(name, line) for name, lines in self.files.items() for line in lines}
        return {("output", line) for line in self.lines} | of_files


_VOLATILE = re.compile(
    r"\d{4}-\d\d-\d\d[T_ ]\d\d[-:]\d\d[-:]\d\d(?:[+-]\d{4})?|[\d.,]+ (?:s|ms|min|h)\b|\s+(?=\s)|[─━]+|(?<=\bpid )\d+"
)
# Hydra's own lines, and where a log is, which is shown if it is there.
_UNCOMPARED = re.compile(r"\[HYDRA\]|^ *see .*run\.log$")
_TRACEBACK = re.compile(r'Traceback \(most recent|File ".*", line \d+')
_READ = ("*.csv", "tables/*.csv", "tables/*.md", "tables/*.tex", "checklist.md", "figures/captions.md")
_PRESENT = ("report.html", "figures/*.png", "figures/*.svg")


def products(output: str, root: Path, command: Command) -> Products:
    """What a command printed and wrote, without what differs between any two calls."""
    # The end of a log is shown as it is: no number of ours stands there.
    output = re.sub(r"^-- log: .*", "", output, flags=re.DOTALL | re.MULTILINE)
    lines = [line for line in output.replace(str(root), "").splitlines() if not _UNCOMPARED.search(line)]
    files: dict[str, tuple[str, ...]] = {}
    folder = root / "outputs" / command.writes
    if command.writes and folder.is_dir():
        for pattern in _READ:
            for path in sorted(folder.glob(pattern)):
                files[str(path.relative_to(folder))] = _text(path)
        for pattern in _PRESENT:
            for path in sorted(folder.glob(pattern)):
                whole = path.is_file() and not path.is_symlink() and path.stat().st_size < 10**9
                files[str(path.relative_to(folder))] = (_kind(path.read_bytes()) if whole else "no file",)
    return Products(tuple(_clean(line) for line in lines), files)


def _kind(data: bytes) -> str:
    """What a figure or page is by its beginning and end."""
    return f"{data[:4]!r} {data[-8:]!r}" if len(data) > 1000 else "damaged"


def _text(path: Path) -> tuple[str, ...]:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > 10**8:
        return ("no file",)
    lines = path.read_bytes().decode(errors="replace").splitlines()
    if path.suffix == ".csv" and lines:
        rows = list(csv.reader(line.replace("\0", "?") for line in lines))
        timed = {place for place, name in enumerate(rows[0]) if name.startswith("seconds")} if rows else set()
        lines = [",".join(cell for place, cell in enumerate(row) if place not in timed) for row in rows]
    return tuple(_clean(line) for line in lines)


def _clean(line: str) -> str:
    return _VOLATILE.sub("", line).strip()


@dataclass(frozen=True)
class Study:
    """The undamaged study and what every command makes of it.

    Args:
        root: The folder with the application and the output folder.
        expected: By command and run, the facts of every undamaged call, and those that differ between two of them.
        limit: Seconds of a case.
        seed: What draws places, keys and bytes.
    """

    root: Path
    expected: Mapping[tuple[str, str], tuple[set[tuple[str, str]], set[tuple[str, str]]]]
    limit: float
    seed: int

    def judge(self, case: tuple[str, ...]) -> Verdict | None:
        """Damage a copy, carry the command out, and compare."""
        name, damage, command_name = case
        file = next(file for file in FILES if file.path == name)
        command = COMMANDS[command_name]
        root = self.root.with_name(f"case-{os.getpid()}")
        try:
            copy_study(self.root, root)
            study = root / "outputs" / "toy"
            path = study / _expanded(file.path, study)
            rng = random.Random(f"{self.seed} {case}")
            outside = root / f"outside{path.suffix}"
            outside.write_text(f"{CANARY}\n")
            DAMAGES[damage](Target(path, path.read_bytes(), study / _expanded(file.twin, study), outside, rng))
            ended = call_forked(functools.partial(command.call, cell_seed(file.run)), root, self.limit)
            if ended.fault:
                return Verdict(case, ended.fault, last_error(ended.output))
            result = products(ended.output, root, command)
            if any(_TRACEBACK.match(line) for line in result.lines):  # that Hydra printed
                return Verdict(case, TRACEBACK, last_error(ended.output))
        except NotApplicable:
            return None
        finally:
            shutil.rmtree(root, ignore_errors=True)
        if CANARY in ended.output or any(CANARY in line for _, line in result.facts):
            return Verdict(case, SILENT, "follows a link out of the study")
        common, every = self.expected[command_name, cell_seed(file.run)]
        added, missing = result.facts - every, common - result.facts
        if not added and not missing:
            return Verdict(case, RIGHT)
        names = _names(file, path)
        if any(_says(place, line, names) for place, line in added):
            return Verdict(case, SAID)
        return Verdict(case, SILENT, f"{_first(missing, '-')} {_first(added, '+')}".strip())


def _expanded(path: str, study: Path) -> str:
    first, _, rest = path.partition("/")
    cell, seed = {**RUNS, "OTHER": OTHER}.get(first, ("", 0))
    return f"{next((study / 'runs' / cell).glob(f'{seed}-*')).relative_to(study)}/{rest}" if cell else path


_LABELS = {"skip=false": "w/o skip", "norm=none": "norm=none"}


def _names(file: StudyFile, path: Path) -> list[re.Pattern[str]]:
    """What names a file or its run in a line."""
    patterns = [re.escape(path.name)]
    if path.name == "confirmation.json":
        patterns.append("toy-confirm")  # the runs that it sums up
    if file.path.partition("/")[0] in RUNS:
        cell, seed = file.run
        patterns += [re.escape(path.parents[path.parent.name == ".hydra"].name), re.escape(cell_seed(file.run))]
        patterns += [f"(?:{re.escape(name)}).*seeds?.*\\b{seed}\\b" for name in (cell, _LABELS[cell])]
    return [re.compile(pattern) for pattern in patterns]


_WORDS = re.compile(
    r"damaged|unreadable|cannot|missing|not |no |left out|fail|differ|checksum|changed|lost|wait|link|train",
    re.I,
)


def _says(place: str, line: str, names: list[re.Pattern[str]]) -> bool:
    """Whether a line speaks of the damage; a row of numbers does not, though it names its run."""
    is_row = place.endswith(".csv") or line.startswith(("|", "\\", "    "))
    return any(name.search(line) for name in names) and (not is_row or bool(_WORDS.search(line)))


def _first(facts: set[tuple[str, str]], sign: str) -> str:
    ordered = sorted(facts, key=lambda fact: (fact[0] != "output", fact))
    return f"{sign}{ordered[0][0]}: {ordered[0][1][:110]!r}" if ordered else ""


def all_cases() -> list[tuple[str, ...]]:
    """Every file, damage and command."""
    return list(itertools.product([file.path for file in FILES], DAMAGES, COMMANDS))


def run_battery(
    root: Path, cases: list[tuple[str, ...]], jobs: int, limit: float, seed: int, log: Path | None = None
) -> list[Verdict]:
    """Make the study and carry cases out on copies of it.

    Args:
        root: An empty folder for all of it.
        cases: Which cases.
        jobs: How many at a time.
        limit: Seconds of a case.
        seed: What draws places, keys and bytes.
        log: A file to which faults are written as they are met.
    """
    prepare_process()
    whole = root / "whole"
    make_study(whole)
    copy_study(whole, root / "warm")
    warm_up(root / "warm")
    expected = {}
    runs = {file.path: cell_seed(file.run) for file in FILES}
    for name, run in sorted({(command, runs[file]) for file, _, command in cases}):
        facts = []
        for _ in range(2):
            copy_study(whole, root / "undamaged")
            ended = call_forked(functools.partial(COMMANDS[name].call, run), root / "undamaged", 120)
            if ended.fault:
                raise SystemExit(f"{name} of the undamaged study ends with a {ended.fault}:\n{ended.output[-3000:]}")
            facts.append(products(ended.output, root / "undamaged", COMMANDS[name]).facts)
        expected[name, run] = facts[0] & facts[1], facts[0] | facts[1]
    study = Study(whole, expected, limit, seed)
    return run_cases(cases, study.judge, jobs, log)


def main() -> None:
    """Damage, count and print."""
    run_command_line(
        __doc__,
        ("file", "damage", "command"),
        all_cases(),
        4000,
        lambda root, cases, options: run_battery(root, cases, options.jobs, options.limit, options.seed, options.log),
    )


if __name__ == "__main__":
    main()
