from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scan_plans import names_of, plans, scan_protocol

from closedloop.errors import CodeError, ProtocolError, ReferenceImageError
from closedloop.generators import make_generator
from closedloop.scan.design import draw_runs
from closedloop.scan.placeholder import placeholder
from closedloop.scan.stimuli import load_stimuli

PIXELS = {"generator": {"name": "pixels", "parameters": {"width_px": 8, "height_px": 6}}}


def picture(path: Path, size: tuple[int, int], colour=(200, 0, 0)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def stimuli_of(*conditions, **rest):
    return load_stimuli(scan_protocol(stimuli={"conditions": list(conditions), **rest}))


def test_folders_lists_and_codes_come_together_in_one_shape(tmp_path):
    picture(tmp_path / "faces" / "b.png", (40, 20))
    picture(tmp_path / "faces" / "a.bmp", (20, 20))
    single = picture(tmp_path / "x.png", (8, 6))
    found = stimuli_of(
        {"name": "faces", "folder": str(tmp_path / "faces")},
        {"name": "one", "files": [str(single)]},
        {"name": "noise", "codes": 2, **PIXELS},
    )
    assert found.by_condition == {
        "faces": ("faces/a.bmp", "faces/b.png"),
        "one": ("one/x.png",),
        "noise": ("noise/code-0001", "noise/code-0002"),
    }
    assert found.image_shape == (6, 8, 3)
    assert len(found) == 5
    assert all(item.pixels.shape == (6, 8, 3) and item.pixels.dtype == np.uint8 for item in found.values())
    one, code = found["one/x.png"], found["noise/code-0002"]
    assert (one.origin, one.source, one.code) == ("file", single, None)
    assert one.sha256 == hashlib.sha256(single.read_bytes()).hexdigest()
    assert (code.origin, code.source, code.sha256, code.code.dtype) == ("random", None, None, np.float32)
    assert set(found.provenance) == {"noise"}
    assert found.size_deg(4) == (4, 3)


def test_codes_hang_on_the_seed_and_their_pictures_on_the_codes(tmp_path):
    first = stimuli_of({"name": "noise", "codes": 2, **PIXELS})
    again = stimuli_of({"name": "other", "codes": 1, **PIXELS})
    assert np.array_equal(first["noise/code-0001"].code, again["other/code-0001"].code)
    codes = np.stack([item.code for item in first.values()])
    parameters = PIXELS["generator"]["parameters"]
    rendered = make_generator("pixels", parameters=parameters).render(codes)
    assert np.array_equal(np.stack([item.pixels for item in first.values()]), rendered)
    np.save(tmp_path / "codes.npy", codes[::-1].astype(np.float64))
    given = stimuli_of({"name": "given", "code_file": str(tmp_path / "codes.npy"), **PIXELS})
    assert given["given/code-0001"].origin == "given"
    assert np.array_equal(given["given/code-0001"].pixels, rendered[1])


def test_without_a_generator_the_first_picture_gives_the_shape(tmp_path):
    files = [picture(tmp_path / "a.png", (30, 20)), picture(tmp_path / "b.png", (20, 20), (0, 200, 0))]
    condition = {"name": "a", "files": [str(file) for file in files]}
    cut = stimuli_of(condition)
    assert cut.image_shape == (20, 30, 3)
    assert (cut["a/b.png"].pixels == (0, 200, 0)).all()
    padded = stimuli_of(condition, fit="pad")
    assert (padded["a/b.png"].pixels[:, 0] == 128).all()  # the background
    assert (padded["a/b.png"].pixels[:, 15] == (0, 200, 0)).all()
    assert stimuli_of(condition, size_px=[10, 16]).image_shape == (16, 10, 3)


def test_large_pictures_are_made_smaller(tmp_path):
    path = picture(tmp_path / "a.png", (2048, 512))
    assert stimuli_of({"name": "a", "files": [str(path)]}).image_shape == (256, 1024, 3)


def table_protocol(tmp_path: Path, **design):
    (tmp_path / "e.tsv").write_text(
        "onset\tduration\ttrial_type\tstim_file\n1\t1\ta\tx/a.png\n3\t1\ta\tx/b.png\n5\t1\ta\tx/a.png\n"
    )
    spec = {"kind": "events", "file": str(tmp_path / "e.tsv"), "folder": str(tmp_path), **design}
    return scan_protocol(spec, stimuli={"conditions": []})


def test_the_images_of_a_table_are_found_or_stood_in_for(tmp_path):
    there = picture(tmp_path / "x" / "a.png", (20, 20))
    with pytest.raises(ReferenceImageError, match=r"b\.png: found no such file.*placeholder"):
        load_stimuli(table_protocol(tmp_path))
    found = load_stimuli(table_protocol(tmp_path, missing="placeholder"))
    assert list(found) == ["x/a.png", "x/b.png"]
    assert (found["x/a.png"].origin, found["x/b.png"].origin) == ("file", "placeholder")
    assert found["x/a.png"].source == there
    assert found.image_shape == (20, 20, 3)
    assert found.by_condition == {}
    (plan,) = draw_runs(table_protocol(tmp_path), found.by_condition, measured=False)
    assert {event.stimulus for event in plan.events} == set(found)


def test_placeholders_differ_by_name_and_are_seen():
    shapes = [placeholder(name, (65, 30, 3)) for name in ("a.png", "b.png", "a.png")]
    assert np.array_equal(shapes[0], shapes[2])
    assert not np.array_equal(shapes[0], shapes[1])
    assert all(picture.std() > 10 for picture in shapes)


def test_names_that_would_collide_are_refused(tmp_path):
    files = [picture(tmp_path / "1" / "a.png", (8, 8)), picture(tmp_path / "2" / "a.png", (8, 8))]
    with pytest.raises(ReferenceImageError, match=r"a second file of the name a\.png in condition a"):
        stimuli_of({"name": "a", "files": [str(file) for file in files]})


def test_more_pixels_than_can_be_held_are_refused_before_they_are_read():
    with pytest.raises(ProtocolError, match=r"4000 images of 1000 x 1000 pixels.*size_px"):
        stimuli_of({"name": "a", "codes": 4000, **PIXELS}, size_px=[1000, 1000])


def test_codes_of_another_generator_are_refused(tmp_path):
    np.save(tmp_path / "codes.npy", np.zeros((2, 5), np.float32))
    with pytest.raises(CodeError, match=r"codes of shape \(2, 5\)"):
        stimuli_of({"name": "a", "code_file": str(tmp_path / "codes.npy"), **PIXELS})


def test_its_names_are_what_designs_are_drawn_of():
    protocol = scan_protocol(stimuli={"conditions": [{"name": "a", "codes": 4, **PIXELS}]})
    found = load_stimuli(protocol)
    drawn = draw_runs(protocol, found.by_condition, measured=False)
    assert {event.stimulus for event in drawn[0].events} == set(found)
    assert len(plans(protocol)[0].events) == len(drawn[0].events)
    assert set(names_of(protocol)) == set(found.by_condition)
