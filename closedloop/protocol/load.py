"""Loads a protocol: reads the file, puts overrides in, validates, and says everything that is wrong."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from closedloop.errors import ProtocolError
from closedloop.protocol.checks import check_inputs, check_protocol
from closedloop.protocol.checks_scan import check_scan, check_scan_inputs
from closedloop.protocol.document import read_document, read_text
from closedloop.protocol.fields import KeyPath, dotted
from closedloop.protocol.models import Protocol
from closedloop.protocol.overrides import NOT_IN_FILE, Override, apply_override, parse_override
from closedloop.protocol.paths import absolute_inputs
from closedloop.protocol.problems import Located, Problem, did_you_mean, in_words, one_of, protocol_error
from closedloop.protocol.safe_yaml import load_round_trip, round_trip_yaml
from closedloop.protocol.scan import ScanProtocol
from closedloop.protocol.sections.base import Section
from closedloop.protocol.validate import problems_in

KINDS = ("evolution", "scan")

Kind = TypeVar("Kind", bound=Section)


@dataclass(frozen=True)
class Loaded(Generic[Kind]):
    """A protocol that was found good, and where it came from.

    Attributes:
        protocol: what the session is to do; paths of inputs in it are absolute.
        path: the file, absolute.
        text: the file's text as read, comments included.
        overrides: what was set beside the file, in order, each ``key.key=value``.
        sha256: of the file's bytes.
    """

    protocol: Kind
    path: Path
    text: str
    overrides: tuple[str, ...]
    sha256: str

    def as_used(self) -> str:
        """Return YAML that does the same from any folder: comments kept, overrides put in and noted."""
        tree = load_round_trip(self.text, str(self.path))
        notes = ["As used by a session of closedloop.", f"Read from {self.path}", f"SHA-256 {self.sha256}"]
        for override in map(parse_override, self.overrides):
            _, before = apply_override(tree, override, keep_form=True)
            was = "was left out" if before is NOT_IN_FILE else f"was {_short(before)}"
            notes.append(f"Set on the command line: {override.text} ({was})")
        for at, was, now in list(absolute_inputs(tree, self.path.parent)):
            notes.append(f"Made absolute: {dotted(at)} (was {was})")
            _put(tree, at, now)
        out = io.StringIO()
        round_trip_yaml().dump(tree, out)
        # the schema lies beside the protocol, not beside this copy of it
        body = [
            line for line in out.getvalue().splitlines() if not line.startswith("# yaml-language-server:")
        ]
        head = ["# " + " ".join(note.split()) for note in notes]  # a note stays one line of comment
        return "\n".join([*head, "", *body]) + "\n"


class LoadedProtocol(Loaded[Protocol]):
    """The protocol of an evolution."""


class LoadedScan(Loaded[ScanProtocol]):
    """The protocol of a session in a scanner."""


def protocol_kind(path: Path | str) -> str:
    """Return what a protocol file says that it is for: ``"evolution"`` (if it says nothing) or ``"scan"``.

    Raises:
        ProtocolError: the file can't be read, or names another kind.
    """
    path = Path(path).expanduser()
    document = read_document(read_text(path)[0], str(path))
    kind = document.tree.get("kind", "evolution")
    if kind not in KINDS:
        remedy = did_you_mean(kind, KINDS) if isinstance(kind, str) else ""
        problem = Problem(("kind",), in_words(kind), one_of(KINDS), remedy)
        raise _error(path, [problem], document.lines, {})
    return str(kind)


def load_protocol(
    path: Path | str, overrides: Iterable[str] = (), *, check_files: bool = True
) -> LoadedProtocol:
    """Load the protocol file of an evolution.

    Relative paths of inputs (references.folder, initial_codes, weights that are a path) start at the
    protocol's folder; output.folder starts at the folder that the program runs in.

    Args:
        path: the YAML file.
        overrides: values that replace the file's, each ``key.key=value``; the value is YAML, list items
            are named by number and threads by name as well.
        check_files: also look whether the files that it names are there and fit.

    Raises:
        ProtocolError: with every problem found, each with line and key.
        ReferenceImageError: no folder of reference images, or none in it.
    """
    checks = check_inputs if check_files else None
    return LoadedProtocol(*_load(Path(path), overrides, Protocol, check_protocol, checks))


def load_scan(path: Path | str, overrides: Iterable[str] = (), *, check_files: bool = True) -> LoadedScan:
    """Load the protocol file of a session in a scanner.

    Relative paths of inputs (folders and files of images, codes, tables of events, weights that are a path)
    start at the protocol's folder; output.folder starts at the folder that the program runs in.

    Args:
        path: the YAML file.
        overrides: as for ``load_protocol``; conditions, contrasts and runs may be called by name.
        check_files: also look whether the files that it names are there and fit.

    Raises:
        ProtocolError: with every problem found, each with line and key.
        ReferenceImageError: a folder without images.
    """
    checks = check_scan_inputs if check_files else None
    return LoadedScan(*_load(Path(path), overrides, ScanProtocol, check_scan, checks))


def load_by_kind(path: Path | str, overrides: Iterable[str] = ()) -> LoadedProtocol | LoadedScan:
    """Load a protocol file of either kind; see ``load_protocol`` and ``load_scan``."""
    return load_scan(path, overrides) if protocol_kind(path) == "scan" else load_protocol(path, overrides)


def _load(
    path: Path,
    overrides: Iterable[str],
    model: type[Kind],
    check: Callable[[Kind], list[Problem]],
    check_files: Callable[[Kind], list[Problem]] | None,
) -> tuple[Kind, Path, str, tuple[str, ...], str]:
    """Return the fields of what is loaded, in their order."""
    path = path.expanduser()
    text, sha256 = read_text(path)
    document = read_document(text, str(path))
    tree = document.tree
    _refuse_other_kind(path, document.lines, tree, model)
    parsed = [parse_override(override) for override in overrides]
    set_paths = {apply_override(tree, override, keep_form=False)[0]: override for override in parsed}
    for at, _, now in list(absolute_inputs(tree, path.parent.resolve())):
        _put(tree, at, now)
    try:
        # through JSON, because there pydantic can be strict (no true for 1, no 1.5 for 1) and still take
        # lists for tuples and text for paths
        protocol = model.model_validate_json(json.dumps(tree), strict=True)
    except ValidationError as error:
        raise _error(path, problems_in(error, model), document.lines, set_paths) from None
    problems = check(protocol)
    if check_files is not None and not problems:
        problems = check_files(protocol)
    if problems:
        raise _error(path, problems, document.lines, set_paths)
    return protocol, path.parent.resolve() / path.name, text, tuple(item.text for item in parsed), sha256


def _refuse_other_kind(
    path: Path, lines: Mapping[KeyPath, int], tree: dict[str, Any], model: type[Section]
) -> None:
    """Refuse a protocol that is for something else, before each of its keys is called unknown."""
    wanted = "scan" if model is ScanProtocol else "evolution"
    kind = tree.get("kind", "evolution")
    if kind in KINDS and kind != wanted:
        remedy = f"Name a protocol of kind {wanted}; `closedloop run` takes both kinds."
        raise _error(path, [Problem(("kind",), f"kind '{kind}'", f"kind '{wanted}'", remedy)], lines, {})


def _error(
    path: Path,
    problems: Sequence[Problem],
    lines: Mapping[KeyPath, int],
    set_paths: Mapping[KeyPath, Override],
) -> ProtocolError:
    located = []
    for problem in problems:
        override = next(
            (item for at, item in set_paths.items() if _comes_from(problem.path, at, lines)), None
        )
        ancestors = (problem.path[:depth] for depth in range(len(problem.path), 0, -1))
        line = next((lines[at] for at in ancestors if at in lines), None)
        located.append(Located(problem, line) if override is None else Located(problem, None, override.where))
    return protocol_error(str(path), located)


def _comes_from(path: KeyPath, at: KeyPath, lines: Mapping[KeyPath, int]) -> bool:
    """Return whether what stands at ``path`` was set by an override of ``at``, or made for it."""
    return path[: len(at)] == at or (path not in lines and path != () and at[: len(path)] == path)


def _put(tree: Any, path: KeyPath, value: str) -> None:
    for key in path[:-1]:
        tree = tree[key]
    tree[path[-1]] = value


def _short(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "a section" if isinstance(value, dict) else "a list"
    return "nothing" if value is None else str(value)
