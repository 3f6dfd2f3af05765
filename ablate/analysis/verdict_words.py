"""The words of verdicts: parts of the reference help or hurt, other levels are better or worse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ablate.study import takes_away

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

ABOUT_REFERENCE: Mapping[str, str] = {
    "helps": "better",
    "hurts": "worse",
    "no effect": "no difference",
    "dispensable": "undecided",
    "undecided": "undecided",
}
"""By claim, the verdict about the level that the reference has, where it is no part."""

About = Literal["part", "level", "reference"]
"""What a verdict is about: a part that the reference has, the level that takes the place of the reference's, or the
reference's own level."""

_WORDS: Mapping[str, Mapping[str, str]] = {"part": {}, "level": ABOUT_LEVELS, "reference": ABOUT_REFERENCE}
_CLAIMS = {word: claim for claim, word in ABOUT_LEVELS.items()}


def subject_of(reference: str, level: str) -> About:
    """What the verdict on a change of one factor is about.

    Args:
        reference: The level that the reference has.
        level: The level that takes its place.

    Example:
        >>> subject_of("true", "false"), subject_of("false", "true"), subject_of("gap", "flatten")
        ('part', 'level', 'level')
    """
    return "part" if takes_away(reference, level) else "level"


def verdict_about(claim: str, about: About) -> str:
    """The verdict in words.

    Args:
        claim: What the reference does, one of :data:`ablate.analysis.verdicts.VERDICTS`; what follows a comma in it,
            such as a restriction, is kept.
        about: What the verdict is about.

    Example:
        >>> [verdict_about("hurts", about) for about in ("part", "level", "reference")]
        ['hurts', 'better', 'worse']
        >>> verdict_about("helps, below the margin", "level")
        'worse, below the margin'
    """
    word, comma, rest = claim.partition(",")
    return f"{_WORDS[about].get(word, word)}{comma}{rest}"


def claim_of(verdict: str) -> str:
    """The claim about the reference that a verdict on a part or a level stands for.

    Example:
        >>> claim_of("better"), claim_of("helps"), claim_of("worse, below the margin")
        ('hurts', 'helps', 'helps, below the margin')
    """
    word, comma, rest = verdict.partition(",")
    return f"{_CLAIMS.get(word, word)}{comma}{rest}"
