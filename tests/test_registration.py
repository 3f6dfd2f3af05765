"""An ingredient, a setting, a design, a figure, a table and a metric of one's own, each by its registration alone."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

import ablate
from ablate.analysis import Summary
from ablate.app.main import main
from ablate.app.schema import faults, register
from ablate.figures import FIGURES, Figure, FigureKind, register_figure
from ablate.figures.figure import Canvas
from ablate.keras.rewrites import Ingredient
from ablate.objects import load_object
from ablate.study.design import DESIGNS, Design
from ablate.study.layout import DesignSpace, Layout
from ablate.study.metric import METRICS, POINTS, Metric
from ablate.study.setting import Setting, whole
from ablate.tables import TABLES, Column, Table, TableKind, register_table, table_of

TASK = """
def train(values, folder, progress=None):
    charm = 0.9 + 0.001 * values["seed"] - 0.1 * (values["sparkle"] == "dull") - 0.05 * (not values["residual"])
    return {"test_charm": charm, "seconds_fit": 0.5}
"""


class Sparkle(Ingredient):
    name = "sparkle"
    label = "sparkling layers"
    description = "glitter on every layer"
    absence = "no glitter"
    levels = ("bright", "dull")

    def find(self, graph: Any) -> Any:
        return ()

    def rewrite(self, graph: Any, sites: Any, level: Any) -> Any:
        return graph


def opposite_corners(space: DesignSpace) -> Layout:
    """All at the reference, which every study has, and all away from it."""
    return Layout((space.without_all(),), ("Only the opposite corners are trained.",))


def draw_charm(ax: Any, data: Any) -> None:
    ax.bar(data["cell"], data["mean"])


def charm_canvas(data: Any, page: Any = None) -> Canvas:
    canvas = Canvas(2, 2)
    draw_charm(canvas.subplots(), data)
    return canvas


CHARM = Figure(
    prepare=lambda summary: summary.cells[["cell", "mean"]],
    draw=draw_charm,
    compose=charm_canvas,
    caption=lambda summary, data: f"The charm of every cell of {summary.study.name}.",
)


def seeds_table(summary: Summary) -> Table:
    return table_of(summary, "charmed_seeds", [(Column("seed", "count"), summary.study.seeds)], "The charmed seeds.")


def extended(patch: pytest.MonkeyPatch, path: str, name: str, value: object) -> None:
    """Stands for the line that a built-in ingredient or setting adds to the mapping that declares all of them."""
    module, _, attribute = path.rpartition(".")
    known: Mapping[str, Any] = load_object(path)
    patch.setattr(importlib.import_module(module), attribute, MappingProxyType({**known, name: value}))


@pytest.fixture(autouse=True)
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    extended(monkeypatch, "ablate.keras.rewrites.registry.INGREDIENTS", "sparkle", Sparkle())
    setting = Setting(3, whole(1), "epochs without success")
    extended(monkeypatch, "ablate.keras.settings.TRAIN_SETTINGS", "patience", setting)
    register()
    DESIGNS.register(Design("corners", "two corners", opposite_corners, figures=("charm",), tables=("charmed_seeds",)))
    METRICS.register(Metric("charm", "charm of the network", unit=POINTS, description="how charming it is"))
    register_figure(FigureKind("charm", CHARM))
    register_table(TableKind("charmed_seeds", "Charmed seeds", seeds_table))
    (tmp_path / "charming_task.py").write_text(TASK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    TABLES.unregister("charmed_seeds")
    FIGURES.unregister("charm")
    METRICS.unregister("charm")
    DESIGNS.unregister("corners")
    sys.modules.pop("charming_task", None)
    monkeypatch.undo()
    register()


def test_the_configuration_has_the_ingredient_and_the_setting(call: Callable[..., Any]) -> None:
    config = yaml.safe_load(call(main, "--cfg", "job").out)
    assert (config["sparkle"], config["only"]["sparkle"], config["train"]["patience"]) == ("bright", None, 3)
    assert config["study"]["labels"]["sparkle"] == "sparkling layers"


def test_their_values_are_checked() -> None:
    assert faults({"sparkle": "bright", "train": {"patience": 1}}) == []
    assert faults({"sparkle": "brigt", "train": {"patience": 0}}) == [
        "sparkle=brigt: allowed are bright, dull. Did you mean 'bright'?",
        "train.patience=0: must be a whole number of at least 1.",
    ]


def test_the_help_page_names_all_of_them(call: Callable[..., Any]) -> None:
    page = call(main, "--help").out
    lines = [" ".join(line.split()) for line in page.splitlines()]
    assert "sparkle=bright glitter on every layer" in lines
    assert "train.patience=3 epochs without success" in lines
    for key, name in (("study.design", "corners"), ("study.metric", "charm"), ("report.figures", "charm")):
        (described,) = re.findall(rf"^  {key}\b.*(?:\n {{5,}}.*)*", page, re.MULTILINE)
        assert name in re.findall(r"\w+", described)


STUDY = (
    "sparkle=bright,dull",
    "residual=true,false",
    *("study.design=corners", "study.metric=test_charm", "study.name=toy", "report.figures=[charm]"),
    *("trainer=charming_task.train", "hydra/launcher=basic"),
    *("study.preflight=null", "study.costs=null", "study.diagrams=null"),
)


def test_a_study_of_all_of_them_is_planned_and_reported(call: Callable[..., Any], tmp_path: Path) -> None:
    planned = call(main, "plan", *STUDY)
    assert (planned.code, planned.err) == (0, "")
    assert "Study 'toy': 2 cells (corners), seeds 0, 1, 2; metric test_charm, higher is better." in planned.out
    assert "Only the opposite corners are trained." in planned.out

    ended = call(main, "-m", *STUDY)
    assert (ended.code, ended.err) == (0, "")
    folder = tmp_path / "outputs" / "toy"
    assert {path.name for path in (folder / "figures").iterdir()} >= {"charm.png", "charm.svg", "charm.pdf"}
    assert (folder / "tables" / "charmed_seeds.csv").read_text() == "seed\n0\n1\n2\n"
    page = (folder / "report.html").read_text()
    for text in ("The charm of every cell of toy.", "Charmed seeds", "The charmed seeds.", "charm of the network"):
        assert text in page

    # A share: the difference of 0.15 is written in points.
    sentences = (folder / "tables" / "sentences.md").read_text()
    assert "sparkling layers" in sentences
    assert "changes test charm of the network by −15 points" in sentences
    assert "test charm of the network (higher is better)" in (folder / "tables" / "effects.md").read_text()


def test_the_figure_is_drawn_by_default_of_studies_of_the_design(tmp_path: Path) -> None:
    summary = ablate.run(
        lambda config: {"test_charm": 0.9 + 0.01 * config["seed"] - 0.1 * (config["sparkle"] == "dull")},
        {"sparkle": ["bright", "dull"], "residual": [True, False]},
        outputs=tmp_path,
        name="own",
        design="corners",
        metric="test_charm",
        seeds=2,
    )
    assert "charm" in (tmp_path / "own" / "figures" / "captions.md").read_text()
    assert summary.runs["test_charm"].notna().all()
    assert "charmed_seeds" not in ablate.table(summary)
    assert "2" not in ablate.table(summary, "csv", "charmed_seeds")
