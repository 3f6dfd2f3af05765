from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from strangers import adopted, cells, hydra_run, means, notes, result

from ablate.app.application import application
from ablate.app.main import VERBS
from ablate.errors import AblateError
from ablate.report import summary_of
from ablate.store import StudyFolder

ROOT = Path(__file__).resolve().parents[2]
SHARED = next((folder / "shared" for folder in ROOT.parents if (folder / "shared").is_dir()), ROOT)
RDSG = SHARED / "data" / "hydra_multirun_rdsg"

needs_rdsg = pytest.mark.skipif(not RDSG.is_dir(), reason="the shared test data are not here")


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """The balanced part of a real sweep."""
    words = ["metric=distortion", "results=simulation_points.csv", "only.num_trials=6", "name=six"]
    names = "factors=[prior,dynamics,sim_param]"
    return adopted(RDSG / "multirun", *words, names, outputs=tmp_path_factory.mktemp("outputs"))


@needs_rdsg
def test_the_balanced_part_of_a_real_sweep_gives_the_means_of_its_readme(six: StudyFolder) -> None:
    summary = summary_of(six)
    runs = summary.runs
    assert len(runs) == len(summary.cells) == 28
    assert summary.study.design == "factorial"
    for metric, by, expected in (
        ("rate", ["prior", "dynamics"], [0.588883, 1.753417, 0.648000, 2.092072]),
        ("distortion", ["prior", "dynamics"], [9.959915, 1.844824, 10.222338, 2.389829]),
        ("distortion", ["dynamics"], [10.091127, 2.117326]),
        ("rate", ["prior"], [1.171150, 1.370036]),
    ):
        assert runs.groupby(by)[metric].mean().tolist() == pytest.approx(expected, abs=1e-6)
    by_param = runs.groupby("sim_param")["distortion"].mean()
    assert by_param[["0", "1", "2", "4", "6", "8", "16"]].tolist() == pytest.approx(
        [1.410050, 0.984430, 3.060415, 8.172904, 9.146096, 10.042222, 9.913467], abs=1e-6
    )
    assert [level.label for level in summary.plan.factors[2].levels] == ["0", "1", "2", "4", "6", "8", "16"]


@needs_rdsg
def test_every_cell_mean_of_a_real_sweep_is_the_expected_one(tmp_path: Path) -> None:
    words = ["metric=distortion", "results=simulation_points.csv"]
    study = adopted(RDSG / "multirun", *words, "factors=[num_trials,prior,dynamics,sim_param]", outputs=tmp_path)
    expected = pd.read_csv(RDSG / "expected" / "cell_means.csv")
    keys = ["num_trials", "prior", "dynamics", "sim_param"]
    found = summary_of(study).runs.query("state == 'finished'").astype({"num_trials": int, "sim_param": int})
    both = expected.merge(found, on=keys)
    assert len(both) == len(expected) == len(found) == 39
    assert both["distortion"].tolist() == pytest.approx(both["distortion_mean"].tolist(), abs=1e-6)
    assert both["rate"].tolist() == pytest.approx(both["rate_mean"].tolist(), abs=1e-6)


@needs_rdsg
def test_rows_of_a_run_are_averaged_and_no_seeds(six: StudyFolder) -> None:
    assert cells(six)["n"].unique().tolist() == [1]
    assert "simulation_points.csv holds 6 rows a run; they are averaged, since rows of one run are no seeds." in notes(
        six
    )
    assert "Every run says seed: 42: one run a cell, so numbers and no inference." in notes(six)
    assert summary_of(six).effects["p"].isna().all()


@needs_rdsg
def test_the_six_runs_without_results_are_listed(tmp_path: Path) -> None:
    words = ["metric=distortion", "results=simulation_points.csv", "only.num_trials=6"]
    study = adopted(RDSG, *words, "factors=[prior,dynamics,sim_param]", outputs=tmp_path)
    said = notes(study)
    assert "48 runs found, 18 left out by only.KEY, 28 with a result." in said
    ledger = pd.read_csv(study.path / "adopted.csv")
    missing = sorted(
        str(folder.parent.relative_to(RDSG)) for folder in RDSG.rglob(".hydra") if not any(folder.parent.glob("*.csv"))
    )
    assert len(missing) == 6
    assert "6 runs without a result (no file of results): " in said
    assert all(place in said for place in missing)
    without = ledger[ledger["state"] != "adopted"]
    assert set(missing) <= set(without["place"])
    assert "13 CSV files belong to no run" in said


@needs_rdsg
def test_several_files_with_the_metric_are_not_guessed_between(tmp_path: Path) -> None:
    with pytest.raises(AblateError) as caught:
        adopted(RDSG / "multirun", "metric=distortion", outputs=tmp_path)
    assert str(caught.value) == (
        "'distortion' stands in several files of a run with other numbers; say which is the result:\n"
        "  results=mean_points.csv  (35 runs, 6 to 200 rows; a curve by round: its last row)\n"
        "  results=simulation_points.csv  (39 runs, 6 to 100 rows; averaged: rows of one run are no replicates)\n"
        "  results=variant_points.csv  (39 runs, 996 to 1000 rows; averaged: rows of one run are no replicates)"
    )


