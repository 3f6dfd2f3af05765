"""Any text as LaTeX source that prints it."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

from ablate.characters import printable

_GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi"
_GREEK += " omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"

_COMMANDS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    **{character: f"\\{character}" for character in "{}$&#%_"},
    # Right after the end of a row these would be read as an argument of the row break.
    **{character: f"{{{character}}}" for character in "[]*"},
    "±": r"$\pm$",
    "°": r"\textdegree{}",
    "µ": r"\textmu{}",
    "²": r"\texttwosuperior{}",
    "³": r"\textthreesuperior{}",
    "−": "$-$",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "–": "--",
    "—": "---",
    "…": r"\dots{}",
    "†": r"\textdagger{}",
    "‡": r"\textdaggerdbl{}",
    **{
        letter: f"$\\{name}$" for letter, name in zip("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", _GREEK.split(), strict=True)
    },
    "’": r"\textquoteright{}",
    "‘": r"\textquoteleft{}",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
}


def escape_tex(text: str) -> str:
    r"""LaTeX source that prints a text as it is, on one line.

    Control and invisible characters are written as escapes. Characters outside the Latin alphabet become
    ``\ablunicode{hex}{character}``, which :func:`ablate.tables.preamble` defines: XeLaTeX and LuaLaTeX print the
    character, pdfLaTeX, which has no font for it, its code point.

    Args:
        text: Any text.

    Example:
        >>> print(escape_tex("a_b&c% 5^2 α"))
        a\_b\&c\% 5\textasciicircum{}2 $\alpha$
    """
    one_line = " ".join(unicodedata.normalize("NFC", printable(text)).split())
    # An empty group keeps two hyphens of the text from becoming one dash.
    return "".join("-{}" if pair == ("-", "-") else _character(pair[0]) for pair in pairwise(f"{one_line} "))


def _character(character: str) -> str:
    if character in _COMMANDS:
        return _COMMANDS[character]
    if character.isascii():
        return character
    if unicodedata.name(character, "").startswith("LATIN") and ord(character) < 0x180 and character not in "ŉĸſŀĿŦŧĦħ":
        return character
    return f"\\ablunicode{{{ord(character):04X}}}{{{character}}}"
