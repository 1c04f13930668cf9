from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from closedloop.protocol.document import read_document
from closedloop.protocol.fields import homes_of, section_at, sections
from closedloop.protocol.frames import check_timing
from closedloop.protocol.load import load_protocol, protocol_kind
from closedloop.protocol.models import Protocol, Thread, WindowMs
from closedloop.protocol.reference import with_tables
from closedloop.protocol.schema import json_schema_text

ROOT = Path(__file__).parents[3]
SHIPPED = [path for path in sorted((ROOT / "protocols").glob("*.yaml")) if protocol_kind(path) == "evolution"]


def test_there_is_one_for_each_kind_of_session():
    names = {path.name for path in SHIPPED}
    assert names >= {
        "demo.yaml",
        "rig_rates.yaml",
        "rig_spikes.yaml",
        "rig_trials.yaml",
        "twin_evolution.yaml",
    }


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_each_loads_fits_its_display_and_survives_being_used(path, tmp_path):
    loaded = load_protocol(path)
    assert check_timing(loaded.protocol, 1 / loaded.protocol.display.refresh_hz) == []
    used = loaded.as_used()
    (tmp_path / "protocol.yaml").write_text(used, encoding="utf-8")
    assert load_protocol(tmp_path / "protocol.yaml").protocol == loaded.protocol
    # the session file keeps it as JSON
    assert Protocol.model_validate_json(loaded.protocol.model_dump_json(), strict=True) == loaded.protocol
    comments = [line.partition("#")[2] for line in loaded.text.splitlines()[1:] if "#" in line]
    assert all(comment in used for comment in comments)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_each_names_the_schema_and_fits_it(path, schema):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=protocol.schema.json\n")
    schema.validate(read_document(text, path.name).tree)


@pytest.mark.parametrize(
    "path", [path for path in SHIPPED if path.stem != "demo"], ids=lambda path: path.stem
)
def test_each_rig_protocol_marks_what_must_be_changed(path):
    marked = [line for line in path.read_text(encoding="utf-8").splitlines() if "# CHANGE" in line]
    for key in ("source_id", "refresh_hz", "width_cm", "distance_cm", "size_px", "units", "corner"):
        assert any(line.strip(" -").startswith(key) for line in marked), key


def test_the_demo_is_short_enough_and_hears_the_simulated_subject():
    protocol = load_protocol(ROOT / "protocols" / "demo.yaml").protocol
    (thread,) = protocol.threads
    trials = protocol.limits.generations * (
        thread.optimizer.parameters["population"] + protocol.references.per_generation
    )
    assert trials * (protocol.presentation.on_ms + protocol.presentation.off_ms) / 60_000 < 3
    assert protocol.response.stream.source_id == "closedloop-simulated-subject"


def test_the_schema_file_is_current():
    written = (ROOT / "protocols" / "protocol.schema.json").read_text(encoding="utf-8")
    assert written == json_schema_text(), "run: python -m closedloop.protocol.reference"


def test_the_reference_tables_are_current():
    text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    assert text == with_tables(text), "run: python -m closedloop.protocol.reference"
    assert "| `on_ms` | number above 0 | `100.0` | Time an image is on. |" in text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optimizer", {"parameters": {"populaton": 20}}),
        ("optimizer", {"parameters": {"mutation_rate": 2}}),
        ("optimizer", {"name": "random", "parameters": {"mutation_rate": 0.5}}),
        ("optimizer", {"name": "genetik"}),
        ("optimizer", {"preset": "invivo"}),
        ("generator", {"name": "pixels", "parameters": {"widht_px": 3}}),
        ("generator", {"name": "dcgn"}),
        ("sizedeg", 3),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(schema, key, value):
    tree = {
        "subject": {"id": "a"},
        "seed": 1,
        "threads": [{}],
        "response": {"kind": "spikes", "stream": {"name": "x"}},
    }
    schema.validate(tree)
    tree["threads"] = [{key: value}]
    with pytest.raises(jsonschema.ValidationError):
        schema.validate(tree)


def test_sections_are_found_by_their_path():
    assert section_at(("threads", 3)) is Thread
    assert section_at(("response", "baseline")) is WindowMs
    assert section_at(("response", "kind")) is None
    assert "threads[].optimizer" in dict(sections())
    assert homes_of("corner") == ["display.photodiode.corner"]
    assert homes_of("nowhere") == []
