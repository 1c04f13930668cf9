"""The protocol that a session was run by, as its file has it, and what became of the copies in its folder."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from closedloop.errors import ProtocolError, SessionDamagedError, SessionSchemaError
from closedloop.protocol.document import plain_value
from closedloop.protocol.load import LoadedProtocol, LoadedScan
from closedloop.protocol.models import Protocol
from closedloop.protocol.scan import ScanProtocol
from closedloop.session import amendments, database
from experiments.console import say
from experiments.differences import Difference, Weight, protocol_differences
from experiments.folder import PROTOCOL_FILE, write_whole

Kind = TypeVar("Kind", Protocol, ScanProtocol)
LoadedKind = TypeVar("LoadedKind", LoadedProtocol, LoadedScan)


@dataclass(frozen=True)
class RecordedProtocol(Generic[Kind]):
    """A session's protocol.

    Attributes:
        text: as last used, YAML.
        protocol: the same.
        copies: name of each copy in the session folder, and the text that was written there.
    """

    text: str
    protocol: Kind
    copies: Mapping[str, str]


def read_protocol(
    meta: Mapping[str, str], last_run: int, where: str, kind: type[Kind]
) -> RecordedProtocol[Kind]:
    """Return the protocol that held in a run; of a salvaged one either form does.

    Args:
        meta: of the session.
        last_run: number of the run.
        where: the session file, for messages.
        kind: of the protocol.

    Raises:
        SessionDamagedError: it is lost.
        SessionSchemaError: it is not one that this version can read.
    """
    where = f"{where}: protocol"
    keys = [(amendments.TEXT, amendments.JSON)]
    keys += [
        (amendments.key_of_run(amendments.TEXT, run), amendments.key_of_run(amendments.JSON, run))
        for run in range(1, last_run + 1)
    ]
    # the last one of which anything is there: an older one would be another experiment
    forms = [(meta.get(text), meta.get(model)) for text, model in keys]
    text, model = next((pair for pair in reversed(forms) if pair != (None, None)), (None, None))
    try:
        if model is None and text is not None:
            model = json.dumps(plain_value(text, where))
        if model is None:
            raise SessionDamagedError(
                where,
                found="none: it is lost",
                expected="the protocol that the session was run by",
                remedy="The session can't go on without it. What was recorded can be exported and reported.",
            )
        protocol = kind.model_validate_json(model)
    except (ProtocolError, ValidationError, ValueError) as error:
        raise SessionSchemaError(
            where,
            found=str(error).splitlines()[0],
            expected="the protocol that the session was run by",
            remedy="Use the version of closedloop that wrote the session.",
        ) from error
    copies = {PROTOCOL_FILE: amendments.TEXT} | {
        amended_file(run): amendments.key_of_run(amendments.TEXT, run) for run in range(1, last_run + 1)
    }
    # JSON is YAML
    return RecordedProtocol(
        text if text is not None else protocol.model_dump_json(indent=2),
        protocol,
        {name: meta[key] for name, key in copies.items() if key in meta},
    )


def amended_file(run: int) -> str:
    """Return the name of the copy that a run with another protocol leaves in the session folder."""
    return f"protocol.run{run}.yaml"


def edited_copies(folder: Path, copies: Mapping[str, str]) -> list[Difference]:
    """Compare the copies in the folder with what is recorded, byte for byte; one that is gone is no difference."""
    found = []
    for name, text in copies.items():
        file = folder / name
        if not file.is_file():
            continue
        try:
            seen = file.read_bytes().replace(b"\r\n", b"\n")  # as Windows writes it
        except OSError as error:
            now = f"a file that can't be read ({error.strerror})"
        else:
            if seen == text.encode("utf-8").replace(b"\r\n", b"\n"):
                continue
            now = "edited"
        now += "; it is not used, the session's own copy counts: change a value with --set"
        found.append(Difference(str(file), "as recorded", now, Weight.NOTE))
    return found


def load_recorded(
    recorded: RecordedProtocol[Kind], folder: Path, load: Callable[[Path], LoadedKind]
) -> LoadedKind:
    """Return the protocol that a session was run by, with changes for this run.

    Args:
        recorded: the protocol; the session file's own copy counts, whatever there is in the folder.
        folder: the session folder.
        load: loads a protocol of this kind from a file, and puts the changes in.

    Raises:
        ProtocolError: a change that can't be.
    """
    with tempfile.TemporaryDirectory(prefix="closedloop-resume-") as scratch:
        commented, complete = Path(scratch) / PROTOCOL_FILE, Path(scratch) / "complete.yaml"
        commented.write_text(recorded.text, encoding="utf-8")
        loaded = load(commented)
        # the same with every default as it was then; JSON is YAML
        complete.write_text(recorded.protocol.model_dump_json(indent=2), encoding="utf-8")
        as_it_was = load(complete)
    if as_it_was.protocol != loaded.protocol:
        for difference in protocol_differences(as_it_was.protocol, loaded.protocol):
            say(
                f"note: {difference.what} is {difference.now} by default in this version, "
                f"and stays {difference.was} in this session"
            )
        loaded = as_it_was
    # every path in it is absolute already
    return replace(loaded, path=folder / database.FILE_NAME)


def keep_changed(
    loaded: LoadedProtocol | LoadedScan, was: Protocol | ScanProtocol, folder: Path, run: int
) -> dict[str, str]:
    """Leave a copy of a run's protocol in the session folder if it is another one than before.

    Args:
        loaded: as it holds from this run on.
        was: as it held before.
        folder: the session folder.
        run: number of the run.

    Returns:
        The facts to add to the session's ``meta``; none if nothing has changed.

    Raises:
        DiskError: the copy can't be written.
    """
    if loaded.protocol == was:
        return {}
    text = loaded.as_used()
    write_whole(folder / amended_file(run), text)
    return {
        amendments.key_of_run(amendments.TEXT, run): text,
        amendments.key_of_run(amendments.JSON, run): loaded.protocol.model_dump_json(),
    }
