"""Whether an output would make a browser, a spreadsheet, LaTeX or a terminal do what a hostile text in it says."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

_CONTROL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f\u202a-\u202e\u2066-\u2069]|\x1b(?!\[[0-9;?]*[mKJHABCDlh])"
)
_OWN_SCRIPTS = 4  # of a page: the library, the script, and the data of its charts and their libraries
_NUMBER = re.compile(r"[-+]?[\d.]+(?:e[-+]?\d+)?%?|[-+]?(?:inf|nan)", re.IGNORECASE)


def obeyed(name: str, text: str) -> str:
    """What in an output would be obeyed; empty if nothing.

    Args:
        name: The file's name, or ``output`` for what a command printed.
        text: Its text.
    """
    if name == "output":
        found = _CONTROL.search(text) or re.search(r"\x1b\[(?:2J|31m)", text)
        return f"a terminal would obey {found[0]!r}" if found else ""
    ending = name.rpartition(".")[2]
    if "/runs/" in name or ending not in _CHECKS:
        return ""
    fault = _CHECKS[ending](text)
    return f"{name}: {fault}" if fault else ""


class _Page(HTMLParser):
    """Counts the scripts of a page, and notes what else could run one."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0
        self.fault = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Look at an element and its attributes."""
        self.scripts += tag == "script"
        for key, value in attributes:
            if key.startswith("on") or re.match(r"\s*javascript:", value or "", re.IGNORECASE):
                self.fault = f"<{tag} {key}={value!r:.60}>"
        if tag in ("iframe", "object", "embed", "base") or (tag == "img" and ("src", "x") in attributes):
            self.fault = f"<{tag}>"


def _html(text: str) -> str:
    page = _Page()
    page.feed(text)
    return page.fault or (f"{page.scripts} scripts" if page.scripts > _OWN_SCRIPTS else "")


def _svg(text: str) -> str:
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        return f"no XML: {error}"
    for element in root.iter():
        if element.tag.rpartition("}")[2] in ("script", "foreignObject"):
            return f"<{element.tag}>"
        if any(key.startswith("on") for key in element.attrib):
            return "an event handler"
    return ""


def _markdown(text: str) -> str:
    found = re.search(r"(?<!\\)<(?:script|img|iframe)\b[^`]*|(?<!\\)\]\(javascript:", text, re.IGNORECASE)
    return f"Markdown lets {found[0]!r:.60} through" if found else ""


def _latex(text: str) -> str:
    found = re.search(r"(?<!\\)\\(?:input\{/|write18|immediate)", text)
    return f"LaTeX would obey {found[0]!r}" if found else ""


def _csv(text: str) -> str:
    try:
        for row in csv.reader(io.StringIO(text.replace("\0", "?"))):
            for cell in row:
                if cell[:1] in ("=", "+", "-", "@", "\t", "\r") and cell != "--" and not _NUMBER.fullmatch(cell):
                    return f"a spreadsheet would compute {cell[:60]!r}"
    except csv.Error as error:
        return f"no CSV: {error}"
    return ""


_CHECKS = {"html": _html, "svg": _svg, "md": _markdown, "tex": _latex, "csv": _csv}
