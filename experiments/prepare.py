"""From the protocol to the session's evolutions: weights loaded, codes and pictures checked, all warm."""

from __future__ import annotations

import hashlib

import numpy as np

from closedloop.errors import ProtocolError, ReferenceImageError, SessionDamagedError
from closedloop.generators import Generator, make_generator
from closedloop.loop.history import History, LostReference
from closedloop.loop.threads import EvolutionThread, Reference
from closedloop.optimizers import Origin, make_optimizer, optimizer_parameters
from closedloop.protocol.models import Protocol, Thread
from closedloop.references import load_image, load_references
from closedloop.seeds import Purpose, random_for


def make_threads(protocol: Protocol, history: History | None = None) -> list[EvolutionThread]:
    """Make every evolution of a protocol.

    Args:
        protocol: what is to be done.
        history: of a session that is to go on: references and first codes that it has recorded are taken
            from there, whatever has become of their files.

    Raises:
        ModelError: weights are missing or wrong.
        ReferenceImageError: a reference can't be read.
        SessionDamagedError: a reference was lost in a salvage, and its file can't be found again.
        ProtocolError: parameters or codes do not fit.
    """
    generators: dict[str, Generator] = {}
    threads = []
    for index, spec in enumerate(protocol.threads):
        key = spec.generator.model_dump_json()
        if key not in generators:
            generators[key] = _generator(spec)
        threads.append(_thread(protocol, index, spec, generators[key], history))
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


def _thread(
    protocol: Protocol, index: int, spec: Thread, generator: Generator, history: History | None
) -> EvolutionThread:
    parameters = optimizer_parameters(spec.optimizer.name, spec.optimizer.preset, spec.optimizer.parameters)
    first = None if history is None else history.first_population(index)
    given = None
    if first is not None:
        codes = first.codes[first.origin == Origin.GIVEN]
        given = codes if len(codes) else None
    elif spec.optimizer.initial_codes is not None:
        given = np.load(spec.optimizer.initial_codes, allow_pickle=False)
    optimizer = make_optimizer(
        parameters, code_size=generator.code_length, seed=protocol.seed, thread=index, given=given
    )
    if history is not None and history.references is not None:
        references = [
            Reference(history.pixels[image], None, None)
            if image in history.pixels
            else _made_again(protocol, history, history.lost[image], generator)
            for image in history.references[index]
        ]
    else:
        references = _references(protocol, index, generator)
    return EvolutionThread(index, spec, optimizer, generator, references)


def _made_again(protocol: Protocol, history: History, lost: LostReference, generator: Generator) -> Reference:
    """Render a reference again whose pixels are lost, or read its file again.

    Raises:
        SessionDamagedError: its file is not there any more, or not the one that was shown.
    """
    if lost.code is not None:
        return Reference(generator.render(lost.code[np.newaxis])[0], None, lost.code)
    folder = protocol.references.folder
    file = None if folder is None or lost.source is None else folder / lost.source
    found = "a reference whose pixels are lost"
    if file is not None:
        try:
            picture = load_image(file, generator.image_shape, protocol.display.background)
        except ReferenceImageError as error:
            found += f", and {file}: {error.found}"
        else:
            if lost.sha256 in (None, hashlib.sha256(picture.pixels.tobytes()).hexdigest()):
                return Reference(picture.pixels, picture.name, None)
            found += f", and {file} is another picture by now"
    raise SessionDamagedError(
        f"{history.where}: image {lost.image}",
        found=found,
        expected=f"pixels of SHA-256 {lost.sha256}, as they were shown" if lost.sha256 else "its pixels",
        remedy="Put the picture back where it was when the session began, then resume."
        if file is not None
        else "The session can't go on without it: begin a new one.",
    )


def _references(protocol: Protocol, index: int, generator: Generator) -> list[Reference]:
    spec = protocol.references
    if not spec.per_generation:
        return []
    if spec.folder is not None:
        pictures = load_references(spec.folder, generator.image_shape, protocol.display.background)
        if len(pictures) < spec.per_generation:
            raise ReferenceImageError(
                str(spec.folder),
                found=f"{len(pictures)} pictures",
                expected=f"at least references.per_generation, {spec.per_generation}",
                remedy="Each is shown once in a generation: add pictures, or lower references.per_generation.",
            )
        return [Reference(picture.pixels, picture.name, None) for picture in pictures]
    rng = random_for(protocol.seed, Purpose.REFERENCE_CODES, index)
    codes = rng.standard_normal((spec.random_codes, generator.code_length)).astype(np.float32)
    return [
        Reference(pixels, None, code) for pixels, code in zip(generator.render(codes), codes, strict=True)
    ]
