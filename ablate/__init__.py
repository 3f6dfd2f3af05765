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
* `AblateError` is what all errors of this package are.
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
    from ablate.sweep.function_study import run

__all__ = [
    "AblateError",
    "Cell",
    "Factor",
    "Level",
    "Plan",
    "Study",
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

_MODULES = {
    "AblateError": "ablate.errors",
    "Summary": "ablate.analysis",
    "adopt": "ablate.foreign.study",
    "compare": "ablate.merging",
    "draw": "ablate.api",
    "load": "ablate.api",
    "merge": "ablate.merging",
    "run": "ablate.sweep.function_study",
    "table": "ablate.api",
}


def __getattr__(name: str) -> Any:
    # Names are imported when they are used: pandas and matplotlib cost a second that --help must not pay.
    if name not in __all__:
        raise AttributeError(f"module 'ablate' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES.get(name, "ablate.study")), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
