"""How patterns of layer names may be typed: Hydra's grammar has no ``*`` and no ``[3-5]`` outside quotes."""

from __future__ import annotations

import re

__all__ = ["spelled"]

_LIMIT = re.compile(r"(?P<plus>\+{0,2})(?:only\.(?P<name>\w+)|(?P<first>\w+)\.only)=(?P<value>.*)", re.DOTALL)
_QUOTED = ("'", '"')
_LIST = re.compile(r"\[(.*,.*|['\"].*)\]", re.DOTALL)


def spelled(word: str) -> str:
    """A word of the command line as Hydra understands it.

    ``residual.only=...`` is another way to type ``only.residual=...``, and patterns need no quotes within those of the
    shell. What the word means besides is left to Hydra.

    Args:
        word: As typed.

    Example:
        >>> print(spelled("residual.only=block[3-5]*"))
        only.residual="block[3-5]*"
        >>> print(spelled("only.bias=[conv1*,conv2*]"), spelled("only.bias=a*,null"), spelled("head=gap"))
        only.bias=["conv1*","conv2*"] only.bias="a*",null head=gap
    """
    match = _LIMIT.fullmatch(word)
    if match is None:
        return word
    value = match["value"]
    inside = _LIST.fullmatch(value)
    quoted = f"[{_quoted(inside[1])}]" if inside else _quoted(value)
    return f"{match['plus']}only.{match['name'] or match['first']}={quoted}"


def _quoted(values: str) -> str:
    """Values between commas, each that is a pattern in quotes."""
    return ",".join(
        f'"{part}"' if re.search(r"[*?\[\]!]", part) and not part.startswith(_QUOTED) else part
        for part in values.split(",")
    )
