from __future__ import annotations

from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

from closedloop.errors import ProtocolError, ReferenceImageError
from closedloop.protocol.document import read_document
from closedloop.protocol.fields import choices_in, homes_of, section_at, sections, without_kinds
from closedloop.protocol.load import load_by_kind, load_protocol, load_scan, protocol_kind
from closedloop.protocol.reference import REFERENCE_FILES, with_tables
from closedloop.protocol.scan import ScanProtocol
from closedloop.protocol.sections.scan_design import Block

ROOT = Path(__file__).parents[3]
SHIPPED = [path for path in sorted((ROOT / "protocols").glob("*.yaml")) if protocol_kind(path) == "scan"]

SCAN = """\
kind: scan
subject: {id: s1}
seed: 7
scanner: {tr_s: 2, volumes: 100}
stimuli:
  conditions:
    - name: faces
      codes: 8
    - {name: noise, codes: 8, generator: {name: pixels}}
design:
  kind: event_related
  image_s: 1
  isi: {draw: exponential, shortest: 1, mean: 2, longest: 6}
task: {kind: buttons, keys: ["1", "2"]}
"""
EVENTS = "design: {kind: events, file: e.tsv"


def error_of(path: Path, *overrides: str) -> str:
    with pytest.raises(ProtocolError) as caught:
        load_scan(path, overrides)
    return str(caught.value).replace(str(path), path.name).replace(str(path.parent), "FOLDER")


@pytest.fixture
def scan(write) -> Path:
    return write(SCAN)


# --- what is shipped ----------------------------------------------------------------------------------


def test_there_is_one_for_each_design():
    kinds = {path.stem: load_scan(path).protocol.design.kind for path in SHIPPED}
    for kind in choices_in(ScanProtocol.model_fields["design"].annotation):
        assert kinds[f"scanner_{kind}"] == kind
    assert load_scan(ROOT / "protocols" / "scanner_demo.yaml").protocol.scanner.simulate is not None


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_each_loads_and_survives_being_used(path, tmp_path, schema):
    loaded = load_scan(path)
    used = loaded.as_used()
    (tmp_path / "protocol.yaml").write_text(used, encoding="utf-8")
    assert load_scan(tmp_path / "protocol.yaml").protocol == loaded.protocol
    assert ScanProtocol.model_validate_json(loaded.protocol.model_dump_json(), strict=True) == loaded.protocol
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=protocol.schema.json\n")
    schema.validate(read_document(text, path.name).tree)
    if path.stem != "scanner_demo":
        for key in ("tr_s", "volumes", "path", "screen", "width_cm", "distance_cm"):
            assert any(line.strip().startswith(key) and "# CHANGE" in line for line in text.splitlines()), key
        assert loaded.protocol.scanner.simulate is None


def test_the_reference_tables_are_current():
    for file, top in REFERENCE_FILES.items():
        text = (ROOT / file).read_text(encoding="utf-8")
        assert text == with_tables(text, top), "run: python -m closedloop.protocol.reference"
    assert "### `design`, kind `sparse`" in text


# --- kinds --------------------------------------------------------------------------------------------


def test_a_file_says_what_it_is_for(write, minimal, scan):
    assert protocol_kind(scan) == "scan"
    evolution = write(minimal, "evolution.yaml")
    assert protocol_kind(evolution) == "evolution"
    assert [load_by_kind(path, ["seed=3"]).protocol.kind for path in (scan, evolution)] == [
        "scan",
        "evolution",
    ]
    with pytest.raises(ProtocolError, match=r"scna.yaml:1, kind: found the text 'scna'.*Did you mean 'scan'"):
        protocol_kind(write("kind: scna\n", "scna.yaml"))
    assert error_of(evolution) == (
        "evolution.yaml, kind: found kind 'evolution'; expected kind 'scan'. "
        "Name a protocol of kind scan; `closedloop run` takes both kinds."
    )
    with pytest.raises(ProtocolError, match=r":1, kind: found kind 'scan'; expected kind 'evolution'"):
        load_protocol(scan)


