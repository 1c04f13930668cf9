"""Whether a recorded session follows from its seed, its protocol and what was heard."""

from __future__ import annotations

from closedloop.replay.verification.difference import Check, Difference, Verification
from closedloop.replay.verification.verify import Progress, verify

__all__ = ["Check", "Difference", "Progress", "Verification", "verify"]
