"""The endpoint teacher against a server that does everything wrong that servers were seen to do."""

import asyncio
import json
import ssl
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.economics.prices import Prices, cost_usd
from engine.records.options import TeacherSpec
from engine.records.prompt import Message
from engine.teachers.endpoint import EndpointAnswer, EndpointLimits, EndpointTeacher
from engine.teachers.faults import EndpointFault, FaultKind, FaultScope
from tests.engine.teachers.hostile_server import (
    DONE,
    Behaviour,
    HostileServer,
    Request,
    delta,
    error,
    event,
    good,
    head,
    json_body,
    raw,
    stalls,
    status,
    usage,
)

CANARY = "sk-canary-0123456789abcdefghij"
QUICK = EndpointLimits(connect_s=2, first_byte_s=0.5, stall_s=0.3, total_s=2, response_bytes=4_000_000, tries=2,
                       longest_wait_s=0.05)  # fmt: skip
QUESTION = (Message("system", "Be kind."), Message("user", "How are you?"))


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    async with HostileServer() as running:
        yield running


async def ask(server: HostileServer, *behaviours: Behaviour, limits: EndpointLimits = QUICK) -> EndpointAnswer:
    server.behaviours = list(behaviours)
    async with EndpointTeacher(TeacherSpec("endpoint", "peer", server.url), CANARY, limits=limits) as teacher:
        return await teacher.answer(QUESTION, temperature=0.5, max_tokens=64)


async def test_a_whole_stream_is_taken_with_its_usage(server: HostileServer) -> None:
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


