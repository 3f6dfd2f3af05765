"""A figure and a table of one's own, by registration alone."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from toy_studies import DATA, study_of

from ablate.analysis import Summary
from ablate.errors import ConfigError
from ablate.figures import (
    FIGURES,
    Figure,
    FigureKind,
    choice_faults,
    default_figures,
    register_figure,
    seeds,
    write_figures,
)
from ablate.objects import Registry
from ablate.tables import TABLES, Column, Table, TableKind, register_table, study_tables, table_of, write_tables

TOY = Figure(
    prepare=lambda summary: summary.cells[["cell", "mean"]],
    draw=lambda ax, data: ax.bar(data["cell"], data["mean"]),
    compose=lambda data, page=None: seeds.Canvas(2, 2),
    caption=lambda summary, data: f"A toy of {summary.study.name}.",
    absence="there is nothing",
)
INSTALLED = FigureKind("installed", TOY)


@pytest.fixture
def toy_figure() -> Iterator[None]:
    register_figure(FigureKind("toy", f"{__name__}.TOY", "blocks"))
    yield
    FIGURES.unregister("toy")


@pytest.fixture
def toy_table() -> Iterator[None]:
    def build(summary: Summary) -> Table | None:
        if summary.study.design != "factorial":
            return None
        return table_of(summary, "toy", [(Column("seed", "count"), summary.study.seeds)], "The seeds.")

    register_table(TableKind("toy", "A toy", build))
    yield
    TABLES.unregister("toy")


def test_a_registered_figure_can_be_chosen_and_is_drawn(toy_figure: None, tmp_path: Path) -> None:
    assert choice_faults(["toy"]) == []
    write_figures(study_of(epochs=0), tmp_path, ["toy"])
    assert (tmp_path / "toy.svg").is_file()
    assert (tmp_path / "captions.md").read_text() == "**toy**: A toy of demo.\n"
    assert "toy" not in default_figures(study_of(epochs=0).plan)
    assert default_figures(study_of([DATA, "a"], epochs=0).plan)[-1] == "toy"


def test_a_figure_is_registered_once(toy_figure: None) -> None:
    with pytest.raises(ConfigError, match="already"):
        register_figure(FigureKind("toy", TOY))


def test_installed_packages_add_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("installed", f"{__name__}:INSTALLED", "ablate.figures")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point] if group == "ablate.figures" else [])
    registry: Registry[FigureKind] = Registry("figure", "ablate.figures")
    assert "pie" not in registry
    assert registry["installed"].load() is TOY


def test_every_figure_loads() -> None:
    assert all(isinstance(kind.load(), Figure) for kind in FIGURES.values())
    with pytest.raises(KeyError):
        FIGURES["pie"]


def test_a_registered_table_is_written_behind_the_others(toy_table: None, tmp_path: Path) -> None:
    summary = study_of("ab", design="factorial", epochs=0)
    assert list(study_tables(summary))[-1] == "toy"
    assert "toy" not in study_tables(study_of(epochs=0))
    write_tables(summary, tmp_path)
    assert (tmp_path / "toy.csv").read_text() == "seed\n0\n1\n2\n"
    assert "\\label{tab:ablate-demo-toy}" in (tmp_path / "toy.tex").read_text()
    with pytest.raises(ConfigError, match="already"):
        register_table(TableKind("toy", "Another toy", TABLES["toy"].build))


def test_every_table_has_a_name_and_a_title() -> None:
    assert all(name == kind.name and kind.title for name, kind in TABLES.items())
