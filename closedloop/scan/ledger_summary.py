"""The pulses of a run in sum, for the session file and the report."""

from __future__ import annotations

from typing import Any

import numpy as np

from closedloop.scan.fit import fit_all
from closedloop.scan.sequence import Sequence

_PERCENTILES = (1, 5, 50, 95, 99)


def summarise(sequence: Sequence) -> dict[str, Any]:
    """Return counts, fit and residuals of the pulses on the grid, ready for JSON.

    The fit is made anew, over all pulses at once; None stands where there are fewer than three.
    """
    grid, times_s = sequence.grid, sequence.times_s
    lacking = [slot for slot in range(sequence.last) if slot not in times_s]
    return {
        "tr_nominal_s": grid.tr_s,
        "start_stamp_s": times_s.get(grid.start),
        "volumes_expected": grid.total // grid.slices,
        "volumes_seen": sequence.volumes(),
        "stored_volumes_expected": (grid.total - grid.start) // grid.slices,
        "stored_volumes_seen": sequence.volumes(grid.start),
        "missed_pulses": len(lacking),
        "missed_volumes": [grid.volume_of(slot) for slot in lacking if grid.begins_volume(slot)],
        "pulses_short_at_end": grid.total - 1 - sequence.last,
        **_fitted(sequence),
    }


def _fitted(sequence: Sequence) -> dict[str, Any]:
    names = (
        "tr_fitted_s",
        "tr_se_s",
        "start_by_fit_s",
        "start_by_fit_se_s",
        "residual_sd_s",
        "residual_largest_s",
        "residual_percentiles_s",
    )
    grid, times_s = sequence.grid, sequence.times_s
    slots = sorted(slot for slot in times_s if slot >= sequence.fit_from)
    if len(slots) < 3:
        return dict.fromkeys(names)
    places = np.array([grid.position(slot) for slot in slots])
    stamps_s = np.array([times_s[slot] for slot in slots])
    fit, rest = fit_all(places, stamps_s, grid.position(grid.start), grid.tr_s)
    values = (
        fit.tr_s,
        fit.tr_se_s,
        fit.start_s,
        fit.start_se_s,
        float(np.std(rest)),
        float(rest[np.argmax(np.abs(rest))]),
        {str(share): float(np.percentile(rest, share)) for share in _PERCENTILES},
    )
    return dict(zip(names, values, strict=True))
