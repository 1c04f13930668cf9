from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from closedloop.errors import ClosedLoopError, ProtocolError, ReferenceImageError
from closedloop.protocol.document import read_document
from closedloop.protocol.load import load_protocol
from closedloop.protocol.paths import is_weight_path


def error_of(path: Path, *overrides: str) -> str:
    """The message, with the test's folder taken out."""
    with pytest.raises(ProtocolError) as caught:
        load_protocol(path, overrides)
    return str(caught.value).replace(str(path), path.name).replace(str(path.parent), "FOLDER")


# --- what is right ------------------------------------------------------------------------------------


def test_a_short_protocol_has_the_papers_defaults(write, minimal):
    loaded = load_protocol(write(minimal))
    protocol = loaded.protocol
    assert (protocol.presentation.on_ms, protocol.presentation.off_ms) == (100, 100)
    assert (protocol.response.window.start_ms, protocol.response.window.end_ms) == (50, 200)
    assert protocol.response.baseline is not None
    assert (protocol.response.baseline.start_ms, protocol.response.baseline.end_ms) == (0, 45)
    assert protocol.threads[0].size_deg == 3
    assert protocol.limits.generations == 30
    assert loaded.path.is_absolute()
    assert loaded.text == minimal
    assert loaded.sha256 == hashlib.sha256(minimal.encode()).hexdigest()


def test_a_byte_order_mark_and_windows_line_ends_change_nothing_but_the_hash(write, minimal):
    plain = load_protocol(write(minimal))
    raw = b"\xef\xbb\xbf" + minimal.replace("\n", "\r\n").encode()
    windows = load_protocol(write(raw, "w.yaml"))
    assert windows.protocol == plain.protocol
    assert windows.sha256 == hashlib.sha256(raw).hexdigest()
    again = load_protocol(write(windows.as_used(), "again.yaml"))
    assert again.protocol == plain.protocol


def test_a_date_in_a_note_stays_text(write, minimal):
    assert load_protocol(write(minimal + "notes: 2026-11-21\n")).protocol.notes == "2026-11-21"


