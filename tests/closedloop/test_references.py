from __future__ import annotations

import hashlib
import struct
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from closedloop.errors import ProtocolError, ReferenceImageError
from closedloop.references import choose, image_files, load_references
from closedloop.seeds import Purpose, random_for

SHAPE = (64, 64, 3)


def save(folder: Path, name: str, pixels: np.ndarray, **options) -> Path:
    Image.fromarray(pixels).save(folder / name, **options)
    return folder / name


def flat(colour, size=(64, 64)) -> np.ndarray:
    return np.full((size[1], size[0], len(colour)), colour, np.uint8)


# --- what is read -------------------------------------------------------------------------------------


def test_images_come_by_name_with_name_and_hash(tmp_path):
    save(tmp_path, "b.png", flat((10, 20, 30)))
    save(tmp_path, "a.bmp", flat((1, 2, 3)))
    save(tmp_path, "C.JPG", flat((200, 200, 200)), quality=95)
    for other in (".hidden.png", "notes.txt", "Thumbs.db"):
        (tmp_path / other).write_bytes(b"not an image")
    (tmp_path / "folder.png").mkdir()
    found = load_references(tmp_path, SHAPE)
    assert [image.name for image in found] == ["C.JPG", "a.bmp", "b.png"]
    for image in found:
        assert image.sha256 == hashlib.sha256((tmp_path / image.name).read_bytes()).hexdigest()
        assert image.pixels.shape == SHAPE
        assert image.pixels.dtype == np.uint8
        assert not image.pixels.flags.writeable
    assert (found[1].pixels == (1, 2, 3)).all()
    assert (found[2].pixels == (10, 20, 30)).all()


def test_pixels_of_the_right_size_are_not_touched(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)
    save(tmp_path, "a.png", pixels)
    (image,) = load_references(tmp_path, SHAPE)
    assert (image.pixels == pixels).all()


def test_a_wide_image_is_cut_around_its_middle(tmp_path):
    pixels = flat((255, 0, 0), (192, 64))
    pixels[:, 64:128] = (0, 255, 0)
    save(tmp_path, "a.png", pixels)
    (image,) = load_references(tmp_path, SHAPE)
    assert (image.pixels == (0, 255, 0)).all()
    assert image.original_size_px == (192, 64)


def test_a_large_image_is_made_smaller_without_aliasing(tmp_path):
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255  # finer than the result can show: it must become grey
    save(tmp_path, "a.png", stripes)
    (image,) = load_references(tmp_path, SHAPE)
    assert np.abs(image.pixels[8:-8, 8:-8].astype(int) - 127.5).max() < 3


def test_exif_orientation_is_followed(tmp_path):
    pixels = flat((0, 0, 0), (64, 64))
    pixels[:32] = 255  # bright on top, as stored
    exif = Image.Exif()
    exif[0x0112] = 3  # taken upside down
    save(tmp_path, "a.jpg", pixels, exif=exif, quality=95)
    (image,) = load_references(tmp_path, SHAPE)
    assert image.pixels[:24].mean() < 20
    assert image.pixels[40:].mean() > 235


@pytest.mark.parametrize(("background", "level"), [(-1.0, 0), (0.0, 128), (1.0, 255)])
def test_transparent_parts_show_the_background(tmp_path, background, level):
    pixels = flat((255, 0, 0, 0))
    pixels[:, 32:, 3] = 255
    save(tmp_path, "a.png", pixels)
    (image,) = load_references(tmp_path, SHAPE, background)
    assert (image.pixels[:, :32] == level).all()
    assert (image.pixels[:, 32:] == (255, 0, 0)).all()


