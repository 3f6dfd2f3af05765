from __future__ import annotations

import io
import unicodedata
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.characters import csv_text, folded, frame_csv, is_reserved, printable
from ablate.errors import AblateError

ANY = st.text(st.characters())  # surrogates and control characters among them


@given(ANY)
def test_a_printable_text_is_xml_without_anything_invisible(text: str) -> None:
    shown = printable(text)
    categories = {unicodedata.category(character) for character in shown if character not in "\n\t"}
    assert categories.isdisjoint({"Cc", "Cs", "Zl", "Zp"})
    assert printable(shown) == shown
    escaped = shown.replace("&", "&amp;").replace("<", "&lt;")
    assert ElementTree.fromstring(f"<t>{escaped}</t>".encode()).text == (shown or None)


@pytest.mark.parametrize("character", ["\x1b", "\r", "\x07", "\x9b", "\u202e", "\u2066", "\u200b", "\ufeff", "\ufffe"])
def test_what_a_terminal_obeys_or_nobody_sees_is_written_out(character: str) -> None:
    assert printable(f"a{character}b") == f"a{character.encode('unicode_escape').decode().replace('r', 'x0d')}b"


def test_ordinary_text_of_any_script_stays() -> None:
    text = "w/o größe\n\tα 층 తెలుగు שלום 🙂 e\u0301 \ufe0f"
    assert printable(text) == text


def test_a_message_cannot_move_the_cursor() -> None:
    assert str(AblateError("Unknown key '\x1b[2J'.")) == r"Unknown key '\x1b[2J'."


@given(ANY)
def test_folded_names_stay_folded(text: str) -> None:
    assert folded(folded(text)) == folded(text)
    assert folded(text.lower()) == folded(text) or text.lower() != text


@pytest.mark.parametrize("name", ["con", "NUL", "aux.txt", "com1", "LPT9.a.b", "COM²", "a.", "a "])
def test_reserved_names(name: str) -> None:
    assert is_reserved(name)


@pytest.mark.parametrize("name", ["full", "console", "com", "com10", "a.b", "aux=1", "null"])
def test_names_that_are_not_reserved(name: str) -> None:
    assert not is_reserved(name)


@pytest.mark.parametrize("text", ["=cmd()", "+a", "-x", "@SUM(A1)", "\t=1", "--", "-1+1", "+", "-inf", "=1"])
def test_a_formula_becomes_text(text: str) -> None:
    assert csv_text(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-0.5", "+1e-3", "-1", "-.5", "-5.", "a=b", "w/o x", "", "1-2", "'x"])
def test_numbers_and_other_texts_stay(text: str) -> None:
    assert csv_text(text) == text


def test_a_frame_keeps_its_numbers_and_loses_its_formulas() -> None:
    frame = pd.DataFrame(
        {
            "cell": ["=cmd()", "-x", None],
            "-metric": [-0.5, 1e-9, np.nan],
            "seed": [-1, 0, 1],
            "mixed": ["@a", -2, True],
            "done": [True, False, True],
        }
    )
    text = frame_csv(frame)
    assert text.splitlines()[0] == "cell,'-metric,seed,mixed,done"
    back = pd.read_csv(io.StringIO(text))
    assert back["cell"].tolist()[:2] == ["'=cmd()", "'-x"]
    np.testing.assert_array_equal(back["'-metric"], frame["-metric"])
    assert back["seed"].tolist() == [-1, 0, 1]
    assert back["mixed"].tolist() == ["'@a", "-2", "True"]
    plain = frame[["seed", "done"]].assign(cell=["full", "w/o a", "x=-1"])
    assert frame_csv(plain) == plain.to_csv(index=False)
