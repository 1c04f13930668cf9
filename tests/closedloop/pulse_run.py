"""A scan run's pulses through a ledger, in no time: what several test files share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from closedloop.protocol.sections.scan import Scanner
from closedloop.scan.findings import PulseFinding
from closedloop.scan.ledger import PulseLedger
from closedloop.scan.ports import Pulse
from closedloop.scan.records import PulseEntry

ZERO_S = 86_400.0
TICKS = 25  # a TR


def pulse(time_s: float, mark: str = "5", uncertainty_s: float = 0.0005) -> Pulse:
    return Pulse(ZERO_S + time_s, uncertainty_s, math.nan, ZERO_S + time_s, mark)


def scanner(tr_s: float = 2.0, volumes: int = 20, **options: Any) -> Scanner:
    return Scanner.model_validate({"tr_s": tr_s, "volumes": volumes, **options})


@dataclass
class PulseRun:
    """What came of it; times are seconds from ``ZERO_S``."""

    ledger: PulseLedger
    entries: list[PulseEntry] = field(default_factory=list)
    findings: list[PulseFinding] = field(default_factory=list)

    def kinds(self) -> list[str]:
        return [finding.kind for finding in self.findings if finding.count and finding.kind != "first"]

    def only(self, kind: str) -> PulseFinding:
        (found,) = (finding for finding in self.findings if finding.kind == kind and finding.count)
        return found

    def volumes(self) -> list[int | None]:
        return [entry.volume for entry in self.entries]

    def verdicts(self) -> list[str]:
        return [entry.verdict for entry in self.entries]


def run(
    section: Scanner,
    times_s: Sequence[float],
    *,
    armed_s: float | None = None,
    end_s: float | None = None,
    marks: Sequence[str] = (),
    delays_s: dict[int, float] | None = None,
) -> PulseRun:
    """Feed pulses when they come, telling the time in between.

    Args:
        section: of the protocol.
        times_s: of the pulses, in order.
        armed_s: since when was listened.
        end_s: when the run is over; None: long after the last volume is.
        marks: of the pulses; none: the key.
        delays_s: of pulses, by place, that come in so much later than their stamps say.
    """
    ledger = PulseLedger(section, None if armed_s is None else ZERO_S + armed_s)
    done = PulseRun(ledger)
    until_s = (section.volumes + section.dummies + 6) * section.tr_s if end_s is None else end_s
    arrivals = sorted(
        (time_s + (delays_s or {}).get(place, 0.0), place) for place, time_s in enumerate(times_s)
    )
    now_s = min([0.0, *times_s])
    while now_s < until_s:
        now_s += section.tr_s / TICKS
        while arrivals and arrivals[0][0] <= now_s:
            _, place = arrivals.pop(0)
            entry, findings = ledger.feed(pulse(times_s[place], marks[place] if marks else "5"))
            done.entries.append(entry)
            done.findings += findings
        done.findings += ledger.tick(ZERO_S + now_s)
    done.findings += ledger.finish(ZERO_S + until_s)
    return done
