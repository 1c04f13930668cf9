"""Reads a protocol file into plain values and remembers the line of each.

Nothing in the file is trusted: its size and depth are bounded, tags (which could name Python objects) and
aliases (which can make a small file huge) are refused before anything is built from it.
"""

from __future__ import annotations

import datetime
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    NodeEvent,
    ScalarEvent,
)
from ruamel.yaml.representer import RoundTripRepresenter

from closedloop.errors import ProtocolError
from closedloop.protocol.fields import KeyPath

LARGEST_FILE_BYTES = 256 * 1024
DEEPEST = 24


@dataclass(frozen=True)
class Document:
    """A protocol file as read, not yet validated.

    Attributes:
        text: the file's text, comments included.
        tree: its plain values.
        lines: line of each key and list item, from 1.
    """

    text: str
    tree: dict[str, Any]
    lines: Mapping[KeyPath, int]


class _Representer(RoundTripRepresenter):
    """Writes nothing as ``null``, as the protocols do, and not as an empty place."""

    def write_null(self, _: None) -> Any:
        """Return the node of a null."""
        return self.represent_scalar("tag:yaml.org,2002:null", "null")


_Representer.add_representer(type(None), _Representer.write_null)


def round_trip_yaml() -> YAML:
    """Return a reader and writer that keeps comments and quotes, and builds no objects."""
    yaml = YAML(typ="rt", pure=True)
    yaml.Representer = _Representer
    yaml.preserve_quotes = True
    yaml.width = 4096  # long lines stay as they are
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def read_text(path: Path) -> tuple[str, str]:
    """Return the text of a protocol file and the SHA-256 of its bytes.

    Raises:
        ProtocolError: no file, no right to read it, too large, or not UTF-8 text.
    """
    expected = "a protocol, a YAML file in UTF-8"
    if not path.exists():
        raise ProtocolError(
            str(path),
            found="no such file",
            expected=expected,
            remedy="Check the path; protocols/ has examples.",
        )
    if not path.is_file():
        found = "a folder" if path.is_dir() else "something that is not a file"
        raise ProtocolError(str(path), found=found, expected=expected, remedy="Name the file itself.")
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise ProtocolError(
            str(path),
            found=f"a file that can't be read ({error.strerror})",
            expected=expected,
            remedy="Check who may read it.",
        ) from error
    if len(raw) > LARGEST_FILE_BYTES:
        raise ProtocolError(
            str(path),
            found=f"more than {LARGEST_FILE_BYTES // 1024} KiB",
            expected=f"{expected}, of a few KiB",
            remedy="Is this the right file?",
        )
    if b"\0" in raw:
        raise ProtocolError(
            str(path),
            found="binary data",
            expected=expected,
            remedy="Is this the right file? Save it as UTF-8 text.",
        )
    try:
        return raw.decode("utf-8-sig"), hashlib.sha256(raw).hexdigest()
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ProtocolError(
            f"{path}:{line}",
            found=f"a byte that is not UTF-8 (0x{raw[error.start]:02x})",
            expected=expected,
            remedy="Save the file as UTF-8.",
        ) from error


def read_document(text: str, name: str) -> Document:
    """Return a protocol's plain values and the line of each.

    Args:
        text: the YAML text.
        name: the file's name, for messages.

    Raises:
        ProtocolError: not YAML, or YAML with tags, aliases or doubled keys, or not a mapping.
    """
    tree, lines = _plain(load_round_trip(text, name), name)
    if tree is None:
        raise ProtocolError(
            name,
            found="an empty file",
            expected="a protocol",
            remedy="Start from a copy of one in protocols/.",
        )
    if not isinstance(tree, dict):
        raise ProtocolError(
            f"{name}:1",
            found="a list" if isinstance(tree, list) else "a single value",
            expected="sections such as 'subject:' and 'threads:'",
            remedy="Start from a copy of one in protocols/.",
        )
    return Document(text, tree, lines)


