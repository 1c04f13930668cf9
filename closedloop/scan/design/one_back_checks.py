"""Whether the designs of a one-back task repeat images only where the task does."""

from __future__ import annotations

from collections.abc import Sequence

from closedloop.errors import ProtocolError
from closedloop.protocol.scan import ScanProtocol
from closedloop.protocol.sections.scan_design import EventRelated
from closedloop.protocol.sections.scan_task import OneBack
from closedloop.scan.records import RunPlan


def check_one_back(protocol: ScanProtocol, plans: Sequence[RunPlan]) -> None:
    """Refuse a design that repeats images on its own beside a one-back task.

    Not a check of the protocol alone: a session that was recorded with such a design is still to be read.

    Args:
        protocol: with any task; only a one-back task is looked at.
        plans: of its runs.

    Raises:
        ProtocolError: images may follow themselves by chance, or a block has one image only.
    """
    if not isinstance(protocol.task, OneBack):
        return
    if isinstance(protocol.design, EventRelated) and protocol.design.image_twice:
        raise ProtocolError(
            "design.image_twice",
            found="true, while the task is one_back",
            expected="false: an image that repeats by chance would ask for a press, or come three times in a row",
            remedy="Leave it out. How many images repeat is task.share.",
        )
    for plan in plans:
        blocks: dict[int, list[str | None]] = {}
        for event in plan.events:
            if event.kind == "image" and "block" in event.fields:
                blocks.setdefault(int(event.fields["block"]), []).append(event.stimulus)
        for block, images in blocks.items():
            if len(images) > 1 and len(set(images)) == 1:
                raise ProtocolError(
                    "task.kind",
                    found=f"one_back, while block {block} of run {plan.label} shows '{images[0]}' {len(images)} times",
                    expected="more than one image of each condition, so that only the task's repeats are repeats",
                    remedy="Show more images of the condition, or choose another task.",
                )
