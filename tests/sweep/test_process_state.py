"""What a task did to the standard streams does not reach the next one, whatever the tasks before it did."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest

SCRIPT = """
import io, sys
from ablate.sweep.process_state import preserved_process

taken = []
tasks = {
    "detach": lambda: taken.append(sys.stdout.detach()),
    "close": lambda: sys.stdout.close(),
    "none": lambda: [setattr(sys, name, None) for name in ("stdin", "stdout", "stderr", "__stdout__")],
    "memory": lambda: setattr(sys, "stdout", io.StringIO()),
}
for name in sys.argv[1:]:
    with preserved_process():
        tasks[name]()
    sys.stdout.write(f"after {name}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("order", list(itertools.permutations(("detach", "close", "none", "memory"))))
def test_streams_come_back_after_any_sequence_of_tasks(order: tuple[str, ...]) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, *order], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.stdout.splitlines() == [f"after {name}" for name in order], ended.stderr
