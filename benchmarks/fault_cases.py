"""What can be wrong with a scanner's pulses, drawn at random, and whether the pulse ledger said so in time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from closedloop.protocol.sections.scan import Scanner, Trigger
from closedloop.scan.findings import FindingKind, PulseFinding
from closedloop.scan.records import PulseEntry
from closedloop.scan.simulation import ScannerFaults

JITTER_S = 0.005  # at most, of the simulated scanner's pulses


@dataclass(frozen=True)
class Sent:
    """A pulse as it was really sent."""

    time_s: float
    kind: str
    volume: int | None


@dataclass
class Heard:
    """What a ledger made of a run: entries with the pulses' stamps, findings with the moment they were known."""

    entries: list[tuple[PulseEntry, float]] = field(default_factory=list)
    findings: list[tuple[PulseFinding, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """How a run was judged.

    Attributes:
        noticed: the fault was told of, rightly.
        after: how long after, in the case's unit; None if it was not, or there was none.
        false_alarms: findings that the fault does not explain.
        miscounted: volumes with a wrong number, volumes not counted, and what was counted and is none.
        unheard: pulses that were sent and did not come in.
    """

    noticed: bool
    after: float | None
    false_alarms: int
    miscounted: int
    unheard: int


@dataclass(frozen=True)
class Layout:
    """How the sequence sends its pulses.

    Attributes:
        slices: pulses in a volume.
        busy: share of the TR in which they come.
        dummies: volumes before the stored ones.
        told: whether the protocol has it so; else it has one pulse a volume.
    """

    slices: int = 1
    busy: float = 1.0
    dummies: int = 0
    told: bool = True

    def acquisition_s(self, tr_s: float) -> float | None:
        """Return how long a volume takes, for a sparse sequence."""
        return None if self.busy == 1 else self.busy * tr_s

    def protocol(self, tr_s: float, volumes: int, trigger: Trigger | None = None) -> Scanner:
        """Return the protocol's section for it, on the keyboard path unless another trigger is given."""
        section = Scanner(
            tr_s=tr_s,
            volumes=volumes,
            dummies=self.dummies,
            jitter_ms=1000 * JITTER_S,
            trigger=trigger or Trigger(),
        )
        if self.slices == 1 or not self.told:
            return section
        return section.model_copy(
            update={
                "pulse_per": "slice",
                "slices": self.slices,
                "acquisition_s": self.acquisition_s(tr_s),
                "debounce_ms": 1000 * self.busy * tr_s / self.slices / 4,
            }
        )


VOLUMES = Layout()
DUMMIES = Layout(dummies=3)
SLICES = Layout(slices=5)
SPARSE = Layout(slices=5, busy=0.5)


@dataclass(frozen=True)
class Case:
    """A fault.

    Attributes:
        name: for the table.
        draw: makes one, given the generator, the number of volumes, and the TR.
        explains: kinds of findings that it explains, and how many of each at most.
        said_by: the finding by which it counts as noticed; None if there is nothing to notice.
        since: from what on it is counted how long it took.
        volumes: of the run, dummies not counted.
        layout: how the sequence sends its pulses.
    """

    name: str
    draw: Callable[[np.random.Generator, int, float], ScannerFaults]
    explains: dict[FindingKind, int]
    said_by: tuple[FindingKind, ...]
    since: str = "last pulse"
    volumes: int = 16
    layout: Layout = VOLUMES


def _middle(rng: np.random.Generator, volumes: int, count: int) -> tuple[int, ...]:
    """Places of pulses that are neither first nor last nor neighbours."""
    while True:
        places = np.sort(rng.choice(np.arange(1, volumes - 1), count, replace=False))
        if count == 1 or np.diff(places).min() > 1:
            return tuple(int(place) for place in places)


def _between(rng: np.random.Generator, volumes: int, tr_s: float) -> float:
    return float(tr_s * (rng.integers(1, volumes - 1) + rng.uniform(0.25, 0.75)))


def _after_each(volumes: int, tr_s: float, after_s: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(tr_s * volume + 2 * JITTER_S + after for volume in range(volumes) for after in after_s)


def _noise(rng: np.random.Generator, volumes: int, tr_s: float, pulses: int) -> tuple[float, ...]:
    begins_s = float(tr_s * (rng.integers(1, volumes - 1) + rng.uniform(0.3, 0.4)))
    return tuple(begins_s + 0.015 * number for number in range(pulses))


CASES: tuple[Case, ...] = (
    Case("none", lambda _rng, _n, _tr: ScannerFaults(), {}, ()),
    Case(
        "a pulse dropped",
        lambda rng, n, _tr: ScannerFaults(drop=_middle(rng, n, 1)),
        {"missed": 1},
        ("missed",),
    ),
    Case(
        "three pulses dropped",
        lambda rng, n, _tr: ScannerFaults(drop=_middle(rng, n, 3)),
        {"missed": 3},
        ("missed",),
    ),
    Case(
        "first pulse dropped",
        lambda _rng, _n, _tr: ScannerFaults(drop_first=1),
        {"missed": 1, "first_missed": 1},
        ("first_missed",),
    ),
    Case(
        "last pulse dropped",
        lambda _rng, n, _tr: ScannerFaults(drop=(n - 1,)),
        {"missed": 1, "first_missed": 1},
        ("missed",),
    ),
    Case(
        "three pulses doubled",
        lambda rng, n, _tr: ScannerFaults(
            double=_middle(rng, n, 3), double_after_s=float(rng.uniform(0.002, 0.08))
        ),
        {"doubled": 3},
        ("doubled",),
        "the pulse",
    ),
    Case(
        "an extra pulse",
        lambda rng, n, tr: ScannerFaults(extra_s=(_between(rng, n, tr),)),
        {"extra": 1, "human": 1},
        ("extra", "human"),
        "the pulse",
    ),
    Case(
        "a person presses the key",
        lambda rng, n, tr: ScannerFaults(human_s=(_between(rng, n, tr),)),
        {"extra": 1, "human": 1},
        ("extra", "human"),
        "the pulse",
    ),
    Case(
        "a person presses before the scan",
        lambda rng, _n, tr: ScannerFaults(
            human_s=(-tr * (rng.integers(0, 5) + float(rng.uniform(0.25, 0.75))),)
        ),
        {"extra": 2, "human": 2, "missed": 2, "stopped": 1},
        ("extra", "human"),
        "first volume",
    ),
    Case(
        "TR 0.85 % long",
        lambda _rng, _n, _tr: ScannerFaults(tr_error=0.0085),
        {"tr_off": 1},
        ("tr_off",),
        "volumes",
    ),
    Case(
        "TR 0.85 % short",
        lambda _rng, _n, _tr: ScannerFaults(tr_error=-0.0085),
        {"tr_off": 1},
        ("tr_off",),
        "volumes",
    ),
    Case(
        "TR drifts by 2 %",
        lambda _rng, _n, _tr: ScannerFaults(drift=0.02),
        {"drift": 1, "tr_off": 1},
        ("drift",),
        "volumes",
        volumes=32,
    ),
    Case(
        "early stop",
        lambda rng, n, _tr: ScannerFaults(stop_after=int(rng.integers(4, n - 4))),
        {"missed": 2, "stopped": 1},
        ("stopped",),
        "first lacking",
    ),
    Case(
        "every pulse heard three times",
        lambda rng, n, tr: ScannerFaults(extra_s=_after_each(n, tr, (rng.uniform(0.01, 0.02), 0.03))),
        {"doubled": 32},
        ("doubled",),
        "the pulse",
    ),
    Case(
        "noise of 10 pulses",
        lambda rng, n, tr: ScannerFaults(extra_s=_noise(rng, n, tr, 10)),
        {"extra": 10, "human": 10},
        ("extra", "human"),
        "the pulse",
    ),
    Case("none, 3 dummies", lambda _rng, _n, _tr: ScannerFaults(), {}, (), layout=DUMMIES),
    Case(
        "a pulse dropped, 3 dummies",
        lambda rng, n, _tr: ScannerFaults(drop=_middle(rng, n + 3, 1)),
        {"missed": 1},
        ("missed",),
        layout=DUMMIES,
    ),
    Case(
        "first pulse dropped, 3 dummies",
        lambda _rng, _n, _tr: ScannerFaults(drop_first=1),
        {"missed": 1, "first_missed": 1},
        ("first_missed",),
        layout=DUMMIES,
    ),
    Case("none, slices", lambda _rng, _n, _tr: ScannerFaults(), {}, (), layout=SLICES),
    Case(
        "a pulse dropped, slices",
        lambda rng, n, _tr: ScannerFaults(drop=_middle(rng, 5 * n, 1)),
        {"missed": 1},
        ("missed",),
        layout=SLICES,
    ),
    Case(
        "first volume dropped, slices",
        lambda _rng, _n, _tr: ScannerFaults(drop_first=5),
        {"missed": 1, "stopped": 1, "first_missed": 1},
        ("first_missed",),
        layout=SLICES,
    ),
    Case(
        "early stop, slices",
        lambda rng, n, _tr: ScannerFaults(stop_after=int(rng.integers(4, n - 4))),
        {"missed": 2, "stopped": 1},
        ("stopped",),
        "first lacking",
        layout=SLICES,
    ),
    Case(
        "TR 0.85 % long, slices",
        lambda _rng, _n, _tr: ScannerFaults(tr_error=0.0085),
        {"tr_off": 1},
        ("tr_off",),
        "volumes",
        layout=SLICES,
    ),
    Case("none, sparse slices", lambda _rng, _n, _tr: ScannerFaults(), {}, (), layout=SPARSE),
    Case(
        "a pulse dropped, sparse slices",
        lambda rng, n, _tr: ScannerFaults(drop=_middle(rng, 5 * n, 1)),
        {"missed": 1},
        ("missed",),
        layout=SPARSE,
    ),
    Case(
        "first pulses dropped, sparse slices",
        lambda rng, _n, _tr: ScannerFaults(drop_first=int(rng.integers(1, 5))),
        {"missed": 1, "first_missed": 1},
        ("first_missed",),
        "second volume",
        layout=SPARSE,
    ),
    Case(
        "early stop, sparse slices",
        lambda rng, n, _tr: ScannerFaults(stop_after=int(rng.integers(4, n - 4))),
        {"missed": 2, "stopped": 1},
        ("stopped",),
        "first lacking",
        layout=SPARSE,
    ),
    Case(
        "TR 0.85 % long, sparse slices",
        lambda _rng, _n, _tr: ScannerFaults(tr_error=0.0085),
        {"tr_off": 1},
        ("tr_off",),
        "volumes",
        layout=SPARSE,
    ),
    Case(
        "slices unknown to the protocol",
        lambda _rng, _n, _tr: ScannerFaults(),
        {"tr_off": 1, "extra": 12, "human": 12, "doubled": 12},
        ("tr_off",),
        "start",
        layout=Layout(slices=5, told=False),
    ),
    Case(
        "sparse slices unknown to the protocol",
        lambda _rng, _n, _tr: ScannerFaults(),
        {"tr_off": 1, "extra": 24, "human": 24, "doubled": 24},
        ("tr_off",),
        "start",
        layout=Layout(slices=5, busy=0.5, told=False),
    ),
)


def judge(case: Case, faults: ScannerFaults, sent: Sequence[Sent], heard: Heard, tr_s: float) -> Outcome:
    """Hold what was said against what was sent."""
    findings = [(finding, known_s) for finding, known_s in heard.findings if finding.kind != "first"]
    kinds = Counter(finding.kind for finding, _ in findings if finding.count)
    alarms = sum(max(0, count - case.explains.get(kind, 0)) for kind, count in kinds.items())
    told = [pair for pair in findings if pair[0].kind in case.said_by and pair[0].count]
    noticed, after = _noticed(case, faults, sent, told, tr_s)
    return Outcome(noticed, after, alarms, _miscounted(sent, heard), max(0, len(sent) - len(heard.entries)))


def _noticed(
    case: Case,
    faults: ScannerFaults,
    sent: Sequence[Sent],
    told: Sequence[tuple[PulseFinding, float]],
    tr_s: float,
) -> tuple[bool, float | None]:
    if not case.said_by:
        return True, None
    if not told:
        return False, None
    finding, known_s = told[0]
    if case.since == "volumes":
        return True, None if finding.volume is None else finding.volume + 1
    if case.since == "first volume":
        begin_s = next(pulse.time_s for pulse in sent if pulse.volume == 0)
        rightly = [pair for pair in told if "start_shift_s" in pair[0].detail]
        return bool(rightly), (rightly[0][1] - begin_s) / tr_s if rightly else None
    if case.since == "the pulse":
        wanted = [pulse for pulse in sent if pulse.kind in ("doubled", "extra", "human")]
        delays = [known - pulse.time_s for pulse, (_, known) in zip(wanted, told, strict=False)]
        return len(told) == len(wanted), max(delays) / tr_s
    if case.since == "first lacking":
        last_s = max(pulse.time_s for pulse in sent if pulse.kind in ("volume", "dummy"))
        return True, (known_s - last_s) / tr_s - 1
    if case.since == "second volume":
        begin_s = next(pulse.time_s for pulse in sent if pulse.volume == 1)
        return finding.count == faults.drop_first, (known_s - begin_s) / tr_s
    if case.since == "start":
        return True, (known_s - sent[0].time_s) / tr_s
    if case.said_by == ("missed",):
        drops, slices = sorted(faults.drop), case.layout.slices
        pairs = zip(enumerate(drops), told, strict=False)
        right = [
            (place, drop, known) for (place, drop), (found, known) in pairs if _is_of(found, drop // slices)
        ]
        # the pulse before one that was dropped, of which no two are neighbours
        after = [(known - sent[drop - 1 - place].time_s) / tr_s for place, drop, known in right]
        return len(right) == len(drops), max(after, default=None)
    return finding.count == faults.drop_first, (known_s - sent[-1].time_s) / tr_s


def _is_of(finding: PulseFinding, volume: int) -> bool:
    return finding.volume == volume and finding.count == 1


def _miscounted(sent: Sequence[Sent], heard: Heard) -> int:
    """Count wrong and lacking volume numbers, by pulse."""
    true = [pulse for pulse in sent if pulse.kind in ("volume", "dummy")]
    # a whole volume that was not heard can't be known; slices of one are
    first = min(pulse.volume for pulse in sent if pulse.volume is not None)
    numbers = {}
    for entry, pulse in _pairs(sent, heard):
        numbers[id(pulse)] = entry.volume
    wrong = 0
    began = False
    for pulse in sent:
        said = numbers.get(id(pulse))
        if pulse in true:
            began = True
            # the first pulse after a stray start is known for one only with the next
            late = said is None and pulse is true[0]
            wrong += not late and said != (pulse.volume or 0) - first
        elif began:
            wrong += said is not None
    return wrong


def _pairs(sent: Sequence[Sent], heard: Heard) -> list[tuple[PulseEntry, Sent]]:
    """Return each entry with the pulse that it is of: by their order, or if some went unheard, the nearest."""
    if len(sent) == len(heard.entries):
        entries = sorted(heard.entries, key=lambda pair: pair[1])
        return [(entry, pulse) for (entry, _), pulse in zip(entries, sent, strict=True)]
    return [
        (entry, min(sent, key=lambda pulse: abs(pulse.time_s - time_s))) for entry, time_s in heard.entries
    ]


def table(results: dict[tuple[str, str], list[Outcome]]) -> str:
    """Return the table as Markdown, a line for each fault and path."""
    lines = [
        "| fault | path | runs | noticed | worst | median | false alarms | miscounted | pulses unheard |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    units = {case.name: "volumes" if case.since == "volumes" else "TR" for case in CASES}
    for (name, path), outcomes in results.items():
        after = [outcome.after for outcome in outcomes if outcome.after is not None]
        worst = f"{max(after):.2f} {units[name]}" if after else ""
        median = f"{float(np.median(after)):.2f}" if after else ""
        lines.append(
            f"| {name} | {path} | {len(outcomes)} | {sum(one.noticed for one in outcomes)} | {worst} | {median} "
            f"| {sum(one.false_alarms for one in outcomes)} | {sum(one.miscounted for one in outcomes)} "
            f"| {sum(one.unheard for one in outcomes)} |"
        )
    return "\n".join(lines)
