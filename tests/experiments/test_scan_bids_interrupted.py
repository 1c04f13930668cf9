"""An image that was on the screen when the program ended, as the events of its run have it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from simulated_scan import SHORT, prepare_scan

from closedloop.exports import export_bids
from closedloop.loop.commands import Command
from closedloop.session import SessionReader


def test_it_is_not_valid_for_it_was_cut_off(tmp_path: Path) -> None:
    session = prepare_scan(tmp_path / "one", *SHORT, "runs.count=1")

    def breaks_while_one_is_on() -> Sequence[Command]:
        if session.clock.now() > 1001.4:
            raise RuntimeError("the console is gone")
        return ()

    session.operator.script = breaks_while_one_is_on
    with pytest.raises(RuntimeError):
        session.run()
    with SessionReader(session.folder) as reader:
        assert "interrupted" in set(reader.table("trials")["status"])
    export_bids(session.folder)
    (path,) = (session.folder / "bids").rglob("*_events.tsv")
    events = pd.read_csv(path, sep="\t", na_values="n/a", keep_default_na=False)
    last = events.iloc[-1]
    assert (last["valid"], last["reason"]) == (False, "cut-off")
    assert pd.isna(last["duration"])
    assert events["reason"][:-1].isna().all()
    about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert "cut-off" in about["reason"]["Description"]
