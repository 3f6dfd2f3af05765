"""The verbs of the command line. A new one is a value in one of these modules and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from ablate.app.commands import networks, results, studies
from ablate.app.verb import Verb

__all__ = ["VERBS"]

VERBS: Mapping[str, Verb] = {verb.name: verb for verb in (*networks.VERBS, *studies.VERBS, *results.VERBS)}
"""All verbs by name, in the order of the help page."""
