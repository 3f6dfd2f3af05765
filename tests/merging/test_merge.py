from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ablate
from ablate.app.main import VERBS
from ablate.errors import AblateError, ConfigError, StoreError
from ablate.merging import compare, merge
from ablate.report import summary_of
from ablate.store import FAILED, Result, Status, StudyFolder

pytestmark = pytest.mark.usefixtures("no_figures")


def train(config: dict[str, Any], bonus: float = 0.0) -> dict[str, float]:
    score = 0.8 + 0.1 * bool(config["residual"]) + 0.01 * config["seed"] ** 2 + bonus
    return {"score": score + 0.001 * config.get("width", 0) * config["seed"], "weights": 3.0}


def study(folder: Path, name: str, seeds: Any, bonus: float = 0.0, **more: Any) -> StudyFolder:
    """A study of a function, carried out on some machine."""
    factors = more.pop("factors", {"residual": [True, False]})
    task: Callable[..., Any] = functools.partial(train, bonus=bonus)
    ablate.run(task, factors, seeds=seeds, name=name, outputs=folder / "outputs", metric="score", **more)
    return StudyFolder(folder / "outputs" / name)


@pytest.fixture
def parts(tmp_path: Path) -> list[StudyFolder]:
    """One study: seeds 0 to 2 on a laptop, 2 to 4 on a server."""
    laptop = study(tmp_path / "laptop", "residual", [0, 1, 2])
    return [laptop, study(tmp_path / "server", "residual", [2, 3, 4])]


def test_parts_of_a_study_become_one_with_each_run_once(parts: list[StudyFolder], tmp_path: Path) -> None:
    into = StudyFolder(tmp_path / "outputs" / "whole")
    merged = merge(parts, into)
    assert merged.messages == (
        "10 runs of 2 folders, 0 of them still to be trained:",
        "  laptop-outputs-residual: 6 runs, 6 taken from here",
        "  server-outputs-residual: 6 runs, 4 taken from here",
    )
    summary = summary_of(into)
    assert summary.effects[["cell", "n"]].to_numpy().tolist() == [["w/o residual", 5]]
    assert summary.study.seeds == (0, 1, 2, 3, 4)
    assert summary.study.name == "whole"
    whole = study(tmp_path / "alone", "residual", 5)
    columns = ["cell", "n", "difference", "low", "high", "p", "verdict"]
    assert summary.effects[columns].equals(summary_of(whole).effects[columns])


def test_the_study_goes_on_in_the_merged_folder(parts: list[StudyFolder], tmp_path: Path) -> None:
    into = StudyFolder(tmp_path / "outputs" / "whole")
    merge(parts, into)
    done = {run: into.run(run).status() for run in into.existing_record().runs}
    again = study(tmp_path, "whole", 6)
    assert again.path == into.path
    record = into.existing_record()
    assert len(record.runs) == 12
    assert {run: into.run(run).status() for run in record.runs if run in done} == done
    assert summary_of(into).effects["n"].tolist() == [6]


def test_merging_again_and_into_a_part_changes_nothing_that_is_there(parts: list[StudyFolder], tmp_path: Path) -> None:
    into = StudyFolder(tmp_path / "outputs" / "whole")
    merge(parts, into)
    files = {path: path.read_bytes() for path in (into.path / "runs").rglob("*") if path.is_file()}
    merge(parts, into)
    assert {path: path.read_bytes() for path in (into.path / "runs").rglob("*") if path.is_file()} == files
    merge(parts, parts[0])
    assert len(parts[0].existing_record().runs) == 10
    assert len(parts[1].existing_record().runs) == 6
    assert summary_of(parts[0]).effects["n"].tolist() == [5]


def test_a_finished_run_counts_before_a_failed_one(parts: list[StudyFolder], tmp_path: Path) -> None:
    run = next(run for run in parts[1].existing_record().runs if run.seed == 2)
    parts[0].run(run).write_status(Status(FAILED, "raised", "a bad day"))
    into = StudyFolder(tmp_path / "outputs" / "whole")
    merge(parts, into)
    assert summary_of(into).runs["state"].unique().tolist() == ["finished"]


