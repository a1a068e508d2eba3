"""The endpoint teacher: what it sends, and how it reads answers and their usage."""

import asyncio
import json
from dataclasses import replace

import pytest

from engine.economics.prices import Prices, cost_usd
from engine.records.options import TeacherSpec
from engine.teachers.endpoint import EndpointTeacher
from tests.engine.teachers.endpoint_helpers import CANARY, QUESTION, QUICK, ask
from tests.engine.teachers.hostile_server import (
    DONE,
    HostileServer,
    Request,
    delta,
    error,
    event,
    good,
    head,
    json_body,
    raw,
    status,
    usage,
)


async def test_streamed_answer_is_read_with_its_usage(server: HostileServer) -> None:
    pieces: list[str] = []
    server.behaviours = [raw(head(), event(delta("Fine")), event(delta(", you?")), event(delta(None, "stop")),
                             event(usage(40, 9, cached_tokens=32, cache_write_tokens=4)), DONE)]  # fmt: skip
    async with EndpointTeacher(TeacherSpec("endpoint", "peer", server.url), CANARY) as teacher:
        answer = await teacher.answer(QUESTION, temperature=0.5, max_tokens=64, on_delta=pieces.append)
    assert (answer.text, answer.finish_reason, pieces) == ("Fine, you?", "stop", ["Fine", ", you?"])
    counted = answer.usage
    assert (counted.prompt_tokens, counted.completion_tokens, counted.cached_tokens, counted.written_tokens) == (
        40,
        9,
        32,
        4,
    )
    assert not counted.counted_here
    assert 0 < answer.ttft_s <= answer.seconds
    sent = server.requests[0]
    assert sent.path == "/v1/chat/completions"
    assert sent.body["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "How are you?"},
    ]
    assert (sent.body["stream"], sent.body["temperature"], sent.body["max_tokens"]) == (True, 0.5, 64)
    assert sent.headers["authorization"] == f"Bearer {CANARY}"


async def test_utf8_split_across_packets_with_crlf_is_read(server: HostileServer) -> None:
    stream = b"".join([event(delta("Grüße 🎈"), "\r\n\r\n"), event(delta(None, "stop"), "\r\n\r\n"), DONE])
    answer = await ask(server, raw(head(), *[stream[i : i + 1] for i in range(len(stream))]))
    assert answer.text == "Grüße 🎈"


async def test_surrogate_pair_split_across_events_is_joined(server: HostileServer) -> None:
    halves = [b'data: {"choices":[{"delta":{"content":"\\ud83c"}}]}\n\n',
              b'data: {"choices":[{"delta":{"content":"\\udf88"},"finish_reason":"stop"}]}\n\n']  # fmt: skip
    assert (await ask(server, raw(head(), *halves, DONE))).text == "🎈"


async def test_intended_repetitions_are_kept(server: HostileServer) -> None:
    answer = await ask(server, good("ha", "ha", "ha", "!"))
    assert answer.text == "hahaha!"


async def test_stream_of_single_characters_is_accepted(server: HostileServer) -> None:
    behaviour = raw(head(), *[event(delta(c)) for c in "hello world"], event(delta(None, "stop")), event(usage(9, 2)))
    assert (await ask(server, behaviour)).text == "hello world"


async def test_length_and_content_filter_finish_reasons_are_kept(server: HostileServer) -> None:
    assert (await ask(server, good("Too", " long", finish="length"))).finish_reason == "length"
    filtered = await ask(server, raw(head(), event(delta(None, "content_filter")), event(usage()), DONE))
    assert (filtered.finish_reason, filtered.text) == ("content_filter", "")


@pytest.mark.parametrize(("cached", "written"), [(40, 40), (0, 41), (2_000, 0), (39, 2), (0, 10**9)])
async def test_cached_and_written_tokens_beyond_the_prompt_never_lower_the_cost(
    server: HostileServer, cached: int, written: int
) -> None:
    counts = usage(40, 9, cached_tokens=cached, cache_write_tokens=written)
    answer = await ask(server, raw(head(), event(delta("Fine")), event(delta(None, "stop")), event(counts), DONE))
    prices = Prices(2.0, 10.0, 0.5, 2.5)
    expected = 40 * 2.0 + cached * 0.5 + written * 2.5 + 9 * 10.0
    assert cost_usd(prices, answer.usage) == pytest.approx(expected / 1e6)
    plain = answer.usage.prompt_tokens - answer.usage.cached_tokens - answer.usage.written_tokens
    assert plain == 40


async def test_missing_usage_is_counted_locally_and_marked(server: HostileServer) -> None:
    answer = await ask(server, raw(head(), event(delta("Four words it has", "stop")), DONE))
    assert answer.usage.counted_here
    assert answer.usage.completion_tokens > 0
    assert answer.usage.prompt_tokens > answer.usage.completion_tokens


