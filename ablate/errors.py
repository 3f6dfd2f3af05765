"""Everything that can go wrong and that a user can mend, as one tree.

```
AblateError                 a message for the user; the command line prints it and exits with 2
├── ConfigError             a key or value that the configuration does not allow
│   └── DesignError         factors, levels or constraints that make no study
├── StoreError              a folder that cannot be written, or belongs to another study
├── AnalysisError           numbers from which the asked-for result does not follow
├── RunError                a run that could not be carried out
│   ├── Diverged            a loss that is not a number
│   └── MissingMetric       a task that returned no number and wrote none
└── NetworkError            a model or data set that cannot do what was asked (Keras layer)
```

A message names the value received, what is allowed, and the nearest match or the fix; where several
things are wrong it names all of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from ablate.characters import printable


class AblateError(Exception):
    """The root of all errors that a user can mend."""

    def __str__(self) -> str:
        return printable(super().__str__())  # messages quote what was typed, read or raised


class ConfigError(AblateError, ValueError):
    """A key or value that the configuration does not allow."""


class DesignError(ConfigError):
    """Factors, levels or constraints that make no study."""


class StoreError(AblateError):
    """A folder that cannot be read or written, or that belongs to another study."""


class AnalysisError(AblateError, ValueError):
    """Numbers from which the asked-for result does not follow."""


class RunError(AblateError, RuntimeError):
    """A run that could not be carried out."""


class MissingMetric(RunError):
    """A run has ended, and neither what it returned nor what it wrote holds the metric."""


class Diverged(RunError):
    """A training whose loss left the numbers; the engine records the run as failed for that reason."""


class NetworkError(AblateError, ValueError):
    """A model or a data set that cannot do what was asked of it."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """The sentence that ends a message about an unknown word.

    Args:
        word: What the user wrote.
        known: All words that would have been right.

    Returns:
        ``" Did you mean 'residual'?"`` with a leading blank, or an empty string when nothing is near.

    Example:
        >>> suggestion("residul", ["residual", "bias"])
        " Did you mean 'residual'?"
        >>> suggestion("zzz", ["residual", "bias"])
        ''
    """
    names = sorted(set(known))
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if not near:
        tails = {name.rsplit(".", 1)[-1]: name for name in names}
        near = [tails[hit] for hit in difflib.get_close_matches(word.rsplit(".", 1)[-1], tails, n=1, cutoff=0.7)]
    return f" Did you mean '{near[0]}'?" if near else ""
