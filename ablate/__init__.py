"""Ablation studies of neural networks: from the design to the paper, with honest statistics.

```python
import ablate

study = ablate.load("outputs/residual")     # what `python -m ablate -m residual=true,false` left behind
study.effects                               # a DataFrame: paired differences, intervals, verdicts
ablate.draw("effects", study, ax=my_axes)   # the "w/o X" chart on your own axes
print(ablate.table(study, "latex"))         # the table for the paper
```
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablate.api import draw, load, table
    from ablate.errors import AblateError
    from ablate.study import Cell, Factor, Level, Plan, Study, make_plan
    from ablate.sweep.function_study import run

__all__ = ["AblateError", "Cell", "Factor", "Level", "Plan", "Study", "draw", "load", "make_plan", "run", "table"]

__version__ = "0.1.0"

_HOMES = {
    "AblateError": "ablate.errors",
    "draw": "ablate.api",
    "load": "ablate.api",
    "run": "ablate.sweep.function_study",
    "table": "ablate.api",
}


def __getattr__(name: str) -> Any:
    # Names are imported when they are used: pandas and matplotlib cost a second that --help must not pay.
    if name not in __all__:
        raise AttributeError(f"module 'ablate' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, "ablate.study")), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
