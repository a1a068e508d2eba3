"""The endpoint teacher against faulty servers: the faults that are raised, retries, and pacing."""

import asyncio
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from engine.records.options import TeacherSpec
from engine.teachers.endpoint import EndpointLimits, EndpointTeacher
from engine.teachers.fault_kinds import FaultKind, FaultScope
from engine.teachers.faults import EndpointFault
from tests.engine.teachers.endpoint_helpers import CANARY, QUESTION, QUICK, ask
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

PARTIAL = event(delta("Half an"))
BAD: list[tuple[str, Behaviour, FaultKind, FaultScope]] = [
    ("stream closed without an end", raw(head(), PARTIAL), "cut", "retry"),
    ("stream closed with DONE but no finish_reason", raw(head(), PARTIAL, DONE), "cut", "retry"),
    ("empty stream", raw(head()), "cut", "retry"),
    ("empty body", json_body(b""), "cut", "retry"),
    ("HTML", raw(head("200 OK", "text/html"), b"<html>Welcome</html>"), "html", "job"),
    ("HTML called JSON", json_body(b"<!doctype html>"), "html", "job"),
    ("half JSON", json_body(b'{"choices": [{"mess'), "not_json", "job"),
    ("a stream declared as text", json_body(b'data: {"choices": []}', "text/plain"), "not_json", "job"),
    ("a bad JSON line in the stream", raw(head(), PARTIAL, b"data: {not json\n\n", DONE), "not_json", "job"),
    ("deep JSON", raw(head(), b"data: " + b"[" * 100_000 + b"\n\n"), "not_json", "job"),
    ("an event that is a list", raw(head(), b"data: []\n\n"), "not_json", "job"),
    ("error with 200", json_body(error("The GPU is on fire.")), "error_body", "retry"),
    ("error in the stream", raw(head(), PARTIAL, event(error("out of memory")), DONE), "error_body", "retry"),
    ("quota in a 200", json_body(error("Pay first.", "insufficient_quota")), "quota", "job"),
    ("choices empty", json_body({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 0}}),
     "no_choices", "retry"),
    ("choices null in the stream", raw(head(), event({"choices": None}), event(usage()), DONE),
     "no_choices", "retry"),
    ("content null", raw(head(), event(delta(None, "stop")), DONE), "no_content", "question"),
    ("content a number", json_body({"choices": [{"message": {"content": 7}, "finish_reason": "stop"}]}),
     "no_content", "question"),
    ("only spaces", good("  ", "\n"), "no_content", "question"),
    ("a tool call", raw(head(), PARTIAL, event(delta(None, "tool_calls")), DONE), "unknown_finish", "question"),
    ("overload as a finish reason", raw(head(), PARTIAL, event(delta(None, "insufficient_system_resource")), DONE),
     "server", "retry"),
    ("307 to another origin", status("307 Temporary Redirect", {}, "location: http://127.0.0.2:9/v1"),
     "redirect", "job"),
    ("stall before the first byte", stalls(), "stalled", "retry"),
    ("stall in mid-stream", stalls(head(), PARTIAL), "stalled", "retry"),
    ("slow drip", raw(head(), *[PARTIAL] * 60, pause=0.1), "too_slow", "retry"),
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
    ("connection closed inside a body", raw(head("200 OK", "text/event-stream", "content-length: 9999"), PARTIAL),
     "broken", "retry"),
]  # fmt: skip


