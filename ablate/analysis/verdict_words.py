"""The words of verdicts: parts of the reference help or hurt, other levels are better or worse."""

from __future__ import annotations

from collections.abc import Mapping

ABOUT_LEVELS: Mapping[str, str] = {
    "helps": "worse",
    "hurts": "better",
    "no effect": "no difference",
    "dispensable": "not worse",
    "undecided": "undecided",
}
"""By claim about what the reference has, the verdict about the level that takes its place.

``not worse`` says that a level excludes a turn for the worse by the margin, as ``dispensable`` does of a part.
"""

_CLAIMS = {word: claim for claim, word in ABOUT_LEVELS.items()}


def verdict_about(claim: str, takes_away: bool) -> str:
    """The verdict in words.

    Args:
        claim: What the reference does, one of :data:`ablate.analysis.verdicts.VERDICTS`; what follows a comma in it,
            such as a restriction, is kept.
        takes_away: Whether the change takes a part away. Then the verdict is about the part, and otherwise about the
            level that the change brings.

    Example:
        >>> verdict_about("hurts", True), verdict_about("hurts", False), verdict_about("helps, below the margin", False)
        ('hurts', 'better', 'worse, below the margin')
    """
    word, comma, rest = claim.partition(",")
    return claim if takes_away else f"{ABOUT_LEVELS.get(word, word)}{comma}{rest}"


def claim_of(verdict: str) -> str:
    """The claim about the reference that a verdict in words stands for.

    Example:
        >>> claim_of("better"), claim_of("helps"), claim_of("worse, below the margin")
        ('hurts', 'helps', 'helps, below the margin')
    """
    word, comma, rest = verdict.partition(",")
    return f"{_CLAIMS.get(word, word)}{comma}{rest}"
