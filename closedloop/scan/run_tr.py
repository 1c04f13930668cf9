"""The TR of a run that is over: the protocol's, unless its pulses say for sure that it was another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from closedloop.protocol.scan import ScanProtocol
from closedloop.scan.fit import SETTLED
from closedloop.scan.past import heard_again
from closedloop.scan.recorded import RecordedScan
from closedloop.scan.tr_judge import is_off

CROWDED = 0.5
"""Pulses without a place, for each volume, beyond which the others are no measure: the box sends slices, say."""

TrVerdict: TypeAlias = Literal["off", "agrees", "unsure", "untold"]


@dataclass(frozen=True)
class RunTr:
    """The TR of a run.

    Attributes:
        tr_s: what to take it for.
        verdict: what its pulses say of the protocol's: ``off``: it was another, ``tr_s``; ``agrees``: within
            the tolerance; ``unsure``: beyond it, but by less than their jitter may do, or many came that are no
            volume's; ``untold``: too few came.
    """

    tr_s: float
    verdict: TrVerdict

    @property
    def off(self) -> bool:
        """It was not the protocol's."""
        return self.verdict == "off"


def run_tr(scan: RecordedScan, protocol: ScanProtocol) -> RunTr:
    """Return the TR of a run, by the same rule by which the operator is told that it is off.

    The sum of the run has a fit over however few pulses, so it alone proves nothing.

    Args:
        scan: as recorded.
        protocol: that held in it.
    """
    scanner = protocol.scanner
    fitted_s = scan.ledger.get("tr_fitted_s")
    if fitted_s is None:
        return RunTr(scanner.tr_s, "untold")
    if is_crowded(scan):
        return RunTr(scanner.tr_s, "unsure")
    if abs(fitted_s - scanner.tr_s) <= scanner.tr_tolerance * scanner.tr_s:
        return RunTr(scanner.tr_s, "agrees")
    fit = heard_again(scan, protocol).fit
    if fit is not None and is_off(fit, scanner):
        return RunTr(float(fitted_s), "off")
    told_s = _told_s(scan)
    if told_s is not None and (fit is None or fit.n < SETTLED):
        # the pulses found another place near the end, and what is fitted since then stands on too few
        return RunTr(told_s, "off")
    return RunTr(scanner.tr_s, "unsure")


def is_crowded(scan: RecordedScan) -> bool:
    """Return whether more pulses came than the protocol has places for, which may be slices or volumes."""
    if any("pulses_every_s" in (one.get("detail") or {}) for one in scan.findings):
        return True
    counts = scan.ledger.get("pulses") or {}
    strays = sum(int(counts.get(verdict, 0)) for verdict in ("extra", "human"))
    return strays > CROWDED * int(scan.ledger.get("volumes_seen") or 0)


def _told_s(scan: RecordedScan) -> float | None:
    """Return the TR that the operator was told last, with its standard error; None if none, or taken back."""
    told = [one for one in scan.findings if one.get("finding") == "tr_off"]
    detail = told[-1].get("detail") or {} if told and told[-1].get("count") else {}
    return float(detail["tr_fitted_s"]) if "tr_se_s" in detail else None