ROW = event(delta("Half an"))
BAD: list[tuple[str, Behaviour, FaultKind, FaultScope]] = [
    ("stream closed without an end", raw(head(), ROW), "cut", "retry"),
    ("stream closed with DONE but no finish_reason", raw(head(), ROW, DONE), "cut", "retry"),
    ("empty stream", raw(head()), "cut", "retry"),
    ("empty body", json_body(b""), "cut", "retry"),
    ("HTML", raw(head("200 OK", "text/html"), b"<html>Welcome</html>"), "html", "job"),
    ("HTML called JSON", json_body(b"<!doctype html>"), "html", "job"),
    ("half JSON", json_body(b'{"choices": [{"mess'), "not_json", "job"),
    ("a bad JSON line in the stream", raw(head(), ROW, b"data: {not json\n\n", DONE), "not_json", "job"),
    ("deep JSON", raw(head(), b"data: " + b"[" * 100_000 + b"\n\n"), "not_json", "job"),
    ("an event that is a list", raw(head(), b"data: []\n\n"), "not_json", "job"),
    ("error with 200", json_body(error("The GPU is on fire.")), "error_body", "retry"),
    ("error in the stream", raw(head(), ROW, event(error("out of memory")), DONE), "error_body", "retry"),
    ("quota in a 200", json_body(error("Pay first.", "insufficient_quota")), "quota", "job"),
    ("choices empty", json_body({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 0}}),
     "no_choices", "retry"),
    ("choices null in the stream", raw(head(), event({"choices": None}), event(usage()), DONE),
     "no_choices", "retry"),
    ("content null", raw(head(), event(delta(None, "stop")), DONE), "no_content", "question"),
    ("content a number", json_body({"choices": [{"message": {"content": 7}, "finish_reason": "stop"}]}),
     "no_content", "question"),
    ("only spaces", good("  ", "\n"), "no_content", "question"),
    ("a tool call", raw(head(), ROW, event(delta(None, "tool_calls")), DONE), "unknown_finish", "question"),
    ("an overload told as an end", raw(head(), ROW, event(delta(None, "insufficient_system_resource")), DONE),
     "server", "retry"),
    ("307 to another origin", status("307 Temporary Redirect", {}, "location: http://127.0.0.2:9/v1"),
     "redirect", "job"),
    ("stall before the first byte", stalls(), "stalled", "retry"),
    ("stall in mid-stream", stalls(head(), ROW), "stalled", "retry"),
    ("slow drip", raw(head(), *[ROW] * 60, pause=0.1), "too_slow", "retry"),
    ("10 MB answer", raw(head(), event(delta("x" * 2_000_000)), event(delta(None, "stop"))), "too_long", "question"),
    ("10 MB without an event", raw(head(), b"data: " + b"x" * 10_000_000), "too_long", "question"),
    ("a compressed body", raw(head("200 OK", "text/event-stream", "content-encoding: gzip"), b"\x1f\x8b"),
     "refused", "job"),
    ("every piece twice", raw(head(), *[event(delta(p)) for p in "AABBCC"], event(delta(None, "stop")), event(usage())),
     "duplicated", "question"),
    ("text after the end", raw(head(), event(delta("A", "stop")), event(delta("A"))), "duplicated", "question"),
    ("half a surrogate pair",
     raw(head(), b'data: {"choices":[{"delta":{"content":"\\ud83d"},"finish_reason":"stop"}]}\n\n'),
     "bad_text", "question"),
    ("broken UTF-8", raw(head(), b'data: {"choices":[{"delta":{"content":"\xff\xfe"},"finish_reason":"stop"}]}\n\n'),
     "bad_text", "question"),
    ("401", status("401 Unauthorized", error(f"Incorrect API key provided: {CANARY}")), "key", "job"),
    ("403", status("403 Forbidden", error("Your key has no access to this model.")), "key", "job"),
    ("403 moderation", status("403 Forbidden", error("The model requires moderation. Your input was flagged.", "403")),
     "content_filter", "question"),
    ("402", status("402 Payment Required", error("No credit.")), "quota", "job"),
    ("429 without quota", status("429 Too Many Requests", error("Pay.", "insufficient_quota")), "quota", "job"),
    ("429", status("429 Too Many Requests", error("Slow down."), "retry-after-ms: 20"), "rate_limited", "retry"),
    ("400 context", status("400 Bad Request", error("maximum context length is 8 tokens", "context_length_exceeded")),
     "context", "question"),
    ("400 filter", status("400 Bad Request", error("Filtered.", "content_filter")), "content_filter", "question"),
    ("400 key", status("400 Bad Request", error("Please pass a valid key.", "invalid_api_key")), "key", "job"),
    ("400 too fast", status("400 Bad Request", error("Rate limit reached.")), "rate_limited", "retry"),
    ("400", status("400 Bad Request", error("Temperature must be 1.")), "refused", "question"),
    ("404", status("404 Not Found", error("no model peer")), "not_found", "job"),
    ("500", status("500 Internal Server Error", error("boom")), "server", "retry"),
    ("not HTTP", raw(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), "broken", "retry"),
    ("connection closed at once", raw(), "broken", "retry"),
    ("connection closed inside a body", raw(head("200 OK", "text/event-stream", "content-length: 9999"), ROW),
     "broken", "retry"),
]  # fmt: skip


