"""Tasks: what networks are trained for.

A task is one file with a subclass of `Task`, registered here by one line. Packages bring theirs by the entry-point
group ``ablate.tasks``. Importing this package loads neither Keras nor TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ablate.errors import suggestion
from ablate.keras.tasks.classification import Classification
from ablate.keras.tasks.multi_label import MultiLabel
from ablate.keras.tasks.regression import Regression
from ablate.keras.tasks.segmentation import Segmentation
from ablate.keras.tasks.sequence import Sequence
from ablate.keras.tasks.task import Objective, Task
from ablate.objects import Registry
from ablate.study.setting import check_section, written

__all__ = ["DEFAULT", "TASKS", "Objective", "Task", "check_task", "chosen_task"]

DEFAULT = "classification"
"""The task where a configuration names none."""

TASKS: Registry[Task] = Registry("task", group="ablate.tasks")
"""All tasks by name."""

for _task in (Classification(), MultiLabel(), Regression(), Segmentation(), Sequence()):
    TASKS.register(_task)


def check_task(config: Any) -> tuple[Task, dict[str, Any], list[str]]:
    """The task of a configuration, its section with the defaults, and every fault in it.

    Args:
        config: The ``task`` node of the configuration; None or empty is the default task.

    Returns:
        The task, the values by key, and a sentence a fault.

    Example:
        >>> task, values, faults = check_task({"name": "regresion"})
        >>> faults[0].split(": ")[0], faults[0].split("? ")[0][-26:]
        ('task.name=regresion', "Did you mean 'regression'?")
    """
    config = config or {}
    if not isinstance(config, Mapping):
        default = TASKS[DEFAULT]
        message = f"task={written(config)}: must be one of {', '.join(TASKS)}; a function that trains is trainer=..."
        return default, check_section("task", {}, default.settings)[0], [message]
    name = config.get("name", DEFAULT)
    if name not in TASKS:
        default = TASKS[DEFAULT]
        message = f"task.name={written(name)}: must be one of {', '.join(TASKS)}.{suggestion(str(name), TASKS)}"
        return default, check_section("task", {}, default.settings)[0], [message]
    task = TASKS[name]
    values, faults = check_section("task", config, task.settings)
    return task, values, faults


def chosen_task(config: Mapping[str, Any]) -> tuple[Task, dict[str, Any]]:
    """The task of the configuration of a run, which was checked, and the values of its keys.

    Args:
        config: The resolved config of a run.
    """
    task, values, _ = check_task(config.get("task"))
    return task, values