def test_other_numbers_of_a_run_are_shown_and_refused(parts: list[StudyFolder], tmp_path: Path) -> None:
    run = next(run for run in parts[1].existing_record().runs if run.seed == 2)
    parts[1].run(run).write_result(Result({"score": 0.5, "weights": 3.0}))
    into = StudyFolder(tmp_path / "outputs" / "whole")
    with pytest.raises(StoreError) as caught:
        merge(parts, into)
    assert str(caught.value) == (
        "1 run has other numbers in two of the folders:\n"
        "  full, seed 2: score 0.94 (laptop-outputs-residual), 0.5 (server-outputs-residual)\n"
        "Say whose count with --keep first or --keep last, or compare the folders with: "
        f"ablate report {parts[0].path} {parts[1].path}"
    )
    assert not into.path.exists()
    merge(parts, into, keep="last")
    assert summary_of(into).runs.query("cell == 'full' and seed == 2")["score"].tolist() == [0.5]
    assert (
        "1 run had other numbers in another of the merged folders; those of the last folder count: full, seed 2: score "
        "0.94 (laptop-outputs-residual), 0.5 (server-outputs-residual)."
    ) in summary_of(into).notes


def test_timings_are_no_conflict(parts: list[StudyFolder], tmp_path: Path) -> None:
    run = next(run for run in parts[1].existing_record().runs if run.seed == 2)
    result = parts[0].run(run).result()
    assert result is not None
    parts[1].run(run).write_result(Result({**result.metrics, "seconds": 1e6}))
    merge(parts, StudyFolder(tmp_path / "outputs" / "whole"))


def test_other_studies_are_refused_key_by_key(tmp_path: Path) -> None:
    a = study(tmp_path / "a", "s", 2, config={"width": 1})
    b = study(tmp_path / "b", "s", 2, config={"width": 2, "deep": True}, direction="min")
    with pytest.raises(StoreError) as caught:
        merge([a, b], StudyFolder(tmp_path / "whole"))
    assert str(caught.value) == (
        "These folders hold different studies:\n"
        "  a-outputs-s -> b-outputs-s: deep: absent -> true\n"
        "  a-outputs-s -> b-outputs-s: width: 1 -> 2\n"
        "  a-outputs-s -> b-outputs-s: study.direction: max -> min\n"
        f"Compare them with: ablate report {a.path} {b.path}"
    )


def test_a_run_at_work_is_waited_for(parts: list[StudyFolder], tmp_path: Path) -> None:
    run = parts[1].existing_record().runs[-1]
    folder = parts[1].run(run)
    with folder.hold():
        folder.write_status(Status("running"))
        with pytest.raises(StoreError) as caught:
            merge(parts, StudyFolder(tmp_path / "outputs" / "whole"))
    assert str(caught.value) == f"{run.folder} in '{parts[1].path}' is still running. Merge when it has ended."


def test_parts_are_merged_by_a_report_on_both(parts: list[StudyFolder], tmp_path: Path) -> None:
    found = compare(parts, StudyFolder(tmp_path / "outputs" / "both"))
    assert found.explanation == "Parts of one study: merged run by run."
    (summary,) = found.summaries.values()
    assert summary.effects["n"].tolist() == [5]
    assert (found.folder.tables / "effects.md").is_file()


def test_the_same_study_on_two_machines_has_the_machine_as_block(tmp_path: Path) -> None:
    laptop = study(tmp_path / "laptop", "residual", 3)
    server = study(tmp_path / "server", "residual", 3, bonus=0.05)
    into = StudyFolder(tmp_path / "outputs" / "both")
    found = compare([laptop, server], into)
    names = ["laptop-outputs-residual", "server-outputs-residual"]
    assert found.explanation == (
        f"One study with the block 'origin': cells are compared within {', '.join(names)}, never across."
    )
    effects = summary_of(into).effects
    assert effects["cell"].tolist() == ["w/o residual", f"origin={names[1]}, w/o residual"]
    assert effects["difference"].round(9).tolist() == [-0.1, -0.1]
    assert effects["reference_mean"].round(6).tolist() == [0.916667, 0.966667]
    # Again, after one of them has changed.
    run = server.existing_record().runs[0]
    server.run(run).write_result(Result({"score": 2.0}))
    assert compare([laptop, server], into).summaries["both"].effects["reference_mean"].iloc[1] > 1


def test_other_settings_and_more_levels_are_told(tmp_path: Path) -> None:
    a = study(tmp_path, "a", 2, factors={"width": [0, 5]}, config={"residual": True})
    b = study(tmp_path, "b", 2, factors={"width": [0, 7]}, config={"residual": False})
    (summary,) = compare([a, b], StudyFolder(tmp_path / "outputs" / "a+b")).summaries.values()
    assert summary.effects["cell"].tolist() == ["width=5", "origin=b, width=7"]
    assert "Differs between the studies: a -> b: residual: true -> false." in summary.notes


