"""The numbers of one file: what its rows are, and which column counts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["single", "curve", "rows"]
"""What the rows of a table of results are.

``single``: one row, the result. ``curve``: a row an epoch or step. ``rows``: several rows that nothing tells apart;
they are no replicates, since they belong to one run.
"""


@dataclass(frozen=True, eq=False)
class NumberTable:
    """The numeric columns of a file of results.

    Args:
        kind: What its rows are.
        frame: The numbers; of a curve a row a step, in order.
        step: The column that counts epochs or steps, in a curve.
        is_repeated: Whether the file has several rows of an epoch with numbers in one column, of which the last counts.
    """

    kind: Kind
    frame: pd.DataFrame
    step: str = ""
    is_repeated: bool = False

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the numbers, without the column that counts."""
        return tuple(str(name) for name in self.frame.columns if name != self.step)

    def result(self) -> dict[str, float]:
        """One number a column: the only one, the last of a curve, or the mean of rows."""
        columns = {name: self.frame[name].dropna() for name in self.metrics}
        return {
            name: float(values.mean() if self.kind == "rows" else values.iloc[-1])
            for name, values in columns.items()
            if len(values)
        }
