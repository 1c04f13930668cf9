"""NWB files and BIDS datasets that the formats' own validators accept, of whole and of crashed sessions."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from bids_validation import bids_errors

from closedloop.errors import SessionError
from closedloop.exports import export_bids, export_nwb
from closedloop.session import SessionReader

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "schema-1"
SESSIONS = ("rates", "spikes", "crashed")


@pytest.mark.parametrize("name", SESSIONS)
def test_the_nwb_file_has_no_critical_finding(name: str, tmp_path: Path) -> None:
    pytest.importorskip("pynwb")
    nwbinspector = pytest.importorskip("nwbinspector")
    import pynwb

    path = export_nwb(GOLDEN / name, tmp_path)
    with pynwb.NWBHDF5IO(str(path), "r") as file:
        assert not [str(error) for error in pynwb.validate(io=file)]
    findings = list(nwbinspector.inspect_nwbfile(nwbfile_path=str(path)))
    worst = [
        f"{one.check_function_name}: {one.message}"
        for one in findings
        if one.importance.name in ("CRITICAL", "ERROR", "PYNWB_VALIDATION")
    ]
    assert worst == []


@pytest.mark.parametrize("name", SESSIONS)
def test_the_nwb_file_holds_what_the_session_holds(name: str, tmp_path: Path) -> None:
    pynwb = pytest.importorskip("pynwb")

    path = export_nwb(GOLDEN / name, tmp_path)
    with SessionReader(GOLDEN / name) as reader, pynwb.NWBHDF5IO(str(path), "r") as io:
        file = io.read()
        start_s = float(reader.table("runs")["started_s"].iloc[0])
        trials = reader.table("trials").sort_values("onset_s")
        trials = trials[trials["onset_s"].notna()]
        table = file.trials.to_dataframe()
        assert table["trial"].tolist() == trials["trial"].tolist()
        assert table["start_time"].to_numpy() == pytest.approx(trials["onset_s"].to_numpy() - start_s)
        for row in table[table["valid"]].itertuples():
            assert np.asarray(row.rates).tolist() == reader.rates(row.trial).tolist()
        shown = file.stimulus["stimulus_presentation"]
        pictures = list(file.stimulus_template["images"].order_of_images)
        first = reader.pixels(int(trials["image"].iloc[0]))
        assert np.array_equal(pictures[int(shown.data[0])][:], first)
        codes = file.processing["evolution"]["codes_48"].to_dataframe()
        assert np.array_equal(codes["code"].iloc[3], reader.code(int(codes["image"].iloc[3])))
        assert file.subject.subject_id == "tester"
        samples = reader.samples("response")
        if name == "spikes":
            spikes = [file.units["spike_times"][unit] for unit in range(len(file.units))]
            for unit, times in enumerate(spikes):
                mine = np.sort(samples.times_s[samples.values[:, 0] == unit]) - start_s
                assert np.asarray(times) == pytest.approx(mine)
            assert sum(map(len, spikes)) > 100
        else:
            assert np.array_equal(file.acquisition["responses"].data[:], samples.values)
            assert len(file.electrodes) == samples.values.shape[1]
        markers = file.events["markers"].to_dataframe()
        assert len(markers) == len(reader.table("markers"))
        assert (markers["event"] == "stimulus_on").sum() == len(trials)


def test_without_pynwb_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynwb", None)
    with pytest.raises(SessionError, match=r"closedloop\[nwb\]"):
        export_nwb(GOLDEN / "rates", tmp_path)


@pytest.mark.parametrize("name", SESSIONS)
def test_the_bids_dataset_is_valid(name: str, tmp_path: Path) -> None:
    written = export_bids(GOLDEN / name, tmp_path / "bids")
    assert all(path.is_file() for path in written)
    assert bids_errors(tmp_path / "bids") == []


def test_every_stimulus_file_that_the_events_name_is_there(tmp_path: Path) -> None:
    export_bids(GOLDEN / "rates", tmp_path)
    (table,) = tmp_path.glob("sub-*/ses-*/beh/*_events.tsv")
    lines = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()]
    named = {line[lines[0].index("stim_file")] for line in lines[1:]}
    assert len(named) > 10
    assert all((tmp_path / "stimuli" / name).is_file() for name in named)
