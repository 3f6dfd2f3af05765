"""A battery: very many small cases, each in a forked process with bounds on its time and memory, counted by outcome.

The parent imports what the cases need once, so a case costs its own work and a fork.
"""

from __future__ import annotations

import argparse
import ctypes
import multiprocessing
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

RIGHT, SAID, SILENT, TRACEBACK, HANG = "right", "said", "silent", "traceback", "hang"
OUTCOMES = (RIGHT, SAID, SILENT, TRACEBACK, HANG)
"""What can become of a case; the last three are faults."""

FAULTS = OUTCOMES[2:]

MEMORY = 2 << 30
"""Bytes that a case may take beyond what its parent has."""

_RAISED, _OUT_OF_MEMORY = 97, 98  # exit codes of a forked process
_LONGEST_OUTPUT = 4_000_000  # bytes


@dataclass(frozen=True)
class Ended:
    """How a forked call ended.

    Args:
        output: What it wrote to standard output and error.
        fault: ``traceback`` or ``hang`` (too long, or too much memory); empty if neither.
    """

    output: str
    fault: str = ""


@dataclass(frozen=True)
class Verdict:
    """What became of a case.

    Args:
        case: Its names, for example file, damage and command.
        outcome: One of `OUTCOMES`.
        detail: The line that shows a fault.
    """

    case: tuple[str, ...]
    outcome: str
    detail: str = ""

    @property
    def line(self) -> str:
        """The verdict as a line, whose second part ``--only`` takes."""
        return f"{self.outcome:9} {'|'.join(self.case)}  {self.detail}"


def scratch_folder(name: str) -> Path:
    """A new temporary folder, in memory where the system has a file system for that."""
    shared = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=shared if os.access(shared, os.W_OK) else None)).resolve()


def call_forked(function: Callable[[], object], folder: Path, seconds: float) -> Ended:
    """Call a function in a forked process, in a folder, without a superuser's right to read what is closed.

    Args:
        function: What to call; SystemExit is a good end, any other exception is a traceback.
        folder: The process's working folder.
        seconds: After this time it is killed, with all processes that it started.
    """
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            _run_child(function, folder, output.fileno())
        code = _wait(child, seconds)
        output.seek(0)
        text = output.read(_LONGEST_OUTPUT).decode(errors="replace")
    out_of_memory = code == _OUT_OF_MEMORY or re.search(r"^MemoryError\b", text, re.MULTILINE)
    if code is None or out_of_memory or code == -signal.SIGKILL:
        return Ended(text, HANG)
    crashed = code == _RAISED or code < 0 or "HYDRA_FULL_ERROR=1 shows where." in text
    return Ended(text, TRACEBACK if crashed else "")


def _run_child(function: Callable[[], object], folder: Path, output: int) -> None:
    code = _RAISED
    try:
        os.setsid()
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False, errors="backslashreplace")
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False, errors="backslashreplace")
        os.chdir(folder)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_FSIZE, (MEMORY, MEMORY))
        _drop_right_to_read_all()
        function()
        code = 0
    except SystemExit as end:
        # A text is what a Python script ends with to print it.
        code = end.code if isinstance(end.code, int) else 0
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except MemoryError:
        code = _OUT_OF_MEMORY
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code & 255)


def _drop_right_to_read_all() -> None:
    """Take from a superuser the capabilities that override the permissions of files."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3 of the interface, this process
    data = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capget(header, data) == 0:
        for part in (0, 1):  # effective, permitted
            data[part] &= ~0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
        libc.capset(header, data)


def _wait(child: int, seconds: float) -> int | None:
    """The exit code of a process, or None where it was killed since it took too long."""
    end = time.monotonic() + seconds
    pause = 0.001
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(pause)
        pause = min(2 * pause, 0.02)
    for kill in (lambda: os.killpg(child, signal.SIGKILL), lambda: os.kill(child, signal.SIGKILL)):
        try:
            kill()
        except ProcessLookupError:
            continue
    os.waitpid(child, 0)
    return None


def last_error(text: str) -> str:
    """The line of an output that names the exception, and where in our own code it was raised."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("HYDRA_FULL_ERROR")]
    last = next((line for line in reversed(lines) if "Error" in line), lines[-1] if lines else "")
    frames = [line for line in lines if line.lstrip().startswith("File ") and "/ablate/" in line]
    where = re.sub(r'.*/(ablate/.*)", line (\d+).*', r"\1:\2", frames[-1]) if frames else ""
    return f"{last.strip()[:150]} {where}".strip()


