"""What every image generator offers, and what all of them check alike."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from closedloop.errors import CodeError
from closedloop.models import WeightFile


class Generator(Protocol):
    """Makes images of codes.

    An image depends on its own code alone: how codes are cut into calls, and what else is in a call,
    changes no byte. So a generation can be rendered in pieces, in the order of presentation.

    Attributes:
        code_length: elements of a code, d.
        image_shape: height, width and 3, of every image.
        device: where images are made: ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    """

    code_length: int
    image_shape: tuple[int, int, int]
    device: str

    def render(self, codes: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """Return the images ``(n, h, w, 3)`` of ``codes`` ``(n, d)`` float32, red first, top row first.

        Raises:
            CodeError: codes of another type or width, or not finite.
        """
        ...

    def warm_up(self) -> None:
        """Do now what would make the first image slow (blocks; well below a second on a CPU)."""
        ...

    @property
    def provenance(self) -> dict[str, Any]:
        """What made these images, for the session file: plain values only."""
        ...


class Parameters(BaseModel):
    """Parameters of a generator, as the protocol gives them: unknown ones are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GeneratorClass(Protocol):
    """What ``make_generator`` needs of a generator's class.

    Attributes:
        Parameters: model of what ``generator.parameters`` may hold.
        default_weights: model id that is used when the protocol names none; None: it takes no weights.
    """

    Parameters: ClassVar[type[Parameters]]
    default_weights: ClassVar[str | None]

    def __call__(
        self, parameters: Any, weights: WeightFile | None, device: str, threads: int | None
    ) -> Generator:
        """Make the generator: parameters checked, weights found, device as asked for."""
        ...


def checked_codes(codes: npt.NDArray[np.float32], code_length: int, where: str) -> npt.NDArray[np.float32]:
    """Return the codes as a C-ordered array, once they are sure to be (n, code_length) float32 and finite.

    Raises:
        CodeError: they are not.
    """
    expected = f"float32 codes of shape (n, {code_length})"
    if not isinstance(codes, np.ndarray) or codes.dtype != np.float32:
        found = f"{codes.dtype} codes" if isinstance(codes, np.ndarray) else f"a {type(codes).__name__}"
        # no silent cast: the bytes of a code are the session's record of it
        raise CodeError(where, found=found, expected=expected, remedy="Hand over codes.astype(np.float32).")
    if codes.ndim != 2 or codes.shape[1] != code_length:
        raise CodeError(
            where,
            found=f"codes of shape {codes.shape}",
            expected=expected,
            remedy="Codes of another generator? Check the thread's initial_codes and its generator.",
        )
    finite = np.isfinite(codes).all(axis=1)
    if not finite.all():
        bad = int(np.flatnonzero(~finite)[0])
        raise CodeError(
            f"{where}, code {bad}",
            found="NaN or infinity in it",
            expected="finite elements",
            remedy="Check the thread's initial_codes and the optimizer's mutation_size.",
        )
    return np.ascontiguousarray(codes)
