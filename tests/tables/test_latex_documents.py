"""What LaTeX makes of the files: tables and numbers in documents of one and two columns, with the worst names."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ablate.analysis import Summary, summarise
from ablate.study import Factor, Level, Study, make_plan
from ablate.tables import macros, preamble, write_tables

pytestmark = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")


def compiled(folder: Path, body: str, options: str = "") -> subprocess.CompletedProcess[str]:
    source = f"\\documentclass[{options}]{{article}}\n{body}\n\\end{{document}}\n"
    (folder / "paper.tex").write_text(source, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "paper.tex"]
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", errors="replace", check=False)


def printed(folder: Path) -> str:
    """The text of the paper, as far as this machine can read it out of the PDF."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    command = ["pdftotext", "-layout", "paper.pdf", "-"]
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=True).stdout


@pytest.fixture
def failing() -> Summary:
    """Failed runs, several data sets, infinite numbers, and names that mean something to LaTeX."""
    factors = [
        Factor("a_b&c%", (Level("true"), Level("false")), "true"),
        Factor("größe_층#1", (Level("{x}"), Level("\\y")), "{x}"),
        Factor("data", (Level("digits"), Level("a_set^2")), "digits", block=True),
    ]
    plan = make_plan(Study("fail ing", "leave_one_out", (0, 1, 2), "test_accuracy", margin=0.01), factors)
    noise = np.random.default_rng(0).normal(0, 0.004, (len(plan.cells), 3))
    rows = [
        {"cell": cell.label, "seed": seed, "state": "finished", "reason": ""}
        | {"test_accuracy": 0.9 - 0.1 * len(cell.changed) + noise[place, seed]}
        for place, cell in enumerate(plan.cells)
        for seed in range(3)
    ]
    rows[4] |= {"state": "failed", "reason": "raised", "test_accuracy": None}
    runs = pd.DataFrame(rows).assign(loss=[float("inf"), *([0.25] * (len(rows) - 1))])
    return summarise(plan, runs, pd.DataFrame(columns=["cell", "seed", "epoch"]))


@pytest.mark.parametrize(("options", "ending"), [("", ""), ("twocolumn", ""), ("twocolumn", "_wide")])
def test_all_tables_compile(options: str, ending: str, failing: Summary, tmp_path: Path) -> None:
    failed = failing.runs.iloc[4]
    errors = {(str(failed["cell"]), int(failed["seed"])): "ValueError: 100 % of $x_1$ in /a/long/path/of/some_file.py"}
    files = write_tables(failing, tmp_path, errors)
    names = [path.name.removesuffix("_wide.tex") for path in files if path.name.endswith("_wide.tex")]
    assert {"effects", "by_dataset", "robustness", "datasets", "runs", "failures"} == set(names)
    tables = "\n".join(f"\\input{{{name}{ending}}}" for name in names)
    done = compiled(tmp_path, f"\\input{{preamble}}\n\\input{{numbers}}\n\\begin{{document}}\n{tables}", options)
    assert done.returncode == 0, done.stdout
    assert "Overfull" not in done.stdout
    text = printed(tmp_path)
    assert "w/o a_b&c%" in text
    assert "100 % of $x_1$" in text
    assert "U+CE35" in text  # pdfLaTeX has no font for Korean; the code point stands for it


@pytest.fixture(scope="module")
def answered() -> list[Summary]:
    """Studies of designs that answer more, with names that mean something to LaTeX: all levels, and six data sets."""
    named = [
        Factor("a_b&c%", (Level("true"), Level("false")), "true"),
        Factor("größe_층#1", (Level("{x}"), Level("\\y")), "{x}"),
        Factor("~^$", (Level("true"), Level("false")), "true"),
    ]
    data = Factor("data", tuple(Level(f"set_{place}%") for place in range(6)), "set_0%", block=True)
    found = []
    for name, design, factors in (("grid", "factorial", named), ("ranked", "leave_one_out", [*named, data])):
        plan = make_plan(Study(name, design, (0, 1, 2), "test_accuracy", margin=0.01), factors)
        random = np.random.default_rng(1)
        rows = [
            (cell.label, seed, 0.9 - 0.1 * len(cell.changed) + float(random.normal(0, 0.004)))
            for cell in plan.cells
            for seed in range(3)
        ]
        runs = pd.DataFrame(rows, columns=["cell", "seed", "test_accuracy"]).assign(state="finished", reason="")
        summary = summarise(plan, runs, pd.DataFrame(columns=["cell", "seed", "epoch"]))
        measured = dict.fromkeys(("weights", "flops", "activations"), 36864.0) | {"latency": 0.001375, "step": 0.0205}
        ratios = {f"{column}_ratio": 7.8904 for column in measured}
        costs = pd.DataFrame([{"cell": cell.label, "batch": 8} | measured | ratios for cell in plan.cells])
        found.append(replace(summary, costs=costs))
    return found


