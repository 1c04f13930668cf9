"""What can be chosen about the simulated subject."""

from __future__ import annotations

from dataclasses import dataclass, field

from hardware.subject.faults import Fault
from hardware.subject.firing import FiringOptions

KINDS = ("spikes", "rates", "counts", "trials")
DEFAULT_LAYER = "features.18"
DEFAULT_CHANNELS = (824, 70, 655, 237, 967, 1122, 1236, 908, 501, 888, 455, 821, 247, 1091, 723, 1222)
"""Unit 0 is the one that the demo evolves pictures for; see docs/simulated-subject.md for how it was chosen."""


@dataclass(frozen=True)
class SubjectOptions:
    """How the simulated subject sees, fires and sends.

    Attributes:
        kind: of the response stream, one of ``KINDS``.
        name: of the response stream; the fixation stream adds ``-fixation``, also to the source id.
        source_id: of the response stream; stays the same through every fault.
        rate_hz: nominal rate of ``rates`` and ``counts``.
        chunk_s: how often samples are sent.
        display: X display; None takes ``DISPLAY``.
        wait_display_s: how long to wait for an X server that does not answer yet.
        patch_px: the pixel ``(x, y)`` of the photodiode patch to watch, from the screen's top left; negative
            numbers count from the right and from the bottom.
        picture_px: rectangle ``(x, y, w, h)`` of the screen where pictures appear; None takes the square of
            half the screen's height in its middle.
        patch_levels: at or below the first (0 to 255) the patch is dark, at or above the second bright.
        poll_hz: how often the patch is looked at.
        weights: model id or path of the MobileNetV2 checkpoint.
        weights_sha256: of the file, if ``weights`` is a path.
        layer: layer that the units are read from.
        channels: channel of the layer for each unit.
        readout: ``mean`` over the picture, or ``centre``.
        input_px: side at which the network sees the picture.
        firing: see there.
        window_s: after the onset, what ``trials`` counts in.
        fixation: whether to send the fixation stream too.
        fixation_breaks_per_min: how often the subject looks away by itself.
        faults: those to come at their times.
        commands: hear one fault a line on standard input; its end ends the subject.
        seconds: end by itself after this long; None: when asked to.
        seed: of all that is random.
    """

    kind: str = "spikes"
    name: str = "simulated-subject"
    source_id: str = "closedloop-simulated-subject"
    rate_hz: float = 1000.0
    chunk_s: float = 0.010
    display: str | None = None
    wait_display_s: float = 5.0
    patch_px: tuple[int, int] = (10, -10)
    picture_px: tuple[int, int, int, int] | None = None
    patch_levels: tuple[float, float] = (85.0, 170.0)
    poll_hz: float = 500.0
    weights: str = "mobilenet-v2"
    weights_sha256: str | None = None
    layer: str = DEFAULT_LAYER
    channels: tuple[int, ...] = DEFAULT_CHANNELS
    readout: str = "mean"
    input_px: int = 96
    firing: FiringOptions = field(default_factory=FiringOptions)
    window_s: tuple[float, float] = (0.050, 0.200)
    fixation: bool = False
    fixation_breaks_per_min: float = 0.0
    faults: tuple[Fault, ...] = ()
    commands: bool = False
    seconds: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r}: one of {', '.join(KINDS)}")
        for name in ("rate_hz", "chunk_s", "poll_hz", "input_px"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: must be above 0")
        if not 0 <= self.window_s[0] < self.window_s[1]:
            raise ValueError("window_s: must begin at 0 or later and end after it begins")
