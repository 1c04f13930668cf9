"""One run of the program on a scan session, on an opened rig: its file is opened, and closed in any case."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from closedloop.loop.history import RESUMED
from closedloop.ports import Clock, DisplayReport, MarkerSink, Stage
from closedloop.protocol.load import LoadedScan
from closedloop.scan.conductor import ScanOutcome, ScanSession
from closedloop.scan.director import ScanDirector
from closedloop.scan.images import ScanImages
from closedloop.scan.past import ScanPast, close_cut_off
from closedloop.scan.ports import TriggerInfo, TriggerSource
from closedloop.scan.records import RunPlan
from closedloop.scan.run import Console
from closedloop.scan.screen import ScanScreen
from closedloop.scan.status import ScanOperator
from closedloop.scan.stimuli import StimulusSet
from closedloop.scan.window_buttons import WindowButtons
from closedloop.session import SessionStore
from closedloop.session.lock import SessionLock
from closedloop.session.scan_store import ScanStore
from experiments.environment import environment
from experiments.folder import PROTOCOL_FILE, write_whole
from experiments.session import closed_in_any_case, meta_of
from hardware.check import Finding

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OpenedScanRig:
    """Devices that are open, and what they said of themselves.

    Attributes:
        clock, stage, trigger, markers: the devices.
        display: what the stage measured.
        trigger_info: what the trigger said of itself.
        armed: starts the simulated scanner for a run, if there is one.
        disarmed: stops it.
        close: closes everything; safe to call twice.
        markers_lost: returns how many markers could not be sent.
    """

    clock: Clock
    stage: Stage
    trigger: TriggerSource
    markers: MarkerSink
    display: DisplayReport
    trigger_info: TriggerInfo
    armed: Callable[[RunPlan, int], None] = lambda _plan, _scan: None
    disarmed: Callable[[], None] = lambda: None
    close: Callable[[], None] = lambda: None
    markers_lost: Callable[[], int] = lambda: 0


@dataclass(frozen=True, eq=False)
class ScanWork:
    """What a scan session is to show, ready.

    Attributes:
        loaded: the protocol.
        stimuli: its images.
        plans: its runs.
    """

    loaded: LoadedScan
    stimuli: StimulusSet
    plans: Sequence[RunPlan]


@dataclass(frozen=True, eq=False)
class GoingOn:
    """How a run of the program goes on with a scan session that has a file already.

    Attributes:
        session_id: of the session.
        past: the session so far.
        amended: facts to add to the file.
        changes: what differs from before, in words.
        accepted: differences that make it another experiment were accepted by the person.
    """

    session_id: str
    past: ScanPast
    amended: Mapping[str, str]
    changes: Sequence[str]
    accepted: bool = False

    @property
    def begins_with(self) -> tuple[str, Mapping[str, Any]]:
        """Kind and detail of the event that the run of the program begins with."""
        detail: dict[str, Any] = {"changes": list(self.changes), "accepted": self.accepted}
        if self.past.repeat:
            detail["repeat"] = self.past.in_order(self.past.repeat)
        if self.past.taken_back:
            detail["repeat_taken_back"] = self.past.in_order(self.past.taken_back)
        return RESUMED, {**detail, "past": self.past.words}


def run_scan_session(
    folder: Path,
    work: ScanWork,
    opened: OpenedScanRig,
    operator: ScanOperator,
    findings: Sequence[Finding] = (),
    *,
    going_on: GoingOn | None = None,
    lock: SessionLock | None = None,
) -> ScanOutcome:
    """Make the runs that are not completed, to the end of the session.

    Args:
        folder: the session's folder; new and empty, or with the session to go on with.
        work: what is to be shown.
        opened: devices, ready.
        operator: the person at the console.
        findings: what was measured of the machine before; recorded with the run.
        going_on: the session so far; None: it begins now.
        lock: of the folder, if the caller holds it already.

    Raises:
        ClosedLoopError: what went wrong; the run is closed with the status ``failed``.
    """
    loaded, clock = work.loaded, opened.clock
    checked = {finding.name: f"{finding.text} ({finding.verdict.value})" for finding in findings}
    ground = {**environment(), "check": checked}
    if going_on is None:
        write_whole(folder / PROTOCOL_FILE, loaded.as_used())
        meta = meta_of(folder.name, loaded)
        store = SessionStore.create(folder, meta=meta, environment=ground, started_s=clock.now(), lock=lock)
    else:
        store = SessionStore.reopen(
            folder,
            meta=going_on.amended,
            environment=ground,
            started_s=clock.now(),
            begins_with=going_on.begins_with,
            lock=lock,
        )
    past = going_on.past if going_on else ScanPast()
    images = ScanImages(work.stimuli, work.plans)
    with closed_in_any_case(store, clock):
        scans = ScanStore(store)
        with store.transaction():
            store.set_display(asdict(opened.display))
            close_cut_off(past, scans)
            if not past.begun:
                spec = loaded.protocol.stimuli.model_dump(mode="json")
                store.add_thread(0, "scan", spec, {"name": "scan", **work.stimuli.provenance})
            images.record(store, past.images)
            if loaded.protocol.scanner.simulate is not None:
                store.add_event("simulated_scanner", clock.now(), words="the scanner is SIMULATED")
        session_id = going_on.session_id if going_on else folder.name
        outcome = _session(work, opened, operator, store, scans, images, session_id, past).run()
        store.close(ended_s=clock.now(), exit_status=outcome.exit_status, reason=outcome.reason)
        log.info("session %s: %s", outcome.exit_status, outcome.reason)
    return outcome


def _session(
    work: ScanWork,
    opened: OpenedScanRig,
    operator: ScanOperator,
    store: SessionStore,
    scans: ScanStore,
    images: ScanImages,
    session_id: str,
    past: ScanPast,
) -> ScanSession:
    protocol, clock = work.loaded.protocol, opened.clock
    trigger = protocol.scanner.trigger
    keys = frozenset(protocol.task.keys if protocol.task else ()) | (
        {trigger.key} if trigger.path == "keyboard" else set()
    )
    buttons = WindowButtons(opened.trigger, opened.trigger_info, opened.display.period_s)
    director = ScanDirector(operator, store, clock, keys, buttons.press)
    screen = ScanScreen(
        opened.stage,
        opened.markers,
        store,
        scans,
        clock,
        opened.display.period_s,
        session_id,
        images.pixels,
        protocol.stimuli.position_deg,
        work.stimuli.size_deg(protocol.stimuli.size_deg),
        director.window_key,
    )
    info = opened.trigger_info
    if protocol.scanner.simulate is not None:
        info = replace(info, details={**info.details, "simulated": True})
    console = Console(
        protocol=protocol,
        clock=clock,
        trigger=buttons,
        trigger_info=info,
        screen=screen,
        director=director,
        store=store,
        scans=scans,
        images=images.numbers,
        period_s=opened.display.period_s,
        show=operator.show,
        armed=opened.armed,
        disarmed=opened.disarmed,
    )
    return ScanSession(console, work.plans, past)
