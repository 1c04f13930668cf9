"""What every registered optimizer must do. A new one is tested here without a change."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from closedloop.errors import CodeError, ProtocolError
from closedloop.optimizers import (
    OPTIMIZERS,
    Optimizer,
    OptimizerParameters,
    Origin,
    make_optimizer,
    optimizer_parameters,
    restore_optimizer,
)

POPULATION, CODE_SIZE = 6, 11
NAMES = sorted(OPTIMIZERS)


def make(name: str, **changed):
    parameters = OPTIMIZERS[name].parameters_type(name=name, population=POPULATION)
    return make_optimizer(parameters, **{"code_size": CODE_SIZE, "seed": 3, "thread": 0, **changed})


def scores_for(generation: int, n: int = POPULATION) -> np.ndarray:
    return np.random.default_rng(generation).gamma(2.0, 20.0, n)


def assert_same(one, other):
    assert one.generation == other.generation
    for field in ("codes", "parents", "origin"):
        assert getattr(one, field).dtype == getattr(other, field).dtype
        assert getattr(one, field).tobytes() == getattr(other, field).tobytes()


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


def test_it_is_an_optimizer(name):
    assert isinstance(make(name), Optimizer)
    assert OPTIMIZERS[name].name == name


def test_shapes_types_and_generations(name):
    optimizer = make(name)
    for generation in range(4):
        population = optimizer.ask()
        assert population.generation == generation
        assert population.codes.shape == (POPULATION, CODE_SIZE)
        assert population.codes.dtype == np.float32
        assert population.parents.shape == (POPULATION, 2)
        assert population.parents.dtype == np.int32
        assert population.parents.min() >= -1
        assert population.parents.max() < POPULATION
        assert population.origin.shape == (POPULATION,)
        assert {Origin(int(one)) for one in population.origin} <= set(Origin)
        assert len(population) == POPULATION
        optimizer.tell(scores_for(generation))


def test_the_number_of_parents_follows_from_the_origin(name):
    optimizer = make(name, given=np.ones((2, CODE_SIZE)))
    wanted = {Origin.RANDOM: 0, Origin.GIVEN: 0, Origin.BRED: 2, Origin.ELITE: 1, Origin.CARRIED: 1}
    for generation in range(3):
        population = optimizer.ask()
        known = (population.parents >= 0).sum(axis=1)
        assert [wanted[Origin(int(one))] for one in population.origin] == known.tolist()
        scores = scores_for(generation)
        scores[1] = np.nan
        optimizer.tell(scores)


def test_ask_changes_nothing_until_tell(name):
    optimizer = make(name)
    first = optimizer.ask()
    assert_same(first, optimizer.ask())
    optimizer.tell(scores_for(0))
    second = optimizer.ask()
    assert second.generation == 1
    assert_same(second, optimizer.ask())
    assert not np.array_equal(first.codes, second.codes)


def test_populations_cant_be_written_to(name):
    with pytest.raises(ValueError, match="read-only"):
        make(name).ask().codes[0, 0] = 5


def test_scores_are_copied(name):
    scores = scores_for(0)
    one, other = make(name), make(name)
    one.tell(scores)
    other.tell(scores.copy())
    scores[:] = 0
    assert_same(one.ask(), other.ask())


def test_same_seed_same_codes_and_each_seed_and_thread_its_own(name):
    def third(**changed):
        optimizer = make(name, **changed)
        for generation in range(3):
            optimizer.ask()
            optimizer.tell(scores_for(generation))
        return optimizer.ask()

    assert_same(third(), third())
    assert not np.array_equal(third().codes, third(seed=4).codes)
    assert not np.array_equal(third().codes, third(thread=1).codes)


def test_the_first_generation_is_standard_normal(name):
    parameters = OPTIMIZERS[name].parameters_type(name=name, population=100)
    codes = make_optimizer(parameters, code_size=2000, seed=5).ask().codes.astype(float)
    assert abs(codes.mean()) < 5 / np.sqrt(codes.size)
    assert abs(codes.std() - 1) < 5 / np.sqrt(2 * codes.size)
    assert abs((np.abs(codes) < 1).mean() - 0.682689) < 5 * np.sqrt(0.6827 * 0.3173 / codes.size)


def test_given_codes_start_the_first_generation(name):
    codes = np.arange(3 * CODE_SIZE, dtype=np.float64).reshape(3, CODE_SIZE)
    population = make(name, given=codes).ask()
    assert np.array_equal(population.codes[:3], codes.astype(np.float32))
    assert population.origin[:3].tolist() == [Origin.GIVEN] * 3
    assert Origin.GIVEN not in population.origin[3:].tolist()
    assert len(population) == POPULATION


def test_all_codes_can_be_given(name):
    codes = np.random.default_rng(0).normal(size=(POPULATION, CODE_SIZE)).astype(np.float32)
    assert np.array_equal(make(name, given=codes).ask().codes, codes)


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    seed=st.integers(0, 2**64),
    thread=st.integers(0, 3),
    generations=st.integers(0, 3),
    told=st.booleans(),
    missing=st.sets(st.integers(0, POPULATION - 1)),
)
def test_resumed_from_its_state_it_goes_on_to_the_byte(name, seed, thread, generations, told, missing):
    optimizer = make(name, seed=seed, thread=thread)

    def step(one, generation):
        scores = scores_for(generation)
        scores[list(missing)] = np.nan
        one.tell(scores)

    for generation in range(generations):
        optimizer.ask()
        step(optimizer, generation)
    if not told:
        optimizer.ask()
    state = optimizer.state
    # the session file keeps numbers and text as JSON and arrays as bytes
    plain = {key: value for key, value in state.items() if not isinstance(value, np.ndarray)}
    arrays = {key: np.array(value) for key, value in state.items() if isinstance(value, np.ndarray)}
    resumed = restore_optimizer({**json.loads(json.dumps(plain)), **arrays})
    for generation in range(generations, generations + 3):
        assert_same(optimizer.ask(), resumed.ask())
        step(optimizer, generation)
        step(resumed, generation)
    assert_same(optimizer.ask(), resumed.ask())


def test_a_state_is_not_changed_by_going_on(name):
    optimizer = make(name)
    optimizer.tell(scores_for(0))
    state = optimizer.state
    before = {key: np.array(value) for key, value in state.items() if isinstance(value, np.ndarray)}
    optimizer.ask()
    optimizer.tell(scores_for(1))
    optimizer.ask()
    for key, array in before.items():
        assert np.array_equal(state[key], array)


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        (np.zeros(POPULATION - 1), "shape (5,)"),
        (np.zeros((POPULATION, 1)), "shape (6, 1)"),
        (3.0, "shape ()"),
        (np.array([0, 0, np.inf, 0, 0, 0]), "row 2"),
        (np.array([-np.inf, 0, 0, 0, 0, 0]), "row 0"),
        (["much"] * POPULATION, "no array of numbers"),
        (None, "scores of shape ()"),
    ],
)
def test_wrong_scores_are_refused_and_the_right_ones_still_taken(name, scores, words):
    optimizer, untouched = make(name), make(name)
    with pytest.raises(CodeError) as caught:
        optimizer.tell(scores)
    assert words in str(caught.value)
    for one in (optimizer, untouched):
        one.tell(scores_for(0))
    assert_same(optimizer.ask(), untouched.ask())


def test_scores_are_told_once_a_generation(name):
    optimizer = make(name)
    optimizer.tell(scores_for(0))
    with pytest.raises(CodeError, match="second time"):
        optimizer.tell(scores_for(0))


@pytest.mark.parametrize(
    "codes",
    [
        np.zeros((2, CODE_SIZE + 1)),
        np.zeros(CODE_SIZE),
        np.zeros((0, CODE_SIZE)),
        np.zeros((POPULATION + 1, CODE_SIZE)),
        np.full((1, CODE_SIZE), np.nan),
        np.full((1, CODE_SIZE), 1e300),
        [["a"] * CODE_SIZE],
    ],
    ids=["width", "one-dimensional", "none", "too-many", "nan", "beyond-float32", "text"],
)
def test_given_codes_that_dont_fit_are_refused(name, codes):
    with pytest.raises(CodeError, match="given codes"):
        make(name, given=codes)


@pytest.mark.parametrize("wrong", [{"code_size": 0}, {"seed": -1}, {"thread": -1}])
def test_impossible_numbers_are_refused(name, wrong):
    with pytest.raises(CodeError):
        make(name, **wrong)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 99},
        {"codes": np.zeros((POPULATION - 1, CODE_SIZE), np.float32)},
        {"codes": np.zeros(POPULATION, np.float32)},
        {"parents": np.zeros((2, 2), np.int32)},
        {"origin": None},
        {"scores": np.zeros(2)},
        {"parameters": {"population": 1}},
        {"generation": "x"},
    ],
)
def test_a_damaged_state_is_refused(name, change):
    state = {**make(name).state, **change}
    with pytest.raises(CodeError):
        restore_optimizer(state)


def test_a_state_with_an_entry_missing_is_refused(name):
    state = make(name).state
    del state["seed"]
    with pytest.raises(CodeError, match="seed"):
        restore_optimizer(state)


def test_a_state_of_another_optimizer_is_refused(name):
    with pytest.raises(CodeError):
        OPTIMIZERS[name].restore({**make(name).state, "optimizer": "another"})
    with pytest.raises(ProtocolError, match="another"):
        restore_optimizer({**make(name).state, "optimizer": "another"})
    with pytest.raises(CodeError):
        restore_optimizer({})


def test_a_protocol_picks_the_parameters_by_name(name):
    adapter = TypeAdapter(OptimizerParameters)
    parameters = adapter.validate_python({"name": name, "population": 7})
    assert type(parameters) is OPTIMIZERS[name].parameters_type
    assert parameters.population == 7
    assert adapter.validate_python(parameters.model_dump()) == parameters
    with pytest.raises(ValidationError):
        adapter.validate_python({"name": name, "populaton": 7})


def test_every_parameter_is_described_in_the_schema(name):
    for key, entry in OPTIMIZERS[name].parameters_type.model_json_schema()["properties"].items():
        assert entry.get("description"), key


def test_an_unknown_name_is_told_the_choices():
    with pytest.raises(ProtocolError, match="genetic, random"):
        make_optimizer(
            type(make("random").parameters).model_construct(name="cma", population=4), code_size=1, seed=0
        )


def test_parameters_from_a_protocol_section():
    chosen = optimizer_parameters("genetic", "in-vivo", {"population": 30})
    assert (chosen.name, chosen.population, chosen.n_conserve) == ("genetic", 30, 10)
    assert optimizer_parameters("random", None, {"population": 5}).population == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("genetics", None, {}), "genetics"),
        (("genetic", "in-vitro", {}), "genetic, preset"),
        (("genetic", None, {"mutation_rate": 2}), "genetic, mutation_rate"),
        (("genetic", None, {"mutations": 2}), "genetic, mutations"),
        (("genetic", "in-vivo", {"population": 5}), "n_conserve is 10 and the population 5"),
        (("random", "xdream", {}), "random, preset"),
    ],
)
def test_wrong_parameters_of_a_protocol_section_are_named(arguments, words):
    with pytest.raises(ProtocolError) as caught:
        optimizer_parameters(*arguments)
    assert words in str(caught.value)
