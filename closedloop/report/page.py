"""Puts the page together and writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from closedloop.errors import SessionDamagedError
from closedloop.exports.files import write_text
from closedloop.report.blocks import Remark, Section
from closedloop.report.material import Material, read_material
from closedloop.report.sections import course as course_section
from closedloop.report.sections import deadtime, intime, log, parameters, pictures, streams, timing, validity
from closedloop.report.sections.course import courses
from closedloop.report.sections.head import head
from closedloop.session import SessionReader
from closedloop.session.soundness import damage_told
from closedloop.session.store import utc_now

FILE_NAME = "report.html"


def write_report(session_folder: Path) -> Path:
    """Write ``report.html`` into a session folder, from its session file alone.

    Works while the session runs, after a crash, and for a session without any trial: what is missing is
    said in words. The page needs no other file, no script and no network.

    Args:
        session_folder: the session folder, or its ``session.sqlite``.

    Raises:
        SessionError: no such session, or one that can't be read.
        DiskError: the page can't be written.
    """
    with damage_told(session_folder), SessionReader(session_folder) as reader, reader.snapshot():
        return write_text(reader.folder / FILE_NAME, render(read_material(reader)))


def render(material: Material) -> str:
    """Return the page."""
    found = courses(material)
    sections = [
        course_section.section(material, found),
        _guarded("images", "The best image of each generation", lambda: pictures.section(material)),
        _guarded("psth", intime.TITLE, lambda: intime.section(material, found)),
        validity.section(material),
        timing.section(material),
        deadtime.section(material),
        streams.section(material),
        log.section(material),
        *parameters.sections(material),
    ]
    environment = Environment(
        loader=PackageLoader("closedloop.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        head=head(material, found),
        sections=sections,
        session=material.meta.get("session", material.reader.folder.name),
        written=utc_now(),
    )


def _guarded(anchor: str, title: str, make: Callable[[], Section]) -> Section:
    """Return a section, or in its place what was damaged: the rest of the page is worth having."""
    try:
        return make()
    except SessionDamagedError as error:
        return Section(anchor, title, [Remark(str(error), "warning")])
