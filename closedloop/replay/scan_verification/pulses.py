"""Whether the pulses are taken for the same when the ledger hears them again."""

from __future__ import annotations

import math

from closedloop.protocol.scan import ScanProtocol
from closedloop.replay.scan_verification.findings import ScanCheck, ScanDifference, ScanVerification
from closedloop.scan.ledger import PulseLedger
from closedloop.scan.past import heard_again, ran_before, recorded_pulses
from closedloop.scan.recorded import RecordedScan

_SAME_S = 1e-9


def check_pulses(scan: RecordedScan, protocol: ScanProtocol, found: ScanVerification) -> None:
    """Feed the recorded pulses to a new ledger and compare verdicts, volumes, residuals and the start.

    Args:
        scan: as recorded.
        protocol: of the session.
        found: takes what is found.
    """
    scanner = protocol.scanner.model_copy(update={"volumes": scan.volumes})
    # what lacked was known at times that are recorded only where it was told: before a pulse came in, after its stamp
    ledger, early = (PulseLedger(scanner, scan.armed_s, ran_before(scan)) for _ in range(2))
    told = heard_again(scan, protocol)
    table = scan.pulses
    found.count(ScanCheck.PULSES, len(table))

    def differ(what: str, detail: str, pulse: int | None = None) -> None:
        found.differences.append(ScanDifference(ScanCheck.PULSES, what, detail, scan.scan, scan.name, pulse))

    recorded = zip(
        table["pulse"].tolist(),
        table["verdict"].tolist(),
        table["volume"].tolist(),
        table["residual_s"].tolist(),
        recorded_pulses(scan),
        strict=True,
    )
    for number, verdict, volume, residual_s, pulse in recorded:
        early.tick(pulse.time_s)
        early.feed(pulse)
        ledger.tick(pulse.received_s)  # what had not come in by then was missing
        entry, _ = ledger.feed(pulse)
        if entry.pulse != number:
            differ("number", f"recorded {number}; it is the pulse {entry.pulse} that is in the file", number)
            return  # all that follows is off by the same
        if entry.verdict != verdict:
            differ("verdict", f"recorded '{verdict}'; the ledger says '{entry.verdict}'", number)
        elif entry.volume != (volume if isinstance(volume, int) else None):
            differ("volume", f"recorded {volume}; the ledger says {entry.volume}", number)
        elif not _same(entry.residual_s, residual_s):
            detail = f"recorded {1000 * residual_s:.6f} ms; the ledger says {1000 * entry.residual_s:.6f} ms"
            differ("residual", detail, number)
    starts_s = []
    for one in (ledger, early, told):
        one.finish(scan.last_s)  # what lacks after the last pulse tells of the start, too
        starts_s.append(one.start_s() if one.start_known else None)
    if scan.started and not any(start_s is not None and _same(start_s, scan.start_s) for start_s in starts_s):
        says = "none" if starts_s[0] is None else f"{starts_s[0]:.6f} s"
        differ("start", f"recorded {scan.start_s:.6f} s; the ledger says {says}")


def _same(one: float, other: float) -> bool:
    return (math.isnan(one) and math.isnan(other)) or abs(one - other) <= _SAME_S
