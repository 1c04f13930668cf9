"""``closedloop simulate region``: a region of a brain in a scanner, that looks at the screen."""

from __future__ import annotations

import signal
from typing import Annotated, Any

import typer

from experiments.lsl_quiet import quiet_lsl


def region(
    kind: Annotated[
        str | None, typer.Option(help="rates: a sample a volume; trials: one answer a trial.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the response stream.")] = None,
    source_id: Annotated[str | None, typer.Option(help="Its source id, which a protocol pins.")] = None,
    tr_s: Annotated[
        float | None, typer.Option("--tr", help="Seconds from one volume to the next; default: 2.")
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="How many times faster than a brain's its answer is; default: 1.")
    ] = None,
    delay_s: Annotated[
        float | None, typer.Option("--delay", help="Seconds from a volume's end to its sample; default: 1.")
    ] = None,
    delay_jitter_s: Annotated[
        float | None, typer.Option("--delay-jitter", help="So much longer at most; default: 0.5.")
    ] = None,
    stamped: Annotated[
        str | None, typer.Option(help="end or start: which end of its volume a sample is stamped with.")
    ] = None,
    regions: Annotated[
        list[str] | None,
        typer.Option(
            "--region",
            metavar="A,B,...",
            help="Channels whose mean drives a region; may be given several times.",
        ),
    ] = None,
    amplitude_percent: Annotated[
        float | None, typer.Option("--amplitude", help="Peak of a usual answer in percent of the signal.")
    ] = None,
    noise_percent: Annotated[
        float | None, typer.Option("--noise", help="Standard deviation of a volume in percent.")
    ] = None,
    noise_correlation: Annotated[
        float | None, typer.Option(help="Of the noise of volumes 2 s apart.")
    ] = None,
    drift_percent: Annotated[
        float | None, typer.Option("--drift", help="Standard deviation of the drift after ten minutes.")
    ] = None,
    window: Annotated[
        str | None, typer.Option(metavar="A,B", help="Kind trials: volumes after onset; default: 2,3.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="A,B", help="Kind trials: answers in percent of these volumes.")
    ] = None,
    display: Annotated[str | None, typer.Option(help="X display to look at; default: DISPLAY.")] = None,
    wait_display_s: Annotated[
        float | None, typer.Option("--wait-display", help="Seconds to wait for an X server; default: 5.")
    ] = None,
    patch_px: Annotated[
        str | None,
        typer.Option(
            "--patch", metavar="X,Y", help="Pixel of the photodiode patch; negative: from right, bottom."
        ),
    ] = None,
    picture_px: Annotated[
        str | None,
        typer.Option("--picture", metavar="X,Y,W,H", help="Where pictures appear; default: the middle."),
    ] = None,
    layer: Annotated[str | None, typer.Option(help="Layer of the network: features.0 to .18.")] = None,
    weights: Annotated[str | None, typer.Option(help="Model id or path of MobileNetV2's weights.")] = None,
    weights_sha256: Annotated[str | None, typer.Option(help="Of the file, if a path is given.")] = None,
    seconds: Annotated[float | None, typer.Option(help="End after this long; default: at Ctrl-C.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of all that is random in it.")] = None,
) -> None:
    """Look at the screen, and send a region's signal over LSL, as a real-time fMRI pipeline would.

    It knows nothing of the session: it watches the photodiode patch and the picture's pixels on the X
    display, runs them through MobileNetV2, and sends the blood's slow answer with noise, a sample a volume.
    What is not given keeps its default.

    For example:
    ```
    closedloop simulate region
    closedloop simulate region --tr 0.2 --speed 10 --delay 0.1 --delay-jitter 0.05
    ```
    """
    given = {key: value for key, value in locals().items() if value is not None}
    quiet_lsl()
    options = _options(given)
    from hardware.region.running import run

    received: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda which, _frame: received.append(which))
    run(options, lambda: bool(received))


def _options(given: dict[str, Any]) -> Any:
    """Turn what was typed into the region's options; a value that can't be is a wrong command line."""
    from dataclasses import fields

    from hardware.region import RegionOptions, SignalOptions
    from hardware.subject.options import SubjectOptions

    try:
        for key, count in (("patch_px", 2), ("picture_px", 4)):
            if key in given:
                given[key] = tuple(int(number) for number in _numbers(given[key], count))
        for key in ("window", "baseline"):
            if key in given:
                given[key] = _numbers(given[key], 2)
        if "regions" in given:
            given["regions"] = tuple(tuple(int(n) for n in _numbers(text)) for text in given["regions"])
        parts: dict[str, Any] = {}
        for part, model in (("signal", SignalOptions), ("subject", SubjectOptions)):
            keys = {item.name for item in fields(model)} & given.keys()
            if part == "subject":
                keys -= {item.name for item in fields(RegionOptions)}
            parts[part] = model(**{key: given.pop(key) for key in keys})
        return RegionOptions(**parts, **given)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _numbers(text: str, count: int | None = None) -> tuple[float, ...]:
    numbers = tuple(float(word) for word in text.split(","))
    if count is not None and len(numbers) != count:
        raise ValueError(f"{text!r}: {count} numbers with commas between are needed")
    return numbers
