"""The session file in the formats that others read: Parquet tables, BIDS events, PNG images."""

from __future__ import annotations

from closedloop.exports.export import export_session

__all__ = ["export_session"]
