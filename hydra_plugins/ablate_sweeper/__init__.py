"""What Hydra finds: the sweeper ``ablation`` and the launchers ``workers`` and ``isolated``.

Hydra imports this module at the start of every application in the environment, so it holds configuration and two empty
classes, and what it imports is light.
"""

# No `from __future__ import annotations`: Hydra executes this file outside sys.modules, where dataclasses cannot
# look up annotations that are strings.

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore

from ablate.sweep.launcher import ProcessLauncher as _ProcessLauncher
from ablate.sweep.sweeper import StudySweeper as _StudySweeper


class AblationSweeper(_StudySweeper):
    """``hydra/sweeper=ablation``."""


class WorkerLauncher(_ProcessLauncher):
    """``hydra/launcher=workers`` and ``hydra/launcher=isolated``."""


@dataclass
class AblationSweeperConf:
    """Fields of ``hydra.sweeper``; in our own application each stands under ``study`` as well."""

    _target_: str = "hydra_plugins.ablate_sweeper.AblationSweeper"
    name: Any = "${oc.select:study.name,null}"
    design: Any = "${oc.select:study.design,null}"
    seeds: Any = "${oc.select:study.seeds,3}"
    max_seeds: Any = "${oc.select:study.max_seeds,20}"
    seed_key: Any = "${oc.select:study.seed_key,seed}"
    metric: Any = "${oc.select:study.metric,null}"
    direction: Any = "${oc.select:study.direction,max}"
    margin: Any = "${oc.select:study.margin,null}"
    failures: Any = "${oc.select:study.failures,drop}"
    resolution: Any = "${oc.select:study.resolution,4}"
    cells: Any = "${oc.select:study.cells,null}"
    retry_failed: Any = "${oc.select:study.retry_failed,false}"
    keep_going: Any = "${oc.select:study.keep_going,true}"
    dry_run: Any = "${oc.select:study.dry_run,false}"
    factors: Any = "${oc.select:study.factors,null}"
    factors_from: Any = "${oc.select:study.factors_from,null}"
    requires: Any = "${oc.select:study.requires,null}"
    forbidden: Any = "${oc.select:study.forbidden,null}"
    statements: Any = "${oc.select:study.statements,null}"
    labels: Any = "${oc.select:study.labels,null}"
    blocks: Any = "${oc.select:study.blocks,null}"
    extra_factors: Any = "${oc.select:study.extra_factors,null}"
    ignore: Any = "${oc.select:study.ignore,null}"
    check: Any = "${oc.select:study.check,null}"
    preflight: Any = "${oc.select:study.preflight,null}"
    confirms: Any = None
    figures: Any = "${oc.select:study.figures,null}"
    width: Any = "${oc.select:study.width,null}"
    costs: Any = "${oc.select:study.costs,null}"
    diagrams: Any = "${oc.select:study.diagrams,null}"


@dataclass
class WorkersConf:
    """Worker processes that are used again for the next run."""

    _target_: str = "hydra_plugins.ablate_sweeper.WorkerLauncher"
    workers: Any = "${oc.select:study.workers,auto}"
    timeout: Any = None
    gpus: Any = None
    gpu_memory: Any = "${oc.select:study.gpu_memory,null}"


@dataclass
class IsolatedConf:
    """A process of its own for every run."""

    _target_: str = "hydra_plugins.ablate_sweeper.WorkerLauncher"
    workers: Any = "${oc.select:study.workers,auto}"
    jobs_per_worker: Any = field(default=1)
    timeout: Any = None
    gpus: Any = None
    gpu_memory: Any = "${oc.select:study.gpu_memory,null}"


_store = ConfigStore.instance()
_store.store(group="hydra/sweeper", name="ablation", node=AblationSweeperConf, provider="ablate")
_store.store(group="hydra/launcher", name="workers", node=WorkersConf, provider="ablate")
_store.store(group="hydra/launcher", name="isolated", node=IsolatedConf, provider="ablate")
