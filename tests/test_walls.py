"""Who may import whom: packages have an order, and what every command needs stays light."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NETWORKS = {"tensorflow", "keras", "tensorflow_datasets", "torch", "jax"}
NUMBERS = {"numpy", "pandas", "scipy", "matplotlib", "statsmodels"}
BASE = ("ablate.characters", "ablate.errors", "ablate.formatting", "ablate.objects")
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
        "ablate.app.main",
        "ablate.app.schema",
        "ablate.errors",
        "ablate.keras.rewrites.registry",
        "ablate.keras.settings",
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
    rooms = "ablate.analysis, ablate.figures, ablate.tables, ablate.report, ablate.store.snapshot"
    assert not loaded(f"import {rooms}\n") & NETWORKS


def test_names_of_the_public_interface_load_no_networks() -> None:
    program = "import ablate\nassert len(ablate.__all__) <= 25\nfor name in ablate.__all__: getattr(ablate, name)\n"
    assert not loaded(program) & NETWORKS


@pytest.mark.parametrize("arguments", [["--help"], ["report", "--help"], ["--cfg", "job"]])
def test_help_and_the_configuration_load_neither_networks_nor_numbers(arguments: list[str]) -> None:
    program = f"import runpy\nsys.argv = ['ablate', *{arguments}]\nrunpy.run_module('ablate', run_name='__main__')\n"
    assert not loaded(program) & (NETWORKS | NUMBERS)


def import_statements(path: Path) -> Iterator[ast.Import | ast.ImportFrom]:
    """Every import of a file, inside functions as well, but not those for type checkers alone."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in typing_only:
            assert isinstance(node, ast.Import) or node.level == 0, f"{path} imports relatively"
            yield node


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports; a name that is a module of ours counts as that module."""
    names = {name_of(module) for module in MODULES}
    for node in import_statements(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            modules = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from modules & names
            if modules - names:
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
    assert "hydra" in {module.split(".")[0] for module in imports(ROOT / "ablate" / "app" / "application.py")}


def test_nobody_imports_the_keras_layer() -> None:
    # The ready-made check of an ingredient is for those who write one.
    assert crossings(("ablate.keras",), ("ablate.keras", "ablate.testing")) == []


def test_only_the_keras_layer_imports_networks() -> None:
    assert crossings(tuple(NETWORKS), ("ablate.keras", "ablate.testing")) == []


def test_only_the_sweep_and_the_application_know_hydra() -> None:
    rooms = ("ablate.sweep", "ablate.app", "hydra_plugins")
    assert crossings(("hydra",), rooms) == []


@pytest.mark.parametrize("library", ["scipy", "statsmodels"])
def test_only_the_analysis_computes_statistics(library: str) -> None:
    assert crossings((library,), ("ablate.analysis", "ablate.keras")) == []


def test_only_figures_and_the_keras_layer_draw() -> None:
    assert crossings(("matplotlib",), ("ablate.figures", "ablate.keras")) == []


# What may be imported stands before what imports it; what stands in one line does not know of each other.
ORDER = (
    ("characters",),
    ("errors", "formatting", "memory"),
    ("objects",),
    ("study",),
    ("logs",),
    ("store",),
    ("analysis",),
    ("captions",),
    ("tables", "figures"),
    ("report",),
    ("sweep",),
    ("foreign", "merging"),
    ("app", "api"),
)
KERAS = ("characters", "errors", "formatting", "objects", "store", "study.metric", "study.setting", "memory", "keras")


def package_of(module: str) -> str:
    return module.split(".")[1] if module.count(".") else ""


def ours(path: Path) -> Iterator[str]:
    """Every module of ours that a file imports."""
    return (module for module in imports(path) if inside(module, ("ablate",)))


def test_no_package_imports_one_above_it() -> None:
    place = {name: number for number, names in enumerate(ORDER) for name in names}
    packages = {package_of(name_of(path)) for path in MODULES if inside(name_of(path), ("ablate",))}
    # The top of the package looks names up lazily, `python -m ablate` starts the application.
    assert packages - {"", "__main__", "keras", "testing"} <= place.keys()
    upward = [
        f"{name_of(path)} imports {module}"
        for path in MODULES
        if (here := package_of(name_of(path))) in place
        for module in ours(path)
        if (there := package_of(module)) in place
        if there != here and place[there] >= place[here]
    ]
    assert upward == []


def test_the_keras_layer_uses_the_ground_floor_of_the_core_alone() -> None:
    allowed = tuple(f"ablate.{name}" for name in KERAS)
    found = [
        f"{name_of(path)} imports {module}"
        for path in MODULES
        if inside(name_of(path), ("ablate.keras",))
        for module in ours(path)
        if not inside(module, allowed)
    ]
    assert found == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {name_of(path): set(ours(path)) - {name_of(path)} for path in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))
