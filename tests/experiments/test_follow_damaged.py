from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from salvaged_session import lose

from closedloop.errors import SessionDamagedError
from experiments.replay_follow import follow_session

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "schema-2" / "rates"


def test_what_is_odd_in_a_damaged_recording_is_one_clear_error(tmp_path: Path) -> None:
    session = Path(shutil.copytree(GOLDEN, tmp_path / "s"))
    lose(session, "UPDATE streams SET info = json_set(info, '$.channels', 'x')", "DELETE FROM runs")
    with pytest.raises(SessionDamagedError, match="salvage"):
        follow_session(session)
