"""The runs of a recorded scan session, drawn again from the images that it had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from closedloop.errors import ProtocolError
from closedloop.protocol.scan import ScanProtocol
from closedloop.replay.scan_verification.findings import ScanVerification
from closedloop.replay.scan_verification.plans import check_plan
from closedloop.replay.scan_verification.stimuli import StimuliAgain
from closedloop.scan.design import draw_runs
from closedloop.scan.recorded import RecordedScan, read_scans, scan_protocol_of
from closedloop.scan.records import RunPlan
from closedloop.session import SessionReader


def draw_again(
    reader: SessionReader, stimuli: StimuliAgain
) -> tuple[dict[int, Sequence[RunPlan]], list[str]]:
    """Draw the runs anew, by the protocol of each run of the program that armed any.

    Of which images a run was drawn is not recorded, only which it showed. Where a folder has others by now, the
    runs are drawn of those that are recorded.

    Returns:
        Plans by run of the program, and in sentences those that can't be drawn again.
    """
    scans = read_scans(reader, scan_protocol_of(reader))
    drawn: list[tuple[ScanProtocol | None, Sequence[RunPlan] | None]] = []
    plans: dict[int, Sequence[RunPlan]] = {}
    notes: list[str] = []
    for scan in scans:
        if scan.protocol not in [before for before, _ in drawn]:
            own = [one for one in scans if one.protocol == scan.protocol]
            drawn.append((scan.protocol, _drawn(own, stimuli, notes)))
        known = next(known for before, known in drawn if before == scan.protocol)
        if known is not None:
            plans[scan.run] = known
    return plans, list(dict.fromkeys(notes))


def _drawn(
    scans: Sequence[RecordedScan], stimuli: StimuliAgain, notes: list[str]
) -> Sequence[RunPlan] | None:
    """Return the plans of runs of one protocol, drawn of those images by which most are as planned."""
    protocol = scans[0].protocol
    assert protocol is not None  # noqa: S101  # the scans were read with it
    best: Sequence[RunPlan] | None = None
    most = 0
    why = "the images that are there are not those that the runs were drawn of"
    for names in stimuli.names:
        try:
            plans = _draw(protocol, names)
        except ProtocolError as error:
            why = f"{error.where}: {error.found}"
            continue
        alike = sum(_is_planned(scan, plans) for scan in scans)
        if alike > most or (best is None and stimuli.whole):
            best, most = plans, alike
        if alike == len(scans):
            break
    if best is None:
        notes.append(f"Plans are not compared with what they were made of: {why}.")
    return best


def _draw(protocol: ScanProtocol, names: Mapping[str, Sequence[str]]) -> Sequence[RunPlan]:
    # the most efficient of many can only be told by measuring all of them
    return draw_runs(protocol, names, measured=protocol.efficiency.candidates > 1)


def _is_planned(scan: RecordedScan, plans: Sequence[RunPlan]) -> bool:
    found = ScanVerification()
    check_plan(scan, plans, found)
    return found.first is None
