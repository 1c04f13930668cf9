"""Whether tables of events show anything, and have the conditions that their protocol names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from closedloop.errors import ProtocolError
from closedloop.protocol.problems import did_you_mean, one_of
from closedloop.protocol.scan import ScanProtocol
from closedloop.protocol.sections.scan_design import Events
from closedloop.protocol.sections.scan_task import Buttons
from closedloop.scan.design.table import table_columns, table_of
from closedloop.scan.records import RunPlan


def check_tables(protocol: ScanProtocol, plans: Sequence[RunPlan]) -> None:
    """Refuse tables of events that show nothing, and names of conditions that they do not have.

    Args:
        protocol: of any design; only one of tables is looked at.
        plans: of its runs, in the order of the protocol.

    Raises:
        ProtocolError: no row of a table names an image, or a contrast or a right key is for no trial_type.
    """
    spec = protocol.design
    if not isinstance(spec, Events):
        return
    for run, plan in zip(protocol.runs.planned, plans, strict=True):
        if not any(event.kind == "image" for event in plan.events):
            file = table_of(spec, run)
            known = ", ".join(table_columns(file))
            raise ProtocolError(
                str(file),
                found=f"no row that names an image in the column '{spec.stimulus_column}'; the columns are {known}",
                expected="at least one image in each run",
                remedy="Set design.stimulus_column to the column that names the images.",
            )
    types = sorted({event.trial_type for plan in plans for event in plan.events if event.kind == "image"})
    for key, name in _named(protocol):
        if name not in types:
            raise ProtocolError(
                key,
                found=f"the condition '{name}'",
                expected=f"{one_of(types)}: the trial_types that show an image",
                remedy=did_you_mean(name, types) or "Correct it, or the table.",
            )


def _named(protocol: ScanProtocol) -> Iterator[tuple[str, str]]:
    """Yield the conditions that a protocol names outside of its table, each with its key."""
    for index, contrast in enumerate(protocol.efficiency.contrasts):
        for name in contrast.weights:
            yield f"efficiency.contrasts.{index}.weights.{name}", name
    if isinstance(protocol.task, Buttons):
        for name in protocol.task.correct:
            yield f"task.correct.{name}", name
