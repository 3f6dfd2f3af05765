"""The notebooks run from top to bottom."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("keras")

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))

# Each with tiny settings in the place of a reader's; the code that runs is the same.
_TINY = "data.limit=60 train.epochs=1 study.seeds=2 study.workers=1"
PARAMETERS = {
    "first_study": {"EPOCHS": "1"},
    "lecture": {
        "INGREDIENTS": "residual=true,false",
        "BESIDE": "",
        "SETTINGS": f"{_TINY} model.filters=[4]",
        "SMALL": f"{_TINY} model.filters=[4]",
    },
    "own_training_script": {"EPOCHS": "1", "SEEDS": "2"},
    "your_own_model": {"INGREDIENTS": "squeeze_excite=true,false", "SETTINGS": f"{_TINY} +model.args.depth=1"},
}

pytestmark = [pytest.mark.keras, pytest.mark.slow]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore")  # of the notebook machinery, not ours
def test_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PARAMETERS[path.stem].items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=400, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    assert (tmp_path / "outputs").is_dir()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in shown)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_says_which_settings_a_reader_has(path: Path) -> None:
    source = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    missing = [name for name in PARAMETERS[path.stem] if not re.search(rf'os\.environ\.get\(\s*"{name}", ', source)]
    assert missing == []
