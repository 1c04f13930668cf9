"""Single values given beside the file: ``--set threads.0.optimizer.parameters.population=20``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from closedloop.errors import ProtocolError
from closedloop.protocol.document import plain_value
from closedloop.protocol.fields import KeyPath
from closedloop.protocol.models import Thread
from closedloop.protocol.problems import did_you_mean
from closedloop.protocol.safe_yaml import load_round_trip
from closedloop.protocol.sections.base import Section
from closedloop.protocol.sections.scan_runs import Contrast, Run
from closedloop.protocol.sections.scan_stimuli import Condition

NOT_IN_FILE = object()

# Lists whose items have names, by which an override may call them: their section, and the key of the name.
_NAMED: dict[KeyPath, tuple[type[Section], str]] = {
    ("threads",): (Thread, "name"),
    ("stimuli", "conditions"): (Condition, "name"),
    ("runs", "each"): (Run, "label"),
    ("efficiency", "contrasts"): (Contrast, "name"),
}


@dataclass(frozen=True)
class Override:
    """One value that replaces the file's.

    Attributes:
        text: as given, ``key.key=value``.
        keys: the dotted key's parts, as given.
        value_text: what stands after the equals sign, YAML.
    """

    text: str
    keys: tuple[str, ...]
    value_text: str

    @property
    def where(self) -> str:
        """The override as messages name it."""
        return f"--set {self.text}"


def parse_override(text: str) -> Override:
    """Return an override from ``key.key=value``.

    Raises:
        ProtocolError: no equals sign, an empty key, or a value that is not YAML.
    """
    key, equals, value = text.partition("=")
    keys = tuple(part.strip() for part in key.split("."))
    if not equals or not all(keys):
        raise ProtocolError(
            f"--set {text}",
            found="no equals sign" if not equals else "an empty key",
            expected="key.key=value",
            remedy="For example --set presentation.on_ms=80.",
        )
    override = Override(text, keys, value)
    try:
        plain_value(value, override.where)  # so that a broken value is found before anything is changed
    except ProtocolError as error:  # its line number means nothing here
        raise ProtocolError(
            override.where, found=error.found, expected=error.expected, remedy=error.remedy
        ) from error
    return override


def apply_override(tree: Any, override: Override, *, keep_form: bool) -> tuple[KeyPath, Any]:
    """Put one value into a tree, making sections on the way that the file leaves out.

    Keys that the protocol does not know are put in as well: validation, which knows what to suggest,
    refuses them.

    Args:
        tree: plain values or ruamel's tree; it is changed.
        override: what to put where.
        keep_form: True for ruamel's tree, to have the value written as it was given.

    Returns:
        The path that was set, and the value that the file had there (``NOT_IN_FILE`` if none).

    Raises:
        ProtocolError: a list item that is not there, or a key below a single value.
    """
    load = load_round_trip if keep_form else plain_value
    value = load(override.value_text, override.where)
    path: KeyPath = ()
    node = tree
    for depth, key in enumerate(override.keys):
        last = depth == len(override.keys) - 1
        if isinstance(node, list):
            index = _index(node, key, path, override)
            path, node_key = (*path, index), index
        elif isinstance(node, dict):
            path, node_key = (*path, key), key  # type: ignore[assignment]  # one name for both kinds of key
            if not last and node.get(key) is None:
                node[key] = {}
        else:
            raise ProtocolError(
                override.where,
                found=f"a key below '{'.'.join(map(str, path))}', which is a single value",
                expected="a key that the protocol has",
                remedy=f"Leave out '.{key}'.",
            )
        if last:
            before = NOT_IN_FILE if isinstance(node, dict) and key not in node else node[node_key]
            node[node_key] = value
            return path, before
        node = node[node_key]
    raise AssertionError("an override has at least one key")


def _index(items: list[Any], key: str, path: KeyPath, override: Override) -> int:
    names: list[str] = []
    if path in _NAMED:
        section, name_key = _NAMED[path]
        default = section.model_fields[name_key].default
        names = [str(item.get(name_key, default)) if isinstance(item, dict) else "" for item in items]
    if key.isascii() and key.isdigit() and int(key) < len(items):
        return int(key)
    if names.count(key) == 1:
        return names.index(key)
    counted = f"0 to {len(items) - 1}" if items else "none, as the list is empty"
    raise ProtocolError(
        override.where,
        found=f"'{key}' as an item of '{'.'.join(map(str, path))}'",
        expected=f"its number, {counted}" + (f", or its name, {' or '.join(names)}" if names else ""),
        remedy=did_you_mean(key, names) or "Correct the item, or add it to the file.",
    )
