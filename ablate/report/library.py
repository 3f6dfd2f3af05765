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
    """The basic bundle of plotly.js, which lies packed beside this file as its makers published it.

    It has a quarter of the size of the bundle that the Python package of plotly brings, and a browser needs a third of
    the time before it can draw.
    """
    packed = (resources.files("ablate.report") / "plotly" / "plotly-basic.min.js.gz").read_bytes()
    source = gzip.decompress(packed).decode("utf-8")
    return Library(base64.b64encode(packed).decode(), script_hash(source))


def script_hash(source: str) -> str:
    """The source expression of a content security policy that allows a script of just this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
