"""How well a design can tell its conditions apart, before anything is measured.

The efficiency of a set of contrasts C in a general linear model X is ``1 / trace(C (X'X)^-1 C')``: the inverse
of the summed variance of the estimated contrasts, in units of the noise (Dale 1999, Human Brain Mapping 8,
109-114; Friston et al. 1999, NeuroImage 10, 607-619; Liu et al. 2001, NeuroImage 13, 759-773). It depends on
the model and on the scaling of the contrasts: compare designs of one protocol with it, nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from closedloop.protocol.scan import ScanProtocol
from closedloop.scan.records import PlannedEvent

# A contrast that is further than this from what the model can tell can't be estimated.
_ESTIMABLE = 1e-6


@dataclass(frozen=True)
class Measured:
    """The efficiency of one design.

    Attributes:
        total: of all contrasts together; 0 if one of them can't be estimated.
        contrasts: of each alone.
    """

    total: float
    contrasts: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"total": self.total, "contrasts": dict(self.contrasts)}


def measure(events: Sequence[PlannedEvent], protocol: ScanProtocol, volumes: int) -> Measured:
    """Return the efficiency of a run's events.

    Args:
        events: of the run; those without an image are rest, and have no regressor.
        protocol: its sequence, contrasts and model of the response.
        volumes: stored ones.
    """
    images = [event for event in events if event.kind == "image"]
    conditions = list(dict.fromkeys(event.trial_type for event in images))
    given = {contrast.name: contrast.weights for contrast in protocol.efficiency.contrasts}
    contrasts = given or default_contrasts(sorted(conditions))
    if not images:
        return Measured(0.0, dict.fromkeys(contrasts, 0.0))
    matrix, columns = design_matrix(images, protocol, volumes)
    rows = np.array(
        [[weights.get(column, 0.0) for column in columns] for weights in contrasts.values()], dtype=np.float64
    )
    # what a run does not show it can't tell from anything, though the model without it could tell the rest
    shown = {
        name: all(column in columns for column, weight in weights.items() if weight)
        for name, weights in contrasts.items()
    }
    each = {
        name: efficiency(matrix, row[None]) if shown[name] else 0.0
        for name, row in zip(contrasts, rows, strict=True)
    }
    return Measured(efficiency(matrix, rows) if all(each.values()) else 0.0, each)


def default_contrasts(conditions: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return each condition against rest, and each pair of conditions."""
    single = {condition: {condition: 1.0} for condition in conditions}
    pairs = {f"{a}>{b}": {a: 1.0, b: -1.0} for a, b in combinations(conditions, 2)}
    return {**single, **pairs}


def efficiency(matrix: npt.NDArray[np.float64], contrasts: npt.NDArray[np.float64]) -> float:
    """Return ``1 / trace(C (X'X)^-1 C')``; 0 where the model can't estimate a contrast.

    Args:
        matrix: X (n, p).
        contrasts: C (k, p).
    """
    inverse = np.linalg.pinv(matrix.T @ matrix, hermitian=True)
    # a contrast that is not a combination of the model's rows has no estimate, and no variance of one
    if np.abs(contrasts @ inverse @ (matrix.T @ matrix) - contrasts).max() > _ESTIMABLE:
        return 0.0
    variance = float(np.trace(contrasts @ inverse @ contrasts.T))
    return 1 / variance if variance > 0 else 0.0


def design_matrix(
    images: Sequence[PlannedEvent], protocol: ScanProtocol, volumes: int
) -> tuple[npt.NDArray[np.float64], list[str]]:
    """Return the model of a run: a regressor a condition, drifts, a constant; and the names of its columns.

    Volumes are taken in the middle of their acquisition.

    Args:
        images: events with an image.
        protocol: its sequence and model of the response.
        volumes: stored ones.
    """
    # these take seconds to import, and only who plans a scan needs them
    import pandas as pd
    from nilearn.glm.first_level import make_first_level_design_matrix

    scanner, settings = protocol.scanner, protocol.efficiency
    middle_s = (scanner.acquisition_s or scanner.tr_s) / 2
    table = pd.DataFrame(
        {
            "onset": [event.onset_s for event in images],
            "duration": [event.duration_s for event in images],
            "trial_type": [event.trial_type for event in images],
        }
    )
    high_pass_s = settings.high_pass_s
    frame = make_first_level_design_matrix(
        np.arange(volumes) * scanner.tr_s + middle_s,
        table,
        hrf_model=settings.hrf,
        drift_model=None if high_pass_s is None else "cosine",
        high_pass=0.01 if high_pass_s is None else 1 / high_pass_s,
    )
    return frame.to_numpy(dtype=np.float64), [str(column) for column in frame.columns]
