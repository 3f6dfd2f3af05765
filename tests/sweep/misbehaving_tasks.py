"""Tasks that misbehave, each in its own way; what must become of their runs is beside each in `KINDS`."""

from __future__ import annotations

import asyncio
import atexit
import builtins
import ctypes
import gc
import io
import os
import resource
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig

KEPT: list[Any] = []


def out() -> Path:
    return Path(HydraConfig.get().runtime.output_dir)


# --- what is returned ---


class Raises:
    """Every way to get a number or a text out of it raises."""

    def __float__(self) -> float:
        raise KeyError("no float")

    def __repr__(self) -> str:
        raise OSError("no repr")

    def item(self) -> float:
        raise LookupError("no item")


class RaisesAttribute:
    @property
    def item(self) -> float:
        raise OSError("no attribute")


def itself() -> Any:
    values: dict[str, Any] = {"value": 1.0}
    values["again"] = values
    return values


def deep() -> Any:
    values: dict[str, Any] = {"end": 1.0}
    for _ in range(5000):
        values = {"inner": values}
    return {"value": 1.0, "deep": values}


def generator() -> Iterator[int]:
    yield 1


# --- what is raised ---


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Unpicklable(Exception):
    def __init__(self, one: object, two: object) -> None:
        super().__init__(f"{one} {two}")
        self.lock = threading.Lock()


def raise_(error: BaseException) -> Any:
    raise error


# --- what is done to the process ---


def close_stream(name: str) -> float:
    print("before")
    getattr(sys, name).close()
    return 1.0


def detach_stdout() -> float:
    KEPT.append(sys.stdout.detach())
    return 1.0


def replace_stream(stream: Any) -> float:
    sys.stdout = sys.stderr = sys.__stdout__ = stream
    return 1.0


def replace_open() -> float:
    builtins.open = None  # type: ignore[assignment]
    del builtins.print
    return 1.0


def leave_for_a_folder_that_goes() -> float:
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    shutil.rmtree(folder)
    return 1.0


def mask_everything() -> float:
    os.umask(0o777)
    return 1.0


def empty_path_and_environment() -> float:
    sys.path = []
    os.environ.clear()
    sys.argv.clear()
    return 1.0


def handle_signals() -> float:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    signal.setitimer(signal.ITIMER_REAL, 0.05)  # its signal ends the process some time after the run
    return 1.0


def start_thread(daemon: bool) -> float:
    threading.Thread(target=time.sleep, args=(10_000,), daemon=daemon, name="endless").start()
    return 1.0


def fork_and_return() -> float:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    return 1.0


def fork_and_raise() -> float:
    child = os.fork()
    if not child:
        raise ValueError("in the child")
    os.waitpid(child, 0)
    return 1.0


def fork_and_stay() -> float:
    if not os.fork():
        time.sleep(20)
        os._exit(0)
    return 1.0


def limit_recursion(depth: int) -> float:
    sys.setrecursionlimit(depth)
    return 1.0


def eat_descriptors() -> float:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        while True:
            KEPT.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return 1.0


def eat_descriptors_and_raise() -> float:
    eat_descriptors()
    raise ValueError("no descriptor is left")


def set_timeout() -> float:
    socket.setdefaulttimeout(1e-9)
    return 1.0


def close_descriptors(first: int, last: int) -> float:
    os.closerange(first, last)
    return 1.0


def close_descriptors_and_open_files() -> float:
    os.closerange(0, 21)
    folder = Path(tempfile.mkdtemp())
    KEPT.extend((folder / str(number)).open("w") for number in range(30))
    return 1.0


def change_drawing() -> float:
    import matplotlib

    matplotlib.rcParams.update({"text.usetex": True, "figure.dpi": 1e9, "font.family": "no such font"})
    return 1.0


def stop_collecting() -> float:
    gc.disable()
    return 1.0


def raise_at_exit() -> float:
    atexit.register(raise_, RuntimeError("at the exit"))
    return 1.0


def delete_folder() -> float:
    shutil.rmtree(out())
    return 1.0


def replace_folder() -> float:
    shutil.rmtree(out())
    out().write_text("")
    return 1.0


def lock_folder() -> float:
    out().chmod(0o500)
    return 1.0


def lock_folder_and_raise() -> float:
    out().chmod(0o000)
    raise ValueError("locked up")


def print_much() -> float:
    for _ in range(100):
        sys.stdout.write("x" * 2**20)
    return 1.0


def warn_as_error() -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
    return 1.0


def write_odd_curves() -> float:
    (out() / "curves.csv").write_bytes(b"epoch,loss\n1,\xff\xfe\x00\n\n,,,\n2")
    return 1.0


# --- what ends the process ---


def exhaust_stack() -> float:
    sys.setrecursionlimit(10**9)
    return exhaust_stack_again()


def exhaust_stack_again() -> float:
    # Through C, whose stack is what runs out.
    return sorted([1, 2], key=lambda _: exhaust_stack_again())[0]


def read_nowhere() -> float:
    ctypes.string_at(0)
    return 1.0


def kill_itself() -> float:
    os.kill(os.getpid(), signal.SIGKILL)
    return 1.0


