"""Parsing of chat requests: supported fields are read, and everything else is refused by name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.records.prompt import Message
from engine.serving.requests import ChatRequest, RequestRefusedError, parse_request

HELLO = [{"role": "user", "content": "Hello"}]


def parse(**fields: Any) -> ChatRequest:
    return parse_request(json.dumps({"model": "run-1", "messages": HELLO, **fields}).encode())


def test_minimal_request_is_parsed() -> None:
    assert parse() == ChatRequest("run-1", (Message("user", "Hello"),))


def test_every_supported_field_is_parsed() -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "He"}, {"type": "text", "text": "llo"}]},
        {"role": "assistant", "content": "Hi", "refusal": None, "tool_calls": []},
        {"role": "user", "content": "And?", "name": None},
    ]
    request = parse(
        messages=messages, stream=True, stream_options={"include_usage": True}, temperature=0.5, top_p=0.9,
        max_completion_tokens=7, seed=-3, stop=["a", "b"], n=1, user="me", presence_penalty=0, logprobs=False,
        response_format={"type": "text"}, tools=None,
    )  # fmt: skip
    assert request == ChatRequest(
        "run-1",
        (Message("system", "Be brief."), Message("user", "Hello"), Message("assistant", "Hi"), Message("user", "And?")),
        stream=True, include_usage=True, temperature=0.5, top_p=0.9, max_tokens=7, seed=-3, stop=("a", "b"),
    )  # fmt: skip
    assert parse(stop="x", max_tokens=5, max_completion_tokens=5).stop == ("x",)
    with_nulls = parse(
        messages=messages, stream=None, stream_options=None, temperature=None, max_tokens=None, stop=None
    )
    assert with_nulls == parse(messages=messages)
    assert not parse(stream=True, stream_options={"include_usage": None}).include_usage


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"n": True}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"frequency_penalty": 0.1}, "frequency_penalty"),
        ({"top_k": 5}, "top_k"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 5.0}, "max_tokens"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_completion_tokens"),
        ({"seed": 2**64}, "seed"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"stop": ""}, "stop"),
        ({"stream": 1}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"other": 1}}, "stream_options.other"),
        ({"model": ""}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content"),
        ({"messages": [*HELLO, {"role": "assistant", "content": "x"}]}, "messages"),
        ({"messages": [*HELLO, {"role": "system", "content": "x"}, *HELLO]}, "messages[1].role"),
        ({"messages": [{"role": "user", "content": "x", "name": "Al"}]}, "messages[0].name"),
    ],
)
def test_unsupported_field_or_value_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        parse(**fields)
    assert caught.value.param == param
    assert caught.value.status == 400
    assert caught.value.message


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000])
def test_body_that_is_not_a_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(RequestRefusedError, match="JSON"):
        parse_request(body)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    [
        "model",
        "messages",
        "stream",
        "stream_options",
        "temperature",
        "top_p",
        "max_tokens",
        "seed",
        "stop",
        "n",
        "tools",
    ]
)


@given(st.dictionaries(names | st.text(max_size=5), values, max_size=4))
def test_arbitrary_request_is_parsed_or_refused(fields: dict[str, Any]) -> None:
    refusal = None
    try:
        parse(**fields)
    except RequestRefusedError as refused:
        refusal = refused
    assert refusal is None or (refusal.message and json.dumps(refusal.param))
