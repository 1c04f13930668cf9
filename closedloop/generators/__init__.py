"""Image generators: from codes to pictures."""

from closedloop.generators.base import Generator, checked_codes
from closedloop.generators.registry import GENERATORS, generator_class, make_generator

__all__ = ["GENERATORS", "Generator", "checked_codes", "generator_class", "make_generator"]
