"""The pulses of a run in sum, for the session file and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from closedloop.scan.fit import fit_all

if TYPE_CHECKING:
    from closedloop.scan.ledger import PulseLedger

_PERCENTILES = (1, 5, 50, 95, 99)


def summarise(ledger: PulseLedger, first_pulse_s: float | None, start_s: float | None) -> dict[str, Any]:
    """Return counts, fit, residuals and readings, ready for JSON.

    Args:
        ledger: of the run.
        first_pulse_s: stamp of the first pulse.
        start_s: of the first stored volume, as the run used it.
    """
    grid, times_s = ledger.grid, ledger.times_s
    lacking = [slot for slot in range(ledger.last) if slot not in times_s]
    stored = sum(slot >= grid.start and grid.begins_volume(slot) for slot in times_s)
    summary: dict[str, Any] = {
        "tr_nominal_s": grid.tr_s,
        "tr_fitted_s": None,
        "tr_se_s": None,
        "first_pulse_s": first_pulse_s,
        "start_s": start_s,
        "start_stamp_s": times_s.get(grid.start),
        "start_by_fit_s": None,
        "start_by_fit_se_s": None,
        "pulses": dict(ledger.counts),
        "volumes_expected": grid.total // grid.slices,
        "volumes_seen": ledger.volumes_seen,
        "stored_volumes_expected": (grid.total - grid.start) // grid.slices,
        "stored_volumes_seen": stored,
        "missed_pulses": len(lacking),
        "missed_volumes": [grid.volume_of(slot) for slot in lacking if grid.begins_volume(slot)],
        "pulses_short_at_end": max(0, grid.total - 1 - ledger.last),
        "stopped": ledger.stopped,
        "first_missed": ledger.ending,
        "findings": dict(ledger.findings),
        "residual_sd_s": None,
        "residual_largest_s": None,
        "residual_percentiles_s": None,
    }
    slots = sorted(slot for slot in times_s if slot >= ledger.first_slot_of_fit)
    if len(slots) >= 3:
        xs = np.array([grid.position(slot) for slot in slots])
        fit, rest = fit_all(
            xs, np.array([times_s[slot] for slot in slots]), grid.position(grid.start), grid.tr_s
        )
        summary |= {
            "tr_fitted_s": fit.tr_s,
            "tr_se_s": fit.tr_se_s,
            "start_by_fit_s": fit.start_s,
            "start_by_fit_se_s": fit.start_se_s,
            "residual_sd_s": float(np.std(rest)),
            "residual_largest_s": float(rest[np.argmax(np.abs(rest))]),
            "residual_percentiles_s": {
                str(share): float(np.percentile(rest, share)) for share in _PERCENTILES
            },
        }
    return summary
