"""A run that was cut off is summed up by the protocol that held in it, whatever the session goes on with."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from simulated_scan import prepare_scan, resume_simulated

from closedloop.loop.commands import Command
from closedloop.report.scan_course import courses
from closedloop.scan.past import CUT_OFF
from closedloop.scan.recorded import read_scans, scan_protocol_of
from closedloop.session import SessionReader
from experiments.environment import environment


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")
def test_a_run_that_was_cut_off_before_the_scanner_was_changed(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    environment()  # so that its imports are there before the fork
    child = os.fork()
    if not child:
        session = prepare_scan(
            folder, "runs.count=1", "task=null", "scanner.tr_s=2", "scanner.volumes=20", "scanner.dummies=2"
        )

        def killed_later() -> Sequence[Command]:
            if session.clock.now() > 1015.0:  # 8 pulses have come, the first at 1000.5 s
                os.kill(os.getpid(), signal.SIGKILL)
            return ()

        session.operator.script = killed_later
        session.run()
        os._exit(0)
    os.waitpid(child, 0)
    resumed = resume_simulated(
        folder, "scanner.dummies=0", "scanner.tr_s=2.017", "scanner.volumes=18", accept_changes=True
    )
    assert resumed.run().exit_status == "completed"
    with SessionReader(folder) as reader:
        protocol = scan_protocol_of(reader)
        cut, again = read_scans(reader, protocol)
        course, _ = courses([cut, again], protocol)
    assert (cut.status, cut.reason) == ("failed", CUT_OFF)
    assert cut.ledger["tr_nominal_s"] == 2.0
    assert (cut.ledger["stored_volumes_expected"], cut.ledger["stored_volumes_seen"]) == (20, 6)
    assert cut.ledger["start_s"] == cut.start_s
    assert cut.ledger["start_by_fit_s"] == pytest.approx(cut.start_s, abs=1e-6)
    assert np.abs(course.residuals_ms).max() < 0.001
    assert (again.ledger["tr_nominal_s"], again.ledger["stored_volumes_seen"]) == (2.017, 18)
