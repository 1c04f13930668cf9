"""The images of a recorded scan session, made again as far as what they were made of is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from closedloop.errors import ProtocolError
from closedloop.protocol.scan import ScanProtocol
from closedloop.protocol.sections.scan_design import Events
from closedloop.protocol.sections.scan_stimuli import Condition
from closedloop.references import image_files, image_size
from closedloop.scan.design.table import table_images
from closedloop.scan.stimuli import Stimulus, load_stimuli
from closedloop.session import SessionReader


@dataclass(frozen=True, eq=False)
class StimuliAgain:
    """What could be made again.

    Attributes:
        stimuli: by name; not all of the session's need be there.
        names: names of each condition's images, from which the runs may have been drawn: as the protocol gives
            them now, and as they are recorded. The first can be had only if nothing is missing.
        whole: nothing is missing, and every recorded image has the place in the set that it had.
        notes: what is missing, in sentences.
    """

    stimuli: Mapping[str, Stimulus]
    names: Sequence[Mapping[str, Sequence[str]]]
    whole: bool
    notes: Sequence[str] = field(default=())


def stimuli_again(reader: SessionReader, protocol: ScanProtocol) -> StimuliAgain:
    """Read and render a session's images again.

    Args:
        reader: of the session.
        protocol: of the session.

    Raises:
        ModelError: the weights that the session was run with are not here.
    """
    table = reader.table("images").sort_values("image")
    recorded = {int(i): str(name) for i, name in zip(table["image"], table["source"], strict=True)}
    as_recorded = _recorded_names(protocol, list(recorded.values()))
    gone: list[str] = []
    try:
        made = load_stimuli(protocol)
    except (ProtocolError, OSError):
        shape = next((seen.shape for image in recorded if (seen := reader.pixels(image)) is not None), None)
        left = _what_is_there(protocol, shape, gone)
        try:
            return StimuliAgain(load_stimuli(left).stimuli, [as_recorded], whole=False, notes=gone)
        except ProtocolError as error:
            gone.append(f"Images are not compared with what they were made of: {error.where}: {error.found}.")
            return StimuliAgain({}, [as_recorded], whole=False, notes=gone)
    places = dict(enumerate(made))
    whole = all(places.get(image) == name for image, name in recorded.items())
    now = made.by_condition
    return StimuliAgain(made.stimuli, [now] if now == as_recorded else [now, as_recorded], whole)


def _recorded_names(protocol: ScanProtocol, recorded: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return names of images by condition, in the order in which they were loaded; no others than were shown."""
    conditions = sorted(protocol.stimuli.conditions, key=lambda one: one.is_coded)
    return {one.name: tuple(_names_of(one, recorded)) for one in conditions}


def _names_of(condition: Condition, recorded: Sequence[str]) -> list[str]:
    if condition.codes:
        return [f"{condition.name}/code-{number + 1:04d}" for number in range(condition.codes)]
    if condition.files:
        return [f"{condition.name}/{path.name}" for path in condition.files]
    return [name for name in recorded if name.startswith(f"{condition.name}/")]


def _what_is_there(protocol: ScanProtocol, shape: tuple[int, ...] | None, gone: list[str]) -> ScanProtocol:
    """Return a protocol of the images that can still be made, all of a shape (h, w, 3); name the others."""
    conditions = tuple(_left_of(condition, gone) for condition in protocol.stimuli.conditions)
    size_px = protocol.stimuli.size_px if shape is None else (shape[1], shape[0])
    stimuli = protocol.stimuli.model_copy(update={"conditions": conditions, "size_px": size_px})
    return protocol.model_copy(update={"stimuli": stimuli, "design": _left_of_tables(protocol, gone)})


def _left_of(condition: Condition, gone: list[str]) -> Condition:
    """Return a condition without the files that can't be read."""
    if condition.is_coded:
        if condition.code_file is None or condition.code_file.is_file():
            return condition
        gone.append(f"The codes of {condition.name} are not compared with their file: {condition.code_file}.")
        return condition.model_copy(update={"code_file": None})
    try:
        files = condition.files if condition.folder is None else image_files(condition.folder)
    except ProtocolError as error:
        gone.append(f"Images of {condition.name} are not made again: {error.where}: {error.found}.")
        files = ()
    return condition.model_copy(
        update={"folder": None, "files": tuple(file for file in files if _is_readable(file))}
    )


def _left_of_tables(protocol: ScanProtocol, gone: list[str]) -> Events | None:
    """Return a design whose tables name images that can be read, or none: the design says nothing else of images."""
    design = protocol.design
    if not isinstance(design, Events):
        return None
    try:
        broken = [file for _, file in table_images(protocol) if file.is_file() and not _is_readable(file)]
    except ProtocolError as error:
        gone.append(f"Images of the tables are not made again: {error.where}: {error.found}.")
        return None
    if broken:
        gone.append(f"Images of the tables are not made again: {broken[0]} can't be read.")
        return None
    return design.model_copy(update={"missing": "placeholder"})


def _is_readable(file: Path) -> bool:
    try:
        image_size(file)
    except ProtocolError:
        return False
    return True
