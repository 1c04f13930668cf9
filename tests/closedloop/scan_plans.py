"""Scan protocols made up for tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from closedloop.protocol.scan import ScanProtocol
from closedloop.scan.design import draw_runs
from closedloop.scan.records import PlannedEvent, RunPlan

EVENT_RELATED = {"kind": "event_related", "image_s": 1, "isi": {"draw": "fixed", "mean": 2}}


def scan_protocol(design: dict[str, Any] | None = None, **sections: Any) -> ScanProtocol:
    """A protocol with two conditions of codes, a TR of 2 s and plenty of volumes."""
    tree = {
        "kind": "scan",
        "subject": {"id": "s1"},
        "seed": 1,
        "scanner": {"tr_s": 2, "volumes": 500},
        "stimuli": {"conditions": [{"name": "a", "codes": 4}, {"name": "b", "codes": 4}]},
        "design": design or EVENT_RELATED,
        **sections,
    }
    return ScanProtocol.model_validate_json(json.dumps(tree), strict=True)


def names_of(protocol: ScanProtocol) -> dict[str, list[str]]:
    """Names for the images of each condition, without making any."""
    return {
        condition.name: [f"{condition.name}/{number}" for number in range(condition.codes)]
        for condition in protocol.stimuli.conditions
    }


def plans(protocol: ScanProtocol) -> list[RunPlan]:
    """The runs of a protocol, without their efficiency, which takes nilearn seconds to load for."""
    return draw_runs(protocol, names_of(protocol), measured=False)


def plan(design: dict[str, Any] | None = None, **sections: Any) -> RunPlan:
    """The first run of a protocol that is made up of these sections."""
    return plans(scan_protocol(design, **sections))[0]


def images(events: Sequence[PlannedEvent]) -> list[PlannedEvent]:
    """The events that show an image."""
    return [event for event in events if event.kind == "image"]
