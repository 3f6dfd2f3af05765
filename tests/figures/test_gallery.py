from __future__ import annotations

import importlib.util
from pathlib import Path

from ablate.figures import FIGURES

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_gallery_shows_every_figure_as_it_is_captioned_now() -> None:
    spec = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
    assert spec is not None and spec.loader is not None
    gallery = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gallery)
    drawn = gallery.pictures()
    assert set(drawn) == set(FIGURES)
    assert (DOCS / "gallery.md").read_text(encoding="utf-8") == gallery.text(drawn)


def test_the_pictures_of_the_gallery_are_small() -> None:
    pictures = {path.stem: path.stat().st_size for path in (DOCS / "gallery").glob("*.png")}
    assert set(pictures) == set(FIGURES)
    assert sum(pictures.values()) < 600_000
