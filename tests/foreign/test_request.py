from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from strangers import means

from ablate.errors import AblateError
from ablate.foreign.reader import ForeignRun, ForeignRuns, Reader
from ablate.foreign.readers import READERS
from ablate.foreign.request import ADOPT_SETTINGS, AdoptSettings, parse_settings
from ablate.foreign.study import adopt, adopt_folder
from ablate.logs.files import SourceFolder
from ablate.logs.number_tables import number_table
from ablate.study.setting import written

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_of_keys_in_the_documentation_is_that_of_the_declarations() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| `(.*)` \|$", (ROOT / "docs" / "adopt.md").read_text(), re.MULTILINE)
    assert rows == [(key, item.description, written(item.default)) for key, item in ADOPT_SETTINGS.items()]


def test_the_declarations_load_no_numbers() -> None:
    program = (
        "import sys, ablate.foreign.request\nsys.exit(bool({'pandas', 'numpy', 'tensorboard'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=120, check=False).returncode == 0


def test_arguments_and_values_ask_for_the_same() -> None:
    arguments = ["name=7", "seed=null", "margin=0.5", "factors=[a,b]", "reference.a=true", "only.b=[1, 2],x"]
    settings = parse_settings(arguments)
    assert settings == AdoptSettings.from_values(
        {
            "name": "7",
            "seed": None,
            "margin": 0.5,
            "factors": ["a", "b"],
            "reference": {"a": True},
            "only": {"b": ["[1, 2]", "x"]},
        }
    )
    assert parse_settings(settings.arguments()) == settings
    assert AdoptSettings().arguments() == []


def test_a_study_is_adopted_from_python(tmp_path: Path, no_figures: None) -> None:
    for variant, score in (("full", 0.75), ("small", 0.5)):
        for seed in (0, 1):
            path = tmp_path / "logs" / f"{variant}_seed{seed}.csv"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"epoch,acc,loss\n1,{score},1\n")
    summary = adopt(tmp_path / "logs", metric="acc", reference={"variant": "full"}, outputs=str(tmp_path / "outputs"))
    assert summary.effects[["cell", "n", "difference"]].to_numpy().tolist() == [["variant=small", 2, -0.25]]
    assert (tmp_path / "outputs" / "logs" / "tables" / "effects.md").is_file()
    with pytest.raises(AblateError) as caught:
        adopt(tmp_path / "logs", factors="variant", repeats="LATEST", metrics="acc")
    assert str(caught.value) == (
        "factors=variant: must be a list of keys, for example [model,lr].\n"
        "repeats=LATEST: must be one of latest, mean, replicates, or null. Did you mean 'latest'?\n"
        "Unknown key 'metrics'. Keys: name, metric, direction, margin, seed, factors, reference.KEY, only.KEY, ignore, "
        "blocks, whole_plots, results, repeats, source. Did you mean 'metric'?"
    )


def test_a_reader_is_added_by_registration_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas as pd

    def read(folder: SourceFolder, settings: AdoptSettings) -> ForeignRuns:
        runs = []
        for file in folder.named("*.toy"):
            model, seed, score = (folder.root / file).read_text().split()
            table = number_table(pd.DataFrame({"score": [float(score)]}))
            assert table is not None
            runs.append(ForeignRun(file, {"model": model, "seed": int(seed)}, tables={"toy": table}))
        return ForeignRuns(tuple(runs))

    toy = Reader("toy", "toy files", lambda folder: bool(folder.named("*.toy")), read)
    monkeypatch.setitem(READERS, toy.name, toy)
    for index, text in enumerate(("cnn 0 3", "cnn 1 3", "mlp 0 1", "mlp 1 1")):
        (tmp_path / f"{index}.toy").write_text(text)
    study = adopt_folder(tmp_path, AdoptSettings(), tmp_path / "outputs")
    assert means(study) == {"full": 3.0, "model=mlp": 1.0}
    (tmp_path / "empty").mkdir()
    with pytest.raises(AblateError, match=r"Formats: .*toy \(toy files\)"):
        adopt_folder(tmp_path / "empty", AdoptSettings(), tmp_path / "outputs")
