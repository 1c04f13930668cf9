"""A stream's own description (LSL's ``<desc>``), out of the ways in which recordings keep it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, ParseError, SubElement, fromstring


def from_xml(text: str) -> tuple[Element | None, dict[str, str]]:
    """Return the ``<desc>`` of a stream's whole XML, and the facts beside it.

    Args:
        text: LSL's ``as_xml``; empty or broken where a recording has none.
    """
    try:
        root = fromstring(text)  # noqa: S314 - expat itself bounds what entities expand to (2.4.1 and later)
    except ParseError:
        return None, {}
    facts = {child.tag: (child.text or "").strip() for child in root if child.tag != "desc"}
    desc = root.find("desc")
    return (desc if desc is not None and len(desc) else None), facts


def from_lists(tree: object, tag: str = "desc") -> Element | None:
    """Return the ``<desc>`` that pyxdf has turned into dictionaries of lists.

    Siblings of one name stay together, in their order; pyxdf no longer knows how names alternated.

    Args:
        tree: what pyxdf has at ``info["desc"][0]``.
        tag: name of the element.
    """
    element = Element(tag)
    _fill(element, tree)
    return element if len(element) else None


def _fill(element: Element, tree: Any) -> None:
    if not isinstance(tree, Mapping):
        element.text = None if tree is None else str(tree)
        return
    for tag, children in tree.items():
        for child in children:
            _fill(SubElement(element, str(tag)), child)