@dataclass(frozen=True)
class Kind:
    """A task, and the state that its run must have, with the reason."""

    task: Callable[[], Any]
    state: str = "finished"
    kills: bool = False


KINDS = {
    "fine": Kind(lambda: 1.0),
    # What is returned is odd, and the number that decides is there.
    "huge_number_beside": Kind(lambda: {"value": 1.0, "huge": 10**400, "huger": 10**5000, "large": 10**30}),
    "not_finite_beside": Kind(lambda: {"value": 1.0, "nan": float("nan"), "inf": float("-inf")}),
    "surrogate_beside": Kind(lambda: {"value": 1.0, "text": "\udcff", "\udcfe": 2.0}),
    "long_text_beside": Kind(lambda: {"value": 1.0, "text": "x" * 20_000_000}),
    "names_that_are_no_text": Kind(lambda: {"value": 1.0, 1: 2.0, None: 3.0, ("a", 2): 4.0, Raises(): 5.0}),
    "odd_names": Kind(lambda: {"value": 1.0, "": 2.0, "two\nlines": 3.0, "novel " * 10_000: 4.0, "a,b;\"c'": 5.0}),
    "names_of_our_columns": Kind(lambda: {"value": 1.0} | dict.fromkeys(("cell", "seed", "state", "kind"), 2)),
    "seconds": Kind(lambda: {"value": 1.0, "seconds": -5.0}),
    "object_that_raises": Kind(lambda: {"value": 1.0, "object": Raises(), "attribute": RaisesAttribute()}),
    "itself": Kind(itself),
    "deep": Kind(deep),
    "generator_beside": Kind(lambda: {"value": 1.0, "generator": generator()}),
    # What is returned decides nothing.
    "huge_number": Kind(lambda: 10**400, "failed diverged"),
    "huge_number_by_name": Kind(lambda: {"value": 10**5000, "other": 1.0}, "failed diverged"),
    "only_a_generator": Kind(generator, "failed no metric"),
    "only_an_object_that_raises": Kind(Raises, "failed no metric"),
    # What is raised is odd.
    "interruption": Kind(lambda: raise_(KeyboardInterrupt()), "failed raised"),
    "generator_exit": Kind(lambda: raise_(GeneratorExit()), "failed raised"),
    "cancelled": Kind(lambda: raise_(asyncio.CancelledError()), "failed raised"),
    "base_exception": Kind(lambda: raise_(BaseException("base")), "failed raised"),
    "exit": Kind(lambda: sys.exit(Raises()), "failed exited"),
    "unprintable_error": Kind(lambda: raise_(Unprintable()), "failed raised"),
    "unpicklable_error": Kind(lambda: raise_(Unpicklable(1, 2)), "failed raised"),
    "surrogate_error": Kind(lambda: raise_(ValueError("caf\udce9")), "failed raised"),
    "long_error": Kind(lambda: raise_(ValueError("x" * 20_000_000)), "failed raised"),
    # What is done to the process must not reach the next run.
    "closes_stdout": Kind(lambda: close_stream("stdout")),
    "closes_stderr": Kind(lambda: close_stream("stderr")),
    "detaches_stdout": Kind(detach_stdout),
    "stdout_in_memory": Kind(lambda: replace_stream(io.StringIO())),
    "no_stdout": Kind(lambda: replace_stream(None)),
    "replaces_open": Kind(replace_open),
    "folder_that_goes": Kind(leave_for_a_folder_that_goes),
    "umask": Kind(mask_everything),
    "empties_path_and_environment": Kind(empty_path_and_environment),
    "signals": Kind(handle_signals),
    "daemon_thread": Kind(lambda: start_thread(True)),
    "fork_returns": Kind(fork_and_return),
    "fork_raises": Kind(fork_and_raise),
    "fork_stays": Kind(fork_and_stay),
    "low_recursion_limit": Kind(lambda: limit_recursion(100)),
    "eats_descriptors": Kind(eat_descriptors),
    "eats_descriptors_and_raises": Kind(eat_descriptors_and_raise, "failed raised"),
    "socket_timeout": Kind(set_timeout),
    "closes_descriptors": Kind(lambda: close_descriptors(0, 21)),
    "closes_descriptors_and_opens_files": Kind(close_descriptors_and_open_files),
    "drawing": Kind(change_drawing),
    "no_collection": Kind(stop_collecting),
    "raises_at_exit": Kind(raise_at_exit),
    "deletes_its_folder": Kind(delete_folder),
    "replaces_its_folder": Kind(replace_folder),
    "locks_its_folder": Kind(lock_folder),
    "locks_its_folder_and_raises": Kind(lock_folder_and_raise, "failed raised"),
    "prints_much": Kind(print_much),
    "odd_curves": Kind(write_odd_curves),
    "endless_thread": Kind(lambda: start_thread(False)),
    # What ends the process.
    "os_exit": Kind(lambda: os._exit(0), "failed exited", kills=True),
    "os_exit_3": Kind(lambda: os._exit(3), "failed exited", kills=True),
    "kill": Kind(kill_itself, "failed killed", kills=True),
    "stack": Kind(exhaust_stack, "failed killed", kills=True),
    "segmentation_fault": Kind(read_nowhere, "failed killed", kills=True),
}