@needs_rdsg
def test_runs_that_must_not_be_pooled_are_refused(tmp_path: Path) -> None:
    words = ["metric=distortion", "results=simulation_points.csv", "factors=[prior,dynamics,sim_param]"]
    with pytest.raises(AblateError) as caught:
        adopted(RDSG / "multirun", *words, outputs=tmp_path)
    assert str(caught.value) == (
        "Runs that would share a cell differ in keys that are not among the factors:\n"
        "  simulation.num_trials: 6, 100, 8\n"
        "  simulation.trajectory: true, false\n"
        "Add them to factors=[...], keep one level (only.simulation.num_trials=6), or declare that they make no "
        "difference (ignore=[simulation.num_trials,simulation.trajectory])."
    )


def test_a_sweep_of_a_foreign_application_with_hydras_own_sweeper_is_reported(
    toy_here: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Path("conf/config.yaml")
    config.write_text(
        config.read_text().partition("hydra:\n  sweeper")[0].replace("  - override hydra/sweeper: ablation\n", "")
    )
    ended = toy_here.call("depth=2,3", "seed=0,1,2", "hydra.sweep.dir=multirun/a")
    assert ended.code == 0, ended.err
    before = sorted(path for path in Path("multirun").rglob("*"))
    assert VERBS["report"].run(["multirun/a"]) == 0
    assert sorted(path for path in Path("multirun").rglob("*")) == before
    study = StudyFolder(Path("outputs/a"))
    # The application writes its curve and returns a number that Hydra throws away.
    assert summary_of(study).study.metric == "val_loss"
    assert cells(study)[["cell", "n"]].to_numpy().tolist() == [["depth=2", 3], ["depth=3", 3]]
    assert summary_of(study).effects["n"].tolist() == [3]
    assert len(summary_of(study).curves) == 2 * 3 * 3
    assert "depth=3" in capsys.readouterr().out


def test_a_sweep_of_our_application_with_hydras_own_sweeper_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any], no_figures: None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "quick_task.py").write_text(
        "def train(values, folder):\n"
        "    return {'test_accuracy': 0.5 + 0.1 * values['residual'] + 0.01 * values['seed']}\n"
    )
    words = [
        "-m",
        "hydra/sweeper=basic",
        "hydra/launcher=basic",
        "trainer=quick_task.train",
        "residual=true,false",
        "seed=0,1",
    ]
    ended = call(application, *words, "hydra.sweep.dir=multirun/b", "hydra.sweep.subdir='${hydra.job.num}'")
    sys.modules.pop("quick_task", None)
    assert ended.code == 0, ended.err
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert VERBS["report"].run(["multirun/b"]) == 0
    assert means(StudyFolder(Path("outputs/b"))) == {"full": 0.605, "w/o residual": 0.505}
    assert "w/o residual" in out.getvalue()


def numbered(root: Path) -> None:
    """Two dates of one sweep, numbered folders, the second overlaps the first."""
    number = 0
    for date, depths, age in (("2026-03-01/10-00-00", (2, 3), 1000.0), ("2026-03-02/10-00-00", (3, 4), 2000.0)):
        for index, (depth, seed) in enumerate((depth, seed) for depth in depths for seed in (0, 1)):
            hydra_run(
                root / date / str(index),
                {"model": {"depth": depth}, "seed": seed, "name": "run_${model.depth}"},
                overrides=[f"model.depth={depth}", f"seed={seed}"],
                age=age,
                metrics__json=result(score=depth + 0.1 * seed + (0.5 if age > 1500 and seed else 0.0)),
            )
            number += 1


def test_numbered_folders_of_two_dates_overlap_and_the_latest_counts(tmp_path: Path) -> None:
    numbered(tmp_path / "multirun")
    study = adopted(tmp_path / "multirun")
    # Depth 3 is the most frequent, but every cell has two seeds: the first met is the reference.
    assert means(study) == {"full": 2.05, "model.depth=3": 3.3, "model.depth=4": 4.3}
    said = notes(study)
    assert "1 cell was repeated with the same numbers, which count once: 2026-03-02/10-00-00/0." in said
    assert (
        "1 cell was repeated with other numbers, and the latest counts; repeats=mean or repeats=replicates takes all: "
        "2026-03-02/10-00-00/1 and 1 more."
    ) in said
    ledger = pd.read_csv(study.path / "adopted.csv")
    assert ledger["state"].tolist() == ["adopted", "adopted", "repeated", "repeated", *["adopted"] * 4]


def test_repeats_may_be_averaged_and_seeded_ones_are_no_replicates(tmp_path: Path) -> None:
    numbered(tmp_path / "multirun")
    study = adopted(tmp_path / "multirun", "repeats=mean", "reference.depth=2")
    assert means(study)["model.depth=3"] == pytest.approx((3.0 + (3.1 + 3.6) / 2) / 2)
    with pytest.raises(AblateError) as caught:
        adopted(tmp_path / "multirun", "repeats=replicates")
    assert str(caught.value) == (
        "repeats=replicates: 2026-03-01/10-00-00/2 and 2026-03-02/10-00-00/0 have the same seed 0, so the second is a "
        "repetition and no replicate. Use repeats=latest or repeats=mean."
    )


