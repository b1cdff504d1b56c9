"""`reports/index.html` and what lies beside it."""

from bsn.report.page.comparison import compare
from bsn.report.page.document import render, sized, write

__all__ = ["compare", "render", "sized", "write"]
