from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from strangers import adopted, cells, hydra_run, means, notes, result

from ablate.errors import AblateError, StoreError
from ablate.report import collect, summary_of


def two_runs(root: Path, **files: str) -> Path:
    for index, depth in enumerate((2, 3)):
        hydra_run(
            root / str(index), {"depth": depth}, overrides=[f"depth={depth}"], m__json=result(score=depth), **files
        )
    return root


def test_lists_nulls_unicode_and_quotes_are_levels(tmp_path: Path, no_figures: None) -> None:
    levels = [None, [64, 32], "größe 'x'", '<script>"&', "a,b=c", "", "0"]
    for index, level in enumerate(levels):
        hydra_run(tmp_path / "runs" / str(index), {"layer": {"odd": level}}, m__json=result(score=index))
    study = adopted(tmp_path / "runs", "reference.odd=null")
    collect(study)
    assert cells(study)["layer.odd"].tolist() == ["null", "[64, 32]", "größe 'x'", '<script>"&', "a,b=c", "", "0"]
    assert cells(study)["mean"].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert "größe" in (study.tables / "effects.md").read_text()


def test_resolvers_are_neither_run_nor_asked_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADOPTED_SECRET", "xyzzy")
    for index, depth in enumerate((2, 3)):
        config = {
            "depth": depth,
            "secret": "${oc.env:ADOPTED_SECRET}",
            "bad": "${no_such_resolver:1}",
            "made": {"_target_": "os.system", "_args_": ["touch executed"]},
        }
        hydra_run(tmp_path / "runs" / str(index), config, m__json=result(score=depth))
    study = adopted(tmp_path / "runs")
    assert means(study) == {"full": 2.0, "depth=3": 3.0}
    plan = (study.path / "plan.json").read_text()
    assert "xyzzy" not in plan
    assert "${oc.env:ADOPTED_SECRET}" in plan
    assert not list(tmp_path.rglob("executed"))


def test_objects_in_yaml_and_pickles_are_not_made(tmp_path: Path) -> None:
    root = two_runs(tmp_path / "runs")
    hydra_run(root / "2", "depth: !!python/object/apply:os.system ['touch executed']\n", m__json=result(score=9))
    (root / "0" / "job_return.pickle").write_bytes(b"cos\nsystem\n(S'touch executed'\ntR.")
    study = adopted(root)
    assert means(study) == {"full": 2.0, "depth=3": 3.0}
    assert "1 run without a result (.hydra/config.yaml is no plain YAML in line 1: " in notes(study)
    assert not list(tmp_path.rglob("executed"))


def test_half_written_files_are_named_and_survived(tmp_path: Path) -> None:
    root = two_runs(tmp_path / "runs")
    hydra_run(root / "2", "depth: {a: [1, 2\n", m__json=result(score=9))
    hydra_run(root / "3", {"depth": 4}, m__json='{"score": 0.')
    hydra_run(root / "4", {"depth": 5}, m__csv="epoch,score\n1,5\n2,6\n3,7.")
    hydra_run(root / "5", {"depth": 6}, m__csv="epoch,score\n1,5\n2,6\n3")
    hydra_run(root / "6", {"depth": 7}, m__csv="")
    hydra_run(root / "7", "- a\n- b\n", m__json=result(score=1))
    hydra_run(root / "8", "", m__json=result(score=1))
    study = adopted(root, "metric=score")
    said = notes(study)
    assert means(study) == {"full": 2.0, "depth=3": 3.0}
    assert "1 run without a result (.hydra/config.yaml is no plain YAML in line 2: " in said
    assert "1 run without a result (.hydra/config.yaml holds a list in place of keys): 7." in said
    assert "1 run without a result (.hydra/config.yaml is empty): 8." in said
    assert "3/m.json: is no JSON: " in said
    assert "5/m.csv: its last line was cut off (1 of 2 fields)" in said
    assert "6/m.csv: is empty" in said
    assert "2 runs without a result (no file of results): 3, 6." in said
    # A result and the last line of a curve are not the same measurement.
    assert "no 'score' in" not in said or "4, 5" in said


def test_a_curve_gives_its_last_row_and_its_epochs(tmp_path: Path) -> None:
    for index, depth in enumerate((2, 3)):
        text = f"epoch,val_acc,note\n0,0.5,a\n1,0.{depth},b\n"
        hydra_run(tmp_path / "runs" / str(index), {"depth": depth}, history__csv=text)
    study = adopted(tmp_path / "runs")
    assert means(study) == {"full": 0.2, "depth=3": 0.3}
    assert summary_of(study).curves[["cell", "epoch", "val_acc"]].to_numpy().tolist() == [
        ["depth=2", 0, 0.5],
        ["depth=2", 1, 0.2],
        ["depth=3", 0, 0.5],
        ["depth=3", 1, 0.3],
    ]
    assert "'val_acc' is the last row of history.csv of each run." in notes(study)