def chosen(cases: Iterable[tuple[str, ...]], only: str | None, sample: int, seed: int) -> list[tuple[str, ...]]:
    """Those cases that the command line selects.

    Args:
        cases: All.
        only: Parts of the names with bars between them (``||status``: any file, any damage); None for all.
        sample: How many to draw; 0 for all.
        seed: Of the draw.
    """
    parts = [] if only is None else only.split("|")
    selected = [case for case in cases if all(part in name for part, name in zip(parts, case, strict=False))]
    if not sample or sample >= len(selected):
        return selected
    return random.Random(seed).sample(selected, sample)


def run_cases(
    cases: Sequence[tuple[str, ...]],
    run_case: Callable[[tuple[str, ...]], Verdict | None],
    jobs: int,
    log: Path | None = None,
) -> list[Verdict]:
    """The verdicts of all cases that apply; prints how far it is to standard error.

    Args:
        cases: The cases.
        run_case: Carries one out; None where it does not apply.
        jobs: How many at a time.
        log: A file to which faults are written as they are met, a line each.
    """
    if log is not None:
        log.write_text("")
    verdicts = []
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        for number, verdict in enumerate(pool.imap_unordered(run_case, cases, chunksize=4), 1):
            verdicts += [] if verdict is None else [verdict]
            if log is not None and verdict is not None and verdict.outcome in FAULTS:
                with log.open("a") as file:
                    file.write(f"{verdict.line}\n")
            if number % 200 == 0:
                faults = sum(verdict.outcome in FAULTS for verdict in verdicts)
                sys.stderr.write(f"{number} of {len(cases)}, {faults} faults\n")
    return sorted(verdicts, key=lambda verdict: verdict.case)


def print_table(verdicts: Sequence[Verdict], position: int, title: str) -> None:
    """Print how many cases had which outcome.

    Args:
        verdicts: What became of the cases.
        position: Which of a case's names makes the rows.
        title: What these names are.
    """
    counts: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        counts.setdefault(verdict.case[position], Counter())[verdict.outcome] += 1
    width = max(map(len, (*counts, title)))
    print(f"\n{title:{width}} {'tried':>6}" + "".join(f"{outcome:>10}" for outcome in OUTCOMES))
    total: Counter[str] = sum(counts.values(), Counter())
    for name, row in [*counts.items(), ("all", total)]:
        print(f"{name:{width}} {sum(row.values()):6}" + "".join(f"{row[outcome]:10}" for outcome in OUTCOMES))


def run_command_line(
    description: str | None,
    columns: Sequence[str],
    cases: Iterable[tuple[str, ...]],
    sample: int,
    run_battery: Callable[[Path, Sequence[tuple[str, ...]], argparse.Namespace], list[Verdict]],
) -> NoReturn:
    """What the script of a battery does: read its options, carry the cases out, print tables and faults.

    Args:
        description: What its help says.
        columns: What the names of a case are; the first always has a table.
        cases: All cases.
        sample: How many are drawn unless the command line says otherwise.
        run_battery: Carries cases out in an empty folder, under the options ``jobs``, ``limit``, ``seed`` and ``log``.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time")
    parser.add_argument("--sample", type=int, default=sample, help="how many cases to draw; 0: all")
    parser.add_argument("--only", help="|".join(columns).upper())
    parser.add_argument("--seed", type=int, default=0, help="draws the sample, and whatever a case draws")
    parser.add_argument("--limit", type=float, default=20, help="seconds of a case")
    parser.add_argument("--by", action="append", choices=columns[1:], default=[], help="a further table")
    parser.add_argument("--faults", type=int, default=40, help="how many faults to list")
    parser.add_argument("--log", type=Path, help="a file for all faults, a line each")
    options = parser.parse_args()
    root = scratch_folder(Path(sys.argv[0]).stem)
    try:
        verdicts = run_battery(root, chosen(cases, options.only, options.sample, options.seed), options)
    finally:
        # Not shutil, which recurses: cases make folders of any depth.
        subprocess.run(["rm", "-rf", str(root)], check=False)
    for position, title in enumerate(columns):
        if not position or title in options.by:
            print_table(verdicts, position, title)
    finish(verdicts, options.faults)


def finish(verdicts: Sequence[Verdict], most: int) -> NoReturn:
    """Print the faults, at most so many, and end the process, with 1 if there is one."""
    faults = [verdict.line for verdict in verdicts if verdict.outcome in FAULTS]
    print("\n".join(["", *faults[:most]]) if faults else "\nNo faults.")
    if len(faults) > most:
        print(f"and {len(faults) - most} more")
    sys.exit(1 if faults else 0)