def test_input_paths_start_at_the_protocol_and_output_where_it_runs(write, minimal, tmp_path, monkeypatch):
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics" / "a.png").write_bytes(b"looked for, not looked at")
    np.save(tmp_path / "codes.npy", np.zeros((20, 100), np.float32))
    (tmp_path / "w.pth").write_bytes(b"")
    path = write(
        minimal.replace("    optimizer:\n", "    optimizer:\n      initial_codes: codes.npy\n")
        + "references: {folder: pics, per_generation: 2}\noutput: {folder: out}\n"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    weights = ["threads.0.generator.weights=./w.pth", f"threads.0.generator.sha256='{'0' * 64}'"]
    protocol = load_protocol(os.path.relpath(path), weights).protocol
    assert protocol.references.folder == tmp_path / "pics"
    assert protocol.threads[0].optimizer.initial_codes == tmp_path / "codes.npy"
    assert protocol.threads[0].generator.weights == str(tmp_path / "w.pth")
    assert protocol.output.folder == Path("out")


@pytest.mark.parametrize(
    ("weights", "path"),
    [("dcgan-faces", False), ("a/b", True), ("c.safetensors", True), (r"d\e", True), ("x.tar", True)],
)
def test_weights_are_a_path_or_a_model_id(weights, path):
    assert is_weight_path(weights) is path


# --- as used ------------------------------------------------------------------------------------------


def test_as_used_keeps_comments_and_notes_what_was_changed(write, minimal, tmp_path):
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics" / "a.png").write_bytes(b"")
    path = write(
        "# yaml-language-server: $schema=protocol.schema.json\n# My protocol\n"
        + minimal
        + "references: {folder: pics, per_generation: 2}\n"
    )
    sets = [
        "threads.evolution.size_deg=4",
        "threads.0.optimizer.parameters.population=30",
        "display.photodiode=",
    ]
    loaded = load_protocol(path, sets)
    assert loaded.as_used() == (
        f"""\
# As used by a session of closedloop.
# Read from {path}
# SHA-256 {loaded.sha256}
# Set on the command line: threads.evolution.size_deg=4 (was left out)
# Set on the command line: threads.0.optimizer.parameters.population=30 (was 20)
# Set on the command line: display.photodiode= (was left out)
# Made absolute: references.folder (was pics)

# My protocol
subject:
  id: m1
seed: 7
threads:
  - name: evolution  # the only one
    optimizer:
      preset: in-vivo
      parameters: {{population: 30, n_conserve: 5}}
    size_deg: 4
response:
  stream:
    source_id: sorter
  kind: spikes
  unit_count: 4
references: {{folder: {tmp_path}/pics, per_generation: 2}}
display:
  photodiode:
"""
    ).replace("photodiode:\n", "photodiode: null\n")
    (tmp_path / "session").mkdir()
    again = load_protocol(write(loaded.as_used(), "session/protocol.yaml"))
    assert again.protocol == loaded.protocol


def test_as_used_can_be_used_and_changed_again(write, minimal):
    first = load_protocol(write(minimal), ["seed=8"])
    second = load_protocol(write(first.as_used(), "2.yaml"), ["seed=9"])
    third = load_protocol(write(second.as_used(), "3.yaml"))
    assert third.protocol == second.protocol
    assert third.protocol.seed == 9


def test_a_note_of_an_override_can_not_break_out_of_its_comment(write, minimal):
    loaded = load_protocol(write(minimal), ['notes="a\n\n  b"', 'subject.notes="x\u2028seed: 3"'])
    again = load_protocol(write(loaded.as_used(), "2.yaml"))
    assert again.protocol == loaded.protocol


# --- golden messages ----------------------------------------------------------------------------------


def test_message_for_one_unknown_key(write, minimal):
    path = write(minimal + "presentation:\n  on_sm: 100\n")
    assert error_of(path) == (
        "p.yaml:15, presentation.on_sm: found the unknown key 'on_sm'; expected one of on_ms, off_ms, "
        "flicker, images_per_trial, inter_trial_interval_ms, fixation. Did you mean 'on_ms'?"
    )


def test_message_for_many_problems(write):
    path = write(
        """\
        subject:
          id: 12
        presentation: {on_ms: fast, off_ms: .nan}
        seed: true
        threads:
          - optimizer: {population: 3}
            units: {units: [0, 1]}
            size_deg: -1
          - on_ms: 3
        response:
          stream: {}
          kind: rate
        display:
          size_px: [800]
          photodiode: {corner: top-lft}
        """
    )
    assert error_of(path) == (
        """\
p.yaml: found 12 problems; expected none. Correct each and start again:
  line 2, subject.id: found the number 12; expected text. Put it in quotes, as it was written (with --set: 'KEY="VALUE"').
  line 3, presentation.on_ms: found the text 'fast'; expected a number.
  line 3, presentation.off_ms: found the number nan; expected a finite number.
  line 4, seed: found true; expected a whole number.
  line 6, threads.0.optimizer.population: found the unknown key 'population'; expected one of name, preset, parameters, initial_codes. If it is one of its parameters, put it below 'parameters:'.
  line 7, threads.0.units.units: found 2 units; expected exactly one, as combine is 'one'. Name one, or set combine to mean.
  line 8, threads.0.size_deg: found the number -1; expected more than 0.
  line 9, threads.1.on_ms: found the unknown key 'on_ms'; expected one of name, generator, optimizer, units, position_deg, size_deg. Is it meant as presentation.on_ms or presentation.flicker.on_ms?
  line 11, response.stream: found neither name, type nor source_id; expected at least one of them. Pin the source_id; `closedloop streams` shows it.
  line 12, response.kind: found the text 'rate'; expected one of rates, counts, spikes, trials. Did you mean 'rates'?
  line 14, display.size_px: found a list of 1; expected at least 2 items.
  line 15, display.photodiode.corner: found the text 'top-lft'; expected one of top-left, top-right, bottom-left, bottom-right. Did you mean 'top-left'?"""
    )


def test_message_for_parameters_of_the_optimizer_and_for_overrides(write, minimal):
    message = error_of(
        write(minimal.replace("population: 20", "populaton: 20")),
        "threads.evolution.generator.name=dcgn",
        "threads.0.optimizer.preset=invivo",
    )
    assert message == (
        """\
p.yaml: found 3 problems; expected none. Correct each and start again:
  line 8, threads.0.optimizer.parameters.populaton: found the unknown key 'populaton'; expected one of population, mutation_rate, mutation_size, selectivity, heritability, n_conserve. Did you mean 'population'?
  --set threads.0.optimizer.preset=invivo: found the text 'invivo'; expected one of xdream, in-vivo. Did you mean 'in-vivo'?
  --set threads.evolution.generator.name=dcgn, threads.0.generator.name: found the text 'dcgn'; expected one of dcgan, pixels. Did you mean 'dcgan'?"""
    )


# --- files that are no protocol -----------------------------------------------------------------------


def test_a_missing_file_and_a_folder(tmp_path):
    missing = tmp_path / "no.yaml"
    with pytest.raises(ProtocolError, match=r"no\.yaml: found no such file; expected a protocol"):
        load_protocol(missing)
    with pytest.raises(ProtocolError, match="found a folder"):
        load_protocol(tmp_path)
    with pytest.raises(ProtocolError, match="found something that is not a file"):
        load_protocol(os.devnull)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "p.yaml: found an empty file; expected a protocol."),
        (b"# only a comment\n", "p.yaml: found an empty file; expected a protocol."),
        (b"- a\n- b\n", "p.yaml:1: found a list; expected sections such as 'subject:' and 'threads:'."),
        (b"hello\n", "p.yaml:1: found a single value; expected sections"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "p.yaml: found binary data; expected a protocol, a YAML file in UTF-8."),
        (b"seed: 1\nnotes: caf\xe9\n", "p.yaml:2: found a byte that is not UTF-8 (0xe9);"),
        (b"seed: 1\nsubject:\n\tid: x\n", "p.yaml:3: found a tab; expected spaces for indentation."),
        (b"seed: 1\nseed: 2\n", "p.yaml:2: found the key 'seed' for a second time; expected each key once."),
        (b"seed: [1, 2\n", "p.yaml:2: found broken YAML"),
        (b"seed: 1\n bad: 2\n", "p.yaml:2: found broken YAML"),
        (b"seed: 1\n---\nseed: 2\n", "p.yaml:2: found a second document ('---'); expected one protocol"),
        (b"%YAML 1.1\n---\nseed: 1\n", "found a YAML directive ('%...'); expected none."),
        (b"1: x\n", "p.yaml:1: found the key 1; expected text as a key."),
        (b"seed: \x07\n", "p.yaml: found something unreadable"),
        (b"seed: " + b"9" * 5000 + b"\n", "found"),
        (b"a: " + b"[" * 100 + b"]" * 100, "p.yaml:1: found more than 24 levels of nesting"),
        (b"a: " + b"[" * 100_000, "p.yaml:1: found more than 24 levels of nesting"),
        (b"# " + b"x" * 300_000, "p.yaml: found more than 256 KiB"),
    ],
    ids=range(18),
)
def test_files_that_are_no_protocol(write, content, message):
    found = error_of(write(content))
    assert message in found
    assert len(found) < 600