@pytest.mark.parametrize(("behaviour", "kind", "scope"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
async def test_a_bad_answer_is_named(
    server: HostileServer, behaviour: Behaviour, kind: FaultKind, scope: FaultScope
) -> None:
    with pytest.raises(EndpointFault) as caught:
        await asyncio.wait_for(ask(server, behaviour), 20)
    fault = caught.value
    assert (fault.kind, fault.scope) == (kind, scope), str(fault)
    assert fault.title
    assert fault.next
    assert CANARY not in str(fault)
    assert len(str(fault)) < 1000


TRANSIENT = {"cut", "no_choices", "no_content", "stalled", "broken", "server", "rate_limited", "not_json", "error_body"}


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [(row[1], row[2]) for row in BAD if row[2] in TRANSIENT and row[0] != "slow drip"],
    ids=[row[0] for row in BAD if row[2] in TRANSIENT and row[0] != "slow drip"],
)
async def test_what_may_pass_is_asked_again(server: HostileServer, behaviour: Behaviour, kind: FaultKind) -> None:
    answer = await asyncio.wait_for(ask(server, behaviour, good("Yes", ".")), 20)
    assert answer.text == "Yes."
    assert len(server.requests) == 2


@pytest.mark.parametrize("row", [row for row in BAD if row[2] in {"key", "quota", "context", "redirect", "not_found"}],
                         ids=lambda row: row[0])  # fmt: skip
async def test_what_cannot_pass_is_asked_once(
    server: HostileServer, row: tuple[str, Behaviour, FaultKind, FaultScope]
) -> None:
    with pytest.raises(EndpointFault):
        await ask(server, row[1])
    assert len(server.requests) == 1


async def test_a_redirect_takes_neither_key_nor_prompt_along(server: HostileServer) -> None:
    async with HostileServer([good()]) as thief:
        with pytest.raises(EndpointFault, match="redirects"):
            await ask(server, status("307 Temporary Redirect", {}, f"location: {thief.url}/chat/completions"))
    assert thief.requests == []


async def test_utf8_split_across_packets_and_crlf(server: HostileServer) -> None:
    stream = b"".join([event(delta("Grüße 🎈"), "\r\n\r\n"), event(delta(None, "stop"), "\r\n\r\n"), DONE])
    answer = await ask(server, raw(head(), *[stream[i : i + 1] for i in range(len(stream))]))
    assert answer.text == "Grüße 🎈"


async def test_a_surrogate_pair_split_across_events_is_joined(server: HostileServer) -> None:
    halves = [b'data: {"choices":[{"delta":{"content":"\\ud83c"}}]}\n\n',
              b'data: {"choices":[{"delta":{"content":"\\udf88"},"finish_reason":"stop"}]}\n\n']  # fmt: skip
    assert (await ask(server, raw(head(), *halves, DONE))).text == "🎈"


async def test_repeats_that_the_model_meant_are_kept(server: HostileServer) -> None:
    answer = await ask(server, good("ha", "ha", "ha", "!"))
    assert answer.text == "hahaha!"


async def test_a_proxy_that_streams_by_characters_is_accepted(server: HostileServer) -> None:
    behaviour = raw(head(), *[event(delta(c)) for c in "hello world"], event(delta(None, "stop")), event(usage(9, 2)))
    assert (await ask(server, behaviour)).text == "hello world"


async def test_length_and_content_filter_are_kept_as_such(server: HostileServer) -> None:
    assert (await ask(server, good("Too", " long", finish="length"))).finish_reason == "length"
    filtered = await ask(server, raw(head(), event(delta(None, "content_filter")), event(usage()), DONE))
    assert (filtered.finish_reason, filtered.text) == ("content_filter", "")


@pytest.mark.parametrize(("cached", "written"), [(40, 40), (0, 41), (2_000, 0), (39, 2), (0, 10**9)])
async def test_cached_and_written_tokens_above_the_prompts_never_lower_the_cost(
    server: HostileServer, cached: int, written: int
) -> None:
    counts = usage(40, 9, cached_tokens=cached, cache_write_tokens=written)
    answer = await ask(server, raw(head(), event(delta("Fine")), event(delta(None, "stop")), event(counts), DONE))
    prices = Prices(2.0, 10.0, 0.5, 2.5)
    beside = 40 * 2.0 + cached * 0.5 + written * 2.5 + 9 * 10.0
    assert cost_usd(prices, answer.usage) == pytest.approx(beside / 1e6)
    plain = answer.usage.prompt_tokens - answer.usage.cached_tokens - answer.usage.written_tokens
    assert plain == 40


async def test_missing_usage_is_counted_here_and_marked(server: HostileServer) -> None:
    answer = await ask(server, raw(head(), event(delta("Four words it has", "stop")), DONE))
    assert answer.usage.counted_here
    assert answer.usage.completion_tokens > 0
    assert answer.usage.prompt_tokens > answer.usage.completion_tokens


async def test_a_server_that_cannot_stream_is_understood(server: HostileServer) -> None:
    whole = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Whole."}, "finish_reason": "stop"}],
             "usage": {"prompt_tokens": 9, "completion_tokens": 2}}  # fmt: skip
    answer = await ask(server, json_body(whole))
    assert (answer.text, answer.usage.completion_tokens, answer.usage.counted_here) == ("Whole.", 2, False)