def test_rows_of_training_and_validation_with_blanks_are_one_epoch(tmp_path: Path) -> None:
    text = "epoch,step,train_loss,val_loss\n0,10,0.9,\n0,10,,0.8\n1,20,0.7,\n1,20,,{}\n"
    for index, depth in enumerate((2, 3)):
        hydra_run(tmp_path / "runs" / str(index), {"depth": depth}, metrics__csv=text.format(f"0.{depth}"))
    study = adopted(tmp_path / "runs", "metric=val_loss")
    assert means(study) == {"full": 0.2, "depth=3": 0.3}
    assert len(summary_of(study).curves) == 4
    assert summary_of(study).study.direction == "min"


def test_changing_headers_and_other_columns_are_named(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    for index, (depth, text) in enumerate(
        [
            (2, "accuracy,loss\n0.5,1\n"),
            (3, "loss;accuracy\n1;0.75\n"),
            (4, "acc,loss\n0.5,1\n"),
            (5, "name,place\nx,y\n"),
            (6, "accuracy,loss\n0.5,1\n0.5,1,7\n"),
            (7, "\ufeffaccuracy , loss\n0.25,2\n"),
        ]
    ):
        hydra_run(root / str(index), {"depth": depth}, out__csv=text)
    study = adopted(root, "metric=accuracy")
    said = notes(study)
    assert means(study) == {"full": 0.5, "depth=3": 0.75, "depth=6": 0.5, "depth=7": 0.25}
    assert "1 run without a result (no 'accuracy' in out.csv (columns acc, loss)): 2." in said
    assert "1 run without a result (no file of results): 3." in said
    assert "4/out.csv: 1 line of another width left out" in said


def test_a_header_that_stands_twice_is_no_row(tmp_path: Path) -> None:
    for index, depth in enumerate((2, 3)):
        text = f"epoch,loss\n1,9\nepoch,loss\n1,8\n2,{depth}\n"
        hydra_run(tmp_path / "runs" / str(index), {"depth": depth}, log__csv=text)
    study = adopted(tmp_path / "runs")
    assert means(study) == {"full": 2.0, "depth=3": 3.0}
    assert "0/log.csv: its header stands 2 times" in notes(study)


def test_a_gigabyte_beside_the_results_is_not_read(tmp_path: Path) -> None:
    root = two_runs(tmp_path / "runs")
    for name in ("train.log", "trace.csv", "big.json"):
        with (root / "0" / name).open("wb") as file:
            file.truncate(1 << 30)
    study = adopted(root)
    assert means(study) == {"full": 2.0, "depth=3": 3.0}
    assert "0/trace.csv: has 1,074 MB; files of this kind are read up to 256 MB" in notes(study)
    assert "0/big.json: has 1,074 MB; files of this kind are read up to 4 MB" in notes(study)
    assert "train.log" not in notes(study)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to the administrator")
def test_a_closed_folder_is_named(tmp_path: Path) -> None:
    root = two_runs(tmp_path / "runs")
    closed = hydra_run(root / "2", {"depth": 4}, m__json=result(score=4))
    closed.chmod(0)
    try:
        study = adopted(root)
        assert means(study) == {"full": 2.0, "depth=3": 3.0}
        assert "2: Permission denied" in notes(study)
    finally:
        closed.chmod(stat.S_IRWXU)


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="the administrator may read everything")
@pytest.mark.parametrize("verb", ["adopt", "report"])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("shut", "Cannot read 'shut': Permission denied."),
        ("shut/runs", "Cannot read 'shut': Permission denied."),
        ("shut.csv", "Cannot read 'shut.csv': Permission denied."),
    ],
)
def test_what_cannot_be_read_is_not_called_an_output_folder(verb: str, path: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "shut" / "runs").mkdir(parents=True)
    (tmp_path / "shut.csv").write_text("depth,score\n1,2\n")
    for name in ("shut", "shut.csv"):
        (tmp_path / name).chmod(0)
    without = "-dac_override,-dac_read_search"
    unprivileged = ["setpriv", "--bounding-set", without, "--inh-caps", without] if os.geteuid() == 0 else []
    command = [*unprivileged, sys.executable, "-m", "ablate", verb, path]
    try:
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    finally:
        (tmp_path / "shut").chmod(stat.S_IRWXU)
    assert (ended.returncode, ended.stderr) == (2, f"{message}\n")


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = two_runs(tmp_path / "runs")
    (root / "closed").mkdir()
    real = os.scandir

    def scandir(path: object) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)  # type: ignore[call-overload]

    monkeypatch.setattr("ablate.logs.files.os.scandir", scandir)
    assert "Not read, or not whole: closed: Permission denied." in notes(adopted(root))


