"""``closedloop simulate``: stand-ins for the rig's devices, to try a rig with."""

from __future__ import annotations

import signal
from dataclasses import fields
from typing import Annotated, Any

import typer

from experiments.commands.simulate_region import region
from experiments.commands.simulate_scanner import scanner
from experiments.lsl_quiet import quiet_lsl

simulate = typer.Typer(
    name="simulate", help="Run a simulated device alone, to try a rig.", no_args_is_help=True
)

_FAULT_HELP = (
    "A fault at a time: 'KIND [SECONDS [UNIT]] @AT', AT in seconds after the start, for example "
    "'hang 2 @30'. Kinds: drop, restart, hang, gap, nan, fixbreak, dead, quit. May be given several times."
)


@simulate.command()
def subject(
    kind: Annotated[str | None, typer.Option(help="Response stream: spikes, rates, counts, trials.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the response stream.")] = None,
    source_id: Annotated[str | None, typer.Option(help="Its source id, which a protocol pins.")] = None,
    rate_hz: Annotated[float | None, typer.Option(help="Nominal rate of rates and counts.")] = None,
    display: Annotated[str | None, typer.Option(help="X display to look at; default: DISPLAY.")] = None,
    wait_display_s: Annotated[
        float | None,
        typer.Option(
            "--wait-display", metavar="SECONDS", help="How long to wait for an X server; default: 5."
        ),
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
    poll_hz: Annotated[float | None, typer.Option(help="How often the patch is looked at.")] = None,
    weights: Annotated[str | None, typer.Option(help="Model id or path of MobileNetV2's weights.")] = None,
    weights_sha256: Annotated[str | None, typer.Option(help="Of the file, if a path is given.")] = None,
    layer: Annotated[
        str | None, typer.Option(help="Layer that units are read from: features.0 to .18.")
    ] = None,
    channels: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Channel of the layer for each unit.")
    ] = None,
    readout: Annotated[str | None, typer.Option(help="mean over the picture, or centre.")] = None,
    input_px: Annotated[int | None, typer.Option(help="Side at which the network sees the picture.")] = None,
    baseline_hz: Annotated[float | None, typer.Option(help="Rate while nothing is seen.")] = None,
    latency_s: Annotated[float | None, typer.Option(help="From the screen to the answer.")] = None,
    drift_per_hour: Annotated[
        float | None, typer.Option(help="What answers are multiplied by in an hour.")
    ] = None,
    wander: Annotated[
        float | None, typer.Option(help="Slow common fluctuation of the gain, log units.")
    ] = None,
    noise: Annotated[
        float | None, typer.Option(help="Fluctuation from picture to picture, log units.")
    ] = None,
    fixation: Annotated[bool | None, typer.Option("--fixation", help="Send a fixation stream, too.")] = None,
    fixation_breaks_per_min: Annotated[float | None, typer.Option(help="How often it looks away.")] = None,
    faults: Annotated[list[str] | None, typer.Option("--fault", metavar="FAULT", help=_FAULT_HELP)] = None,
    commands: Annotated[
        bool | None, typer.Option("--commands", help="Hear faults on standard input, one a line.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="End after this long; default: at Ctrl-C.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of all that is random in it.")] = None,
) -> None:
    """Look at the screen, and send a neuron's answer over LSL, as a recording system would.

    It knows nothing of the session: it watches the photodiode patch and the picture's pixels on the X
    display, runs them through MobileNetV2, and sends Poisson spikes. What is not given keeps its default.

    For example:
    ```
    closedloop simulate subject
    closedloop simulate subject --kind rates --source-id my-rig --fault 'gap 1 @20'
    ```
    """
    given = {key: value for key, value in locals().items() if value is not None}
    quiet_lsl()
    options = _options(given)
    from hardware.subject.running import run

    received: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda which, _frame: received.append(which))
    run(options, lambda: bool(received))


def _options(given: dict[str, Any]) -> Any:
    """Turn what was typed into the subject's options; a value that can't be is a wrong command line."""
    from hardware.subject.faults import parse_fault
    from hardware.subject.firing import FiringOptions
    from hardware.subject.options import SubjectOptions

    try:
        for key, count in (("patch_px", 2), ("picture_px", 4), ("channels", None)):
            if key in given:
                given[key] = _numbers(given[key], count)
        given["faults"] = tuple(parse_fault(text) for text in given.get("faults", ()))
        firing = {item.name for item in fields(FiringOptions)} & given.keys()
        given["firing"] = FiringOptions(**{name: given.pop(name) for name in firing})
        return SubjectOptions(**given)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _numbers(text: str, count: int | None) -> tuple[int, ...]:
    numbers = tuple(int(word) for word in text.split(","))
    if count is not None and len(numbers) != count:
        raise ValueError(f"{text!r}: {count} whole numbers with commas between are needed")
    return numbers


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    simulate.command()(scanner)
    simulate.command()(region)
    app.add_typer(simulate)
