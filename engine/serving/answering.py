"""The model's side of the request queue: gives every request its turn, and decodes ids to text as they come.

Runs in the model thread. Knows nothing of HTTP or of jobs.
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from engine.errors import ContextError, DistillError, ModelError
from engine.serving.request_queue import Ask, Begun, Ended, Text
from engine.serving.requests import RequestRefusedError
from engine.stop_text import StopText

if TYPE_CHECKING:
    from engine.model.arm_scheduler import Turn
    from engine.model.decode import Decoded
    from engine.model.local_model import LocalModel


class Answerer:
    """Answers with one loaded base and its adapters. Call `step` as long as it is `busy`."""

    def __init__(self, local: "LocalModel") -> None:
        """Take over a base without adapters; loading them changes it in place."""
        from engine.model.adapters import Adapters
        from engine.model.arm_scheduler import ArmScheduler

        self._local = local
        self._format = local.format
        self._adapters = Adapters(local)
        self._scheduler = ArmScheduler(local, self._adapters)
        self._answers: list[_Answer] = []

    @property
    def busy(self) -> bool:
        """Whether any answer is in progress."""
        return bool(self._answers)

    def begin(self, ask: Ask) -> None:
        """Start an answer at the next step; if that is not possible, send the reason to its request."""
        from engine.model.arm_scheduler import ArmSetting, Turn
        from engine.model.decode import Draw

        if ask.gone:
            return
        try:
            sha256 = self._adapters.load(ask.arm.adapter, self._scheduler.adapters_in_use) if ask.arm.adapter else ""
            strength = ask.arm.choice.strength_percent / 100 if sha256 else 0.0
            # At strength 0 the base answers, and shares its batch.
            setting = ArmSetting(sha256 if strength else "", strength, ask.prefix_ids)
            answer = _Answer(ask, self._format.text_stream(), StopText(ask.stop))
            answer.turn = Turn(
                setting,
                ask.ids,
                ask.max_new_tokens,
                Draw(ask.temperature, ask.top_p),
                ask.seed,
                answer.on_token,
                lambda decoded: answer.on_finished(decoded, self._format.decode(decoded.ids)),
            )
            self._scheduler.add(answer.turn)
        except DistillError as error:
            ask.send(refusal_of(error))
            return
        ask.send(Begun(sha256))
        self._answers.append(answer)

    def step(self) -> None:
        """Decode one token for every answer; end those that nobody waits for or that reached a stop text."""
        for answer in self._answers:
            if answer.ask.gone and answer.turn is not None:
                self._scheduler.drop(answer.turn)
                answer.over = True
        if self._scheduler.busy:
            self._step_all()
        for answer in self._answers:
            if not answer.over and answer.stops.found and answer.turn is not None:
                self._scheduler.drop(answer.turn)
                answer.end("stop")
        self._answers = [answer for answer in self._answers if not answer.over]

    def _step_all(self) -> None:
        from engine.model.arm_scheduler import ArmScheduler

        try:
            self._scheduler.step()
        except ModelError as error:  # out of memory, or broken weights: these answers are lost, the next may fit again
            self.fail(refusal_of(error))
            self._scheduler = ArmScheduler(self._local, self._adapters)

    def fail(self, refusal: RequestRefusedError) -> None:
        """Send the refusal to everyone who still waits, and drop all answers."""
        for answer in self._answers:
            answer.ask.send(refusal)
        self._answers = []


class _Answer:
    """One answer in progress, as text."""

    def __init__(self, ask: Ask, stream: Callable[[Sequence[int]], str], stops: StopText) -> None:
        self.ask, self.stops = ask, stops
        self.turn: Turn | None = None
        self.over = False
        self._stream = stream
        self._streamed = ""
        self._tokens = 0
        self._first_token_s = 0.0

    def on_token(self, token: int) -> None:
        self._tokens += 1
        if self._tokens == 1:
            self._first_token_s = time.monotonic() - self.ask.put_at
        piece = self._stream([token])
        self._streamed += piece
        self._show(self.stops.feed(piece))

    def on_finished(self, decoded: "Decoded", whole: str) -> None:
        if not self.stops.found:
            # An answer may end inside a character: its replacement character has not been streamed yet.
            rest = whole[len(self._streamed) :] if whole.startswith(self._streamed) else ""
            self._show(self.stops.feed(rest))
        stopped = self.stops.found or decoded.finish_reason == "stop"
        self.end("stop" if stopped else "length")

    def end(self, reason: Literal["stop", "length"]) -> None:
        """Report that the answer is complete."""
        if not self.stops.found:
            self._show(self.stops.end())
        self.ask.send(Ended(reason, self._tokens, self._first_token_s, time.monotonic() - self.ask.put_at))
        self.over = True

    def _show(self, text: str) -> None:
        if text:
            self.ask.send(Text(text))


def refusal_of(error: DistillError) -> RequestRefusedError:
    """Convert an error of our tree: one about the context length is the client's fault, all others are the server's."""
    if isinstance(error, ContextError):
        return RequestRefusedError(str(error), code="context_length_exceeded", param="messages")
    return RequestRefusedError(str(error), status=500, kind="server_error")
