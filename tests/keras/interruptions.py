"""Trainings that stop after an epoch, as after a kill."""

from __future__ import annotations

from collections.abc import Callable, Mapping


class Interrupted(Exception):
    """Stands for a kill: nothing of the run's own code runs after it."""


def interrupt_after(epoch: int) -> Callable[[int, int, Mapping[str, float]], None]:
    """What to pass as progress so that a training stops after an epoch."""

    def progress(number: int, epochs: int, values: Mapping[str, float]) -> None:
        if number == epoch:
            raise Interrupted

    return progress
