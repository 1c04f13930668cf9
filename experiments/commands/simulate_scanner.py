"""``closedloop simulate scanner``: pulses of a scanner, right or with faults."""

from __future__ import annotations

import signal
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.lsl_quiet import quiet_lsl

if TYPE_CHECKING:
    from hardware.scanner.options import ScannerOptions

_NUMBERS = "A,B,..."
_OF_PATH = {
    "keyboard": ("key", "hold_s", "display"),
    "serial": ("byte", "link"),
    "lsl": ("stream", "source_id", "marker", "numbered_from", "numeric", "wait_listener_s"),
}


def scanner(
    protocol: Annotated[
        Path | None,
        typer.Option(
            metavar="PROTOCOL", help="Be the scanner that this protocol waits for; other options count more."
        ),
    ] = None,
    path: Annotated[
        str | None, typer.Option(help="Where pulses go out: keyboard (default), serial, lsl.")
    ] = None,
    tr_s: Annotated[float | None, typer.Option("--tr", metavar="SECONDS", help="Default: 2.")] = None,
    volumes: Annotated[int | None, typer.Option(help="Stored volumes of a run; default: 300.")] = None,
    dummies: Annotated[int | None, typer.Option(help="Volumes before them, with pulses, too.")] = None,
    slices: Annotated[int | None, typer.Option(help="Pulses in a volume.")] = None,
    acquisition_s: Annotated[
        float | None, typer.Option("--acquisition", metavar="SECONDS", help="Sparse: of each TR.")
    ] = None,
    jitter_ms: Annotated[float | None, typer.Option(help="Largest jitter of a pulse.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of all that is random in it.")] = None,
    start_after_s: Annotated[
        float | None, typer.Option("--start-after", metavar="SECONDS", help="To the first pulse; default: 1.")
    ] = None,
    wait_for_line: Annotated[
        bool | None, typer.Option("--wait-for-line", help="Each run begins with a line on standard input.")
    ] = None,
    runs: Annotated[int | None, typer.Option(help="How many runs.")] = None,
    between_s: Annotated[
        float | None, typer.Option("--between", metavar="SECONDS", help="From run to run; default: 5.")
    ] = None,
    wait_listener_s: Annotated[
        float | None,
        typer.Option("--wait-listener", metavar="SECONDS", help="lsl: begin no sooner than one listens."),
    ] = None,
    key: Annotated[str | None, typer.Option(help="keyboard: the trigger's key; default: 5.")] = None,
    hold_ms: Annotated[float | None, typer.Option(help="keyboard: how long it is down; default: 10.")] = None,
    display: Annotated[str | None, typer.Option(help="keyboard: X display; default: DISPLAY.")] = None,
    byte: Annotated[int | None, typer.Option(help="serial: what is written; default: 53, a '5'.")] = None,
    link: Annotated[Path | None, typer.Option(help="serial: symbolic link to the device.")] = None,
    stream: Annotated[str | None, typer.Option(help="lsl: name of the stream.")] = None,
    source_id: Annotated[str | None, typer.Option(help="lsl: its source id, which a protocol pins.")] = None,
    marker: Annotated[str | None, typer.Option(help="lsl: what a pulse is; default: volume.")] = None,
    numbered_from: Annotated[
        int | None, typer.Option(help="lsl: markers end in a number; the first one's.")
    ] = None,
    numeric: Annotated[bool | None, typer.Option("--numeric", help="lsl: markers are numbers.")] = None,
    press: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY@SECONDS", help="A press of the subject's, after the first pulse."),
    ] = None,
    presses_per_min: Annotated[float | None, typer.Option(help="Presses at random times.")] = None,
    press_keys: Annotated[str | None, typer.Option(metavar="K,L,...", help="Their keys; 1,2.")] = None,
    drop_first: Annotated[
        int | None, typer.Option(help="Fault: so many pulses at the start don't come.")
    ] = None,
    drop: Annotated[str | None, typer.Option(metavar=_NUMBERS, help="Fault: pulses that don't come.")] = None,
    drop_share: Annotated[float | None, typer.Option(help="Fault: share of pulses that don't come.")] = None,
    double: Annotated[
        str | None, typer.Option(metavar=_NUMBERS, help="Fault: pulses that come twice.")
    ] = None,
    double_share: Annotated[
        float | None, typer.Option(help="Fault: share of pulses that come twice.")
    ] = None,
    double_after_ms: Annotated[float | None, typer.Option(help="How soon the second comes; 20.")] = None,
    extra: Annotated[
        str | None, typer.Option(metavar=_NUMBERS, help="Fault: pulses from nowhere, seconds.")
    ] = None,
    human: Annotated[
        str | None, typer.Option(metavar=_NUMBERS, help="Fault: a person at the trigger's key, seconds.")
    ] = None,
    tr_error: Annotated[float | None, typer.Option(help="Fault: relative error of the TR: 0.0085.")] = None,
    drift: Annotated[
        float | None, typer.Option(help="Fault: relative change of the TR over the run.")
    ] = None,
    stop_after: Annotated[int | None, typer.Option(help="Fault: it stops after so many volumes.")] = None,
    out: Annotated[Path | None, typer.Option(help="File for what was sent when: .csv or .npz.")] = None,
) -> None:
    """Send the pulses of a scanner, and write down when each was really sent.

    Pulses go to the keyboard of an X display (through its test extension), to a serial port that is a
    pseudo-terminal, or into an LSL stream. Faults can be asked for; pulses are counted from 0 at the first one,
    and seconds from when it is due. What is not given keeps its default.

    For example:
    ```
    closedloop simulate scanner --volumes 150 --jitter-ms 2
    closedloop simulate scanner --protocol protocols/scanner_block.yaml --wait-for-line
    closedloop simulate scanner --path serial --link /tmp/scanner --drop 20 --out sent.csv
    ```
    """
    given = {name: value for name, value in locals().items() if value is not None}
    quiet_lsl()
    options = _options(given)
    from hardware.scanner.running import run

    received: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda which, _frame: received.append(which))
    run(options, lambda: bool(received))


