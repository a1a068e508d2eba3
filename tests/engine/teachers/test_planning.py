"""The pure parts: plans, seeds, budgets, the judgement of answers, what a server's retry-after means."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.economics.prices import Prices
from engine.records.example import Usage
from engine.records.options import GenerateOptions, TeacherSpec
from engine.records.prompt import Message
from engine.records.question import Question
from engine.seeds import answer_seed
from engine.teachers.answer_reader import AnswerReader, without_thinking
from engine.teachers.budget import Budget
from engine.teachers.faults import EndpointFault, retry_after_s
from engine.teachers.plan import Ask, Plan, may_overlap

QUESTIONS = tuple(Question((Message("user", f"{n}?"),), id=n) for n in range(1, 6))
KEYS = st.tuples(st.integers(1, 5), st.integers(0, 3))


@given(stored=st.dictionaries(KEYS, st.booleans()), outcomes=st.dictionaries(KEYS, st.booleans()),
       failing=st.sets(st.integers(1, 5)), samples=st.integers(1, 4), until_accepted=st.booleans(),
       batch=st.integers(1, 7))  # fmt: skip
def test_a_plan_asks_each_missing_answer_once_and_ends(
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
    assert plan.done == plan.total
    assert len(asked) == len(set(asked))
    assert not set(asked) & set(stored)
    for question in QUESTIONS:
        attempts = {attempt for attempt in range(samples) if (question.id, attempt) in known}
        accepted = any(known[question.id, attempt] for attempt in attempts)
        if question.id not in failing:
            assert len(attempts) == samples or (until_accepted and accepted)


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        (GenerateOptions(), GenerateOptions(samples=2, limit=3), True),
        (GenerateOptions(), GenerateOptions(TeacherSpec("endpoint", "peer", "https://x/v1")), False),
        (GenerateOptions(samples=2), GenerateOptions(asks=((7, 1),)), True),
        (GenerateOptions(samples=2), GenerateOptions(asks=((7, 2),)), False),
        (GenerateOptions(asks=((7, 1), (8, 1))), GenerateOptions(asks=((8, 1),)), True),
        (GenerateOptions(asks=((7, 1),)), GenerateOptions(asks=((7, 2), (8, 1))), False),
    ],
)
def test_generations_meet_where_they_may_ask_for_the_same(
    one: GenerateOptions, other: GenerateOptions, meet: bool
) -> None:
    assert may_overlap(one, other) is may_overlap(other, one) is meet


def test_the_first_attempt_of_all_comes_before_the_second_of_any() -> None:
    asks = Plan(QUESTIONS, 2, {(2, 0): True}).take()
    assert [(ask.question.id, ask.attempt) for ask in asks][:5] == [(1, 0), (3, 0), (4, 0), (5, 0), (1, 1)]


def test_named_asks_are_the_only_ones_and_are_not_asked_twice() -> None:
    named = [Ask(QUESTIONS[2], 1), Ask(QUESTIONS[0], 4), Ask(QUESTIONS[0], 5)]
    plan = Plan(QUESTIONS, 1, {(1, 4): False, (2, 0): True}, asks=named)
    assert (plan.done, plan.total) == (1, 3)
    assert plan.take() == [named[0], named[2]]
    for ask in (named[0], named[2]):
        plan.report(ask, passed=False)
    assert plan.exhausted
    assert plan.done == plan.total
    assert Plan(QUESTIONS, 1, {(3, 1): True, (1, 4): True, (1, 5): True}, asks=named).exhausted


def test_what_was_put_back_comes_first_again() -> None:
    plan = Plan(QUESTIONS, 1, {})
    first = plan.take(3)
    plan.put_back(first[1:])
    assert [ask.question.id for ask in plan.take()] == [2, 3, 4, 5]


def test_seeds_are_the_same_every_time_and_differ() -> None:
    seeds = {
        answer_seed(seed, question, attempt) for seed in range(5) for question in range(20) for attempt in range(5)
    }
    assert len(seeds) == 500
    assert answer_seed(1, 2, 3) == answer_seed(1, 2, 3)
    assert all(0 <= seed < 2**63 for seed in seeds)


def prices(prompt_tokens: int) -> Prices:
    return Prices(2.0, 8.0, 0.5, 2.5) if prompt_tokens <= 10_000 else Prices(4.0, 12.0, 1.0, 5.0)


@given(cents=st.integers(0, 100), costs=st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 5_000)), max_size=40),
       in_flight=st.integers(1, 8))  # fmt: skip
def test_a_budget_is_never_passed(cents: int, costs: list[tuple[int, int]], in_flight: int) -> None:
    limit = cents / 100
    budget = Budget(prices, limit)
    flying: list[tuple[float, float]] = []
    spent = 0.0
    for prompt, answer in costs:
        worst = budget.worst_usd(prompt, 5_000)
        if len(flying) == in_flight:
            budget.settle(*flying.pop(0))
        if budget.hold(worst):
            flying.append((worst, budget.cost_usd(Usage(prompt, answer, prompt % 7, prompt - prompt % 7))))
            spent += flying[-1][1]
    for held, cost in flying:
        budget.settle(held, cost)
    assert spent <= limit + 1e-9


def test_without_a_limit_everything_is_allowed() -> None:
    assert Budget(lambda _: None, None).hold(1e9)
    assert Budget(lambda _: None, 1.0).cost_usd(Usage(1000, 1000)) == 0.0


def test_a_long_prompt_is_counted_at_the_price_of_long_prompts() -> None:
    spec = TeacherSpec("endpoint", "gemini-2.5-pro", "https://generativelanguage.googleapis.com/v1beta/openai")
    budget = Budget.of(spec, 1.0)
    assert budget.cost_usd(Usage(300_000, 1_000)) > 1.9 * 3 * budget.cost_usd(Usage(100_000, 333))
    assert budget.worst_usd(300_000, 1_000) == budget.cost_usd(Usage(300_000, 1_000))


def test_a_server_s_retry_after_may_be_seconds_milliseconds_or_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30))
    assert retry_after_s({"retry-after": "7"}) == 7
    assert retry_after_s({"retry-after-ms": "250"}) == 0.25
    assert 25 < (retry_after_s({"retry-after": soon}) or 0) <= 30
    assert retry_after_s({"retry-after": "-5"}) == 0
    for nonsense in ("soon", "nan", "inf", "1e999", "Mon, 01 Jan 99999999999 00:00:00 GMT"):
        assert retry_after_s({"retry-after": nonsense}) is None
    assert retry_after_s({}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(0.5) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["choices", "delta", "message", "content", "finish_reason", "usage", "error", "index",
                         "prompt_tokens", "completion_tokens", "prompt_tokens_details"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(events=st.lists(JSON, max_size=5))
def test_any_json_at_all_is_an_answer_or_a_named_fault(events: list[object]) -> None:
    reader = AnswerReader()
    try:
        for event in events:
            reader.feed(event)
        answer = reader.answer()
    except EndpointFault:
        return
    assert answer.text.strip() or answer.finish_reason == "content_filter"


@given(text=st.text(min_size=1).filter(str.strip), cuts=st.sets(st.integers(1, 50)))
def test_however_an_answer_is_cut_into_events_it_comes_back_whole(text: str, cuts: set[int]) -> None:
    units = text.encode("utf-16-le", "surrogatepass")
    edges = sorted({0, len(units), *(2 * cut for cut in cuts if 2 * cut < len(units))})
    pieces = [units[a:b].decode("utf-16-le", "surrogatepass") for a, b in pairwise(edges)]
    reader = AnswerReader()
    for piece in pieces:
        reader.feed({"choices": [{"delta": {"content": piece}}]})
    reader.feed({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    assert reader.answer().text == text


def test_an_answer_in_parts_is_the_text_without_the_thinking() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    reader = AnswerReader()
    for parts in ([thinking], [{"type": "text", "text": "Yes, "}], [thinking, {"type": "text", "text": "it is."}], [7]):
        reader.feed({"choices": [{"delta": {"content": parts}}]})
    reader.feed({"choices": [{"delta": {"content": ""}, "finish_reason": "stop"}]})
    assert reader.answer().text == "Yes, it is."


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "9"}, {"prompt_tokens": True, "completion_tokens": 1},
                                   {"prompt_tokens": -4, "completion_tokens": 1}, {"prompt_tokens": 0},
                                   {"prompt_tokens": 30, "completion_tokens": 10**19},
                                   {"prompt_tokens": 10**19, "completion_tokens": 3}])  # fmt: skip
def test_usage_that_makes_no_sense_counts_as_missing(usage: object) -> None:
    reader = AnswerReader()
    reader.feed({"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}], "usage": usage})
    assert reader.answer().usage is None


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("<think>\nHm.\n</think>\n\nYes.", "Yes."),
        ("\n<think>Hm</think>Yes </think>", "Yes </think>"),
        ("<think>\nHm, it was cut", ""),
        ("Write <think> like </think> this.", "Write <think> like </think> this."),
        ("Hm, the template has opened it.\n</think>\n\nYes.", "Yes."),
        ("It only thought.</think>\n", ""),
        ("", ""),
    ],
)
def test_thinking_that_a_server_sends_as_text_is_no_part_of_the_answer(sent: str, kept: str) -> None:
    assert without_thinking(sent) == kept
