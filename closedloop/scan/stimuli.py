"""The images of a scan session, all brought to one shape before anything is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from closedloop.errors import ProtocolError, ReferenceImageError
from closedloop.generators import Generator, make_generator
from closedloop.ports import Pixels
from closedloop.protocol.scan import ScanProtocol
from closedloop.protocol.sections.scan_design import Events
from closedloop.protocol.sections.scan_stimuli import Condition
from closedloop.references import fit_image, grey_level, image_files, image_size, load_image
from closedloop.scan.design.table import table_images
from closedloop.scan.placeholder import placeholder
from closedloop.seeds import Purpose, random_for

Origin: TypeAlias = Literal["file", "random", "given", "placeholder"]

LONGEST_SIDE_PX = 1024
LARGEST_SET_BYTES = 2 * 2**30
# For tables whose images are all missing: there is nothing to take a size from.
PLACEHOLDER_SIZE_PX = (256, 256)


@dataclass(frozen=True, eq=False)
class Stimulus:
    """One image that is shown.

    Attributes:
        name: unique in the session: ``"faces/a.png"``, ``"evolved/code-0003"``, or as a table of events has it.
        condition: that it belongs to; empty for images that only a table names.
        pixels: (h, w, 3) uint8, as it is shown.
        origin: ``"file"``; ``"random"`` or ``"given"``: rendered from ``code``; ``"placeholder"``: its file is
            missing.
        code: (d,) float32; None for files.
        source: the file; None for codes.
        sha256: of the file; None for codes and placeholders.
    """

    name: str
    condition: str
    pixels: Pixels
    origin: Origin
    code: npt.NDArray[np.float32] | None = None
    source: Path | None = None
    sha256: str | None = None


@dataclass(frozen=True, eq=False)
class StimulusSet(Mapping[str, Stimulus]):
    """All images of a session, by name.

    Attributes:
        stimuli: in the order of their conditions.
        image_shape: height, width and 3 of each.
        provenance: of each generator, by condition.
    """

    stimuli: Mapping[str, Stimulus]
    image_shape: tuple[int, int, int]
    provenance: Mapping[str, Any]

    def __getitem__(self, name: str) -> Stimulus:
        return self.stimuli[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.stimuli)

    def __len__(self) -> int:
        return len(self.stimuli)

    @property
    def by_condition(self) -> dict[str, tuple[str, ...]]:
        """Names of each condition's images, as ``draw_runs`` takes them."""
        conditions = dict.fromkeys(item.condition for item in self.stimuli.values() if item.condition)
        return {
            condition: tuple(name for name, item in self.stimuli.items() if item.condition == condition)
            for condition in conditions
        }

    def size_deg(self, longer_side_deg: float) -> tuple[float, float]:
        """Return width and height on the screen."""
        height, width, _ = self.image_shape
        scale = longer_side_deg / max(height, width)
        return width * scale, height * scale


def load_stimuli(protocol: ScanProtocol) -> StimulusSet:
    """Read and render all images of a protocol.

    Files are turned as their EXIF orientation says, put on the background where they are transparent, made RGB,
    brought to one shape by ``stimuli.fit`` (cut around the middle, or padded with background) and resized with a
    Lanczos filter. Images of codes are resized in the same way, where the shape is another than their
    generator's. Colour profiles are not applied.

    Raises:
        ReferenceImageError: an image is missing, broken or too large.
        ModelError: a generator's weights are missing or wrong, or codes do not fit it.
        ProtocolError: more pixels than can be held.
    """
    generators: dict[str, Generator] = {}
    for condition in protocol.stimuli.conditions:
        key = condition.generator.model_dump_json()
        if condition.is_coded and key not in generators:
            generators[key] = _generator(condition)
    files = _files(protocol)
    shape = _shape(protocol, generators, files)
    count = len(files) + sum(condition.codes for condition in protocol.stimuli.conditions)
    if count * np.prod(shape) > LARGEST_SET_BYTES:
        raise ProtocolError(
            "stimuli",
            found=f"{count} images of {shape[1]} x {shape[0]} pixels",
            expected=f"at most {LARGEST_SET_BYTES // 2**30} GiB of pixels in a session",
            remedy="Set stimuli.size_px to the size at which they are shown, or show fewer.",
        )
    stimuli: dict[str, Stimulus] = {}
    provenance: dict[str, Any] = {}
    for name, (condition_name, path) in files.items():
        stimuli[name] = _of_file(protocol, name, condition_name, path, shape)
    for index, condition in enumerate(protocol.stimuli.conditions):
        if condition.is_coded:
            generator = generators[condition.generator.model_dump_json()]
            provenance[condition.name] = generator.provenance
            stimuli |= {item.name: item for item in _of_codes(protocol, index, condition, generator, shape)}
    return StimulusSet(stimuli, shape, provenance)