@pytest.mark.parametrize(("options", "ending"), [("", ""), ("twocolumn", ""), ("twocolumn", "_wide")])
def test_tables_of_answers_compile(options: str, ending: str, answered: list[Summary], tmp_path: Path) -> None:
    body = []
    for summary in answered:
        written = write_tables(summary, tmp_path / summary.study.name)
        names = {path.name.removesuffix("_wide.tex") for path in written if path.name.endswith("_wide.tex")}
        body += [f"\\input{{{summary.study.name}/{name}{ending}}}" for name in sorted(names - {"runs"})]
    shown = " ".join(body)
    for name in ("costs", "roadmap", "interactions", "shapley", "anova", "least_squares", "ranks"):
        assert f"/{name}{ending}}}" in shown
    tables = "\\clearpage\n".join(body)
    done = compiled(tmp_path, f"\\input{{grid/preamble}}\n\\begin{{document}}\n{tables}", options)
    assert done.returncode == 0, done.stdout
    assert "Overfull" not in done.stdout
    text = printed(tmp_path)
    assert "a_b&c%" in text and "set_0%" in text


def test_a_table_longer_than_a_page(tmp_path: Path) -> None:
    factor = Factor("depth", tuple(Level(str(depth)) for depth in range(60)), "0")
    plan = make_plan(Study("long", "one_factor_at_a_time", (0, 1), "score"), [factor])
    runs = pd.DataFrame(
        [{"cell": cell.label, "seed": seed, "score": 0.5 + seed} for cell in plan.cells for seed in (0, 1)]
    )
    summary = summarise(plan, runs.assign(state="finished", reason=""), pd.DataFrame(columns=["cell", "seed", "epoch"]))
    write_tables(summary, tmp_path)
    done = compiled(
        tmp_path, "\\input{preamble}\n\\begin{document}\n\\input{runs}\nSee Table~\\ref{tab:ablate-long-runs}."
    )
    assert done.returncode == 0, done.stdout
    assert "Too many unprocessed floats" not in done.stdout
    text = printed(tmp_path)
    assert text.count("Table 1: ") == 3
    assert text.count("Table 1: (continued)") == 2
    assert "depth=59" in text


def test_the_prose_follows_the_numbers(summary: Summary, tmp_path: Path) -> None:
    (tmp_path / "numbers.tex").write_text(macros(summary), encoding="utf-8")
    prose = (
        "\\input{numbers}\n\\begin{document}\n\\section{Effect \\ablEffect{batch_norm}}"
        "Without batch norm: \\ablEffect{batch_norm} or \\ablSizePoints{batch_norm=false}, \\ablInterval{batch_norm}, "
        "\\ablP{batch_norm}, n = \\ablN{batch_norm}, it \\ablVerdict{batch_norm}; full \\ablScore[demo]{full} in "
        "\\ablStudy{runs} runs; \\ablWeights{head=flatten} weights. \\ablSentence{head}"
    )
    done = compiled(tmp_path, prose)
    assert done.returncode == 0, done.stdout
    text = " ".join(printed(tmp_path).split())
    assert "Effect −0.094" in text
    assert "Without batch norm: −0.094 or 9.4 points, [−0.108, −0.081], p = .003, n = 3, it helps; full" in text
    assert "0.9722 ± 0.0070 in 12 runs; 36,864 weights. Setting head to flatten instead of gap" in text


def test_an_unknown_key_is_an_error_with_its_name(summary: Summary, tmp_path: Path) -> None:
    (tmp_path / "numbers.tex").write_text(macros(summary), encoding="utf-8")
    done = compiled(tmp_path, "\\input{numbers}\n\\begin{document}\nIt costs \\ablEffect{batch_nrm}.")
    assert done.returncode == 1
    said = done.stdout.replace("\n", "")
    assert "Package ablate Error: The study 'demo' has no 'effect' of 'batch_nrm'." in said
    assert "It costs ??." in printed(tmp_path)


def test_two_studies_in_one_paper(summary: Summary, hostile: Summary, tmp_path: Path) -> None:
    for name, found in (("one", summary), ("two", hostile)):
        (tmp_path / f"{name}.tex").write_text(macros(found), encoding="utf-8")
    names = "\\ablStudy{name}, \\ablStudy[demo]{name}\\ablUse{demo}, \\ablMean{full}"
    prose = f"{preamble()}\\input{{one}}\\input{{two}}\\begin{{document}}{names}"
    done = compiled(tmp_path, prose)
    assert done.returncode == 0, done.stdout
    assert "a/b_c, demo, 0.9722" in " ".join(printed(tmp_path).split())


@pytest.mark.skipif(shutil.which("bibtex") is None, reason="bibtex is not installed")
def test_the_references_are_cited(failing: Summary, tmp_path: Path) -> None:
    write_tables(failing, tmp_path)
    keys = ",".join(re.findall(r"^@\w+\{([^,]+),", (tmp_path / "references.bib").read_text(), re.MULTILINE))
    prose = f"\\begin{{document}}\\cite{{{keys}}}\\bibliographystyle{{plain}}\\bibliography{{references}}"
    assert compiled(tmp_path, prose).returncode == 0
    found = subprocess.run(["bibtex", "paper"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
    assert "Warning" not in found.stdout
    for _ in range(2):
        done = compiled(tmp_path, prose)
    assert done.returncode == 0, done.stdout
    text = " ".join(printed(tmp_path).split())
    assert "Ablation study fail ing" in text
    assert "ablate-study: ablation studies of neural networks in one command" in text
