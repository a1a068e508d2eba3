"""Turns any error of the client library, the socket or the body into one `EndpointFault`.

Knows nothing of how requests are sent, and never reveals a key: server text is redacted before it becomes part of a
message.
"""

import errno
import json
import math
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
import openai

from engine.errors import EndpointError
from engine.records.example import Usage
from engine.redact import redact
from engine.teachers.fault_kinds import FAULTS, FaultKind, FaultScope

_CONTEXT_WORDS = ("context length", "context_length", "maximum context", "context window", "available context",
                  "context size", "too many tokens", "prompt is too long")  # fmt: skip
_FILTER_WORDS = ("content_filter", "content_policy", "content policy", "requires moderation", "was flagged")
_LONGEST_DETAIL = 400  # characters of a server's message that are worth showing
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")  # OpenSSL's reasons for plain text
_LONGEST_WAIT_S = 600.0  # that a server may ask for; a longer wait is for a person to decide


class EndpointFault(EndpointError):
    """One named failure. `scope` says what is affected: this try, this question, or the whole job.

    `usage` is what this try is billed for, counted here if the server does not report it; None if nothing arrived.
    """

    def __init__(
        self,
        kind: FaultKind,
        detail: str = "",
        *,
        retry_after_s: float | None = None,
        scope: FaultScope | None = None,
        usage: Usage | None = None,
    ) -> None:
        known = FAULTS[kind]
        message = redact(detail)[:_LONGEST_DETAIL].rstrip()  # a server's message may lack a final full stop
        super().__init__(known.title, message if not message or message[-1] in ".!?…" else f"{message}.", known.advice)
        self.kind = kind
        self.scope: FaultScope = scope or known.scope
        self.retry_after_s = retry_after_s
        self.usage = usage


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and everything that caused it, outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def fault_of(error: BaseException) -> EndpointFault | None:
    """Return the named fault behind an exception of the client, the socket or a parser; None for any other."""
    for link in chain_of(error):
        if isinstance(link, EndpointFault):
            return link
    if isinstance(error, openai.APIStatusError):
        return _status_fault(error)
    if isinstance(error, openai.APIConnectionError | aiohttp.ClientError | OSError):  # TimeoutError is an OSError
        return _connection_fault(error)
    if isinstance(error, openai.APIError):
        return body_fault(error.body if error.body is not None else error.message)
    if isinstance(error, UnicodeError):
        return EndpointFault("bad_text", str(error))
    if isinstance(error, ValueError | RecursionError):  # a plain ValueError: a number with thousands of digits
        return EndpointFault("not_json", str(error))
    return None


def body_fault(body: object) -> EndpointFault:
    """Return the fault that an error object describes, from the body of a refusal or of a 200 response."""
    code, message = _code_and_message(body)
    return EndpointFault(_kind_by_message(code, message) or "error_body", message)


def _status_fault(error: openai.APIStatusError) -> EndpointFault:
    status = error.status_code
    code, message = _code_and_message(error.body if error.body is not None else error.response.text)
    detail = f"HTTP {status}: {message}" if message else f"HTTP {status}."
    kind = _kind_by_message(code, message)
    if message.lstrip().startswith("<"):
        detail = f"HTTP {status}: a web page."
    if 300 <= status < 400:
        return EndpointFault("redirect", f"HTTP {status} to {error.response.headers.get('location', 'nowhere')}.")
    if status in (401, 403):  # some servers also send these for a question that their moderation flagged
        return EndpointFault("content_filter" if kind == "content_filter" else "key", detail)
    if status == 402:
        return EndpointFault("quota", detail)
    if status == 429:
        if kind == "quota":
            return EndpointFault("quota", detail)
        return _asks_to_wait("rate_limited", detail, error)
    if status in (408, 409, 425) or status >= 500:
        return _asks_to_wait("server", detail, error)
    if status in (404, 405):
        return EndpointFault("not_found", detail)
    if status == 413:
        return EndpointFault("context", detail)
    return EndpointFault(kind or "refused", detail)


def _asks_to_wait(kind: FaultKind, detail: str, error: openai.APIStatusError) -> EndpointFault:
    asked_s = retry_after_s(error.response.headers)
    if asked_s is None or asked_s <= _LONGEST_WAIT_S:
        return EndpointFault(kind, detail, retry_after_s=asked_s)
    return EndpointFault(kind, f"It asks to wait {asked_s:,.0f} s. {detail}", scope="job")


def _kind_by_message(code: str, message: str) -> FaultKind | None:
    words = f"{code} {message}".casefold()
    if "insufficient_quota" in words or "billing" in code.casefold():
        return "quota"
    if any(phrase in words for phrase in _CONTEXT_WORDS):
        return "context"
    if "invalid_api_key" in words or "invalid api key" in words or "incorrect api key" in words:
        return "key"
    if any(phrase in words for phrase in _FILTER_WORDS):
        return "content_filter"
    if "rate_limit" in words or "rate limit" in words:
        return "rate_limited"
    return None


def _connection_fault(error: BaseException) -> EndpointFault:
    links = list(chain_of(error))
    detail = str(links[-1]) or type(links[-1]).__name__
    if any(isinstance(link, ssl.SSLCertVerificationError | aiohttp.ClientConnectorCertificateError) for link in links):
        return EndpointFault("certificate", detail)
    if any(getattr(link, "reason", None) in _NO_TLS for link in links):
        return EndpointFault("no_tls", detail)
    if any(isinstance(link, ssl.SSLError) for link in links):  # the client reports these as timeouts
        return EndpointFault("broken", detail)
    if any(isinstance(link, ConnectionRefusedError | socket.gaierror) for link in links) or any(
        isinstance(link, OSError) and link.errno in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH)
        for link in links
    ):
        return EndpointFault("unreachable", detail)
    if any(isinstance(link, ConnectionError | aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError)
           for link in links):  # fmt: skip
        return EndpointFault("broken", detail)
    if any(isinstance(link, TimeoutError | openai.APITimeoutError) for link in links):
        return EndpointFault("unreachable", f"The connection timed out. {detail}")
    return EndpointFault("broken", detail)


def _code_and_message(body: object) -> tuple[str, str]:
    """Return (code, message) of an error in any of the shapes that servers use; both may be empty."""
    if isinstance(body, dict):
        inner = body.get("error", body)
        if isinstance(inner, dict):
            code = inner.get("code") or inner.get("type") or ""
            message = inner.get("message") or inner.get("detail") or json.dumps(inner, ensure_ascii=False, default=str)
            return str(code), str(message)
        return "", str(inner)
    return "", str(body)


def retry_after_s(headers: object) -> float | None:
    """Return the seconds that a `retry-after-ms` or `retry-after` header (a number or a date) asks for.

    None if there is no such header or it is not a time.
    """
    get = getattr(headers, "get", None)
    if get is None:
        return None
    milliseconds, after = get("retry-after-ms"), get("retry-after")
    try:
        seconds = float(milliseconds) / 1000 if isinstance(milliseconds, str) else float(str(after))
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except ValueError:
        pass
    if not isinstance(after, str):
        return None
    try:
        date = parsedate_to_datetime(after)
    except (ValueError, OverflowError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())
