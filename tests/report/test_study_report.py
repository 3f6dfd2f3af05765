"""What a notebook shows of a study by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

import ablate
from ablate.errors import AblateError
from ablate.report import summary_of
from ablate.store import StudyFolder
from ablate.tables import Column, Table, effects_table, html, study_tables


def test_a_study_shows_as_its_table_with_its_notes(worst: StudyFolder) -> None:
    study = ablate.load(worst.path)
    shown = study._repr_html_()  # type: ignore[attr-defined]
    assert shown == html(effects_table(study)) == ablate.table(study, "html")
    assert all(str(html_of(note)) in shown for note in study.notes)
    assert len(study.notes) > 0
    assert any("<script>" in str(level) for level in study.cells.to_numpy().flat)  # else the next line asks for nothing
    assert "<script>" not in shown
    assert replace(study, notes=())._repr_html_().endswith("</table>\n")  # type: ignore[attr-defined]


def test_in_words_it_is_short(worst: StudyFolder) -> None:
    assert repr(ablate.load(worst.path)) == "<study worst: 6 cells, 22 of 24 runs finished>"


def html_of(note: str) -> str:
    return html(Table((), (), "", "tab:x", (note,))).split("<li>")[1].split("</li>")[0]


def test_every_table_shows_by_itself(worst: StudyFolder) -> None:
    for name, table in study_tables(summary_of(worst)).items():
        assert table._repr_html_() == ablate.table(ablate.load(worst.path), "html", name)
    table = Table((Column("a", "text", is_name=True),), (("&",),), "b", "tab:c")
    assert '<th scope="row" class="text">&amp;</th>' in table._repr_html_()


def test_a_wrong_form_is_answered_with_all_of_them(worst: StudyFolder) -> None:
    with pytest.raises(
        AblateError, match=r"^Unknown form 'htm'. Forms: csv, html, latex, markdown. Did you mean 'html'\?$"
    ):
        ablate.table(ablate.load(worst.path), "htm")