async def test_unstreamed_answer_is_accepted(server: HostileServer) -> None:
    whole = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Whole."}, "finish_reason": "stop"}],
             "usage": {"prompt_tokens": 9, "completion_tokens": 2}}  # fmt: skip
    answer = await ask(server, json_body(whole))
    assert (answer.text, answer.usage.completion_tokens, answer.usage.counted_here) == ("Whole.", 2, False)


async def test_refused_fields_are_replaced_and_remembered(server: HostileServer) -> None:
    server.behaviours = [
        status("400 Bad Request", error("Unknown field: stream_options")),
        status("400 Bad Request", error("Unsupported: 'max_tokens'. Use 'max_completion_tokens' instead.")),
        good(),
    ]
    async with EndpointTeacher(TeacherSpec("endpoint", "peer", server.url), CANARY, limits=QUICK) as teacher:
        for _ in range(2):
            await teacher.answer(QUESTION, temperature=0, max_tokens=8)
    last = server.requests[-1].body
    assert len(server.requests) == 4
    assert "stream_options" not in last
    assert (last.get("max_completion_tokens"), last.get("max_tokens")) == (8, None)


async def test_refused_temperature_is_left_out_and_noted_once(server: HostileServer) -> None:
    notes: list[str] = []
    refusal = error("Unsupported value: 'temperature' does not support 0.7 with this model. Only 1 is supported.")

    async def refuse_temperature(request: Request, writer: asyncio.StreamWriter) -> None:
        await (status("400 Bad Request", refusal) if "temperature" in request.body else good("Yes."))(request, writer)

    server.behaviours = [refuse_temperature]
    teacher = EndpointTeacher(TeacherSpec("endpoint", "peer", server.url), CANARY, on_note=notes.append)
    async with teacher:
        asks = (teacher.answer(QUESTION, temperature=0.7, max_tokens=8) for _ in range(3))
        assert [answer.text for answer in await asyncio.gather(*asks)] == ["Yes."] * 3
        await teacher.answer(QUESTION, temperature=0.7, max_tokens=8)
    assert notes == ["peer does not accept a temperature; it uses its own."]
    assert "temperature" not in server.requests[-1].body
    assert len(server.requests) == 7


async def test_loopback_server_is_reached_without_a_proxy(
    server: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with HostileServer([good("Overheard.")]) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        assert (await ask(server, good("Fine."))).text == "Fine."
        assert proxy.requests == []


@pytest.mark.parametrize(
    ("counts", "completion", "thinking"),
    [
        ({"total_tokens": 12 + 1 + 386, "completion_tokens_details": {"reasoning_tokens": 386}}, 387, 386),  # xAI
        ({"total_tokens": 12 + 1 + 386}, 387, 386),  # Gemini
        ({"total_tokens": 13, "completion_tokens_details": {"reasoning_tokens": 1}}, 1, 1),  # OpenAI
        ({"total_tokens": 13}, 1, 0),
        (
            {"total_tokens": 33, "prompt_tokens_details": {"cached_tokens": 20}},
            1,
            0,
        ),  # cached tokens are extra
        ({"total_tokens": 5}, 1, 0),
        ({}, 1, 0),
    ],
)
async def test_thinking_tokens_count_as_completion_tokens(
    server: HostileServer, counts: dict[str, object], completion: int, thinking: int
) -> None:
    sent = {"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 1, **counts}}
    answer = await ask(server, raw(head(), event(delta("Yes", "stop")), event(sent), DONE))
    assert (answer.usage.completion_tokens, answer.thinking_tokens) == (completion, thinking)


async def test_uncounted_thinking_leaves_its_token_number_unknown(server: HostileServer) -> None:
    thought = {"choices": [{"index": 0, "delta": {"reasoning_content": "Hm."}}]}
    answer = await ask(server, raw(head(), event(thought), event(delta("Yes", "stop")), event(usage(30, 9)), DONE))
    assert (answer.text, answer.thinking_tokens) == ("Yes", None)


@pytest.mark.parametrize("after", [b"", b": ping\n\n", event(usage(9, 2))], ids=["silence", "pings", "usage events"])
async def test_complete_answer_is_accepted_if_the_server_never_closes(server: HostileServer, after: bytes) -> None:
    async def keeps_open(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head() + event(delta("Whole.", "stop")))
        while True:
            writer.write(after)
            await writer.drain()
            await asyncio.sleep(0.05)

    answer = await ask(server, keeps_open, limits=replace(QUICK, total_s=20, end_s=0.2))
    assert (answer.text, len(server.requests)) == ("Whole.", 1)
    assert answer.seconds < 5


async def test_openai_organisation_and_project_are_not_sent_to_other_providers(
    server: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
    await ask(server, good())
    assert "secret" not in json.dumps(server.requests[0].headers)
