"""``closedloop streams``: what is there is shown, and nothing is said to be nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

pytestmark = pytest.mark.lsl
ROOT = Path(__file__).resolve().parents[2]

_SENDER = """
import sys, time, pylsl
outlet = pylsl.StreamOutlet(pylsl.StreamInfo("shown-rates", "ephys", 3, 100, pylsl.cf_float32, sys.argv[1]))
print("up", flush=True)
while True:
    outlet.push_sample([1.0, 2.0, 3.0])
    time.sleep(0.01)
"""


def _config(folder: Path, session: str) -> dict[str, str]:
    file = folder / "lsl_api.cfg"
    file.write_text(
        f"[lab]\nSessionID = {session}\n[multicast]\nResolveScope = machine\n[log]\nlevel = -1\n",
        encoding="utf-8",
    )
    return os.environ | {"LSLAPICFG": str(file), "COLUMNS": "200"}


def _streams(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "experiments.cli", "streams", "--wait", "1", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=env,
    )


def test_no_stream_is_said_with_what_to_look_at_and_ends_with_5(tmp_path: Path) -> None:
    done = _streams(_config(tmp_path, f"empty-{uuid.uuid4().hex}"))
    assert done.returncode == 5
    assert "no stream within 1 s" in done.stderr
    assert "LSLAPICFG" in done.stderr


def test_a_stream_is_shown_with_kind_rate_channels_offset_and_age(tmp_path: Path) -> None:
    env = _config(tmp_path, f"shown-{uuid.uuid4().hex}")
    with subprocess.Popen(
        [sys.executable, "-c", _SENDER, "the-source"], stdout=subprocess.PIPE, text=True, env=env
    ) as sender:
        assert sender.stdout is not None
        assert sender.stdout.readline() == "up\n"
        done = _streams(env)
        sender.terminate()
    assert done.returncode == 0, done.stderr
    (row,) = [line for line in done.stdout.splitlines() if "shown-rates" in line]
    for part in ("ephys", "rates", "100 Hz", "3 float32", "the-source", "±", "ms"):
        assert part in row
    assert "no sample" not in row
