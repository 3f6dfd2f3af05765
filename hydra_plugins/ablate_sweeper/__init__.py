"""What Hydra finds: the sweeper ``ablation`` and the launchers ``workers`` and ``isolated``.

Hydra imports this module at the start of every application in the environment, and executes it outside ``sys.modules``;
so it holds two empty classes and nodes that are plain mappings, and what it imports is light.
"""

from hydra.core.config_store import ConfigStore

try:
    from ablate.study.setting import config_node as _config_node
    from ablate.study.settings import LAUNCHER_SETTINGS, STUDY_SETTINGS
    from ablate.sweep.launcher import ProcessLauncher as _ProcessLauncher
    from ablate.sweep.own_section import RESOLVER as _RESOLVER
    from ablate.sweep.sweeper import StudySweeper as _StudySweeper
except ModuleNotFoundError as _error:
    import ablate as _ablate

    if hasattr(_ablate, "__path__"):
        raise
    raise ImportError(
        f"'{_ablate.__file__}' hides the package ablate, which is a plugin of Hydra. Rename it."
    ) from None


class AblationSweeper(_StudySweeper):
    """``hydra/sweeper=ablation``."""


class WorkerLauncher(_ProcessLauncher):
    """``hydra/launcher=workers`` (processes that are used again) and ``hydra/launcher=isolated`` (one a run)."""


# Applications written for another sweeper may choose its "sampler", which must not be an error here.
_SWEEPER = {
    "defaults": ["_self_", {"optional sampler": None}],
    "_target_": f"hydra_plugins.ablate_sweeper.{AblationSweeper.__name__}",
    "_recursive_": False,
    "help": False,
    **_config_node(STUDY_SETTINGS, fallback="study", resolver=_RESOLVER),
}
_LAUNCHER = {
    "_target_": f"hydra_plugins.ablate_sweeper.{WorkerLauncher.__name__}",
    **_config_node(LAUNCHER_SETTINGS, resolver=_RESOLVER),
}

_store = ConfigStore.instance()
_store.store("ablation", _SWEEPER, "hydra/sweeper", provider="ablate")
_store.store("workers", _LAUNCHER, "hydra/launcher", provider="ablate")
_store.store("isolated", _LAUNCHER | {"jobs_per_worker": 1}, "hydra/launcher", provider="ablate")
