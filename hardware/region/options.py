"""What can be chosen about the simulated region."""

from __future__ import annotations

from dataclasses import dataclass, field

from hardware.region.signal import SignalOptions
from hardware.subject.options import SubjectOptions

KINDS = ("rates", "trials")
DEFAULT_REGION = (824, 657, 629, 726, 1027, 1017, 317, 685)
"""The channel that the demo evolves for, and the seven that go with it most closely over the subject's own pictures
(``calibration_pictures``), as neighbours in a cortex do; no picture of the generator played a part."""


@dataclass(frozen=True)
class RegionOptions:
    """How a region is imaged and its signal sent.

    Attributes:
        kind: of the response stream: ``rates``, a sample a volume, or ``trials``, one a trial.
        name: of the response stream.
        source_id: of the response stream.
        subject: where it looks, and which network units its neurons are; firing and streams play no part.
        regions: channels of the network's layer whose mean drives each region.
        signal: the blood's answer, the noise, the TR.
        delay_s: from the end of a volume until its sample is sent, as a pipeline takes.
        delay_jitter_s: it takes up to so much longer, drawn anew for each volume.
        stamped: ``end`` or ``start``: which end of its volume a sample is stamped with.
        window: kind ``trials``: begin and end in volumes after the onset, what it takes the mean of.
        baseline: kind ``trials``: the same for a baseline, of which the answer is then the change in percent.
        seconds: end by itself after this long; None: when asked to.
    """

    kind: str = "rates"
    name: str = "simulated-region"
    source_id: str = "closedloop-simulated-region"
    subject: SubjectOptions = field(default_factory=SubjectOptions)
    regions: tuple[tuple[int, ...], ...] = ()
    signal: SignalOptions = field(default_factory=SignalOptions)
    delay_s: float = 1.0
    delay_jitter_s: float = 0.5
    stamped: str = "end"
    window: tuple[float, float] = (2.0, 3.0)
    baseline: tuple[float, float] | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if not self.regions:
            object.__setattr__(self, "regions", (DEFAULT_REGION,))
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r}: one of {', '.join(KINDS)}")
        if self.stamped not in ("end", "start"):
            raise ValueError(f"stamped {self.stamped!r}: end or start")
        if not (self.delay_s >= 0 and self.delay_jitter_s >= 0):
            raise ValueError("delay_s, delay_jitter_s: must be 0 or more")
        for name, span in (("window", self.window), ("baseline", self.baseline)):
            if span is not None and not span[1] >= span[0] + 1:
                raise ValueError(f"{name}: must end a volume or more after it begins")