def test_tags_are_refused_and_run_nothing(write, minimal, tmp_path):
    sign = tmp_path / "executed"
    for tag in ("!!python/object/apply:os.system", "!!python/name:os.system", "!include", "!!binary"):
        path = write(minimal + f"notes: {tag} ['touch {sign}']\n")
        assert re.match(r"p\.yaml:14: found the tag '.*'; expected plain values\.", error_of(path))
    with pytest.raises(ProtocolError, match="found the tag"):
        load_protocol(write(minimal), [f"notes=!!python/object/apply:os.system ['touch {sign}']"])
    assert not sign.exists()


def test_aliases_are_refused_before_they_are_followed(write):
    bomb = "a: &a [x, x]\n" + "".join(
        f"{new}: &{new} [{', '.join(['*' + old] * 9)}]\n"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert error_of(write(bomb)).startswith("p.yaml:1: found the anchor or alias 'a'; expected each value")
    assert "found the anchor or alias 'r'" in error_of(write("r: &r [*r]\n"))
    assert "found a merge key ('<<')" in error_of(write("<<: {seed: 1}\n"))


def test_a_file_that_may_not_be_read(write, minimal):
    path = write(minimal)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert "found a file that can't be read (Permission denied)" in error_of(path)


# --- sections that do not fit each other --------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("threads.0.units.units=[4]", "found unit 4; expected 0 to 3 (response.unit_count)"),
        ("response.expected_channels=2", "found 2 channels for kind 'spikes'; expected 1"),
        ("response.expected_rate_hz=5", "found 5 Hz for kind 'spikes'; expected none"),
        ("response.kind=rates", "found a unit count for kind 'rates'; expected none"),
        ("response.normalise=divide", "found 'divide' without references"),
        ("threads.0.generator.weights=dcgan-fases", "Did you mean 'dcgan-faces'?"),
        (
            "threads.0.generator.weights=x.pth",
            "threads.0.generator.sha256: found nothing; expected the SHA-256",
        ),
        ("threads.0.optimizer.name=genetics", "Did you mean 'genetic'?"),
        ("threads.0.optimizer.parameters.mutation_rate=2", "found the number 2; expected at most 1"),
        ("threads.0.optimizer.parameters.mutation_rate=.nan", "expected"),
        ("threads.0.optimizer.parameters.n_conserve=20", "with every code conserved nothing is bred"),
        ("threads.0.optimizer.parameters.preset=xdream", "Move it up, beside 'parameters'"),
        ("threads.0.generator.parameters.widht=3", "found the unknown key 'widht'"),
        ("threads.0.size_deg=60", "found an image of 60 degrees at (0, 0) that leaves the window"),
        ("threads.0.position_deg=[-18, -13]", "covers the photodiode's patch in the bottom-left corner"),
        ("threads.0.optimizer.initial_codes=no.npy", "found no file FOLDER/no.npy"),
        ("threads.0.units={combine: weights, units: [0, 1]}", "found no weights; expected 2"),
        ("threads.0.units={combine: weights, units: [0, 1], weights: [0, 0]}", "nothing but zeros"),
        ("threads.0.units={combine: mean, units: [1, 1]}", "found a unit named twice"),
        ("threads=[{}, {}]", "found 'evolution' for a second time; expected a name for each thread"),
        ("threads=[]", "found a list of 0; expected at least 1 item"),
        (
            "response.window={start_ms: 50, end_ms: 40}",
            "found an end at 40 ms; expected one at least 1 ms after",
        ),
        ("response.subtract_baseline=1", "found the number 1; expected true or false"),
        ("references={per_generation: 2}", "but nothing to take them from"),
        ("stop=[{rule: score}]", "stop.0.score: found none; expected the level to reach"),
        ("display.photodiode={bright: 0.5, dark: 0.5}", "two levels that differ"),
        ("subject.id=a_b", "Letters and digits only: it becomes part of file names."),
        ("subject.age=9 years", "ISO 8601"),
        ("version=2", "version=2: found the number 2; expected 1."),
        ("response={kind: spikes}", "stream: found nothing; expected the key 'stream'"),
        ("notes='\\ud800'", ""),
        ('notes="\\ud800"', "Invalid JSON"),
    ],
)
def test_values_that_do_not_fit(write, minimal, override, message):
    path = write(minimal)
    if not message:
        load_protocol(path, [override])
        return
    assert message in error_of(path, override)


