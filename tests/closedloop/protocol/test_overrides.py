from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from closedloop.errors import ProtocolError
from closedloop.protocol.load import load_protocol
from closedloop.protocol.overrides import NOT_IN_FILE, apply_override, parse_override

KEYS = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("seed=3", lambda p: p.seed == 3),
        ("presentation.on_ms=83.5", lambda p: p.presentation.on_ms == 83.5),
        ("threads.0.size_deg=4", lambda p: p.threads[0].size_deg == 4),
        ("threads.evolution.size_deg=4", lambda p: p.threads[0].size_deg == 4),
        ("threads.evolution.position_deg.1=-2", lambda p: p.threads[0].position_deg == (0, -2)),
        ("display.size_px=[800, 600]", lambda p: p.display.size_px == (800, 600)),
        ("display.photodiode=null", lambda p: p.display.photodiode is None),
        ("response.baseline={start_ms: -40, end_ms: 0}", lambda p: p.response.baseline.start_ms == -40),
        ('subject.id="012"', lambda p: p.subject.id == "012"),
        ("notes=a = b", lambda p: p.notes == "a = b"),
        ("subject.notes=", None),
        (" seed =3", lambda p: p.seed == 3),
    ],
)
def test_values_are_yaml_and_keys_are_paths(write, minimal, override, read):
    path = write(minimal.replace("    optimizer:", "    position_deg: [0, 0]\n    optimizer:"))
    if read is None:
        with pytest.raises(ProtocolError, match="found nothing; expected text"):
            load_protocol(path, [override])
        return
    loaded = load_protocol(path, [override])
    assert read(loaded.protocol)
    assert loaded.overrides == (override,)


def test_the_last_of_several_counts(write, minimal):
    assert load_protocol(write(minimal), ["seed=3", "seed=4"]).protocol.seed == 4


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "seed",
            "--set seed: found no equals sign; expected key.key=value. For example --set presentation.on_ms=80.",
        ),
        (
            # not "put it in quotes: '0'", which would be another text
            "threads.0.generator.sha256=" + 64 * "0",
            """found the number 0; expected text. Put it in quotes, as it was written (with --set: 'KEY="VALUE"').""",
        ),
        ("=3", "--set =3: found an empty key; expected key.key=value."),
        ("a..b=3", "found an empty key"),
        ("seed=[", "--set seed=[: found broken YAML"),
        ("seed=*a", "--set seed=*a: found the anchor or alias 'a'"),
        ("seed.x=2", "--set seed.x=2: found a key below 'seed', which is a single value;"),
        ("sed=3", "--set sed=3: found the unknown key 'sed'; expected one of version, kind, subject"),
        ("sed=3", "Did you mean 'seed'?"),
        (
            "threads.1.size_deg=2",
            "found '1' as an item of 'threads'; expected its number, 0 to 0, or its name, evolution.",
        ),
        ("threads.evoluton.size_deg=2", "Did you mean 'evolution'?"),
        ("threads.-1.size_deg=2", "found '-1' as an item of 'threads'"),
        ("threads.evolution.sice_deg=2", "Did you mean 'size_deg'?"),
        (
            "presentation.fixaton.size_deg=2",
            "--set presentation.fixaton.size_deg=2, presentation.fixaton: found the unknown",
        ),
    ],
)
def test_overrides_that_do_not_work(write, minimal, override, message):
    with pytest.raises(ProtocolError) as caught:
        load_protocol(write(minimal), [override])
    assert message in str(caught.value)


@settings(max_examples=100, deadline=None)
@given(
    keys=st.lists(KEYS, min_size=1, max_size=4),
    value=st.one_of(
        st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False, width=32)
    ),
)
def test_what_is_set_stands_there_and_nothing_else_changed(keys, value):
    written = (
        {None: "null", True: "true", False: "false"}.get(value)
        if not isinstance(value, (int, float)) or isinstance(value, bool)
        else None
    )
    override = parse_override(".".join(keys) + "=" + (written or format(value)))
    tree = {"other": {"kept": 1}, "list": [{"name": "x"}]}
    if keys[0] in tree:
        return
    path, before = apply_override(tree, override, keep_form=False)
    assert path == tuple(keys)
    assert before is NOT_IN_FILE
    node = tree
    for key in keys:
        assert key in node
        node = node[key]
    assert node == value
    assert type(node) is type(value) or float(node) == value
    assert (tree["other"], tree["list"]) == ({"kept": 1}, [{"name": "x"}])


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_no_override_does_worse_than_a_protocol_error(text):
    try:
        override = parse_override(text)
        apply_override({"a": {"b": 1}, "c": [1]}, override, keep_form=False)
    except ProtocolError as error:
        assert "--set" in str(error)  # noqa: PT017  # no error is fine, any other must fail the test
