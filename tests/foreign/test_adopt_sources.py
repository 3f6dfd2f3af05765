from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from strangers import adopted, cells, means, notes

from ablate.app.main import VERBS
from ablate.errors import AblateError
from ablate.report import summary_of


def log(score: float) -> str:
    """What Keras' CSVLogger writes."""
    return f"epoch,accuracy,loss,val_accuracy,val_loss\n0,0.1,2.0,0.1,2.0\n1,0.5,1.0,{score},1.5\n"


def test_logs_named_by_key_and_value(tmp_path: Path) -> None:
    for residual in ("true", "false"):
        for seed in (0, 1, 2):
            path = tmp_path / "logs" / f"residual={residual},seed={seed}.csv"
            path.parent.mkdir(exist_ok=True)
            path.write_text(log(0.9 + 0.01 * seed - 0.2 * (residual == "false")))
    study = adopted(tmp_path / "logs", "metric=val_accuracy", "reference.residual=true")
    assert means(study) == {"full": 0.91, "w/o residual": 0.71}
    assert summary_of(study).effects["n"].tolist() == [3]
    assert len(summary_of(study).curves) == 12
    assert summary_of(study).curves["epoch"].unique().tolist() == [0, 1]


@pytest.mark.parametrize(
    "name", ["{variant}_seed{seed}.csv", "{variant}/seed_{seed}/training.csv", "{variant}-{seed}/log.csv"]
)
def test_logs_named_by_variant_and_seed(name: str, tmp_path: Path) -> None:
    for variant in ("full", "no_residual"):
        for seed in (1, 2):
            path = tmp_path / "logs" / name.format(variant=variant, seed=seed)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(log(0.9 if variant == "full" else 0.7))
    study = adopted(tmp_path / "logs", "metric=val_accuracy")
    assert means(study) == {"full": 0.9, "variant=no_residual": 0.7}
    assert cells(study)["n"].tolist() == [2, 2]
    taken = "The number at the end of each name is taken for its seed" in notes(study)
    assert taken == (name == "{variant}-{seed}/log.csv")


def test_logs_without_a_seed_have_no_inference(tmp_path: Path) -> None:
    for name in ("vgg16", "resnet50", "xception"):
        (tmp_path / f"{name}.csv").write_text(log(0.5))
    study = adopted(tmp_path, "metric=val_accuracy", "reference.variant=vgg16")
    assert cells(study)["variant"].tolist() == ["vgg16", "resnet50", "xception"]
    assert "No run says what its seed was; seed=KEY names the key." in notes(study)
    assert "One run allows no interval, test or verdict: variant=resnet50; variant=xception." in notes(study)


def test_a_configuration_beside_a_log_is_read(tmp_path: Path) -> None:
    for index, rate in enumerate((0.1, 0.01)):
        folder = tmp_path / "logs" / f"version_{index}"
        folder.mkdir(parents=True)
        (folder / "metrics.csv").write_text(log(0.5 + index / 10))
        (folder / "hparams.yaml").write_text(f"optimizer:\n  rate: {rate}\nseed: 3\n")
    study = adopted(tmp_path / "logs", "metric=val_accuracy", "factors=[rate]", "ignore=[variant]")
    assert means(study) == {"full": 0.5, "rate=0.01": 0.6}


def event_file(path: Path, points: Iterable[tuple[str, int, float]]) -> None:
    """An event file of TensorBoard with scalars."""
    event_pb2 = pytest.importorskip("tensorboard.compat.proto.event_pb2", reason="needs the tensorboard extra")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for number, (tag, step, value) in enumerate(points):
            event = event_pb2.Event(step=step, wall_time=1.0)
            if number % 2:  # TensorFlow 2 writes scalars as tensors
                item = event.summary.value.add(tag=tag)
                item.metadata.plugin_data.plugin_name = "scalars"
                item.tensor.dtype = 1
                item.tensor.float_val.append(value)
            else:
                event.summary.value.add(tag=tag, simple_value=value)
            record = event.SerializeToString()
            file.write(struct.pack("<Q", len(record)) + b"\0" * 4 + record + b"\0" * 4)


