from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from ablate.tables import costs_table, csv, latex, markdown

RATIOS = ("weights_ratio", "flops_ratio", "activations_ratio", "latency_ratio", "step_ratio")


@pytest.fixture
def summary():
    rows = [
        ("full", 4672, 2_392_064.0, 32768, 0.00125, 0.01, 8, *(1.0,) * 5),
        ("w/o separable", 36864, float("nan"), 32768, 0.001375, 0.0205, 8, 7.8904, float("nan"), 1.0, 1.1, 2.05),
    ]
    columns = ["cell", "weights", "flops", "activations", "latency", "step", "batch", *RATIOS]
    return SimpleNamespace(study=SimpleNamespace(name="demo"), costs=pd.DataFrame(rows, columns=columns))


def test_each_number_stands_beside_that_of_the_full_network(summary):
    lines = markdown(costs_table(summary)).splitlines()
    assert lines[0] == "| cell | weights | MFLOPs | activations | latency (ms) | training step (ms) |"
    assert lines[2:4] == [
        "| full | 4,672 (1.00 ×) | 2.39 (1.00 ×) | 32,768 (1.00 ×) | 1.25 (1.00 ×) | 10 (1.00 ×) |",
        "| w/o separable | 36,864 (7.89 ×) | – | 32,768 (1.00 ×) | 1.38 (1.10 ×) | 20.5 (2.05 ×) |",
    ]
    assert lines[5].endswith("training step of 8 images, medians of measurements in turn in one process.")
    assert (
        csv(costs_table(summary)).splitlines()[2]
        == "w/o separable,36864,7.890,,,32768,1.000,1.37500,1.100,20.5000,2.050"
    )
    source = latex(costs_table(summary))
    assert "w/o separable & 36864 & (7.89\\,$\\times$) & {--} &  & 32768" in source
    assert "\\label{tab:ablate-demo-costs}" in source


def test_where_theory_and_machine_disagree_is_said_under_the_table(summary):
    costs = summary.costs.copy()
    costs.loc[1, "flops_ratio"] = 7.9
    table = costs_table(SimpleNamespace(study=summary.study, costs=costs))
    assert table.notes == (
        "Theory and machine disagree on w/o separable: 7.9 times the operations take 1.1 times the seconds of a "
        "forward pass and 2 times the seconds of a training step.",
    )
    assert costs_table(summary).notes == ()


def test_operations_that_nobody_counted_are_dashes_with_a_reason(summary):
    summary.costs[["flops", "flops_ratio"]] = float("nan")
    lines = markdown(costs_table(summary)).splitlines()
    assert lines[2] == "| full | 4,672 (1.00 ×) | – | 32,768 (1.00 ×) | 1.25 (1.00 ×) | 10 (1.00 ×) |"
    assert lines[-1] == "- Operations were not counted, which TensorFlow does and no other back end of Keras."
