from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ablate.errors import ConfigError
from ablate.study.setting import written
from ablate.sweep.calls import Call
from ablate.sweep.gpus import Gpu, assign_gpus, visible_gpus, worker_environments
from ablate.sweep.launcher import ProcessLauncher

TWO = "0, GPU-aaa1, 10240\n1, GPU-bbb2, 5120\n"


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, int], None]:
    """Installs an `nvidia-smi` that prints a text, if it is called with the right arguments."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def install(answer: str, code: int = 0) -> None:
        (tmp_path / "answer").write_text(answer)
        tool = tmp_path / "nvidia-smi"
        question = "--query-gpu=index,uuid,memory.free --format=csv,noheader,nounits"
        tool.write_text(f'#!/bin/sh\n[ "$*" = "{question}" ] || exit 2\ncat "{tmp_path}/answer"\nexit {code}\n')
        tool.chmod(0o755)

    return install


@pytest.mark.parametrize(
    ("visible", "names"),
    [("", []), ("-1", []), ("0", ["0"]), ("2, 5", ["2", "5"]), ("GPU-a,MIG-b", ["GPU-a", "MIG-b"])],
)
def test_visible_gpus_are_found(visible: str, names: list[str]) -> None:
    found = visible_gpus(environment={"CUDA_VISIBLE_DEVICES": visible})
    assert [gpu.name for gpu in found] == names
    assert worker_environments(assign_gpus(found, None, 2), None) == [{"CUDA_VISIBLE_DEVICES": name} for name in names]


def test_named_gpus_come_before_what_is_visible() -> None:
    visible = {"CUDA_VISIBLE_DEVICES": "0"}
    assert [gpu.name for gpu in visible_gpus([3, "GPU-a"], visible)] == ["3", "GPU-a"]
    assert visible_gpus([], visible) == ()


def test_gpus_of_the_driver_are_the_default(driver: Callable[..., None]) -> None:
    driver(TWO)
    found = visible_gpus()
    assert found == (Gpu("0", 10.0, by_driver=True), Gpu("1", 5.0, by_driver=True))
    # CUDA counts the fastest first unless it is told to count like the driver.
    assert worker_environments(assign_gpus(found, None, 1), None) == [
        {"CUDA_VISIBLE_DEVICES": "0", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
        {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
    ]
    driver("NVIDIA-SMI has failed", 9)
    assert visible_gpus() == ()
    driver("No devices were found\n")
    assert visible_gpus() == ()


def test_the_memory_of_named_gpus_is_looked_up(driver: Callable[..., None]) -> None:
    driver(TWO + "2, GPU-bbb3, [N/A]\n")
    free = {gpu.name: gpu.free for gpu in visible_gpus(["GPU-a", "1", "GPU-bbb", "2", "MIG-c", 7])}
    assert free == {"GPU-a": 10.0, "1": 5.0, "GPU-bbb": None, "2": None, "MIG-c": None, "7": None}


@pytest.mark.parametrize(
    ("free", "need", "cores", "shared"),
    [
        ([10.0, 5.0], None, 1, "01"),
        ([10.0, 5.0], 2.0, 8, "010100"),  # half a GiB beside each worker's two
        ([10.0, 5.0], 2.0, 3, "010"),
        ([10.0, 5.0], 2.0, 1, "01"),  # a GPU is never idle for want of cores
        ([10.0, 5.0], 4.6, 8, "0"),
        ([1.0, 10.0], 9.5, 8, "1"),
        ([None, 5.0], 2.0, 8, "011"),
        ([None, 1.0], 2.0, 8, "0"),
        ([], 2.0, 8, ""),
    ],
)
def test_a_gpu_has_as_many_workers_as_its_memory_bears(
    free: list[float | None], need: float | None, cores: int, shared: str
) -> None:
    gpus = [Gpu(str(place), value) for place, value in enumerate(free)]
    assert "".join(gpu.name for gpu in assign_gpus(gpus, need, cores)) == shared


@pytest.mark.parametrize(("free", "mend"), [((10.0, 5.25), "Write at most 9.5"), ((0.5, 0.25), "Free a GPU")])
def test_more_memory_than_any_gpu_has_free_is_refused(free: tuple[float, float], mend: str) -> None:
    with pytest.raises(ConfigError) as caught:
        assign_gpus([Gpu("0", free[0]), Gpu("GPU-b", free[1])], 12, 8)
    assert str(caught.value) == (
        f"gpu_memory=12: no GPU has as many GiB free, and 0.5 for CUDA itself: GPU 0 has {free[0]:.1f}, GPU GPU-b has "
        f"{free[1]:.1f}. {mend}, or null for one worker a GPU."
    )


def _seen(*names: str) -> list[str | None]:
    return [os.environ.get(name) for name in names]


def test_workers_that_share_gpus_have_their_share_in_the_environment(
    driver: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver(TWO)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert ProcessLauncher(gpu_memory=4).pool.slots == 3
    assert ProcessLauncher().pool.slots == 2
    names = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "ABLATE_GPU_MEMORY", "ABLATE_WORKERS")
    with ProcessLauncher(workers=2, gpu_memory=4).pool as pool:  # the number that was asked for counts
        seen = [outcome.value for outcome in pool.run(_seen, [Call(place, names) for place in range(2)])]
    assert {tuple(values) for values in seen} <= {("0", "PCI_BUS_ID", "4", "2"), ("1", "PCI_BUS_ID", "4", "2")}


@pytest.mark.parametrize("value", [0, -1, True, "much", float("nan"), float("inf")])
def test_invalid_memory_is_refused(value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        ProcessLauncher(gpu_memory=value)  # type: ignore[arg-type]
    assert str(caught.value) == f"gpu_memory={written(value)}: must be a number above 0, or null."


def test_a_study_that_asks_for_too_much_trains_nothing(toy_here: Any, driver: Callable[..., None]) -> None:
    driver(TWO)
    ended = toy_here.call("depth=1,2", "hydra/launcher=workers", "hydra.launcher.gpu_memory=24")
    assert (ended.code, ended.err) == (
        2,
        "gpu_memory=24: no GPU has as many GiB free, and 0.5 for CUDA itself: GPU 0 has 10.0, GPU 1 has 5.0. Write at "
        "most 9.5, or null for one worker a GPU.\n",
    )
