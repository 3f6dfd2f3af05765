"""Names and levels of others as they can be shown: on one line, in a terminal, in a table, and not a page long."""

from __future__ import annotations

import hashlib
import unicodedata

_LONGEST = 200  # characters
_SHORTENED = 80
# What orders letters from right to left makes a name read as another one.
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    r"""A text with escapes in place of what cannot be printed, and a digest in place of what is too long.

    Texts that differ stay different.

    Example:
        >>> printable("a\x1b[2J\nb")
        'a\\x1b[2J\\nb'
        >>> printable("x" * 5000)[80:]
        '... (5000 characters, c59d3c0480cc)'
    """
    if len(text) > _LONGEST:
        digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:12]
        return f"{printable(text[:_SHORTENED])}... ({len(text)} characters, {digest})"
    if is_printable(text):
        return text
    return "".join(
        letter if _is_printable(letter) else letter.encode("unicode_escape").decode()
        for letter in text.replace("\\", "\\\\")
    )


def is_printable(text: str) -> bool:
    """Whether a text has neither control characters nor line breaks nor bytes that were no UTF-8."""
    return all(map(_is_printable, text))


def _is_printable(letter: str) -> bool:
    return (letter.isascii() and letter.isprintable()) or (
        unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp") and letter not in _REORDERING
    )
