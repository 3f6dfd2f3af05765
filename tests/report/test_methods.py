"""Every sentence of the methods follows from the recorded events, however a study came about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ablate
from ablate.analysis.conduct import Conduct, seeds_sentence
from ablate.report.page_text import methods_paragraph
from ablate.report.study_report import read_report
from ablate.store import StudyFolder


def score(config: dict[str, Any]) -> dict[str, float]:
    noise = 0.01 * ((config["seed"] * 7) % 5)
    return {"acc": 0.7 + 0.02 * config["bn"] + noise * (1 + config["bn"])}


def study(folder: Path, **settings: Any) -> Any:
    return ablate.run(score, {"bn": [True, False]}, outputs=folder, **{"metric": "acc", **settings})


HERE = "Intervals and tests are over seeds, on this test set."


def methods(folder: Path) -> tuple[str, dict[str, str]]:
    report = read_report(StudyFolder(folder))
    return methods_paragraph(report.summary, report.checklist, report.conduct), dict(report.checklist)


def test_fixed(tmp_path: Path) -> None:
    study(tmp_path, name="s", margin=0.01)
    text, items = methods(tmp_path / "s")
    assert "3 seeds fixed before the runs." in text
    assert "Every configuration was trained with the same seeds" in text
    assert "0.01 in units of acc, declared before the runs." in text
    assert items["declared"].endswith("entered in plan.json before the first run.")
    assert "0 of 6 runs failed; declared before the runs" in text
    assert "We compared 2 configurations of bn (design: factorial) by acc (higher is better)." in text
    assert HERE in text and items["limitations"].startswith(HERE)
    assert "Intervals are 95% t intervals of the paired difference, unadjusted." in text
    assert "Paired t test, Bonferroni-adjusted over 1 comparison, alpha = 0.05." in text
    assert "trained again" not in text and "other tools" not in text and "folders" not in text


def test_grown(tmp_path: Path) -> None:
    for seeds in (3, 5, 30):
        study(tmp_path, name="s", seeds=seeds)
    text, items = methods(tmp_path / "s")
    assert "3 seeds fixed before the runs; 5 and 30 after results had been seen." in text
    assert "30 seeds fixed" not in text
    assert "with what was added or named since it is" in items["declared"]
    assert "Results were seen at 3, 5 and 30 seeds, where claims were tested at 1, 0.05 and 0.025 times alpha." in text
    assert HERE in text and "Margin" not in text


def test_seeds_one_at_a_time(tmp_path: Path) -> None:
    study(tmp_path, name="s", seeds="auto", max_seeds=6)
    text, _ = methods(tmp_path / "s")
    assert "3 to 6 seeds, a look after each" in text and "fixed before the runs" not in text
    assert "Every configuration took its seeds in the same order, as many as its verdict needed" in text
    assert "Sequential paired t test" in text and "(valid at any look)" in text
    assert "95% repeated confidence intervals (valid at any look) of the paired difference" in text and HERE in text
    assert "Results were seen at" not in text


def test_retried_after_a_failure(tmp_path: Path) -> None:
    broken = [True]

    def fails_first(config: dict[str, Any]) -> dict[str, float]:
        if broken and config["seed"] == 1:
            raise ValueError("out of memory")
        return score(config)

    ablate.run(fails_first, {"bn": [True, False]}, outputs=tmp_path, metric="acc", name="s")
    assert "2 of 6 runs failed" in methods(tmp_path / "s")[0]
    assert "trained again" not in methods(tmp_path / "s")[0]
    broken.clear()
    ablate.run(fails_first, {"bn": [True, False]}, outputs=tmp_path, metric="acc", name="s", retry_failed=True)
    text, _ = methods(tmp_path / "s")
    assert "0 of 6 runs failed" in text and "2 runs that had failed were trained again." in text
    assert "3 seeds fixed before the runs." in text  # a retry adds no seeds
    assert "Results were seen at" not in text and HERE in text


def test_confirmation(tmp_path: Path) -> None:
    def alike(config: dict[str, Any]) -> dict[str, float]:
        return {"acc": 0.7 + 0.001 * ((config["seed"] * 7 + 3 * config["bn"]) % 5)}

    ablate.run(alike, {"bn": [True, False]}, outputs=tmp_path, metric="acc", name="s", margin=0.1, seeds=9)
    ablate.run(alike, {"bn": [True, False]}, outputs=tmp_path, confirms=str(tmp_path / "s"))
    text, items = methods(tmp_path / "s-confirm")
    assert "5 fresh seeds, which the confirmed study had not used, fixed before the runs." in text
    assert items["declared"].endswith("entered in plan.json before the first run.")
    assert "0.1 in units of acc, declared before the runs." in text and HERE in text
    assert "Every configuration was trained with the same seeds" in text and "Results were seen at" not in text
    written = StudyFolder(tmp_path / "s").confirmation()
    assert written is not None and "on this test set" in written["text"]


@pytest.mark.parametrize("seeded", [True, False])
def test_adopted(tmp_path: Path, seeded: bool) -> None:
    rows = [f"{bn},{seed},{score({'bn': bn, 'seed': seed})['acc']}" for bn in (1, 0) for seed in range(3)]
    header = "bn,seed,acc"
    if not seeded:
        header, rows = "bn,acc", [f"{row.split(',')[0]},{row.split(',')[2]}" for row in rows]
    (tmp_path / "t.csv").write_text("\n".join([header, *rows]))
    repeats = {} if seeded else {"repeats": "replicates"}
    ablate.adopt(tmp_path / "t.csv", metric="acc", name="s", outputs=tmp_path, margin=0.01, **repeats)
    text, items = methods(tmp_path / "s")
    assert "before the run" not in text.replace("Nothing was declared here before the runs", "")
    assert "Results are those of other tools (table)." in text
    assert "declared after the runs, when they were adopted" in text
    assert items["declared"].startswith("Nothing was declared here before the runs")
    if seeded:
        assert "3 seeds, as they were found" in text and "Runs of one seed were taken as a pair" in text
    else:
        assert "which form no pairs, as they were found" in text and "Runs form no pairs" in text
        assert "difference within a seed" not in text and "paired" not in text.lower().replace("unpaired", "")
        assert "Welch t test" in text and items["pairing"].startswith("None")
    assert f"Intervals and tests are over {'seeds' if seeded else 'runs'}, on this test set." in text
    assert "runs have no result" in text and "runs failed" not in text
    assert "trained" not in text


def test_merged(tmp_path: Path) -> None:
    for place, seeds in (("a", [0, 1, 2]), ("b", [3, 4])):
        study(tmp_path / place, name="s", seeds=seeds)
    ablate.merge([tmp_path / "a" / "s", tmp_path / "b" / "s"], tmp_path / "both")
    text, items = methods(tmp_path / "both")
    assert "5 seeds fixed before the runs in 2 folders." in text
    assert "put together from 2 folders" in items["declared"]
    # The folders need not have the same seeds.
    assert "Runs of one seed were taken as a pair" in text and "trained with the same seeds" not in text
    assert "0 of 10 runs failed" in text and HERE in text


def test_runs_that_only_have_numbers_are_no_seeds(tmp_path: Path) -> None:
    study(tmp_path, name="s")
    plan = read_report(StudyFolder(tmp_path / "s")).summary.plan
    unpaired = replace(plan, study=replace(plan.study, paired=False))
    assert seeds_sentence(Conduct(first_plans=("x",)), unpaired) == "3 runs a cell fixed before the runs."
    grown = Conduct(first_plans=("x",), seed_counts=(3, 5))
    assert seeds_sentence(grown, unpaired) == "3 runs a cell fixed before the runs; 5 after results had been seen."
    confirming = replace(unpaired, study=replace(unpaired.study, design="confirmation"))
    assert seeds_sentence(Conduct(first_plans=("x",)), confirming) == "3 fresh runs a cell, fixed before the runs."


def test_new_splits_are_said_to_be_new(tmp_path: Path) -> None:
    study(tmp_path, name="s", resplit=0.25)
    text, _ = methods(tmp_path / "s")
    assert "seeds that each split one data set anew (0.25 test examples for each training example" in text
    assert "Corrected paired t test" in text and "test set" not in text
