"""Curves of many runs: read together, and written as pandas would write them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from ablate.characters import frame_csv
from ablate.store import RunFolder
from ablate.store.curves import curves_csv, read_curves

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=8)
ROWS = st.lists(st.tuples(TEXTS, st.integers(-5, 2**40), st.floats(), st.floats(-2, 2)), max_size=20)


@given(ROWS)
def test_the_csv_is_the_one_of_pandas(rows: list[tuple[str, int, float, float]]) -> None:
    columns = ("cell", "epoch", "loss, in bits", "rate")
    frame = pd.DataFrame(
        {name: [row[place] for row in rows] for place, name in enumerate(columns)},
    ).astype({"cell": object, "epoch": int, "loss, in bits": float, "rate": float})
    assert curves_csv(frame) == frame_csv(frame).encode()


def test_numbers_of_every_size_are_written_as_python_writes_them() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=20_000) * 10.0 ** random.integers(-30, 30, 20_000)
    whole = [0.0, -0.0, 1.0, 1e9, 123456789012.0, 1e15, 1e16, 1e-4, 1e-5, 5e-324, 1.7e308, math.inf, -math.inf]
    frame = pd.DataFrame({"epoch": 1, "loss": [*values, *whole, math.nan]})
    assert curves_csv(frame) == frame.to_csv(index=False).encode()


def folders(root: Path, texts: list[str]) -> list[RunFolder]:
    for place, text in enumerate(texts):
        (root / str(place)).mkdir()
        (root / str(place) / "curves.csv").write_text(text)
    return [RunFolder(root / str(place)) for place in range(len(texts))]


def test_runs_with_other_columns_keep_their_order(tmp_path: Path) -> None:
    texts = [
        "epoch,loss\n1,0.5\n",
        "epoch,loss,rate\n1,0.25,nan\n2,0.125,1e-3\n",
        "loss,epoch\n4,1\n",
        "epoch,loss\n1,2\n",
    ]
    curves = read_curves(folders(tmp_path, texts))
    table = curves.table
    assert curves.missing == curves.changes == {}
    assert list(table.columns) == ["run", "epoch", "loss", "rate"]
    assert table["run"].tolist() == [0, 1, 1, 2, 3]
    assert table["loss"].tolist() == [0.5, 0.25, 0.125, 4.0, 2.0]
    assert table["rate"].isna().tolist() == [True, True, False, True, True]


def test_numbers_are_read_exactly(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=500).tolist()
    lines = "".join(f"{epoch},{value!r}\n" for epoch, value in enumerate(values))
    table = read_curves(folders(tmp_path, [f"epoch,loss\n{lines}"])).table
    assert table["loss"].tolist() == values


def test_a_run_without_a_complete_line_has_no_curve_and_no_fault(tmp_path: Path) -> None:
    curves = read_curves(folders(tmp_path, ["", "epoch,loss\n", "epoch,loss\n1,0."]))
    assert curves.table.empty and curves.missing == {}