# --- what is wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("design.image=2", "design.image=2: found the unknown key 'image'; expected one of units, lead_in, lead_out, "
            "images_per_condition, kind, image_s, repeats, isi, onset_grid, null_share, order, max_same and 1 more. "
            "Did you mean 'image_s'?"),
        ("design.rate_hz=2", "It goes with kind localiser."),
        ("design.dummies=2", "Is it meant as scanner.dummies?"),
        ("design.kind=blok", "design.kind=blok: found the text 'blok'; expected one of event_related, block, "
            "localiser, sparse, events. Did you mean 'block'?"),
        ("design={image_s: 1}", "found no key 'kind'; expected a kind, one of event_related, block,"),
        ("design=block", "design=block: found the text 'block'; expected a section (lines of 'key: value')"),
        ("design.image_s=-1", "design.image_s=-1: found the number -1; expected more than 0"),
        ("design.isi.mean=5", "found 5; expected more than shortest, 1, and less than halfway, 3.5"),
        ("design.isi.draw=uniform", "p.yaml:13, design.isi.mean: found 2; expected 3.5, halfway, as draw is 'uniform'. Leave it out."),
        ("design.isi.draw=given", "design.isi.mean: found a value, while draw is 'given'; expected none"),
        ("design={kind: block, order: given}", "design.given: found none; expected the condition of each block"),
        ("design={kind: block, order: given, given: [cars]}",
            "design.given.0: found the condition 'cars'; expected one of faces, noise"),
        ("task.keys=['5']", "task.keys=['5']: found '5', which is the scanner's (scanner.trigger.key); "
            "expected keys of the subject's own"),
        ("task.correct={cars: '1'}", "found the condition 'cars'; expected one of faces, noise"),
        ("task.correct={faces: '9'}", "task.correct.faces: found '9'; expected one of the keys, 1, 2"),
        ("task={kind: fixation, shortest_s: 1}", "expected more than change_s and limit_s, 1.5 s"),
        ("task={kind: one_bak}", "Did you mean 'one_back'?"),
        ("design={kind: sparse}", "scanner.acquisition_s: found none, while the design is sparse"),
        ("stimuli.conditions.noise.folder=x", "found folder and codes; expected exactly one source of images"),
        ("stimuli.conditions.noise.codes=0", "found none of folder, files, codes and code_file"),
        ("stimuli.conditions.noise.name=rest", "'rest', which names events without an image"),
        ("stimuli.conditions.noise.name=faces", "'faces' for a second time"),
        ("stimuli.conditions.nose.codes=3", "expected its number, 0 to 1, or its name, faces or noise. "
            "Did you mean 'noise'?"),
        ("stimuli.conditions.0.generator.name=dcgn", "Did you mean 'dcgan'?"),
        ("stimuli.conditions=[]", "found none; expected at least one, as the design is 'event_related'"),
        ("stimuli.size_deg=80", "that leaves the window"),
        ("runs={each: [{label: a}, {label: a}]}", "runs.each.1.label: found 'a' for a second time"),
        ("runs={count: 2, each: [{label: a}]}", "runs.count: found a count as well as the runs one by one"),
        ("runs={each: [{label: a, events: x.tsv}]}", "a table, while the design is 'event_related'"),
        ("design={kind: events}", "design.file: found none; expected the table of run 1"),
        ("efficiency.contrasts=[{name: c, weights: {cars: 1}}]", "found the condition 'cars'"),
        ("efficiency.contrasts=[{name: c, weights: {faces: 0}}]", "found nothing but zeros"),
        ("scanner.simulate={answer_after_s: [1, 0.5]}", "found 1 s before 0.5 s; expected earliest, latest"),
        ("fixation=null", None),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(scan, override, message):
    if message is None:
        assert load_scan(scan, [override]).protocol.fixation is None
        return
    assert message in error_of(scan, override)


def test_problems_of_a_file_are_listed_with_their_lines(write):
    path = write(SCAN.replace("image_s: 1", "imag_s: 1").replace("tr_s: 2", "tr: 2"))
    found = error_of(path)
    assert "line 4, scanner.tr: found the unknown key 'tr'" in found
    assert "line 12, design.imag_s: found the unknown key 'imag_s'" in found
    assert "found 3 problems" in found