@pytest.mark.parametrize("name", ["empty", "texts"])
def test_a_folder_without_results_says_what_would_be_some(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    if name == "texts":
        (tmp_path / name / "notes.txt").write_text("nothing")
    with pytest.raises(StoreError) as caught:
        adopted(tmp_path / name)
    assert str(caught.value) == (
        f"There are no results to adopt in '{tmp_path / name}'. Formats: hydra (output folders of Hydra, "
        ".hydra/config.yaml in each run); tensorboard (event files of TensorBoard, a folder a run); table (one tidy "
        "CSV file, a row a run or an epoch); csv_logger (CSV logs of Keras' CSVLogger and the like, a file a run)."
    )
    assert not (tmp_path / "outputs").exists()


def test_nothing_there_and_nothing_to_compare_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as missing:
        adopted(tmp_path / "nowhere")
    assert str(missing.value) == f"There is no file or folder '{tmp_path / 'nowhere'}'."
    for index in (0, 1):
        hydra_run(tmp_path / "runs" / str(index), {"depth": 2, "seed": index}, m__json=result(score=index))
    with pytest.raises(AblateError) as same:
        adopted(tmp_path / "runs")
    assert str(same.value) == "Nothing to compare: 2 runs, all with the same configuration but for the seed."


def test_mixed_metrics_are_told_run_by_run(tmp_path: Path) -> None:
    for index, name in enumerate(("accuracy", "accuracy", "bleu")):
        hydra_run(tmp_path / "runs" / str(index), {"depth": index}, m__json=json.dumps({name: 0.5 + index}))
    study = adopted(tmp_path / "runs")
    assert means(study) == {"full": 0.5, "depth=1": 1.5}
    assert "The metric is 'accuracy'; metric=... takes another one: bleu." in notes(study)
    assert "1 run without a result (no 'bleu'" not in notes(study)
    assert "1 run without a result (no 'accuracy' in m.json (columns bleu)): 2." in notes(study)


def test_one_metric_in_two_files_that_disagree_is_not_guessed(tmp_path: Path) -> None:
    for index in (0, 1):
        files = {"train__json": result(acc=0.9), "test__json": result(acc=0.1 * index)}
        hydra_run(tmp_path / "runs" / str(index), {"depth": index}, **files)
    with pytest.raises(AblateError) as caught:
        adopted(tmp_path / "runs")
    assert str(caught.value) == (
        "'acc' stands in several files of a run with other numbers; say which is the result:\n"
        "  results=test.json  (2 runs, 1 rows; the result)\n"
        "  results=train.json  (2 runs, 1 rows; the result)"
    )
    assert means(adopted(tmp_path / "runs", "results=test.json", "metric=acc")) == {"full": 0.0, "depth=1": 0.1}


def test_unknown_words_metrics_keys_and_levels_give_the_nearest(tmp_path: Path) -> None:
    root = two_runs(tmp_path / "runs")
    for words, message in (
        (["metrik=score"], "Unknown key 'metrik'. Keys: name, metric, direction, margin, seed, factors, "
         "reference.KEY, only.KEY, ignore, blocks, whole_plots, results, repeats, source. Did you mean 'metric'?"),
        (["metric=scor"], "No run has the metric 'scor'. Metrics: score. Did you mean 'score'?"),
        (["factors=[dept]"], "No run has the key 'dept'. Keys: depth. Did you mean 'depth'?"),
        (["only.depth=9"], "'depth' has no level '9'. Levels: 2, 3."),
        (["reference.depth=9"], "'depth' has no level '9'. Levels: 2, 3."),
        (["reference.width=9"], "No run has the key 'width'. Keys: depth."),
        (["direction=maximum", "margin=x", "seed"], "direction=maximum: must be one of max, min, or null. "
         "Did you mean 'max'?\nmargin=x: must be a number, or null.\n'seed' is not key=value."),
        (["source=tensorboard"], f"There are no results of tensorboard to adopt in '{root}'. "),
        (["name=../x"], "study.name='../x' cannot be the name of a folder: "),
    ):  # fmt: skip
        with pytest.raises(AblateError) as caught:
            adopted(root, *words)
        assert str(caught.value).startswith(message), words


def test_the_foreign_folder_stays_as_it_is(tmp_path: Path, no_figures: None) -> None:
    root = two_runs(tmp_path / "runs")
    before = {path: path.stat().st_mtime_ns for path in [root, *root.rglob("*")]}
    collect(adopted(root))
    assert {path: path.stat().st_mtime_ns for path in [root, *root.rglob("*")]} == before


def test_a_margin_given_afterwards_is_said_to_be(tmp_path: Path) -> None:
    study = adopted(two_runs(tmp_path / "runs"), "margin=0.5")
    assert summary_of(study).study.margin == 0.5
    assert "The margin was declared after the runs." in notes(study)
