"""From a study's summary to what people read."""

from ablate.report.collect import collect, summary_of
from ablate.report.page import write_page
from ablate.report.part import Part, part_of

__all__ = ["Part", "collect", "part_of", "summary_of", "write_page"]
