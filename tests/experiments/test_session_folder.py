"""A session folder is always a new one, and what can't be made is said before anything is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from closedloop.errors import DiskError, SessionExistsError
from experiments.folder import make_session_folder, require_writable


def test_a_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    folder = make_session_folder(tmp_path / "a" / "b", "one")
    assert folder == tmp_path / "a" / "b" / "one"
    assert not any(folder.iterdir())


def test_an_existing_session_folder_is_not_touched(tmp_path: Path) -> None:
    old = tmp_path / "one"
    old.mkdir()
    (old / "note.txt").write_text("of another day", encoding="utf-8")
    with pytest.raises(SessionExistsError) as refused:
        make_session_folder(tmp_path, "one")
    assert refused.value.exit_code == 7
    assert refused.value.remedy
    assert [path.name for path in old.iterdir()] == ["note.txt"]


def test_a_folder_that_cant_be_made_is_refused_before_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(DiskError):
        require_writable(tmp_path / "file" / "sessions")
    with pytest.raises(DiskError):
        make_session_folder(tmp_path / "file" / "sessions", "one")
    require_writable(tmp_path / "new" / "sessions")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
