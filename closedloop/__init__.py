"""The science: no window, no socket, no device.

What a script of a lab needs is here by name, and comes when it is first asked for, since some of it is
slow to import::

    from closedloop import SessionReader

    with SessionReader(Path("sessions/monkey_evolution_20261121-101500")) as session:
        print(session.table("scores"))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from closedloop.errors import ClosedLoopError as ClosedLoopError
    from closedloop.exports import export_session as export_session
    from closedloop.generators import make_generator as make_generator
    from closedloop.optimizers import make_optimizer as make_optimizer
    from closedloop.optimizers import optimizer_parameters as optimizer_parameters
    from closedloop.protocol.load import LoadedProtocol as LoadedProtocol
    from closedloop.protocol.load import load_protocol as load_protocol
    from closedloop.protocol.models import Protocol as Protocol
    from closedloop.report import write_report as write_report
    from closedloop.session import SessionReader as SessionReader

_PLACES = {
    "ClosedLoopError": "closedloop.errors",
    "LoadedProtocol": "closedloop.protocol.load",
    "Protocol": "closedloop.protocol.models",
    "SessionReader": "closedloop.session",
    "export_session": "closedloop.exports",
    "load_protocol": "closedloop.protocol.load",
    "make_generator": "closedloop.generators",
    "make_optimizer": "closedloop.optimizers",
    "optimizer_parameters": "closedloop.optimizers",
    "write_report": "closedloop.report",
}

__all__ = [*sorted(_PLACES)]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'closedloop' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_PLACES)
