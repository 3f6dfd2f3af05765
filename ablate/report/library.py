"""The plotting library as a page carries it: plotly.js, packed, so that a page stays small and needs no network."""

from __future__ import annotations

import base64
import gzip
import hashlib
from functools import cache
from importlib import resources
from typing import NamedTuple

__all__ = ["Library", "library", "script_hash"]


class Library(NamedTuple):
    """A script library.

    Args:
        packed: Its source, gzipped, in base64.
        hash: By which a page allows it and no other script.
    """

    packed: str
    hash: str


@cache
def library() -> Library:
    """The plotting library of the installed ``plotly``."""
    source = (resources.files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    # Without a time of writing: the same library gives the same bytes.
    packed = base64.b64encode(gzip.compress(source.encode(), mtime=0)).decode()
    return Library(packed, script_hash(source))


def script_hash(source: str) -> str:
    """The source expression of a content security policy that allows a script of just this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
