"""Published experiments as tables, typed as facts, each with its source and the analysis of variance printed of it.

Where a source prints four digits of F and p, these are R's (``summary(aov(...))``).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Published:
    """A table and what its source says of it.

    Args:
        header: The names of the columns.
        rows: The rows.
        settings: What ``ablate.adopt`` is to be told.
        tests: By term, F and p as printed.
        residual: Degrees of freedom of the (last) residual.
    """

    header: str
    rows: tuple[tuple[Any, ...], ...]
    settings: dict[str, Any]
    tests: dict[str, tuple[float, float]]
    residual: int
    strata: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path, order: list[int] | None = None) -> Path:
        """The table as a CSV file, its rows in another order if one is given."""
        rows = [self.rows[place] for place in order] if order else self.rows
        lines = [self.header, *(",".join(map(str, row)) for row in rows)]
        path = folder / "table.csv"
        path.write_text("\n".join(lines) + "\n")
        return path


def _numbers(text: str) -> Iterator[float]:
    return iter(map(float, text.split()))


def _crossed(values: str, *levels: list[Any]) -> tuple[tuple[Any, ...], ...]:
    """Rows of levels, the last ones varying fastest, each with the next number."""
    numbers = _numbers(values)
    return tuple((*row, next(numbers)) for row in itertools.product(*levels))


def _replicated(values: str, count: int, *levels: list[Any]) -> tuple[tuple[Any, ...], ...]:
    numbers = _numbers(values)
    return tuple((*row, next(numbers)) for row in itertools.product(*levels) for _ in range(count))


# F. Yates, Complex experiments, Supplement to the Journal of the Royal Statistical Society 2 (1935), 181-247; data set
# oats of R's package MASS, whose reference page prints summary(aov(Y ~ N*V + Error(B/V))).
OATS = Published(
    "B,V,N,Y",
    _crossed(
        "111 130 157 174 117 114 161 141 105 140 118 156 61 91 97 100 70 108 126 149 96 124 121 144 68 64 112 "
        "86 60 102 89 96 89 129 132 124 74 89 81 122 64 103 132 133 70 89 104 117 62 90 100 116 80 82 94 126 "
        "63 70 109 99 53 74 118 113 89 82 86 104 97 99 119 121",
        ["I", "II", "III", "IV", "V", "VI"],
        ["Victory", "Golden.rain", "Marvellous"],
        ["0.0cwt", "0.2cwt", "0.4cwt", "0.6cwt"],
    ),
    {"metric": "Y", "direction": "max", "seed": "B", "whole_plots": ["V"]},
    {"V": (1.485, 0.272), "N": (37.686, 2.46e-12), "V:N": (0.303, 0.932)},
    45,
    {"V": "seed:V", "N": "within", "V:N": "within"},
)

# D. C. Montgomery, Design and Analysis of Experiments, section 5.3: life of batteries, a two-factor factorial with four
# replicates in random order.
BATTERY = Published(
    "material,temperature,life",
    _replicated(
        "130 155 74 180 34 40 80 75 20 70 82 58 150 188 159 126 136 122 106 115 25 70 58 45 138 110 168 160 "
        "174 120 150 139 96 104 82 60",
        4,
        [1, 2, 3],
        [15, 70, 125],
    ),
    {"metric": "life", "direction": "max", "repeats": "replicates", "factors": ["material", "temperature"]},
    {"material": (7.9114, 0.001976), "temperature": (28.9677, 1.909e-07), "material:temperature": (3.5595, 0.018611)},
    27,
)

# Data set warpbreaks of R; the analysis is that of its reference page, summary(aov(breaks ~ wool*tension)).
WARPBREAKS = Published(
    "wool,tension,breaks",
    _replicated(
        "26 30 54 25 70 52 51 26 67 18 21 29 17 12 18 35 30 36 36 21 24 18 10 43 28 15 26 27 14 29 19 29 31 "
        "41 20 44 42 26 19 16 39 28 21 39 29 20 21 24 17 13 15 15 16 28",
        9,
        ["A", "B"],
        ["L", "M", "H"],
    ),
    {"metric": "breaks", "direction": "min", "repeats": "replicates", "factors": ["wool", "tension"]},
    {"wool": (3.765, 0.058213), "tension": (8.498, 0.000693), "wool:tension": (4.189, 0.021044)},
    48,
)

# Data set ToothGrowth of R (E. W. Crampton 1947), dose as a factor.
TOOTH_GROWTH = Published(
    "supp,dose,length",
    _replicated(
        "4.2 11.5 7.3 5.8 6.4 10 11.2 11.2 5.2 7 16.5 16.5 15.2 17.3 22.5 17.3 13.6 14.5 18.8 15.5 23.6 18.5 "
        "33.9 25.5 26.4 32.5 26.7 21.5 23.3 29.5 15.2 21.5 17.6 9.7 14.5 10 8.2 9.4 16.5 9.7 19.7 23.3 23.6 "
        "26.4 20 25.2 25.8 21.2 14.5 27.3 25.5 26.4 22.4 24.5 24.8 30.9 26.4 27.3 29.4 23",
        10,
        ["VC", "OJ"],
        [0.5, 1, 2],
    ),
    {"metric": "length", "direction": "max", "repeats": "replicates", "factors": ["supp", "dose"]},
    {"supp": (15.572, 0.000231), "dose": (92.0, 4.05e-18), "supp:dose": (4.107, 0.021860)},
    54,
)

# G. E. P. Box and D. R. Cox, An analysis of transformations, Journal of the Royal Statistical Society B 26 (1964),
# 211-252; data set poisons of R's package boot.
POISONS = Published(
    "treat,poison,time",
    _replicated(
        "0.31 0.45 0.46 0.43 0.36 0.29 0.4 0.23 0.22 0.21 0.18 0.23 0.82 1.1 0.88 0.72 0.92 0.61 0.49 1.24 "
        "0.3 0.37 0.38 0.29 0.43 0.45 0.63 0.76 0.44 0.35 0.31 0.4 0.23 0.25 0.24 0.22 0.45 0.71 0.66 0.62 "
        "0.56 1.02 0.71 0.38 0.3 0.36 0.31 0.33",
        4,
        ["A", "B", "C", "D"],
        [1, 2, 3],
    ),
    {"metric": "time", "direction": "max", "repeats": "replicates", "factors": ["treat", "poison"]},
    {"poison": (23.222, 3.33e-07), "treat": (13.806, 3.78e-06), "treat:poison": (1.874, 0.1123)},
    36,
)

# Data set npk of R (W. N. Venables and B. D. Ripley, Modern Applied Statistics with S, 2002): summary(aov(yield ~ block
# + N*P*K)), N:P:K being confounded with blocks.
NPK = Published(
    "block,N,P,K,yield",
    tuple(
        (block, n, p, k, value)
        for block, plots in enumerate(
            (
                ((0, 1, 1, 49.5), (1, 1, 0, 62.8), (0, 0, 0, 46.8), (1, 0, 1, 57.0)),
                ((1, 0, 0, 59.8), (1, 1, 1, 58.5), (0, 0, 1, 55.5), (0, 1, 0, 56.0)),
                ((0, 1, 0, 62.8), (1, 1, 1, 55.8), (1, 0, 0, 69.5), (0, 0, 1, 55.0)),
                ((1, 0, 0, 62.0), (1, 1, 1, 48.8), (0, 0, 1, 45.5), (0, 1, 0, 44.2)),
                ((1, 1, 0, 52.0), (0, 0, 0, 51.5), (1, 0, 1, 49.8), (0, 1, 1, 48.8)),
                ((1, 0, 1, 57.2), (1, 1, 0, 59.0), (0, 1, 1, 53.2), (0, 0, 0, 56.0)),
            ),
            start=1,
        )
        for n, p, k, value in plots
    ),
    {"metric": "yield", "direction": "max", "seed": "block", "factors": ["N", "P", "K"]},
    {
        "block": (4.447, 0.01594),
        "N": (12.259, 0.00437),
        "P": (0.544, 0.47490),
        "K": (6.166, 0.02880),
        "N:P": (1.378, 0.26317),
        "N:K": (2.146, 0.16865),
        "P:K": (0.031, 0.86275),
    },
    12,
)

# Montgomery, section 4.2: burning rate of a rocket propellant, formulations in a Latin square of batches and operators.
ROCKET = Published(
    "batch,operator,formulation,rate",
    tuple(
        (batch, operator, cell[0], float(cell[2:]))
        for batch, row in enumerate(
            (
                "A=24 B=20 C=19 D=24 E=24",
                "B=17 C=24 D=30 E=27 A=36",
                "C=18 D=38 E=26 A=27 B=21",
                "D=26 E=31 A=26 B=23 C=22",
                "E=22 A=30 B=20 C=29 D=31",
            ),
            start=1,
        )
        for operator, cell in enumerate(row.split(), start=1)
    ),
    {"metric": "rate", "direction": "max", "factors": ["batch", "operator", "formulation"]},
    {"formulation": (7.734, 0.002537), "batch": (1.594, 0.239059), "operator": (3.516, 0.040373)},
    12,
)

# Montgomery, section 14.4: tensile strength of paper by pulp preparation (whole plots) and cooking temperature.
PAPER = Published(
    "replicate,temperature,preparation,strength",
    _crossed(
        "30 34 29 35 41 26 37 38 33 36 42 36 28 31 31 32 36 30 40 42 32 41 40 40 31 35 32 37 40 34 41 39 39 40 44 45",
        [1, 2, 3],
        [200, 225, 250, 275],
        [1, 2, 3],
    ),
    {"metric": "strength", "direction": "max", "whole_plots": ["preparation"]},
    {"preparation": (7.08, 0.0485), "temperature": (36.43, 7.45e-08), "temperature:preparation": (3.15, 0.0271)},
    18,
    {"preparation": "seed:preparation", "temperature": "within", "temperature:preparation": "within"},
)

# G. B. Hunter, F. S. Hodi and T. W. Eagar, High-cycle fatigue of weld repaired cast Ti-6Al-4V, Metallurgical
# Transactions A 13 (1982), 1589-1594, as analysed by C. F. J. Wu and M. Hamada, Experiments (2000), chapter 8: a
# Plackett-Burman plan of twelve runs; effects in log cycles.
FATIGUE = Published(
    "A,B,C,D,E,F,G,cycles",
    tuple(
        (*(1 if sign == "+" else -1 for sign in signs), value)
        for signs, value in (
            ("++-+++-", 6.058),
            ("+-+++--", 4.733),
            ("-+++---", 4.625),
            ("+++---+", 5.899),
            ("++---+-", 7.000),
            ("+---+-+", 5.752),
            ("---+-++", 5.682),
            ("--+-++-", 6.607),
            ("-+-++-+", 5.818),
            ("+-++-++", 5.917),
            ("-++-+++", 5.863),
            ("-------", 4.809),
        )
    ),
    {
        "metric": "cycles",
        "direction": "max",
        "seed": None,
        "factors": list("ABCDEFG"),
        "reference": dict.fromkeys("ABCDEFG", "-1"),
    },
    {},
    4,
)
FATIGUE_EFFECTS = {"A": 0.326, "B": 0.294, "C": -0.246, "D": -0.516, "E": 0.150, "F": 0.915, "G": 0.183}
