"""Puts the page together and writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from closedloop.errors import SessionDamagedError
from closedloop.exports.files import write_text
from closedloop.report import scan_course
from closedloop.report.blocks import Head, Remark, Section
from closedloop.report.material import Material, read_material
from closedloop.report.sections import course as course_section
from closedloop.report.sections import (
    deadtime,
    intime,
    log,
    parameters,
    pictures,
    scan_head,
    scan_images,
    scan_run,
    streams,
    timing,
    validity,
)
from closedloop.report.sections.course import courses
from closedloop.report.sections.head import head
from closedloop.scan.recorded import is_scan, read_scans, scan_protocol_of
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
    if is_scan(material.reader):
        top, sections = _of_scans(material)
    else:
        top, sections = _of_evolution(material)
    environment = Environment(
        loader=PackageLoader("closedloop.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        head=top,
        sections=sections,
        session=material.meta.get("session", material.reader.folder.name),
        written=utc_now(),
    )


def _of_scans(material: Material) -> tuple[Head, list[Section]]:
    protocol = scan_protocol_of(material.reader)
    found = scan_course.courses(read_scans(material.reader, protocol), protocol)
    return scan_head.head(material, found, protocol), [
        *(scan_run.section(course, course.scan.protocol or protocol) for course in found),
        _guarded("images", "Images", lambda: scan_images.section(material, found)),
        timing.section(material, of_scans=True),
        log.section(material, without=("pulse",)),
        *parameters.sections(material),
    ]


def _of_evolution(material: Material) -> tuple[Head, list[Section]]:
    found = courses(material)
    return head(material, found), [
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


def _guarded(anchor: str, title: str, make: Callable[[], Section]) -> Section:
    """Return a section, or in its place what was damaged: the rest of the page is worth having."""
    try:
        return make()
    except SessionDamagedError as error:
        return Section(anchor, title, [Remark(str(error), "warning")])
