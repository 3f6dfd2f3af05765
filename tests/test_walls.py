"""Who may import whom: the rooms keep apart, and what must start fast stays light."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NETWORKS = {"tensorflow", "keras", "tensorflow_datasets", "torch", "jax"}
NUMBERS = {"numpy", "pandas", "scipy", "matplotlib", "statsmodels"}
BASE = ("ablate.errors", "ablate.formatting", "ablate.objects")
MODULES = sorted(path for room in ("ablate", "hydra_plugins") for path in (ROOT / room).rglob("*.py"))


def loaded(program: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded at the end of a program."""
    ending = "import atexit, json, sys\natexit.register(lambda: sys.stderr.write('\\n' + json.dumps([*sys.modules])))\n"
    done = subprocess.run(
        [sys.executable, "-c", ending + program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in json.loads(done.stderr.splitlines()[-1])}


@pytest.mark.parametrize(
    "module",
    [
        "ablate",
        "ablate.cli",
        "ablate.config",
        "ablate.errors",
        "ablate.study",
        "ablate.store",
        "ablate.sweep.sweeper",
        "ablate.sweep.worker",
        "hydra_plugins.ablate_sweeper",
    ],
)
def test_what_every_command_needs_loads_neither_networks_nor_numbers(module: str) -> None:
    assert not loaded(f"import {module}\n") & (NETWORKS | NUMBERS)


def test_what_reports_need_loads_no_networks() -> None:
    rooms = "ablate.analysis, ablate.figures, ablate.tables, ablate.report, ablate.store.frames"
    assert not loaded(f"import {rooms}\n") & NETWORKS


def test_names_of_the_public_interface_load_no_networks() -> None:
    program = "import ablate\nassert len(ablate.__all__) <= 15\nfor name in ablate.__all__: getattr(ablate, name)\n"
    assert not loaded(program) & NETWORKS


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job"]])
def test_help_and_the_configuration_load_neither_networks_nor_numbers(arguments: list[str]) -> None:
    program = f"import runpy\nsys.argv = ['ablate', *{arguments}]\nrunpy.run_module('ablate', run_name='__main__')\n"
    assert not loaded(program) & (NETWORKS | NUMBERS)


def imports(path: Path, top: bool = False) -> Iterator[str]:
    """Every module that a file imports, inside functions as well unless only the top level is asked for."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in tree.body if top else ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module or ""


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def inside(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def crossings(imported: tuple[str, ...], allowed: tuple[str, ...]) -> list[str]:
    """Imports of some modules from outside of the rooms that may."""
    return [
        f"{name_of(path)} imports {module}"
        for path in MODULES
        if not inside(name_of(path), allowed)
        for module in imports(path)
        if inside(module, imported)
    ]


def test_there_is_something_to_look_at() -> None:
    assert len(MODULES) > 40
    assert "hydra" in {module.split(".")[0] for module in imports(ROOT / "ablate" / "cli.py")}


def test_nobody_imports_the_keras_layer() -> None:
    # The ready-made check of an ingredient is for those who write one.
    assert crossings(("ablate.keras",), ("ablate.keras", "ablate.testing")) == []


def test_only_the_keras_layer_imports_networks() -> None:
    assert crossings(tuple(NETWORKS), ("ablate.keras", "ablate.testing")) == []


def test_only_the_sweep_and_the_command_line_know_hydra() -> None:
    rooms = ("ablate.sweep", "ablate.cli", "ablate.config", "hydra_plugins")
    assert crossings(("hydra",), rooms) == []


@pytest.mark.parametrize("library", ["scipy", "statsmodels"])
def test_only_the_analysis_computes_statistics(library: str) -> None:
    assert crossings((library,), ("ablate.analysis", "ablate.keras")) == []


def test_only_figures_and_the_keras_layer_draw() -> None:
    assert crossings(("matplotlib",), ("ablate.figures", "ablate.keras")) == []


@pytest.mark.parametrize(
    ("room", "below"),
    [
        ("ablate.study", (*BASE, "ablate.study")),
        ("ablate.store", ("ablate.errors", "ablate.study", "ablate.store")),
        ("ablate.analysis", (*BASE, "ablate.study", "ablate.analysis")),
        ("ablate.tables", ("ablate.errors", "ablate.study", "ablate.analysis", "ablate.tables", "ablate.store")),
        ("ablate.figures", ("ablate.errors", "ablate.study", "ablate.analysis", "ablate.figures", "ablate.store")),
    ],
)
def test_no_room_reaches_back(room: str, below: tuple[str, ...]) -> None:
    found = [
        f"{name_of(path)} imports {module}"
        for path in MODULES
        if inside(name_of(path), (room,))
        for module in imports(path)
        if inside(module, ("ablate",)) and not inside(module, below)
    ]
    assert found == []