def test_event_files_of_keras(tmp_path: Path) -> None:
    for variant in ("full", "small"):
        for seed in (0, 1):
            run = tmp_path / "tb" / f"{variant}_seed{seed}"
            score = 0.75 if variant == "full" else 0.5
            event_file(run / "train" / "events.out.tfevents.1.host", [("epoch_loss", 0, 2.0), ("epoch_loss", 1, 1.0)])
            event_file(
                run / "validation" / "events.out.tfevents.1.host",
                [("epoch_accuracy", 0, 0.25), ("epoch_accuracy", 1, score)],
            )
    study = adopted(tmp_path / "tb", "metric=val_accuracy")
    assert means(study) == {"full": 0.75, "variant=small": 0.5}
    assert summary_of(study).curves.columns.tolist() == ["study", "cell", "seed", "epoch", "train_loss", "val_accuracy"]


def test_event_files_cut_off_or_of_something_else(tmp_path: Path) -> None:
    for index in range(3):
        path = tmp_path / "tb" / f"lr=0.{index + 1}" / "events.out.tfevents.7"
        event_file(path, [("acc", step, 0.5 + index / 4 + step / 8) for step in range(2)])
    path.write_bytes(path.read_bytes()[:-3])
    (tmp_path / "tb" / "lr=0.9").mkdir()
    (tmp_path / "tb" / "lr=0.9" / "events.out.tfevents.8").write_text("no events at all, but quite some text")
    study = adopted(tmp_path / "tb", "metric=acc")
    assert means(study) == {"full": 0.625, "lr=0.2": 0.875, "lr=0.3": 1.0}
    assert "lr=0.3/events.out.tfevents.7: is cut off or damaged; what stands before is kept" in notes(study)
    assert "1 run without a result (no numbers in its files): lr=0.9." in notes(study)


