"""`reports/index.html`, and `reports/compare/` beside it."""

from study.page.comparison import compare
from study.page.document import render, sized, write

__all__ = ["compare", "render", "sized", "write"]
