"""Every launcher that a study must be able to rely on, as it is typed."""

from __future__ import annotations

import importlib.util

import pytest

LAUNCHERS = {
    "basic": ("hydra/launcher=basic",),
    "joblib": ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
    "workers": ("hydra/launcher=workers", "hydra.launcher.workers=2"),
    "isolated": ("hydra/launcher=isolated", "hydra.launcher.workers=2"),
    "submitit": ("hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"),
    "ray": (
        "hydra/launcher=ray",
        "+hydra.launcher.ray.init.num_cpus=2",
        "+hydra.launcher.ray.init.include_dashboard=false",
        "+hydra.launcher.ray.init._node_ip_address=127.0.0.1",
    ),
}
_PLUGINS = {"joblib": "hydra_joblib_launcher", "submitit": "hydra_submitit_launcher", "ray": "hydra_ray_launcher"}


def need(launcher: str) -> None:
    """Skip the test where the launcher is not installed."""
    plugin = _PLUGINS.get(launcher)
    if plugin and importlib.util.find_spec(f"hydra_plugins.{plugin}") is None:
        pytest.skip(f"{plugin} is not installed")
