"""Names of keys and the keycodes of an X server that carry them."""

from __future__ import annotations

from typing import Any

from closedloop.errors import TriggerError

# PsychoPy's names, which protocols use elsewhere, where X has others
_ALIASES = {
    "return": "Return",
    "enter": "Return",
    "num_enter": "KP_Enter",
    "escape": "Escape",
    "backspace": "BackSpace",
    "tab": "Tab",
    "pageup": "Prior",
    "pagedown": "Next",
    **{f"num_{digit}": f"KP_{digit}" for digit in range(10)},
}
_SPELLINGS = (
    lambda name: _ALIASES.get(name, name),
    lambda name: name.capitalize(),
    lambda name: name.lower(),
)


def keycodes(display: Any, name: str) -> frozenset[int]:
    """Return the keycodes of a key that must be there; see ``find_keycodes``.

    Raises:
        TriggerError: there is no such key on this keyboard.
    """
    found = find_keycodes(display, name)
    if found:
        return found
    raise TriggerError(
        f"key '{name}'",
        found="no such key in the keyboard's layout",
        expected="a key's name: 5, KP_5, space, b",
        remedy="Correct the protocol's key; `xev` shows the name of a key that is pressed.",
    )


def find_keycodes(display: Any, name: str) -> frozenset[int]:
    """Return the keycodes of a key; none if there is no such key on this keyboard.

    Where the layout has the character only with Shift (digits on a French keyboard), it is the key all the
    same: a scanner's box presses the key and knows no layout.

    Args:
        display: an open ``Xlib.display.Display``.
        name: as X names it (``5``, ``KP_5``, ``space``), or as PsychoPy does (``num_5``).
    """
    from Xlib import XK

    XK.load_keysym_group("xkb")
    for spell in _SPELLINGS:
        keysym = XK.string_to_keysym(spell(name))
        found = list(display.keysym_to_keycodes(keysym)) if keysym else []
        lowest = min((level for _, level in found), default=0)
        if found:
            return frozenset(code for code, level in found if level == lowest)
    return frozenset()
