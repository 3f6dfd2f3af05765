"""A pool of worker processes: each serves many calls, and one that dies does not affect the others."""

from __future__ import annotations

import subprocess
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from typing import Any

import cloudpickle

from ablate.errors import RunError
from ablate.memory import process_memory
from ablate.sweep.calls import Call, Outcome
from ablate.sweep.memory_budget import MemoryBudget
from ablate.sweep.worker_process import Worker, end_worker, start_worker

_POLL = 1.0
"""Seconds between two looks at whether a worker is still alive."""


class WorkerPool:
    """A fixed number of worker processes.

    A worker that dies takes one call with it and is replaced, and so is one that a call has put out of order. One whose
    memory has grown too much is replaced when it changes to another group. Workers end when the pool is closed, and
    when the process that owns it ends in any way.

    Args:
        slots: How many workers at a time. A worker and its replacements have the same slot, a number from 0.
        calls_per_worker: After how many calls a worker is replaced by a fresh process; None for never.
        timeout: Seconds after which a call is ended, or None.
        environments: Extra environment variables by slot; used cyclically.
        memory: Where given, a further worker gets a call only if memory is left for it beside those at work.
        max_growth: By how many bytes a worker may have grown since its first call. A framework keeps some memory for
            every network that it has compiled, which adds up over hundreds of cells.
    """

    def __init__(
        self,
        slots: int,
        calls_per_worker: int | None = None,
        timeout: float | None = None,
        environments: Sequence[Mapping[str, str]] = (),
        memory: MemoryBudget | None = None,
        max_growth: int = 2**30,
    ) -> None:
        self.slots = slots
        self._max_growth = max_growth
        self._memory = memory
        self._calls_per_worker = calls_per_worker
        self._timeout = timeout
        self._environments = [dict(environment) for environment in environments] or [{}]
        self._workers: dict[int, Worker] = {}
        # Another sweeper than ours does not know that there is a pool to close.
        weakref.finalize(self, _end_all, self._workers)

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, modules: Sequence[str] = ()) -> None:
        """Start all workers ahead of the first call, so that their start-up overlaps with what comes before it.

        Args:
            modules: Names of modules that new workers import while they wait.
        """
        for slot in range(self.slots):
            if slot not in self._workers:
                self._workers[slot] = self._start_worker(slot)
                self._workers[slot].connection.send(("import", list(modules)))

    def run(self, function: Callable[..., Any], calls: Sequence[Call]) -> Iterator[Outcome]:
        """Call a function many times; yields outcomes in the order in which the calls end.

        Args:
            function: A function that cloudpickle can carry; a worker gets it once.
            calls: What to call it with.
        """
        try:
            yield from self._run(cloudpickle.dumps(function), deque(calls))
        finally:
            for worker in [worker for worker in self._workers.values() if worker.current]:
                self._discard(worker)  # its answer would be taken for that of the next call

    def _run(self, function: bytes, waiting: deque[Call]) -> Iterator[Outcome]:
        while waiting or any(worker.current for worker in self._workers.values()):
            for slot in range(self.slots):
                worker = self._workers.get(slot)
                if waiting and not (worker and worker.current) and self._has_memory(slot):
                    self._assign(slot, waiting, function)
            busy = [(worker, call) for worker in self._workers.values() if (call := worker.current)]
            timeout = max(0.0, min(worker.deadline for worker, _ in busy) - time.monotonic())
            open_pipes = [worker.connection for worker, _ in busy if not worker.is_mute]
            ready = wait(open_pipes, timeout=min(timeout, _POLL if len(open_pipes) == len(busy) else _POLL / 20))
            for worker, call in busy:
                if worker.connection in ready:
                    if (outcome := self._collect(worker, call)) is not None:
                        yield outcome
                # The pipe alone does not tell: a child that the task forked may keep it open after the worker has died.
                elif worker.process.poll() is not None and (worker.is_mute or not worker.connection.poll()):
                    yield self._death(worker, call)
                elif time.monotonic() >= worker.deadline:
                    self._discard(worker)
                    error = RunError(f"The run took longer than {self._timeout:g} s.")
                    yield Outcome(call.key, error=error, reason="timed out")

    def close(self) -> None:
        """End all workers, whatever they do."""
        _end_all(self._workers)

    def _start_worker(self, slot: int) -> Worker:
        return start_worker(slot, self._environments[slot % len(self._environments)])

    def _has_memory(self, slot: int) -> bool:
        """Whether the memory allows one more call beside those at work; the first is always allowed.

        Where it does not, the idle worker of the slot is ended.
        """
        busy = [worker.process.pid for worker in self._workers.values() if worker.current]
        if self._memory is None or not busy:
            return True
        idle = self._workers.get(slot)
        if self._memory.allows(busy, idle.process.pid if idle else None):
            return True
        if idle:
            self._discard(idle)  # frees its memory for those at work
        return False

    def _assign(self, slot: int, waiting: deque[Call], function: bytes) -> None:
        worker = self._workers.get(slot)
        if worker is None:
            worker = self._workers[slot] = self._start_worker(slot)
        call = self._next_call(worker, waiting)
        if call.group != worker.group and worker.calls and self._has_grown(worker):
            self._discard(worker)
            worker = self._workers[slot] = self._start_worker(slot)
        waiting.remove(call)
        try:
            self._send(worker, call, function)
        except OSError:  # it died while idle, which costs no call
            self._discard(worker)
            worker = self._workers[slot] = self._start_worker(slot)
            with suppress(OSError):  # a fresh one that dies at once is reported as the death of the call
                self._send(worker, call, function)

    def _send(self, worker: Worker, call: Call, function: bytes) -> None:
        worker.current, worker.group = call, call.group
        worker.calls += 1
        worker.deadline = time.monotonic() + self._timeout if self._timeout else float("inf")
        if worker.function != function:
            worker.connection.send(("function", function))
            worker.function = function
        worker.connection.send(("call", cloudpickle.dumps(call.arguments)))

    def _has_grown(self, worker: Worker) -> bool:
        return process_memory(worker.process.pid) - worker.first_memory > self._max_growth

    def _next_call(self, worker: Worker, waiting: deque[Call]) -> Call:
        # A worker stays with its group, since it holds the compiled train step. After that it takes a group at which no
        # other worker is busy. Only when there is none does it share a group, so that it does not idle.
        taken = {other.group for other in self._workers.values() if other is not worker and other.current}
        same = next((call for call in waiting if call.group == worker.group), None)
        untaken = next((call for call in waiting if call.group not in taken), None)
        return same or untaken or waiting[0]

    def _collect(self, worker: Worker, call: Call) -> Outcome | None:
        """The outcome of a call whose worker has answered or closed its pipe; None if the call goes on all the same."""
        try:
            has_returned, data, is_sound = worker.connection.recv()
        except Exception:  # no answer, or what is none
            try:
                worker.process.wait(timeout=_POLL)  # the pipe closes a moment before the process has ended
            except subprocess.TimeoutExpired:
                worker.is_mute = True  # the task has closed the pipe; how its run ends is recorded in its folder
                return None
            return self._death(worker, call)
        worker.current, worker.deadline = None, float("inf")
        if worker.calls == 1:
            worker.first_memory = process_memory(worker.process.pid)
        try:
            value = cloudpickle.loads(data)
        except Exception as error:
            has_returned, value = (
                False,
                RunError(f"The answer of the run cannot be read: {type(error).__name__}: {error}"),
            )
        # A worker that could not call the function, or whose process is out of order, would fail the next call too.
        if not has_returned or not is_sound or worker.calls == self._calls_per_worker:
            self._discard(worker)
        return Outcome(call.key, value=value) if has_returned else Outcome(call.key, error=value, reason="raised")

    def _death(self, worker: Worker, call: Call) -> Outcome:
        code = self._discard(worker, patience=5.0)
        reason = "killed" if code < 0 else "exited"
        ending = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return Outcome(call.key, error=RunError(f"The process of the run {ending}."), reason=reason)

    def _discard(self, worker: Worker, patience: float = 0.0) -> int:
        self._workers.pop(worker.slot, None)
        return end_worker(worker, patience)


def _end_all(workers: dict[int, Worker]) -> None:
    while workers:
        end_worker(workers.popitem()[1])
