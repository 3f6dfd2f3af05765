"""From the runs of a study to what they say: effects with intervals, adjusted tests, verdicts."""

from ablate.analysis.summary import Summary, summarise

__all__ = ["Summary", "summarise"]