def test_grey_palette_and_16_bit_images_become_rgb(tmp_path):
    grey = np.full((64, 64), 77, np.uint8)
    save(tmp_path, "1.png", grey)
    Image.fromarray(flat((77, 77, 77))).quantize().save(tmp_path / "2.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "3.png")
    save(tmp_path, "4.png", np.stack([grey, np.full_like(grey, 255)], axis=-1))  # grey with alpha
    found = load_references(tmp_path, SHAPE)
    assert len(found) == 4
    for image in found:
        assert (image.pixels == 77).all(), image.name


# --- what is not --------------------------------------------------------------------------------------


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def test_a_folder_that_is_missing_empty_or_without_images(tmp_path):
    with pytest.raises(
        ReferenceImageError, match="found no such folder; expected a folder of PNG, JPEG or BMP"
    ):
        image_files(tmp_path / "no")
    with pytest.raises(ReferenceImageError, match="found an empty folder"):
        image_files(tmp_path)
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ReferenceImageError, match="found 1 files and folders, none of them an image"):
        image_files(tmp_path)
    with pytest.raises(ReferenceImageError, match="found a file"):
        image_files(tmp_path / "notes.txt")
    assert issubclass(ReferenceImageError, ProtocolError)


def test_pictures_of_other_kinds_are_not_left_out_in_silence(tmp_path):
    save(tmp_path, "a.png", flat((1, 2, 3)))
    save(tmp_path, "b.tif", flat((1, 2, 3)))
    with pytest.raises(
        ReferenceImageError, match=r"b\.tif: found an image of type \.tif; .* Convert it to PNG"
    ):
        load_references(tmp_path, SHAPE)


def test_a_broken_image_is_named(tmp_path):
    whole = save(tmp_path, "a.png", np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8))
    data = whole.read_bytes()
    for broken in (data[: len(data) // 2], b"", b"GIF89a", data[:40] + b"xxxx" + data[44:]):
        (tmp_path / "b.png").write_bytes(broken)
        with pytest.raises(
            ReferenceImageError, match=r"b\.png: found a file that can't be read as an image \([^<]+\)"
        ):
            load_references(tmp_path, SHAPE)


def test_only_the_three_formats_are_read_whatever_the_file_is_called(tmp_path):
    Image.fromarray(flat((1, 2, 3))).save(tmp_path / "a.png", format="GIF")
    with pytest.raises(ReferenceImageError, match=r"a\.png: found a file that can't be read as an image"):
        load_references(tmp_path, SHAPE)


@pytest.mark.parametrize(
    ("size", "message"),
    [((30_000, 30_000), "far more pixels than any screen has"), ((10_000, 8_000), "10000 x 8000 pixels")],
)
def test_decompression_bombs_are_not_unpacked(tmp_path, size, message):
    (tmp_path / "a.png").write_bytes(png_claiming(*size))
    with pytest.raises(ReferenceImageError, match=message):
        load_references(tmp_path, SHAPE)


@given(st.data())
def test_no_damage_does_worse_than_a_clear_error(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damage")
    kind = data.draw(st.sampled_from(["png", "jpg", "bmp"]))
    path = save(folder, f"a.{kind}", np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8))
    raw = bytearray(path.read_bytes())
    for at, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255)), max_size=6)
    ):
        raw[at] = value
    path.write_bytes(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    try:
        (image,) = load_references(folder, (16, 16, 3))
    except ReferenceImageError as error:
        assert path.name in str(error)  # noqa: PT017  # damage may also leave a readable image
        return
    assert image.pixels.shape == (16, 16, 3)


# --- which are shown ----------------------------------------------------------------------------------


@given(
    n=st.integers(1, 30),
    per_generation=st.integers(0, 40),
    generations=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_after_every_generation_all_were_shown_equally_often(n, per_generation, generations, seed):
    shown: Counter[int] = Counter(dict.fromkeys(range(n), 0))
    for generation in range(generations):
        chosen = choose(n, per_generation, random_for(seed, Purpose.REFERENCE_CHOICE), generation)
        assert len(chosen) == len(set(chosen)) == min(per_generation, n)
        shown.update(chosen)
        assert set(shown) == set(range(n))
        assert max(shown.values()) - min(shown.values()) <= 1


def test_the_choice_depends_on_the_seed_and_on_nothing_else():
    def chosen(seed):
        return choose(20, 5, random_for(seed, Purpose.REFERENCE_CHOICE), 3)

    assert chosen(1) == chosen(1)
    assert len({chosen(seed) for seed in range(10)}) > 5


def test_nothing_to_choose_from():
    assert choose(0, 3, np.random.default_rng(0)) == ()
