from __future__ import annotations

import pytest

import closedloop
from closedloop.errors import ClosedLoopError


def test_every_public_name_is_there() -> None:
    for name in closedloop.__all__:
        assert getattr(closedloop, name).__name__ == name
    assert closedloop.ClosedLoopError is ClosedLoopError
    assert set(closedloop.__all__) <= set(dir(closedloop))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Sesion'"):
        closedloop.Sesion  # noqa: B018  # asking for it is the test
