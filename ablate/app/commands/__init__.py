"""The verbs of the command line. A new one is a value in one of these modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ablate.app.commands import networks, results, studies
from ablate.app.verb import Verb

__all__ = ["TOPICS", "VERBS"]

TOPICS: Mapping[str, Sequence[Verb]] = {
    "Look at a network and at data, before any training": networks.VERBS,
    "Plan a study, and look at it": studies.VERBS,
    "Write results: again, of several studies, of other tools": results.VERBS,
}
"""The verbs under the titles of the help page."""

VERBS: Mapping[str, Verb] = {verb.name: verb for verbs in TOPICS.values() for verb in verbs}
"""All verbs by name."""
