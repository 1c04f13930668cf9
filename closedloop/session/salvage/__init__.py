"""Saves what can be read of a damaged session file into a new one."""

from __future__ import annotations

from closedloop.session.salvage.rescue import Salvaged, salvage

__all__ = ["Salvaged", "salvage"]
