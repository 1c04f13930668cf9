"""NWB files of sessions that lost rows, as a salvage leaves them: samples stay, and what is lost is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from salvaged_session import lose, saved
from session_factory import SessionPlan, write_session

from closedloop.errors import SessionDamagedError
from closedloop.exports import export_nwb
from closedloop.exports.nwb_samples import heard_responses
from closedloop.session import SessionReader

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "schema-2"


@pytest.mark.parametrize("kind", ["rates", "spikes"])
def test_samples_without_a_description_are_exported_and_it_is_said(kind: str, tmp_path: Path) -> None:
    pynwb = pytest.importorskip("pynwb")
    session = saved(GOLDEN / kind, tmp_path / "s", "DELETE FROM streams")
    path = export_nwb(session)
    with SessionReader(session) as reader, pynwb.NWBHDF5IO(str(path), "r") as io:
        assert not [str(error) for error in pynwb.validate(io=io)]
        file = io.read()
        values = reader.samples("response").values
        if kind == "rates":
            series = file.acquisition["responses"]
            assert np.array_equal(series.data[:], values)
            assert "description is lost" in series.description
            assert len(file.electrodes) == values.shape[1]
        else:
            assert sum(len(times) for times in file.units["spike_times"]) == (values >= 0).sum() > 0
        assert "description is lost" in file.devices["recording_system"].description


def test_a_run_without_a_description_is_named_beside_those_that_have_one(tmp_path: Path) -> None:
    session = write_session(tmp_path / "s", SessionPlan(generations=2, resumed=True))
    lose(session, "DELETE FROM streams WHERE run = 1")
    with SessionReader(session) as reader:
        (heard,) = heard_responses(reader)
    assert (heard.runs, heard.undescribed) == ((0, 1), (1,))
    assert heard.source == "Synthetic (source id synthetic); of run 1 of the program its description is lost"
    assert heard.unit_names == ["unit 0", "unit 1", "unit 2"]


@pytest.mark.parametrize("run", [0, 1])
def test_a_run_without_its_record_is_a_clear_error(run: int, tmp_path: Path) -> None:
    pytest.importorskip("pynwb")
    session = write_session(tmp_path / "s", SessionPlan(generations=2, resumed=True))
    lose(session, f"DELETE FROM runs WHERE run = {run:d}")  # noqa: S608 - a number of this file's
    with pytest.raises(SessionDamagedError, match=f"no run {run}.*salvage"):
        export_nwb(session)
