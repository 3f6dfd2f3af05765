"""From a study's summary to what people read."""

from ablate.report.collect import collect, summary_of

__all__ = ["collect", "summary_of"]