def _options(given: dict[str, Any]) -> ScannerOptions:
    """Turn what was typed into the scanner's options; a value that can't be is a wrong command line."""
    from closedloop.scan.simulation import ScannerFaults
    from hardware.scanner.options import ScannerOptions

    try:
        for name in ("jitter_ms", "hold_ms", "double_after_ms"):
            if name in given:
                given[f"{name[:-3]}_s"] = given.pop(name) / 1000
        for name in ("drop", "double"):
            if name in given:
                given[name] = tuple(int(word) for word in given[name].split(","))
        for name in ("extra", "human"):
            if name in given:
                given[f"{name}_s"] = tuple(float(word) for word in given.pop(name).split(","))
        if "press_keys" in given:
            given["press_keys"] = tuple(given["press_keys"].split(","))
        if "press" in given:
            given["presses"] = tuple(_press(text) for text in given.pop("press"))
        if given.get("path", "keyboard") not in ("keyboard", "serial", "lsl"):
            raise ValueError(f"path {given['path']!r}: keyboard, serial or lsl")
        typed = frozenset(given)
        if "protocol" in given:
            expected = _expected(given.pop("protocol"))
            if "volumes" in given:
                expected.pop("volumes_of_runs")
            given = expected | given
        _check_path(typed, given.get("path", "keyboard"))
        faults = {item.name for item in fields(ScannerFaults)} & given.keys()
        given["faults"] = ScannerFaults(**{name: given.pop(name) for name in faults})
        options = ScannerOptions(**given)
        _check_counts(options)
        return options
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _check_path(typed: frozenset[str], path: str) -> None:
    """Refuse options of another path than that which pulses go by."""
    for other, names in _OF_PATH.items():
        for name in names:
            if other != path and name in typed:
                option = {"hold_s": "hold-ms", "wait_listener_s": "wait-listener"}.get(name, name)
                raise ValueError(
                    f"--{option.replace('_', '-')} is for --path {other}, and pulses go by {path}"
                )


def _check_counts(options: ScannerOptions) -> None:
    """Refuse faults of pulses that no run has."""
    if options.faults.stop_after == 0:
        raise ValueError("a scanner that stops after 0 volumes sends nothing: 1 or more")
    longest = max(options.volumes, *options.volumes_of_runs, 0)
    pulses = (options.dummies + longest) * options.slices
    for name, numbers in (("drop", options.faults.drop), ("double", options.faults.double)):
        for number in numbers:
            if not 0 <= number < pulses:
                raise ValueError(f"--{name} {number}: pulses are 0 to {pulses - 1}")


def _expected(path: Path) -> dict[str, Any]:
    from closedloop.protocol.load import load_scan
    from closedloop.scan.simulated import faults_of
    from hardware.scanner.from_protocol import expected_by

    protocol = load_scan(path, check_files=False).protocol
    given = expected_by(protocol)
    simulation = protocol.scanner.simulate
    if simulation is not None:
        given |= asdict(faults_of(simulation))
        given |= {"jitter_s": simulation.jitter_ms / 1000, "hold_s": simulation.press_ms / 1000}
    return given


def _press(text: str) -> tuple[float, str]:
    key, at, time = text.rpartition("@")
    if not (key and at):
        raise ValueError(f"press {text!r}: KEY@SECONDS is needed")
    return float(time), key
