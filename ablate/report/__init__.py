"""From a study's folder to what people read: data, tables, figures and a page."""

from ablate.report.collect import collect, summary_of
from ablate.report.page import write_page

__all__ = ["collect", "summary_of", "write_page"]
