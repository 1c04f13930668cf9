"""What differs between a session as it was and as it would go on, in plain words, and how much it matters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from closedloop.loop.history import History
from closedloop.loop.threads import EvolutionThread
from closedloop.ports import DisplayReport, Pixels, StreamInfo
from closedloop.protocol.frames import plan_frames
from closedloop.protocol.models import Protocol
from closedloop.protocol.scan import ScanProtocol


class Weight(str, Enum):
    """How much a difference matters."""

    NOTE = "note"  # worth saying
    CHANGE = "change"  # another experiment, unless the person accepts it
    NEVER = "never"  # what is recorded could not go on with it


@dataclass(frozen=True)
class Difference:
    """One difference: what it is about, what it was, what it would be."""

    what: str
    was: str
    now: str
    weight: Weight

    def __str__(self) -> str:
        return f"{self.what}: was {self.was}, now {self.now}"


# Where a session ends, what is written besides and where LSL is looked for changes nothing of what was done.
_FREE = (
    "limits.generations",
    "limits.minutes",
    "limits.wait_for_stream_s",
    "limits.give_up_stream_s",
    "stop*",
    "output.*",
    "lsl.*",
    "notes",
    "subject.notes",
    "threads.*.generator.device",
)
# What images, codes and numbers in the file stand on.
_NEVER = (
    "kind",
    "threads",
    "threads.*.name",
    "threads.*.generator.name",
    "threads.*.generator.parameters*",
    "threads.*.optimizer.name",
    "threads.*.optimizer.initial_codes",
    "references.folder",
    "references.random_codes",
)

# Another processor, GPU or version of a library may round a colour value the other way.
_LAST_BITS = 2

# How pulses come in and what is done about odd ones changes nothing of what is shown, nor does a further run.
_SCAN_FREE = (
    "runs.count",
    "scanner.trigger*",
    "scanner.policy*",
    "scanner.wait_s",
    "scanner.simulate.*",
    "output.*",
    "lsl.*",
    "notes",
    "subject.notes",
)
# What images and numbers in the file stand on.
_SCAN_NEVER = ("kind", "stimuli*", "subject.id")


def protocol_differences(was: Protocol | ScanProtocol, now: Protocol | ScanProtocol) -> list[Difference]:
    """Compare two protocols of one kind, value by value."""
    free, never = (_SCAN_FREE, _SCAN_NEVER) if isinstance(now, ScanProtocol) else (_FREE, _NEVER)
    if isinstance(was, ScanProtocol) and isinstance(now, ScanProtocol) and _only_further_runs(was, now):
        free = (*free, "runs.each")
    pairs = _pairs("", was.model_dump(mode="json"), now.model_dump(mode="json"))
    return [
        Difference(key, _short(before), _short(after), _weight(key, free, never))
        for key, before, after in pairs
    ]


def generator_differences(
    was: Sequence[Mapping[str, Any]], threads: Sequence[EvolutionThread]
) -> list[Difference]:
    """Compare what makes the images: other weights are another experiment, another device or version is not."""
    found = []
    for recorded, thread in zip(was, threads, strict=False):
        if not recorded:  # a stand-in; the images that are rendered again tell
            what = f"generator of thread {thread.spec.name}"
            found.append(Difference(what, "lost in a salvage", "not compared", Weight.NOTE))
            continue
        for key, before, after in _pairs("", dict(recorded), dict(thread.generator.provenance)):
            weighty = key in ("generator", "weights_sha256", "code_length", "image_shape")
            found.append(
                Difference(
                    f"generator of thread {thread.spec.name}, {key}",
                    _short(before),
                    _short(after),
                    Weight.NEVER
                    if key in ("code_length", "image_shape")
                    else Weight.CHANGE
                    if weighty
                    else Weight.NOTE,
                )
            )
    return found


def reference_differences(history: History, threads: Sequence[EvolutionThread]) -> list[Difference]:
    """Compare references whose pixels were lost, and which were made again, by the sum of their bytes."""
    found = []
    for thread, images in zip(threads, history.references or (), strict=False):
        for image, reference in zip(images, thread.references, strict=True):
            lost = history.lost.get(image)
            if lost is None:
                continue
            again = hashlib.sha256(reference.pixels.tobytes()).hexdigest()
            now = (
                "rendered again from its code" if lost.code is not None else f"read again from {lost.source}"
            )
            if lost.sha256 is not None and lost.sha256 != again:
                now += f", with other bytes (SHA-256 {again[:12]}, recorded {lost.sha256[:12]})"
            weight = Weight.NOTE if lost.sha256 in (None, again) else Weight.CHANGE
            found.append(Difference(f"reference image {image}", "lost in a salvage", now, weight))
    return found


def reference_count_differences(history: History, protocol: Protocol) -> list[Difference]:
    """Compare how many references are to be shown with how many there are; none can be added to a session."""
    wanted = protocol.references.per_generation
    there = min((len(images) for images in history.references or ()), default=wanted)
    if wanted <= there:
        return []
    what = "references.per_generation"
    return [Difference(what, f"of {there} references in the session", str(wanted), Weight.NEVER)]


def environment_differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """Compare program, packages and machine."""
    keys = ("program", "git_commit", "python", "packages", "platform", "hostname", "cpu", "gpu")
    before, after = ({key: side.get(key) for key in keys} for side in (was, now))
    return [Difference(key, _short(a), _short(b), Weight.NOTE) for key, a, b in _pairs("", before, after)]


def display_differences(
    was: Mapping[str, Any], now: DisplayReport, protocol: Protocol | ScanProtocol
) -> list[Difference]:
    """Compare displays: durations in other numbers of frames are another experiment."""
    if not was:
        return []
    found = []
    hz, tolerance = float(was["refresh_hz"]), protocol.display.refresh_tolerance
    # in the scanner durations are put on whole frames of what is measured then
    frames_differ = isinstance(protocol, Protocol) and _frames(protocol, was["period_s"]) != _frames(
        protocol, now.period_s
    )
    if abs(now.refresh_hz - hz) > tolerance * hz or frames_differ:
        what = f"refresh (within {100 * tolerance:g} %)"
        found.append(Difference(what, f"{hz:.2f} Hz", f"{now.refresh_hz:.2f} Hz", Weight.CHANGE))
    if list(was["size_px"]) != list(now.size_px):
        before_px, after_px = (" x ".join(map(str, size)) for size in (was["size_px"], now.size_px))
        found.append(Difference("window in pixels", before_px, after_px, Weight.NOTE))
    if was["paced_by"] != now.paced_by:
        found.append(Difference("frames paced by", was["paced_by"], now.paced_by, Weight.CHANGE))
    return found


def _frames(protocol: Protocol, period_s: float) -> tuple[Any, ...]:
    planned = plan_frames(protocol.presentation, period_s)
    return planned.on_frames, planned.off_frames, planned.iti_frames, planned.flicker_frames


def pixel_differences(what: str, shown: Pixels, again: Pixels, then: str = "") -> list[Difference]:
    """Compare a picture with how it was shown; its last bits may be another device's.

    Args:
        what: the picture.
        shown: ``(h, w, 3)`` uint8, as recorded.
        again: the same shape, as it is made now.
        then: what is done about it.
    """
    most = int(np.abs(again.astype(np.int16) - shown.astype(np.int16)).max())
    if not most:
        return []
    weight = Weight.NOTE if most <= _LAST_BITS else Weight.CHANGE
    return [Difference(what, "as shown", f"different by up to {most} of 255{then}", weight)]


def stream_differences(was: Mapping[str, Mapping[str, Any]], now: Sequence[StreamInfo]) -> list[Difference]:
    """Compare streams: other channels or another kind of sample are another experiment."""
    found = []
    weighty = ("kind", "channels", "nominal_hz")
    for info in now:
        before = was.get(info.role)
        if before is None:
            continue
        after = asdict(info)
        for key in (*weighty, "name", "type", "source_id", "dtype", "channel_names", "hostname"):
            if _plain(before.get(key)) != _plain(after[key]):
                weight = Weight.CHANGE if key in weighty else Weight.NOTE
                what = f"{info.role} stream, {key}"
                found.append(Difference(what, _short(before.get(key)), _short(after[key]), weight))
    return found


def _only_further_runs(was: ScanProtocol, now: ScanProtocol) -> bool:
    """Return whether the runs begin with those that there were, each as it was, however they are given."""
    there = was.runs.planned
    return now.runs.planned[: len(there)] == there


def _weight(key: str, free: Sequence[str], never: Sequence[str]) -> Weight:
    if any(fnmatchcase(key, pattern) for pattern in free):
        return Weight.NOTE
    return Weight.NEVER if any(fnmatchcase(key, pattern) for pattern in never) else Weight.CHANGE


def _pairs(at: str, was: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield dotted key and both values wherever two trees differ; lists of one length item by item."""
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*was, *now]):
            yield from _pairs(f"{at}.{key}" if at else str(key), was.get(key), now.get(key))
    elif _sections(was) and _sections(now) and len(was) == len(now):
        for index, (before, after) in enumerate(zip(was, now, strict=True)):
            yield from _pairs(f"{at}.{index}", before, after)
    elif _plain(was) != _plain(now):
        yield at, was, now


def _sections(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
