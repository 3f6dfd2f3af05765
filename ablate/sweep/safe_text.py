"""Texts of objects that are not ours: of any length, with any character, or refusing to give one at all."""

from __future__ import annotations

from typing import Any

MOST_CHARACTERS = 2000
"""How much of a text is kept where somebody reads it; the run's log has more."""


def shortened(text: str, most: int = MOST_CHARACTERS) -> str:
    r"""A text that can be written and read: valid Unicode, and its middle left out where it is very long.

    Args:
        text: Any string.
        most: How many of its characters to keep.

    Example:
        >>> shortened("caf\udce9"), shortened("x" * 1000, 4)
        ('caf\\udce9', 'xx[... 996 characters ...]xx')
    """
    if len(text) > most:
        half = most // 2
        text = f"{text[:half]}[... {len(text) - 2 * half} characters ...]{text[-half:]}"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def text_of(value: Any, most: int = MOST_CHARACTERS) -> str:
    """The ``repr`` of an object, also of one that has none."""
    try:
        return shortened(repr(value), most)
    except Exception as error:
        return f"<{type(value).__name__}: its repr raised {type(error).__name__}>"


def error_line(error: BaseException) -> str:
    """The type and the message of an error, also of one whose message cannot be had.

    Example:
        >>> error_line(ValueError("no data"))
        'ValueError: no data'
    """
    name = type(error).__name__
    try:
        return shortened(f"{name}: {error}")
    except Exception as failure:
        return f"{name}: its message cannot be read ({type(failure).__name__})"
