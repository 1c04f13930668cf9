"""A pytest plugin: none of the libraries that only a rig needs can be imported, as if they were not installed.

``make test`` runs the tests of the science with it, since these must pass on a machine without a rig.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec

RIG_LIBRARIES = ("psychopy", "pylsl", "Xlib", "pyglet", "psychtoolbox", "serial")


class _Refuse:
    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name.partition(".")[0] in RIG_LIBRARIES:
            raise ImportError(f"{name} is not to be had here")
        return None


sys.meta_path.insert(0, _Refuse())  # type: ignore[arg-type]  # it has what the import system asks of a finder
for _display in ("DISPLAY", "WAYLAND_DISPLAY"):
    os.environ.pop(_display, None)
