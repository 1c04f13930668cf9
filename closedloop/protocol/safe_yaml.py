"""YAML without what a protocol must not hold: tags, aliases, doubled keys, bottomless nesting."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML
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

DEEPEST = 24


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


def load_round_trip(text: str, name: str) -> Any:
    """Return ruamel's tree of a text, which can be written again with its comments.

    Raises:
        ProtocolError: not YAML, or YAML with tags, aliases or doubled keys.
    """
    try:
        _scan(text, name)
        return round_trip_yaml().load(text)
    except DuplicateKeyError as error:
        key = str(error.problem).split('"')[1]
        raise refusal(
            name, _line(error), f"the key '{key}' for a second time", "each key once", "Remove one of them."
        ) from error
    except MarkedYAMLError as error:
        raise _syntax_error(name, error) from error
    except (YAMLError, ValueError, OverflowError, RecursionError) as error:
        # e.g. a control character, or a number of more digits than Python reads
        first = str(error).strip().splitlines()[0]
        raise refusal(
            name, None, f"something unreadable ({first})", "YAML", "Look for odd characters and huge numbers."
        ) from error


def refusal(name: str, line: int | None, found: str, expected: str, remedy: str) -> ProtocolError:
    """Return the error of something in the file that is not YAML as a protocol may be.

    Args:
        name: the file's name.
        line: from 1; None if unknown.
        found: what was found there.
        expected: what was expected instead.
        remedy: what to do about it.
    """
    where = name if line is None else f"{name}:{line}"
    return ProtocolError(where, found=found, expected=expected, remedy=remedy)


def _line(error: MarkedYAMLError) -> int | None:
    mark = error.problem_mark or error.context_mark
    return None if mark is None else mark.line + 1


def _syntax_error(name: str, error: MarkedYAMLError) -> ProtocolError:
    problem = str(error.problem)
    if "'\\t'" in problem or "\\t" in problem:
        return refusal(name, _line(error), "a tab", "spaces for indentation", "Replace tabs by spaces.")
    remedy = "Look for a missing colon, quote or bracket, or a wrong indentation, here or in the line before."
    return refusal(name, _line(error), f"broken YAML ({problem})", "YAML", remedy)


def _scan(text: str, name: str) -> None:
    """Refuse what a protocol must not hold, event by event, before anything is built."""
    depth = 0
    documents = 0
    for event in round_trip_yaml().parse(io.StringIO(text)):
        line = event.start_mark.line + 1
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise refusal(name, line, "a second document ('---')", "one protocol in a file", "Split it.")
            if event.version is not None or event.tags:
                raise refusal(name, line, "a YAML directive ('%...')", "none", "Remove the line.")
        elif isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor is not None):
            raise refusal(
                name,
                line,
                f"the anchor or alias '{event.anchor}'",
                "each value written out where it counts",
                "Write the value out in both places.",
            )
        if isinstance(event, (ScalarEvent, CollectionStartEvent)) and event.tag is not None:
            raise refusal(
                name, line, f"the tag '{event.tag}'", "plain values", "Remove the tag; protocols run no code."
            )
        if isinstance(event, ScalarEvent) and event.value == "<<" and event.implicit[0]:
            raise refusal(name, line, "a merge key ('<<')", "each value written out", "Write the values out.")
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST:
            raise refusal(
                name, line, f"more than {DEEPEST} levels of nesting", "a protocol", "Is this the right file?"
            )
