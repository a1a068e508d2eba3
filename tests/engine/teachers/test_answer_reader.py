"""Reading of replies: answers from events, their usage, thinking left out, and retry-after headers."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.teachers.answer_reader import AnswerReader, without_thinking
from engine.teachers.faults import EndpointFault, retry_after_s


def test_retry_after_may_be_seconds_milliseconds_or_a_date() -> None:
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
def test_any_json_gives_an_answer_or_a_fault(events: list[object]) -> None:
    reader = AnswerReader()
    try:
        for event in events:
            reader.feed(event)
        answer = reader.answer()
    except EndpointFault:
        return
    assert answer.text.strip() or answer.finish_reason == "content_filter"


@given(text=st.text(min_size=1).filter(str.strip), cuts=st.sets(st.integers(1, 50)))
def test_answer_split_into_any_events_is_read_whole(text: str, cuts: set[int]) -> None:
    units = text.encode("utf-16-le", "surrogatepass")
    edges = sorted({0, len(units), *(2 * cut for cut in cuts if 2 * cut < len(units))})
    pieces = [units[a:b].decode("utf-16-le", "surrogatepass") for a, b in pairwise(edges)]
    reader = AnswerReader()
    for piece in pieces:
        reader.feed({"choices": [{"delta": {"content": piece}}]})
    reader.feed({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    assert reader.answer().text == text


def test_thinking_parts_are_left_out_of_the_answer() -> None:
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
def test_invalid_usage_counts_as_missing(usage: object) -> None:
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
def test_thinking_sent_as_text_is_removed_from_the_answer(sent: str, kept: str) -> None:
    assert without_thinking(sent) == kept
