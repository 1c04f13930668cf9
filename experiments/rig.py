"""Opens the real rig of a protocol: stage and streams, each in a process of its own, on the one clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from closedloop.ports import DisplayReport, Rig, Stage, StreamInfo
from closedloop.protocol.models import Protocol
from hardware.clock import LslClock
from hardware.lsl.proxy import LslLink
from hardware.stage import PsychopyStage, ShuffledStage


@dataclass(frozen=True)
class OpenedRig:
    """Devices that are open, and what they said of themselves; the response stream is the first one."""

    rig: Rig
    display: DisplayReport
    streams: Sequence[StreamInfo]

    def close(self) -> None:
        """Close the window first, so that nothing is left on the screen; safe to call twice."""
        self.rig.stage.close()
        self.rig.source.close()


@contextmanager
def open_rig(
    protocol: Protocol,
    session_id: str,
    image_shape: tuple[int, int, int],
    control: str | None,
    say: Callable[[str], None],
) -> Iterator[OpenedRig]:
    """Open all devices, and close them in any case.

    Args:
        protocol: what is needed of the devices.
        session_id: named in every marker.
        image_shape: height, width and 3 of the images to be shown.
        control: ``"shuffled"`` for the control condition of the same name, or None.
        say: told what is being done, in words.

    Raises:
        StreamError: the response stream is missing, ambiguous or not what the protocol says.
        StageError: the display can't be opened or can't be trusted.
    """
    clock = LslClock()
    link = LslLink(
        protocol.response,
        session_id,
        units=sorted({unit for thread in protocol.threads for unit in thread.units.units}),
        wait_for_stream_s=protocol.limits.wait_for_stream_s,
        clock=clock,
    )
    stage: Stage = PsychopyStage(protocol.display, protocol.presentation, image_shape)
    if control == "shuffled":
        stage = ShuffledStage(stage, protocol.seed)
    with ExitStack() as opened:
        # the stream first: it is what is missing most often, and it is found fastest
        opened.callback(link.close)
        streams = link.open()
        for info in streams:
            say(
                f"{info.role} stream {info.name!r} ({info.kind}, {info.channels} channels, source {info.source_id!r})"
            )
        opened.callback(stage.close)
        display = stage.open()
        say(
            f"display {display.size_px[0]} x {display.size_px[1]} at {display.refresh_hz:.2f} Hz, "
            f"paced by {'its vertical blank' if display.paced_by == 'vblank' else 'the clock (no vertical blank)'}"
        )
        yield OpenedRig(Rig(clock, stage, link, link), display, streams)