@pytest.mark.parametrize(("behaviour", "kind", "scope"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
async def test_bad_reply_raises_a_fault_of_its_kind_and_scope(
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


TRANSIENT: tuple[FaultKind, ...] = (
    "cut", "no_choices", "no_content", "stalled", "broken", "server", "rate_limited", "not_json", "error_body",
)  # fmt: skip


def behaviours(*kinds: FaultKind) -> list[object]:
    """The behaviours that cause faults of these kinds, as parameters of a test."""
    return [pytest.param(behaviour, id=name) for name, behaviour, kind, _ in BAD if kind in kinds]


@pytest.mark.parametrize("behaviour", behaviours(*TRANSIENT))
async def test_transient_fault_is_retried(server: HostileServer, behaviour: Behaviour) -> None:
    answer = await asyncio.wait_for(ask(server, behaviour, good("Yes", ".")), 20)
    assert answer.text == "Yes."
    assert len(server.requests) == 2


@pytest.mark.parametrize("behaviour", behaviours("key", "quota", "context", "redirect", "not_found"))
async def test_permanent_fault_is_not_retried(server: HostileServer, behaviour: Behaviour) -> None:
    with pytest.raises(EndpointFault):
        await ask(server, behaviour)
    assert len(server.requests) == 1


@pytest.mark.parametrize("behaviour", behaviours("html"))
async def test_web_page_is_retried_only_from_a_server_that_has_answered(
    server: HostileServer, behaviour: Behaviour
) -> None:
    with pytest.raises(EndpointFault, match="usually ends in /v1"):
        await ask(server, behaviour)
    assert len(server.requests) == 1
    server.behaviours = [behaviour, good("Yes."), behaviour, good("No.")]
    async with EndpointTeacher(TeacherSpec("endpoint", "peer", server.url), CANARY, limits=QUICK) as teacher:
        answers = [await teacher.answer(QUESTION, temperature=0, max_tokens=8) for _ in range(2)]
    assert [answer.text for answer in answers] == ["Yes.", "No."]


async def test_source_of_a_web_page_is_not_shown(server: HostileServer) -> None:
    page = raw(head("404 Not Found", "text/html"), b"<!doctype html><title>Not here</title>")
    with pytest.raises(EndpointFault) as caught:
        await ask(server, page)
    assert (caught.value.kind, caught.value.message) == ("not_found", "HTTP 404: a web page.")


async def test_redirect_to_another_server_is_not_followed(server: HostileServer) -> None:
    async with HostileServer([good()]) as other:
        with pytest.raises(EndpointFault, match="redirects"):
            await ask(server, status("307 Temporary Redirect", {}, f"location: {other.url}/chat/completions"))
    assert other.requests == []


async def test_server_that_refuses_both_token_limit_fields_is_not_asked_forever(server: HostileServer) -> None:
    refusal = error("Neither max_tokens nor max_completion_tokens is supported.")
    with pytest.raises(EndpointFault) as caught:
        await ask(server, status("400 Bad Request", refusal))
    assert (caught.value.kind, len(server.requests)) == ("refused", 4)


async def test_retry_after_is_waited_for_and_noted(server: HostileServer) -> None:
    notes: list[str] = []
    server.behaviours = [status("429 Too Many Requests", error("Wait."), "retry-after: 1"), good("Yes.")]
    started = time.monotonic()
    async with EndpointTeacher(
        TeacherSpec("endpoint", "peer", server.url), CANARY, limits=QUICK, on_note=notes.append
    ) as teacher:
        answer = await teacher.answer(QUESTION, temperature=0, max_tokens=8)
    assert (answer.text, len(server.requests)) == ("Yes.", 2)
    assert time.monotonic() - started >= 1, "longer than the client's own longest wait"
    assert notes == ["Retry 1 of 1 in 1 s: The endpoint asks for fewer requests. HTTP 429: Wait."]


async def test_too_long_retry_after_stops_the_job_without_waiting(server: HostileServer) -> None:
    for refusal in ("429 Too Many Requests", "503 Service Unavailable"):
        with pytest.raises(EndpointFault, match=r"It asks to wait 86,400 s\.") as caught:
            await ask(server, status(refusal, error("Come back tomorrow."), "retry-after: 86400"))
        assert caught.value.scope == "job"
    assert len(server.requests) == 2


LONG_KEY = "".join(f"{number:x}." for number in range(200))


@pytest.mark.parametrize(
    ("key", "pieces"),
    [(CANARY, ("Your key: ", CANARY[:9], CANARY[9:], " thanks")), (CANARY, ("Your key: ", CANARY)),
     (LONG_KEY, ("Your key: ", *LONG_KEY))],
    ids=["in two pieces", "at the end", "long, in single characters"],
)  # fmt: skip
async def test_answer_that_repeats_the_key_is_refused_before_it_is_shown(
    server: HostileServer, key: str, pieces: tuple[str, ...]
) -> None:
    shown: list[str] = []
    server.behaviours = [good(*pieces)]
    async with EndpointTeacher(TeacherSpec("endpoint", "peer", server.url), key, limits=QUICK) as teacher:
        for on_delta in (shown.append, None):
            with pytest.raises(EndpointFault, match="contains the API key") as caught:
                await teacher.answer(QUESTION, temperature=0, max_tokens=8, on_delta=on_delta)
            assert caught.value.scope == "job"
    assert "".join(shown) == "Your key: "


async def test_refused_connection_stops_the_job() -> None:
    async with HostileServer([good()]) as gone:
        url = gone.url
    async with EndpointTeacher(TeacherSpec("endpoint", "peer", url), CANARY, limits=QUICK) as teacher:
        with pytest.raises(EndpointFault) as caught:
            await teacher.answer(QUESTION, temperature=0, max_tokens=8)
    assert (caught.value.kind, caught.value.scope) == ("unreachable", "job")


async def test_bad_certificate_is_refused_before_any_request(tmp_path: Path) -> None:
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
        (bytes([21, 3, 3, 0, 2, 2, 80]), "broken", "retry"),  # a TLS alert: internal error
    ],
    ids=["plain HTTP", "TLS alert"],
)
async def test_failed_handshake_is_not_reported_as_a_bad_certificate(
    sent: bytes, kind: FaultKind, scope: FaultScope
) -> None:
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


async def test_requests_are_paced_after_many_429_replies() -> None:
    """200 questions to a server that answers only 4 at once take fewer than 400 requests."""
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
        EndpointTeacher(TeacherSpec("endpoint", "peer", busy.url), CANARY, concurrency=64, limits=limits) as teacher,
    ):
        answers = await asyncio.gather(*[teacher.answer(QUESTION, temperature=0, max_tokens=8) for _ in range(200)])
    assert len(answers) == answered == 200
    assert teacher.pacer.requests == len(busy.requests)
    assert len(busy.requests) < 400
