"""The plan of a generation: which answers are asked for, in which order, and with which seeds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.records.options import GenerateOptions, TeacherSpec
from engine.records.prompt import Message
from engine.records.question import Question
from engine.seeds import answer_seed
from engine.teachers.plan import Ask, Plan, may_overlap

QUESTIONS = tuple(Question((Message("user", f"{n}?"),), id=n) for n in range(1, 6))

KEYS = st.tuples(st.integers(1, 5), st.integers(0, 3))


@given(stored=st.dictionaries(KEYS, st.booleans()), outcomes=st.dictionaries(KEYS, st.booleans()),
       failing=st.sets(st.integers(1, 5)), samples=st.integers(1, 4), until_accepted=st.booleans(),
       batch=st.integers(1, 7))  # fmt: skip
def test_plan_asks_for_each_missing_answer_once_and_ends(
    stored: dict[tuple[int, int], bool],
    outcomes: dict[tuple[int, int], bool],
    failing: set[int],
    samples: int,
    until_accepted: bool,
    batch: int,
) -> None:
    plan = Plan(QUESTIONS, samples, stored, stop_when_accepted=until_accepted)
    asked: list[tuple[int, int]] = []
    known = dict(stored)
    while not plan.exhausted:
        taken = plan.take(batch)
        for ask in taken:
            key = ask.question.id, ask.attempt
            asked.append(key)
            if ask.question.id in failing:
                plan.report_failure(ask)
            else:
                known[key] = outcomes.get(key, False)
                plan.report(ask, passed=known[key])
    assert plan.done + plan.failed == plan.total
    assert bool(plan.failed) == bool(failing & {question for question, _ in asked})
    assert len(asked) == len(set(asked))
    assert not set(asked) & set(stored)
    for question in QUESTIONS:
        attempts = {attempt for attempt in range(samples) if (question.id, attempt) in known}
        accepted = any(known[question.id, attempt] for attempt in attempts)
        if question.id not in failing:
            assert len(attempts) == samples or (until_accepted and accepted)


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        (GenerateOptions(), GenerateOptions(samples=2, limit=3), True),
        (GenerateOptions(), GenerateOptions(TeacherSpec("endpoint", "peer", "https://x/v1")), False),
        (GenerateOptions(samples=2), GenerateOptions(asks=((7, 1),)), True),
        (GenerateOptions(samples=2), GenerateOptions(asks=((7, 2),)), False),
        (GenerateOptions(asks=((7, 1), (8, 1))), GenerateOptions(asks=((8, 1),)), True),
        (GenerateOptions(asks=((7, 1),)), GenerateOptions(asks=((7, 2), (8, 1))), False),
    ],
)
def test_generations_overlap_if_they_may_ask_for_the_same_answer(
    first: GenerateOptions, second: GenerateOptions, overlap: bool
) -> None:
    assert may_overlap(first, second) is may_overlap(second, first) is overlap


def test_first_attempts_come_before_any_second_attempt() -> None:
    asks = Plan(QUESTIONS, 2, {(2, 0): True}).take()
    assert [(ask.question.id, ask.attempt) for ask in asks][:5] == [(1, 0), (3, 0), (4, 0), (5, 0), (1, 1)]


def test_only_named_asks_are_made_and_none_twice() -> None:
    named = [Ask(QUESTIONS[2], 1), Ask(QUESTIONS[0], 4), Ask(QUESTIONS[0], 5)]
    plan = Plan(QUESTIONS, 1, {(1, 4): False, (2, 0): True}, asks=named)
    assert (plan.done, plan.total) == (1, 3)
    assert plan.take() == [named[0], named[2]]
    for ask in (named[0], named[2]):
        plan.report(ask, passed=False)
    assert plan.exhausted
    assert plan.done == plan.total
    assert Plan(QUESTIONS, 1, {(3, 1): True, (1, 4): True, (1, 5): True}, asks=named).exhausted


def test_asks_that_are_put_back_come_first() -> None:
    plan = Plan(QUESTIONS, 1, {})
    first = plan.take(3)
    plan.put_back(first[1:])
    assert [ask.question.id for ask in plan.take()] == [2, 3, 4, 5]


def test_seeds_are_reproducible_and_distinct() -> None:
    seeds = {
        answer_seed(seed, question, attempt) for seed in range(5) for question in range(20) for attempt in range(5)
    }
    assert len(seeds) == 500
    assert answer_seed(1, 2, 3) == answer_seed(1, 2, 3)
    assert all(0 <= seed < 2**63 for seed in seeds)
