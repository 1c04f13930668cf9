"""What tests that go on with a session share: one that was aborted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cut_session import abort


@pytest.fixture(scope="session")
def aborted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session that was aborted in its second generation; no test changes it."""
    return abort(tmp_path_factory.mktemp("aborted") / "one")


@pytest.fixture
def folder(aborted: Path, tmp_path: Path) -> Path:
    """A copy of the aborted session, to go on with."""
    return Path(shutil.copytree(aborted, tmp_path / "one"))
