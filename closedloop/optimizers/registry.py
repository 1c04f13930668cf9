"""Which optimizers there are. To add one, write its file and add its class to ``_CLASSES``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Union

from numpy.typing import ArrayLike
from pydantic import Field, ValidationError

from closedloop.errors import CodeError, ProtocolError
from closedloop.optimizers.genetic import GeneticAlgorithm
from closedloop.optimizers.random_codes import RandomCodes
from closedloop.optimizers.stepwise import PopulationParameters, StepwiseOptimizer

AnyOptimizer = StepwiseOptimizer[Any]

_CLASSES: tuple[type[AnyOptimizer], ...] = (
    GeneticAlgorithm,
    RandomCodes,
)

OPTIMIZERS: dict[str, type[AnyOptimizer]] = {optimizer.name: optimizer for optimizer in _CLASSES}

# For the protocol: the parameters of any registered optimizer, told apart by their `name`. It follows from
# the tuple above, which a type checker can't read; for it, the common base has to do.
if TYPE_CHECKING:
    OptimizerParameters = PopulationParameters
else:
    OptimizerParameters = Annotated[
        Union[tuple(optimizer.parameters_type for optimizer in _CLASSES)],  # noqa: UP007  # made from a tuple
        Field(discriminator="name"),
    ]


def optimizer_class(name: str) -> type[AnyOptimizer]:
    """Return the optimizer registered under ``name``.

    Raises:
        ProtocolError: there is none of that name.
    """
    if name not in OPTIMIZERS:
        raise ProtocolError(
            "optimizer name",
            found=repr(name),
            expected="one of " + ", ".join(sorted(OPTIMIZERS)),
            remedy="Correct the name.",
        )
    return OPTIMIZERS[name]


def optimizer_parameters(
    name: str, preset: str | None = None, values: Mapping[str, Any] | None = None
) -> PopulationParameters:
    """Return the checked parameters of the optimizer ``name``: a preset's, overridden by ``values``.

    Raises:
        ProtocolError: there is no such optimizer or preset, or a value is unknown or out of range.
    """
    given = dict(values or {})
    if preset is not None:
        given["preset"] = preset
    try:
        return optimizer_class(name).parameters_type.model_validate({**given, "name": name})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "parameters"
        raise ProtocolError(
            f"optimizer {name}, {key}",
            found=repr(first["input"]) if first["loc"] else repr(given),
            expected=first["msg"],
            remedy="Known are " + ", ".join(optimizer_class(name).parameters_type.model_fields) + ".",
        ) from error


def make_optimizer(
    parameters: PopulationParameters,
    *,
    code_size: int,
    seed: int,
    thread: int = 0,
    given: ArrayLike | None = None,
) -> AnyOptimizer:
    """Return the optimizer that ``parameters`` are for, at its first generation.

    Args:
        parameters: of one of the registered optimizers; their ``name`` picks it.
        code_size: numbers in a code (d).
        seed: the session's seed, 0 or more.
        thread: index of the evolution within the session.
        given: float (k, d), codes that the first generation starts with; None for random ones.

    Raises:
        CodeError: ``given`` does not fit, or a number is out of range.
        ProtocolError: no optimizer has these parameters.
    """
    optimizer = optimizer_class(parameters.name)
    return optimizer(parameters, code_size=code_size, seed=seed, thread=thread, given=given)


def restore_optimizer(state: dict[str, Any]) -> AnyOptimizer:
    """Return the optimizer that wrote ``state``, going on from there.

    Raises:
        CodeError: the state names no optimizer, or its parts do not fit each other.
        ProtocolError: it names one that is not registered.
    """
    if not isinstance(state.get("optimizer"), str):
        raise CodeError(
            "stored optimizer state",
            found=f"the optimizer {state.get('optimizer')!r}",
            expected="the name of an optimizer",
            remedy="Restore the state that an optimizer wrote, unchanged.",
        )
    return optimizer_class(state["optimizer"]).restore(state)
