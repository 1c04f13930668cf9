"""The options of a simulated scanner that is what a protocol expects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from closedloop.errors import TriggerError
from closedloop.protocol.scan import ScanProtocol
from closedloop.protocol.sections.scan import Trigger


def expected_by(protocol: ScanProtocol) -> dict[str, Any]:
    """Return keyword arguments for ``ScannerOptions``: the sequence, its path, the runs and their volumes.

    Raises:
        TriggerError: the protocol's path can't be had without the device.
    """
    scanner, runs = protocol.scanner, protocol.runs.planned
    of_runs = tuple(run.volumes or scanner.volumes for run in runs)
    return {
        "tr_s": scanner.tr_s,
        "volumes": scanner.volumes,
        "dummies": scanner.dummies,
        "slices": scanner.slices,
        "acquisition_s": scanner.acquisition_s,
        "runs": len(runs),
        "volumes_of_runs": of_runs if len({*of_runs, scanner.volumes}) > 1 else (),
        **_path(scanner.trigger),
    }


def _path(trigger: Trigger) -> dict[str, Any]:
    if trigger.path == "keyboard":
        return {"path": "keyboard", "key": trigger.key}
    if trigger.path == "serial" and trigger.line is None:
        given: dict[str, Any] = {"path": "serial"} | ({} if trigger.byte is None else {"byte": trigger.byte})
        # where it would be a real device no link can be put
        port = str(trigger.port)
        return given if port.startswith(("/dev/", "COM")) else given | {"link": Path(port)}
    if trigger.path == "lsl" and trigger.stream is not None:
        wanted = {
            "stream": trigger.stream.name,
            "stream_type": trigger.stream.type,
            "source_id": trigger.stream.source_id,
            "marker": trigger.marker,
            "numbered_from": trigger.numbered_from,
        }
        return {"path": "lsl", **{name: value for name, value in wanted.items() if value is not None}}
    what = f"line {trigger.line} of a serial port" if trigger.line else "a parallel port"
    raise TriggerError(
        "simulated scanner",
        found=f"a protocol whose trigger is {what}",
        expected="keyboard, serial bytes or lsl, which need no device",
        remedy="Set another path for the trial: --path lsl here, and the same in the protocol "
        "(--set scanner.trigger.path=lsl).",
    )
