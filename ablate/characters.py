"""Texts made safe for where they go: a terminal or markup, a spreadsheet, the name of a file.

Names, levels, messages and logs come from users, from files of other tools and from the libraries that runs use.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# Control characters but newline and tab, what has no width or changes the direction of text, separators of lines,
# halves of surrogate pairs, noncharacters. Terminals obey some of them, readers see none, XML 1.0 forbids many.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE | re.DOTALL)


FONTS_OF_OTHER_SCRIPTS = ("Noto Sans CJK KR", "Noto Sans CJK JP", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo")
"""Fonts for names in scripts that the main font of figures lacks."""


def printable(text: str) -> str:
    r"""A text with its control and invisible characters written as escapes; newlines and tabs stay.

    It can be printed to a terminal, which obeys none of it, and be put into XML 1.0, encoded in UTF-8.

    Example:
        >>> print(printable("\x1b[2Ja\u202eb"), printable("é 층 🙂"))
        \x1b[2Ja\u202eb é 층 🙂
    """
    return _UNPRINTABLE.sub(lambda match: _escape(ord(match[0])), text)


def one_line(text: str) -> str:
    r"""A printable text in which newlines and tabs are escapes, too, so that it cannot pretend to be several lines.

    Example:
        >>> print(one_line("a\nb"))
        a\nb
    """
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def is_unicode(text: str) -> bool:
    """Whether a text can be written to a file; halves of surrogate pairs, as bytes that are no UTF-8 become, cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _escape(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def folded(text: str) -> str:
    r"""What names have in common that a file system may take for one: that differ by case or Unicode form alone.

    Example:
        >>> folded("Résidu") == folded("re\u0301sidu")
        True
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def is_reserved(name: str) -> bool:
    """Whether Windows gives a file no such name: those of devices, with any ending, and a dot or a blank at the end.

    Example:
        >>> is_reserved("aux"), is_reserved("Con.txt"), is_reserved("lr=1."), is_reserved("console")
        (True, True, True, False)
    """
    return name.endswith((".", " ")) or _RESERVED.fullmatch(name) is not None


def csv_text(text: str) -> str:
    """A text that a spreadsheet shows as it is: one that would be a formula has an apostrophe before it.

    Control and invisible characters are written as escapes.

    Example:
        >>> csv_text("=cmd()"), csv_text("-x"), csv_text("-0.5"), csv_text("w/o residual")
        ("'=cmd()", "'-x", '-0.5', 'w/o residual')
    """
    text = printable(text)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) and not _NUMBER.fullmatch(text) else text


def frame_csv(frame: pd.DataFrame) -> str:
    """A DataFrame as CSV without its index, with texts and names of columns as :func:`csv_text` has them.

    Args:
        frame: The DataFrame; numbers are written as pandas writes them.
    """
    safe = frame.rename(columns=lambda name: csv_text(str(name)))
    for place, kind in enumerate(safe.dtypes):
        if kind.kind not in "biuf":
            values = [csv_text(value) if isinstance(value, str) else value for value in safe.iloc[:, place]]
            safe.isetitem(place, values)
    text: str = safe.to_csv(index=False)
    return text
