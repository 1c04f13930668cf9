"""The session file: one SQLite file that holds all that was shown, heard and decided."""

from __future__ import annotations

from closedloop.session.reader import Samples, SessionReader
from closedloop.session.store import ImageRecord, ScoreRecord, SessionStore, TrialRecord

__all__ = ["ImageRecord", "Samples", "ScoreRecord", "SessionReader", "SessionStore", "TrialRecord"]
