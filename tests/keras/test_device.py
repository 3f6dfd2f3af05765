from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("keras")

from ablate.keras import device

pytestmark = pytest.mark.keras


class _Config:
    """What TensorFlow says of one GPU, and what it was told."""

    def __init__(self) -> None:
        self.limits = None
        self.grows = False
        self.threading = device.tf.config.threading
        self.LogicalDeviceConfiguration = device.tf.config.LogicalDeviceConfiguration
        self.experimental = SimpleNamespace(
            get_memory_growth=lambda gpu: self.grows,
            set_memory_growth=lambda gpu, value: setattr(self, "grows", value),
            enable_op_determinism=lambda: None,
        )

    def get_logical_device_configuration(self, gpu):
        return self.limits

    def set_logical_device_configuration(self, gpu, limits):
        assert not self.grows  # TensorFlow refuses both
        assert self.limits is None  # and a second limit, once it runs
        self.limits = limits


@pytest.fixture
def config(monkeypatch):
    """One made-up GPU."""
    made = _Config()
    monkeypatch.setattr(device, "tf", SimpleNamespace(config=made))
    monkeypatch.setattr(device, "_GPUS", ["GPU:0"])
    return made


def test_a_worker_that_shares_a_gpu_has_its_part_and_no_more(config, monkeypatch):
    monkeypatch.setattr(device, "_GPU_MEMORY", 2.5)
    device.prepare(1)
    device.prepare(1)
    assert [limit.memory_limit for limit in config.limits] == [2560]
    assert not config.grows


def test_a_worker_with_a_gpu_of_its_own_grows(config, monkeypatch):
    monkeypatch.setattr(device, "_GPU_MEMORY", None)
    device.prepare(1)
    assert config.limits is None
    assert config.grows
