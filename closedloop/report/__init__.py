"""The report of a session: one self-contained page."""

from __future__ import annotations

from closedloop.report.page import write_report

__all__ = ["write_report"]
