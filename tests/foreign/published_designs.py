"""Published experiments as tables, typed as facts, each with its source and its analysis of variance.

F and p are those of R 4.2.2 (R Core Team, 2022), by the call that stands above each table, all columns but the response
being factors; they agree with what the sources print, as far as they print digits.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Published:
    """A table and what its source says of it.

    Args:
        header: The names of the columns.
        rows: The rows.
        settings: What ``ablate.adopt`` is to be told.
        tests: By term, F and p of R.
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
# oats of R's package MASS. summary(aov(Y ~ N*V + Error(B/V))), as on its reference page.
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
    {"V": (1.4853404, 0.27238686), "N": (37.685647, 2.4577096e-12), "V:N": (0.30282353, 0.93219876)},
    45,
    {"V": "seed:V", "N": "within", "V:N": "within"},
)

# D. C. Montgomery, Design and Analysis of Experiments, section 5.3: life of batteries, a two-factor factorial with four
# replicates in random order. summary(aov(life ~ material*temperature)).
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
    {
        "material": (7.9113723, 0.0019760826),
        "temperature": (28.967692, 1.9085959e-07),
        "material:temperature": (3.5595354, 0.018611168),
    },
    27,
)

# Data set warpbreaks of R (J. W. Tukey, Exploratory Data Analysis, 1977). summary(aov(breaks ~ wool*tension)), as on
# its reference page.
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
    {
        "wool": (3.7652884, 0.058212976),
        "tension": (8.4980466, 0.00069262094),
        "wool:tension": (4.189069, 0.021044191),
    },
    48,
)

# The same without its first five rows: drop1(aov(breaks ~ wool*tension), ~ ., test = "F"), contrasts summing to zero.
UNBALANCED = replace(
    WARPBREAKS,
    rows=WARPBREAKS.rows[5:],
    tests={
        "wool": (6.34352193, 0.0155817964),
        "tension": (10.7862056, 0.0001597942716),
        "wool:tension": (6.04153394, 0.00487171869),
    },
    residual=43,
)

# Data set ToothGrowth of R (E. W. Crampton 1947), dose as a factor. summary(aov(len ~ supp*dose)).
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
    {
        "supp": (15.571979, 0.00023118281),
        "dose": (91.999965, 4.0462912e-18),
        "supp:dose": (4.1069911, 0.021860269),
    },
    54,
)

# G. E. P. Box and D. R. Cox, An analysis of transformations, Journal of the Royal Statistical Society B 26 (1964),
# 211-252; data set poisons of R's package boot. summary(aov(time ~ treat*poison)).
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
    {
        "poison": (23.221737, 3.33144e-07),
        "treat": (13.805582, 3.7773306e-06),
        "treat:poison": (1.8743326, 0.11225061),
    },
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
        "block": (4.4466664, 0.01593879),
        "N": (12.258734, 0.0043718118),
        "P": (0.54412982, 0.47490409),
        "K": (6.1656892, 0.028795054),
        "N:P": (1.3782967, 0.26316528),
        "N:K": (2.145972, 0.16864788),
        "P:K": (0.031194905, 0.86275209),
    },
    12,
)

# Montgomery, section 4.2: burning rate of a rocket propellant, formulations in a Latin square of batches and operators.
# summary(aov(rate ~ batch + operator + formulation)).
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
    {
        "formulation": (7.734375, 0.0025365018),
        "batch": (1.59375, 0.23905854),
        "operator": (3.515625, 0.040373048),
    },
    12,
)

# Montgomery, section 14.4: tensile strength of paper by pulp preparation (whole plots) and cooking temperature.
# summary(aov(strength ~ preparation*temperature + Error(replicate/preparation))).
PAPER = Published(
    "replicate,temperature,preparation,strength",
    _crossed(
        "30 34 29 35 41 26 37 38 33 36 42 36 28 31 31 32 36 30 40 42 32 41 40 40 31 35 32 37 40 34 41 39 39 40 44 45",
        [1, 2, 3],
        [200, 225, 250, 275],
        [1, 2, 3],
    ),
    {"metric": "strength", "direction": "max", "whole_plots": ["preparation"]},
    {
        "preparation": (7.0781011, 0.048536669),
        "temperature": (36.426573, 7.4485976e-08),
        "temperature:preparation": (3.1538462, 0.027109379),
    },
    18,
    {"preparation": "seed:preparation", "temperature": "within", "temperature:preparation": "within"},
)

# G. B. Hunter, F. S. Hodi and T. W. Eagar, High-cycle fatigue of weld repaired cast Ti-6Al-4V, Metallurgical
# Transactions A 13 (1982), 1589-1594, as analysed by C. F. J. Wu and M. Hamada, Experiments (2000), chapter 8: a
# Plackett-Burman plan of twelve runs. summary(lm(cycles ~ A+B+C+D+E+F+G)), columns being numbers: F is the square of t.
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
    {
        "A": (0.90615759, 0.39504077),
        "B": (0.73691064, 0.43904837),
        "C": (0.51581533, 0.51234618),
        "D": (2.2740112, 0.20604759),
        "E": (0.19161504, 0.68417489),
        "F": (7.1484696, 0.055593724),
        "G": (0.28635554, 0.62092997),
    },
    4,
)
FATIGUE_EFFECTS = {
    **{"A": 0.32583333, "B": 0.29383333, "C": -0.24583333, "D": -0.51616667},
    **{"E": 0.14983333, "F": 0.91516667, "G": 0.18316667},
}
"""Twice R's coefficients; rounded to three digits they are those that are printed."""
