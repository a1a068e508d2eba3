"""The web application: `/v1/models` and `/v1/chat/completions` as in the OpenAI protocol, and `/health`.

Runs in the web thread; everything that needs the model goes through the request queue. Hanging up ends an answer.
"""

import asyncio
import hmac
import json
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from engine.errors import DistillError
from engine.serving.answering import refusal_of
from engine.serving.catalog import Catalog
from engine.serving.conversation import Conversation
from engine.serving.replies import (
    Counts,
    Reply,
    error_object,
    model_list,
    model_object,
    provenance_of,
)
from engine.serving.request_queue import Ask, Begun, Ended, RequestQueue, Text
from engine.serving.requests import ChatRequest, RequestRefusedError, parse_request

LARGEST_BODY_BYTES = 8_000_000
Result = TypeVar("Result")
_Handler = Callable[[Request], Awaitable[Response]]


class Web:
    """The routes of one server. `model_key` distinguishes its loaded base from others."""

    def __init__(
        self, requests: RequestQueue, catalog: Catalog, conversation: Conversation, token: str, model_key: str
    ) -> None:
        self._requests, self._catalog, self._conversation = requests, catalog, conversation
        self._token, self._model_key = token, model_key
        self._created = int(time.time())

    def application(self) -> Starlette:
        """The application, to be run by any ASGI server on one thread."""
        return Starlette(
            routes=[
                Route("/health", self._health),
                Route("/v1/models", self._guarded(self._models)),
                Route("/v1/models/{name:path}", self._guarded(self._model)),
                Route("/v1/chat/completions", self._guarded(self._complete), methods=["POST"]),
            ],
            exception_handlers={HTTPException: _on_http_error},
        )

    def _guarded(self, handler: _Handler) -> _Handler:
        async def guarded(request: Request) -> Response:
            try:
                if not self._knows(request):
                    raise RequestRefusedError(
                        "The token is wrong or missing. The server's server.json holds it.",
                        status=401,
                        code="invalid_api_key",
                    )
                return await handler(request)
            except ClientDisconnect:
                return Response(status_code=499)  # nobody reads it
            except RequestRefusedError as refusal:
                return _refused(refusal)
            except DistillError as error:
                return _refused(refusal_of(error))

        return guarded

    def _knows(self, request: Request) -> bool:
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode())

    async def _health(self, request: Request) -> Response:
        """Tell anyone on this machine whether the server is ready, but the reason only to those with the token."""
        status: dict[str, object] = {"status": self._requests.status}
        if self._knows(request):
            status["detail"] = self._requests.words
        return JSONResponse(status, 200 if self._requests.status == "ready" else 503)

    async def _models(self, _: Request) -> Response:
        return JSONResponse(model_list(self._catalog.names(), self._created))

    async def _model(self, request: Request) -> Response:
        arm = self._catalog.find(str(request.path_params["name"]))
        return JSONResponse(model_object(arm.choice.name, self._created))

    async def _complete(self, request: Request) -> Response:
        asked = parse_request(await _body(request))
        ask = self._ask(asked)
        self._requests.put(ask)
        try:
            begun = await _unless_gone(request, ask.piece())
            if not isinstance(begun, Begun):
                raise TypeError(f"an answer started with {begun!r}")
            reply = self._reply(ask, begun, asked)
            if asked.stream:
                events = _events(ask, reply, include_usage=asked.include_usage)
                return StreamingResponse(events, media_type="text/event-stream", headers={"cache-control": "no-cache"})
            return JSONResponse(await _unless_gone(request, _whole(ask, reply)))
        except BaseException:
            ask.gone = True
            raise

    def _ask(self, asked: ChatRequest) -> Ask:
        arm = self._catalog.find(asked.model)
        ids, prefix_ids = self._conversation.ids(arm, asked.messages)
        temperature = asked.temperature
        return Ask(
            arm=arm,
            ids=ids,
            prefix_ids=prefix_ids,
            max_new_tokens=self._conversation.room(ids, asked.max_tokens),
            temperature=self._catalog.serving_temperature() if temperature is None else temperature,
            top_p=asked.top_p,
            seed=secrets.randbits(63) if asked.seed is None else abs(asked.seed),
            stop=asked.stop,
            put_at=time.monotonic(),
        )

    def _reply(self, ask: Ask, begun: Begun, asked: ChatRequest) -> Reply:
        client_system = asked.messages[0].role == "system"
        provenance = provenance_of(ask.arm, begun.adapter_sha256, client_system=client_system)
        return Reply(f"chatcmpl-{secrets.token_hex(12)}", int(time.time()), provenance, self._model_key)


async def _events(ask: Ask, reply: Reply, *, include_usage: bool) -> AsyncGenerator[str, None]:
    """Stream one answer. Whichever way the stream ends, so does its row."""
    try:
        yield _event(reply.first())
        while True:
            piece = await ask.piece()
            if isinstance(piece, Text):
                yield _event(reply.more(piece.text))
            elif isinstance(piece, Ended):
                yield _event(reply.last(piece.finish_reason))
                if include_usage:
                    yield _event(reply.usage(_counts(ask, piece)))
                yield "data: [DONE]\n\n"
                return
    except RequestRefusedError as refusal:
        yield _event(error_object(refusal))
    finally:
        ask.gone = True


async def _whole(ask: Ask, reply: Reply) -> dict[str, object]:
    """The answer in one piece."""
    pieces: list[str] = []
    while True:
        piece = await ask.piece()
        if isinstance(piece, Text):
            pieces.append(piece.text)
        elif isinstance(piece, Ended):
            return reply.whole("".join(pieces), piece.finish_reason, _counts(ask, piece))


async def _unless_gone(request: Request, work: Coroutine[None, None, Result]) -> Result:
    """Return the result of `work`. Raises `ClientDisconnect` if the client hangs up first."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_hung_up(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _counts(ask: Ask, ended: Ended) -> Counts:
    return Counts(len(ask.ids), len(ask.prefix_ids), ended.completion_tokens)


def _event(data: dict[str, object]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


def _refused(refusal: RequestRefusedError) -> Response:
    headers = {} if refusal.retry_after_s is None else {"retry-after": str(refusal.retry_after_s)}
    if refusal.status == 401:
        headers["www-authenticate"] = "Bearer"
    # In ASCII, because a quoted part of the request may contain a lone surrogate.
    return Response(json.dumps(error_object(refusal)), refusal.status, headers, "application/json")


async def _on_http_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    words = {404: "There is no such URL; the API is under /v1.", 405: "This URL does not support this method."}
    return _refused(RequestRefusedError(words.get(status, "The request cannot be served."), status=status))


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY_BYTES:
            raise RequestRefusedError(f"The body is larger than {LARGEST_BODY_BYTES:,} bytes.", status=413)
    return bytes(body)