def test_the_patch_only_forbids_its_own_corner(write, minimal):
    path = write(minimal)
    for position in ("[18, -13]", "[-18, 13]", "[-18, 0]", "[0, -13]"):
        load_protocol(path, [f"threads.0.position_deg={position}"])
    load_protocol(path, ["threads.0.position_deg=[-18, -13]", "display.photodiode=null"])
    # a calibrated Monitor has a width and distance of its own
    load_protocol(path, ["threads.0.size_deg=60", "display.monitor=mine"])


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.zeros((21, 100), np.float32), "found 21 codes; expected at most the population, 20"),
        (np.zeros(100, np.float32), "found float32 (100,); expected floating-point codes (n, d)"),
        (np.zeros((2, 100), np.int64), "found int64 (2, 100)"),
        (np.full((2, 100), np.nan), "found codes that are NaN or infinite"),
        (np.array([[{"pickled": 1}]]), "found a file that can't be read"),
    ],
)
def test_initial_codes_that_do_not_fit(write, minimal, tmp_path, codes, message):
    np.save(tmp_path / "c.npy", codes, allow_pickle=True)
    assert message in error_of(write(minimal), "threads.0.optimizer.initial_codes=c.npy")


def test_files_are_looked_for_unless_told_not_to(write, minimal):
    path = write(minimal + "references: {folder: pics, per_generation: 1}\n")
    with pytest.raises(ReferenceImageError, match="pics: found no such folder"):
        load_protocol(path)
    assert load_protocol(path, check_files=False).protocol.references.per_generation == 1


# --- anything at all ----------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:-[]{},&*!|>#'\"%@`?\n \t~0.\\\ud800é\x85\ufeff"), max_size=40))
def test_no_text_does_worse_than_a_protocol_error(text):
    try:
        read_document(text, "p.yaml")
    except ProtocolError as error:
        assert str(error)  # noqa: PT017  # any other error must fail the test, no error is fine


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_slip_of_the_pen_does_worse_than_a_clear_error(write, minimal, data):
    lines = minimal.splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 1))
    slip = data.draw(st.sampled_from(["drop", "double", "indent", "letter", "value"]))
    line = lines[at]
    lines[at] = {
        "drop": "",
        "double": line * 2,
        "indent": "  " + line,
        "letter": line.replace(line.strip()[:2], line.strip()[:2][::-1]),
        "value": line.partition(":")[0]
        + ": "
        + data.draw(st.sampled_from(["[]", "{}", "null", "-1", "true", "x"]))
        + "\n",
    }[slip]
    try:
        load_protocol(write("".join(lines)))
    except ClosedLoopError as error:
        assert isinstance(error, ProtocolError)  # noqa: PT017  # no error is fine, too
        assert "p.yaml" in str(error)  # noqa: PT017  # as above