def load_round_trip(text: str, name: str) -> Any:
    """Return ruamel's tree of a text, which can be written again with its comments.

    Raises:
        ProtocolError: as for ``read_document``.
    """
    try:
        _scan(text, name)
        return round_trip_yaml().load(text)
    except DuplicateKeyError as error:
        key = str(error.problem).split('"')[1]
        raise _refusal(
            name, _line(error), f"the key '{key}' for a second time", "each key once", "Remove one of them."
        ) from error
    except MarkedYAMLError as error:
        raise _syntax_error(name, error) from error
    except (YAMLError, ValueError, OverflowError, RecursionError) as error:
        # e.g. a control character, or a number of more digits than Python reads
        first = str(error).strip().splitlines()[0]
        raise _refusal(
            name, None, f"something unreadable ({first})", "YAML", "Look for odd characters and huge numbers."
        ) from error


def plain_value(text: str, name: str) -> Any:
    """Return the plain value of a short YAML text such as ``20`` or ``[1, 2]``.

    Raises:
        ProtocolError: as for ``read_document``.
    """
    return _plain(load_round_trip(text, name), name)[0]


def _refusal(name: str, line: int | None, found: str, expected: str, remedy: str) -> ProtocolError:
    where = name if line is None else f"{name}:{line}"
    return ProtocolError(where, found=found, expected=expected, remedy=remedy)


def _line(error: MarkedYAMLError) -> int | None:
    mark = error.problem_mark or error.context_mark
    return None if mark is None else mark.line + 1


def _syntax_error(name: str, error: MarkedYAMLError) -> ProtocolError:
    problem = str(error.problem)
    if "'\\t'" in problem or "\\t" in problem:
        return _refusal(name, _line(error), "a tab", "spaces for indentation", "Replace tabs by spaces.")
    remedy = "Look for a missing colon, quote or bracket, or a wrong indentation, here or in the line before."
    return _refusal(name, _line(error), f"broken YAML ({problem})", "YAML", remedy)


def _scan(text: str, name: str) -> None:
    """Refuse what a protocol must not hold, event by event, before anything is built."""
    depth = 0
    documents = 0
    for event in round_trip_yaml().parse(io.StringIO(text)):
        line = event.start_mark.line + 1
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _refusal(name, line, "a second document ('---')", "one protocol in a file", "Split it.")
            if event.version is not None or event.tags:
                raise _refusal(name, line, "a YAML directive ('%...')", "none", "Remove the line.")
        elif isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor is not None):
            raise _refusal(
                name,
                line,
                f"the anchor or alias '{event.anchor}'",
                "each value written out where it counts",
                "Write the value out in both places.",
            )
        if isinstance(event, (ScalarEvent, CollectionStartEvent)) and event.tag is not None:
            raise _refusal(
                name, line, f"the tag '{event.tag}'", "plain values", "Remove the tag; protocols run no code."
            )
        if isinstance(event, ScalarEvent) and event.value == "<<" and event.implicit[0]:
            raise _refusal(
                name, line, "a merge key ('<<')", "each value written out", "Write the values out."
            )
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST:
            raise _refusal(
                name, line, f"more than {DEEPEST} levels of nesting", "a protocol", "Is this the right file?"
            )


def _plain(tree: Any, name: str) -> tuple[Any, dict[KeyPath, int]]:
    """Return ruamel's tree as plain Python values, and the lines of its keys and items."""
    lines: dict[KeyPath, int] = {}

    def walk(node: Any, path: KeyPath) -> Any:
        if isinstance(node, CommentedMap):
            section: dict[str, Any] = {}
            for key, value in node.items():
                at = node.lc.key(key)[0] + 1
                if not isinstance(key, str):
                    raise _refusal(
                        name, at, f"the key {key!r}", "text as a key", "Correct it, or put it in quotes."
                    )
                lines[(*path, str(key))] = at
                section[str(key)] = walk(value, (*path, str(key)))
            return section
        if isinstance(node, CommentedSeq):
            for index in range(len(node)):
                lines[(*path, index)] = node.lc.item(index)[0] + 1
            return [walk(value, (*path, index)) for index, value in enumerate(node)]
        return _plain_scalar(node)

    return walk(tree, ()), lines


def _plain_scalar(node: Any) -> Any:
    # ruamel keeps how a scalar was written in subclasses of int, float and str
    if isinstance(node, (datetime.date, datetime.datetime)):
        return node.isoformat()  # a date is text here: notes and ages take no other form
    if node is None or isinstance(node, bool):
        return node
    if type(node).__name__ == "ScalarBoolean":
        return bool(node)
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    raise TypeError(f"a YAML scalar of type {type(node).__name__}")
