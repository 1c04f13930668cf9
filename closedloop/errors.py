"""Every error that closedloop raises on purpose, in one tree.

Each error names the place, what was found there, what was expected, and what to do. The command line
prints that and ends with the class's ``exit_code``; docs/exit-codes.md lists them.
"""

from __future__ import annotations

from typing import ClassVar


class ClosedLoopError(Exception):
    """Base of every error raised on purpose.

    Args:
        where: the file and line, key, stream, device or table that the error is about.
        found: what was found there.
        expected: what was expected instead.
        remedy: what the person at the rig can do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, where: str, *, found: str, expected: str, remedy: str) -> None:
        self.where = where
        self.found = found
        self.expected = expected
        self.remedy = remedy
        super().__init__(where, found, expected, remedy)

    def __str__(self) -> str:
        return f"{self.where}: found {self.found}; expected {self.expected}. {self.remedy}"

    def __reduce__(self) -> tuple[object, ...]:
        # keyword-only arguments would be lost on the way between processes
        return (_rebuild, (type(self), self.where, self.found, self.expected, self.remedy))


def _rebuild(
    kind: type[ClosedLoopError], where: str, found: str, expected: str, remedy: str
) -> ClosedLoopError:
    return kind(where, found=found, expected=expected, remedy=remedy)


class ProtocolError(ClosedLoopError):
    """The protocol file can't be read, or says something that can't be done."""

    exit_code = 3


class TimingError(ProtocolError):
    """A duration or window of the protocol is impossible at this display."""


class ReferenceImageError(ProtocolError):
    """The reference folder is missing, empty, or holds a broken image."""


class ModelError(ClosedLoopError):
    """A model file is missing, corrupt, or not the one that the registry names."""

    exit_code = 4


class HashMismatchError(ModelError):
    """A model file's SHA-256 is not the registered one."""


class CodeError(ModelError):
    """Codes of a wrong shape, type or value were handed to a generator or optimizer."""


class StreamError(ClosedLoopError):
    """The response stream is missing, ambiguous, or not what the protocol says."""

    exit_code = 5


class StreamNotFoundError(StreamError):
    """No stream fits the protocol's selection."""


class AmbiguousStreamError(StreamError):
    """More than one stream fits the protocol's selection."""


class StreamMismatchError(StreamError):
    """A stream's kind, rate, channels or units are not those of the protocol."""


class StreamOverflowError(StreamError):
    """Samples came faster than they could be recorded, and the bounded queue is full."""


class StageError(ClosedLoopError):
    """The display can't be opened, or can't be trusted."""

    exit_code = 6


class NoDisplayError(StageError):
    """There is no display to open a window on."""


class RefreshError(StageError):
    """The refresh period can't be determined, or is not the one the protocol expects."""


class WindowClosedError(StageError):
    """The stimulus window was closed by hand."""


class TriggerError(ClosedLoopError):
    """The scanner's trigger is not there, may not be used, went away, or is not as the protocol says."""

    exit_code = 12


class ScanError(ClosedLoopError):
    """A scan run could not be carried out: no pulse came, or the scanner did what the policy ends a run for."""

    exit_code = 13


class SessionError(ClosedLoopError):
    """A session folder or file can't be used."""

    exit_code = 7


class SessionExistsError(SessionError):
    """The session folder is there already; nothing is ever written over."""


class SessionSchemaError(SessionError):
    """The session file was written by another schema, or is no session file."""


class SessionDamagedError(SessionError):
    """The session file is damaged."""


class SessionInUseError(SessionError):
    """Another program is running the session."""


class SessionChangedError(SessionError):
    """To go on would make it another experiment: something differs from what the session began with."""


class RecordingError(SessionError):
    """A recording can't be played: it is no recording, is damaged, or has nothing in it to play."""


class VerificationError(SessionError):
    """A recorded session does not follow from its seed, its protocol and the recorded samples."""

    exit_code = 11


class DiskError(ClosedLoopError):
    """The disk is full, too slow, or can't be written."""

    exit_code = 8


class CheckError(ClosedLoopError):
    """The machine or the rig did not pass ``closedloop check``."""

    exit_code = 9


class ProcessDiedError(ClosedLoopError):
    """One of the three processes of a session ended on its own."""

    exit_code = 10


class SessionAbortedError(ClosedLoopError):
    """The person at the rig ended the session (abort key, Ctrl-C)."""

    exit_code = 130
