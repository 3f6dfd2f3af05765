"""Hydra's own tests of launchers, for ours under Hydra's basic sweeper.

Our sweeper cannot pass Hydra's tests of sweepers: these sweep over applications without a seed (a study repeats every
cell with several seeds and refuses a configuration without one), whose task returns nothing to compare (a run that
returns no number has failed), and they expect jobs numbered and stored in the order of the command line, where a study
stores runs by cell and seed and trains none twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hydra import version
from hydra.test_utils.launcher_common_tests import IntegrationTestSuite, LauncherTestSuite

LAUNCHERS = ("workers", "isolated")


@pytest.fixture(autouse=True)
def first_version_base() -> Iterator[None]:
    """The suites are for applications that name no version of Hydra; other tests of the same process name one."""
    before = version.VersionBase.instance().version_base
    version.VersionBase.instance().setbase(version.__compat_version__)
    yield
    version.VersionBase.instance().version_base = before


@pytest.mark.parametrize(("launcher_name", "overrides"), [(name, ["hydra.launcher.workers=1"]) for name in LAUNCHERS])
class TestLaunchers(LauncherTestSuite):
    pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task_launcher_cfg", "extra_flags"),
    [({}, ["-m", f"hydra/launcher={name}", "hydra.launcher.workers=1"]) for name in LAUNCHERS],
    ids=LAUNCHERS,
)
class TestIntegration(IntegrationTestSuite):
    pass