def test_a_fixation_task_needs_its_point_and_a_table_its_own_repeats(scan, write):
    assert "null, while the task is at the fixation point" in error_of(
        scan, "fixation=null", "task={kind: fixation}"
    )
    path = write(SCAN.replace("event_related", "events").split("design:")[0] + EVENTS + "}\n", "e.yaml")
    assert "task.kind: found a one-back task with a design of kind 'events'" in error_of(
        path, "task={kind: one_back}"
    )
    assert "efficiency.candidates=3: found several" in error_of(path, "efficiency.candidates=3")
    assert "e.yaml:10, design.file: found no file FOLDER/e.tsv" in error_of(path)


def test_a_sparse_design_must_fit_the_silence(scan):
    sets = ["scanner.tr_s=3", "scanner.acquisition_s=2", "design={kind: sparse, image_s: 0.9, delay_s: 0.2}"]
    assert (
        "found 1.1 s from the start of the silence to the end of its last image; expected at most 1 s"
        in error_of(scan, *sets)
    )
    assert load_scan(scan, [*sets, "design.delay_s=0.1"]).protocol.design.event_s == 0.9


# --- files --------------------------------------------------------------------------------------------


def test_input_paths_start_at_the_protocol(write, tmp_path, monkeypatch):
    (tmp_path / "pics").mkdir()
    for name in ("pics/a.png", "b.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    np.save(tmp_path / "codes.npy", np.zeros((3, 100), np.float32))
    conditions = (
        "- {name: a, folder: pics}\n    - {name: b, files: [b.png]}\n    - {name: c, code_file: codes.npy}\n"
    )
    path = write(
        SCAN.split("    - name: faces")[0] + "    " + conditions + "design:" + SCAN.split("design:")[1]
    )
    monkeypatch.chdir("/")
    loaded = load_scan(path)
    a, b, c = loaded.protocol.stimuli.conditions
    assert (a.folder, b.files, c.code_file) == (
        tmp_path / "pics",
        (tmp_path / "b.png",),
        tmp_path / "codes.npy",
    )
    assert "# Made absolute: stimuli.conditions.1.files.0 (was b.png)" in loaded.as_used()
    (tmp_path / "b.png").unlink()
    (tmp_path / "codes.npy").write_bytes(b"")
    found = error_of(path)
    assert "stimuli.conditions.1.files.0: found no file FOLDER/b.png" in found
    assert "stimuli.conditions.2.code_file: found a file that can't be read" in found
    load_scan(path, check_files=False)
    (tmp_path / "pics" / "a.png").unlink()
    with pytest.raises(ReferenceImageError):
        load_scan(path)


def test_runs_and_contrasts_may_be_called_by_name(write):
    path = write(SCAN + "runs: {each: [{label: one}, {label: two}]}\n")
    protocol = load_scan(path, ["runs.each.two.seed=4"]).protocol
    assert [run.seed for run in protocol.runs.planned] == [None, 4]
    assert [run.label for run in load_scan(path, ["runs={count: 3}"]).protocol.runs.planned] == [
        "1",
        "2",
        "3",
    ]


# --- how fields are found -----------------------------------------------------------------------------


def test_sections_that_are_chosen_by_kind_are_found():
    assert section_at(("design", "block"), ScanProtocol) is Block
    assert section_at(("design", "blok"), ScanProtocol) is None
    assert without_kinds(("design", "block", "given", 0), ScanProtocol) == ("design", "given", 0)
    assert without_kinds(("scanner", "trigger", "key"), ScanProtocol) == ("scanner", "trigger", "key")
    assert [model for path, model in sections(ScanProtocol) if path == "design"][1] is Block
    assert homes_of("rest_at_end", ScanProtocol) == ["design.rest_at_end"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("design", {"kind": "blok"}),
        ("design", {"kind": "block", "repeats": 2}),
        ("task", {"kind": "fixation", "share": 0.1}),
        ("scanner", {"tr_s": 2}),
        ("threads", [{}]),
        ("stimuli", {"conditions": [{"name": "a", "codes": 1, "generator": {"name": "dcgn"}}]}),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(schema, key, value):
    tree = read_document(SCAN, "scan").tree
    schema.validate(tree)
    tree[key] = value
    with pytest.raises(jsonschema.ValidationError):
        schema.validate(tree)
