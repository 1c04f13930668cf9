"""A recorded session as the response source of a session that runs: its samples laid at the live onsets."""

from __future__ import annotations

from closedloop.replay.following.lay import Lay
from closedloop.replay.following.session import FollowedSession
from closedloop.replay.following.track import Track
from closedloop.replay.following.trials import LiveTrial, RecordedTrial, TrialMap

__all__ = ["FollowedSession", "Lay", "LiveTrial", "RecordedTrial", "Track", "TrialMap"]
