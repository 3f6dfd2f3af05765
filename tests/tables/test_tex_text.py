from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.tables import Column, Table, preamble
from ablate.tables.latex import latex
from ablate.tables.tex_text import escape_tex
from ablate.tables.text import escape_markdown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b&c%$#{}", r"a\_b\&c\%\$\#\{\}"),
        ("~^\\", r"\textasciitilde{}\textasciicircum{}\textbackslash{}"),
        ("[32] *", r"{[}32{]} {*}"),
        ("a--b---c", "a-{}-b-{}-{}-c"),
        ("ß 층 β", r"ß \ablunicode{CE35}{층} $\beta$"),
        ("two\nlines\x07", r"two lines\textbackslash{}x07"),
        ("a\u202eb\ud800", r"a\textbackslash{}u202eb\textbackslash{}ud800"),
        ("e\u0301", "é"),
    ],
)
def test_escapes(text: str, expected: str) -> None:
    assert escape_tex(text) == expected


@given(st.text())
def test_no_special_character_survives_bare(text: str) -> None:
    escaped = escape_tex(text)
    assert "\n" not in escaped
    assert escaped.count("{") - escaped.count(r"\{") == escaped.count("}") - escaped.count(r"\}")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_every_latin_and_greek_letter_compiles(tmp_path: Path) -> None:
    blocks = [range(0x20, 0x7F), range(0xA0, 0x250), range(0x370, 0x400), range(0x2010, 0x2040)]
    text = " ".join(escape_tex(chr(code)) for block in blocks for code in block)
    source = f"\\documentclass{{article}}\n{preamble()}\\begin{{document}}\n{text}\n\\end{{document}}\n"
    (tmp_path / "all.tex").write_text(source, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("batch_norm", "batch_norm"), ("_x_", r"\_x\_"), ("a|b", r"a\|b"), ("<b>`", r"\<b\>\`"), ("a\nb", "a b")],
)
def test_markdown_escapes(text: str, expected: str) -> None:
    assert escape_markdown(text) == expected


@pytest.mark.parametrize(
    ("head", "upright"),
    [
        ("batch_norm", r"batch\_norm"),
        (
            "squeeze_and_excitation_block_with_ratio_sixteen_in_st12",
            r"\shortstack[l]{squeeze\_and\_excitation\_\\block\_with\_ratio\_\\sixteen\_in\_st12}",
        ),
        ("x" * 30, rf"\shortstack[l]{{{'x' * 24}\\{'x' * 6}}}"),
        ("", ""),
    ],
)
def test_a_long_upright_head_has_several_lines(head: str, upright: str) -> None:
    table = Table((Column(head, "level"),), ((True,),), "What it is.", "tab:one")
    assert rf"\rotatebox{{90}}{{{upright}}}" in latex(table)
