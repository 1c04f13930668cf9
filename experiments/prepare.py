"""From the protocol to the session's evolutions: weights loaded, codes and pictures checked, all warm."""

from __future__ import annotations

import numpy as np

from closedloop.errors import ProtocolError
from closedloop.generators import Generator, make_generator
from closedloop.loop.threads import EvolutionThread, Reference
from closedloop.optimizers import make_optimizer, optimizer_parameters
from closedloop.protocol.models import Protocol, Thread
from closedloop.references import load_references
from closedloop.seeds import Purpose, random_for


def make_threads(protocol: Protocol) -> list[EvolutionThread]:
    """Make every evolution of a protocol.

    Raises:
        ModelError: weights are missing or wrong.
        ReferenceImageError: a reference can't be read.
        ProtocolError: parameters or codes do not fit.
    """
    generators: dict[str, Generator] = {}
    threads = []
    for index, spec in enumerate(protocol.threads):
        key = spec.generator.model_dump_json()
        if key not in generators:
            generators[key] = _generator(spec)
        threads.append(_thread(protocol, index, spec, generators[key]))
    shapes = {thread.generator.image_shape for thread in threads}
    if len(shapes) > 1:
        raise ProtocolError(
            "threads, generator",
            found=f"images of {len(shapes)} sizes: {sorted(shapes)}",
            expected="images of one size (height, width, colours) in all threads",
            remedy="Use generators of one image size in one session.",
        )
    return threads


def _generator(spec: Thread) -> Generator:
    generator = make_generator(
        spec.generator.name,
        spec.generator.weights,
        sha256=spec.generator.sha256,
        device=spec.generator.device,
        parameters=spec.generator.parameters,
    )
    generator.warm_up()
    return generator


def _thread(protocol: Protocol, index: int, spec: Thread, generator: Generator) -> EvolutionThread:
    parameters = optimizer_parameters(spec.optimizer.name, spec.optimizer.preset, spec.optimizer.parameters)
    given = (
        None
        if spec.optimizer.initial_codes is None
        else np.load(spec.optimizer.initial_codes, allow_pickle=False)
    )
    optimizer = make_optimizer(
        parameters, code_size=generator.code_length, seed=protocol.seed, thread=index, given=given
    )
    return EvolutionThread(index, spec, optimizer, generator, _references(protocol, index, generator))


def _references(protocol: Protocol, index: int, generator: Generator) -> list[Reference]:
    spec = protocol.references
    if not spec.per_generation:
        return []
    if spec.folder is not None:
        pictures = load_references(spec.folder, generator.image_shape, protocol.display.background)
        return [Reference(picture.pixels, picture.name, None) for picture in pictures]
    rng = random_for(protocol.seed, Purpose.REFERENCE_CODES, index)
    codes = rng.standard_normal((spec.random_codes, generator.code_length)).astype(np.float32)
    return [
        Reference(pixels, None, code) for pixels, code in zip(generator.render(codes), codes, strict=True)
    ]
