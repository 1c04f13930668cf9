"""The session file in the formats that others read: Parquet tables, BIDS, NWB, PNG images."""

from __future__ import annotations

from closedloop.exports.export import export_bids, export_nwb, export_session

__all__ = ["export_bids", "export_nwb", "export_session"]
