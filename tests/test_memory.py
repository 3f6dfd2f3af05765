from __future__ import annotations

import os
from pathlib import Path

import pytest

from ablate.memory import available_memory, process_memory, total_memory
from ablate.sweep.calls import Call
from ablate.sweep.memory_budget import MemoryBudget
from ablate.sweep.pool import WorkerPool

GIB = 2**20  # in kB


def machine(root: Path, free: float, **held: float) -> MemoryBudget:
    """A machine with GiB of free memory and processes p1, p2, ... that hold some GiB each."""
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc/meminfo").write_text(f"MemTotal:  99999999 kB\nMemAvailable:  {int(free * GIB)} kB\n")
    for name, size in held.items():
        (root / "proc" / name[1:]).mkdir(exist_ok=True)
        text = f"Name:\tpython\nVmHWM:\t 99999999 kB\nRssAnon:\t {int(size * GIB)} kB\nRssFile:\t 8888888 kB\n"
        (root / "proc" / name[1:] / "status").write_text(text)
    return MemoryBudget(root)


def test_a_worker_is_expected_to_grow_to_the_most_that_was_seen(tmp_path: Path) -> None:
    memory = machine(tmp_path, 1.5, p1=2, p2=0.6)
    assert memory.allows([1], 2)  # the second may grow by 1.4
    assert not memory.allows([1], None)  # a new one would take 2
    assert not machine(tmp_path, 1.3, p1=2, p2=0.6).allows([1], 2)


def test_what_was_seen_once_counts_on(tmp_path: Path) -> None:
    memory = machine(tmp_path, 9, p1=4, p2=1)
    assert memory.allows([1], 2)
    machine(tmp_path, 5, p1=1, p2=1)
    assert not memory.allows([1], 2)
    machine(tmp_path, 7, p1=1, p2=1)
    assert memory.allows([1], 2)


def test_the_limit_of_a_container_counts_without_the_files_that_it_caches(tmp_path: Path) -> None:
    memory = machine(tmp_path, 100, p1=2, p2=1)
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text(f"{8 * 2**30}\n")
    (group / "memory.current").write_text(f"{int(7.5 * 2**30)}\n")
    (group / "memory.stat").write_text("anon 1\ninactive_file 0\nactive_file 0\n")
    assert not memory.allows([1], 2)
    (group / "memory.stat").write_text(f"anon 1\ninactive_file {2**30}\nactive_file 5\n")
    assert memory.allows([1], 2)
    (group / "memory.max").write_text("max\n")
    (group / "memory.stat").write_text("")
    assert memory.allows([1], 2)


def test_the_total_is_that_of_the_container_where_it_has_a_limit(tmp_path: Path) -> None:
    machine(tmp_path, 3, p1=2)
    assert total_memory(tmp_path) == 99999999 * 1024
    assert available_memory(tmp_path) == 3 * 2**30
    assert process_memory(1, tmp_path) == 2 * 2**30
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text(f"{8 * 2**30}\n")
    assert total_memory(tmp_path) == 8 * 2**30
    (group / "memory.max").write_text("max\n")
    assert total_memory(tmp_path) == 99999999 * 1024


def test_what_the_system_does_not_report_is_unknown(tmp_path: Path) -> None:
    assert total_memory(tmp_path) is None
    assert available_memory(tmp_path) is None
    assert process_memory(1, tmp_path) == 0


def test_where_nothing_is_known_there_is_room(tmp_path: Path) -> None:
    assert MemoryBudget(tmp_path).allows([1, 2], 3)


class Tight(MemoryBudget):
    def allows(self, busy: object, idle: int | None) -> bool:
        return False


@pytest.mark.parametrize(("memory", "most"), [(Tight(), 1), (None, 2)])
def test_without_room_one_worker_does_everything(memory: MemoryBudget | None, most: int) -> None:
    with WorkerPool(2, memory=memory) as pool:
        pool.start()
        found = [outcome.value for outcome in pool.run(os.getpid, [Call(number) for number in range(12)])]
    assert len(found) == 12
    assert len(set(found)) <= most
