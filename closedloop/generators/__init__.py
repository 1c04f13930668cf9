"""Image generators: from codes to pictures."""

from closedloop.generators.base import Generator, checked_codes
from closedloop.generators.registry import GENERATORS, make_generator

__all__ = ["GENERATORS", "Generator", "checked_codes", "make_generator"]
