"""What the BIDS validator says of a dataset; the test is skipped where it is not installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def bids_errors(dataset: Path) -> list[str]:
    """Return code and place of each error that bids-validator-deno finds."""
    validator = Path(sys.executable).parent / "bids-validator-deno"
    if not validator.exists():
        pytest.skip("bids-validator-deno is not installed")
    done = subprocess.run(
        [str(validator), "--json", str(dataset)], capture_output=True, text=True, check=False
    )
    issues = json.loads(done.stdout)["issues"]["issues"]
    return [f"{one['code']} {one.get('location')}" for one in issues if one.get("severity") == "error"]
