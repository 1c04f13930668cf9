"""A one-back task is given only designs in which nothing but the task repeats an image."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulated_scan import load

from closedloop.errors import ProtocolError
from experiments.scanner import make_work

BLOCKS = "design={kind: block, block: 2, rest: 1, image_s: 0.3, gap_s: 0.1, blocks: 2, images_per_condition: COUNT}"


@pytest.mark.parametrize(
    ("override", "key"),
    [("design.image_twice=true", "design.image_twice"), (BLOCKS.replace("COUNT", "1"), "task.kind")],
)
def test_a_design_that_repeats_images_itself_is_refused(tmp_path: Path, override: str, key: str) -> None:
    loaded = load(tmp_path / "one", override)
    with pytest.raises(ProtocolError) as caught:
        make_work(loaded)
    assert caught.value.where == key
    assert "one_back" in caught.value.found
    # a session that began with it before this was asked for goes on
    assert make_work(loaded, begun=True).plans
    # without the task such repeats are the person's wish
    assert make_work(load(tmp_path / "one", override, "task=null")).plans


@pytest.mark.parametrize(
    "override", ["runs.count=1", BLOCKS.replace("COUNT", "2"), BLOCKS.replace("COUNT", "4")]
)
def test_a_design_that_leaves_repeats_to_the_task_is_taken(tmp_path: Path, override: str) -> None:
    assert make_work(load(tmp_path / "one", override)).plans
