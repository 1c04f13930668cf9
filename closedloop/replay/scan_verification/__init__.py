"""Whether a scanner session follows from its seed, its protocol and what was heard."""

from __future__ import annotations

from closedloop.replay.scan_verification.draws import draw_again
from closedloop.replay.scan_verification.findings import ScanCheck, ScanDifference, ScanVerification
from closedloop.replay.scan_verification.stimuli import StimuliAgain, stimuli_again
from closedloop.replay.scan_verification.verify import verify_scans

__all__ = [
    "ScanCheck",
    "ScanDifference",
    "ScanVerification",
    "StimuliAgain",
    "draw_again",
    "stimuli_again",
    "verify_scans",
]
