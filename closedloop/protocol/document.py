"""Reads a protocol file into plain values and remembers the line of each.

Nothing in the file is trusted: its size is bounded here, and ``safe_yaml`` refuses tags (which could name
Python objects) and aliases (which can make a small file huge) before anything is built from it.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from closedloop.errors import ProtocolError
from closedloop.protocol.fields import KeyPath
from closedloop.protocol.safe_yaml import load_round_trip, refusal

LARGEST_FILE_BYTES = 256 * 1024


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


def plain_value(text: str, name: str) -> Any:
    """Return the plain value of a short YAML text such as ``20`` or ``[1, 2]``.

    Raises:
        ProtocolError: as for ``read_document``.
    """
    return _plain(load_round_trip(text, name), name)[0]


def _plain(tree: Any, name: str) -> tuple[Any, dict[KeyPath, int]]:
    """Return ruamel's tree as plain Python values, and the lines of its keys and items."""
    lines: dict[KeyPath, int] = {}

    def walk(node: Any, path: KeyPath) -> Any:
        if isinstance(node, CommentedMap):
            section: dict[str, Any] = {}
            for key, value in node.items():
                at = node.lc.key(key)[0] + 1
                if not isinstance(key, str):
                    raise refusal(
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
