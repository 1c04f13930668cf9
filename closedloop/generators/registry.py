"""Which generators there are, and how one is made from what a protocol says."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from closedloop.errors import ModelError
from closedloop.generators.base import Generator, GeneratorClass
from closedloop.models import resolve
from closedloop.models.registry import did_you_mean

# name in the protocol -> module:class. Strings, so that torch is loaded only for a generator that needs it.
GENERATORS = {
    "dcgan": "closedloop.generators.dcgan:DcganGenerator",
    "pixels": "closedloop.generators.pixels:PixelsGenerator",
}


def make_generator(
    name: str,
    weights: str | None = None,
    *,
    sha256: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    folder: Path | None = None,
    parameters: dict[str, Any] | None = None,
) -> Generator:
    """Make a generator.

    Args:
        name: a key of ``GENERATORS``.
        weights: model id, or path of a weight file; None: the generator's own default.
        sha256: of the weight file; required for a path.
        device: ``"auto"`` (CUDA when there, CPU otherwise), ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        threads: CPU threads to render with; None: one where there are only two cores, since the stage needs
            one, and up to four elsewhere.
        folder: a relative path in ``weights`` is seen from here.
        parameters: the generator's own, see docs/generators.md.

    Raises:
        ModelError: no such generator, parameter, weights or device, or weights that don't fit.
    """
    if name not in GENERATORS:
        raise ModelError(
            f"generator {name!r}",
            found="no generator of this name",
            expected=f"one of {', '.join(sorted(GENERATORS))}",
            remedy=did_you_mean(name, GENERATORS) + "docs/generators.md tells how to add one.",
        )
    kind = generator_class(name)
    if threads is not None and threads < 1:
        raise ModelError(
            f"generator {name!r}",
            found=f"{threads} threads",
            expected="1 or more",
            remedy="Leave threads out for the default.",
        )
    checked = _parameters(name, kind, parameters or {})
    chosen = weights or kind.default_weights
    if kind.default_weights is None and weights is not None:
        raise ModelError(
            f"generator {name!r}",
            found=f"weights {weights!r}",
            expected="no weights, it needs none",
            remedy="Write: weights: null",
        )
    return kind(checked, resolve(chosen, sha256, folder=folder) if chosen else None, device, threads)


def generator_class(name: str) -> GeneratorClass:
    """Return the class of a registered generator; may import torch, which takes seconds."""
    module, _, attribute = GENERATORS[name].partition(":")
    return cast("GeneratorClass", getattr(import_module(module), attribute))


def _parameters(name: str, kind: GeneratorClass, given: dict[str, Any]) -> Any:
    try:
        return kind.Parameters.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        known = kind.Parameters.model_fields
        raise ModelError(
            f"generator {name!r}, parameter {key!r}",
            found=repr(first["input"])[:80],
            expected=f"one of the parameters {', '.join(known) or '(it takes none)'}"
            if first["type"] == "extra_forbidden"
            else first["msg"],
            remedy=(did_you_mean(key, known) if key not in known else "") + "Correct generator.parameters.",
        ) from error