def test_studies_that_ask_something_else_stand_side_by_side(tmp_path: Path) -> None:
    a = study(tmp_path, "a", 2)
    b = study(tmp_path, "b", 2, factors={"width": [0, 5]}, config={"residual": True})
    c = study(tmp_path, "c", 2, direction="min")
    found = compare([a, b, c], StudyFolder(tmp_path / "outputs" / "all"))
    assert found.explanation == (
        "Side by side, since they do not ask the same: direction max (a), max (b), min (c); factors residual (a), "
        "width (b), residual (c)."
    )
    assert list(found.summaries) == ["a", "b", "c"]
    assert (found.folder.tables / "b" / "effects.tex").is_file()
    lines = (found.folder.path / "effects.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["study", "a", "b", "c"]
    assert compare([a, b], StudyFolder(tmp_path / "outputs" / "ab")).explanation == (
        "Side by side, since they do not ask the same: factors residual (a), width (b)."
    )


def test_a_report_does_not_overwrite_another_study(tmp_path: Path) -> None:
    a, b, other = (study(tmp_path, name, 2, bonus=index) for index, name in enumerate("abx"))
    for into in (other, a):
        with pytest.raises(StoreError) as caught:
            compare([a, b], into)
        assert str(caught.value) == (
            f"The folder '{into.path}' holds another study. Choose a name for this report with --into NAME."
        )


def test_the_verbs(
    parts: list[StudyFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [str(part.path) for part in parts]
    assert VERBS["merge"].run([*paths, "--into", "whole"]) == 0
    assert "10 runs of 2 folders, 0 of them still to be trained:" in capsys.readouterr().out
    shutil.copytree(parts[0].path, tmp_path / "outputs" / "one")
    shutil.copytree(parts[1].path, tmp_path / "outputs" / "two")
    assert VERBS["report"].run(["one", "two"]) == 0
    assert "Parts of one study: merged run by run." in capsys.readouterr().out
    assert VERBS["report"].run(["one+two"]) == 0
    assert VERBS["report"].run(["one", "two", "--into", "named"]) == 0
    assert (tmp_path / "outputs" / "named" / "effects.csv").is_file()
    for words, message in (
        (["one"], "Name the merged study: --into NAME."),
        (["one", "--into", "x", "--keep", "frist"], "--keep frist: allowed are first, last. Did you mean 'first'?"),
        (["one", "--into", "../x"], "study.name='../x' cannot be the name of a folder: "),
    ):  # fmt: skip
        with pytest.raises(ConfigError) as caught:
            VERBS["merge"].run(words)
        assert str(caught.value).startswith(message)
    with pytest.raises(AblateError) as twice:
        VERBS["report"].run(["one", "one"])
    assert str(twice.value) == "The same folder stands twice: outputs/one, outputs/one."


def test_folders_are_named_by_their_paths(
    parts: list[StudyFolder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths: list[str | Path] = [str(parts[0].path), parts[1].path]
    merged = merge(paths, tmp_path / "outputs" / "whole")
    assert merged.summary.effects["n"].tolist() == [5]
    monkeypatch.chdir(tmp_path)
    study(tmp_path, "a", 2)
    study(tmp_path, "b", 2, bonus=1)
    assert compare(["outputs/a", "outputs/b"]).folder.path == Path("outputs/a+b")
    with pytest.raises(ConfigError) as caught:
        merge(paths, tmp_path / "outputs" / "whole", keep="frist")
    assert str(caught.value) == "keep=frist: allowed are first, last. Did you mean 'first'?"


def test_a_damaged_run_is_named_and_merged_with_its_fault(parts: list[StudyFolder], tmp_path: Path) -> None:
    laptop, server = parts
    first = laptop.run(laptop.existing_record().runs[0])
    (first.path / "status.json").write_text("{")
    other = server.run(server.existing_record().runs[0])
    (other.path / "result.json").write_text("{")
    merged = merge(parts, tmp_path / "merged")
    assert sum("status.json" in line or "result.json" in line for line in merged.messages) == 2
    # Of the run that both folders have, the one that can be read counts.
    assert merged.summary.runs["reason"].tolist() == ["unreadable", *[""] * 9]
    assert "status.json" in " ".join(merged.summary.notes)
