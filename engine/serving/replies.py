"""The response objects of the OpenAI protocol, and what this server adds: which arm and adapter made an answer.

`distill_tui` holds the arm, the run, the hash of the adapter's weights as they were loaded, the strength in percent,
the hash of the project's prompt if the arm has it, and whether the client put its own system message before the
question. Pure; knows nothing of HTTP.
"""

import hashlib
import json
from dataclasses import asdict, dataclass

from engine.serving.catalog import ServedArm
from engine.serving.requests import RequestRefusedError


@dataclass(frozen=True, slots=True)
class Provenance:
    """What made an answer. None or 0: not used."""

    arm: str
    run: int | None
    adapter_sha256: str | None
    strength: int  # percent
    prompt_sha256: str | None
    client_system: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """Tokens of one answer."""

    prompt_tokens: int
    cached_tokens: int  # of these, the project's prompt
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What every object of one answer has in common."""

    id: str
    created: int
    provenance: Provenance
    model_key: str  # distinguishes loaded bases

    def whole(self, text: str, finish_reason: str, counts: Counts) -> dict[str, object]:
        """The answer to a request without a stream."""
        message = {"role": "assistant", "content": text, "refusal": None}
        return {
            **self._head("chat.completion"),
            "choices": [{"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}],
            "usage": _usage(counts),
            "distill_tui": asdict(self.provenance),
        }

    def first(self) -> dict[str, object]:
        """The first event of a stream, with the role."""
        return self._chunk({"role": "assistant", "content": ""}, None)

    def more(self, text: str) -> dict[str, object]:
        """An event with more text."""
        return self._chunk({"content": text}, None)

    def last(self, finish_reason: str) -> dict[str, object]:
        """The event that ends the text."""
        return {**self._chunk({}, finish_reason), "distill_tui": asdict(self.provenance)}

    def usage(self, counts: Counts) -> dict[str, object]:
        """The event after the end, if usage was asked for."""
        return {
            **self._head("chat.completion.chunk"),
            "choices": [],
            "usage": _usage(counts),
            "distill_tui": asdict(self.provenance),
        }

    def _chunk(self, delta: dict[str, str], finish_reason: str | None) -> dict[str, object]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return {**self._head("chat.completion.chunk"), "choices": [choice], "usage": None}

    def _head(self, kind: str) -> dict[str, object]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.provenance.arm,
            "system_fingerprint": self._fingerprint(),
        }

    def _fingerprint(self) -> str:
        made_by = json.dumps([self.model_key, *asdict(self.provenance).values()])
        return f"fp_{hashlib.sha256(made_by.encode()).hexdigest()[:12]}"


def provenance_of(arm: ServedArm, adapter_sha256: str, *, client_system: bool) -> Provenance:
    """Return what makes the answer, once its adapter is loaded."""
    choice = arm.choice
    return Provenance(
        arm=choice.name,
        run=choice.run_id or None,
        adapter_sha256=adapter_sha256 or None,
        strength=choice.strength_percent if choice.run_id else 0,
        prompt_sha256=arm.prompt.sha256 if arm.prompt is not None else None,
        client_system=client_system,
    )


def error_object(refusal: RequestRefusedError) -> dict[str, object]:
    """The body of a refused request, and the event that ends a broken stream."""
    return {
        "error": {
            "message": refusal.message,
            "type": refusal.kind,
            "param": refusal.param,
            "code": refusal.code,
        }
    }


def model_list(names: tuple[str, ...], created: int) -> dict[str, object]:
    """The arms, as models."""
    return {"object": "list", "data": [model_object(name, created) for name in names]}


def model_object(name: str, created: int) -> dict[str, object]:
    """One arm, as a model."""
    return {"id": name, "object": "model", "created": created, "owned_by": "distill-tui"}


def _usage(counts: Counts) -> dict[str, object]:
    return {
        "prompt_tokens": counts.prompt_tokens,
        "completion_tokens": counts.completion_tokens,
        "total_tokens": counts.prompt_tokens + counts.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": counts.cached_tokens},
    }