def test_reading_event_files_does_not_load_tensorflow(tmp_path: Path) -> None:
    event_file(tmp_path / "tb" / "a=1" / "events.out.tfevents.1", [("acc", 0, 0.5), ("acc", 1, 0.5)])
    program = f"""
import sys
from pathlib import Path
from ablate.logs.files import list_files
from ablate.foreign.readers.tensorboard import read_events
tables = read_events(list_files(Path({str(tmp_path / "tb")!r})), "a=1", ["a=1/events.out.tfevents.1"])
print(len(tables["events"].frame))
sys.exit("tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "2"), done.stderr


def test_event_files_without_their_reader_name_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    event_file(tmp_path / "tb" / "a=1" / "events.out.tfevents.1", [("acc", 0, 0.5)])
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    with pytest.raises(AblateError) as caught:
        adopted(tmp_path / "tb")
    assert str(caught.value) == ("Event files of TensorBoard need its reader: pip install 'ablate-study[tensorboard]'.")


TIDY = "model,lr,seed,accuracy,params\n" + "".join(
    f"{model},{rate},{seed},{0.8 + 0.01 * seed - 0.1 * (model == 'mlp') + rate},100\n"
    for model in ("cnn", "mlp")
    for rate in (0.1, 0.01)
    for seed in (0, 1, 2)
)


def test_a_tidy_table(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text(TIDY)
    study = adopted(tmp_path / "results.csv", "metric=accuracy")
    assert means(study) == {"full": 0.91, "lr=0.01": 0.82, "model=mlp": 0.81, "model=mlp, lr=0.01": 0.72}
    assert cells(study)["n"].tolist() == [3, 3, 3, 3]
    assert summary_of(study).study.design == "factorial"
    assert "Columns read as levels or seed: model, lr, seed; as numbers: accuracy." in notes(study)


def test_a_tidy_table_with_epochs_and_semicolons(tmp_path: Path) -> None:
    rows = [f"{m};{s};{e};{0.5 + 0.1 * e - 0.25 * (m == 'b')}" for m in "ab" for s in (0, 1) for e in (1, 2, 3)]
    (tmp_path / "long.csv").write_text("\n".join(["model;seed;epoch;acc", *rows]) + "\n")
    study = adopted(tmp_path / "long.csv")
    assert means(study) == {"full": 0.8, "model=b": 0.55}
    assert len(summary_of(study).curves) == 12


def test_rows_of_a_table_without_a_seed_are_not_taken_for_replicates(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("model,acc\na,0.5\na,0.75\nb,0.25\nb,0.5\n")
    with pytest.raises(AblateError) as caught:
        adopted(tmp_path / "t.csv")
    assert str(caught.value) == (
        "row 2 and row 3 have the same levels (model=a) and seed with other numbers. Several rows of one run are no "
        "replicates: name the column that tells them apart (seed=COLUMN, or another factor), take their mean "
        "(repeats=mean), or declare that each is a run of its own (repeats=replicates)."
    )
    assert means(adopted(tmp_path / "t.csv", "repeats=mean")) == {"full": 0.625, "model=b": 0.375}
    study = adopted(tmp_path / "t.csv", "repeats=replicates")
    assert cells(study)["n"].tolist() == [2, 2]


def test_seeds_that_are_words_are_counted(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("model,person,acc\na,ann,0.5\na,bob,0.75\nb,ann,0.25\nb,bob,0.5\n")
    study = adopted(tmp_path / "t.csv", "seed=person")
    assert summary_of(study).effects[["n", "difference"]].to_numpy().tolist() == [[2, -0.25]]
    assert "Seeds of 'person' are no whole numbers and are counted: ann as 0, bob as 1." in notes(study)


def test_a_table_of_other_columns_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("model,acc\na,0.5\nb,0.25\n")
    for words, message in (
        (["metric=accuracy"], "has no column 'accuracy'. Columns: model, acc."),
        (["metric=model"], "The column 'model' of"),
        (["factors=[modle]"], "has no column 'modle'. Columns: model, acc. Did you mean 'model'?"),
    ):
        with pytest.raises(AblateError) as caught:
            adopted(tmp_path / "t.csv", *words)
        assert message in str(caught.value)
    (tmp_path / "words.csv").write_text("a,b\nx,y\nz,w\n")
    with pytest.raises(AblateError) as caught:
        adopted(tmp_path / "words.csv")
    assert str(caught.value) == (
        f"'{tmp_path / 'words.csv'}' has no column of numbers (name one with metric=...). Columns: a, b."
    )


def test_rows_without_a_number_are_listed(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("model,seed,acc\na,0,0.5\nb,0,\nc,0,nan\nd,0,0.25\n")
    study = adopted(tmp_path / "t.csv", "metric=acc")
    assert means(study) == {"full": 0.5, "model=d": 0.25}
    assert "2 runs without a result (no number in this row): row 3, row 4." in notes(study)


def test_the_verb_needs_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_figures: None) -> None:
    with pytest.raises(AblateError) as caught:
        VERBS["adopt"].run(["metric=acc"])
    assert str(caught.value) == (
        "Name a folder or a CSV file of results, for example multirun; received ['metric=acc']."
    )
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(TIDY)
    assert VERBS["adopt"].run(["t.csv", "metric=accuracy", "name=mine"]) == 0
    assert Path("outputs/mine/tables/effects.tex").is_file()
    assert VERBS["report"].run(["mine"]) == 0


def test_a_training_counts_from_where_its_log_went_on(tmp_path: Path) -> None:
    head = "epoch,accuracy,val_accuracy\n"
    for variant, score in (("full", 0.75), ("no_bn", 0.5)):
        for seed in (0, 1):
            (tmp_path / f"{variant}_seed{seed}.csv").write_text(f"{head}0,0.9,0.25\n1,0.9,{score}\n")
    # Begun anew and shorter; gone on from epoch 1; counted down by another program.
    (tmp_path / "full_seed0.csv").write_text(f"{head}0,0.9,0.1\n1,0.9,0.2\n2,0.9,0.3\n0,0.9,0.25\n1,0.9,0.75\n")
    (tmp_path / "full_seed1.csv").write_text(f"{head}0,0.9,0.25\n1,0.9,0.1\n2,0.9,0.2\n1,0.9,0.5\n2,0.9,0.75\n")
    (tmp_path / "no_bn_seed0.csv").write_text(f"{head}1,0.9,0.5\n0,0.9,0.25\n")
    study = adopted(tmp_path)
    assert means(study) == {"full": 0.75, "variant=no_bn": 0.5}
    summary = summary_of(study)
    assert summary.study.metric == "val_accuracy"  # what stands beside it was measured in training
    first, second = (
        summary.curves.query("cell == 'variant=full' and seed == @seed")["val_accuracy"].tolist() for seed in (0, 1)
    )
    assert (first, second) == ([0.25, 0.75], [0.25, 0.5, 0.75])
    said = notes(study)
    replaced = (
        "its column 'epoch' falls back once, as where a training began again; {} rows were replaced by later ones"
    )
    assert f"full_seed0.csv: {replaced.format(3)}" in said and f"full_seed1.csv: {replaced.format(2)}" in said
    assert "no_bn_seed0.csv" not in said


def test_a_list_in_the_name_of_a_folder_is_one_level(tmp_path: Path) -> None:
    for widths, score in (("[64, 64]", 0.75), ("[128]", 0.5)):
        for seed in (0, 1):
            folder = tmp_path / f"lr=0.1,widths={widths}" / f"seed={seed}"
            folder.mkdir(parents=True)
            (folder / "log.csv").write_text(log(score))
    study = adopted(tmp_path, "reference.widths=[64, 64]")
    assert means(study) == {"full": 0.75, "widths=[128]": 0.5}
    assert "variant" not in notes(study)


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("model;widths;seed;loss\na;64,128;0;0,5\nb;64,128;0;1,25\n", 0.5),
        ('model,seed,loss\na,0,"0,5"\nb,0,"1,25"\n', 0.5),
        ("model\tseed\tloss\na\t0\t1.234,5\nb\t0\t2.000\n", 1234.5),
    ],
)
def test_decimal_commas(text: str, full: float, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    study = adopted(tmp_path / "t.csv", "reference.model=a")
    assert means(study)["full"] == full
    columns = "widths, loss" if ";" in text else "loss"
    told = f"Read in another way than it stands there: t.csv: the comma in {columns} was read as a decimal point."
    assert told in notes(study)
    assert "Not read" not in notes(study)
    assert "t.csv,read otherwise," in (study.path / "adopted.csv").read_text()


def test_a_list_of_two_is_no_decimal_comma(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('widths,seed,loss\n"64,128",0,0.5\n"32,64",0,0.25\n')
    study = adopted(tmp_path / "t.csv", "reference.widths=64,128")
    assert means(study) == {"full": 0.5, "widths=32,64": 0.25}


def test_what_is_called_a_measurement_and_holds_no_numbers_is_shown(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("model,acc\na,90.5%\nb,80%\n")
    with pytest.raises(AblateError) as caught:
        adopted(tmp_path / "t.csv")
    assert str(caught.value) == (
        f"'{tmp_path / 't.csv'}' has no column of numbers (name one with metric=...). Columns: model, acc. "
        "'acc' holds '90.5%', which is no number."
    )


def test_a_key_called_fold_is_a_repetition_unless_it_is_all_that_differs(tmp_path: Path) -> None:
    from ablate.foreign.levels import find_seed, levels_by_key
    from ablate.foreign.readers import read_runs
    from ablate.foreign.request import AdoptSettings

    settings = AdoptSettings()
    for fold in (1, 2):
        folder = tmp_path / "multirun" / str(fold) / ".hydra"
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(f"fold: {fold}\nlr: 0.1\n")
        (folder / "overrides.yaml").write_text(f"- fold={fold}\n")
    table = tmp_path / "table.csv"
    table.write_text("model,fold,accuracy\na,1,0.5\na,2,0.6\nb,1,0.7\nb,2,0.8\n")
    for path, seed in ((tmp_path / "multirun", None), (table, "fold")):
        foreign = read_runs(path, settings)
        assert find_seed(foreign.runs, levels_by_key(foreign.runs), settings)[0] == seed
