"""Questions by the teacher: any list is read, hostile replies survive, nothing of the prompt's examples comes back."""

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
def test_any_list_is_read(text: str) -> None:
    assert [item for item in parse_list(text) if item not in ("[", "]")] == ["First one?", "Second, one.", "Third"]


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
def test_a_json_list_that_cannot_be_read_is_no_question(text: str) -> None:
    assert parse_list(text) == ()


def test_a_question_may_begin_with_a_bracket() -> None:
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
def test_hostile_replies_give_nothing_or_little(text: str) -> None:
    assert all(len(item) <= MAX_ITEM_CHARACTERS for item in parse_list(text))


@given(st.text(max_size=300))
def test_every_item_is_sound(text: str) -> None:
    for item in parse_list(text):
        assert item == item.strip() != ""
        assert "\0" not in item
        item.encode()


def teacher(*replies: str) -> tuple[Callable[[Sequence[Message]], str], list[str]]:
    requests: list[str] = []
    waiting = list(replies)

    def ask(messages: Sequence[Message]) -> str:
        (message,) = messages
        assert message.role == "user"
        requests.append(message.content)
        return waiting.pop(0)

    return ask, requests


def synthesized(ask: Callable[[Sequence[Message]], str], topics: int, per_topic: int, seed: int = 0) -> list[Question]:
    named = name_topics(ask, PROMPT, topics)
    return [q for _, written in write_questions(ask, PROMPT, named, per_topic, seed) for q in written]


def test_topics_then_questions() -> None:
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


def test_too_few_topics_are_asked_for_again() -> None:
    ask, requests = teacher("1. Cards", "1. cards\n2. Loans.", "1. A?", "1. B?")
    questions = synthesized(ask, 2, 5)
    assert [q.topic for q in questions] == ["Cards", "Loans"]
    assert "Leave out these: Cards" in requests[1]


def test_no_topics_is_an_error() -> None:
    ask, _ = teacher("", "::", "\n")
    with pytest.raises(TeacherError, match="named no topics"):
        synthesized(ask, 2, 5)


def test_topics_that_are_known_are_left_out() -> None:
    ask, requests = teacher("1. cards\n2. Loans", "1. Cards", "1. Fees")
    assert name_topics(ask, PROMPT, 2, known=("Cards",)) == ("Loans", "Fees")
    assert ["Leave out these: Cards" in requests[0], "Leave out these: Cards; Loans" in requests[1]] == [True, True]
    ask, _ = teacher(*["1. Cards"] * 3)
    with pytest.raises(TeacherError, match="a list of other topics"):
        name_topics(ask, PROMPT, 2, known=("Cards",))


def test_the_seed_orders_the_kinds() -> None:
    def order(seed: int) -> list[int]:
        ask, requests = teacher("1. Cards", "1. A?")
        synthesized(ask, 1, 1, seed)
        return [requests[1].index(kind) for kind in SEED_KINDS]

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(5)}) > 1


def test_a_topic_is_asked_for_when_its_turn_comes() -> None:
    ask, requests = teacher("1. A?", "nothing", "1. C?")
    writing = write_questions(ask, PROMPT, ("a", "b", "c"), 2, seed=0)
    assert [(topic, len(found)) for topic, found in (next(writing), next(writing))] == [("a", 1), ("b", 1)]
    assert len(requests) == 2


def test_a_long_list_has_room_in_one_reply() -> None:
    assert reply_tokens(1, 1) == 512
    assert reply_tokens(200, 1) >= 12 * 200
    assert reply_tokens(1, 50) >= 40 * 50