def test_repetitions_without_any_seed_are_replicates_only_if_declared(tmp_path: Path) -> None:
    for index, (lr, score) in enumerate(((0.1, 1.0), (0.1, 1.2), (0.2, 2.0), (0.2, 2.3))):
        hydra_run(tmp_path / "runs" / str(index), {"lr": lr}, overrides=[f"lr={lr}"], r__json=result(score=score))
    assert cells(adopted(tmp_path / "runs"))["n"].tolist() == [1, 1]
    study = adopted(tmp_path / "runs", "repeats=replicates")
    assert cells(study)["n"].tolist() == [2, 2]
    assert "2 cells were repeated with other numbers, and each counts as a replicate, as declared" in notes(study)


def test_levels_that_resolved_to_the_same_configuration_are_named(tmp_path: Path) -> None:
    for index, (option, real, score) in enumerate(
        (("random_forest", "rf", 0.8), ("decision_tree", "rf", 0.8), ("svm", "svm", 0.7))
    ):
        hydra_run(
            tmp_path / "runs" / str(index),
            {"model": {"name": real}, "seed": 42},
            overrides=[f"model={option}"],
            choices={"model": option},
            m__json=result(accuracy=score),
        )
    study = adopted(tmp_path / "runs")
    assert means(study) == {"full": 0.8, "model.name=svm": 0.7}
    assert (
        "model=random_forest and model=decision_tree are the same configuration in every key, so their runs are "
        "repetitions of one cell: 0, 1."
    ) in notes(study)


def test_keys_that_change_together_are_one_factor(tmp_path: Path) -> None:
    for index, (name, width) in enumerate((("small", 16), ("large", 64))):
        hydra_run(
            tmp_path / "runs" / str(index),
            {"model": {"width": width, "name": name, "label": "${model.name}"}, "seed": 1},
            overrides=[f"model={name}"],
            m__json=result(accuracy=index),
        )
    study = adopted(tmp_path / "runs")
    assert [factor.name for factor in summary_of(study).plan.factors] == ["model.name"]
    assert "'model.name' stands for all keys that change together with it: model.width." in notes(study)


def test_keys_that_follow_from_others_or_name_the_run_are_no_factors(tmp_path: Path) -> None:
    for a in (1, 2):
        for b in (1, 2):
            for seed in (0, 1):
                hydra_run(
                    tmp_path / "runs" / f"a={a},b={b},seed={seed}",
                    {"a": a, "b": b, "seed": seed, "ab": a * b, "id": f"{a}{b}{seed}"},
                    overrides=[f"a={a}", f"b={b}", f"seed={seed}"],
                    m__json=result(score=a + b),
                )
    study = adopted(tmp_path / "runs")
    assert [factor.name for factor in summary_of(study).plan.factors] == ["a", "b"]
    assert "'ab' follows from a, b: it is no factor of its own." in notes(study)
    assert "'id' has another value in every run and no command line set it: it is no factor." in notes(study)
    assert len(summary_of(study).plan.cells) == 4
    assert cells(study)["n"].tolist() == [2, 2, 2, 2]


def test_single_runs_beside_a_sweep_join_it(tmp_path: Path) -> None:
    hydra_run(tmp_path / "x" / "multirun" / "0", {"lr": 1e-3}, overrides=["lr=1e-3"], m__json=result(score=1))
    hydra_run(tmp_path / "x" / "multirun" / "1", {"lr": 1.0}, overrides=["lr=1"], m__json=result(score=2))
    hydra_run(tmp_path / "x" / "outputs" / "2026", {"lr": 1}, m__json=result(score=2))
    study = adopted(tmp_path / "x", "reference.lr=0.001")
    assert means(study) == {"full": 1.0, "lr=1.0": 2.0}
    assert "repeated with the same numbers" in notes(study)


def test_adopting_again_reads_again_and_another_study_is_left_alone(tmp_path: Path) -> None:
    for index in (0, 1):
        hydra_run(tmp_path / "runs" / str(index), {"a": index}, overrides=[f"a={index}"], m__json=result(score=index))
    study = adopted(tmp_path / "runs")
    (tmp_path / "runs" / "1" / "m.json").write_text(result(score=7))
    assert means(adopted(tmp_path / "runs"))["a=1"] == 7.0
    record = json.loads((study.path / "plan.json").read_text())
    assert record["history"][0]["command"] == ["adopt", str(tmp_path / "runs")]
    hydra_run(tmp_path / "other" / "0", {"a": 1}, m__json=result(score=1))
    with pytest.raises(AblateError) as caught:
        adopted(tmp_path / "other", "name=runs")
    assert str(caught.value) == (
        f"The folder '{study.path}' holds another study. Choose a name for this one with name=..."
    )
    with pytest.raises(AblateError) as caught:
        adopted(study.path)
    assert str(caught.value) == f"'{study.path}' is a study of ablate already: ablate report {study.path}"