def _generator(condition: Condition) -> Generator:
    spec = condition.generator
    return make_generator(
        spec.name, spec.weights, sha256=spec.sha256, device=spec.device, parameters=spec.parameters
    )


def _files(protocol: ScanProtocol) -> dict[str, tuple[str, Path]]:
    """Return condition and path of each image that is a file, by its name."""
    found: dict[str, tuple[str, Path]] = {}
    for condition in protocol.stimuli.conditions:
        paths = condition.files if condition.folder is None else image_files(condition.folder)
        for path in paths:
            name = f"{condition.name}/{path.name}"
            if name in found:
                raise ReferenceImageError(
                    str(path),
                    found=f"a second file of the name {path.name} in condition {condition.name}",
                    expected="a name for each image of a condition",
                    remedy="Rename one, or make a condition of each.",
                )
            found[name] = (condition.name, path)
    if isinstance(protocol.design, Events):
        for name, path in table_images(protocol):
            if name in found and found[name][1] != path:
                raise ReferenceImageError(
                    str(path),
                    found=f"an image of the table with the name of {found[name][1]}",
                    expected="a name for each image",
                    remedy="Rename it, or the condition; of images beside their tables give design.folder.",
                )
            found.setdefault(name, ("", path))
    return found


def _shape(
    protocol: ScanProtocol, generators: Mapping[str, Generator], files: Mapping[str, tuple[str, Path]]
) -> tuple[int, int, int]:
    if protocol.stimuli.size_px is not None:
        width, height = protocol.stimuli.size_px
        return height, width, 3
    for generator in generators.values():
        return generator.image_shape
    there = (path for _, path in files.values() if path.is_file())
    first = next(there, None)
    width, height = PLACEHOLDER_SIZE_PX if first is None else image_size(first)
    scale = min(1.0, LONGEST_SIDE_PX / max(width, height))
    return max(1, round(height * scale)), max(1, round(width * scale)), 3


def _of_file(
    protocol: ScanProtocol, name: str, condition: str, path: Path, shape: tuple[int, int, int]
) -> Stimulus:
    design = protocol.design
    if not path.is_file():
        if isinstance(design, Events) and design.missing == "placeholder" and not condition:
            return Stimulus(name, condition, placeholder(name, shape), "placeholder", source=path)
        raise ReferenceImageError(
            str(path),
            found="no such file",
            expected="an image that the protocol names",
            remedy="Correct its folder, or set design.missing to placeholder to show a pattern in its place."
            if isinstance(design, Events)
            else "Correct its path.",
        )
    image = load_image(path, shape, protocol.display.background, pad=protocol.stimuli.fit == "pad")
    return Stimulus(name, condition, image.pixels, "file", source=path, sha256=image.sha256)


def _of_codes(
    protocol: ScanProtocol,
    index: int,
    condition: Condition,
    generator: Generator,
    shape: tuple[int, int, int],
) -> Iterator[Stimulus]:
    if condition.code_file is not None:
        origin: Origin = "given"
        codes = np.load(condition.code_file, allow_pickle=False).astype(np.float32)
    else:
        origin = "random"
        rng = random_for(protocol.seed, Purpose.STIMULUS_CODES, index)
        codes = rng.standard_normal((condition.codes, generator.code_length)).astype(np.float32)
    around = grey_level(protocol.display.background) if protocol.stimuli.fit == "pad" else None
    for number, (code, seen) in enumerate(zip(codes, generator.render(codes), strict=True)):
        pixels = seen if seen.shape == shape else fit_image(Image.fromarray(seen), shape, around)
        yield Stimulus(f"{condition.name}/code-{number + 1:04d}", condition.name, pixels, origin, code=code)
