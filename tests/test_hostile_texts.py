"""What users, files and runs bring along as text reaches no terminal, markup or spreadsheet as a command."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pandas as pd
import pytest

from ablate import run
from ablate.analysis import Summary, summarise
from ablate.app.verb import fail
from ablate.characters import printable
from ablate.errors import ConfigError
from ablate.figures import FIGURES, write_figures
from ablate.objects import Registry
from ablate.study import Factor, Level, Study, make_plan
from ablate.sweep.console import say, show_summary
from ablate.tables import write_tables

TITLE, CLEAR, C1, BIDI = "\x1b]0;title\x07", "\x1b[2J", "\x9b2J", "a\u202eb"
TEXTS = (TITLE, CLEAR, C1, BIDI, "over\rwrite", "zero\u200bwidth", "null\x00", "\ufffe", "[red]x[/red]", "=cmd()")


@pytest.fixture
def summary() -> Summary:
    factors = [
        Factor(TITLE, (Level("true"), Level("false")), "true"),
        Factor("level", (Level("plain"), *map(Level, TEXTS), Level("-0.5")), "plain"),
        Factor("=formula", (Level("+1"), Level("@x")), "+1"),
    ]
    plan = make_plan(Study("a\x1bb", "one_factor_at_a_time", (0, 1), f"metric{CLEAR}"), factors)
    rows = [(cell.label, seed, 0.5 + 0.01 * seed) for cell in plan.cells for seed in (0, 1)]
    runs = pd.DataFrame(rows, columns=["cell", "seed", f"metric{CLEAR}"])
    runs = runs.assign(study="s", state="finished", reason="", weights=9, seconds=1.0)
    curves = runs.rename(columns={f"metric{CLEAR}": f"val_metric{CLEAR}"})[["study", "cell", "seed"]].assign(epoch=1)
    curves = pd.concat([curves, curves.assign(epoch=2)]).assign(**{f"val_metric{CLEAR}": 0.5})
    return summarise(plan, runs, curves)


def check_text(text: str) -> None:
    assert printable(text) == text


def test_tables(summary: Summary, tmp_path: Path) -> None:
    files = write_tables(summary, tmp_path, {("full", 0): f"error {CLEAR}"})
    for path in files:
        check_text(path.read_text(encoding="utf-8"))
    rows = pd.read_csv(tmp_path / "effects.csv")
    assert "'=formula=@x" in [*rows["cell"]]
    assert "'=cmd()" in [*rows["level"]] and "-0.5" in [*rows["level"]]
    assert {*rows["'=formula"]} == {"+1", "'@x"}


def test_figures(summary: Summary, tmp_path: Path) -> None:
    write_figures(summary, tmp_path, [name for name in FIGURES if name != "interactions"])
    drawn = sorted(tmp_path.glob("*.svg"))
    assert {path.stem for path in drawn} >= {"forest", "effects", "curves", "seeds"}
    for path in drawn:
        check_text(path.read_text(encoding="utf-8"))
        ElementTree.fromstring(path.read_bytes())
    check_text((tmp_path / "captions.md").read_text(encoding="utf-8"))


def test_the_terminal(summary: Summary, capsys: pytest.CaptureFixture[str]) -> None:
    for text in TEXTS:
        say(f"level={text}")
        assert fail(f"No such level: {text}", 2) == 2
    show_summary(summary)
    captured = capsys.readouterr()
    check_text(captured.out)
    check_text(captured.err)
    assert "[red]x[/red]" in captured.out and r"\x1b]0;title\x07" in captured.out


def test_the_live_table(summary: Summary, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from ablate.store import StudyFolder
    from ablate.store.records import PlannedRun
    from ablate.sweep.events import RunEnded, StudyStarted
    from ablate.sweep.live_table import LiveTable

    monkeypatch.setattr(StudyFolder, "existing_record", lambda self: SimpleNamespace(runs=()))
    table = LiveTable()
    table.on_event(StudyStarted(Path("study"), summary.plan))
    for cell in summary.plan.cells:
        table.on_event(RunEnded(PlannedRun("id", cell.name, 0), cell, "failed", f"[bold]{CLEAR}", "error", {}))
    for width in (40, 200):
        console = Console(file=io.StringIO(), width=width, color_system=None)
        console.print(table.rendered(width, 60))
        shown = console.file.getvalue()  # type: ignore[attr-defined]
        check_text(shown)
        assert "[red]x[/red]" in shown


@pytest.mark.usefixtures("no_figures")
def test_a_whole_study_and_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def train(config: dict[str, object]) -> dict[str, float]:
        if config["level"] == CLEAR:
            raise ValueError(f"no {TITLE} here\r[red]")
        return {f"score{BIDI}": 0.5, f"other{C1}": 1.0}

    run(
        train, {"level": ["plain", *TEXTS]}, metric=f"score{BIDI}", direction="max", name="s", seeds=2, outputs=tmp_path
    )
    check_text((tmp_path / "s" / "report.html").read_text(encoding="utf-8"))
    check_text((tmp_path / "s" / "checklist.md").read_text(encoding="utf-8"))
    for path in (tmp_path / "s" / "tables").iterdir():
        check_text(path.read_text(encoding="utf-8"))
    captured = capsys.readouterr()
    assert r"\x1b]0;title\x07 here\x0d[red]" in captured.out
    check_text(captured.out)


def test_our_own_colours_still_reach_a_terminal(summary: Summary) -> None:
    from rich.console import Console

    from ablate.tables import effects_table, terminal

    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=200)
    console.print(terminal(effects_table(summary)))
    assert "\x1b[" in console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b]0" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_names_of_files_do_not_differ_by_case_alone() -> None:
    shapes: Registry[SimpleNamespace] = Registry("table")
    shapes.register(SimpleNamespace(name="effects"))
    with pytest.raises(ConfigError, match="effects"):
        shapes.register(SimpleNamespace(name="Effects"))


def test_messages_go_to_the_stream_of_the_moment(capsys: pytest.CaptureFixture[str]) -> None:
    say("to the reader")
    say("to the log", sys.stderr)
    assert capsys.readouterr() == ("to the reader\n", "to the log\n")
