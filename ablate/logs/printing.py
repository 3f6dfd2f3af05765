"""Names and levels of others as they can be shown: on one line, in a terminal, in a table, and not a page long."""

from __future__ import annotations

import hashlib

from ablate.characters import one_line

_LONGEST = 200  # characters
_SHORTENED = 80


def short_line(text: str) -> str:
    r"""A text on one line, with escapes in place of what cannot be printed, and a digest of what is too long.

    Texts that differ stay different.

    Example:
        >>> short_line("a\x1b[2J\nb")
        'a\\x1b[2J\\nb'
        >>> short_line("x" * 5000)[80:]
        '... (5000 characters, c59d3c0480cc)'
    """
    if len(text) > _LONGEST:
        digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:12]
        return f"{short_line(text[:_SHORTENED])}... ({len(text)} characters, {digest})"
    # Backslashes are doubled where others are added, so that no text reads as the escapes of another.
    return text if is_one_line(text) else one_line(text.replace("\\", "\\\\"))


def is_one_line(text: str) -> bool:
    """Whether a text can be shown as it is: it has neither control or invisible characters nor line breaks."""
    return one_line(text) == text