async def test_refused_fields_are_asked_otherwise_and_remembered(server: HostileServer) -> None:
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


async def test_a_model_that_takes_no_temperature_is_asked_without_and_that_is_told_once(server: HostileServer) -> None:
    notes: list[str] = []
    refusal = error("Unsupported value: 'temperature' does not support 0.7 with this model. Only 1 is supported.")

    async def thinks(request: Request, writer: asyncio.StreamWriter) -> None:
        await (status("400 Bad Request", refusal) if "temperature" in request.body else good("Yes."))(request, writer)

    server.behaviours = [thinks]
    teacher = EndpointTeacher(TeacherSpec("endpoint", "peer", server.url), CANARY, on_note=notes.append)
    async with teacher:
        asks = (teacher.answer(QUESTION, temperature=0.7, max_tokens=8) for _ in range(3))
        assert [answer.text for answer in await asyncio.gather(*asks)] == ["Yes."] * 3
        await teacher.answer(QUESTION, temperature=0.7, max_tokens=8)
    assert notes == ["peer does not accept a temperature; it uses its own."]
    assert "temperature" not in server.requests[-1].body
    assert len(server.requests) == 7


async def test_no_proxy_hears_of_a_server_on_this_machine(
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
        ({"total_tokens": 33, "prompt_tokens_details": {"cached_tokens": 20}}, 1, 0),  # cached ones beside
        ({"total_tokens": 5}, 1, 0),
        ({}, 1, 0),
    ],
)
async def test_what_is_thought_beside_the_answer_is_paid_for(
    server: HostileServer, counts: dict[str, object], completion: int, thinking: int
) -> None:
    sent = {"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 1, **counts}}
    answer = await ask(server, raw(head(), event(delta("Yes", "stop")), event(sent), DONE))
    assert (answer.usage.completion_tokens, answer.thinking_tokens) == (completion, thinking)


async def test_thoughts_that_nobody_counts_leave_their_number_open(server: HostileServer) -> None:
    thought = {"choices": [{"index": 0, "delta": {"reasoning_content": "Hm."}}]}
    answer = await ask(server, raw(head(), event(thought), event(delta("Yes", "stop")), event(usage(30, 9)), DONE))
    assert (answer.text, answer.thinking_tokens) == ("Yes", None)


@pytest.mark.parametrize("after", [b"", b": ping\n\n", event(usage(9, 2))], ids=["silent", "pings", "counts for ever"])
async def test_a_whole_answer_is_taken_from_a_server_that_never_closes(server: HostileServer, after: bytes) -> None:
    async def keeps_open(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head() + event(delta("Whole.", "stop")))
        while True:
            writer.write(after)
            await writer.drain()
            await asyncio.sleep(0.05)

    answer = await ask(server, keeps_open, limits=replace(QUICK, total_s=20, end_s=0.2))
    assert (answer.text, len(server.requests)) == ("Whole.", 1)
    assert answer.seconds < 5


async def test_a_server_that_knows_neither_field_is_not_asked_for_ever(server: HostileServer) -> None:
    refusal = error("Neither max_tokens nor max_completion_tokens is supported.")
    with pytest.raises(EndpointFault) as caught:
        await ask(server, status("400 Bad Request", refusal))
    assert (caught.value.kind, len(server.requests)) == ("refused", 4)


async def test_a_retry_after_is_waited_and_that_is_told(server: HostileServer) -> None:
    notes: list[str] = []
    server.behaviours = [status("429 Too Many Requests", error("Wait."), "retry-after: 1"), good("Yes.")]
    began = time.monotonic()
    async with EndpointTeacher(
        TeacherSpec("endpoint", "peer", server.url), CANARY, limits=QUICK, on_note=notes.append
    ) as teacher:
        answer = await teacher.answer(QUESTION, temperature=0, max_tokens=8)
    assert (answer.text, len(server.requests)) == ("Yes.", 2)
    assert time.monotonic() - began >= 1, "longer than the longest wait of our own"
    assert notes == ["The endpoint asks for fewer requests. HTTP 429: Wait. Asked again in 1 s."]


async def test_a_retry_after_that_is_too_long_to_wait_ends_it_at_once(server: HostileServer) -> None:
    for refusal in ("429 Too Many Requests", "503 Service Unavailable"):
        with pytest.raises(EndpointFault, match=r"It asks to wait 86,400 s\.") as caught:
            await ask(server, status(refusal, error("Come back tomorrow."), "retry-after: 86400"))
        assert caught.value.scope == "job"
    assert len(server.requests) == 2


async def test_an_answer_that_repeats_the_key_is_refused_before_it_is_shown(server: HostileServer) -> None:
    shown: list[str] = []
    server.behaviours = [good("Your key: ", CANARY[:9], CANARY[9:], " thanks")]
    async with EndpointTeacher(TeacherSpec("endpoint", "peer", server.url), CANARY, limits=QUICK) as teacher:
        with pytest.raises(EndpointFault, match="contains the API key"):
            await teacher.answer(QUESTION, temperature=0, max_tokens=8, on_delta=shown.append)
    assert CANARY not in "".join(shown)


async def test_a_refused_connection_stops_the_job() -> None:
    async with HostileServer([good()]) as gone:
        url = gone.url
    async with EndpointTeacher(TeacherSpec("endpoint", "peer", url), CANARY, limits=QUICK) as teacher:
        with pytest.raises(EndpointFault) as caught:
            await teacher.answer(QUESTION, temperature=0, max_tokens=8)
    assert (caught.value.kind, caught.value.scope) == ("unreachable", "job")


async def test_a_bad_certificate_is_never_accepted(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=elsewhere", "-days", "1", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with HostileServer([good()], tls=context) as server:
        with pytest.raises(EndpointFault) as caught:
            await ask(server, good())
    assert (caught.value.kind, caught.value.scope) == ("certificate", "job")
    assert server.requests == []


@pytest.mark.parametrize(
    ("sent", "kind", "scope"),
    [
        (b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", "no_tls", "job"),
        (bytes([21, 3, 3, 0, 2, 2, 80]), "broken", "retry"),  # an alert: internal error
    ],
    ids=["plain http", "a balancer's alert"],
)
async def test_a_handshake_that_fails_is_not_a_bad_certificate(sent: bytes, kind: FaultKind, scope: FaultScope) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(sent)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        async with EndpointTeacher(TeacherSpec("endpoint", "peer", url), CANARY, limits=QUICK) as teacher:
            with pytest.raises(EndpointFault) as caught:
                await teacher.answer(QUESTION, temperature=0, max_tokens=8)
    assert (caught.value.kind, caught.value.scope) == (kind, scope)


async def test_a_storm_of_429_is_paced() -> None:
    """200 questions against a server that answers 4 at once and refuses the rest: few requests are wasted."""
    answered = 0

    async def limited(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        if busy.in_flight > 4:
            await status("429 Too Many Requests", error("Slow down."), "retry-after-ms: 20")(request, writer)
            return
        await asyncio.sleep(0.005)
        await good()(request, writer)
        answered += 1

    limits = EndpointLimits(tries=20, longest_wait_s=0.2)
    async with (
        HostileServer([limited]) as busy,
        EndpointTeacher(TeacherSpec("endpoint", "peer", busy.url), CANARY, concurrency=64, limits=limits) as t,
    ):
        answers = await asyncio.gather(*[t.answer(QUESTION, temperature=0, max_tokens=8) for _ in range(200)])
    assert len(answers) == answered == 200
    assert t.pacer.requests == len(busy.requests)
    assert len(busy.requests) < 400


async def test_organisation_of_another_provider_is_not_sent(
    server: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
    await ask(server, good())
    assert "secret" not in json.dumps(server.requests[0].headers)
