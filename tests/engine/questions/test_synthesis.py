"""Questions from a teacher: lists of any format, hostile replies, and no repetition of the prompt's examples."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import TeacherError
from engine.questions.synthesis import (
    MAX_ITEM_CHARACTERS,
    SEED_KINDS,
    name_topics,
    parse_list,
    reply_tokens,
    write_questions,
)
from engine.records.prompt import Message, Prompt
from engine.records.question import Question

PROMPT = Prompt(
    (
        Message("system", "You are {kind} to bank clients."),
        Message("user", "Where is my card?"),
        Message("assistant", "On its way."),
    )
)


@pytest.mark.parametrize(
    "text",
    [
        "1. First one?\n2. Second, one.\n3. Third",
        "Sure! Here they are:\n\n1) First one?\n2) Second, one.\n\n3) Third\n\nHope this helps!",
        "- First one?\n* Second, one.\n• Third",
        '["First one?", "Second, one.", "Third"]',
        'Here:\n```json\n[\n "First one?",\n "Second, one.",\n "Third"\n]\n```\nDone.',
        'Here:\r\n``` JSON\r\n[\r\n "First one?",\r\n "Second, one.",\r\n "Third"\r\n]\r\n```\r\nDone.',
        '{"questions": [{"text": "First one?"}, {"text": "Second, one."}, {"text": "Third"}]}',
        "Questions:\nFirst one?\nSecond, one.\nThird\n",
        '1. "First one?"\n2. **Second, one.**\n3. «Third»',
        '[\n"First one?",\n"Second, one.",\n"Third",\n]',
        "1. First\n   one?\n2. Second, one.\n3. Third",
    ],
)
def test_any_format_of_list_is_read(text: str) -> None:
    # A bracket on its own line is dropped later, like every item without words.
    assert [item for item in parse_list(text) if item != "]"] == ["First one?", "Second, one.", "Third"]


@pytest.mark.parametrize(
    "text",
    [
        '["First one?", "Second, one.",]',
        '["First one?", "Second, one."',
        "['First one?', 'Second, one.']",
        '[{"question": "First one?"} {"question": "Second, one."}]',
        '{"questions": ["First one?", "Second, one.",]}',
        '{"question": "First one?"}\n{"question": "Second, one."}',
        'Here:\n```json\n["First one?", "Second, one.",]\n```',
    ],
)
def test_unreadable_json_list_yields_no_items(text: str) -> None:
    assert parse_list(text) == ()


def test_question_may_start_with_a_bracket() -> None:
    assert parse_list("[urgent] Where is my card?\n[2] Is it lost?") == (
        "[urgent] Where is my card?",
        "[2] Is it lost?",
    )
    assert parse_list('1. {"card": 7} does not parse. Why?') == ('{"card": 7} does not parse. Why?',)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "[]",
        "{}",
        "[" * 50_000,
        "1. ",
        '"' * 9,
        "1. \ud800",
        "- a\0b",
        "1. " + "a" * (MAX_ITEM_CHARACTERS + 1),
    ],
)
def test_hostile_reply_yields_at_most_one_short_item(text: str) -> None:
    items = parse_list(text)
    assert len(items) <= 1
    assert all(item in text and len(item) <= MAX_ITEM_CHARACTERS for item in items)


@given(st.text(max_size=300))
def test_every_parsed_item_is_clean_text(text: str) -> None:
    for item in parse_list(text):
        assert item == item.strip() != ""
        assert "\0" not in item
        item.encode()


def teacher(*replies: str) -> tuple[Callable[[Sequence[Message]], str], list[str]]:
    requests: list[str] = []
    remaining = list(replies)

    def ask(messages: Sequence[Message]) -> str:
        (message,) = messages
        assert message.role == "user"
        requests.append(message.content)
        return remaining.pop(0)

    return ask, requests


def synthesized(ask: Callable[[Sequence[Message]], str], topics: int, per_topic: int, seed: int = 0) -> list[Question]:
    named = name_topics(ask, PROMPT, topics)
    return [q for _, written in write_questions(ask, PROMPT, named, per_topic, seed) for q in written]


def test_topics_are_named_first_and_then_their_questions() -> None:
    ask, requests = teacher(
        "1. Cards\n2. Loans",
        "1. Where is my card?\n2. Is it lost?\n3. is it LOST\n4. Blocked?\n5. Too many?",
        "- Is it lost?\n- A loan?",
    )
    questions = synthesized(ask, 2, 2)
    assert [(q.text, q.topic, q.source) for q in questions] == [
        ("Is it lost?", "Cards", "synthesis"),
        ("Blocked?", "Cards", "synthesis"),
        ("A loan?", "Loans", "synthesis"),
    ]
    assert all("You are {kind} to bank clients." in request for request in requests)
    assert all(kind in requests[1] for kind in SEED_KINDS)
    assert "topic: Cards" in requests[1]


def test_missing_topics_are_requested_again() -> None:
    ask, requests = teacher("1. Cards", "1. cards\n2. Loans.", "1. A?", "1. B?")
    questions = synthesized(ask, 2, 5)
    assert [q.topic for q in questions] == ["Cards", "Loans"]
    assert "Leave out these: Cards" in requests[1]


def test_reply_without_topics_is_an_error() -> None:
    ask, _ = teacher("", "::", "\n")
    with pytest.raises(TeacherError, match="named no topics"):
        synthesized(ask, 2, 5)


def test_known_topics_are_left_out() -> None:
    ask, requests = teacher("1. cards\n2. Loans", "1. Cards", "1. Fees")
    assert name_topics(ask, PROMPT, 2, known=("Cards",)) == ("Loans", "Fees")
    assert ["Leave out these: Cards" in requests[0], "Leave out these: Cards; Loans" in requests[1]] == [True, True]
    ask, _ = teacher(*["1. Cards"] * 3)
    with pytest.raises(TeacherError, match="a list of other topics"):
        name_topics(ask, PROMPT, 2, known=("Cards",))


def test_seed_orders_the_kinds_of_question() -> None:
    def order(seed: int) -> list[int]:
        ask, requests = teacher("1. Cards", "1. A?")
        synthesized(ask, 1, 1, seed)
        return [requests[1].index(kind) for kind in SEED_KINDS]

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(5)}) > 1


def test_questions_of_a_topic_are_requested_only_when_needed() -> None:
    ask, requests = teacher("1. A?", "nothing", "1. C?")
    by_topic = write_questions(ask, PROMPT, ("a", "b", "c"), 2, seed=0)
    assert [(topic, len(found)) for topic, found in (next(by_topic), next(by_topic))] == [("a", 1), ("b", 1)]
    assert len(requests) == 2


def test_token_limit_leaves_room_for_long_lists() -> None:
    assert reply_tokens(1, 1) == 512
    assert reply_tokens(200, 1) >= 12 * 200
    assert reply_tokens(1, 50) >= 40 * 50
