"""From a study's summary to what people read."""

from ablate.report.collect import collect

__all__ = ["collect"]
