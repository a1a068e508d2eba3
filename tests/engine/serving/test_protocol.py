"""The OpenAI protocol, seen by OpenAI's own client and by plain HTTP requests."""

import json
import urllib.error
import urllib.request
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from tests.engine.jobs.support import wait_until
from tests.engine.serving.conftest import Served

HELLO: Any = [{"role": "user", "content": "Hello, wörld?"}]


def raw(served: Served, path: str, body: bytes | None = None, token: str | None = "") -> tuple[int, Any]:
    """Send one request without a client library: with the right token if it is empty, without one if it is None."""
    headers = {} if token is None else {"Authorization": f"Bearer {token or served.address.token}"}
    request = urllib.request.Request(served.address.base_url.removesuffix("/v1") + path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_every_arm_is_listed_as_a_model(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names == ["unprompted", "prompted", "run-1", "run-2", "run-1+prompt", "run-2+prompt"]
    assert client.models.retrieve("run-2@35").id == "run-2@35"


def test_unstreamed_answer_reports_its_usage(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="prompted", messages=HELLO, max_tokens=9, temperature=0)
    assert reply.object == "chat.completion"
    assert reply.usage is not None
    assert reply.usage.completion_tokens <= 9
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    details = reply.usage.prompt_tokens_details
    assert details is not None
    assert details.cached_tokens is not None
    assert 0 < details.cached_tokens < reply.usage.prompt_tokens
    assert (reply.choices[0].finish_reason == "length") == (reply.usage.completion_tokens == 9)
    assert reply.choices[0].message.role == "assistant"


def test_stream_reports_its_usage_only_on_request(client: openai.OpenAI) -> None:
    plain = list(client.chat.completions.create(model="run-1", messages=HELLO, max_tokens=6, seed=1, stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in plain)
    with_usage = list(
        client.chat.completions.create(
            model="run-1", messages=HELLO, max_tokens=6, seed=1, stream=True, stream_options={"include_usage": True}
        )
    )
    assert with_usage[-1].choices == []
    assert with_usage[-1].usage is not None
    assert with_usage[-1].usage.completion_tokens == 6
    assert [c.choices[0].delta.content for c in with_usage[:-1]] == [c.choices[0].delta.content for c in plain]
    assert len({chunk.id for chunk in with_usage}) == 1


def test_answer_is_repeated_with_its_seed_and_varies_without_one(client: openai.OpenAI) -> None:
    def answer(**more: Any) -> str | None:
        reply: ChatCompletion = client.chat.completions.create(
            model="run-1", messages=HELLO, max_tokens=20, temperature=1, **more
        )
        return reply.choices[0].message.content

    assert answer(seed=5) == answer(seed=5) != answer(seed=6)
    assert answer() != answer()
    assert answer(seed=5, top_p=1e-6) == answer(seed=6, top_p=1e-6)


def test_answer_ends_before_a_stop_text(client: openai.OpenAI) -> None:
    def answer(**more: Any) -> Any:
        return client.chat.completions.create(model="run-1", messages=HELLO, max_tokens=30, temperature=0, **more)

    whole = answer().choices[0].message.content
    stop = whole[5:7]
    cut = answer(stop=[stop, "never in it"])
    assert cut.choices[0].message.content == whole[: whole.index(stop)]
    assert cut.choices[0].finish_reason == "stop"
    assert cut.usage.completion_tokens < 30
    pieces = [c.choices[0].delta.content or "" for c in answer(stop=stop, stream=True)]
    assert "".join(pieces) == whole[: whole.index(stop)]


def test_refusals_raise_the_openai_clients_own_errors(served: Served, client: openai.OpenAI) -> None:
    ask = client.chat.completions.create
    with pytest.raises(openai.NotFoundError, match="Available: unprompted, prompted, run-1"):
        ask(model="gpt-5", messages=HELLO)
    with pytest.raises(openai.NotFoundError, match="no run 9"):
        ask(model="run-9", messages=HELLO)
    with pytest.raises(openai.BadRequestError, match="'n' supports only the value 1") as caught:
        ask(model="run-1", messages=HELLO, n=2)
    assert caught.value.param == "n"
    with pytest.raises(openai.BadRequestError, match="limit is 2048") as caught:
        ask(model="run-1", messages=HELLO, max_tokens=2048)
    assert caught.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError, match="the answer up to 1; the limit is 2048"):
        ask(model="run-1", messages=[{"role": "user", "content": "x" * 3000}])
    with openai.OpenAI(api_key="wrong", base_url=served.address.base_url, max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError):
            stranger.models.list()
        with pytest.raises(openai.AuthenticationError):
            stranger.chat.completions.create(model="run-1", messages=HELLO)


def test_answer_without_a_limit_stays_within_the_context(client: openai.OpenAI) -> None:
    messages: Any = [{"role": "user", "content": "x" * 2000}]
    reply = client.chat.completions.create(model="run-1", messages=messages)
    assert reply.usage is not None
    assert reply.usage.total_tokens <= 2048


def test_only_the_health_check_works_without_the_token(served: Served) -> None:
    assert raw(served, "/health", token=None) == (200, {"status": "ready"})
    assert raw(served, "/health") == (200, {"status": "ready", "detail": ""})
    for path, body in (("/v1/models", None), ("/v1/models/run-1", None), ("/v1/chat/completions", b"{}")):
        for token in (None, "wrong", "Bearer"):
            status, reply = raw(served, path, body, token)
            assert status == 401
            assert reply["error"]["code"] == "invalid_api_key"


def test_every_refusal_has_the_shape_of_an_openai_error(served: Served) -> None:
    for path, body, status in (
        ("/v1/chat/completions", b"{", 400),
        ("/v1/chat/completions", None, 405),
        ("/v1/completions", b"{}", 404),
        ("/v1/models/nothing", None, 404),
        ("/v1/chat/completions", b" " * 8_000_001, 413),
        ("/v1/chat/completions", rb'{"half a \ud800character": 1}', 400),
        ("/v1/chat/completions", rb'{"model": "run-1", "messages": [{"role": "user", "\ud800": 1}]}', 400),
    ):
        found, reply = raw(served, path, body)
        assert found == status, path
        assert set(reply["error"]) == {"message", "type", "param", "code"}
        assert reply["error"]["message"]


def test_generation_stops_when_the_client_hangs_up(served: Served, client: openai.OpenAI, dropped: list[int]) -> None:
    answerer = served.answerers[-1]
    stream = client.chat.completions.create(model="run-1", messages=HELLO, max_tokens=1900, temperature=0, stream=True)
    next(iter(stream))
    stream.close()
    wait_until(lambda: dropped == [1900] and not answerer.busy)
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.3).chat.completions.create(
            model="run-2", messages=HELLO, max_tokens=1901, temperature=0
        )
    wait_until(lambda: dropped == [1900, 1901] and not answerer.busy)
