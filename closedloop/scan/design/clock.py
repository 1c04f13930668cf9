"""The time of one run: volumes and seconds, and whether what is planned fits into it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from closedloop.errors import TimingError
from closedloop.protocol.sections.scan_design import TimeUnit
from closedloop.scan.records import PlannedEvent

# Sums of intervals are off by rounding; what ends so much late is not late.
_ROUNDING_S = 1e-6


@dataclass(frozen=True)
class RunClock:
    """The time that one run has.

    Attributes:
        label: of the run, for messages.
        tr_s: from one volume to the next.
        volumes: stored ones.
        units: what the design's lengths count.
        lead_in, lead_out: in these units; ``lead_out`` None: to the end of the last volume.
    """

    label: str
    tr_s: float
    volumes: int
    units: TimeUnit
    lead_in: float
    lead_out: float | None

    def seconds(self, length: float) -> float:
        """Return a length of the design in seconds."""
        return length * self.tr_s if self.units == "volumes" else length

    @property
    def start_s(self) -> float:
        """When the first event may begin."""
        return self.seconds(self.lead_in)

    @property
    def scan_s(self) -> float:
        """End of the last volume."""
        return self.volumes * self.tr_s

    def duration_s(self, events: Iterable[PlannedEvent]) -> float:
        """Return how long the run lasts with these events.

        Raises:
            TimingError: longer than the scanner runs.
        """
        ends_s = max((event.onset_s + event.duration_s for event in events), default=self.start_s)
        lead_out_s = 0.0 if self.lead_out is None else self.seconds(self.lead_out)
        if ends_s + lead_out_s > self.scan_s + _ROUNDING_S:
            needed = math.ceil((ends_s + lead_out_s - _ROUNDING_S) / self.tr_s)
            words = f" and a lead-out of {lead_out_s:g} s" if lead_out_s else ""
            raise TimingError(
                f"design, run {self.label}",
                found=f"events until {ends_s:.3f} s{words}",
                expected=f"at most {self.scan_s:g} s: {self.volumes} volumes of {self.tr_s:g} s",
                remedy=f"Show less, or set scanner.volumes to {needed} or more.",
            )
        return self.scan_s if self.lead_out is None else ends_s + lead_out_s
