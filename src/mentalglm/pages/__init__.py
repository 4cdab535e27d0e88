"""Pages for people: one self-contained HTML file of a run's analyses."""

from __future__ import annotations

from .report import HtmlWriter as open_page

__all__ = ["open_page"]
