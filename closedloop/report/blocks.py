"""What a section of the report is made of. The template draws each kind; texts are plain, never HTML."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Remark:
    """A paragraph that stands out: data are missing, or something must be known to read the rest.

    Attributes:
        tone: ``"plain"`` or ``"warning"``.
    """

    kind: ClassVar[str] = "remark"
    text: str
    tone: str = "plain"


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    kind: ClassVar[str] = "bullets"
    items: Sequence[str]


@dataclass(frozen=True)
class Figure:
    """A drawing with its caption.

    Attributes:
        svg: the drawing.
        alt: what it shows, for those who can't see it.
        caption: how to read it.
    """

    kind: ClassVar[str] = "figure"
    svg: bytes
    alt: str
    caption: str

    @property
    def source(self) -> str:
        """The drawing as a data URI: nothing is loaded from elsewhere, and no id can clash."""
        return data_uri(self.svg, "image/svg+xml")


@dataclass(frozen=True)
class Table:
    """A table. Cells are text already; columns named in ``numeric`` are set to the right.

    Attributes:
        header: column titles.
        rows: cells.
        numeric: indices of columns that hold numbers.
        caption: above the table; empty for none.
        wide: as wide as a figure.
    """

    kind: ClassVar[str] = "table"
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[int] = ()
    caption: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Frame:
    """One picture of a film strip, with a line or two under it."""

    png: bytes
    title: str
    text: str

    @property
    def source(self) -> str:
        """The picture as a data URI."""
        return data_uri(self.png, "image/png")


@dataclass(frozen=True)
class Strip:
    """A film strip."""

    kind: ClassVar[str] = "strip"
    title: str
    frames: Sequence[Frame]
    caption: str = ""


@dataclass(frozen=True)
class Listing:
    """Text that is shown letter by letter, such as a file."""

    kind: ClassVar[str] = "listing"
    title: str
    text: str


@dataclass(frozen=True)
class Quote:
    """What the person at the rig wrote, and when."""

    kind: ClassVar[str] = "quote"
    text: str
    when: str


Block: TypeAlias = Text | Remark | Bullets | Figure | Table | Strip | Listing | Quote


@dataclass(frozen=True)
class Section:
    """A part of the page with a title."""

    anchor: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Tile:
    """One of the few figures that stand at the top of the page."""

    label: str
    value: str
    unit: str
    detail: str


@dataclass(frozen=True)
class Finding:
    """What came of one thread, in its colour."""

    name: str
    color: str
    text: str


@dataclass(frozen=True)
class Head:
    """The top of the page.

    Attributes:
        verdict: a word or two: did it evolve?
        mood: ``"good"``, ``"plain"`` or ``"warning"``, for the verdict's colour.
        sentences: what was run, and how it ended.
        findings: what came of it, one a thread.
    """

    title: str
    subtitle: str
    verdict: str
    mood: str
    sentences: Sequence[str]
    findings: Sequence[Finding]
    tiles: Sequence[Tile]


def data_uri(content: bytes, kind: str) -> str:
    """Return content as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
