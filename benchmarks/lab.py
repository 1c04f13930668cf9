"""What a benchmark of whole sessions needs around it: a display and a corner of LSL of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hardware.display import virtual_display
from hardware.lsl.config import use_config

SIZE_PX = (1024, 768)  # of the demo's window


@dataclass(frozen=True)
class Lab:
    """Where sessions can run: an empty folder, and the name of the display."""

    folder: Path
    display: str

    @property
    def environment(self) -> dict[str, str]:
        """For programs that shall show on this display."""
        return {"DISPLAY": self.display}


@contextmanager
def lab() -> Iterator[Lab]:
    """Bring up a virtual display, and let this process and its children hear no strangers over LSL.

    To be entered before LSL is used in this process. What is in the folder is gone afterwards.
    """
    with (
        tempfile.TemporaryDirectory(prefix="closedloop-benchmark-") as folder,
        virtual_display(SIZE_PX) as display,
    ):
        use_config(Path(folder) / "lsl_api.cfg", f"benchmark-{os.getpid()}", "machine")
        yield Lab(Path(folder), display.name)
