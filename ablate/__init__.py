"""Ablation studies of neural networks: from the design to the paper, with honest statistics.

```python
import ablate

study = ablate.load("outputs/residual")     # what `python -m ablate -m residual=true,false` left behind
study.effects                               # a DataFrame: paired differences, intervals, verdicts
ablate.draw("effects", study, ax=my_axes)   # the "w/o X" chart on your own axes
print(ablate.table(study, "latex"))         # the table for the paper
```

Public interface:

* `load` reads a study, `run` carries one out with a function of your own, `adopt` makes one of results that another
  tool wrote; each gives a `Summary`. `draw` and `table` turn it into figures and tables.
* `merge` puts parts of one study together, `compare` several studies side by side.
* `Study`, `Factor`, `Level`, `Cell`, `Plan` and `make_plan` are what a study consists of.
* `Observer` is the protocol of whoever is notified of each `Event` while a study trains: `StudyStarted`, `RunStarted`,
  `EpochEnded`, `RunEnded` and `StudyEnded` (see :mod:`ablate.sweep.events`). `run` takes observers:

  ```python
  class PrintResults:
      def on_event(self, event: ablate.Event) -> None:
          if isinstance(event, ablate.RunEnded):
              print(event.cell.label, event.run.seed, event.metrics)

  ablate.run(train, {"residual": [True, False]}, observers=[PrintResults()])
  ```
* `AblateError` is the base of all errors of this package.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablate.analysis import Summary
    from ablate.api import draw, load, table
    from ablate.errors import AblateError
    from ablate.foreign.study import adopt
    from ablate.merging import compare, merge
    from ablate.study import Cell, Factor, Level, Plan, Study, make_plan
    from ablate.sweep.events import EpochEnded, Event, Observer, RunEnded, RunStarted, StudyEnded, StudyStarted
    from ablate.sweep.function_study import run

__all__ = [
    "AblateError",
    "Cell",
    "EpochEnded",
    "Event",
    "Factor",
    "Level",
    "Observer",
    "Plan",
    "RunEnded",
    "RunStarted",
    "Study",
    "StudyEnded",
    "StudyStarted",
    "Summary",
    "adopt",
    "compare",
    "draw",
    "load",
    "make_plan",
    "merge",
    "run",
    "table",
]

__version__ = "0.1.0"

# Names are imported when they are used: pandas and matplotlib cost a second that --help must not pay.
_MODULES = {
    "ablate.analysis": ("Summary",),
    "ablate.api": ("draw", "load", "table"),
    "ablate.errors": ("AblateError",),
    "ablate.foreign.study": ("adopt",),
    "ablate.merging": ("compare", "merge"),
    "ablate.study": ("Cell", "Factor", "Level", "Plan", "Study", "make_plan"),
    "ablate.sweep.events": ("EpochEnded", "Event", "Observer", "RunEnded", "RunStarted", "StudyEnded", "StudyStarted"),
    "ablate.sweep.function_study": ("run",),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module 'ablate' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
