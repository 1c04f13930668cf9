"""Draws, renders, counts and judges a recorded scanner session again, and compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from closedloop.protocol.scan import ScanProtocol
from closedloop.replay.scan_verification.findings import ScanVerification
from closedloop.replay.scan_verification.images import check_images
from closedloop.replay.scan_verification.plans import check_plan
from closedloop.replay.scan_verification.pulses import check_pulses
from closedloop.replay.scan_verification.trials import check_answers, check_trials
from closedloop.scan.recorded import read_scans
from closedloop.scan.records import RunPlan
from closedloop.scan.stimuli import Stimulus
from closedloop.session import SessionReader


def verify_scans(
    reader: SessionReader,
    protocol: ScanProtocol,
    stimuli: Mapping[str, Stimulus],
    plans: Mapping[int, Sequence[RunPlan]],
) -> ScanVerification:
    """Compare a scanner session with what its seed, its protocol and what was heard give.

    Each step starts from the record of the step before (verdicts from recorded stamps, judgements from recorded
    flips), so one changed number is one difference and not a flood.

    Args:
        reader: of the session.
        protocol: of the session as last used; each scan run is compared with what held when it was made.
        stimuli: made anew, by name, as far as they can be.
        plans: of all runs, drawn anew, by the run of the program whose protocol gives them, as far as they can
            be; others are not compared.

    Raises:
        SessionError: the file can't be read.
    """
    found = ScanVerification()
    check_images(reader, stimuli, found)
    for scan in read_scans(reader, protocol):
        if scan.run in plans:
            check_plan(scan, plans[scan.run], found)
        held = scan.protocol or protocol
        check_pulses(scan, held, found)
        check_trials(reader, scan, found)
        check_answers(scan, held, found)
    return found
