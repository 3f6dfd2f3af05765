"""How wide figures are: the columns of the usual venues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["DEFAULT", "PAPERS", "Paper"]


@dataclass(frozen=True)
class Paper:
    """Two widths in inches.

    Args:
        column: Of one column, for figures that need little room.
        text: Of the whole text, for figures of several panels; equal to ``column`` where there is one column only.
    """

    column: float
    text: float


PAPERS: Mapping[str, Paper] = {
    # 3.35 inches fit one column, and 6.75 both, of IEEE, ACM, ICML, CVPR and Elsevier alike.
    "auto": Paper(3.35, 6.75),
    "one": Paper(3.35, 3.35),
    "two": Paper(6.75, 6.75),
    "aaai": Paper(3.3, 7.0),
    "acl": Paper(3.03, 6.3),
    "acm": Paper(3.33, 7.0),
    "cvpr": Paper(3.25, 6.875),
    "elsevier": Paper(3.54, 7.48),
    "iclr": Paper(5.5, 5.5),
    "icml": Paper(3.25, 6.75),
    "ieee": Paper(3.5, 7.16),
    "jmlr": Paper(6.0, 6.0),
    "lncs": Paper(4.8, 4.8),
    "nature": Paper(3.5, 7.2),
    "neurips": Paper(5.5, 5.5),
}
"""Widths by name, as the templates of the venues have them: ``auto`` for either one column or both, as a figure needs,
``one`` and ``two`` for always one or both, or a venue."""

DEFAULT = "auto"
